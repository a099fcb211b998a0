"""Running a foreign executable as a source: its files, its environment, its lines, its end.

What it is told stands in files of mode 600 in a folder of its own, deleted afterwards: nothing secret is on
its command line or in its environment. It runs in a process group of its own, which is killed when reading
stops, for whatever reason. What it says beside its messages is logged with its secrets removed.
"""

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

from propexo_connect.http.redact import quotable
from propexo_connect.model.errors import ConfigurationError, DataError, VendorFault

_PIECE_BYTES = 1024 * 1024
_LOOK_EVERY_S = 0.5
_END_WITHIN_S, _DIE_WITHIN_S = 60.0, 2.0
"""How long a program may take from closing its output to its end, and from SIGTERM to SIGKILL."""
_REMEMBERED = 20
"""Lines kept of what it said last, for messages."""
_MOST_LINES = 5_000
"""Lines logged of one run: a program in a loop must not fill the log."""

_PASSED_ON = (
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
)
"""Of our environment; nothing else is, so that our secrets stay ours."""


@dataclass(frozen=True)
class Program:
    """An executable.

    Args:
        command: the program and the arguments that every call has.
        settings: what its configuration file holds. secrets: texts in it that are never shown.
        passed_on: further names of our environment that it may see.
        max_line_bytes: how large one of its messages may be.
    """

    command: tuple[str, ...]
    settings: Mapping[str, Any] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    passed_on: tuple[str, ...] = ()
    max_line_bytes: int = 128 * 1024**2

    @property
    def name(self) -> str:
        """The executable's name, for messages."""
        return f"program '{Path(self.command[0]).name}'"

    def quoted(self, text: str) -> str:
        """The start of what it said, fit to be shown."""
        return quotable(text, self.secrets)

    @contextmanager
    def running(
        self, arguments: Sequence[str], files: Mapping[str, object], say: Callable[[str], None]
    ) -> Generator["Run"]:
        """The program, started; killed with all that it has started when the context ends.

        Args:
            files: JSON by option: `{"config": …}` becomes a file and `--config FILE`.
            say: takes the lines that are no messages, fit to be shown; called from another thread.

        Raises:
            ConfigurationError: there is no such program, or it may not be run.
        """
        folder = Path(tempfile.mkdtemp(prefix="propexo-program-"))
        try:
            options = [part for name, content in files.items() for part in _written(folder, name, content)]
            run = Run(self, self._start([*arguments, *options], folder), say)
            try:
                yield run
            finally:
                run.kill()
                run.close()
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _start(self, arguments: Sequence[str], folder: Path) -> subprocess.Popen[bytes]:
        names = (*_PASSED_ON, *self.passed_on)
        environment = {
            "PATH": os.defpath,
            "HOME": str(folder),
            "TMPDIR": str(folder),
            "LANG": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",
            **{name: os.environ[name] for name in names if name in os.environ},
        }
        try:
            return subprocess.Popen(  # noqa: S603 - running what the connection names is what this is for
                [*self.command, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=folder,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            raise ConfigurationError(
                f"it cannot be started: {error.strerror or type(error).__name__}",
                where=self.name,
                expected="an executable file",
                remedy="Check command and venv.",
            ) from error


def _written(folder: Path, name: str, content: object) -> tuple[str, str]:
    path = folder / f"{name}.json"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file)
    return f"--{name}", str(path)


class Run:
    """One run of a program."""

    def __init__(
        self, program: Program, process: subprocess.Popen[bytes], say: Callable[[str], None]
    ) -> None:
        self._program = program
        self._process = process
        self._say = say
        self._said: deque[str] = deque(maxlen=_REMEMBERED)
        self._said_count = 0
        self._listener = threading.Thread(target=self._listen, name="propexo-program", daemon=True)
        self._listener.start()

    @property
    def last_words(self) -> Sequence[str]:
        """What it said last beside its messages, as it said it: to be looked at, not to be shown."""
        self._listener.join(_DIE_WITHIN_S)
        return tuple(self._said)

    def lines(self) -> Iterator[list[bytes]]:
        """Whole lines of its output as they come, without blank ones; an empty list now and then meanwhile.

        Raises:
            DataError: a line is longer than it may be.
        """
        output = cast(IO[bytes], self._process.stdout)
        waiting: list[bytes] = []
        waiting_bytes = 0
        while True:
            if not select.select([output], [], [], _LOOK_EVERY_S)[0]:
                yield []
                continue
            piece = os.read(output.fileno(), _PIECE_BYTES)
            end = piece.rfind(b"\n")
            if not piece or end >= 0:
                whole = b"".join([*waiting, piece[: end + 1]] if piece else waiting)
                waiting = [piece[end + 1 :]] if piece else []
                waiting_bytes = len(waiting[0]) if waiting else 0
                yield [line for line in whole.split(b"\n") if line and not line.isspace()]
            else:
                waiting.append(piece)
                waiting_bytes += len(piece)
            if waiting_bytes > self._program.max_line_bytes:
                raise DataError(
                    f"a message is longer than {self._program.max_line_bytes} bytes",
                    where=self._program.name,
                    remedy="Raise max_record if records are meant to be so large.",
                )
            if not piece:
                return

    def ended(self) -> int:
        """Its exit code; negative when a signal ended it.

        Raises:
            VendorFault: it closed its output and does not end.
        """
        try:
            return self._process.wait(_END_WITHIN_S)
        except subprocess.TimeoutExpired as error:
            raise VendorFault("it does not end", where=self._program.name) from error

    def say(self, line: bytes | str) -> None:
        """Log a line that is no message."""
        text = line.decode("utf-8", "replace") if isinstance(line, bytes) else line
        self._said.append(text)
        self._said_count += 1
        if self._said_count < _MOST_LINES:
            self._say(self._program.quoted(text))
        elif self._said_count == _MOST_LINES:
            self._say("the program says more than is logged of one run")

    def _listen(self) -> None:
        for line in _short_lines(cast(IO[bytes], self._process.stderr)):
            self.say(line)

    def kill(self) -> None:
        """End the program and everything it has started; harmless when it has ended."""
        self._signal(signal.SIGTERM)
        deadline = time.monotonic() + _DIE_WITHIN_S
        while self._process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_LOOK_EVERY_S)
        # Children that ignore SIGTERM, or outlive their parent, are in the same group.
        self._signal(signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        """Let its pipes go, once it has ended; only for the thread that reads them."""
        self._listener.join(_DIE_WITHIN_S)
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)


def _short_lines(stream: IO[bytes]) -> Iterable[bytes]:
    """Lines, cut where one is absurdly long."""
    try:
        while line := stream.readline(_PIECE_BYTES):
            if stripped := line.strip():
                yield stripped
    except (OSError, ValueError):
        return  # closed while we listened: nobody wants to hear more
