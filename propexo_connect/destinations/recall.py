"""What a destination remembers of a stream, asked afresh each time: nothing is kept between two commits."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, cast

from propexo_connect.destinations.absence import ABSENCE, UNSEEN_DAYS, counts_of
from propexo_connect.destinations.base import TableFacts
from propexo_connect.destinations.dialect import Link
from propexo_connect.destinations.identifiers import listed, qualified, quote
from propexo_connect.destinations.ledger_row import instant, parsed, window_of
from propexo_connect.destinations.merge import GATHERED_READ
from propexo_connect.destinations.standing import Standing, refuse_moved, refuse_owned
from propexo_connect.destinations.state import (
    COLUMNS,
    FENCES,
    LAST_POSITIONS,
    OF_STREAM,
    OF_STREAMS,
    OWNERS,
    REJECTED_RECORDS,
    SCHEMA,
    STREAMS,
    SWEEP_SHARES,
    TAKE_FENCES,
    UNFINISHED,
    WINDOWS,
    StateTable,
    progress,
    select,
)
from propexo_connect.model.absence import AbsenceFacts, Verdict
from propexo_connect.model.field import FieldType
from propexo_connect.model.layout import Column, Layout
from propexo_connect.model.ledger import Progress, Reading, Sweeps, SweepShare, Window
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

_HERE = (
    f"select {listed(('connection', 'stream', 'table_schema', 'table_name', 'key', 'mode'))} "
    f"from {STREAMS.sql} where ({OF_STREAM}) or (table_schema = $3 and table_name = $4)"
)
"""The stream's own row, and that of whoever has its table."""

_KEYS_AT_ONCE = 1_000_000
"""To tell a million UUIDs apart takes DuckDB 200 MB, five million 480 MB."""


def standings(link: Link, plans: Sequence[StreamPlan], lane: str) -> dict[str, Standing]:
    """Where the streams of one connection stand on a lane, by name."""
    of_streams = (plans[0].connection, [plan.stream.name for plan in plans])
    schemas, names = [plan.table.schema for plan in plans], [plan.table.name for plan in plans]
    registered: dict[str, tuple[Table, tuple[str, ...], Mode]] = {}
    for stream, schema, name, key, mode in link.rows(
        _of_streams(STREAMS, ("stream", "table_schema", "table_name", "key", "mode")), of_streams
    ):
        registered[stream] = (Table(schema, name), tuple(parsed(key)), Mode(mode))
    columns: dict[str, list[Column]] = {}
    if registered:
        wanted = ("stream", "field", "column", "type", "is_declared")
        for stream, *column in link.rows(f"{_of_streams(COLUMNS, wanted)} order by ordinal", of_streams):
            columns.setdefault(stream, []).append(stored_column(*column))
    present: dict[tuple[str, str], set[str]] = {}
    for schema, name, column in link.rows(link.dialect.columns_of, (schemas, names)):
        present.setdefault((schema, name), set()).add(column)
    owners = {
        (schema, name): (connection, stream)
        for schema, name, connection, stream in link.rows(OWNERS, (schemas, names))
    }
    found = _progress(link, plans, lane)
    return {
        plan.stream.name: Standing(
            found[plan.stream.name],
            registered.get(plan.stream.name),
            tuple(columns.get(plan.stream.name, ())),
            frozenset(present.get((plan.table.schema, plan.table.name), ())),
            owners.get((plan.table.schema, plan.table.name)),
        )
        for plan in plans
    }


def stored_layout(link: Link, plan: StreamPlan, *, lock: bool = False) -> Layout | None:
    """The stored map of a stream, None before its first commit.

    With `lock` no other commit to the stream gets past this point until the transaction ends.

    Raises:
        ConfigurationError: the table is another stream's, or the stream was stored in another table, with
            another key, or as versions.
    """
    of_stream = (plan.connection, plan.stream.name)
    found = link.rows(_HERE + (link.dialect.lock_stream if lock else ""), (*of_stream, *_place(plan.table)))
    own = next((row for row in found if row[:2] == of_stream), None)
    if own is None:
        refuse_owned(plan, found[0][:2] if found else None)
        return None
    schema, name, key, mode = own[2:]
    refuse_moved(plan, Table(schema, name), tuple(parsed(key)), Mode(mode))
    rows = link.rows(
        f"{select(COLUMNS, ('field', 'column', 'type', 'is_declared'))} order by ordinal", of_stream
    )
    return Layout(tuple(stored_column(*row) for row in rows), tuple(parsed(key)))


def _place(table: Table) -> tuple[str, str]:
    return table.schema, table.name


def _of_streams(given: StateTable, names: tuple[str, ...]) -> str:
    return f"select {listed(names)} from {given.sql} where {OF_STREAMS}"


def stored_column(field: str, column: str, given: str, is_declared: bool) -> Column:
    return Column(field, column, FieldType.parse(given), is_declared)


def stored_mode(link: Link, plan: StreamPlan) -> Mode:
    """The mode in which a stream was written last."""
    return Mode(link.rows(select(STREAMS, ("mode",)), (plan.connection, plan.stream.name))[0][0])


def _progress(link: Link, plans: Sequence[StreamPlan], lane: str) -> dict[str, Progress]:
    """How far the streams have come on a lane, by name."""
    of_lane = (plans[0].connection, [plan.stream.name for plan in plans], lane)
    unfinished = {
        row_window.stream: row_window for row_window in map(window_of, link.rows(UNFINISHED, of_lane))
    }
    carrying = [plan.stream.name for plan in plans if plan.stream.carries_on]
    positions: dict[str, str] = {}
    if carrying:
        positions = dict(link.rows(LAST_POSITIONS, (plans[0].connection, carrying, lane)))  # pyright: ignore[reportArgumentType]
    sweeps = _sweeps(link, plans) if lane == Reading.SWEEP.lane else {}
    found: dict[str, Progress] = {}
    for is_integer in (False, True):
        marks: dict[str, tuple[Any, ...]] = {}
        chosen = [plan for plan in plans if _is_integer(plan) is is_integer]
        if chosen:
            of_streams = (plans[0].connection, [plan.stream.name for plan in chosen])
            marks = {
                stream: tuple(row) for stream, *row in link.rows(progress(is_integer=is_integer), of_streams)
            }
        for plan in chosen:
            watermark, oldest, first_synced_at, last_full_at, is_synced = marks.get(
                plan.stream.name, (None, None, None, None, False)
            )
            if not is_integer:
                watermark, oldest = instant(watermark), instant(oldest)
            last = unfinished.get(plan.stream.name)
            if last is not None and plan.mode is Mode.OVERWRITE and not holds_parts(link, plan, last):
                last = None
            found[plan.stream.name] = Progress(
                watermark,
                oldest,
                instant(first_synced_at),
                instant(last_full_at),
                last,
                positions.get(plan.stream.name),
                is_synced,
                sweeps.get(plan.stream.name, Sweeps()),
            )
    return found


def _sweeps(link: Link, plans: Sequence[StreamPlan]) -> dict[str, Sweeps]:
    """The sweeps of the streams that are swept, by name."""
    of_streams = (plans[0].connection, [plan.stream.name for plan in plans])
    shares: dict[str, list[SweepShare]] = {}
    for stream, started_at, read_started_at, is_from_start, reached, is_to_end, pages in link.rows(
        SWEEP_SHARES, of_streams
    ):
        share = SweepShare(
            instant(started_at), instant(read_started_at), is_from_start, instant(reached), is_to_end, pages
        )
        shares.setdefault(stream, []).append(share)
    return {stream: Sweeps.of(found) for stream, found in shares.items()}


def _is_integer(plan: StreamPlan) -> bool:
    given = plan.stream.filter
    return given is not None and given.axis is Axis.INTEGER


def was_all_new(link: Link, plan: StreamPlan) -> bool:
    """Whether everything that the stream's latest commit stored was new: the next is likely so, too."""
    found = link.rows(
        f"select {quote('new')} > 0 and {quote('new')} + {quote('rejected')} = {quote('read')} "
        f"from {WINDOWS.sql} where {OF_STREAM} order by number desc limit 1",
        (plan.connection, plan.stream.name),
    )
    return bool(found) and found[0][0]


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


def next_fences(link: Link, plans: Sequence[StreamPlan], lane: str) -> dict[str, int]:
    """Take a lane over for the streams of one connection; the new holders' numbers by stream."""
    rows = link.rows(TAKE_FENCES, (plans[0].connection, [plan.stream.name for plan in plans], lane))
    return dict(cast("list[tuple[str, int]]", rows))


def gathered_table(plan: StreamPlan) -> Table:
    """Where parts of a whole read wait for their swap."""
    return gathered_of(plan.connection, plan.stream.name)


def gathered_of(connection: str, stream: str) -> Table:
    """The same, by the stream's name."""
    text = f"{len(connection)}:{connection}{stream}"
    return Table(SCHEMA, f"gathered_{hashlib.sha256(text.encode()).hexdigest()[:16]}")


def has_table(link: Link, table: Table) -> bool:
    """Whether there is a table or view of this name."""
    return bool(link.rows(link.dialect.columns_of, ([table.schema], [table.name])))


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
    """What a stream's table says of itself; nothing of a table that is not there yet.

    Args:
        layout: the stored map, None before the first commit.
    """
    of_stream = (plan.connection, plan.stream.name)
    rejected = f"(select count(*) from {REJECTED_RECORDS.sql} where {OF_STREAM})"
    if layout is None or not layout.is_ready:
        return TableFacts(rejected_count=link.rows(f"select {rejected}", of_stream)[0][0])
    table, keys = qualified(plan.table), layout.key_columns
    null_key = " or ".join(f"{quote(name)} is null" for name in keys) or "false"
    count, first, last_min, last_max, null_keys, rejected_count = link.rows(
        f"select count(*), min(first_seen), min(last_seen), max(last_seen), "
        f"count(*) filter (where {null_key}), {rejected} from {table}",
        of_stream,
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
        rejected_count=rejected_count,
        duplicate_keys=duplicates,
        null_keys=null_keys if keys else None,
    )


def absence_facts(link: Link, plan: StreamPlan, at: datetime, *, judges: bool) -> AbsenceFacts:
    """How a stream's records stand at an instant."""
    view = plan.table.beside(ABSENCE)
    judges = judges and has_table(link, view)
    found = link.rows(counts_of(qualified(view if judges else plan.table), has_verdicts=judges), (at,))[0]
    count, days = found[0], len(UNSEEN_DAYS)
    facts = AbsenceFacts(count, dict(zip(UNSEEN_DAYS, found[1 : days + 1], strict=True)))
    if not judges:
        return facts
    *counts, held, covered_at = found[days + 1 :]
    return replace(
        facts,
        verdicts=dict(zip(Verdict, counts, strict=True)),
        held=held,
        last_covered_at=instant(covered_at),
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
