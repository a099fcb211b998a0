"""Page after page, in order and to the end."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from propexo_connect.http.context import Context
from propexo_connect.http.envelope import Envelope
from propexo_connect.http.paging import (
    CursorPage,
    OffsetPage,
    cursor_pages,
    offset_pages,
    pages_in_flight,
    relay_page,
)
from propexo_connect.model.errors import Stalled, VendorFault
from propexo_connect_tests.http.doubles import NOON, Sync

RELAY = Envelope(("edges",), has_next=("hasNextPage",), cursor=("endCursor",))


def relay(text: str) -> CursorPage:
    return relay_page(RELAY.open(text.encode()), NOON)


def chain(*cursors: str | None, asked: list[str | None] | None = None) -> list[bytes]:
    """The pages read from a vendor that names these successors, whatever it is asked."""
    waiting = list(cursors)

    def fetch(cursor: str | None) -> CursorPage:
        if asked is not None:
            asked.append(cursor)
        successor = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        return CursorPage(b"[]", successor, NOON)

    return [page.records for page in cursor_pages(fetch, Sync().context, max_pages=50)]


def test_cursors_are_followed_to_the_last_page() -> None:
    asked: list[str | None] = []
    assert len(chain("a", "b", None, asked=asked)) == 3
    assert asked == [None, "a", "b"]


@pytest.mark.parametrize("cursors", [("a", "a"), ("a", "b", "a"), ("a", "b", "c", "b")])
def test_a_cursor_that_stands_still_or_circles_is_a_fault(cursors: tuple[str, ...]) -> None:
    with pytest.raises(VendorFault, match="the page cursor does not move"):
        chain(*cursors)


def test_an_endless_list_is_a_fault() -> None:
    with pytest.raises(VendorFault, match="no end after 50 pages"):
        chain(*(str(number) for number in range(100)))


def test_a_read_goes_on_behind_the_cursor_it_is_given() -> None:
    asked: list[str | None] = []

    def fetch(cursor: str | None) -> CursorPage:
        asked.append(cursor)
        return CursorPage(b"[]", None, NOON)

    list(cursor_pages(fetch, Sync().context, start="b"))
    assert asked == ["b"]


def test_a_cursor_back_to_the_start_of_a_resumed_read_is_a_fault() -> None:
    pages = cursor_pages(lambda _: CursorPage(b"[]", "b", NOON), Sync().context, start="b")
    with pytest.raises(VendorFault, match="does not move"):
        next(pages)


def test_a_cancelled_sync_asks_for_no_further_page() -> None:
    sync = Sync()
    pages = cursor_pages(lambda cursor: CursorPage(b"[]", f"{cursor}x", NOON), sync.context)
    next(pages)
    sync.context.stop.set()
    with pytest.raises(Stalled):
        next(pages)


def test_the_cursor_of_the_last_page_is_not_followed() -> None:
    assert relay('{"edges":[1],"hasNextPage":false,"endCursor":"z"}').cursor is None


def test_an_empty_page_in_the_middle_is_no_end() -> None:
    assert relay('{"edges":[],"hasNextPage":true,"endCursor":"m"}').cursor == "m"


def test_an_empty_list_has_an_empty_cursor() -> None:
    assert relay('{"edges":[],"hasNextPage":false,"endCursor":""}').cursor is None


@pytest.mark.parametrize("cursor", ['""', "null"])
def test_more_without_a_cursor_is_a_fault(cursor: str) -> None:
    with pytest.raises(VendorFault, match="not where"):
        relay(f'{{"edges":[1],"hasNextPage":true,"endCursor":{cursor}}}')


def test_a_page_that_does_not_say_whether_it_is_the_last_is_a_fault() -> None:
    with pytest.raises(VendorFault, match="whether it is the last"):
        relay('{"edges":[1],"endCursor":"a"}')


# offsets


class Shelf:
    """So many records by offset; `tells` is what pages say of the total, `knows_end` of their place."""

    def __init__(self, count: int, tells: int | None, *, knows_end: bool = False, size: int = 10) -> None:
        self.count = count
        self.tells = tells
        self.knows_end = knows_end
        self.size = size
        self.asked: list[int] = []
        self._lock = threading.Lock()

    def fetch(self, offset: int, _: Context) -> OffsetPage:
        with self._lock:
            self.asked.append(offset)
        numbers = range(offset, min(self.count, offset + self.size))
        text = "[" + ",".join(str(number) for number in numbers) + "]"
        has_more = offset + self.size < self.count if self.knows_end else None
        return OffsetPage(text.encode(), NOON, self.tells, has_more)

    def read(self, in_flight: int) -> list[int]:
        """Every number read, in the order of the pages."""
        pages = offset_pages(self.fetch, Sync().context, size=self.size, in_flight=in_flight)
        return [int(number) for page in pages for number in page.records.strip(b"[]").split(b",") if number]


@given(
    count=st.integers(0, 95),
    tells=st.none() | st.integers(0, 120),
    knows_end=st.booleans(),
    in_flight=st.integers(1, 5),
)
def test_every_record_is_read_once_and_in_order_whatever_total_is_told(
    count: int, tells: int | None, knows_end: bool, in_flight: int
) -> None:
    """The total is a hint: too small, too large and none at all lose nothing."""
    shelf = Shelf(count, tells, knows_end=knows_end)
    assert shelf.read(in_flight) == list(range(count))


def test_a_page_that_knows_its_end_needs_no_further_request() -> None:
    shelf = Shelf(30, 30, knows_end=True)
    shelf.read(4)
    assert sorted(shelf.asked) == [0, 10, 20]


def test_without_that_the_end_is_an_empty_page() -> None:
    shelf = Shelf(30, 30)
    shelf.read(4)
    assert sorted(shelf.asked) == [0, 10, 20, 30]


@pytest.mark.parametrize("tells", [None, 50])
def test_a_vendor_that_ignores_the_offset_is_found_out(tells: int | None) -> None:
    def fetch(_offset: int, _: Context) -> OffsetPage:
        return OffsetPage(b"[1,2]", NOON, tells)

    with pytest.raises(VendorFault, match="two pages in a row are the same"):
        list(offset_pages(fetch, Sync().context, size=10, in_flight=2))


def test_pages_without_end_are_a_fault() -> None:
    def fetch(offset: int, _: Context) -> OffsetPage:
        return OffsetPage(b"[%d]" % offset, NOON)

    with pytest.raises(VendorFault, match="no end after 7 pages"):
        list(offset_pages(fetch, Sync().context, size=10, max_pages=7))


# several at once


def test_results_come_in_the_order_of_the_items_whoever_is_ready_first() -> None:
    second_is_done = threading.Event()

    def fetch(item: int, _: Context) -> int:
        if item == 0:
            assert second_is_done.wait(5)
        if item == 1:
            second_is_done.set()
        return item

    assert list(pages_in_flight(range(6), fetch, Sync().context, 3)) == list(range(6))


def test_no_more_run_at_once_than_allowed() -> None:
    lock = threading.Lock()
    gate = threading.Barrier(3)
    now = most = 0

    def fetch(item: int, _: Context) -> int:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        gate.wait(5)
        with lock:
            now -= 1
        return item

    list(pages_in_flight(range(9), fetch, Sync().context, 3))
    assert most == 3


def test_no_more_is_fetched_than_the_reader_keeps_up_with() -> None:
    """Memory stays flat when the destination is slow."""
    taken = 0

    def items() -> object:
        nonlocal taken
        for number in range(100):
            taken += 1
            yield number

    results = pages_in_flight(items(), lambda item, _: item, Sync().context, 4)  # type: ignore[arg-type,misc,var-annotated]
    next(results)
    assert taken == 5
    results.close()  # type: ignore[attr-defined]


def test_the_first_failure_comes_through_and_stops_the_others() -> None:
    stopped = threading.Event()

    def fetch(item: int, context: Context) -> int:
        if item == 1:
            raise VendorFault("it broke")
        if item == 2:
            while not context.stop.is_set():
                stopped.wait(0.001)
            stopped.set()
        return item

    sync = Sync()
    results = pages_in_flight(range(50), fetch, sync.context, 3)
    assert next(results) == 0
    with pytest.raises(VendorFault, match="it broke"):
        next(results)
    assert stopped.is_set()
    assert not sync.context.stop.is_set()


def test_a_reader_that_leaves_early_leaves_no_thread_behind() -> None:
    results = pages_in_flight(range(50), lambda item, _: item, Sync().context, 3)
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("pages")]


@pytest.mark.parametrize("in_flight", [1, 3])
def test_the_syncs_own_stop_reaches_every_request(in_flight: int) -> None:
    sync = Sync()

    def fetch(item: int, context: Context) -> int:
        if item == 1:
            sync.context.stop.set()
        return item if not context.stop.is_set() else -1

    with pytest.raises(Stalled):
        list(pages_in_flight(range(50), fetch, sync.context, in_flight))
