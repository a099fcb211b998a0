"""What one whole process costs: wall time, CPU of it and its children, and the memory they held at their
worst moment.

CPU is `wait4`'s: user and system time of the child and of every descendant it waited for. Memory is sampled
from /proc every `SAMPLE_S`: the sum over the process tree of resident minus shared pages, plus the largest
shared part, so that a library mapped by three workers counts once; never less than the kernel's own
high-water mark of any one of them. (The `ru_maxrss` of a child is not used: it starts at its parent's size.)
"""

import os
import signal
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SAMPLE_S = 0.02
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Command:
    """What a person would type: words, what its environment adds, and the directory it runs in."""

    words: list[str]
    environment: dict[str, str]
    directory: Path


@dataclass(frozen=True, slots=True)
class Cost:
    """`exit_code` is None for a process stopped at its time limit; `tail` is the end of what it printed."""

    wall_s: float
    cpu_s: float
    peak_bytes: int
    exit_code: int | None
    out: str
    tail: str


def _stat(pid: int) -> list[str]:
    text = Path(f"/proc/{pid}/stat").read_text()
    return text[text.rindex(")") + 2 :].split()


def _tree(root: int) -> list[int]:
    """`root` and its descendants that are alive."""
    children: dict[int, list[int]] = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                children.setdefault(int(_stat(int(entry.name))[1]), []).append(int(entry.name))
            except (OSError, ValueError):
                continue
    found, todo = [], [root]
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo += children.get(pid, [])
    return found


def tree_cpu_s(root: int) -> float:
    """CPU seconds of `root`, its living descendants, and all that they have waited for."""
    ticks = 0
    for pid in _tree(root):
        try:
            ticks += sum(int(part) for part in _stat(pid)[11:15])
        except OSError:
            continue
    return ticks / _TICK


def _resident(pids: list[int]) -> tuple[int, int]:
    """Bytes held by `pids` together, and the greatest high-water mark of one of them."""
    private, shared, high = 0, 0, 0
    for pid in pids:
        try:
            numbers = Path(f"/proc/{pid}/statm").read_text().split()
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            continue
        private += (int(numbers[1]) - int(numbers[2])) * _PAGE
        shared = max(shared, int(numbers[2]) * _PAGE)
        mark = status.partition("VmHWM:")[2].split(None, 1)
        high = max(high, int(mark[0]) * 1024 if mark else 0)
    return private + shared, high


class _Sampler(threading.Thread):
    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid, self.peak, self.stop = pid, 0, threading.Event()

    def run(self) -> None:
        pids, rounds = [self.pid], 0
        while not self.stop.wait(SAMPLE_S):
            if rounds % 5 == 0:  # walking all of /proc is the dear part
                pids = _tree(self.pid)
            rounds += 1
            self.peak = max(self.peak, *_resident(pids))


def run(command: Command, limit_s: float) -> Cost:
    """Run `command` to its end, or to `limit_s`, when its whole session is killed."""
    out_path, err_path = command.directory / "stdout.log", command.directory / "stderr.log"
    with out_path.open("wb") as out, err_path.open("wb") as err:
        started = time.perf_counter()
        child = subprocess.Popen(
            command.words,
            stdout=out,
            stderr=err,
            stdin=subprocess.DEVNULL,
            cwd=command.directory,
            env=os.environ | command.environment,
            start_new_session=True,
        )
        sampler = _Sampler(child.pid)
        sampler.start()
        is_late = threading.Event()

        def kill() -> None:
            is_late.set()
            os.killpg(child.pid, signal.SIGKILL)

        alarm = threading.Timer(limit_s, kill)
        alarm.start()
        try:
            _, status, usage = os.wait4(child.pid, 0)
            wall = time.perf_counter() - started
        finally:
            alarm.cancel()
            sampler.stop.set()
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)  # what it left behind would disturb the next measurement
        sampler.join()
        child.returncode = os.waitstatus_to_exitcode(status)  # Popen must not wait for a pid that is gone
    printed = out_path.read_text(errors="replace")
    return Cost(
        wall_s=wall,
        cpu_s=usage.ru_utime + usage.ru_stime,
        peak_bytes=sampler.peak,
        exit_code=None if is_late.is_set() else child.returncode,
        out=printed,
        tail=(printed + err_path.read_text(errors="replace"))[-2_000:],
    )
