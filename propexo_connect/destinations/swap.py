"""The mode `overwrite`: parts of a whole read gather out of sight, and the complete read swaps in.

A part that only gathers counts what it alone decides (rejected, and superseded within the part). Its records
are counted by the part that swaps them in, as `read` too, so that the equation holds for every row of the
ledger and for their sum. The ledger's `gathered` says how many a part put aside; less than zero, how many
it took in.
"""

from dataclasses import replace

import pyarrow as pa

from propexo_connect.destinations import merge as sql
from propexo_connect.destinations.arrow import INSTANT, ROW
from propexo_connect.destinations.identifiers import qualified, quote
from propexo_connect.destinations.merge import GATHERED_READ, Merge
from propexo_connect.destinations.recall import gathered_table, has_table, holds_parts
from propexo_connect.destinations.writing import (
    Verdicts,
    Writing,
    judge_records,
    judge_stage,
    write_records,
    write_stage,
)
from propexo_connect.model.counts import Counts
from propexo_connect.model.errors import DestinationBusy, SuspiciousEmpty
from propexo_connect.model.stream import Table

_SUSPICIOUS_SHARE = 0.1
"""A whole read that brings less than this share of the rows before it must be confirmed by a person."""


def overwrite(writing: Writing) -> tuple[Counts, int]:
    """Gather a part, or swap the whole in; the counts, and how many records were put aside.

    Raises:
        DestinationBusy: records that earlier parts put aside are gone. SuspiciousEmpty: nothing was touched.
    """
    link, step = writing.link, writing.step
    gathered = gathered_table(step.plan)
    is_gathering = has_table(link, gathered)
    if not holds_parts(link, step.plan, step.window):
        raise DestinationBusy(
            "another whole read of the stream has begun since this one, which put its records aside",
            where=step.plan.where,
            remedy="The stream is read again from its beginning.",
        )
    if is_gathering:
        of_read = (step.window.read_started_at,)
        link.run(f"delete from {qualified(gathered)} where {quote(GATHERED_READ)} <> $1", of_read)
        writing.failpoint("leftovers discarded")
    if not step.window.is_complete:
        if not is_gathering:
            columns = sql.gathered_columns(link.dialect, step.layout)
            link.run(f"create table {qualified(gathered)} ({columns})")
            writing.failpoint("gathered table made")
        _gather(writing, gathered)
        return Counts(), writing.records.num_rows

    waiting = link.rows(f"select count(*) from {qualified(gathered)}")[0][0] if is_gathering else 0
    if waiting:
        counts = _swap_gathered(writing, gathered, waiting)
    else:
        counts = _swap(writing, None, writing.records.num_rows)
    if is_gathering:
        link.run(f"drop table {qualified(gathered)}")
        writing.failpoint("gathered table dropped")
    return counts, -waiting


def _gather(writing: Writing, gathered: Table) -> None:
    """Put the step's records aside, numbered on from those that wait already."""
    records = writing.records
    if not records.num_rows:
        return
    last = writing.link.rows(f"select coalesce(max({quote(ROW)}) + 1, 0) from {qualified(gathered)}")[0][0]
    read = pa.scalar(writing.step.window.read_started_at, INSTANT)
    place = records.schema.get_field_index(ROW)
    records = records.set_column(place, ROW, pa.arange(last, last + records.num_rows))
    records = records.append_column(GATHERED_READ, pa.repeat(read, records.num_rows))
    writing.link.append(gathered, records, writing.step.layout)
    writing.failpoint("records gathered")


def _swap_gathered(writing: Writing, gathered: Table, waiting: int) -> Counts:
    _gather(writing, gathered)
    merge = replace(writing.merge, stage=qualified(gathered))
    repeated = writing.link.run(sql.thin_gathered(merge, gathered))
    distinct = waiting + writing.records.num_rows - repeated
    return Counts(superseded=repeated) + _swap(writing, merge, distinct)


def _swap(writing: Writing, staged: Merge | None, count: int) -> Counts:
    """Make the table hold these records and nothing else; rows whose content stays are only stamped.

    Args:
        staged: says where the records are staged already; None: they are the step's own.
    """
    merge = staged or writing.merge
    before = 0 if writing.is_fresh else writing.link.rows(f"select count(*) from {merge.table}")[0][0]
    if before and not merge.plan.allow_empty and (not count or count < before * _SUSPICIOUS_SHARE):
        raise SuspiciousEmpty(
            f"a whole read brought {count} records where the table {merge.plan.table} holds {before}",
            where=merge.plan.where,
            remedy="Look at the source. If it is right, set allow_empty for this stream and sync again.",
        )
    if not count:
        return _clear(writing, before)
    if staged is None:
        merge, verdicts = judge_records(writing)
        _drop_gone(writing, merge, verdicts, before)
        return write_records(writing, merge, verdicts)
    verdicts = judge_stage(writing, merge, count)
    _drop_gone(writing, merge, verdicts, before)
    return write_stage(writing, merge, verdicts)


def _drop_gone(writing: Writing, merge: Merge, verdicts: Verdicts, before: int) -> None:
    if verdicts.total - verdicts.new == before:
        return
    if merge.plan.history:
        writing.link.run(sql.close_gone(merge), (writing.step.window.started_at,))
    writing.link.run(sql.delete_gone(merge))
    writing.failpoint("gone deleted")


def _clear(writing: Writing, before: int) -> Counts:
    if before:
        merge = writing.merge
        if merge.plan.history:
            writing.link.run(sql.close_all(merge), (writing.step.window.started_at,))
        writing.link.run(f"delete from {merge.table}")
        writing.failpoint("gone deleted")
    return Counts()
