"""What a destination remembers of a stream, asked afresh each time: nothing is kept between two commits."""

import hashlib

from propexo_connect.destinations.base import TableFacts
from propexo_connect.destinations.dialect import Link
from propexo_connect.destinations.identifiers import listed, qualified, quote
from propexo_connect.destinations.ledger_row import instant, parsed, window_of
from propexo_connect.destinations.merge import GATHERED_READ
from propexo_connect.destinations.state import (
    COLUMNS,
    FENCES,
    LAST_POSITION,
    OF_STREAM,
    OWNER,
    REJECTED_RECORDS,
    SCHEMA,
    STREAMS,
    TAKE_FENCE,
    UNFINISHED,
    WINDOWS,
    progress,
    select,
)
from propexo_connect.model.errors import ConfigurationError
from propexo_connect.model.field import FieldType
from propexo_connect.model.layout import Column, Layout
from propexo_connect.model.ledger import Progress, Window
from propexo_connect.model.stream import Axis, Mode, StreamPlan, Table
from propexo_connect.model.tile import Tile, faults

_TILE_FAULTS = f"""
with done as (
  select number, tile_start, tile_start_value, tile_end, tile_end_value,
    lag(tile_end) over axis as before, lag(tile_end_value) over axis as before_value
  from {WINDOWS.sql}
  where {OF_STREAM} and is_complete and reading in ('recurring', 'full', 'backsync')
  window axis as (partition by tile_end is null order by tile_end, tile_end_value, number)
)
select before, before_value, tile_start, tile_start_value, tile_end, tile_end_value from done
where tile_start <> before or tile_start_value <> before_value
order by before, before_value, number
limit 20
"""
_FENCES_TAKEN = f"select cast(coalesce(sum(number), 0) as bigint) from {FENCES.sql} where {OF_STREAM}"
_EQUATION_FAULTS = (
    f"select count(*) from {WINDOWS.sql} where {OF_STREAM} "
    'and "read" <> "new" + "changed" + "unchanged" + "superseded" + "rejected"'
)

_KEYS_AT_ONCE = 1_000_000
"""To tell a million UUIDs apart takes DuckDB 200 MB, five million 480 MB."""


def stored_layout(link: Link, plan: StreamPlan, *, lock: bool = False) -> Layout | None:
    """The stored map of a stream, None before its first commit.

    With `lock` no other commit to the stream gets past this point until the transaction ends.

    Raises:
        ConfigurationError: the table is another stream's or nobody's, or the stream was stored in
            another table, with another key, or as versions.
    """
    of_stream = (plan.connection, plan.stream.name)
    query = select(STREAMS, ("table_schema", "table_name", "key", "mode"))
    found = link.rows(query + (link.dialect.lock_stream if lock else ""), of_stream)
    if not found:
        _refuse_taken(link, plan)
        return None
    schema, name, key, mode = found[0]
    _refuse_moved(plan, Table(schema, name), tuple(parsed(key)), Mode(mode))
    names = ("field", "column", "type", "is_declared")
    rows = link.rows(f"{select(COLUMNS, names)} order by ordinal", of_stream)
    columns = tuple(
        Column(field, column, FieldType.parse(given), declared) for field, column, given, declared in rows
    )
    return Layout(columns, tuple(parsed(key)))


def refuse_damaged(link: Link, plan: StreamPlan, layout: Layout) -> None:
    """Look whether the table still has the columns that the map says it has.

    Raises:
        ConfigurationError: somebody dropped or renamed the table, or columns of it.
    """
    there = {row[0] for row in link.rows(link.dialect.columns_of, (plan.table.schema, plan.table.name))}
    missing = [column.name for column in layout.columns if column.name not in there]
    if not there or missing:
        lost = (
            f"the columns {', '.join(missing)} of the table {plan.table} are"
            if there
            else (f"the table {plan.table} is")
        )
        raise ConfigurationError(
            f"{lost} gone, though the ledger says what was stored there",
            where=plan.where,
            remedy="Bring them back, or name the connection anew and let it fill another schema.",
        )


def stored_mode(link: Link, plan: StreamPlan) -> Mode:
    """The mode in which a stream was written last."""
    return Mode(link.rows(select(STREAMS, ("mode",)), (plan.connection, plan.stream.name))[0][0])


def stored_progress(link: Link, plan: StreamPlan, lane: str) -> Progress:
    """Where a stream stands on a lane."""
    given = plan.stream.filter
    of_lane = (plan.connection, plan.stream.name, lane)
    query = progress(is_integer=given is not None and given.axis is Axis.INTEGER)
    watermark, oldest, first_synced_at, last_full_at, last_complete = link.rows(query, of_lane)[0]
    rows = link.rows(UNFINISHED, (*of_lane, last_complete))
    unfinished = window_of(rows[0]) if rows else None
    if unfinished is not None and plan.mode is Mode.OVERWRITE and not holds_parts(link, plan, unfinished):
        unfinished = None
    if not isinstance(watermark, int):
        watermark, oldest = instant(watermark), instant(oldest)
    carried = link.rows(LAST_POSITION, of_lane) if plan.stream.carries_on else []
    position = carried[0][0] if carried else None
    return Progress(watermark, oldest, instant(first_synced_at), instant(last_full_at), unfinished, position)


def stored_windows(link: Link, plan: StreamPlan) -> list[Window]:
    """All ledger rows of a stream, oldest first."""
    rows = link.rows(f"{select(WINDOWS)} order by number", (plan.connection, plan.stream.name))
    return [window_of(row) for row in rows]


def tile_faults(link: Link, plan: StreamPlan) -> list[str]:
    """Gaps and overlaps between the complete tiles of a stream, the first 20 at the most.

    The query finds them, since a ledger of years has too many rows to be read at each sync; the words
    are those of the model.
    """
    found: list[str] = []
    for row in link.rows(_TILE_FAULTS, (plan.connection, plan.stream.name)):
        bounds = zip(row[::2], row[1::2], strict=True)
        before, start, end = (instant(moment) if value is None else value for moment, value in bounds)
        found += faults((Tile(None, before), Tile(start, end)))
    return found


def equation_faults(link: Link, plan: StreamPlan) -> int:
    """How many ledger rows of a stream have counts that do not add up."""
    return link.rows(_EQUATION_FAULTS, (plan.connection, plan.stream.name))[0][0]


def next_fence(link: Link, plan: StreamPlan, lane: str) -> int:
    """Take a lane over."""
    return link.rows(TAKE_FENCE, (plan.connection, plan.stream.name, lane))[0][0]


def gathered_table(plan: StreamPlan) -> Table:
    """Where parts of a whole read wait for their swap."""
    text = f"{len(plan.connection)}:{plan.connection}{plan.stream.name}"
    return Table(SCHEMA, f"gathered_{hashlib.sha256(text.encode()).hexdigest()[:16]}")


def has_table(link: Link, table: Table) -> bool:
    """Whether there is a table or view of this name."""
    return bool(link.rows(link.dialect.columns_of, (table.schema, table.name)))


def holds_parts(link: Link, plan: StreamPlan, window: Window) -> bool:
    """Whether all records that earlier parts of this read put aside are still there.

    They are not when another whole read of the stream began in between.
    """
    gathered = gathered_table(plan)
    of_stream = (plan.connection, plan.stream.name)
    wanted = link.rows(
        f"select cast(coalesce(sum(gathered), 0) as bigint) from {WINDOWS.sql} "
        f"where connection = $1 and stream = $2 and read_started_at = $3",
        (*of_stream, window.read_started_at),
    )[0][0]
    if not has_table(link, gathered):
        return wanted == 0
    found = link.rows(
        f"select count(*) from {qualified(gathered)} where {quote(GATHERED_READ)} = $1",
        (window.read_started_at,),
    )
    return found[0][0] == wanted


def stored_facts(link: Link, plan: StreamPlan, layout: Layout | None) -> TableFacts:
    """What a stream's table says of itself; nothing of a table that is not there yet."""
    rejected = link.rows(
        f"select count(*) from {REJECTED_RECORDS.sql} where connection = $1 and stream = $2",
        (plan.connection, plan.stream.name),
    )[0][0]
    if layout is None:
        return TableFacts(rejected_count=rejected)
    table, keys = qualified(plan.table), layout.key_columns
    null_key = " or ".join(f"{quote(name)} is null" for name in keys) or "false"
    count, first, last_min, last_max, null_keys = link.rows(
        f"select count(*), min(first_seen), min(last_seen), max(last_seen), "
        f"count(*) filter (where {null_key}) from {table}"
    )[0]
    duplicates = None
    if keys and plan.mode is not Mode.APPEND:
        duplicates = 0
        if not link.dialect.capabilities.has_indexes:
            duplicates = _duplicate_keys(link, plan, listed(keys), count)
    return TableFacts(
        row_count=count,
        first_seen_min=instant(first),
        last_seen_min=instant(last_min),
        last_seen_max=instant(last_max),
        rejected_count=rejected,
        duplicate_keys=duplicates,
        null_keys=null_keys if keys else None,
    )


def _duplicate_keys(link: Link, plan: StreamPlan, keys: str, row_count: int) -> int:
    """How many rows repeat the key of another, among as many keys as fit into memory.

    The steps prove the keys that they write. This finds what other hands did, and need not find it at once:
    the part of a larger table changes with each number that a lane's fence gives out.
    """
    part = ""
    slices = -(-row_count // _KEYS_AT_ONCE)
    if slices > 1:
        turn = link.rows(_FENCES_TAKEN, (plan.connection, plan.stream.name))[0][0]
        part = f"where {link.dialect.key_slice(keys, slices, turn % slices)}"
    repeated = f"select count(*) as n from {qualified(plan.table)} {part} group by {keys} having count(*) > 1"
    return int(link.rows(f"select coalesce(sum(n - 1), 0) from ({repeated}) d")[0][0])


def _refuse_taken(link: Link, plan: StreamPlan) -> None:
    remedy = "Give the connection another namespace or stream prefix."
    owner = link.rows(OWNER, (plan.table.schema, plan.table.name))
    if owner:
        connection, stream = owner[0]
        raise ConfigurationError(
            f"the table {plan.table} belongs to connection '{connection}', stream '{stream}'",
            where=plan.where,
            remedy=remedy,
        )
    if has_table(link, plan.table):
        raise ConfigurationError(
            f"there is a table or view {plan.table} already, and no stream has made it",
            where=plan.where,
            remedy=remedy,
        )


def _refuse_moved(plan: StreamPlan, table: Table, key: tuple[str, ...], mode: Mode) -> None:
    if table != plan.table:
        raise ConfigurationError(
            f"the stream was stored in the table {table} so far and would now go to {plan.table}",
            where=plan.where,
            remedy="Keep namespace and prefix as they were, or name the connection anew to begin afresh.",
        )
    if key != plan.stream.key:
        raise ConfigurationError(
            f"the table {table} was filled by the key ({', '.join(key)}), now it is "
            f"({', '.join(plan.stream.key)})",
            where=plan.where,
            remedy="Keep the key, or name the connection anew and let it fill another schema.",
        )
    if key and mode is Mode.APPEND and plan.mode is not Mode.APPEND:
        raise ConfigurationError(
            f"the table {table} keeps all versions of a record (mode append) and cannot become one "
            f"of the mode {plan.mode}",
            where=plan.where,
            remedy="Keep the mode, or name the connection anew and let it fill another schema.",
        )
