"""Whether a complete read covered a record, and if not, why: the rules of `destinations/absence.py` in words.

The views decide; this explains. A test holds the two against each other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from zoneinfo import ZoneInfo

from propexo_connect.model.absence import Verdict
from propexo_connect.model.ledger import Reading, Window
from propexo_connect.model.stream import FilterDeclaration, FilterKind, Meaning

_HOUR = timedelta(hours=1)
_NONE = timedelta(0)

Value = datetime | date | int | Decimal | None
"""A stored value of a filter's field: an instant, a local time, a day, a number, or none."""


class Reason(StrEnum):
    """Why a read says nothing about a record."""

    INCOMPLETE = "not read to the end"
    BEGAN_BEFORE = "begun before the record was last seen"
    SKIPPED_PARENT = "a parent had to be skipped"
    NO_FIELD = "a filter that names no field may hide any record"
    NOT_HELD = "filtered by a field that the table does not hold, or holds as text"
    BUSINESS = "a date of the business was asked for, and people edit such dates"
    NO_VALUE = "filtered by a field in which the record has no value"
    OUTSIDE = "other values were asked for"
    UNSETTLED = "the record may have moved ahead, and later reads have not passed yet"
    HIDDEN = "a rolling filter of the vendor may hide the record"


@dataclass(frozen=True)
class Sighting:
    """One record as it was last seen.

    Args:
        values: by field, of every declared field that the table holds in an ordered type.
    """

    last_seen: datetime
    read_at: datetime
    values: Mapping[str, Value]


@dataclass(frozen=True)
class Known:
    """One record as the view beside its table has it.

    Args:
        key: the columns of the key, as text.
    """

    key: Mapping[str, str]
    verdict: Verdict
    covered_absences: int
    last_covered_at: datetime | None
    is_held: bool
    sighting: Sighting


@dataclass(frozen=True)
class Settled:
    """How far later reads have come, by which earlier ones are judged."""

    tile_end: datetime | None
    begun_at: datetime | None

    @classmethod
    def of(cls, ledger: Sequence[Window]) -> "Settled":
        """What the complete recurring and full reads of a ledger reach."""
        later = [
            one for one in ledger if one.is_complete and one.reading in {Reading.RECURRING, Reading.FULL}
        ]
        ends = [one.tile.end for one in later if isinstance(one.tile.end, datetime)]
        return cls(max(ends, default=None), max((one.started_at for one in later), default=None))


def why_not(
    read: Window, record: Sighting, settled: Settled, hides: Sequence[FilterDeclaration]
) -> Reason | None:
    """Why a read does not cover a record; None when it does.

    Args:
        hides: what is declared now of the vendor's own filters; what was declared then is the read's.
    """
    if not read.is_complete:
        return Reason.INCOMPLETE
    if read.first_started_at <= record.last_seen or read.read_started_at <= record.read_at:
        return Reason.BEGAN_BEFORE
    if read.is_skipping:
        return Reason.SKIPPED_PARENT
    for declared in dict.fromkeys((*read.declarations, *hides)):
        reason = _filtered(read, record, settled, declared)
        if reason is not None:
            return reason
    return None


def _filtered(read: Window, record: Sighting, settled: Settled, declared: FilterDeclaration) -> Reason | None:
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
    if isinstance(value, int | Decimal):
        return _asked_for_numbers(read, value, settled, declared) if is_ours else Reason.NOT_HELD
    first, last, is_day = _instants(value, declared.zone)
    if is_ours:
        return _asked(read, (first, last), settled, declared, is_day=is_day)
    grain = declared.resolution or _NONE
    reach = (declared.rolling or _NONE) - (grain + _HOUR if grain >= _HOUR else grain)
    is_shown = read.finished_at - reach <= first and last <= read.read_started_at
    return None if is_shown else Reason.HIDDEN


def _asked(
    read: Window,
    span: tuple[datetime, datetime],
    settled: Settled,
    declared: FilterDeclaration,
    *,
    is_day: bool,
) -> Reason | None:
    start, end = read.covered.start, read.covered.end
    is_after = not isinstance(start, datetime) or span[0] >= start
    is_before = isinstance(end, datetime) and (span[1] <= end if is_day else span[1] < end)
    if not (is_after and is_before):
        return Reason.OUTSIDE
    is_settled = settled.tile_end is not None and read.finished_at <= settled.tile_end
    return None if declared.meaning is Meaning.CREATED or is_settled else Reason.UNSETTLED


def _asked_for_numbers(
    read: Window, value: int | Decimal, settled: Settled, declared: FilterDeclaration
) -> Reason | None:
    start, end = read.covered.start, read.covered.end
    is_after = not isinstance(start, int) or value >= start
    if not (is_after and isinstance(end, int) and value < end):
        return Reason.OUTSIDE
    is_settled = settled.begun_at is not None and read.finished_at <= settled.begun_at
    return None if declared.meaning is Meaning.CREATED or is_settled else Reason.UNSETTLED


def _instants(value: datetime | date, zone: str) -> tuple[datetime, datetime, bool]:
    """The first and the last instant that a value may stand for, and whether it is a whole day."""
    local = ZoneInfo(zone)
    if not isinstance(value, datetime):
        days = (value, value + timedelta(days=1))
        first, last = (datetime.combine(day, time(), local) for day in days)
        return first, last, True
    if value.tzinfo is not None:
        return value, value, False
    instant = value.replace(tzinfo=local)
    # A local time may come twice a year, and then nobody knows which of the two is meant.
    margin = _NONE if zone == "UTC" else _HOUR
    return instant - margin, instant + margin, False
