"""Whether a complete read covered a record, and if not, why: the rules of `destinations/absence.py`.

Judges columns that hold instants or numbers; local times and days are the views' alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from propexo_connect.model.ledger import Reading, Window
from propexo_connect.model.stream import FilterDeclaration, FilterKind, Meaning

_HOUR = timedelta(hours=1)


class Reason(StrEnum):
    """Why a read says nothing about a record."""

    INCOMPLETE = "the read did not come to its end"
    BEGAN_BEFORE = "the read began before the record was last seen"
    SKIPPED_PARENT = "the read had to skip a parent"
    NO_FIELD = "a filter without a field hides records"
    NOT_HELD = "the table does not hold the filter's field, or holds it as text"
    BUSINESS = "people edit the date that was asked for"
    NO_VALUE = "the record has no value in the filter's field"
    OUTSIDE = "the record's value lies outside of what was asked"
    UNSETTLED = "the record may have moved ahead, and later reads have not passed yet"
    HIDDEN = "the vendor's rolling filter may hide the record"


@dataclass(frozen=True)
class Sighting:
    """One record as it was last seen.

    Args:
        values: by field, of every declared field that the table holds in an ordered type.
    """

    last_seen: datetime
    read_at: datetime
    values: Mapping[str, datetime | int | None]


def why_not(
    read: Window, record: Sighting, ledger: Sequence[Window], hides: Sequence[FilterDeclaration]
) -> Reason | None:
    """Why a read does not cover a record; None when it does."""
    if not read.is_complete:
        return Reason.INCOMPLETE
    steps = [one for one in ledger if one.read_started_at == read.read_started_at]
    since = min(one.started_at for one in steps)
    if since <= record.last_seen or read.read_started_at <= record.read_at:
        return Reason.BEGAN_BEFORE
    if any(part.is_skipped for one in steps for part in one.parts):
        return Reason.SKIPPED_PARENT
    for declared in dict.fromkeys((*read.declarations, *hides)):
        reason = _filtered(read, record, ledger, declared)
        if reason is not None:
            return reason
    return None


def _filtered(
    read: Window, record: Sighting, ledger: Sequence[Window], declared: FilterDeclaration
) -> Reason | None:
    is_ours = declared.kind is FilterKind.EXPLICIT
    if not is_ours and declared.rolling is None:
        return None if declared.field else Reason.NO_FIELD
    if declared.field not in record.values:
        return Reason.NOT_HELD
    if declared.meaning is Meaning.BUSINESS:
        return Reason.BUSINESS
    value = record.values[declared.field]
    if value is None:
        return Reason.NO_VALUE
    if is_ours:
        return _asked(read, value, ledger, declared)
    if not isinstance(value, datetime) or declared.rolling is None:
        return Reason.NOT_HELD
    grain = declared.resolution or timedelta(0)
    reach = declared.rolling - (grain + _HOUR if grain >= _HOUR else grain)
    return None if read.finished_at - reach <= value <= read.read_started_at else Reason.HIDDEN


def _asked(
    read: Window, value: datetime | int, ledger: Sequence[Window], declared: FilterDeclaration
) -> Reason | None:
    start, end = read.covered.start, read.covered.end
    if not _is_within(value, start, end):
        return Reason.OUTSIDE
    if declared.meaning is Meaning.CREATED:
        return None
    later = [one for one in ledger if one.is_complete and one.reading in {Reading.RECURRING, Reading.FULL}]
    marks = [one.started_at if isinstance(value, int) else one.tile.end for one in later]
    passed = any(isinstance(mark, datetime) and read.finished_at <= mark for mark in marks)
    return None if passed else Reason.UNSETTLED


def _is_within(value: datetime | int, start: datetime | int | None, end: datetime | int | None) -> bool:
    if isinstance(value, datetime):
        is_after = not isinstance(start, datetime) or value >= start
        return is_after and (not isinstance(end, datetime) or value < end)
    is_after = not isinstance(start, int) or value >= start
    return is_after and (not isinstance(end, int) or value < end)
