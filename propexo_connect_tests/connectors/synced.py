"""Whole syncs of any source into a DuckDB file, and what landed there."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import duckdb

from propexo_connect.connectors.base import Source
from propexo_connect.destinations.duckdb import DuckDBConfig
from propexo_connect.destinations.duckdb.writer import DuckDB
from propexo_connect.model.clock import Clock, SystemClock
from propexo_connect.model.ledger import Reading
from propexo_connect.model.stream import Mode, RetryPolicy, Stream, StreamPlan, SyncSettings, Table
from propexo_connect.sync.result import StreamResult, SyncOrder
from propexo_connect.sync.run import run_sync
from propexo_connect_tests.connectors.tables import Tables

ONE_ATTEMPT = RetryPolicy(1, timedelta(0), timedelta(0))


@dataclass
class Warehouse:
    """A DuckDB file that syncs write into; the streams land in the schema `landed`."""

    folder: Path
    settings: SyncSettings = field(default_factory=lambda: SyncSettings(stream_retry=ONE_ATTEMPT))
    clock: Clock = field(default_factory=SystemClock)
    lines: list[str] = field(default_factory=list[str])
    syncs: int = 0

    def sync(
        self,
        source: Source,
        *streams: Stream,
        stop: Event | None = None,
        reading: Reading = Reading.RECURRING,
        **how: Any,
    ) -> dict[str, StreamResult]:
        """One sync; results by stream."""
        self.syncs += 1
        plans = tuple(self._plan(stream, **how) for stream in streams)
        destination = DuckDB(DuckDBConfig(path=str(self.folder / "warehouse.duckdb")))
        log: Callable[[str], None] = self.lines.append
        with destination.open() as session:
            results = run_sync(
                SyncOrder(f"sync-{self.syncs}", plans, reading),
                source,
                session,
                self.settings,
                self.clock,
                log,
                stop or Event(),
            )
            return {result.plan.stream.name: result for result in results}

    def _plan(self, stream: Stream, **how: Any) -> StreamPlan:
        how = {"mode": Mode.MERGE if stream.key else Mode.APPEND, **how}
        return StreamPlan("test", stream, Table("landed", stream.name.rpartition(".")[2]), **how)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What a query yields."""
        with duckdb.connect(str(self.folder / "warehouse.duckdb")) as connection:
            connection.execute("SET TimeZone = 'UTC'; SET search_path = 'landed'")
            return connection.execute(query).fetchall()


def landed(tables: Tables, name: str, query: str) -> list[tuple[Any, ...]]:
    """What a first sync of one table makes of it."""
    with tempfile.TemporaryDirectory() as folder, tables.opened() as source:
        warehouse = Warehouse(Path(folder))
        stream = source.prepare(tables.stream(name))
        error = warehouse.sync(source, stream)[name].error
        if error is not None:
            raise error
        return warehouse.rows(query)
