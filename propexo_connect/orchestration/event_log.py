"""Dagster's event log on SQLite, with connections that stay open.

Dagster's own makes an engine and a connection for each event, and throws both away. Here each database file
keeps one of either. There are many files, since each run has one of its own besides the index of all: only
the most recently used stay open, so that a process that sees thousands of runs holds few handles.

Threads of a process take turns on the storage's one lock, as they do in Dagster's own. Processes take turns
on SQLite's: between two events no transaction is open. `fork` must not take a connection along; Dagster
spawns its processes.
"""

from collections import OrderedDict
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.pool import QueuePool

MAX_OPEN = 16
"""Database files that stay open at the most, each with three handles: more than runs go on at once."""


@dataclass(frozen=True, slots=True)
class _Opened:
    engine: Engine
    file: tuple[int, int] | None


class PooledSqliteEventLogStorage(SqliteEventLogStorage):
    """Keeps what it has opened, up to `max_open` files, until it is disposed of."""

    def __init__(
        self, base_dir: str, inst_data: ConfigurableClassData | None = None, *, max_open: int = MAX_OPEN
    ) -> None:
        self._max_open = max_open
        self._opened: OrderedDict[str, _Opened] = OrderedDict()
        # Dagster's constructor uses the index already.
        super().__init__(base_dir, inst_data)

    @contextmanager
    def _connect(self, shard: str) -> Generator[Connection]:
        with self._db_lock, self._engine(shard).begin() as connection:
            yield connection

    def dispose(self) -> None:
        """Stop watching and close every file; a later event opens what it needs anew."""
        super().dispose()
        with self._db_lock:
            while self._opened:
                self._close_oldest()

    def _engine(self, shard: str) -> Engine:
        """The engine of a file; the lock is held, so no other thread has a connection of any engine."""
        path = Path(self.path_for_shard(shard))
        file, known = _identity(path), self._opened.get(shard)
        if known is not None and known.file == file:
            self._opened.move_to_end(shard)
            return known.engine
        if known is not None:
            # The run was purged meanwhile: its file is gone, or a new one stands in its place.
            self._opened.move_to_end(shard, last=False)
            self._close_oldest()
            file = None
        engine = create_engine(
            self.conn_string_for_shard(shard),
            poolclass=QueuePool,
            pool_size=1,
            # The lock lets one thread at a time use a connection, though not always the same thread.
            connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
        )
        try:
            if file is None or shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
        except BaseException:
            engine.dispose()
            raise
        while len(self._opened) >= self._max_open:
            self._close_oldest()
        self._opened[shard] = _Opened(engine, _identity(path))
        return engine

    def _close_oldest(self) -> None:
        self._opened.popitem(last=False)[1].engine.dispose()


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file lies there, whatever its name; None when there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
