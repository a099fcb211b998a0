"""When a connection syncs: by cron, at an interval, in weekly slots, or by hand.

An interval counts real time from a fixed origin (Monday 1970-01-05, UTC), moved on by a stable hash of the
connection's name, so that a thousand connections do not start in the same minute. It therefore does
not drift with the length of syncs, and days on which the clocks change do not disturb it. Intervals of
which a whole number makes a week are exact as cron expressions in UTC; for the others (5h, 48h, 10d) Dagster
asks `is_due`.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from propexo_connect.connection.cron import Cron, longest_gap, next_moment
from propexo_connect.model.duration import duration_text

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_ORIGIN = datetime(1970, 1, 5, tzinfo=UTC)
_WEEK_MINUTES = 7 * 24 * 60
_DAY_MINUTES = 24 * 60
_MINUTE = timedelta(minutes=1)
_MOST_CRONS = 24


class ScheduleKind(StrEnum):
    """How a schedule is said."""

    CRON = "cron"
    EVERY = "every"
    WEEKLY = "weekly"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True)
class Slot:
    """Times on some days of the week.

    Args:
        days: of `DAYS`. start, end: minutes after midnight, local time, both included.
        every: minutes between the times; None: only once, at the start.
    """

    days: tuple[str, ...]
    start: int
    end: int
    every: int | None = None

    @property
    def minutes(self) -> tuple[int, ...]:
        """The minutes of the day."""
        if self.every is None:
            return (self.start,)
        return tuple(range(self.start, min(self.end, _DAY_MINUTES - 1) + 1, self.every))


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a connection syncs.

    Args:
        timezone: IANA; of the crons and slots. Intervals are always in UTC.
        crons: what Dagster can run as it is; empty for `manual` and for intervals that do not make a week.
        period: of an interval. offset: how far its moments are moved from the origin.
    """

    kind: ScheduleKind
    timezone: str = "UTC"
    crons: tuple[str, ...] = ()
    period: timedelta | None = None
    offset: timedelta = timedelta(0)
    text: str = "by hand"
    """The schedule in words."""

    @classmethod
    def manual(cls) -> "Schedule":
        """No schedule: the connection syncs when somebody asks for it."""
        return cls(ScheduleKind.MANUAL)

    @classmethod
    def cron(cls, expressions: tuple[str, ...], timezone: str = "UTC") -> "Schedule":
        """At the times of cron expressions that `read_cron` has accepted."""
        return cls(ScheduleKind.CRON, timezone, expressions, text=f"{' and '.join(expressions)} ({timezone})")

    @classmethod
    def every(cls, period: timedelta, name: str) -> "Schedule":
        """At an interval of whole minutes, moved by the connection's name."""
        minutes = period // _MINUTE
        offset = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) % minutes
        return cls(
            ScheduleKind.EVERY,
            crons=_interval_crons(minutes, offset),
            period=period,
            offset=offset * _MINUTE,
            text=f"every {duration_text(period)}",
        )

    @classmethod
    def weekly(cls, slots: tuple[Slot, ...], timezone: str = "UTC") -> "Schedule":
        """At the times of weekly slots."""
        times = [(DAYS.index(day), minute) for slot in slots for day in slot.days for minute in slot.minutes]
        words = "; ".join(_slot_text(slot) for slot in slots)
        return cls(ScheduleKind.WEEKLY, timezone, _crons_of(times), text=f"{words} ({timezone})")

    @property
    def needs_due_check(self) -> bool:
        """Whether no cron expression says this, so that a sensor must ask `is_due`."""
        return self.kind is ScheduleKind.EVERY and not self.crons

    def cron_expressions(self) -> list[str]:
        """Expressions in `timezone` that together name exactly the schedule's moments; may be empty."""
        return list(self.crons)

    def next_due(self, after: datetime) -> datetime | None:
        """The first moment after an instant, UTC; None when nothing but a person starts the sync."""
        if self.period is not None:
            passed = (after - _ORIGIN - self.offset) // self.period
            return _ORIGIN + self.offset + (passed + 1) * self.period
        if not self.crons:
            return None
        return next_moment([Cron.parse(text) for text in self.crons], ZoneInfo(self.timezone), after)

    def is_due(self, last_started_at: datetime | None, now: datetime) -> bool:
        """Whether a moment has passed since the last start, however many; at once before the first.

        A catch-up after an outage is therefore one sync, whose tiles reach back to what was missed.
        """
        if self.kind is ScheduleKind.MANUAL:
            return False
        due = None if last_started_at is None else self.next_due(last_started_at)
        return due is None or due <= now

    def longest_gap(self) -> timedelta | None:
        """The longest time between two moments, changes of the clocks included; None for `manual`."""
        if self.period is not None:
            return self.period
        if not self.crons:
            return None
        return longest_gap([Cron.parse(text) for text in self.crons], ZoneInfo(self.timezone))


def _interval_crons(period: int, offset: int) -> tuple[str, ...]:
    """An interval in minutes as expressions in UTC; empty when it does not make a week, or takes too many."""
    if _WEEK_MINUTES % period:
        return ()
    starts = range(offset % period, _WEEK_MINUTES, period)
    crons = _crons_of([divmod(start, _DAY_MINUTES) for start in starts])
    return crons if len(crons) <= _MOST_CRONS else ()


def _crons_of(times: list[tuple[int, int]]) -> tuple[str, ...]:
    """Expressions that name exactly these times, each a day from Monday = 0 and a minute of the day."""
    hours: dict[tuple[int, int], set[int]] = {}
    for day, minute_of_day in times:
        hour, minute = divmod(minute_of_day, 60)
        hours.setdefault((day, minute), set()).add(hour)
    minutes: dict[tuple[int, tuple[int, ...]], set[int]] = {}
    for (day, minute), of_minute in hours.items():
        minutes.setdefault((day, tuple(sorted(of_minute))), set()).add(minute)
    days: dict[tuple[tuple[int, ...], tuple[int, ...]], set[int]] = {}
    for (day, at_hours), of_hours in minutes.items():
        days.setdefault((tuple(sorted(of_hours)), at_hours), set()).add(day)
    return tuple(
        f"{_field(at_minutes, 60)} {_field(at_hours, 24)} * * {_field([(day + 1) % 7 for day in on], 7)}"
        for (at_minutes, at_hours), on in sorted(days.items(), key=lambda item: (sorted(item[1]), item[0]))
    )


def _field(numbers: Sequence[int], count: int) -> str:
    return "*" if len(numbers) == count else ",".join(str(number) for number in sorted(numbers))


def _slot_text(slot: Slot) -> str:
    days = ", ".join(slot.days)
    start, end = (f"{minute // 60:02}:{minute % 60:02}" for minute in (slot.start, slot.end))
    if slot.every is None:
        return f"{days} at {start}"
    return f"{days} {start} to {end} every {duration_text(slot.every * _MINUTE)}"
