"""Tiles and requests, in every zone and on the days when clocks change."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from propexo_connect.model.stream import Axis, Filter
from propexo_connect.model.tile import Request, Tile, ceil_to, cut, faults, floor_to, widen

ZONES = [
    "UTC",
    "America/Los_Angeles",
    "America/New_York",
    "America/Denver",
    "Asia/Ho_Chi_Minh",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
]
instants = st.datetimes(datetime(2015, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
resolutions = st.sampled_from(
    [timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)]
)
spans = st.timedeltas(timedelta(0), timedelta(days=40))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def bounds(request: Request) -> tuple[datetime, datetime]:
    assert isinstance(request.start, datetime)
    assert isinstance(request.end, datetime)
    return request.start, request.end


@given(instants, spans, spans, resolutions, st.sampled_from(ZONES))
def test_a_request_covers_its_tile_and_the_lookback(
    start: datetime, span: timedelta, lookback: timedelta, resolution: timedelta, zone: str
) -> None:
    low, high = bounds(
        widen(Tile(start, start + span), Filter("f", resolution=resolution, zone=zone, lookback=lookback))
    )
    assert low <= start - lookback
    assert high >= start + span


@given(instants, resolutions, st.sampled_from(ZONES))
def test_a_request_is_no_wider_than_the_resolution_and_one_change_of_the_clock_in_whole_grains(
    start: datetime, resolution: timedelta, zone: str
) -> None:
    low, high = bounds(widen(Tile(start, start), Filter("f", resolution=resolution, zone=zone)))
    slack = 2 * resolution + timedelta(hours=2)
    assert start - low <= slack
    assert high - start <= slack


@given(instants, st.sampled_from(ZONES))
def test_days_begin_and_end_at_local_midnight(instant: datetime, zone: str) -> None:
    day = timedelta(days=1)
    low, high = floor_to(instant, day, ZoneInfo(zone)), ceil_to(instant, day, ZoneInfo(zone))
    assert low <= instant <= high
    local = instant.astimezone(ZoneInfo(zone)).date()
    assert low.astimezone(ZoneInfo(zone)).date() == local
    assert (high - timedelta(microseconds=1)).astimezone(ZoneInfo(zone)).date() <= local


@pytest.mark.parametrize(
    ("zone", "day"),
    [
        ("America/New_York", "2026-03-08"),
        ("America/New_York", "2026-11-01"),
        ("America/Los_Angeles", "2026-11-01"),
    ],
)
def test_local_hours_that_are_missing_or_double_widen_the_request(zone: str, day: str) -> None:
    """A vendor may read 01:30 on the day the clocks go back as either of two instants: ask for both."""
    first = datetime.fromisoformat(f"{day}T01:30:00").replace(tzinfo=ZoneInfo(zone), fold=0).astimezone(UTC)
    low, high = bounds(widen(Tile(first, first), Filter("f", zone=zone)))
    assert low <= first - timedelta(hours=1)
    assert high >= first + timedelta(hours=1)


def test_bounds_that_the_source_does_not_take_are_open() -> None:
    tile = Tile(at("2026-03-01T00:00:00+00:00"), at("2026-03-02T00:00:00+00:00"))
    assert widen(tile, Filter("f", upper=False)).end is None
    assert widen(tile, Filter("f", lower=False)).start is None


def test_integer_tiles_reach_back_by_a_count_of_values() -> None:
    request = widen(Tile(100, 200), Filter("id", axis=Axis.INTEGER, lookback_values=10))
    assert (request.start, request.end) == (90, 200)


@given(instants, spans, st.timedeltas(timedelta(hours=1), timedelta(days=9)))
def test_steps_touch_and_make_up_the_tile(start: datetime, span: timedelta, widest: timedelta) -> None:
    tile = Tile(start, start + span + timedelta(seconds=1))
    steps = list(cut(tile, widest))
    assert faults(steps) == []
    assert (steps[0].start, steps[-1].end) == (tile.start, tile.end)
    assert all(step.end - step.start <= widest for step in steps)  # type: ignore[operator]


def test_gaps_and_overlaps_are_told() -> None:
    day = timedelta(days=1)
    start = at("2026-03-01T00:00:00+00:00")
    gap = faults([Tile(start, start + day), Tile(start + 2 * day, start + 3 * day)])
    overlap = faults([Tile(start, start + 2 * day), Tile(start + day, start + 3 * day)])
    assert [fault.split()[0] for fault in gap + overlap] == ["gap", "overlap"]


def test_leap_days_and_year_ends_are_days_like_others() -> None:
    for day in ("2024-02-29", "2025-12-31"):
        low, high = bounds(
            widen(
                Tile(at(f"{day}T12:00:00+00:00"), at(f"{day}T13:00:00+00:00")),
                Filter("f", resolution=timedelta(days=1)),
            )
        )
        assert (low, high) == (at(f"{day}T00:00:00+00:00"), at(f"{day}T00:00:00+00:00") + timedelta(days=1))
