"""Cron expressions as moments and gaps, in a time zone, across its changes of offset.

The moments are Dagster's: a time that the clocks skip is taken at the first moment after the gap, a time
that occurs twice is taken the second time; expressions that repeat every hour follow real hours instead.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import islice, pairwise
from zoneinfo import ZoneInfo, available_timezones

from croniter import CroniterBadDateError, CroniterError, croniter

_MACROS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_SHAPE = re.compile(r"[0-9A-Za-z*,/\-#?]+( [0-9A-Za-z*,/\-#?]+){4}")
_RANDOM = re.compile(r"(?:^|[ ,])[HR](?:$|[ ,/(])", re.IGNORECASE)
_DAY_MINUTES = 24 * 60
_SPAN = timedelta(days=366)
_FARTHEST = timedelta(days=366 * 9)

EXPECTED_CRON = "five fields: minute, hour, day of month, month, day of week, such as '0 6 * * mon-fri'"


@cache
def zone_names() -> frozenset[str]:
    """The IANA zones that this machine knows."""
    return frozenset(available_timezones())


def read_cron(text: str) -> str:
    """The expression in its five fields, words like @daily spelled out.

    Raises:
        ValueError: no such expression, or one that never comes to pass (30 February).
    """
    expression = " ".join(_MACROS.get(text.strip().lower(), text).split())
    if not _SHAPE.fullmatch(expression) or _RANDOM.search(expression) or not croniter.is_valid(expression):
        raise ValueError(f"'{text}' is no cron expression")
    try:
        croniter(expression, datetime(2024, 1, 1), max_years_between_matches=9).get_next(datetime)  # noqa: DTZ001
    except (CroniterBadDateError, CroniterError):
        raise ValueError(f"'{text}' never comes to pass") from None
    return expression


@dataclass(frozen=True, slots=True)
class Cron:
    """One expression, taken apart.

    Args:
        minutes: of the day, ascending.
        days: an expression for the days alone.
        is_hourly: every hour of a day is meant, so that the moments follow real hours.
    """

    minutes: tuple[int, ...]
    days: str
    is_hourly: bool

    @classmethod
    def parse(cls, expression: str) -> "Cron":
        """Take an expression apart that `read_cron` has accepted."""
        fields, *_ = croniter.expand(expression)
        minutes = _numbers(fields[0], 60)
        hours = _numbers(fields[1], 24)
        return cls(
            tuple(sorted(hour * 60 + minute for hour in hours for minute in minutes)),
            f"0 0 {' '.join(expression.split()[2:])}",
            len(hours) == 24,
        )

    def days_from(self, first: date, last: date) -> Iterator[date]:
        """The days that the expression names, from the first to the last, both included."""
        if self.days == "0 0 * * *":
            yield from (first + timedelta(days=number) for number in range((last - first).days + 1))
            return
        midnight = datetime.combine(first, datetime.min.time())
        walk = croniter(self.days, midnight - timedelta(minutes=1), max_years_between_matches=9)
        while (day := walk.get_next(datetime).date()) <= last:
            yield day

    def moments(self, day: date, zone: ZoneInfo) -> Iterator[datetime]:
        """The moments of one local day that the expression names, UTC; the day must be one of `days_from`."""
        for minute in self.minutes:
            local = datetime.combine(day, datetime.min.time()) + timedelta(minutes=minute)
            early, late = _instants(local, zone)
            if early == late:
                yield early
            elif early > late:  # the clocks skip it: fold 0 counts on the old offset, fold 1 on the new
                if not self.is_hourly:
                    yield _after_gap(late, early, zone)
            else:
                if self.is_hourly:
                    yield early
                yield late


def next_moment(crons: Iterable[Cron], zone: ZoneInfo, after: datetime) -> datetime:
    """The first moment after an instant that any of the expressions names, UTC."""
    parsed = tuple(crons)
    first = after.astimezone(zone).date() - timedelta(days=1)
    for last in (first + timedelta(days=2), first + timedelta(days=40), first + _FARTHEST):
        moments = [
            moment
            for cron in parsed
            for day in islice(cron.days_from(first, last), 4)
            for moment in cron.moments(day, zone)
            if moment > after
        ]
        if moments:
            return min(moments)
    raise ValueError("the expressions never come to pass")


def longest_gap(crons: Iterable[Cron], zone: ZoneInfo) -> timedelta:
    """The longest time between two neighbouring moments, over some years, in real time.

    Where the zone changes its offset and the expressions do not follow real hours, the largest change
    is added: the longest gap may fall on the day on which the clocks go back.
    """
    parsed = tuple(crons)
    first = date(2024, 1, 1)
    gap = timedelta(0)
    for span in (_SPAN, 3 * _SPAN, _FARTHEST):
        days: dict[date, set[int]] = {}
        for cron in parsed:
            for day in cron.days_from(first, first + span):
                days.setdefault(day, set()).update(cron.minutes)
        # One day is enough where there is one each day, a few where they are far apart.
        if len(days) >= 12 or span == _FARTHEST:
            gap = _longest_wall_gap(days)
            break
    return gap if all(cron.is_hourly for cron in parsed) else gap + _offset_change(zone)


def _longest_wall_gap(days: dict[date, set[int]]) -> timedelta:
    longest = 0
    previous: tuple[date, int] | None = None
    within: dict[frozenset[int], int] = {}
    for day in sorted(days):
        minutes = frozenset(days[day])
        if minutes not in within:
            ordered = sorted(minutes)
            within[minutes] = max((late - early for early, late in pairwise(ordered)), default=0)
        if previous is not None:
            between = (day - previous[0]).days * _DAY_MINUTES + min(minutes) - previous[1]
            longest = max(longest, between)
        longest = max(longest, within[minutes])
        previous = (day, max(minutes))
    return timedelta(minutes=longest)


def _offset_change(zone: ZoneInfo) -> timedelta:
    """How far the zone's clocks go back at most within a year."""
    start = datetime(2024, 1, 1, tzinfo=UTC)
    offsets = {
        (start + timedelta(days=day)).astimezone(zone).utcoffset() or timedelta(0) for day in range(366)
    }
    return max(offsets) - min(offsets)


def _instants(local: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    return (
        local.replace(tzinfo=zone, fold=0).astimezone(UTC),
        local.replace(tzinfo=zone, fold=1).astimezone(UTC),
    )


def _after_gap(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The first minute of the new offset, between two instants on both sides of a change."""
    old = before.astimezone(zone).utcoffset()
    count = int((after - before).total_seconds() // 60)
    return next(
        moment
        for moment in (before + timedelta(minutes=number) for number in range(count + 1))
        if moment.astimezone(zone).utcoffset() != old
    )


def _numbers(field: Sequence[object], count: int) -> list[int]:
    return list(range(count)) if field == ["*"] else [int(str(number)) for number in field]
