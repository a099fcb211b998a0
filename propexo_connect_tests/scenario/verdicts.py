"""Every verdict against the truth: what is false, what was missed, and what the vendor explains.

Of each record in a view `<stream>__absence`:

* live and `presumed_deleted`: false, unless it was truly gone in as many reads and for as long as the policy
  asks, and came back after the last of them: that no client can know before its next read. Counted apart.
* live and `absent`: false, unless a complete read since it was last seen did not return it for a reason that
  no client can know: it was gone then and came back; the vendor left it out in silence and nobody had
  declared that yet; the vendor's list was faulty; or its stamp ran backwards, out of what was asked for.
  These are counted apart. What lay outside the request, or outside what was declared, is no such reason.
* returned by a later complete read than `last_seen` tells: false.
* deleted, and covered since: a complete read that began after the deletion would have returned the record as
  it was last returned, clearly inside the bounds. Then the verdict must be `absent` or `presumed_deleted`,
  else the deletion is missed. A read by `updated_at` counts once a later complete one reaches past its end;
  one by a business date never.
* deleted, three times covered so, thirty days after it was last seen, not held back: `presumed_deleted`, else
  it is missed, too.

Reads are the vendor's own log, not the ledger; bounds are taken two grains and two hours narrower than asked,
because what a bound means to the second is the business of the tests of `covered`.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import cast

from propexo_connect.model.absence import Verdict
from propexo_connect.model.ledger import Reading
from propexo_connect.model.stream import Filter, Meaning
from propexo_connect.simulators.population import Record
from propexo_connect_tests.scenario.vendor import DAY, HOUR, QUIET, STREAMS, Read, Reason, Vendor

MINUTE = timedelta(minutes=1)
_FILTERS = {stream.name: stream.filter for stream in STREAMS}
BACKWARDS = "its stamp ran backwards"
CAME_BACK = "presumed deleted while it was, and came back"

Deletion = tuple[str, str, datetime]
"""A stream, a key, and when the record was taken away: one may be taken away twice."""


@dataclass(frozen=True)
class Row:
    """One row of an absence view."""

    id: str
    last_seen: datetime
    covered_absences: int
    last_covered_at: datetime | None
    is_held: bool
    verdict: Verdict


@dataclass
class Tally:
    """What all looks at the views found.

    Args:
        covered: deletions that a read has covered. missed: those of them that a verdict did not tell.
        uncovered: deletions that no read has covered, as of the last look.
        false: false verdicts, in words by stream and key.
        explained: live records that were `absent` for the vendor's own reason, by reason.
        presumed: records that were presumed deleted as of the last look, by stream.
    """

    covered: set[Deletion] = field(default_factory=set[Deletion])
    missed: dict[Deletion, str] = field(default_factory=dict[Deletion, str])
    uncovered: dict[str, int] = field(default_factory=dict[str, int])
    false: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    explained: dict[str, set[tuple[str, str]]] = field(default_factory=dict[str, set[tuple[str, str]]])
    presumed: dict[str, int] = field(default_factory=dict[str, int])
    records: dict[str, int] = field(default_factory=dict[str, int])
    verdicts: dict[str, Counter[str]] = field(default_factory=dict[str, Counter[str]])
    verdict_count: int = 0

    @property
    def is_clean(self) -> bool:
        """Whether no verdict was false and no covered deletion missed."""
        return not self.false and not self.missed

    @property
    def found(self) -> int:
        """How many covered deletions every look told."""
        return len(self.covered - self.missed.keys())


def judge(
    vendor: Vendor, stream: str, rows: Mapping[str, Row], at: datetime, tally: Tally, *, is_declared: bool
) -> None:
    """Compare one view with the truth of an instant.

    Args:
        is_declared: whether the connection knows the filter that the vendor tells nobody of.
    """
    complete = [read for read in vendor.reads[stream] if read.is_complete]
    starts = [read.sync_started_at for read in complete]
    uncovered = 0
    for row in rows.values():
        since = complete[bisect_right(starts, row.last_seen) :]
        served = [
            (read, record)
            for read, record in vendor.served[stream][row.id]
            if read.sync_started_at == row.last_seen
        ]
        if any(vendor.why_missing(stream, row.id, read) is None for read in _ends(since)):
            tally.false[stream, row.id] = f"{row} was returned after it was last seen"
        if not served:
            tally.false[stream, row.id] = f"{row} was not returned when it was last seen"
        elif vendor.is_live(stream, row.id, at):
            _judge_live(vendor, stream, row, since, served[-1][1], tally, is_declared=is_declared)
        else:
            uncovered += not _judge_deleted(vendor, stream, row, since, served[-1][1], tally)
    tally.uncovered[stream] = uncovered
    tally.records[stream] = len(rows)
    tally.verdicts[stream] = Counter(str(row.verdict) for row in rows.values())
    tally.presumed[stream] = tally.verdicts[stream][Verdict.PRESUMED_DELETED]
    tally.verdict_count += len(rows)


def _ends(reads: list[Read]) -> list[Read]:
    """The first and the last few: a record that one of all returned, the last would be likely to return."""
    return reads if len(reads) < 8 else [*reads[:4], *reads[-4:]]


def _judge_live(
    vendor: Vendor,
    stream: str,
    row: Row,
    since: list[Read],
    served: Record,
    tally: Tally,
    *,
    is_declared: bool,
) -> None:
    if row.verdict is Verdict.PRESUMED_DELETED:
        gone = [read for read in since if vendor.why_missing(stream, row.id, read) is Reason.GONE]
        if len(gone) >= 3 and gone[-1].ended_at - row.last_seen >= 30 * DAY:
            tally.explained.setdefault(CAME_BACK, set()).add((stream, row.id))
        else:
            tally.false[stream, row.id] = f"{row} is live, and presumed deleted"
    elif row.verdict is Verdict.ABSENT:
        reasons = {
            reason
            for read in since
            for reason in _unknowable(vendor, stream, row, read, served, is_declared=is_declared)
        }
        for reason in reasons:
            tally.explained.setdefault(reason, set()).add((stream, row.id))
        if not reasons:
            tally.false[stream, row.id] = f"{row} is live, and nothing that read it whole left it out"


def _unknowable(
    vendor: Vendor, stream: str, row: Row, read: Read, served: Record, *, is_declared: bool
) -> Iterator[str]:
    reason = vendor.why_missing(stream, row.id, read)
    if reason in {Reason.GONE, Reason.FAULT} or (reason is Reason.QUIET and not is_declared):
        yield str(reason)
    given = _FILTERS[stream]
    if reason is Reason.OUT_OF_RANGE and given is not None and given.meaning is Meaning.UPDATED:
        version = vendor.visible(stream, row.id, read.started_at)
        if version is not None and _value(version.content, given) < _value(served, given):
            yield BACKWARDS


def _judge_deleted(
    vendor: Vendor, stream: str, row: Row, since: list[Read], served: Record, tally: Tally
) -> bool:
    """Whether a read has covered the deleted record."""
    gone = vendor.population.versions(stream, row.id)[-1]
    deletion = (stream, row.id, gone.visible_at)
    settled = max(
        (read.sync_started_at for read in since if read.reading in {Reading.RECURRING, Reading.FULL}),
        default=row.last_seen,
    )
    covering = [
        read
        for read in since
        if read.started_at > gone.visible_at and _would_return(stream, served, read, settled)
    ]
    if not covering:
        return False
    tally.covered.add(deletion)
    if row.verdict not in {Verdict.ABSENT, Verdict.PRESUMED_DELETED}:
        tally.missed[deletion] = f"{row} is deleted, and {len(covering)} reads covered it"
    is_due = len(covering) >= 3 and covering[-1].ended_at - row.last_seen >= 30 * DAY and not row.is_held
    if is_due and row.verdict is not Verdict.PRESUMED_DELETED:
        tally.missed[deletion] = f"{row} is not presumed deleted, and {len(covering)} reads covered it"
    return True


def _would_return(stream: str, record: Record, read: Read, settled: datetime) -> bool:
    """Whether the vendor would have returned the record, were it still there, and that proves something."""
    if read.is_faulty:
        return False
    if stream == "messages":
        return cast("datetime", record["created_at"]) > read.ended_at - 30 * DAY + MINUTE
    if stream == "inspections" and cast("datetime", record["updated_at"]) < read.ended_at - QUIET + MINUTE:
        return False
    if read.request.is_whole:
        return True
    given = _FILTERS[stream]
    if given is None or given.meaning is Meaning.BUSINESS:
        return False
    if given.meaning is Meaning.UPDATED and settled - given.lag - MINUTE <= read.ended_at:
        return False
    margin = 2 * given.resolution + 2 * HOUR
    start, end = cast("datetime", read.request.start), cast("datetime", read.request.end)
    return start + margin <= _value(record, given) <= end - margin


def _value(record: Record, given: Filter) -> datetime:
    return cast("datetime", record[given.field])
