"""A throw-away MariaDB server for tests, of the machine's own package."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pymysql
import pytest

from propexo_connect_tests.certificates import Certificates, certificates
from propexo_connect_tests.connectors.wire import free_port

PASSWORD = "canary-of-the-owner"

_START_WITHIN_S = 60.0


@dataclass(frozen=True)
class MariaDb:
    """A server that runs; `ca` is the file of the authority behind its certificate."""

    port: int
    ca: Path

    def url(self, database: str, user: str = "owner", password: str = PASSWORD) -> str:
        """Of one of its databases."""
        return f"mysql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def execute(self, *statements: str, database: str | None = None) -> None:
        """Run statements as the owner."""
        connection = pymysql.connect(
            host="127.0.0.1",
            port=self.port,
            user="owner",
            password=PASSWORD,
            database=database,
            autocommit=True,
        )
        with connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)


@contextmanager
def throw_away_mariadb() -> Generator[MariaDb]:
    """A server on 127.0.0.1 that is gone afterwards."""
    if shutil.which("mariadbd") is None:
        reason = "needs mariadbd, of the packages mariadb-server-core and mariadb-client-core"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    folder = Path(tempfile.mkdtemp(prefix="propexo-mariadb-"))
    # The server runs as another user when root runs the tests, and must be able to enter.
    folder.chmod(0o711)
    try:
        files = certificates(folder)
        with _running(folder, files) as port:
            yield MariaDb(port, files.ca)
    finally:
        shutil.rmtree(folder)


@contextmanager
def _running(folder: Path, files: Certificates) -> Generator[int]:
    user = ["--user=nobody"] if os.geteuid() == 0 else []
    if user:
        for path in folder.iterdir():
            shutil.chown(path, "nobody")
    data, port = folder / "data", free_port()
    common = ["--no-defaults", *user, f"--datadir={data}"]
    with (folder / "install.log").open("wb") as log:
        install = [
            "mariadb-install-db",
            *common,
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        ]
        subprocess.run(install, check=True, stdout=log, stderr=log)
    owner = folder / "owner.sql"
    owner.write_text(
        f"CREATE USER owner@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\n"
        "GRANT ALL ON *.* TO owner@'127.0.0.1' WITH GRANT OPTION;\n"
    )
    command = [
        "mariadbd",
        *common,
        f"--port={port}",
        "--bind-address=127.0.0.1",
        "--skip-name-resolve",
        f"--socket={data / 'socket'}",
        f"--pid-file={data / 'pid'}",
        f"--init-file={owner}",
        "--innodb-flush-log-at-trx-commit=0",
        "--innodb-buffer-pool-size=64M",
        "--max-allowed-packet=1G",
        f"--ssl-cert={files.certificate}",
        f"--ssl-key={files.key}",
    ]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            _wait(process, port, folder / "server.log")
            yield port
        finally:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _START_WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), 1):
                return
        except OSError:
            time.sleep(0.02)
    pytest.fail(f"the MariaDB server did not start: {log.read_text()[-2000:]}")
