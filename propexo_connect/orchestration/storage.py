"""Where the Dagster instance keeps its runs, events, ticks, logs and files.

One dagster.yaml serves both back ends, because YAML cannot choose by environment and a class can:

    PROPEXO_DAGSTER_POSTGRES_URL unset   SQLite under `.dagster/`
    PROPEXO_DAGSTER_POSTGRES_URL set     PostgreSQL; captured logs and files stay under `.dagster/`

`.dagster/` lies beside the dagster.yaml that Dagster read: in DAGSTER_HOME, or in the current directory when
that variable is not set. Every process of the instance (webserver, daemon, code server, run worker) loads
these classes by name and must come to the same answer: a directory without dagster.yaml is refused.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dagster._core.storage.base_storage import DagsterStorage
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._core.storage.root import LocalArtifactStorage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClass, ConfigurableClassData
from dagster_postgres import (
    DagsterPostgresStorage,
    PostgresEventLogStorage,
    PostgresRunStorage,
    PostgresScheduleStorage,
)
from sqlalchemy import Engine, event
from sqlalchemy.exc import DBAPIError, DisconnectionError

from propexo_connect.model.errors import ConfigurationError
from propexo_connect.orchestration.event_log import PooledSqliteEventLogStorage

POSTGRES_URL_VARIABLE = "PROPEXO_DAGSTER_POSTGRES_URL"
"""Names the environment variable that moves the instance to PostgreSQL; empty means unset."""

POSTGRES_SCHEMES = ("postgresql", "postgres", "postgresql+psycopg2")
"""What may stand before `://` in that variable."""

POOL_RECYCLE_S = 3600
"""A pooled connection older than this is replaced: firewalls drop idle ones silently."""

POOL_OVERFLOW = 20
"""Connections a storage may open above its one kept connection while its threads are busy."""

NO_STATEMENT_TIMEOUT_MS = 0
"""Dagster's own default outside of the webserver; a migration of a large event table takes minutes."""


def local_directory(environ: Mapping[str, str], cwd: Path) -> Path:
    """The absolute `.dagster` beside the dagster.yaml that Dagster read; not created here.

    Raises ConfigurationError when there is no dagster.yaml: the process would start an instance of its own.
    """
    home = environ.get("DAGSTER_HOME", "")
    folder = Path(home).expanduser() if home else cwd
    if not folder.is_absolute():
        raise ConfigurationError("DAGSTER_HOME is not an absolute path", where="Dagster instance")
    if not (folder / "dagster.yaml").is_file():
        raise ConfigurationError(
            f"no dagster.yaml in {folder}",
            where="Dagster instance",
            remedy="Start it in the directory of dagster.yaml, or set DAGSTER_HOME to that directory.",
        )
    return folder / ".dagster"


def psycopg2_url(url: str) -> str:
    """The same database for the driver that dagster-postgres uses, whatever SQLAlchemy takes as its default.

    Raises ConfigurationError, without the URL in its text, when the scheme is not one of POSTGRES_SCHEMES.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in POSTGRES_SCHEMES:
        raise ConfigurationError(
            "the URL of the instance's database cannot be used",
            where=POSTGRES_URL_VARIABLE,
            expected="postgresql://user:password@host:5432/database",
        )
    return f"postgresql+psycopg2://{rest}"


class ConnectStorage(DagsterStorage, ConfigurableClass):
    """Chooses the storage of runs, events and schedules; never instantiated itself."""

    @classmethod
    def config_type(cls) -> Mapping[str, Any]:
        return {}

    @classmethod
    def from_config_value(
        cls,
        inst_data: ConfigurableClassData | None,
        config_value: Mapping[str, Any],  # noqa: ARG003 the signature is Dagster's
    ) -> "DagsterSqliteStorage | DagsterPostgresStorage":
        url = os.environ.get(POSTGRES_URL_VARIABLE, "")
        if url:
            return pooled_postgres_storage(psycopg2_url(url), inst_data)
        return PooledSqliteStorage.from_local(str(_here()), inst_data=inst_data)


class PooledSqliteStorage(DagsterSqliteStorage):
    """SQLite storage whose event log keeps its connections open; runs and schedules are written rarely."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(base_dir, inst_data)
        self._event_log_storage = PooledSqliteEventLogStorage(str(Path(base_dir, "history", "runs")))


class ConnectArtifacts(LocalArtifactStorage):
    """Files that Dagster keeps on disk, under `.dagster/`; never instantiated itself."""

    @classmethod
    def config_type(cls) -> Mapping[str, Any]:
        return {}

    @classmethod
    def from_config_value(
        cls,
        inst_data: ConfigurableClassData | None,
        config_value: Mapping[str, Any],  # noqa: ARG003 the signature is Dagster's
    ) -> LocalArtifactStorage:
        return LocalArtifactStorage(str(_here()), inst_data=inst_data)


class ConnectComputeLogs(LocalComputeLogManager):
    """Captured stdout and stderr of each step, under `.dagster/storage/`; never instantiated itself."""

    @classmethod
    def config_type(cls) -> Mapping[str, Any]:
        return {}

    @classmethod
    def from_config_value(
        cls,
        inst_data: ConfigurableClassData | None,
        config_value: Mapping[str, Any],  # noqa: ARG003 the signature is Dagster's
    ) -> LocalComputeLogManager:
        return LocalComputeLogManager(str(_here() / "storage"), inst_data=inst_data)


def pooled_postgres_storage(url: str, inst_data: ConfigurableClassData | None) -> DagsterPostgresStorage:
    """PostgreSQL storage that keeps its connections open.

    Dagster's own opens one connection per event, which doubles the time an event takes. A kept connection can
    be cut while it lies idle, so each is tried before it is used and replaced when it is dead.
    """
    storage = DagsterPostgresStorage(url, should_autocreate_tables=True, inst_data=inst_data)
    for part in (storage.run_storage, storage.event_log_storage, storage.schedule_storage):
        part.optimize_for_webserver(
            statement_timeout=NO_STATEMENT_TIMEOUT_MS, pool_recycle=POOL_RECYCLE_S, max_overflow=POOL_OVERFLOW
        )
        if not isinstance(part, PostgresRunStorage | PostgresEventLogStorage | PostgresScheduleStorage):
            raise TypeError(f"dagster-postgres gave {type(part).__name__} as a storage")
        # The engine is private to the storage and there is no option for it: pool_pre_ping from outside.
        _try_before_use(part._engine)  # pyright: ignore[reportPrivateUsage]
    return storage


def _try_before_use(engine: Engine) -> None:
    """What `pool_pre_ping=True` does, for an engine that exists already."""

    def checked_out(connection: Any, *_: object) -> None:
        try:
            alive = engine.dialect.do_ping(connection)
        except (DBAPIError, engine.dialect.loaded_dbapi.Error) as error:
            raise DisconnectionError from error
        if not alive:
            raise DisconnectionError

    event.listen(engine, "checkout", checked_out)


def _here() -> Path:
    return local_directory(os.environ, Path.cwd())
