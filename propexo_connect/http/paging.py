"""Page after page until the vendor says that there are no more, and never in circles."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count, islice
from typing import TypeVar

from propexo_connect.http.context import Branch, Context
from propexo_connect.http.envelope import Opened, is_empty
from propexo_connect.http.retry import heed_stop
from propexo_connect.model.errors import VendorFault

T = TypeVar("T")
R = TypeVar("R")

MAX_PAGES = 1_000_000
"""No read has so many pages; a source that goes on beyond it is going in circles."""


@dataclass(frozen=True, slots=True)
class CursorPage:
    """A page that names its successor; `cursor` None: it is the last."""

    records: bytes = field(repr=False)
    cursor: str | None
    read_at: datetime


@dataclass(frozen=True, slots=True)
class OffsetPage:
    """A page found by its number of records before it.

    `total` is the vendor's word on how many records there are, a hint only. `has_more` is what the page says
    of its own place; None when it says nothing.
    """

    records: bytes = field(repr=False)
    read_at: datetime
    total: int | None = None
    has_more: bool | None = None


def relay_page(opened: Opened, read_at: datetime) -> CursorPage:
    """A page of a Relay connection, from the values `has_next` and `cursor` of its envelope.

    `pageInfo {hasNextPage endCursor}`: an empty list has the cursor "" (HappyCo) or null.

    Raises:
        VendorFault: it says that there is more and not where.
    """
    has_next = opened.flag("has_next")
    cursor = opened.text("cursor")
    if has_next is None:
        raise VendorFault("the page does not say whether it is the last", expected="hasNextPage")
    if has_next and not cursor:
        raise VendorFault(
            "the page says that there is more and not where", expected="a cursor of the next page"
        )
    return CursorPage(opened.records, cursor if has_next else None, read_at)


def cursor_pages(
    fetch: Callable[[str | None], CursorPage],
    context: Context,
    start: str | None = None,
    max_pages: int = MAX_PAGES,
) -> Iterator[CursorPage]:
    """Every page from the one after `start` (None: the first) to the last, empty ones included.

    Raises:
        VendorFault: the cursor stands still or goes in circles, or there is no end.
    """
    cursor = start
    seen = {start}
    for _ in range(max_pages):
        heed_stop(context)
        page = fetch(cursor)
        cursor = page.cursor
        if cursor in seen and cursor is not None:
            raise VendorFault("the page cursor does not move", expected="a new cursor with every page")
        seen.add(cursor)
        yield page
        if cursor is None:
            return
    raise _endless(max_pages)


def offset_pages(
    fetch: Callable[[int, Context], OffsetPage],
    context: Context,
    *,
    size: int,
    in_flight: int = 1,
    start: int = 0,
    max_pages: int = MAX_PAGES,
) -> Iterator[OffsetPage]:
    """Every page in order of its offset, `in_flight` of them asked for at once as soon as the total is known.

    The total only tells how far one may run ahead. The end is a page that says so itself or, where pages say
    nothing, one without records.

    Args:
        fetch: takes the offset and the context to ask in; called from several threads.
        size: how many records a page has.

    Raises:
        VendorFault: two pages in a row are the same, or there is no end.
    """
    first = fetch(start, context)
    yield first
    planned = range(start + size, min(first.total or 0, start + size * max_pages), size)
    last = first
    fetched = 1
    for page in pages_in_flight(planned, fetch, context, in_flight):
        _prove_moved(last, page)
        yield page
        last = page
        fetched += 1
    for offset in islice(count(start + fetched * size, size), max_pages - fetched):
        if last.has_more is False or is_empty(last.records):
            return
        heed_stop(context)
        page = fetch(offset, context)
        _prove_moved(last, page)
        if not is_empty(page.records):
            yield page
        last = page
    raise _endless(max_pages)


def pages_in_flight(
    items: Iterable[T], fetch: Callable[[T, Context], R], context: Context, in_flight: int
) -> Iterator[R]:
    """What `fetch` returns for each item, in the order of the items, up to `in_flight` asked for at once.

    No more than `in_flight` results are held. The first failure ends it: what is under way is stopped and
    waited for, so that no thread outlives the iteration.
    """
    if in_flight <= 1:
        for item in items:
            heed_stop(context)
            yield fetch(item, context)
        return
    branch = Branch.off(context)
    waiting = iter(items)
    running: deque[Future[R]] = deque()
    with ThreadPoolExecutor(in_flight, thread_name_prefix="pages") as pool:
        try:
            for item in islice(waiting, in_flight):
                running.append(pool.submit(fetch, item, branch))
            while running:
                heed_stop(context)
                result = running.popleft().result()
                for item in islice(waiting, 1):
                    running.append(pool.submit(fetch, item, branch))
                yield result
        finally:
            branch.stop.set()
            pool.shutdown(wait=False, cancel_futures=True)


def _prove_moved(last: OffsetPage, page: OffsetPage) -> None:
    if page.records == last.records and not is_empty(page.records):
        raise VendorFault(
            "two pages in a row are the same", expected="other records at another offset; is it ignored?"
        )


def _endless(max_pages: int) -> VendorFault:
    return VendorFault(f"no end after {max_pages:,} pages", expected="a last page")
