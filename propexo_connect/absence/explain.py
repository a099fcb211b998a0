"""What is known of a record that may be gone, in words."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from propexo_connect.absence.reads import Known, Reason, Settled, why_not
from propexo_connect.model.absence import Verdict
from propexo_connect.model.duration import duration_text
from propexo_connect.model.ledger import Reading, Window
from propexo_connect.model.stream import AbsencePolicy, StreamPlan

_SAID = {
    Verdict.PRESENT: "present: the latest complete sync returned it, or none was complete since",
    Verdict.NOT_COVERED: "not covered: it was not returned since, but no complete read would have had to "
    "return it, so nobody can know",
    Verdict.ABSENT: "absent: reads that would have had to return it did not",
    Verdict.PRESUMED_DELETED: "presumed deleted, by the policy below; the row stays",
}


@dataclass(frozen=True)
class Explanation:
    """Why a record has its verdict.

    Args:
        covering: the reads that covered the record and did not return it, oldest first.
        others: how many reads since it was last seen do not count, by kind of reading and reason.
    """

    known: Known
    policy: str
    covering: tuple[Window, ...]
    others: tuple[tuple[Reading, Reason, int], ...]

    @property
    def verdict(self) -> str:
        """The verdict in words."""
        held = "; held back, because too many records were missed at once" if self.known.is_held else ""
        return _SAID[self.known.verdict] + held


def explain(known: Known, plan: StreamPlan, ledger: Sequence[Window]) -> Explanation:
    """Go through the ledger of a stream for one record.

    Args:
        ledger: all rows, oldest first; parts of a read count as what their last one says.
    """
    settled, sighting = Settled.of(ledger), known.sighting
    covering: list[Window] = []
    others: Counter[tuple[Reading, Reason]] = Counter()
    for read in _ended(ledger):
        reason = why_not(read, sighting, settled, plan.stream.hides)
        if reason is None:
            covering.append(read)
        elif reason is not Reason.BEGAN_BEFORE or read.started_at > sighting.last_seen:
            others[read.reading, reason] += 1
    told = tuple((reading, reason, count) for (reading, reason), count in others.most_common())
    return Explanation(known, policy_words(plan), tuple(covering), told)


def fields_of(plan: StreamPlan, ledger: Iterable[Window]) -> tuple[str, ...]:
    """The fields by which reads of a stream were ever filtered."""
    declared = [*plan.stream.declarations(), *(one for read in ledger for one in read.declarations)]
    return tuple(dict.fromkeys(one.field for one in declared if one.field))


def policy_words(plan: StreamPlan) -> str:
    """When the stream's policy presumes a record deleted."""
    policy = plan.absence
    if policy.covered_absences is None and policy.unseen_for is None:
        return "nothing is presumed deleted (absence: never)"
    state = next((one for one in plan.stream.hides if one.hides_by_state), None)
    if policy.is_default and state is not None:
        note = state.note.rstrip(".") or f"records are hidden by {state.field}"
        return f"nothing is presumed deleted unless `absence` is set for this stream, because {note}"
    conditions = _conditions(policy)
    whose = "the default" if policy.is_default else "set for this stream"
    return f"presumed deleted after {' and '.join(conditions)} ({whose})"


def as_json(given: Explanation) -> dict[str, Any]:
    """The explanation as plain values."""
    known = given.known
    return {
        "key": dict(known.key),
        "verdict": str(known.verdict),
        "explanation": given.verdict,
        "policy": given.policy,
        "last_seen": known.sighting.last_seen.isoformat(),
        "covered_absences": known.covered_absences,
        "last_covered_at": None if known.last_covered_at is None else known.last_covered_at.isoformat(),
        "is_held": known.is_held,
        "covering_reads": [
            {
                "reading": str(read.reading),
                "sync_id": read.sync_id,
                "ended_at": read.finished_at.isoformat(),
                "asked_for": asked_for(read),
            }
            for read in given.covering
        ],
        "other_reads": [
            {"reading": str(reading), "reason": str(reason), "count": count}
            for reading, reason, count in given.others
        ],
    }


def asked_for(read: Window) -> str:
    """What a read proves, in words."""
    start, end = read.covered.start, read.covered.end
    if start is None and end is None:
        return "everything"
    return f"{read.filter_field} from {_bound(start, 'the beginning')} to {_bound(end, 'the end')}"


def _bound(bound: datetime | int | None, otherwise: str) -> str:
    if bound is None:
        return otherwise
    return f"{bound:%Y-%m-%d %H:%M:%S} UTC" if isinstance(bound, datetime) else str(bound)


def _conditions(policy: AbsencePolicy) -> list[str]:
    found: list[str] = []
    if policy.covered_absences is not None:
        found.append(f"{policy.covered_absences} complete reads that covered it")
    if policy.unseen_for is not None:
        found.append(f"{duration_text(policy.unseen_for)} from its last sighting to the latest of them")
    return found


def _ended(ledger: Sequence[Window]) -> list[Window]:
    """The last row of each read: earlier parts say nothing by themselves."""
    last: dict[tuple[datetime, object, Reading], Window] = {}
    for row in ledger:
        last[row.read_started_at, row.tile, row.reading] = row
    return list(last.values())
