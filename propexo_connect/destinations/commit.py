"""The one sequence of statements that stores a step, for every destination (SEMANTICS §4).

    fence → suppressed → lock → table → stage → verdicts → history → outbox → merge → changes → rejected →
    ledger → views → fence

The caller opens the transaction before and ends it after; whatever is raised here must roll it back.

A sweep's step brings keys: stage → verdicts → `last_seen`, and nothing between (`sighting.py`).

Counts. `new` and `changed` are the rows that the statements wrote, `unchanged` and `superseded` come from
the verdicts, `read` from the step, and the equation between them is proven before the commit.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from propexo_connect.destinations.arrow import REJECTED, conform, numbered, one_per_hash, schema_of
from propexo_connect.destinations.base import Step
from propexo_connect.destinations.dialect import Link
from propexo_connect.destinations.hash_key import HashKey
from propexo_connect.destinations.identifiers import listed
from propexo_connect.destinations.ledger_row import part_rows, row_of
from propexo_connect.destinations.recall import stored_layout
from propexo_connect.destinations.schema import refuse_wide, store_changes
from propexo_connect.destinations.sighting import sight_keys
from propexo_connect.destinations.state import (
    HOLD_FENCE,
    INSERT_WINDOW,
    LAST_NUMBER,
    READ_FENCE,
    REJECTED_RECORDS,
    WINDOW_PARTS,
    insert,
)
from propexo_connect.destinations.suppress import without_suppressed
from propexo_connect.destinations.swap import overwrite
from propexo_connect.destinations.views import refresh_views
from propexo_connect.destinations.writing import (
    Failpoint,
    Writing,
    finish_table,
    merge_records,
    ready_table,
)
from propexo_connect.model.counts import Counts
from propexo_connect.model.errors import Defect, DestinationBusy, Fenced, NoKey
from propexo_connect.model.ledger import Reading, Window
from propexo_connect.model.stream import Mode

_PARTS_A_STATEMENT = 500


def store(
    link: Link,
    step: Step,
    finished_at: Callable[[], datetime],
    failpoint: Failpoint,
    hash_key: Callable[[], HashKey] = HashKey.stored,
) -> Window:
    """Everything of a step but the commit itself; returns the ledger row with its counts.

    Args:
        hash_key: asked for where records of the stream are suppressed.

    Raises:
        Fenced, Defect, DestinationBusy, SuspiciousEmpty, ConfigurationError, NoKey
    """
    purges, has_suppressions = _check_fence(link, step)
    failpoint("fence checked")
    _refuse_unfit(link, step)
    read, suppressed = step.read, 0
    if has_suppressions:
        step, suppressed = without_suppressed(link, step, hash_key())
    counts, gathered = _store_records(link, step, failpoint) if step.layout.is_ready else (Counts(), 0)
    if step.changes:
        store_changes(link, step, step.window.started_at)
        failpoint("changes stored")
    rejected = _reject(link, step, failpoint) + suppressed
    counts += Counts(read=read - gathered, superseded=step.superseded, rejected=rejected)
    counts.prove(step.plan.where)

    window = replace(step.window, counts=counts, suppressed=suppressed, finished_at=finished_at())
    link.run(INSERT_WINDOW, row_of(window, gathered))
    failpoint("ledger written")
    if window.parts:
        _write_parts(link, window)
        failpoint("parts written")
    # A sweep's step has the key alone, and the views show all columns.
    is_sweep = window.reading is Reading.SWEEP
    layout = stored_layout(link, step.plan) if is_sweep else step.layout
    if layout is not None and layout.is_ready:
        refresh_views(link, replace(step, window=window, layout=layout), failpoint)
    _hold_fence(link, step, purges)
    failpoint("fence held")
    return window


def _write_parts(link: Link, window: Window) -> None:
    """The parents that this window ended with, as many in a statement as parameters allow."""
    number = link.rows(LAST_NUMBER, (window.connection, window.stream))[0][0]
    for start in range(0, len(window.parts), _PARTS_A_STATEMENT):
        some = replace(window, parts=window.parts[start : start + _PARTS_A_STATEMENT])
        link.run(insert(WINDOW_PARTS, len(some.parts)), part_rows(some, number))


def _check_fence(link: Link, step: Step) -> tuple[int, bool]:
    """How many purges met the stream so far, and whether records of it are suppressed."""
    lane = step.window.reading.lane
    found = link.rows(READ_FENCE, (step.plan.connection, step.plan.stream.name, lane))
    if not found or found[0][0] != step.window.fence:
        raise _fenced(step)
    return found[0][1], found[0][2]


def _hold_fence(link: Link, step: Step, purges: int) -> None:
    lane = step.window.reading.lane
    of_lane = (step.plan.connection, step.plan.stream.name, lane)
    if link.run(HOLD_FENCE, (*of_lane, step.window.fence, purges)) == 1:
        return
    found = link.rows(READ_FENCE, of_lane)
    if found and found[0][0] == step.window.fence:
        raise DestinationBusy(
            "a purge has come in between",
            where=step.plan.where,
            remedy="Nothing of this step was written; it is read again, without what was purged.",
        )
    raise _fenced(step)


def _fenced(step: Step) -> Fenced:
    return Fenced(
        f"a newer sync has taken over the lane '{step.window.reading.lane}' from sync {step.window.sync_id}",
        where=step.plan.where,
        remedy="Nothing of this step was written; the newer sync reads it again.",
    )


def _refuse_unfit(link: Link, step: Step) -> None:
    plan = step.plan
    if plan.mode is Mode.MERGE and not step.layout.key:
        raise NoKey("records without a key cannot be merged", where=plan.where, remedy="Use the mode append.")
    is_sweep = step.window.reading is Reading.SWEEP
    if is_sweep and not step.layout.key:
        raise NoKey("records without a key cannot be swept", where=plan.where, remedy="Write sweep: never.")
    if plan.mode is Mode.OVERWRITE and not is_sweep and not step.window.request.is_whole:
        raise Defect("a read of a part would take the whole table's place", where=plan.where)
    if not step.layout.is_ready:
        if step.records.num_rows:
            raise Defect("records come without a table to hold them", where=plan.where)
        return
    refuse_wide(link.dialect, step)
    for name in step.layout.key_columns:
        if step.records.column(name).null_count:
            raise Defect(f"a record comes without a value in its key '{name}'", where=plan.where)


def _store_records(link: Link, step: Step, failpoint: Failpoint) -> tuple[Counts, int]:
    """The table as the step leaves it; the counts, and how many records were put aside."""
    if step.window.reading is Reading.SWEEP:
        return sight_keys(link, step, failpoint), 0
    records = conform(step.records, schema_of(step.layout), step.plan.where)
    repeated = 0
    if not step.layout.key:
        records, before = one_per_hash(records), records.num_rows
        repeated = before - records.num_rows
    is_fresh = ready_table(link, step, failpoint)
    writing = Writing(link, step, numbered(records), failpoint, is_fresh)
    if step.plan.mode is Mode.OVERWRITE:
        counts, gathered = overwrite(writing)
    else:
        counts, gathered = merge_records(writing), 0
    finish_table(writing)
    return counts + Counts(superseded=repeated), gathered


def _reject(link: Link, step: Step, failpoint: Failpoint) -> int:
    if not step.rejected.num_rows:
        return 0
    rejected = conform(step.rejected, REJECTED, step.plan.where)
    staged = link.stage("rejected", rejected, None)
    failpoint("rejected staged")
    stored = link.run(
        f"insert into {REJECTED_RECORDS.sql} ({listed(REJECTED_RECORDS.names)}) "
        f"select cast($1 as text), cast($2 as text), cast($3 as text), s.read_at, s.reason, s.record "
        f"from {staged} s",
        (step.plan.connection, step.plan.stream.name, step.window.sync_id),
    )
    failpoint("rejected stored")
    return stored
