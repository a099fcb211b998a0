"""A source that serves what a test tells it to, fails where it is told, and remembers what was asked."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from threading import Event

from propexo_connect.connectors.base import Access, JsonPage, Page, ReadContext
from propexo_connect.destinations.duckdb import DuckDBConfig
from propexo_connect.destinations.duckdb.writer import DuckDB
from propexo_connect.model.stream import RetryPolicy, Stream, StreamPlan, SyncSettings
from propexo_connect.model.tile import Request
from propexo_connect.sync.result import StreamResult, SyncOrder
from propexo_connect.sync.run import run_sync
from propexo_connect_tests.sync.pages import HandClock, page

Served = Page | Exception | Callable[[], None]
"""What one turn of a read brings: a page, an error, or something that happens meanwhile."""


@dataclass
class ScriptedSource:
    """Reads of each stream take their turns from `script`, one list a read; then they are empty."""

    script: dict[str, deque[list[Served]]] = field(default_factory=dict[str, deque[list[Served]]])
    asked: list[tuple[str, Request, str | None]] = field(
        default_factory=list[tuple[str, Request, str | None]]
    )
    fields_asked: list[frozenset[str] | None] = field(default_factory=list[frozenset[str] | None])
    clock: HandClock = field(default_factory=HandClock)

    def will_serve(self, stream: str, *reads: list[Served]) -> None:
        self.script.setdefault(stream, deque()).extend(reads)

    def discover(self) -> Sequence[Stream]:
        return ()

    def check(self, streams: Sequence[Stream]) -> Sequence[Access]:
        return [Access(stream.name) for stream in streams]

    def prepare(self, stream: Stream) -> Stream:
        return stream

    def upper_bound(self, stream: Stream) -> int:  # noqa: ARG002 (no stream here has an integer axis)
        return 0

    def read(
        self,
        stream: Stream,
        request: Request,
        fields: frozenset[str] | None,
        position: str | None,
        context: ReadContext,
    ) -> Iterator[Page]:
        self.asked.append((stream.name, request, position))
        self.fields_asked.append(fields)
        turns = self.script.get(stream.name) or deque([[]])
        for turn in turns.popleft() if turns else []:
            if isinstance(turn, Exception):
                raise turn
            if callable(turn):
                turn()
                continue
            context.meter.add(requests=1, bytes_read=turn.size_bytes)
            yield turn


@dataclass
class Bench:
    """A scripted source, a clock and a DuckDB file: all that a sync needs."""

    folder: Path
    source: ScriptedSource = field(default_factory=ScriptedSource)
    settings: SyncSettings = field(
        default_factory=lambda: SyncSettings(
            stream_retry=RetryPolicy(3, timedelta(seconds=30), timedelta(minutes=10))
        )
    )
    lines: list[str] = field(default_factory=list[str])
    syncs: int = 0

    @property
    def clock(self) -> HandClock:
        return self.source.clock

    @property
    def destination(self) -> DuckDB:
        return DuckDB(DuckDBConfig(path=str(self.folder / "warehouse.duckdb")))

    def sync(self, *plans: StreamPlan, stop: Event | None = None, **order: object) -> dict[str, StreamResult]:
        """One sync; results by stream."""
        self.syncs += 1
        with self.destination.open() as session:
            results = run_sync(
                SyncOrder(f"sync-{self.syncs}", plans, **order),  # type: ignore[arg-type]
                self.source,
                session,
                self.settings,
                self.clock,
                self.lines.append,
                stop or Event(),
            )
            return {result.plan.stream.name: result for result in results}

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        """What a query of the file yields."""
        import duckdb

        with duckdb.connect(str(self.folder / "warehouse.duckdb")) as connection:
            connection.execute("set timezone = 'UTC'")
            return connection.execute(sql).fetchall()


def units(*numbers: int, minutes: int = 0, **more: object) -> JsonPage:
    """A page of units."""
    return page(*({"id": number, **more} for number in numbers), minutes=minutes)
