"""What is known about a record that may be gone (SEMANTICS §5)."""

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
        held: absent records that were missed together with so many others that none is presumed deleted.
        unseen_7d, unseen_30d, unseen_90d: records that no sync of these last days returned.
        last_covered_at: when the latest read ended that covered a record and did not return it.
    """

    records: int = 0
    present: int = 0
    not_covered: int = 0
    absent: int = 0
    presumed_deleted: int = 0
    held: int = 0
    unseen_7d: int = 0
    unseen_30d: int = 0
    unseen_90d: int = 0
    last_covered_at: datetime | None = None
