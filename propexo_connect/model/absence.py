"""What is known about a record that may be gone (SEMANTICS §5)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Verdict(StrEnum):
    """What the ledger says about one record."""

    PRESENT = "present"
    """The latest complete read's sync returned it, or none has been complete since it was seen."""
    NOT_COVERED = "not_covered"
    """It was not returned since, and no complete read covered it: nobody can know."""
    ABSENT = "absent"
    """A complete read covered it and did not return it."""
    PRESUMED_DELETED = "presumed_deleted"
    """It is absent, and so the policy of the stream presumes."""


@dataclass(frozen=True, slots=True)
class AbsenceFacts:
    """How a stream's records stand.

    Args:
        unseen: how many no sync returned in the last days, by the number of days.
        verdicts: how many there are of each; None where that was not asked, or there are no views yet.
        held: absent records that were missed together with so many others that none is presumed deleted.
        last_covered_at: when the latest read ended that covered a record and did not return it.
    """

    records: int
    unseen: Mapping[int, int]
    verdicts: Mapping[Verdict, int] | None = None
    held: int = 0
    last_covered_at: datetime | None = None
