"""The schema `_propexo`: what a destination remembers of its streams, defined once for all of them.

Statements use `$1`, `$2` … for parameters, which both destinations understand.
"""

from dataclasses import dataclass

from propexo_connect.destinations.identifiers import listed, qualified, quote
from propexo_connect.model.field import BOOLEAN, FLOAT, INTEGER, JSON, TEXT, TIMESTAMP, FieldType
from propexo_connect.model.stream import Table

SCHEMA = "_propexo"

VERSION = 3
"""Of the tables below; a destination with an older one is migrated, one with a newer one is refused."""


@dataclass(frozen=True, slots=True)
class StateTable:
    """One table of the schema; columns whose name ends in `?` may be null."""

    name: str
    columns: tuple[tuple[str, FieldType], ...]
    key: tuple[str, ...] = ()
    unique: tuple[str, ...] = ()

    @property
    def table(self) -> Table:
        """Its place."""
        return Table(SCHEMA, self.name)

    @property
    def names(self) -> tuple[str, ...]:
        """Its columns' names, in order."""
        return tuple(name.rstrip("?") for name, _ in self.columns)

    @property
    def sql(self) -> str:
        """Its name in a statement."""
        return qualified(self.table)


VERSIONS = StateTable("version", (("version", INTEGER),))

STREAMS = StateTable(
    "streams",
    (
        ("connection", TEXT),
        ("stream", TEXT),
        ("table_schema", TEXT),
        ("table_name", TEXT),
        ("key", JSON),
        ("mode", TEXT),
        ("has_history", BOOLEAN),
        ("created_at", TIMESTAMP),
        ("views?", JSON),
        ("is_summarised?", BOOLEAN),
        ("keeps_history?", BOOLEAN),
    ),
    key=("connection", "stream"),
    unique=("table_schema", "table_name"),
)
"""Whose a table is. `key`: the source fields, as a JSON array. `views`: what its views were made from.
`is_summarised`: whether the view over all streams of the connection names it."""

COLUMNS = StateTable(
    "columns",
    (
        ("connection", TEXT),
        ("stream", TEXT),
        ("field", TEXT),
        ("column", TEXT),
        ("type", TEXT),
        ("is_declared", BOOLEAN),
        ("ordinal", INTEGER),
        ("added_at", TIMESTAMP),
    ),
    key=("connection", "stream", "field"),
)
"""The map from source fields to columns; a name never changes once it stands here."""

FENCES = StateTable(
    "fences",
    (("connection", TEXT), ("stream", TEXT), ("lane", TEXT), ("number", INTEGER), ("purges?", INTEGER)),
    key=("connection", "stream", "lane"),
)
"""The newest holder of each lane. `purges`: how many purges met the stream; a commit that one came in
between of is not valid, since it may hold what was purged."""

WINDOWS = StateTable(
    "windows",
    (
        ("connection", TEXT),
        ("stream", TEXT),
        ("number", INTEGER),
        ("reading", TEXT),
        ("lane", TEXT),
        ("tile_start?", TIMESTAMP),
        ("tile_end?", TIMESTAMP),
        ("tile_start_value?", INTEGER),
        ("tile_end_value?", INTEGER),
        ("requested_start?", TIMESTAMP),
        ("requested_end?", TIMESTAMP),
        ("requested_start_value?", INTEGER),
        ("requested_end_value?", INTEGER),
        ("zone", TEXT),
        ("resolution_s", FLOAT),
        ("filter_field?", TEXT),
        ("declarations", JSON),
        ("is_complete", BOOLEAN),
        ("part", INTEGER),
        ("attempt", INTEGER),
        ("sync_id", TEXT),
        ("fence", INTEGER),
        ("started_at", TIMESTAMP),
        ("read_started_at", TIMESTAMP),
        ("finished_at", TIMESTAMP),
        ("position?", TEXT),
        ("read", INTEGER),
        ("new", INTEGER),
        ("changed", INTEGER),
        ("unchanged", INTEGER),
        ("superseded", INTEGER),
        ("rejected", INTEGER),
        ("gathered", INTEGER),
        ("bytes_read", INTEGER),
        ("request_count", INTEGER),
        ("page_count", INTEGER),
        ("retry_count", INTEGER),
        ("covered_start?", TIMESTAMP),
        ("covered_end?", TIMESTAMP),
        ("covered_start_value?", INTEGER),
        ("covered_end_value?", INTEGER),
        ("first_started_at?", TIMESTAMP),
        ("is_skipping?", BOOLEAN),
        ("is_last?", BOOLEAN),
    ),
    key=("connection", "stream", "number"),
)
"""The ledger: one row per commit, in the order of `number` within a stream.

`covered_start`, `covered_end`: what a complete read proves of `filter_field`, narrower than what was asked
for where a change of the clock makes a bound ambiguous; null is without limit.
`first_started_at`: start of the first sync that took part in this read. `is_skipping`: the read has passed
over a parent so far.
`gathered`: records that this part put aside for the swap of the mode `overwrite`; they are counted
as read, new, changed and so on by the part that swaps them in.
`is_last`: the sync came to the end of the stream that it had set itself; its other rows lead there.
"""

WINDOW_PARTS = StateTable(
    "window_parts",
    (
        ("connection", TEXT),
        ("stream", TEXT),
        ("number", INTEGER),
        ("parent", TEXT),
        ("is_complete", BOOLEAN),
        ("is_skipped", BOOLEAN),
        ("problem?", TEXT),
        ("page_count", INTEGER),
        ("record_count", INTEGER),
    ),
    key=("connection", "stream", "number", "parent"),
)
"""Of a stream that is read through parents: which of them a row of `windows` ended with, and how.

`is_skipped`: the parent had nothing to be read, and `problem` says in which way (it is gone, or withheld).
"""

SCHEMA_CHANGES = StateTable(
    "schema_changes",
    (
        ("connection", TEXT),
        ("stream", TEXT),
        ("sync_id", TEXT),
        ("changed_at", TIMESTAMP),
        ("kind", TEXT),
        ("field", TEXT),
        ("column?", TEXT),
        ("before?", TEXT),
        ("after?", TEXT),
    ),
)

REJECTED_RECORDS = StateTable(
    "rejected_records",
    (
        ("connection", TEXT),
        ("stream", TEXT),
        ("sync_id", TEXT),
        ("read_at", TIMESTAMP),
        ("reason", TEXT),
        ("record", TEXT),
    ),
)

PURGES = StateTable(
    "purges",
    (
        ("id", TEXT),
        ("requested_at", TIMESTAMP),
        ("connection", TEXT),
        ("streams", JSON),
        ("kind", TEXT),
        ("keyed_hash", TEXT),
        ("key_id", TEXT),
        ("fields", JSON),
        ("ignores_case", BOOLEAN),
        ("reason", TEXT),
        ("requested_by", TEXT),
        ("counts", JSON),
        ("is_suppressed", BOOLEAN),
        ("lifted_at?", TIMESTAMP),
        ("lifted_by?", TEXT),
    ),
    key=("id",),
)
"""What was purged, when, and why; never the value. `keyed_hash`: made with a key that is not in the
destination, and that `key_id` tells from others. `fields`: where an identifier was looked for, everywhere
where there are none. `counts`: by stream and table, how many rows."""

SUPPRESSED = StateTable(
    "suppressed",
    (("connection", TEXT), ("stream", TEXT), ("keyed_hash", TEXT), ("purge_id", TEXT), ("since", TIMESTAMP)),
    key=("connection", "stream", "keyed_hash", "purge_id"),
)
"""What later syncs must not bring back."""

OUTBOX = StateTable(
    "outbox",
    (
        ("id", TEXT),
        ("connection", TEXT),
        ("stream?", TEXT),
        ("event", TEXT),
        ("key?", TEXT),
        ("occurred_at", TIMESTAMP),
        ("sync_id", TEXT),
        ("endpoints", JSON),
        ("payload", JSON),
    ),
    key=("id",),
)
"""What happened and somebody wants to hear of, written with the data it tells of.

`endpoints`: the names of those who want it, as a JSON array, fixed when it was written: an endpoint that
is added later gets no old events, and one that pauses misses none. `key`: the record's key as a JSON
object, as in a stream's history. `payload`: the `data` of the body that is sent.
"""

DELIVERIES = StateTable(
    "deliveries",
    (
        ("event_id", TEXT),
        ("endpoint", TEXT),
        ("number", INTEGER),
        ("state", TEXT),
        ("attempts", INTEGER),
        ("next_at?", TIMESTAMP),
        ("created_at", TIMESTAMP),
        ("delivered_at?", TIMESTAMP),
        ("status?", INTEGER),
        ("problem?", TEXT),
    ),
    key=("event_id", "endpoint", "number"),
)
"""The duty to bring one event to one endpoint: `pending`, `delivered` or `dead`. A replay is a new one,
with the next `number` after 0. `status` and `problem` are those of the latest attempt.
"""

DELIVERY_LOG = StateTable(
    "delivery_log",
    (
        ("event_id", TEXT),
        ("endpoint", TEXT),
        ("number", INTEGER),
        ("attempt", INTEGER),
        ("tried_at", TIMESTAMP),
        ("status?", INTEGER),
        ("duration_ms", INTEGER),
        ("problem?", TEXT),
    ),
    key=("event_id", "endpoint", "number", "attempt"),
)
"""Every attempt of every delivery, from 1."""

TABLES = (
    STREAMS,
    COLUMNS,
    FENCES,
    WINDOWS,
    WINDOW_PARTS,
    SCHEMA_CHANGES,
    REJECTED_RECORDS,
    PURGES,
    SUPPRESSED,
    OUTBOX,
    DELIVERIES,
    DELIVERY_LOG,
    VERSIONS,
)
"""All of them; the version comes last, so that it stands only where all others do."""

Migration = str | StateTable | tuple[StateTable, str]
"""A piece of the way to the next version: a statement, a table to be made, or a table and its new column."""

MIGRATIONS: dict[int, tuple[Migration, ...]] = {
    1: (WINDOW_PARTS,),
    2: (
        (WINDOWS, "covered_start"),
        (WINDOWS, "covered_end"),
        (WINDOWS, "covered_start_value"),
        (WINDOWS, "covered_end_value"),
        # Of a read from before, the tile is proven; of a whole one, everything.
        "update _propexo.windows set covered_start = tile_start, covered_end = tile_end, "
        "covered_start_value = tile_start_value, covered_end_value = tile_end_value "
        "where filter_field is not null",
        (WINDOWS, "first_started_at"),
        (WINDOWS, "is_skipping"),
        "update _propexo.windows as w set first_started_at = (select min(f.started_at) "
        "from _propexo.windows f where f.connection = w.connection and f.stream = w.stream "
        "and f.read_started_at = w.read_started_at), is_skipping = exists (select 1 "
        "from _propexo.window_parts p where p.connection = w.connection "
        "and p.stream = w.stream and p.is_skipped)",
        (STREAMS, "views"),
        (STREAMS, "keeps_history"),
        (STREAMS, "is_summarised"),
        "update _propexo.streams set is_summarised = false",
        (FENCES, "purges"),
        PURGES,
        SUPPRESSED,
        (WINDOWS, "is_last"),
        # Every sync from before counts as one that came to its end: no stream is to be new again.
        "update _propexo.windows set is_last = is_complete",
        OUTBOX,
        DELIVERIES,
        DELIVERY_LOG,
    ),
}
"""What leads from a version to the one after it."""

OF_STREAM = f"{quote('connection')} = $1 and {quote('stream')} = $2"
"""The condition that picks the rows of one stream."""


def create(given: StateTable, types: dict[FieldType, str]) -> str:
    """The statement that makes a table."""
    lines = [
        f"{quote(name.rstrip('?'))} {types[kind]}{'' if name.endswith('?') else ' not null'}"
        for name, kind in given.columns
    ]
    if given.key:
        lines.append(f"primary key ({listed(given.key)})")
    if given.unique:
        lines.append(f"unique ({listed(given.unique)})")
    return f"create table {given.sql} ({', '.join(lines)})"


def migrated(given: Migration, types: dict[FieldType, str]) -> str:
    """The statement of one piece of a migration."""
    if isinstance(given, str):
        return given
    if isinstance(given, StateTable):
        return create(given, types)
    table, name = given
    kind = next(kind for column, kind in table.columns if column.rstrip("?") == name)
    return f"alter table {table.sql} add column {quote(name)} {types[kind]}"


def types_used() -> frozenset[FieldType]:
    """The types that a destination must spell for `create`."""
    return frozenset(kind for table in TABLES for _, kind in table.columns)


def insert(given: StateTable, row_count: int = 1) -> str:
    """The statement that writes rows, with one parameter per column and row."""
    width = len(given.columns)
    rows = (
        "(" + ", ".join(f"${row * width + place + 1}" for place in range(width)) + ")"
        for row in range(row_count)
    )
    return f"insert into {given.sql} ({listed(given.names)}) values {', '.join(rows)}"


def select(given: StateTable, names: tuple[str, ...] = ()) -> str:
    """The query for the rows of one stream, `$1` and `$2` being its connection and name."""
    return f"select {listed(names or given.names)} from {given.sql} where {OF_STREAM}"


READ_FENCE = (
    f"select {quote('number')}, coalesce({quote('purges')}, 0), exists (select 1 from {SUPPRESSED.sql} s "
    f"where s.connection = $1 and s.stream = $2) from {FENCES.sql} where {OF_STREAM} and {quote('lane')} = $3"
)
"""Who holds the lane, how many purges met the stream, and whether records of it are suppressed."""

TAKE_FENCES = (
    f"insert into {FENCES.sql} ({listed(FENCES.key)}, {quote('number')}) select $1, s, $3, 1 "
    f"from (select unnest(cast($2 as text[])) as s) q order by s "
    f"on conflict ({listed(FENCES.key)}) do update "
    f"set {quote('number')} = {FENCES.name}.{quote('number')} + 1 "
    f"returning {quote('stream')}, {quote('number')}"
)
"""Takes a lane over for the streams `$2`; in one order, so that two syncs never wait for each other."""

HOLD_FENCE = (
    f"update {FENCES.sql} set {quote('number')} = {quote('number')}, {quote('purges')} = {quote('purges')} "
    f"where {OF_STREAM} and {quote('lane')} = $3 and {quote('number')} = $4 "
    f"and coalesce({quote('purges')}, 0) = $5"
)
"""Writes the fence's row without changing it: affects none, or fails, once a newer sync holds the lane or a
purge met the stream."""

WINDOW_VALUES = tuple(name for name in WINDOWS.names if name != "number")
"""The columns of a ledger row that come from the window; its number is the stream's next."""

INSERT_WINDOW = (
    f"insert into {WINDOWS.sql} ({listed((*WINDOW_VALUES, 'number'))}) "
    f"select {', '.join(f'${place}' for place in range(1, len(WINDOW_VALUES) + 1))}, "
    f"coalesce(max({quote('number')}), 0) + 1 from {WINDOWS.sql} where {OF_STREAM}"
)

LAST_NUMBER = f"select max({quote('number')}) from {WINDOWS.sql} where {OF_STREAM}"

OWNERS = (
    f"select {quote('table_schema')}, {quote('table_name')}, {quote('connection')}, {quote('stream')} "
    f"from {STREAMS.sql} where {quote('table_schema')} = any(cast($1 as text[])) "
    f"and {quote('table_name')} = any(cast($2 as text[]))"
)
"""Whose tables are; more than were asked for where one name is in several schemas."""

OF_STREAMS = f"{quote('connection')} = $1 and {quote('stream')} = any(cast($2 as text[]))"
"""The condition that picks the rows of several streams of one connection."""


def progress(*, is_integer: bool) -> str:
    """The query for where streams stand; `$3` is the lane.

    Its rows: stream, watermark, oldest, first_synced_at, last_full_at, is_synced. For oldest the tiles are
    walked from the newest end back, and the first gap ends the walk; a tile without a start reaches back
    without limit and answers with null. A stream without a complete row has none.
    """
    start, end = ("tile_start_value", "tile_end_value") if is_integer else ("tile_start", "tile_end")
    lowest = str(-(2**63)) if is_integer else "cast('-infinity' as timestamptz)"
    return f"""
with complete as (
  select *, coalesce({start}, {lowest}) as reach from {WINDOWS.sql} where {OF_STREAMS} and is_complete
), behind as (
  select stream, {end}, reach,
    min(reach) over (partition by stream order by {end} desc, reach desc
      rows between unbounded preceding and 1 preceding) as reached
  from complete where {end} is not null and reading in ('recurring', 'full', 'backsync')
), gaps as (
  select stream, reach, sum(case when {end} < reached then 1 else 0 end)
    over (partition by stream order by {end} desc, reach desc
      rows between unbounded preceding and current row) as gap_count
  from behind
), reached as (
  select stream, nullif(min(reach), {lowest}) as oldest from gaps where gap_count = 0 group by stream
), marks as (
  select stream,
    max({end}) filter (where reading in ('recurring', 'full')) as watermark,
    min(started_at) filter (where reading in ('recurring', 'full')) as first_synced_at,
    max(read_started_at) filter (where reading = 'full') as last_full_at,
    coalesce(bool_or(is_last) filter (where reading in ('recurring', 'full')), false) as is_synced
  from complete group by stream
)
select m.stream, m.watermark, r.oldest, m.first_synced_at, m.last_full_at, m.is_synced
from marks m left join reached r on r.stream = m.stream
"""


UNFINISHED = (
    f"select {listed(WINDOWS.names, 'w')} from {WINDOWS.sql} w "
    f"where w.connection = $1 and w.stream = any(cast($2 as text[])) and w.lane = $3 "
    f"and not w.is_complete and w.position is not null and not exists ("
    f"select 1 from {WINDOWS.sql} l where l.connection = w.connection and l.stream = w.stream "
    f"and l.lane = w.lane and l.number > w.number and (l.is_complete or l.position is not null))"
)
"""The latest part of each stream that never came to its end."""

SWEEP_SHARES = f"""
select stream, min(started_at), read_started_at,
  bool_and(tile_start is null and tile_start_value is null), max(tile_end) filter (where is_complete),
  bool_or(is_complete
    and (tile_end >= started_at or (covered_end is null and covered_end_value is null))),
  cast(sum(page_count) as bigint)
from {WINDOWS.sql} where {OF_STREAMS} and lane = 'sweep'
group by stream, sync_id, read_started_at order by stream, min(number)
"""
"""What each sync has swept of each stream, the oldest first.

A tile up to the present has reached the stream's end, and so has a whole read, however old its tile is.
"""

LAST_POSITIONS = (
    f"select w.stream, w.position from {WINDOWS.sql} w "
    f"where w.connection = $1 and w.stream = any(cast($2 as text[])) and w.lane = $3 "
    f"and w.is_complete and w.position is not null and not exists ("
    f"select 1 from {WINDOWS.sql} l where l.connection = w.connection and l.stream = w.stream "
    f"and l.lane = w.lane and l.number > w.number and l.is_complete and l.position is not null)"
)
"""Where the lane's latest complete tile of each stream ended, for sources that carry on from there."""
