"""Where the Dagster instance keeps things, with the dagster.yaml that is shipped."""

import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import psycopg
import pytest
from dagster_postgres import PostgresEventLogStorage
from sqlalchemy import text

from propexo_connect.model.errors import ConfigurationError
from propexo_connect.orchestration.event_log import PooledSqliteEventLogStorage
from propexo_connect.orchestration.launcher import HealthCheckedRunLauncher
from propexo_connect.orchestration.storage import POSTGRES_URL_VARIABLE, local_directory, psycopg2_url

SHIPPED = Path(__file__).parents[2] / "dagster.yaml"
UNITS = dg.AssetKey(["acme", "units"])


@dg.asset(key=UNITS)
def units(context: dg.AssetExecutionContext):
    print("seen by the log capture")  # noqa: T201 what the capture is to see
    context.log.info("read")
    return dg.MaterializeResult(metadata={"records_read": 3})


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A DAGSTER_HOME with the shipped settings and nothing else."""
    shutil.copy(SHIPPED, tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.delenv(POSTGRES_URL_VARIABLE, raising=False)
    return tmp_path


@pytest.fixture
def on_postgres(home: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same home with the one variable set."""
    monkeypatch.setenv(POSTGRES_URL_VARIABLE, postgres_url)
    return home


@contextmanager
def instance() -> Generator[dg.DagsterInstance]:
    with dg.DagsterInstance.get() as opened:
        yield opened


def materialize_and_read_back() -> dg.EventLogEntry | None:
    with instance() as first:
        assert dg.materialize([units], instance=first).success
    with instance() as second:
        assert [run.status for run in second.get_runs()] == [dg.DagsterRunStatus.SUCCESS]
        return second.get_latest_materialization_event(UNITS)


def test_a_run_on_sqlite_is_there_for_the_next_start(home: Path) -> None:
    found = materialize_and_read_back()
    assert found is not None
    assert found.asset_materialization is not None
    assert found.asset_materialization.metadata["records_read"].value == 3
    assert (home / ".dagster" / "history" / "runs.db").exists()


def test_an_instance_that_ends_leaves_no_event_log_open(home: Path) -> None:
    """SQLite removes the journal of a database when its last connection is closed."""
    history = home / ".dagster" / "history" / "runs"
    with instance() as opened:
        assert isinstance(opened.event_log_storage, PooledSqliteEventLogStorage)
        assert dg.materialize([units], instance=opened).success
        assert len(list(history.glob("*.db-wal"))) == 2
    assert list(history.glob("*.db-wal")) == []


def test_a_run_on_postgresql_is_there_for_the_next_start(on_postgres: Path, postgres_url: str) -> None:
    """The same file, one variable, and nothing of the history on the local disk."""
    found = materialize_and_read_back()
    assert found is not None
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("select run_id from runs").fetchall() == [(found.run_id,)]
    assert not (on_postgres / ".dagster" / "history").exists()


def test_captured_logs_and_files_lie_beside_the_history(home: Path) -> None:
    with instance() as opened:
        run_id = dg.materialize([units], instance=opened).run_id
        assert Path(opened.root_directory) == home / ".dagster"
    captured = (home / ".dagster" / "storage" / run_id / "compute_logs").glob("*.out")
    assert any("seen by the log capture" in file.read_text() for file in captured)


def test_the_shipped_settings_retry_watch_and_hold_back(home: Path) -> None:
    assert home.is_dir()
    with instance() as opened:
        assert isinstance(opened.run_launcher, HealthCheckedRunLauncher)
        assert opened.run_launcher.supports_check_run_worker_health
        assert (opened.run_retries_enabled, opened.run_retries_max_retries) == (True, 2)
        assert opened.run_monitoring_enabled
        queue = opened.get_concurrency_config().run_queue_config
        assert queue is not None
        assert queue.tag_concurrency_limits == [
            {"key": "connection", "value": {"applyLimitPerUniqueValue": True}, "limit": 1}
        ]
        # A pool is a DuckDB file, which one process at a time may write.
        assert opened.get_concurrency_config().pool_config.default_pool_limit == 1
        assert not opened.telemetry_enabled


def backend_pid(storage: PostgresEventLogStorage) -> int:
    with storage.index_connection() as connection:
        return connection.scalars(text("select pg_backend_pid()")).one()


@pytest.fixture
def event_log(on_postgres: Path) -> Generator[PostgresEventLogStorage]:
    assert on_postgres.is_dir()
    with instance() as opened:
        assert isinstance(opened.event_log_storage, PostgresEventLogStorage)
        yield opened.event_log_storage


def test_events_share_one_connection(event_log: PostgresEventLogStorage) -> None:
    assert backend_pid(event_log) == backend_pid(event_log)


def test_a_connection_that_was_cut_while_idle_is_replaced(
    event_log: PostgresEventLogStorage, postgres_url: str
) -> None:
    """A restart of PostgreSQL between two events does not fail the run."""
    cut = backend_pid(event_log)
    with psycopg.connect(postgres_url, autocommit=True) as other:
        other.execute("select pg_terminate_backend(%s, 5000)", [cut])
    assert backend_pid(event_log) != cut


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg2"])
def test_every_usual_spelling_of_the_url_is_taken(scheme: str) -> None:
    assert psycopg2_url(f"{scheme}://u:p@db:5432/dagster") == "postgresql+psycopg2://u:p@db:5432/dagster"


@pytest.mark.parametrize(
    "url", ["mysql://u:hush@db/dagster", "u:hush@db", "postgresql+psycopg://u:hush@db/x"]
)
def test_another_kind_of_url_is_refused_without_being_quoted(url: str) -> None:
    with pytest.raises(ConfigurationError, match=POSTGRES_URL_VARIABLE) as refused:
        psycopg2_url(url)
    assert "hush" not in str(refused.value)


@pytest.fixture
def folder_with_settings(tmp_path: Path) -> Callable[[str], Path]:
    def made(name: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "dagster.yaml").touch()
        return folder

    return made


def test_without_dagster_home_the_current_directory_counts(
    folder_with_settings: Callable[[str], Path],
) -> None:
    project = folder_with_settings("project")
    assert local_directory({}, project) == project / ".dagster"
    assert local_directory({"DAGSTER_HOME": ""}, project) == project / ".dagster"


def test_dagster_home_wins_over_the_current_directory(folder_with_settings: Callable[[str], Path]) -> None:
    home, project = folder_with_settings("home"), folder_with_settings("project")
    assert local_directory({"DAGSTER_HOME": str(home)}, project) == home / ".dagster"


def test_a_process_in_the_wrong_directory_does_not_start_an_instance_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no dagster\.yaml"):
        local_directory({}, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_relative_dagster_home_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="absolute"):
        local_directory({"DAGSTER_HOME": "home"}, tmp_path)
