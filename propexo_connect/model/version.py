"""One version of a record, as its history has it."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Version:
    """What one commit made of a record.

    Args:
        key: the record's key, as the text of a JSON object.
        valid_to: None while the version holds.
        event: `new` or `update`.
        before, after: the columns that changed, as the text of JSON objects; `before` is None when the record
            was new, and `after` has all columns then, and in the last version of one that left its table.
        reading: of which kind the sync was, or `baseline`.
    """

    key: str
    valid_from: datetime
    valid_to: datetime | None
    event: str
    before: str | None
    after: str | None
    sync_id: str
    reading: str


@dataclass(frozen=True, slots=True)
class PastRecord:
    """A record as it was known at an instant, its columns as the text of a JSON object."""

    record: str
    valid_from: datetime
    valid_to: datetime | None
