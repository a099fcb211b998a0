"""When a connection syncs, also on the days on which the clocks change."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from propexo_connect.connection.cron import Cron, next_moment, read_cron
from propexo_connect.connection.schedule import DAYS, Schedule, Slot

CHICAGO = "America/Chicago"
BEFORE_SPRING = datetime(2026, 3, 7, 12, tzinfo=UTC)
"""The day before clocks in Chicago go from 02:00 to 03:00."""
BEFORE_AUTUMN = datetime(2026, 10, 31, 12, tzinfo=UTC)
"""The day before clocks in Chicago go from 02:00 back to 01:00."""


def cron(*expressions: str, zone: str = CHICAGO) -> Schedule:
    """A schedule of cron expressions."""
    return Schedule.cron(tuple(read_cron(text) for text in expressions), zone)


def moments(schedule: Schedule, after: datetime, count: int) -> list[str]:
    """The next moments, local to the schedule."""
    found: list[str] = []
    for _ in range(count):
        moment = schedule.next_due(after)
        assert moment is not None
        after = moment
        found.append(after.astimezone(ZoneInfo(schedule.timezone)).strftime("%m-%d %H:%M%z"))
    return found


@pytest.mark.parametrize(
    "text", ["0 6 * * *", "*/15 8-18 * * mon-fri", "0 0 1,15 * *", "@daily", "0 6 L * *", "0 9 * * 5#2"]
)
def test_a_cron_expression_is_taken(text: str) -> None:
    assert len(read_cron(text).split()) == 5


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0 6 * *",
        "60 * * * *",
        "* * * * * *",
        "R R * * *",
        "H 6 * * *",
        "0 0 30 2 *",
        "@reboot",
        "a b c d e",
    ],
)
def test_what_is_no_cron_expression_or_never_comes_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"no cron expression|never comes to pass"):
        read_cron(text)


def test_a_time_that_the_clocks_skip_is_taken_after_the_gap() -> None:
    assert moments(cron("30 2 * * *"), BEFORE_SPRING, 2) == ["03-08 03:00-0500", "03-09 02:30-0500"]


def test_a_time_that_comes_twice_is_taken_the_second_time() -> None:
    assert moments(cron("30 1 * * *"), BEFORE_AUTUMN, 2) == ["11-01 01:30-0600", "11-02 01:30-0600"]


def test_an_hourly_cron_follows_real_hours_when_the_clocks_change() -> None:
    hourly = cron("15 * * * *")
    after = datetime(2026, 11, 1, 5, tzinfo=UTC)
    assert moments(hourly, after, 4) == [
        "11-01 00:15-0500",
        "11-01 01:15-0500",
        "11-01 01:15-0600",
        "11-01 02:15-0600",
    ]
    assert moments(hourly, datetime(2026, 3, 8, 7, tzinfo=UTC), 2) == ["03-08 01:15-0600", "03-08 03:15-0500"]


def test_the_longest_gap_of_a_daily_cron_counts_the_day_of_25_hours() -> None:
    assert cron("0 6 * * *").longest_gap() == timedelta(hours=25)
    assert cron("0 6 * * *", zone="UTC").longest_gap() == timedelta(hours=24)


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("0 6 * * mon-fri", 72),
        ("0 6 * * mon", 168),
        ("0 0 1 * *", 31 * 24),
        ("*/15 * * * *", 0.25),
        ("0 6,18 * * *", 12),
    ],
)
def test_the_longest_gap_spans_nights_weekends_and_months(text: str, hours: float) -> None:
    assert cron(text, zone="UTC").longest_gap() == timedelta(hours=hours)


def test_the_longest_gap_of_two_crons_is_that_of_both_together() -> None:
    assert cron("0 6 * * *", "0 18 * * *", zone="UTC").longest_gap() == timedelta(hours=12)


def test_the_moments_of_crons_are_those_that_dagster_starts() -> None:
    """Next to the changes of the clocks, too."""
    from dagster._utils.schedules import schedule_execution_time_iterator

    texts = [
        "0 6 * * *", "30 2 * * *", "30 1 * * *", "*/20 * * * *", "5 */3 * * *", "0 1-4 * * *",
        "0 12 1 * *", "15 2 * * sun", "0 6 L * *", "0 0 1,15 * mon", "30 0 * * *",
    ]  # fmt: skip
    for text in texts:
        for zone in (CHICAGO, "Europe/Berlin", "Asia/Kolkata", "UTC"):
            for after in (BEFORE_SPRING, BEFORE_AUTUMN, datetime(2026, 3, 28, 22, tzinfo=UTC)):
                ticks = schedule_execution_time_iterator(after.timestamp(), text, zone, ascending=True)
                moment = after
                for _ in range(12):
                    tick = next(ticks)
                    if tick.timestamp() <= after.timestamp():
                        tick = next(ticks)
                    moment = next_moment([Cron.parse(text)], ZoneInfo(zone), moment)
                    assert tick.timestamp() == moment.timestamp(), (text, zone, tick, moment)


@pytest.mark.parametrize("minutes", [1, 5, 15, 30, 60, 90, 120, 360, 420, 720, 1440, 2520, 10_080])
def test_an_interval_that_makes_a_week_is_exact_as_crons(minutes: int) -> None:
    schedule = Schedule.every(timedelta(minutes=minutes), "happyco_demo")
    crons = [Cron.parse(text) for text in schedule.cron_expressions()]
    assert crons
    assert schedule.timezone == "UTC"
    by_cron = by_interval = datetime(2026, 1, 1, tzinfo=UTC)
    for _ in range(20):
        by_cron = next_moment(crons, ZoneInfo("UTC"), by_cron)
        following = schedule.next_due(by_interval)
        assert following is not None
        by_interval = following
        assert by_cron == by_interval


@given(st.integers(1, 20_160), st.text("abc", min_size=1, max_size=8), st.integers(0, 50_000_000))
@settings(max_examples=60, deadline=None)
def test_the_crons_of_an_interval_name_its_moments(minutes: int, name: str, start: int) -> None:
    schedule = Schedule.every(timedelta(minutes=minutes), name)
    after = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=start)
    due = schedule.next_due(after)
    assert due is not None
    assert after < due <= after + timedelta(minutes=minutes)
    if schedule.needs_due_check:
        assert not schedule.cron_expressions()
    else:
        crons = [Cron.parse(text) for text in schedule.cron_expressions()]
        assert next_moment(crons, ZoneInfo("UTC"), after) == due


@pytest.mark.parametrize("text", ["5h", "48h", "10d", "11m"])
def test_an_interval_that_makes_no_week_is_asked_for(text: str) -> None:
    from propexo_connect.model.duration import parse_duration

    schedule = Schedule.every(parse_duration(text), "demo")
    assert schedule.needs_due_check
    assert schedule.longest_gap() == parse_duration(text)


def test_an_interval_is_due_once_in_each_period_whenever_it_is_asked() -> None:
    schedule = Schedule.every(timedelta(hours=5), "demo")
    now = datetime(2026, 1, 1, tzinfo=UTC)
    last, starts = now, 0
    for _ in range(4 * 24 * 5):
        now += timedelta(minutes=15)
        if schedule.is_due(last, now):
            last, starts = now, starts + 1
    assert starts == 24


def test_after_an_outage_one_sync_is_due_and_not_many() -> None:
    schedule = Schedule.every(timedelta(hours=1), "demo")
    now = datetime(2026, 1, 10, 0, 30, tzinfo=UTC)
    assert schedule.is_due(now - timedelta(days=3), now)
    assert not schedule.is_due(now, now + timedelta(seconds=1))


def test_a_connection_that_never_ran_is_due_at_once_unless_it_is_manual() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert Schedule.every(timedelta(hours=5), "demo").is_due(None, now)
    assert not Schedule.manual().is_due(None, now)
    assert Schedule.manual().next_due(now) is None
    assert Schedule.manual().longest_gap() is None
    assert Schedule.manual().cron_expressions() == []


def test_intervals_of_many_connections_are_spread_over_the_period() -> None:
    minutes = {Schedule.every(timedelta(hours=6), f"connection_{number}").offset for number in range(200)}
    assert len(minutes) > 120


def test_the_offset_of_an_interval_never_changes() -> None:
    assert Schedule.every(timedelta(hours=6), "happyco_demo").cron_expressions() == ["16 1,7,13,19 * * *"]


def test_weekly_slots_name_every_step_from_start_to_end_and_no_other() -> None:
    schedule = Schedule.weekly(
        (Slot(("mon", "tue"), 6 * 60, 7 * 60, 30), Slot(("sat",), 8 * 60 + 15, 8 * 60 + 15)), CHICAGO
    )
    assert moments(schedule, datetime(2026, 6, 6, 12, tzinfo=UTC), 8) == [
        "06-06 08:15-0500",
        "06-08 06:00-0500",
        "06-08 06:30-0500",
        "06-08 07:00-0500",
        "06-09 06:00-0500",
        "06-09 06:30-0500",
        "06-09 07:00-0500",
        "06-13 08:15-0500",
    ]


def test_a_slot_to_midnight_ends_before_the_next_day() -> None:
    assert Slot(("mon",), 23 * 60, 24 * 60, 30).minutes == (1380, 1410)


slots = st.builds(
    lambda days, start, length, every: Slot(tuple(sorted(days)), start, min(start + length, 1439), every),
    st.sets(st.sampled_from(DAYS), min_size=1),
    st.integers(0, 1439),
    st.integers(0, 900),
    st.integers(1, 240),
)


@given(st.lists(slots, min_size=1, max_size=3))
@settings(max_examples=40, deadline=None)
def test_the_crons_of_slots_name_exactly_their_times(given_slots: list[Slot]) -> None:
    wanted = {
        (DAYS.index(day), minute) for slot in given_slots for day in slot.days for minute in slot.minutes
    }
    schedule = Schedule.weekly(tuple(given_slots))
    monday = datetime(2026, 1, 5, tzinfo=UTC).date()
    named = {
        (moment.weekday(), moment.hour * 60 + moment.minute)
        for text in schedule.cron_expressions()
        for day in Cron.parse(text).days_from(monday, monday + timedelta(days=6))
        for moment in Cron.parse(text).moments(day, ZoneInfo("UTC"))
    }
    assert named == wanted
