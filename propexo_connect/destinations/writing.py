"""How one step's records reach their table: judged first, then only what is needed is written.

Where staging copies the records to a server, only the columns that the verdict needs are staged at first,
and whole records only where they are new or changed; where a destination reads the records where they lie,
they are staged once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from propexo_connect.destinations import merge as sql
from propexo_connect.destinations.arrow import HASH, INSTANT, META, READ_AT, ROW
from propexo_connect.destinations.base import Step
from propexo_connect.destinations.dialect import Link
from propexo_connect.destinations.merge import CHANGED, NEW, OLDER, UNCHANGED, Merge
from propexo_connect.destinations.outbox import wanting, write_record_events
from propexo_connect.destinations.recall import stored_layout, stored_mode, was_all_new
from propexo_connect.destinations.schema import (
    change_mode,
    grow_history,
    grow_table,
    make_index,
    make_table,
    tend_history,
)
from propexo_connect.model.counts import Counts
from propexo_connect.model.errors import Defect
from propexo_connect.model.event import Event
from propexo_connect.model.field import Kind
from propexo_connect.model.names import ROW_COLUMNS
from propexo_connect.model.stream import Mode

Failpoint = Callable[[str], None]

_ORDERED = {Kind.INTEGER, Kind.DATE, Kind.TIMESTAMP}
"""Kinds of keys that often come in their order, and have one order everywhere."""


@dataclass(frozen=True, slots=True)
class Verdicts:
    """How many staged records there are of each verdict, and how many rows the stamp will touch."""

    new: int = 0
    unchanged: int = 0
    older: int = 0
    changed: int = 0
    stamped: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.new + self.unchanged + self.older + self.changed


@dataclass(frozen=True)
class Writing:
    """One step on its way into one table.

    Args:
        records: numbered, one per identity.
        is_fresh: the table was made just now.
    """

    link: Link
    step: Step
    records: pa.Table
    failpoint: Failpoint
    is_fresh: bool

    @property
    def merge(self) -> Merge:
        """The step's statements, without a stage yet."""
        return Merge(self.link.dialect, self.step.plan, self.step.layout, "", self.step.force)

    @property
    def tells(self) -> tuple[Event, ...]:
        """The events of its records that somebody wants."""
        told = (Event.DATA_NEW, Event.DATA_UPDATE)
        return tuple(event for event in told if wanting(self.step, event))

    @property
    def needs_verdicts(self) -> bool:
        """Whether each new record must be judged and staged, because something else is written of it."""
        return self.step.plan.history or Event.DATA_NEW in self.tells

    @property
    def reads_in_place(self) -> bool:
        """Whether the destination reads staged records where they lie."""
        return self.link.dialect.capabilities.reads_in_place


def ready_table(link: Link, step: Step, failpoint: Failpoint) -> bool:
    """The table as the step needs it; whether it was made just now."""
    merge = Merge(link.dialect, step.plan, step.layout, "", step.force)
    stored = stored_layout(link, step.plan, lock=True)
    failpoint("stream locked")
    is_grown = False
    if stored is None:
        make_table(link, step, step.window.started_at, failpoint)
    else:
        change_mode(merge, link, stored_mode(link, step.plan))
        is_grown = grow_table(link, step, stored, step.window.started_at, failpoint)
        if is_grown:
            grow_history(merge, link, stored, failpoint)
    tend_history(merge, link, step.window.started_at, failpoint, is_grown=is_grown)
    return stored is None


def merge_records(writing: Writing) -> Counts:
    """Judge the records and write what the verdicts say."""
    if not writing.records.num_rows:
        return Counts()
    if (inserted := append_expected(writing)) is not None:
        return Counts(new=inserted)
    merge, verdicts = judge_records(writing)
    return write_records(writing, merge, verdicts)


def append_expected(writing: Writing) -> int | None:
    """Append the records at once where all are likely new, as in a first load; None: they must be judged.

    The index on the key proves it, so that staging and looking up each key is saved.
    """
    merge, link = writing.merge, writing.link
    has_index = link.dialect.capabilities.has_indexes and not merge.keeps_versions
    if not has_index or writing.is_fresh or writing.needs_verdicts or not was_all_new(link, merge.plan):
        return None
    inserted = link.append_new(merge.plan.table, _as_rows(writing, writing.records), merge.layout)
    writing.failpoint("new inserted")
    return inserted


def judge_records(writing: Writing) -> tuple[Merge, Verdicts]:
    """Stage what the verdicts need, and reach them; the merge with its stage.

    Raises:
        Defect: a key comes twice in the step, or stands twice in the table.
    """
    merge, count = writing.merge, writing.records.num_rows
    is_plain = writing.is_fresh and not writing.needs_verdicts
    if is_plain and not writing.reads_in_place:
        return merge, Verdicts(new=count)
    needed = writing.records if writing.reads_in_place else writing.records.select(merge.judged)
    stage = writing.link.stage("records", needed, merge.layout, merge.identity)
    writing.failpoint("records staged")
    merge = replace(merge, stage=stage)
    if not writing.link.dialect.capabilities.has_indexes:
        refuse_repeated(writing.records, merge)
    span = None if writing.is_fresh else key_span(writing, merge)
    if is_plain or lies_apart(writing, merge, span):
        return merge, Verdicts(new=count)
    return merge, judge_stage(writing, merge, count, span)


def key_span(writing: Writing, merge: Merge) -> tuple[Any, Any] | None:
    """The lowest and the highest value that keys of the step begin with; None where they have no such order.

    Where there is no index, the table's own statistics tell which parts of it can hold such a key, as long as
    keys come somewhat in their order. To look each up in the whole table would read all keys with each step.
    """
    name = merge.identity[0]
    given = next((column.type.kind for column in merge.layout.columns if column.name == name), None)
    has_index = writing.link.dialect.capabilities.has_indexes
    if has_index or merge.keeps_versions or given not in _ORDERED:
        return None
    span = pc.call_function("min_max", [writing.records.column(name)]).as_py()
    return span["min"], span["max"]


def lies_apart(writing: Writing, merge: Merge, span: tuple[Any, Any] | None) -> bool:
    """Whether no stored key lies between the lowest and the highest of the step: then all are new."""
    if span is None or merge.plan.mode is not Mode.MERGE or writing.needs_verdicts:
        return False
    return not writing.link.rows(sql.keys_between(merge), span)


def refuse_repeated(records: pa.Table, merge: Merge) -> None:
    """Make sure that no key comes twice, where no index would see it."""
    if (
        records.select(merge.identity).group_by(list(merge.identity)).aggregate([]).num_rows
        < records.num_rows
    ):
        raise Defect("a step holds the same key twice", where=merge.plan.where)


def judge_stage(writing: Writing, merge: Merge, count: int, span: tuple[Any, Any] | None = None) -> Verdicts:
    """Reach the verdicts on what is staged, whose number is known.

    Args:
        span: the lowest and the highest value that staged keys begin with, None where it is not known.
    """
    if writing.is_fresh:
        return reach_verdicts(writing, merge, count, sql.judge_all_new(merge), (), is_indexed=False)
    judging = sql.judge(merge, is_ranged=span is not None)
    parameters = (writing.step.window.started_at, *(span or ()))
    return reach_verdicts(writing, merge, count, judging, parameters, is_indexed=not merge.keeps_versions)


def reach_verdicts(
    writing: Writing, merge: Merge, count: int, judging: str, parameters: Sequence[Any], *, is_indexed: bool
) -> Verdicts:
    """Execute the statement that judges, and count its verdicts, which are as many as was staged."""
    link = writing.link
    for statement in sql.scratch_verdicts(link.dialect):
        link.run(statement)
    writing.failpoint("verdicts made")
    link.judge(judging, parameters, is_indexed=is_indexed)
    writing.failpoint("verdicts reached")
    found = {verdict: (number, moving) for verdict, number, moving in link.rows(sql.count_verdicts(merge))}
    none = (0, 0)
    verdicts = Verdicts(
        *(found.get(verdict, none)[0] for verdict in (NEW, UNCHANGED, OLDER, CHANGED)),
        stamped=found.get(UNCHANGED, none)[1] + found.get(OLDER, none)[1],
    )
    if verdicts.total != count:
        raise Defect(
            f"{count} records met {verdicts.total} rows: the table {merge.plan.table} holds a key twice",
            where=merge.plan.where,
        )
    return verdicts


def write_records(writing: Writing, merge: Merge, verdicts: Verdicts) -> Counts:
    """Write what the verdicts say about the step's own records."""
    if writing.reads_in_place:
        return write_stage(writing, merge, verdicts)
    is_direct = not writing.needs_verdicts and not merge.keeps_versions
    inserted = 0
    if is_direct and verdicts.new:
        fresh = _picked(writing, merge, verdicts, NEW)
        inserted = writing.link.append(merge.plan.table, _as_rows(writing, fresh), merge.layout)
        writing.failpoint("new inserted")
        verdicts = replace(verdicts, new=0)
    if verdicts.changed or verdicts.new:
        wanted = (CHANGED,) if is_direct else (NEW, CHANGED)
        content = _picked(writing, merge, verdicts, *wanted)
        merge = replace(merge, stage=writing.link.stage("content", content, merge.layout, (ROW,)))
        writing.failpoint("content staged")
    return Counts(new=inserted) + write_stage(writing, merge, verdicts)


def write_stage(writing: Writing, merge: Merge, verdicts: Verdicts) -> Counts:
    """Write what the verdicts say about what is staged, and count what was written."""
    link, failpoint, window = writing.link, writing.failpoint, writing.step.window
    if merge.plan.history:
        if verdicts.changed:
            link.run(sql.close_history(merge))
            failpoint("history closed")
        if verdicts.new or verdicts.changed:
            link.run(sql.write_history(merge), (window.sync_id, str(window.reading)))
            failpoint("history written")
    _write_events(writing, merge, verdicts)
    inserted = updated = 0
    of_sync = (window.started_at, window.sync_id)
    if verdicts.changed and merge.replaces_rows:
        updated = link.run(sql.delete_changed(merge))
        failpoint("changed deleted")
    elif verdicts.changed and merge.keeps_versions:
        updated = verdicts.changed
    elif verdicts.changed:
        updated = link.run(sql.update_changed(merge), of_sync)
        failpoint("changed updated")
    if verdicts.new or (verdicts.changed and merge.inserts_changed):
        is_all = verdicts.new == verdicts.total
        inserted = link.run(sql.insert_new(merge, is_all=is_all), of_sync)
        inserted -= updated if merge.inserts_changed else 0
        failpoint("new inserted")
    if verdicts.stamped:
        stamped = link.run(sql.stamp_seen(merge), (window.started_at,))
        failpoint("seen stamped")
        if stamped != verdicts.stamped:
            raise Defect(f"{stamped} of {verdicts.stamped} rows were stamped as seen", where=merge.plan.where)
    return Counts(new=inserted, changed=updated, unchanged=verdicts.unchanged, superseded=verdicts.older)


def _write_events(writing: Writing, merge: Merge, verdicts: Verdicts) -> None:
    """Tell of the step's records, where somebody wants to hear of them; before the table is written."""
    for event in writing.tells:
        if verdicts.new if event is Event.DATA_NEW else verdicts.changed:
            write_record_events(writing.link, writing.step, merge, event)
            writing.failpoint("new told" if event is Event.DATA_NEW else "changed told")


def finish_table(writing: Writing) -> None:
    """What a table that was made just now still lacks."""
    if writing.is_fresh:
        make_index(writing.merge, writing.link)
        writing.failpoint("index made")


def _picked(writing: Writing, merge: Merge, verdicts: Verdicts, *wanted: int) -> pa.Table:
    """The records of some verdicts, whole."""
    numbers = {
        NEW: verdicts.new,
        UNCHANGED: verdicts.unchanged,
        OLDER: verdicts.older,
        CHANGED: verdicts.changed,
    }
    if sum(numbers[verdict] for verdict in wanted) == writing.records.num_rows:
        return writing.records
    # As one text: a Python object per row would cost more than the rows themselves.
    text = writing.link.rows(sql.rows_of(merge, wanted))[0][0] or ""
    rows = pa.array(text.split(",") if text else [], pa.string()).cast(pa.int64())
    return writing.records.take(rows)


def _as_rows(writing: Writing, records: pa.Table) -> pa.Table:
    """New records with the columns that we add, as the table has them."""
    window, count = writing.step.window, records.num_rows
    started_at = pa.repeat(pa.scalar(window.started_at, INSTANT), count)
    ours = {
        sql.FIRST_SEEN: started_at,
        sql.LAST_SEEN: started_at,
        sql.LAST_CHANGED: started_at,
        sql.SYNC_ID: pa.repeat(pa.scalar(window.sync_id, pa.string()), count),
        **{name: records.column(name) for name in (HASH, READ_AT, META)},
    }
    own = [column.name for column in writing.step.layout.columns]
    rows = records.select(own)
    for name in ROW_COLUMNS:
        rows = rows.append_column(name, ours[name])
    return rows
