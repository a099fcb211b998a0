"""A connector's streams synced into DuckDB: what lands, what does not fit, what a second sync changes."""

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb

from propexo_connect.destinations.duckdb import DuckDBConfig
from propexo_connect.destinations.duckdb.writer import DuckDB
from propexo_connect.model.ledger import Reading
from propexo_connect.model.names import snake_case
from propexo_connect.model.stream import Mode, RetryPolicy, StreamPlan, SyncSettings, Table
from propexo_connect.sync.result import StreamResult, SyncOrder
from propexo_connect.sync.run import run_sync
from propexo_connect_tests.connectors.reading import Reader

SETTINGS = SyncSettings(stream_retry=RetryPolicy(1, timedelta(seconds=1), timedelta(seconds=1)))


class Landing:
    """A DuckDB file that a reader's streams are synced into."""

    def __init__(self, reader: Reader, folder: Path) -> None:
        self.reader = reader
        self.path = folder / "warehouse.duckdb"
        self._syncs = 0

    def sync(self, *names: str, reading: Reading = Reading.FULL) -> dict[str, StreamResult]:
        """One sync of some streams, or of all; whole reads unless said otherwise."""
        self._syncs += 1
        offered = self.reader.connector.streams(self.reader.config)
        plans = tuple(
            StreamPlan(
                "landing",
                stream,
                Table("landing", snake_case(stream.name)),
                mode=Mode.MERGE if stream.key else Mode.APPEND,
            )
            for stream in offered
            if not names or stream.name in names
        )
        with DuckDB(DuckDBConfig(path=str(self.path))).open() as session:
            results = run_sync(
                SyncOrder(f"sync-{self._syncs}", plans, reading=reading),
                self.reader.source,
                session,
                SETTINGS,
                self.reader.sync.clock,
                self.reader.sync.lines.append,
                threading.Event(),
            )
            return {result.plan.stream.name: result for result in results}

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """What a query of the file yields."""
        with duckdb.connect(str(self.path)) as connection:
            return connection.execute(sql).fetchall()


def every_stream_lands(reader: Reader, folder: Path) -> None:
    """Assert that each stream is stored with every value in its declared type, and that a second sync of
    the same records changes nothing."""
    landing = Landing(reader, folder)
    first = landing.sync()
    assert {name: str(result.error) for name, result in first.items() if result.error} == {}
    misfits = {
        name: landing.rows(
            f"select _propexo_meta from landing.{snake_case(name)} where _propexo_meta is not null limit 1"
        )
        for name, result in first.items()
        if result.counts.read
    }
    assert {name: found for name, found in misfits.items() if found} == {}
    assert {name: result.counts.rejected for name, result in first.items() if result.counts.rejected} == {}
    reader.sync.clock.advance(60)
    second = landing.sync()
    changed = {
        name: result.counts
        for name, result in second.items()
        if result.error or result.counts.new or result.counts.changed
    }
    assert changed == {}
