"""The one sequence of statements that stores a step, for every destination (SEMANTICS §4).

    fence → stage → lock → table → verdicts → history → merge → rejected → changes → ledger → fence

The caller opens the transaction before and ends it after; whatever is raised here must roll it back.

Counts. `new` and `changed` are the rows that the statements wrote, `unchanged` and `superseded` come from
the verdicts, `read` from the step, and the equation between them is proven before the commit. In the mode
`overwrite` a part that only gathers counts what it alone decides (rejected, and superseded within the part);
its records are counted by the part that swaps them in, as `read` too, so that the equation holds for every
row of the ledger and for their sum.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

import pyarrow as pa

from propexo_connect.destinations import merge as sql
from propexo_connect.destinations.arrow import REJECTED, conform, numbered, one_per_hash, schema_of
from propexo_connect.destinations.base import Step
from propexo_connect.destinations.dialect import Link
from propexo_connect.destinations.identifiers import listed, qualified, quote
from propexo_connect.destinations.ledger_row import row_of
from propexo_connect.destinations.merge import CHANGED, NEW, OLDER, UNCHANGED, Merge
from propexo_connect.destinations.recall import gathered_table, has_table, holds_parts, stored_layout
from propexo_connect.destinations.schema import (
    change_mode,
    grow_table,
    make_history,
    make_index,
    make_table,
    refuse_wide,
    store_changes,
)
from propexo_connect.destinations.state import (
    HOLD_FENCE,
    NEXT_NUMBER,
    READ_FENCE,
    REJECTED_RECORDS,
    STREAMS,
    WINDOWS,
    insert,
    select,
)
from propexo_connect.model.counts import Counts
from propexo_connect.model.errors import Defect, DestinationBusy, Fenced, NoKey, SuspiciousEmpty
from propexo_connect.model.ledger import Window
from propexo_connect.model.stream import Mode

_SUSPICIOUS_SHARE = 0.1
"""A whole read that brings less than this share of the rows before it must be confirmed by a person."""

Failpoint = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class _Verdicts:
    """How many staged records there are of each verdict, and how many rows the stamp will touch."""

    new: int
    unchanged: int
    older: int
    changed: int
    stamped: int

    @property
    def total(self) -> int:
        return self.new + self.unchanged + self.older + self.changed


def store(link: Link, step: Step, finished_at: Callable[[], datetime], failpoint: Failpoint) -> Window:
    """Everything of a step but the commit itself; returns the ledger row with its counts.

    Raises:
        Fenced, Defect, DestinationBusy, SuspiciousEmpty, ConfigurationError, NoKey
    """
    _check_fence(link, step)
    failpoint("fence checked")
    _refuse_unfit(step)
    refuse_wide(link.dialect, step)
    records = conform(step.records, schema_of(step.layout), step.plan.where)
    repeated = 0
    if not step.layout.key:
        records, before = one_per_hash(records), records.num_rows
        repeated = before - records.num_rows
    stage = ""
    if records.num_rows:
        stage = link.stage("records", numbered(records), step.layout)
        failpoint("records staged")
    merge = Merge(link.dialect, step.plan, step.layout, stage, step.force)
    counts, gathered = Counts(), 0
    if step.layout.is_ready:
        counts, gathered = _store_records(link, merge, step, records.num_rows, failpoint)
    store_changes(link, step, step.window.started_at)
    if step.changes:
        failpoint("changes stored")
    rejected = _reject(link, step, failpoint)
    own = Counts(read=step.read - gathered, superseded=step.superseded + repeated, rejected=rejected)
    counts += own
    counts.prove(step.plan.where)

    window = replace(step.window, counts=counts, finished_at=finished_at())
    number = link.rows(NEXT_NUMBER, (step.plan.connection, step.plan.stream.name))[0][0]
    link.run(insert(WINDOWS), row_of(window, number, gathered))
    failpoint("ledger written")
    _hold_fence(link, step)
    failpoint("fence held")
    return window


def _check_fence(link: Link, step: Step) -> None:
    lane = step.window.reading.lane
    found = link.rows(READ_FENCE, (step.plan.connection, step.plan.stream.name, lane))
    if not found or found[0][0] != step.window.fence:
        raise _fenced(step)


def _hold_fence(link: Link, step: Step) -> None:
    lane = step.window.reading.lane
    of_lane = (step.plan.connection, step.plan.stream.name, lane, step.window.fence)
    if link.run(HOLD_FENCE, of_lane) != 1:
        raise _fenced(step)


def _fenced(step: Step) -> Fenced:
    return Fenced(
        f"a newer sync has taken over the lane '{step.window.reading.lane}' from sync {step.window.sync_id}",
        where=step.plan.where,
        remedy="Nothing of this step was written; the newer sync reads it again.",
    )


def _refuse_unfit(step: Step) -> None:
    plan = step.plan
    if plan.mode is Mode.MERGE and not step.layout.key:
        raise NoKey("records without a key cannot be merged", where=plan.where, remedy="Use the mode append.")
    if plan.mode is Mode.OVERWRITE and not step.window.request.is_whole:
        raise Defect("a read of a part would take the whole table's place", where=plan.where)
    if not step.layout.is_ready:
        if step.records.num_rows:
            raise Defect("records come without a table to hold them", where=plan.where)
        return
    for name in step.layout.key_columns:
        if step.records.column(name).null_count:
            raise Defect(f"a record comes without a value in its key '{name}'", where=plan.where)


def _store_records(
    link: Link, merge: Merge, step: Step, staged: int, failpoint: Failpoint
) -> tuple[Counts, int]:
    """The table as the step leaves it; the counts, and how many records were put aside."""
    is_fresh = _ready_table(link, merge, step, failpoint)
    gathered = 0
    if step.plan.mode is Mode.OVERWRITE:
        counts, gathered = _overwrite(link, merge, step, staged, is_fresh, failpoint)
    elif staged:
        verdicts = _judge(link, merge, step, staged, is_fresh, failpoint)
        counts = _apply(link, merge, step, verdicts, failpoint)
    else:
        counts = Counts()
    if is_fresh:
        make_index(merge, link)
        failpoint("index made")
    return counts, gathered


def _ready_table(link: Link, merge: Merge, step: Step, failpoint: Failpoint) -> bool:
    """The table as the step needs it; whether it was made just now."""
    stored = stored_layout(link, step.plan, lock=True)
    failpoint("stream locked")
    if stored is None:
        make_table(link, step, step.window.started_at, failpoint)
    else:
        mode = link.rows(select(STREAMS, ("mode",)), (step.plan.connection, step.plan.stream.name))[0][0]
        change_mode(merge, link, Mode(mode))
        grow_table(link, step, stored, step.window.started_at, failpoint)
    if step.plan.history:
        make_history(merge, link, failpoint)
    return stored is None


def _judge(
    link: Link, merge: Merge, step: Step, staged: int, is_fresh: bool, failpoint: Failpoint
) -> _Verdicts:
    if not link.dialect.capabilities.has_indexes and link.rows(sql.repeated_keys(merge))[0][0]:
        raise Defect("a step holds the same key twice", where=step.plan.where)
    if is_fresh and not step.plan.history:
        return _Verdicts(staged, 0, 0, 0, 0)
    for statement in sql.scratch_verdicts(link.dialect):
        link.run(statement)
    failpoint("verdicts made")
    if is_fresh:
        link.run(sql.judge_all_new(merge))
    else:
        link.run(sql.judge(merge), (step.window.started_at,))
    link.settle("verdicts")
    failpoint("verdicts reached")
    found = {verdict: (count, moving) for verdict, count, moving in link.rows(sql.count_verdicts(merge))}
    none = (0, 0)
    verdicts = _Verdicts(
        *(found.get(verdict, none)[0] for verdict in (NEW, UNCHANGED, OLDER, CHANGED)),
        stamped=found.get(UNCHANGED, none)[1] + found.get(OLDER, none)[1],
    )
    if verdicts.total != staged:
        raise Defect(
            f"{staged} records met {verdicts.total} rows: the table {step.plan.table} holds a key twice",
            where=step.plan.where,
        )
    return verdicts


def _apply(link: Link, merge: Merge, step: Step, verdicts: _Verdicts, failpoint: Failpoint) -> Counts:
    """Write what the verdicts say, and count what was written."""
    started_at, sync_id = step.window.started_at, step.window.sync_id
    if step.plan.history:
        if verdicts.changed:
            link.run(sql.close_history(merge))
            failpoint("history closed")
        if verdicts.new or verdicts.changed:
            link.run(sql.write_history(merge), (sync_id, str(step.window.reading)))
            failpoint("history written")
    is_all = verdicts.new == verdicts.total
    inserted = updated = 0
    if verdicts.new or (merge.keeps_versions and verdicts.changed):
        inserted = link.run(sql.insert_new(merge, is_all=is_all), (started_at, sync_id))
        failpoint("new inserted")
    if verdicts.changed and merge.keeps_versions:
        updated = verdicts.changed
        inserted -= updated
    elif verdicts.changed:
        updated = link.run(sql.update_changed(merge), (started_at, sync_id))
        failpoint("changed updated")
    if verdicts.stamped:
        stamped = link.run(sql.stamp_seen(merge), (started_at,))
        failpoint("seen stamped")
        if stamped != verdicts.stamped:
            raise Defect(f"{stamped} of {verdicts.stamped} rows were stamped as seen", where=step.plan.where)
    return Counts(new=inserted, changed=updated, unchanged=verdicts.unchanged, superseded=verdicts.older)


def _overwrite(
    link: Link, merge: Merge, step: Step, staged: int, is_fresh: bool, failpoint: Failpoint
) -> tuple[Counts, int]:
    """Gather a part, or swap the whole in; the counts, and how many records were put aside (less for the
    part that takes them in: it reads them now)."""
    gathered = gathered_table(step.plan)
    is_gathering = has_table(link, gathered)
    if not holds_parts(link, step.plan, step.window):
        raise DestinationBusy(
            "another whole read of the stream has begun since this one, which put its records aside",
            where=step.plan.where,
            remedy="The stream is read again from its beginning.",
        )
    of_read = (step.window.read_started_at,)
    if is_gathering:
        link.run(f"delete from {qualified(gathered)} where {quote(sql.GATHERED_READ)} <> $1", of_read)
        failpoint("leftovers discarded")
    if not step.window.is_complete:
        if not is_gathering:
            columns = sql.gathered_columns(link.dialect, step.layout)
            link.run(f"create table {qualified(gathered)} ({columns})")
            failpoint("gathered table made")
        if staged:
            link.run(sql.gather(merge, gathered), of_read)
            failpoint("records gathered")
        return Counts(), staged

    waiting = link.rows(f"select count(*) from {qualified(gathered)}")[0][0] if is_gathering else 0
    repeated = 0
    if waiting:
        if staged:
            link.run(sql.gather(merge, gathered), of_read)
            failpoint("records gathered")
        repeated = link.run(sql.thin_gathered(merge, gathered))
        merge = replace(merge, stage=qualified(gathered))
    distinct = waiting + staged - repeated
    counts = Counts(superseded=repeated) + _swap(link, merge, step, distinct, is_fresh, failpoint)
    if is_gathering:
        link.run(f"drop table {qualified(gathered)}")
        failpoint("gathered table emptied")
    return counts, -waiting


def _swap(link: Link, merge: Merge, step: Step, staged: int, is_fresh: bool, failpoint: Failpoint) -> Counts:
    """Make the table hold the staged records and nothing else; rows whose content stays are not rewritten."""
    before = 0 if is_fresh else link.rows(f"select count(*) from {merge.table}")[0][0]
    if before and not step.plan.allow_empty and (not staged or staged < before * _SUSPICIOUS_SHARE):
        raise SuspiciousEmpty(
            f"a whole read brought {staged} records where the table {step.plan.table} holds {before}",
            where=step.plan.where,
            remedy="Look at the source. If it is right, set allow_empty for this stream and sync again.",
        )
    if not before and not staged:
        return Counts()
    if not staged:
        return _clear(link, merge, step, failpoint)
    verdicts = _judge(link, merge, step, staged, is_fresh, failpoint)
    if verdicts.total - verdicts.new < before:
        if step.plan.history:
            link.run(sql.close_gone(merge), (step.window.started_at,))
        link.run(sql.delete_gone(merge))
        failpoint("gone deleted")
    return _apply(link, merge, step, verdicts, failpoint)


def _clear(link: Link, merge: Merge, step: Step, failpoint: Failpoint) -> Counts:
    if step.plan.history:
        link.run(
            f"update {merge.history} set valid_to = greatest(valid_from, cast($1 as timestamptz)) "
            f"where valid_to is null",
            (step.window.started_at,),
        )
    link.run(f"delete from {merge.table}")
    failpoint("gone deleted")
    return Counts()


def _reject(link: Link, step: Step, failpoint: Failpoint) -> int:
    if not step.rejected.num_rows:
        return 0
    rejected = conform(step.rejected, REJECTED, step.plan.where)
    staged = link.stage("rejected", pa.table(rejected), None)
    failpoint("rejected staged")
    stored = link.run(
        f"insert into {REJECTED_RECORDS.sql} ({listed(REJECTED_RECORDS.names)}) "
        f"select cast($1 as text), cast($2 as text), cast($3 as text), s.read_at, s.reason, s.record "
        f"from {staged} s",
        (step.plan.connection, step.plan.stream.name, step.window.sync_id),
    )
    failpoint("rejected stored")
    return stored
