"""Streams: what a source offers, and how a connection wants it."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum

from propexo_connect.model.event import Subscription
from propexo_connect.model.field import Field
from propexo_connect.model.names import fitted

NO_TIME = timedelta(0)


class Axis(StrEnum):
    """What the bounds of a tile are made of."""

    INSTANT = "instant"
    INTEGER = "integer"


class Meaning(StrEnum):
    """What the field that a source filters on tells about a record."""

    UPDATED = "updated"
    CREATED = "created"
    BUSINESS = "business"


@dataclass(frozen=True, slots=True)
class Filter:
    """What a source can be asked for a stream (SEMANTICS §9).

    Args:
        field: the source's own name of what is filtered on; a record need not carry it.
        meaning: a filter on creation or a business date does not show later changes.
        lower, upper: which bounds the source takes.
        resolution: the grain of the bounds, counted in `zone`.
        widest: the longest range one request may span, None for any.
        horizon: how far back the source answers at all, None for ever.
        lookback: how far each request reaches behind its tile, for late and changed records.
        lag: how far a tile's end stays behind the start of the sync.
        full_every: the longest time between two reads of the whole, None for never.
        lookback_values: the same as `lookback`, on an integer axis.
        of_parent: the field is the parent's, so that no value of the record tells whether a read covers it.
    """

    field: str
    meaning: Meaning = Meaning.UPDATED
    axis: Axis = Axis.INSTANT
    lower: bool = True
    upper: bool = True
    resolution: timedelta = timedelta(seconds=1)
    zone: str = "UTC"
    widest: timedelta | None = None
    horizon: timedelta | None = None
    lookback: timedelta = NO_TIME
    lag: timedelta = NO_TIME
    full_every: timedelta | None = None
    lookback_values: int = 0
    of_parent: bool = False


class FilterKind(StrEnum):
    """Who hides records: we, the vendor by its word, or the vendor in silence."""

    EXPLICIT = "explicit"
    IMPLICIT = "implicit"
    UNDOCUMENTED = "undocumented"


@dataclass(frozen=True, slots=True)
class FilterDeclaration:
    """One reason why a read may leave records out (SEMANTICS §5); recorded with every read.

    `rolling` is the width of a window that moves with the present, None where there is none.
    """

    kind: FilterKind
    field: str = ""
    rolling: timedelta | None = None
    resolution: timedelta | None = None
    zone: str = "UTC"
    note: str = ""
    meaning: Meaning | None = None
    """Of an explicit filter: what its field tells about a record."""

    @property
    def hides_by_state(self) -> bool:
        """Whether the vendor hides records for what they are, so that a live one may be missing for good."""
        return self.kind is not FilterKind.EXPLICIT and self.rolling is None


@dataclass(frozen=True, slots=True)
class Stream:
    """One kind of record of a source.

    Args:
        name: as a connection file names it.
        key: the fields that identify a record; empty when the source has none.
        fields: declared fields, in the order the table shows them.
        open_ended: whether further fields may come that are taken in as they appear.
        cursor: the field that orders changes of one record.
        filter: what can be asked; None: the stream is read whole.
        hides: implicit and undocumented filters.
        parent: the stream whose records this one is read through.
        resumable: whether a position of an earlier read may be taken up again.
        carries_on: whether each sync goes on from the position where the one before it ended, because the
            source itself tells by it what is new. Without a position everything is read.
        selects_fields: whether the source sends only the fields that it is asked for, so that keys alone
            come at less cost than whole records.
        unconfirmed: facts of the vendor that rest on memory or forums.
    """

    name: str
    description: str = ""
    key: tuple[str, ...] = ()
    fields: tuple[Field, ...] = ()
    open_ended: bool = True
    cursor: str | None = None
    filter: Filter | None = None
    hides: tuple[FilterDeclaration, ...] = ()
    parent: str | None = None
    resumable: bool = False
    carries_on: bool = False
    selects_fields: bool = False
    unconfirmed: tuple[str, ...] = ()
    is_keyless: bool = False
    """Whether it is certain that there is no key, although the fields are not known beforehand."""
    table: tuple[str, ...] = ()
    """The place of the records in a source that has places: schema and table, or a folder."""

    @property
    def is_sliced(self) -> bool:
        """Whether a read of the whole can be divided into ranges of the filter's field.

        Not where it can be taken up again anyway, nor through parents: each range would ask all of them. Nor
        where one request spans so much at the most: the range back to the beginning would be thousands.
        """
        given = self.filter
        return (
            given is not None
            and not self.resumable
            and self.parent is None
            and given.axis is Axis.INSTANT
            and given.meaning is not Meaning.BUSINESS
            and given.lower
            and given.upper
            and given.widest is None
        )

    def declarations(self) -> tuple[FilterDeclaration, ...]:
        """Every filter that a windowed read of the stream passes through."""
        given = self.filter
        if given is None:
            return self.hides
        field = "" if given.of_parent else given.field
        explicit = FilterDeclaration(
            FilterKind.EXPLICIT, field, None, given.resolution, given.zone, meaning=given.meaning
        )
        if given.horizon is None:
            return (explicit, *self.hides)
        answered = FilterDeclaration(
            FilterKind.IMPLICIT, field, given.horizon, given.resolution, given.zone, "how far back it answers"
        )
        return (explicit, answered, *self.hides)


@dataclass(frozen=True, slots=True)
class AbsencePolicy:
    """When a record that reads should have returned is presumed deleted (SEMANTICS §5).

    Both must hold, where both are given; at least one read must have covered the record.

    Args:
        covered_absences: how many complete reads covered the record since it was last seen.
        unseen_for: how long after it was last seen the latest of them was.
        is_default: nobody has chosen it; then it presumes nothing of a stream whose vendor hides records by
            their state, because there a live record may be missing for good.
        guard_share: more than this share of the records, missed by one read for the first time, is taken for
            a fault of the source: none of them is presumed deleted.
    """

    covered_absences: int | None = 3
    unseen_for: timedelta | None = timedelta(days=30)
    is_default: bool = True
    guard_share: float = 0.2


@dataclass(frozen=True, slots=True)
class SweepPolicy:
    """How often all keys of a stream are read, to learn what is still there (SEMANTICS §1).

    Args:
        every: the longest time between two looks at the whole; a full read is as good as a sweep.
        spread: over how long one sweep is divided, None to read it in one go.
    """

    every: timedelta
    spread: timedelta | None = None


class Mode(StrEnum):
    """How records are written (SEMANTICS §4)."""

    MERGE = "merge"
    APPEND = "append"
    OVERWRITE = "overwrite"


class Drift(StrEnum):
    """What becomes of fields and types that were not there before."""

    EVOLVE = "evolve"
    FREEZE = "freeze"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Table:
    """Where a stream lands: schema and table of the destination, both already safe names.

    `catalog` is set by a destination that would else take a schema for a database of the same name.
    """

    schema: str
    name: str
    catalog: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"

    def beside(self, suffix: str) -> "Table":
        """A companion table or view in the same schema."""
        return replace(self, name=fitted(f"{self.name}__{suffix}"))


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """One stream as a connection wants it: what the engine works from.

    Args:
        connection: the connection's name, as the ledger records it.
        stream: with the connection's overrides of key, cursor and filter applied.
        selected: the source fields to keep, None for all; key and cursor are always kept.
        excluded: source fields never to keep.
        history_for: how long ended versions stay in the history, None for ever.
        subscriptions: those that are about its records.
    """

    connection: str
    stream: Stream
    table: Table
    mode: Mode = Mode.MERGE
    drift: Drift = Drift.EVOLVE
    history: bool = False
    history_for: timedelta | None = None
    selected: frozenset[str] | None = None
    excluded: frozenset[str] = frozenset()
    initial_window: timedelta = timedelta(days=30)
    allow_empty: bool = False
    absence: AbsencePolicy = AbsencePolicy()
    subscriptions: tuple[Subscription, ...] = ()
    sweep: SweepPolicy | None = None

    @property
    def where(self) -> str:
        """The place that messages name."""
        return f"connection '{self.connection}', stream '{self.stream.name}'"

    def wants(self, name: str) -> bool:
        """Whether the source field of this name is kept."""
        if name in self.stream.key or name == self.stream.cursor:
            return True
        return name not in self.excluded and (self.selected is None or name in self.selected)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a layer repeats what may pass by itself (SEMANTICS §10).

    Waits grow exponentially from `first_wait` to `longest_wait`, with full jitter.
    """

    attempts: int
    first_wait: timedelta
    longest_wait: timedelta


REQUEST_RETRY = RetryPolicy(6, timedelta(seconds=1), timedelta(seconds=60))
STREAM_RETRY = RetryPolicy(3, timedelta(seconds=30), timedelta(minutes=10))


@dataclass(frozen=True, slots=True)
class SyncSettings:
    """What holds for all streams of one sync."""

    request_retry: RetryPolicy = REQUEST_RETRY
    stream_retry: RetryPolicy = STREAM_RETRY
    max_streams: int = 4
    """How many streams are read at once."""
    step_bytes: int = 8 * 1024 * 1024
    """How much one transaction stores at the most, as read from the source, to the next page."""
    step_span: timedelta | None = None
    """The longest time span one step covers; None leaves it to the source's widest range."""
    stall_after: timedelta = timedelta(minutes=15)
    """A stream that makes no progress for so long is cancelled and counts as transient."""
    tags: dict[str, str] = field(default_factory=dict[str, str])
