"""Ranges that one request may span: pieces of what is asked for, and halves of what holds too much."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from propexo_connect.connectors.api.requests import zone_of
from propexo_connect.http.plan.filters import AnyFilter, Between
from propexo_connect.http.plan.template import Names, fill_text
from propexo_connect.model.tile import Request

_DAY = timedelta(days=1)


def pieces(given: AnyFilter | None, request: Request, names: Names, now: datetime) -> Iterator[Request]:
    """The request in ranges that the vendor takes; one, unless it is wider than the widest.

    A whole read of a stream that demands both bounds goes from its earliest date to now.
    """
    if not isinstance(given, Between):
        yield request
        return
    if request.is_whole and not (given.required and given.has_upper):
        yield request
        return
    whole = bounded(given, request, names, now)
    widest = given.widest
    if widest is None or whole.start is None or whole.end is None:
        yield request if not request.is_whole else whole
        return
    start, end = _instant(whole.start), _instant(whole.end)
    # Both ends may be written a grain wider than they are.
    widest -= 2 * given.margin
    while start + widest < end:
        yield replace(whole, start=start, end=start + widest)
        start += widest
    yield replace(whole, start=start, end=end)


def bounded(given: Between, request: Request, names: Names, now: datetime) -> Request:
    """The request with both bounds, as far as the vendor takes them."""
    start, end = request.start, request.end
    if start is None and given.has_lower:
        start = datetime.fromisoformat(fill_text(given.earliest, names) or "1970-01-01").replace(tzinfo=UTC)
    if end is None and given.has_upper:
        end = now + _DAY
    return replace(request, start=start, end=end, zone=zone_of(given, names))


def halves(
    given: AnyFilter | None, request: Request, names: Names, now: datetime
) -> tuple[Request, Request] | None:
    """Two ranges in place of one that holds more than a query can reach; None when it cannot be cut."""
    if not isinstance(given, Between) or not (given.has_lower and given.has_upper):
        return None
    whole = bounded(given, request, names, now)
    start, end = _instant(whole.start), _instant(whole.end)
    grain = given.filter("UTC").resolution
    middle = start + (end - start) // 2 // grain * grain
    if middle <= start or middle >= end:
        return None
    return replace(whole, end=middle), replace(whole, start=middle)


def _instant(bound: datetime | int | None) -> datetime:
    if not isinstance(bound, datetime):
        raise TypeError("a filter by date has bounds that are no instants")
    return bound
