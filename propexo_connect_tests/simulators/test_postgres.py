"""The PostgreSQL server of one's own, for demos and tests."""

import tempfile
from collections.abc import Generator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from propexo_connect.model.errors import ConfigurationError
from propexo_connect.simulators.postgres import EmbeddedPostgres


@pytest.fixture
def folder() -> Generator[Path]:
    """Outside of pytest's own folders: run by root, the server is another user, who may not enter those."""
    with tempfile.TemporaryDirectory(prefix="propexo-postgres-") as made:
        path = Path(made)
        path.chmod(0o711)
        yield path


def test_a_folder_started_again_has_the_same_data_and_the_same_password(folder: Path) -> None:
    with EmbeddedPostgres(folder, durable=False) as server:
        url, port = server.url, server.port
        with psycopg.connect(url) as connection:
            connection.execute("create table kept as select 7 as seven")
    with EmbeddedPostgres(folder, durable=False, port=port) as server:
        assert server.url == url
        with psycopg.connect(url) as connection:
            assert connection.execute("select seven from kept").fetchone() == (7,)


def test_a_second_server_in_one_folder_is_refused_and_the_first_stays(folder: Path) -> None:
    with EmbeddedPostgres(folder, durable=False) as first:
        with pytest.raises(ConfigurationError, match=r"postmaster\.pid"):
            EmbeddedPostgres(folder, durable=False).start()
        with psycopg.connect(first.url) as connection:
            assert connection.execute("select 1").fetchone() == (1,)


def test_settings_are_the_servers_own(folder: Path) -> None:
    with (
        EmbeddedPostgres(folder, durable=False, settings={"work_mem": "7MB", "fsync": "on"}) as server,
        psycopg.connect(server.url) as connection,
    ):
        asked = "select current_setting('work_mem'), current_setting('fsync'), current_setting('timezone')"
        assert connection.execute(asked).fetchone() == ("7MB", "on", "UTC")


def test_nobody_comes_in_without_the_password(postgres_server: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(make_conninfo(postgres_server, password="guessed"))


def test_the_password_is_not_in_what_is_printed_of_the_server(folder: Path) -> None:
    with EmbeddedPostgres(folder, durable=False) as server:
        assert (folder / "password").read_text() not in repr(server)


def test_a_server_that_does_not_run_has_no_url(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="does not run"):
        _ = EmbeddedPostgres(tmp_path).url
