"""What tests of destinations share: a stream, steps of it, and a look at what was stored."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import md5
from typing import Any

import pyarrow as pa

from propexo_connect.destinations.arrow import REJECTED, schema_of
from propexo_connect.destinations.base import Destination, Session, Step, TableFacts
from propexo_connect.model.field import INTEGER, TEXT, TIMESTAMP, Field, FieldType
from propexo_connect.model.layout import Change, Column, Layout
from propexo_connect.model.ledger import Part, Progress, Reading, Window
from propexo_connect.model.stream import Filter, Mode, Stream, StreamPlan, Table
from propexo_connect.model.tile import EVERYTHING, WHOLE, Request, Stretch, Tile

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
"""When the first sync of a test starts."""

HOUR = timedelta(hours=1)

UNITS = Layout(
    (Column("id", "id", INTEGER), Column("name", "name", TEXT), Column("updatedAt", "updated_at", TIMESTAMP)),
    key=("id",),
)

Record = Mapping[str, Any]


def units_plan(**changes: Any) -> StreamPlan:
    """The stream `units` of the connection `acme`, merged by its key into `pms.units`."""
    stream = Stream(
        "units",
        key=("id",),
        cursor="updatedAt",
        filter=Filter("updatedAt"),
        fields=tuple(Field(column.field, column.type) for column in UNITS.columns),
    )
    return replace(StreamPlan("acme", stream, Table("pms", "units")), **changes)


def keyed_plan(layout: Layout, cursor: str | None = None, **changes: Any) -> StreamPlan:
    """A plan whose stream has the key of a layout, and a filter of its own."""
    stream = Stream("units", key=layout.key, cursor=cursor, filter=Filter("updatedAt"))
    return replace(StreamPlan("acme", stream, Table("pms", "units")), **changes)


def layout_of(key: Sequence[str], **types: FieldType) -> Layout:
    """A layout whose columns are named as their fields."""
    return Layout(tuple(Column(name, name, given) for name, given in types.items()), tuple(key))


def unit(number: int, name: str, hours: float | None = 0) -> Record:
    """A record of `units`, updated so many hours after noon; None: without a cursor."""
    return {"id": number, "name": name, "updated_at": None if hours is None else NOON + hours * HOUR}


def records_of(layout: Layout, records: Sequence[Record], read_at: datetime) -> pa.Table:
    """Records as the engine hands them over. Each may override `_propexo_read_at`."""
    names = [column.name for column in layout.columns]
    rows = [
        {
            **{name: record.get(name) for name in names},
            "_propexo_hash": _hash_of({name: record.get(name) for name in names}),
            "_propexo_read_at": record.get("_propexo_read_at", read_at),
            "_propexo_meta": record.get("_propexo_meta"),
        }
        for record in records
    ]
    return pa.Table.from_pylist(rows, schema=schema_of(layout))


def _hash_of(record: Record) -> str:
    """Like the engine's: absent values do not count, and widening changes nothing."""
    texts = [f"{name}={value}" for name, value in sorted(record.items()) if value is not None]
    return md5("\x1f".join(texts).encode()).hexdigest()


def take_fence(session: Session, plan: StreamPlan, lane: str = "recurring") -> int:
    """Take one stream's lane over."""
    return session.take_fences([plan], lane)[plan.stream.name]


def progress_of(session: Session, plan: StreamPlan, lane: str = "recurring") -> Progress:
    """Where one stream stands on a lane."""
    return session.standings([plan], lane)[plan.stream.name].progress


def stored_layout(session: Session, plan: StreamPlan) -> Layout | None:
    """The stored map of one stream."""
    return session.standings([plan], "recurring")[plan.stream.name].layout(plan)


def facts_of(session: Session, plan: StreamPlan) -> TableFacts:
    """What one stream's table says of itself."""
    return session.facts(plan, stored_layout(session, plan))


@dataclass
class Sync:
    """One sync of one stream: it holds a fence and commits steps."""

    session: Session
    plan: StreamPlan
    started_at: datetime = NOON
    sync_id: str = "sync-1"
    layout: Layout = UNITS
    reading: Reading = Reading.RECURRING
    fence: int = -1
    part: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if self.fence < 0:
            self.fence = take_fence(self.session, self.plan, self.reading.lane)

    def step(self, records: Sequence[Record], **changes: Any) -> Step:
        """A step of these records, complete unless said otherwise."""
        tile = changes.pop("tile", Tile(self.started_at - 24 * HOUR, self.started_at))
        read_at = changes.pop("read_at", self.started_at + timedelta(minutes=1))
        whole = self.plan.mode is Mode.OVERWRITE or self.reading is Reading.FULL
        window = Window(
            connection=self.plan.connection,
            stream=self.plan.stream.name,
            reading=self.reading,
            tile=tile,
            request=WHOLE if whole else Request(tile.start, tile.end),
            covered=changes.pop("covered", EVERYTHING if whole else Stretch(tile.start, tile.end)),
            filter_field=None if whole else "updatedAt",
            declarations=self.plan.stream.hides if whole else self.plan.stream.declarations(),
            is_complete=changes.pop("is_complete", True),
            part=self.part,
            attempt=1,
            sync_id=self.sync_id,
            fence=self.fence,
            started_at=self.started_at,
            read_started_at=changes.pop("read_started_at", self.started_at),
            first_started_at=changes.pop("first_started_at", self.started_at),
            is_skipping=changes.pop("is_skipping", False),
            finished_at=self.started_at,
            position=changes.pop("position", None),
            parts=tuple[Part, ...](changes.pop("parts", ())),
        )
        window = replace(window, is_last=changes.pop("is_last", window.is_complete))
        rejected = pa.Table.from_pylist(changes.pop("rejected", []), schema=REJECTED)
        return Step(
            plan=self.plan,
            layout=self.layout,
            changes=tuple[Change, ...](changes.pop("drift", ())),
            records=changes.pop("table", None) or records_of(self.layout, records, read_at),
            rejected=rejected,
            superseded=changes.pop("superseded", 0),
            window=window,
            force=changes.pop("force", False),
            is_first=changes.pop("is_first", False),
            is_first_full=changes.pop("is_first_full", False),
        )

    def commit(self, records: Sequence[Record], **changes: Any) -> Window:
        """Store such a step."""
        finished_at = self.started_at + timedelta(minutes=2)
        window = self.session.commit(self.step(records, **changes), lambda: finished_at)
        self.part += 1
        return window


@dataclass
class Bench:
    """One destination under test.

    Args:
        query: rows of a statement, asked behind the destination's back.
    """

    name: str
    destination: Destination
    session: Session
    query: Callable[[str], list[tuple[Any, ...]]]
    options: dict[str, str] = field(default_factory=dict[str, str])

    def sync(self, plan: StreamPlan | None = None, hours: float = 0, **changes: Any) -> Sync:
        """A sync that starts so many hours after noon."""
        number = changes.pop("number", int(hours) + 1)
        return Sync(
            self.session,
            plan or units_plan(),
            NOON + hours * HOUR,
            changes.pop("sync_id", f"sync-{number}"),
            **changes,
        )

    def table(self, columns: str = "id, name", of: str = "pms.units") -> list[tuple[Any, ...]]:
        """The stored rows in the order of their columns."""
        return [
            tuple(_plain(value) for value in row)
            for row in self.query(f"select {columns} from {of} order by {columns}")
        ]

    def seen(self, of: str = "pms.units") -> dict[Any, tuple[float, float, float]]:
        """By key, how many hours after noon a record was first and last seen, and last changed."""
        rows = self.query(f"select id, first_seen, last_seen, last_changed from {of}")
        return {key: tuple((moment - NOON) / HOUR for moment in moments) for key, *moments in rows}  # pyright: ignore[reportReturnType]


def _plain(value: Any) -> Any:
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC)
    return value
