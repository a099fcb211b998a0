"""What a read is said to prove, against vendors that read its local bounds in every way they may be read."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise, product
from zoneinfo import ZoneInfo

from hypothesis import example, given, settings
from hypothesis import strategies as st

from propexo_connect.model.stream import Axis, Filter
from propexo_connect.model.tile import Request, Stretch, Tile, covered, cut, widen

DAY, HOUR = timedelta(days=1), timedelta(hours=1)

ZONES = (
    "UTC",
    "America/New_York",
    "America/Los_Angeles",
    "America/Sao_Paulo",  # until 2019: at midnight, on both days
    "America/Havana",  # goes back from 01:00 to midnight, which comes twice
    "America/Santiago",  # forward at midnight
    "America/St_Johns",
    "Atlantic/Azores",  # forward and back at midnight
    "Europe/Berlin",
    "Asia/Beirut",  # forward at midnight, back at midnight
    "Africa/Cairo",
    "Asia/Kolkata",
    "Australia/Lord_Howe",  # by half an hour
    "Pacific/Auckland",
    "Antarctica/Troll",  # by two hours
)

FIRST, LAST = datetime(2015, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)


@cache
def changes_of(zone: str) -> tuple[datetime, ...]:
    """Instants, to the hour before, at which the offset of a zone changes."""
    hours = (FIRST + count * HOUR for count in range(int((LAST - FIRST) / HOUR)))
    found: list[datetime] = []
    days = ((hour, hour + DAY) for hour in hours if hour.hour == 0)
    for start, end in days:
        if offset(start, zone) != offset(end, zone):
            found += [
                start + count * HOUR
                for count in range(24)
                if offset(start + count * HOUR, zone) != offset(start + (count + 1) * HOUR, zone)
            ]
    return tuple(found)


def offset(instant: datetime, zone: str) -> timedelta:
    return instant.astimezone(ZoneInfo(zone)).utcoffset() or timedelta(0)


@st.composite
def instants_in(draw: st.DrawFn, zone: str) -> datetime:
    """An instant, every other time on a day whose clocks change, where there are such days."""
    changes = changes_of(zone)
    if changes and draw(st.booleans()):
        return draw(st.sampled_from(changes)) + draw(st.timedeltas(-30 * HOUR, 30 * HOUR))
    return FIRST + draw(st.timedeltas(timedelta(0), LAST - FIRST))


@st.composite
def tiles_and_filters(draw: st.DrawFn) -> tuple[Tile, Filter]:
    """A tile of up to forty days and a filter that can be asked for it, in any zone and grain."""
    zone = draw(st.sampled_from(ZONES))
    resolution = draw(st.sampled_from((timedelta(seconds=1), timedelta(minutes=1), HOUR, DAY)))
    lookback = draw(st.sampled_from((timedelta(0), timedelta(minutes=10), 3 * DAY)))
    ends = sorted((draw(instants_in(zone)), draw(instants_in(zone))))
    start = max(ends[0], ends[1] - 40 * DAY)
    return Tile(start, ends[1]), Filter("f", resolution=resolution, zone=zone, lookback=lookback)


def bounds(span: Stretch | Request) -> tuple[datetime, datetime]:
    assert isinstance(span.start, datetime)
    assert isinstance(span.end, datetime)
    return span.start, span.end


def written(bound: datetime, asked: Filter) -> datetime:
    """A bound as it goes over the wire: the local time without its offset, cut to the grain."""
    local = bound.astimezone(ZoneInfo(asked.zone)).replace(tzinfo=None, fold=0)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + (local - midnight) // asked.resolution * asked.resolution


def readings(asked: Filter, request: Request) -> Iterator[tuple[datetime, datetime]]:
    """First and last instant that a vendor returns which takes either bound for either of its instants.

    A day as upper bound is taken for its midnight: a vendor that returns the whole day returns more.
    """
    zone = ZoneInfo(asked.zone)
    low, high = (written(bound, asked) for bound in bounds(request))
    for folds in product((0, 1), repeat=2):
        first, last = (
            bound.replace(tzinfo=zone, fold=fold).astimezone(UTC)
            for bound, fold in zip((low, high), folds, strict=True)
        )
        yield first, last


def ending(text: str, zone: str, resolution: timedelta) -> tuple[Tile, Filter]:
    end = datetime.fromisoformat(text)
    return Tile(end - 10 * DAY, end), Filter("f", resolution=resolution, zone=zone)


@given(tiles_and_filters())
@example(ending("2015-11-01T04:00:00Z", "America/Havana", DAY))  # a midnight that comes twice
@example(ending("2015-03-08T04:00:00.000001Z", "America/Havana", DAY))  # the hour before a missing one
@example(ending("2015-10-03T15:00:00.000001Z", "Australia/Lord_Howe", HOUR))  # half of the grain
@settings(max_examples=200, deadline=None)
def test_what_is_covered_is_returned_whichever_hour_the_vendor_takes_a_bound_for(
    asked: tuple[Tile, Filter],
) -> None:
    tile, by = asked
    start, end = bounds(covered(tile, by))
    for first, last in readings(by, widen(tile, by)):
        assert first <= start
        assert last >= end


@given(tiles_and_filters())
@settings(max_examples=200, deadline=None)
def test_what_is_covered_is_returned_by_a_vendor_that_compares_local_times(
    asked: tuple[Tile, Filter],
) -> None:
    """Local times run twice through an hour when clocks go back; the vendor compares them as texts."""
    tile, by = asked
    start, end = bounds(covered(tile, by))
    low, high = (written(bound, by) for bound in bounds(widen(tile, by)))
    for instant in near(start, end):
        # Of a grain, such a vendor compares what is left of the record's own time.
        assert low <= written(instant, by) <= high


def near(start: datetime, end: datetime) -> Iterator[datetime]:
    """Instants of `[start, end)` behind its start and before its end, where clocks may have changed."""
    step = timedelta(minutes=15)
    for count in range(4 * 4):
        yield from (
            instant
            for instant in (start + count * step, end - count * step - timedelta(microseconds=1))
            if start <= instant < end
        )


@given(tiles_and_filters())
@settings(max_examples=200, deadline=None)
def test_a_tile_is_covered_with_its_lookback(asked: tuple[Tile, Filter]) -> None:
    tile, by = asked
    start, end = bounds(covered(tile, by))
    assert isinstance(tile.start, datetime)
    assert isinstance(tile.end, datetime)
    assert start <= tile.start - by.lookback
    assert end >= tile.end


@given(tiles_and_filters(), st.timedeltas(HOUR, 9 * DAY))
@settings(max_examples=200, deadline=None)
def test_tiles_that_touch_leave_no_instant_uncovered(asked: tuple[Tile, Filter], widest: timedelta) -> None:
    tile, by = asked
    proven = [bounds(covered(step, replace(by, lookback=timedelta(0)))) for step in cut(tile, widest)]
    for (_, end), (start, _) in pairwise(proven):
        assert start <= end


@given(tiles_and_filters())
def test_no_more_is_covered_than_is_asked_for(asked: tuple[Tile, Filter]) -> None:
    tile, by = asked
    start, end = bounds(covered(tile, by))
    low, high = bounds(widen(tile, by))
    assert low <= start
    assert end <= high


def test_what_lies_behind_the_tile_is_not_covered_though_no_upper_bound_is_taken() -> None:
    """The vendor returns it, and the next tile proves it."""
    tile = Tile(FIRST, FIRST + DAY)
    assert covered(tile, Filter("f", upper=False)).end == tile.end
    assert covered(tile, Filter("f", lower=False)).start is None


def test_integers_are_covered_as_they_are_asked_for() -> None:
    by = Filter("id", axis=Axis.INTEGER, lookback_values=10)
    assert covered(Tile(100, 200), by) == Stretch(90, 200)
