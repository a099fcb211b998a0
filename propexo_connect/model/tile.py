"""Tiles and requests: what a commit proves, and what is asked of the source for it (SEMANTICS §2)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from propexo_connect.model.stream import Axis, Filter

Bound = datetime | int
"""A point on the axis of a filter: an aware UTC instant, or an integer of a monotone column."""

_DAY = timedelta(days=1)
_NEAR_TRANSITION = timedelta(hours=3)


@dataclass(frozen=True, slots=True)
class Tile:
    """The stretch `[start, end)` that a commit proves; `start` None reaches back without limit."""

    start: Bound | None
    end: Bound

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing between the bounds."""
        return self.start is not None and self.start >= self.end  # type: ignore[operator]


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for a tile: wider than it, both ends included; None is unbounded."""

    start: Bound | None
    end: Bound | None
    zone: str = "UTC"
    resolution: timedelta = timedelta(seconds=1)

    @property
    def is_whole(self) -> bool:
        """Whether everything is asked for."""
        return self.start is None and self.end is None


WHOLE = Request(None, None)


@dataclass(frozen=True, slots=True)
class Stretch:
    """What a complete read proves: values of the filter's field in `[start, end)`; None is without limit."""

    start: Bound | None
    end: Bound | None


EVERYTHING = Stretch(None, None)


def widen(tile: Tile, given: Filter) -> Request:
    """What to ask so that no record of the tile is missed.

    `start − lookback` is floored and `end` is ceiled to the filter's resolution in its own zone.
    Near a change of the zone's offset both bounds move outwards by the size of the change, in whole grains,
    because a local time is ambiguous or missing there. A bound that the source does not take becomes None.
    """
    if given.axis is Axis.INTEGER:
        start = None if tile.start is None else int(tile.start) - given.lookback_values  # type: ignore[arg-type]
        return Request(start if given.lower else None, tile.end if given.upper else None)
    zone = ZoneInfo(given.zone)
    start = end = None
    if given.lower and isinstance(tile.start, datetime):
        start = floor_to(tile.start - given.lookback, given.resolution, zone)
        start -= _offset_change_near(start, zone, given.resolution)
    if given.upper and isinstance(tile.end, datetime):
        end = ceil_to(tile.end, given.resolution, zone)
        end += _offset_change_near(end, zone, given.resolution)
    return Request(start, end, given.zone, given.resolution)


def covered(tile: Tile, given: Filter) -> Stretch:
    """What a complete read of a tile proves of the filter's field.

    What is asked for, but without what `widen` adds near a change of the zone's offset: there the source may
    take an ambiguous bound for the later or the earlier hour, so that hour is asked for and proves nothing.
    """
    if given.axis is Axis.INTEGER:
        return Stretch(widen(tile, given).start, tile.end)
    zone = ZoneInfo(given.zone)
    start = end = None
    if given.lower and isinstance(tile.start, datetime):
        start = floor_to(tile.start - given.lookback, given.resolution, zone)
    if isinstance(
        tile.end, datetime
    ):  # also where no bound is taken there: later tiles prove what lies beyond
        end = ceil_to(tile.end, given.resolution, zone)
    return Stretch(start, end)


def floor_to(instant: datetime, resolution: timedelta, zone: ZoneInfo) -> datetime:
    """The latest boundary of the resolution at or before the instant, counted in local time; UTC."""
    local = instant.astimezone(zone).replace(tzinfo=None)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    floored = midnight + (local - midnight) // resolution * resolution if resolution < _DAY else midnight
    return min(floored.replace(tzinfo=zone, fold=0).astimezone(UTC), instant.astimezone(UTC))


def ceil_to(instant: datetime, resolution: timedelta, zone: ZoneInfo) -> datetime:
    """The earliest boundary of the resolution at or after the instant, counted in local time; UTC."""
    local = instant.astimezone(zone).replace(tzinfo=None)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    grain = min(resolution, _DAY)
    ceiled = midnight - (midnight - local) // grain * grain
    return max(ceiled.replace(tzinfo=zone, fold=1).astimezone(UTC), instant.astimezone(UTC))


def _offset_change_near(instant: datetime, zone: ZoneInfo, resolution: timedelta) -> timedelta:
    """By how much the offset changes, ceiled to the resolution: less than a grain would not be written."""
    before = (instant - _NEAR_TRANSITION).astimezone(zone).utcoffset()
    after = (instant + _NEAR_TRANSITION).astimezone(zone).utcoffset()
    change = abs((after or timedelta(0)) - (before or timedelta(0)))
    return -(-change // resolution) * resolution


def cut(tile: Tile, widest: timedelta | None) -> Iterator[Tile]:
    """The tile in steps of at most `widest`, oldest first, each touching the next."""
    if widest is None or not isinstance(tile.start, datetime) or not isinstance(tile.end, datetime):
        yield tile
        return
    start = tile.start
    while start + widest < tile.end:
        yield Tile(start, start + widest)
        start += widest
    yield Tile(start, tile.end)


def faults(tiles: Iterable[Tile]) -> list[str]:
    """Gaps and overlaps between tiles, in words; empty when they touch."""
    found: list[str] = []
    last: Tile | None = None
    for tile in sorted(tiles, key=lambda tile: tile.end):
        if last is not None and tile.start is not None:
            if tile.start > last.end:  # type: ignore[operator]
                found.append(f"gap between {last.end} and {tile.start}")
            elif tile.start < last.end:  # type: ignore[operator]
                found.append(f"overlap between {tile.start} and {last.end}")
        last = tile
    return found
