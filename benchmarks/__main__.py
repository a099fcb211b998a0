"""The one command: `python -m benchmarks [--only WORKLOAD] [--contestants A,B] [--rounds N] [--scale F]`."""

import argparse
import fcntl
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks import postgres, report, venvs
from benchmarks.campaign import WORK, Campaign, Rest, as_values, complain
from benchmarks.contestants import CONTESTANTS
from benchmarks.workloads import PAGE_SIZE, WORKLOADS, Workload


@contextmanager
def rest_server() -> Iterator[Rest]:
    """The REST API as a process of its own, ended with the campaign."""
    words = [sys.executable, "-m", "benchmarks.server", "--page-size", str(PAGE_SIZE), "--until-input-ends"]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True, cwd=venvs.ROOT) as child:
        try:
            assert child.stdout is not None
            yield Rest(int(child.stdout.readline()))
        finally:
            child.terminate()


@contextmanager
def alone() -> Iterator[None]:
    """Hold the machine's one place for a campaign: two at once would measure each other and share folders."""
    venvs.HOME.mkdir(exist_ok=True)
    with (venvs.HOME / "lock").open("w") as place:
        try:
            fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SystemExit("another campaign is running here; wait for its end") from None
        yield


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--only", action="append", metavar="WORKLOAD", help="a workload, or the start of its name; may repeat"
    )
    parser.add_argument("--contestants", metavar="A,B", help="only these: " + ", ".join(CONTESTANTS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--scale", type=float, default=1.0, help="factor on all sizes; other than 1 writes to .bench/"
    )
    parser.add_argument(
        "--limit", type=float, default=900, metavar="SECONDS", help="longest one process may take"
    )
    parser.add_argument("--page", action="store_true", help="only write the page again from results.json")
    return parser.parse_args()


def chosen(asked: argparse.Namespace) -> list[Workload]:
    """The workloads asked for, in their order."""
    if not asked.only:
        return list(WORKLOADS)
    found = [workload for workload in WORKLOADS if any(workload.name.startswith(only) for only in asked.only)]
    if not found:
        raise SystemExit("no such workload; there are: " + ", ".join(workload.name for workload in WORKLOADS))
    return found


def installed(names: set[str]) -> dict[str, str]:
    """Contestant → why it cannot take part, for those of `names` that cannot."""
    missing: dict[str, str] = {}
    for name in sorted(names, key=list(CONTESTANTS).index):
        contestant = CONTESTANTS[name]
        try:
            for venv in contestant.venvs:
                venvs.make(venv)
        except venvs.Unavailable as reason:
            missing[name] = f"cannot be installed here: {reason}"
        if (known := contestant.missing()) is not None:
            missing[name] = known
    return missing


def main() -> None:
    asked = options()
    if asked.page:
        print(*report.store([], asked.scale, "", ""))
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers are stopped
    with alone():
        compare(asked)


def compare(asked: argparse.Namespace) -> None:
    """Install, run, show, store; one workload after the other, each stored when it is done."""
    workloads = chosen(asked)
    wanted = asked.contestants.split(",") if asked.contestants else list(CONTESTANTS)
    if unknown := [name for name in wanted if name not in CONTESTANTS]:
        raise SystemExit(f"no such contestant: {', '.join(unknown)}; there are: {', '.join(CONTESTANTS)}")
    missing = installed({name for workload in workloads for name in workload.contestants if name in wanted})
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    command = shlex.join(["python", "-m", "benchmarks", *sys.argv[1:]])
    with postgres.running() as server, rest_server() as rest:
        campaign = Campaign(server, rest, asked.scale, asked.limit, complain)
        for workload in workloads:
            names = [name for name in workload.contestants if name in wanted]
            entry = {
                "workload": workload.name,
                "title": workload.title,
                "goal": workload.goal,
                "destination": workload.destination,
                "size": campaign.size(workload),
                "arriving": campaign.arriving(workload),
                "scale": asked.scale,
                "absent": workload.absent | {name: missing[name] for name in names if name in missing},
            }
            found = campaign.run(workload, [name for name in names if name not in missing], asked.rounds)
            values = {name: as_values(measurements) for name, measurements in found.items()}
            entry |= {
                "summary": {name: report.summarise(measured) for name, measured in values.items()},
                "measurements": values,
            }
            report.show(entry)
            written = report.store([entry], asked.scale, command, server.version)
    shutil.rmtree(WORK, ignore_errors=True)
    print("written:", *written)


if __name__ == "__main__":
    main()
