"""Every way of paging as one loop each: ask, look at what came, know where to go on; never in circles."""

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass

import msgspec

from propexo_connect.connectors.api.answers import Fetched
from propexo_connect.connectors.api.requests import Added
from propexo_connect.http.context import Context
from propexo_connect.http.envelope import decoded, is_empty
from propexo_connect.http.paging import MAX_PAGES, pages_in_flight, relay_page
from propexo_connect.http.plan.paging import (
    AnyPaging,
    LastId,
    Links,
    Numbered,
    Offsets,
    OnePage,
    Relay,
    Tokens,
)
from propexo_connect.http.plan.paths import Path, at
from propexo_connect.http.retry import heed_stop
from propexo_connect.model.errors import ConnectError, VendorFault

Fetch = Callable[[Added, Context], Fetched]
"""Asks for one page: what paging adds to the request, and the context to ask in."""


class TooMany(ConnectError):
    """One query cannot reach all records; the range must be split. Never leaves this room."""


@dataclass(frozen=True, slots=True)
class Turned:
    """A page, and where to go on after it; None on the last one, and where one cannot go on."""

    fetched: Fetched
    position: str | None = None


def read_pages(
    paging: AnyPaging,
    fetch: Fetch,
    context: Context,
    *,
    size: int | None = None,
    start: str | None = None,
    in_flight: int = 1,
) -> Iterator[Turned]:
    """Every page of a list, in order.

    Args:
        size: records a page, when it is to be smaller than the plan's.
        start: the position of an earlier page, to go on after it.

    Raises:
        VendorFault: the paging does not move, contradicts itself, or finds no end.
        TooMany: there are more records than one query can reach.
    """
    match paging:
        case OnePage():
            return _one(paging, fetch, context)
        case Offsets():
            return _offsets(paging, fetch, context, size or paging.size, in_flight)
        case Numbered():
            return _numbered(paging, fetch, context, max(size or paging.size, paging.least), in_flight)
        case Links():
            return _links(paging, fetch, context, size or paging.size, start)
        case Tokens():
            return _tokens(paging, fetch, context, size or paging.size, start)
        case LastId():
            return _last_id(paging, fetch, context, size or paging.size, start)
        case Relay():
            return _relay(paging, fetch, context, size or paging.size, start)


def proven(paging: AnyPaging, page: Fetched) -> Fetched:
    """The page, if it says all that going on from it needs; part of the attempt, so that it is asked again.

    Raises:
        VendorFault: it does not.
    """
    if isinstance(paging, Relay) and not page.opened.is_beside:
        relay_page(page.opened, page.read_at)
    if isinstance(paging, Offsets | Numbered | LastId | Tokens) and paging.has_more is not None:
        has_more = page.opened.flag("has_more")
        if has_more is None:
            raise VendorFault("the page does not say whether it is the last")
        if has_more and isinstance(paging, Tokens) and not page.opened.text("next"):
            raise VendorFault("the page says that there is more and not where", expected="a token")
    counts = isinstance(paging, Offsets | Numbered) and paging.total is not None and paging.has_more is None
    if counts and not is_empty(page.records) and page.opened.count("total") is None:
        raise VendorFault("the page does not say how many records there are")
    ends = isinstance(paging, Tokens) and paging.end is not None
    if ends and not page.opened.flag("end") and not page.opened.text("next"):
        raise VendorFault("the page says that there is more and not where", expected="a token")
    return page


def _one(paging: OnePage, fetch: Fetch, context: Context) -> Iterator[Turned]:
    heed_stop(context)
    page = fetch(Added(), context)
    if paging.full_at is not None and page.count >= paging.full_at:
        raise TooMany(f"{page.count} records came, as many as the vendor ever sends at once")
    yield Turned(page)


def _offsets(paging: Offsets, fetch: Fetch, context: Context, size: int, in_flight: int) -> Iterator[Turned]:
    def ask(offset: int, within: Context) -> Fetched:
        values = _named({paging.limit: size, paging.offset: offset + paging.first})
        names = {"offset": offset + paging.first, "size": size}
        return fetch(Added(values, paging.at, names), within)

    yield from _counted(paging, ask, context, size, in_flight, lambda place: place)


def _numbered(
    paging: Numbered, fetch: Fetch, context: Context, size: int, in_flight: int
) -> Iterator[Turned]:
    def ask(number: int, within: Context) -> Fetched:
        values = _named({paging.page: number + paging.first, paging.limit: size})
        names = {"page": number + paging.first, "size": size}
        return fetch(Added(values, paging.at, names), within)

    yield from _counted(paging, ask, context, size, in_flight, None)


def _counted(
    paging: Offsets | Numbered,
    ask: Callable[[int, Context], Fetched],
    context: Context,
    size: int,
    in_flight: int,
    by_records: Callable[[int], int] | None,
) -> Iterator[Turned]:
    """Pages by offset (`by_records`) or by number: the first tells how many there are, if anything does."""
    heed_stop(context)
    first = ask(0, context)
    step = first.count
    total = first.opened.count("total") if paging.total is not None else None
    _refuse_beyond(paging.cap, total)
    yield Turned(first)
    if step == 0:
        _refuse_early_end(0, total)
        return
    stride = step if by_records else 1
    page_count = _page_count(paging, first, total, step)
    last, seen, place = first, step, stride
    if page_count is not None and in_flight > 1:
        # The last pages are asked for one by one: lists grow and shrink while they are read.
        ahead = [number * stride for number in range(1, min(page_count, MAX_PAGES))]
        for number, page in enumerate(pages_in_flight(ahead, ask, context, in_flight), 1):
            _refuse_same(last, page)
            yield Turned(page)
            last, seen, place = page, seen + page.count, (number + 1) * stride
            if by_records and 0 < page.count < step and number < page_count - 1:
                rest = _short_in_the_middle(ask, context, number * stride + page.count, place)
                for more in rest:
                    seen += more.count
                    yield Turned(more)
    for _ in range(MAX_PAGES):
        if _is_last(paging, last, seen, step, size):
            return
        _refuse_beyond_count(paging.cap, seen)
        heed_stop(context)
        page = ask(seen if by_records else place, context)
        _refuse_same(last, page)
        if page.count == 0:
            told = page.opened.count("total") if paging.total is not None else None
            _refuse_early_end(seen, told)
            return
        yield Turned(page)
        last, seen, place = page, seen + page.count, place + 1
    raise _endless()


def _short_in_the_middle(
    ask: Callable[[int, Context], Fetched], context: Context, start: int, end: int
) -> Generator[Fetched]:
    """What a page left out although it was not the last: the rest up to the next page's place."""
    while start < end:
        heed_stop(context)
        page = ask(start, context)
        if page.count == 0:
            return
        yield page
        start += page.count


def _page_count(paging: Offsets | Numbered, first: Fetched, total: int | None, step: int) -> int | None:
    """How many pages there are, when the first page lets one know."""
    if isinstance(paging, Numbered) and paging.pages is not None:
        return first.opened.count("pages")
    return None if total is None else -(-total // step)


def _is_last(paging: Offsets | Numbered, page: Fetched, seen: int, step: int, size: int) -> bool:
    """Whether the page says that it is the last, or the vendor's rules let one conclude it."""
    if paging.has_more is not None:
        return not page.opened.flag("has_more")
    if isinstance(paging, Numbered):
        if paging.next is not None:
            if page.opened.text("next"):
                return False
            # An answer without any word on pages ends where a page is short, if the vendor means that.
            is_told = paging.pages is not None and page.opened.count("pages") is not None
            return is_told or not paging.short_is_last or page.count < size
        if paging.pages is not None:
            pages = page.opened.count("pages")
            return pages is None or -(-seen // step) >= pages
    if paging.total is not None:
        return seen >= (page.opened.count("total") or 0)
    return paging.short_is_last and page.count < size


def _links(
    paging: Links, fetch: Fetch, context: Context, size: int | None, start: str | None
) -> Iterator[Turned]:
    def ask(link: str | None) -> tuple[Fetched, str | None]:
        if link is None:
            values = _named({paging.limit: size} if size else {})
            page = fetch(Added(values, paging.at, {"size": size}), context)
        else:
            added = Added(link=link, link_method=paging.method, names={"size": size})
            page = fetch(added, context)
        following = page.opened.text("next") or None
        if paging.has_more is not None and not page.opened.flag("has_more"):
            following = None
        return page, following

    yield from _chained(ask, context, start, paging.cap)


def _tokens(
    paging: Tokens, fetch: Fetch, context: Context, size: int | None, start: str | None
) -> Iterator[Turned]:
    def ask(token: str | None) -> tuple[Fetched, str | None]:
        values: dict[str, object] = {paging.limit: size} if size else {}
        if token is not None:
            values[paging.token] = token
        is_bare = token is not None and paging.alone
        names = {"cursor": token, "size": size}
        page = fetch(Added(_named(values), paging.at, names, is_bare=is_bare), context)
        if paging.total is not None and token is None:
            _refuse_beyond(paging.cap, page.opened.count("total"))
        following = page.opened.text("next") or None
        if paging.has_more is not None and not page.opened.flag("has_more"):
            following = None
        if paging.end is not None and page.opened.flag("end"):
            following = None
        return page, following

    yield from _chained(ask, context, start, paging.cap)


def _last_id(
    paging: LastId, fetch: Fetch, context: Context, size: int, start: str | None
) -> Iterator[Turned]:
    def ask(last: str | None) -> tuple[Fetched, str | None]:
        values: dict[str, object] = {paging.limit: size}
        if last is not None:
            values[paging.param] = last
        page = fetch(Added(_named(values), paging.at, {"cursor": last, "size": size}), context)
        if is_empty(page.records):
            return page, None
        says = paging.has_more is not None
        has_more = page.opened.flag("has_more") if says else page.count >= size
        return page, _id_of_last(page.records, paging.field) if has_more else None

    yield from _chained(ask, context, start, paging.cap)


def _id_of_last(records: bytes, path: Path) -> str:
    raws = decoded(records, _raws)
    found = at(msgspec.json.decode(raws[-1]), path)
    if not isinstance(found, str | int) or isinstance(found, bool):
        raise VendorFault("the last record of a page has no id to go on from", expected=f"a value at {path}")
    return str(found)


_raws: "msgspec.json.Decoder[list[msgspec.Raw]]" = msgspec.json.Decoder(list[msgspec.Raw])


def _relay(paging: Relay, fetch: Fetch, context: Context, size: int, start: str | None) -> Iterator[Turned]:
    def ask(cursor: str | None) -> tuple[Fetched, str | None]:
        values: dict[str, object] = {paging.first: size, paging.after: cursor}
        page = fetch(Added(_named(values), paging.at, {"cursor": cursor, "size": size}), context)
        if page.opened.is_beside:
            return page, None  # whatever the connection hangs on is gone
        return page, relay_page(page.opened, page.read_at).cursor

    yield from _chained(ask, context, start, paging.cap)


def _chained(
    ask: Callable[[str | None], tuple[Fetched, str | None]],
    context: Context,
    start: str | None,
    cap: int | None,
) -> Iterator[Turned]:
    """Pages of which each names the next; a name that comes again is a circle."""
    place = start
    passed = {start}
    seen = 0
    for _ in range(MAX_PAGES):
        heed_stop(context)
        page, place = ask(place)
        if place is not None and place in passed:
            raise VendorFault("the page cursor does not move", expected="a new cursor with every page")
        passed.add(place)
        yield Turned(page, place)
        if place is None:
            return
        if cap is not None:
            seen += page.count
            _refuse_beyond_count(cap, seen)
    raise _endless()


def _named(values: Mapping[str, object]) -> dict[str, object]:
    """Values whose parameter has a name; those without are for placeholders only."""
    return {name: value for name, value in values.items() if name and value is not None}


def _refuse_same(last: Fetched, page: Fetched) -> None:
    if page.records == last.records and not is_empty(page.records):
        raise VendorFault(
            "two pages in a row are the same", expected="other records on another page; is it ignored?"
        )


def _refuse_early_end(seen: int, total: int | None) -> None:
    if total is not None and total > seen:
        raise VendorFault(f"the list ended after {seen} records of {total}", expected="all of them")


def _refuse_beyond(cap: int | None, total: int | None) -> None:
    if cap is not None and total is not None and total > cap:
        raise TooMany(f"{total} records, and one query reaches {cap}")


def _refuse_beyond_count(cap: int | None, seen: int) -> None:
    if cap is not None and seen >= cap:
        raise TooMany(f"more than {cap} records, and one query reaches no more")


def _endless() -> VendorFault:
    return VendorFault(f"no end after {MAX_PAGES:,} pages", expected="a last page")
