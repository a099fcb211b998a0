"""Every way of paging that vendors have, through the engine; and every way in which they go wrong."""

import json
import threading
from datetime import timedelta
from typing import Any

import httpx
import pytest

from propexo_connect.http.plan import (
    ApiStream,
    Between,
    LastId,
    Links,
    Numbered,
    Offsets,
    OnePage,
    Relay,
    Tokens,
)
from propexo_connect.model.errors import TerminalError, VendorFault
from propexo_connect.model.tile import Request
from propexo_connect_tests.connectors.api.bench import answered, bench, cut, query, rows
from propexo_connect_tests.http.doubles import NOON

ALL = rows(*range(1, 252))
ONE_TO_251 = list(range(1, 252))


def by_offset(cap: int = 1000, *, first: int = 0, total: bool = True) -> Any:
    """limit and offset, the total in a header."""

    def handler(request: httpx.Request) -> httpx.Response:
        asked = query(request)
        page = cut(ALL, int(asked["offset"]) - first, min(int(asked["limit"]), cap))
        return answered(page, headers={"X-Total-Count": str(len(ALL))} if total else {})

    return handler


def test_offsets_with_a_total_in_a_header_take_one_request_a_page() -> None:
    with bench(by_offset(), paging=Offsets(100, total="header:X-Total-Count")) as vendor:
        assert sorted(vendor.ids()) == ONE_TO_251
        assert [asked["offset"] for asked in vendor.vendor.queries] == ["0", "100", "200"]


def test_pages_that_are_independent_are_asked_for_at_once_and_come_in_order() -> None:
    """As soon as the total is known; two requests must be under way for either to be answered."""
    meet = threading.Barrier(2, timeout=5)
    plain = by_offset()

    def handler(request: httpx.Request) -> httpx.Response:
        if query(request)["offset"] != "0":
            meet.wait()
        return plain(request)

    paging = Offsets(51, total="header:X-Total-Count")
    with bench(handler, paging=paging, settings={"in_flight": 2}) as vendor:
        assert vendor.ids() == ONE_TO_251
        assert len(vendor.vendor.requests) == 5


def test_offsets_advance_by_what_came_where_the_vendor_cuts_pages_in_silence() -> None:
    with bench(by_offset(cap=60), paging=Offsets(100, total="header:X-Total-Count")) as vendor:
        assert sorted(vendor.ids()) == ONE_TO_251
        assert len(vendor.vendor.requests) == 5


def test_offsets_without_a_total_end_with_an_empty_page() -> None:
    """A short page may be a silent cap."""
    with bench(by_offset(cap=60, total=False), paging=Offsets(100)) as vendor:
        assert vendor.ids() == ONE_TO_251
        assert len(vendor.vendor.requests) == 6


def test_a_short_page_is_the_last_where_the_vendor_says_so() -> None:
    with bench(by_offset(total=False), paging=Offsets(100, short_is_last=True)) as vendor:
        assert vendor.ids() == ONE_TO_251
        assert len(vendor.vendor.requests) == 3


def test_a_page_that_is_short_in_the_middle_loses_nothing() -> None:
    """Pages under way at once assume equal pages; what one leaves out is asked for again."""

    def handler(request: httpx.Request) -> httpx.Response:
        asked = query(request)
        size = 30 if asked["offset"] == "100" else int(asked["limit"])
        return answered(cut(ALL, int(asked["offset"]), size), headers={"X-Total-Count": "251"})

    with bench(handler, paging=Offsets(100, total="header:X-Total-Count")) as vendor:
        assert sorted(set(vendor.ids())) == ONE_TO_251


def test_a_total_in_the_body_and_records_below_a_key() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        asked = query(request)
        return answered({"count": 251, "results": cut(ALL, int(asked["offset"]), int(asked["limit"]))})

    with bench(handler, records="results", paging=Offsets(100, total="count")) as vendor:
        assert sorted(vendor.ids()) == ONE_TO_251


def test_a_start_position_counts_from_one_within_a_query_language() -> None:
    """QuickBooks: STARTPOSITION is 1-based and stands in the query; no key comes when there is nothing."""

    def handler(request: httpx.Request) -> httpx.Response:
        words = query(request)["query"].split()
        start, size = int(words[words.index("STARTPOSITION") + 1]), int(words[-1])
        page = cut(ALL, start - 1, size)
        return answered({"QueryResponse": {"Invoice": page} if page else {}})

    stream = ApiStream(
        "things",
        "/query",
        "id",
        params={"query": "SELECT * FROM Invoice {filter?} STARTPOSITION {offset} MAXRESULTS {size}"},
        records="QueryResponse.Invoice",
        absent="empty",
        paging=Offsets(100, limit="", offset="", first=1, short_is_last=True),
    )
    with bench(handler, stream) as vendor:
        assert vendor.ids() == ONE_TO_251
        assert len(vendor.vendor.requests) == 3


def test_a_range_in_a_header_tells_the_total() -> None:
    """Kisi: X-Collection-Range: 0-99/250."""

    def handler(request: httpx.Request) -> httpx.Response:
        start = int(query(request)["offset"])
        return answered(cut(ALL, start, 100), headers={"X-Collection-Range": f"{start}-{start + 99}/251"})

    with bench(handler, paging=Offsets(100, total="header:X-Collection-Range")) as vendor:
        assert sorted(vendor.ids()) == ONE_TO_251
        assert len(vendor.vendor.requests) == 3


def test_odata_skips_and_counts() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        asked = query(request)
        page = cut(ALL, int(asked["$skip"]), int(asked["$top"]))
        return answered({"@odata.count": 251, "value": page})

    paging = Offsets(100, limit="$top", offset="$skip", total=("@odata.count",))
    with bench(handler, records="value", paging=paging) as vendor:
        assert sorted(vendor.ids()) == ONE_TO_251
        assert b"$top=100" in vendor.vendor.requests[0].url.query


def numbered(extra: Any = None, headers: Any = None) -> Any:
    def handler(request: httpx.Request) -> httpx.Response:
        asked = query(request)
        number, size = int(asked["page"]), int(asked["per_page"])
        page = cut(ALL, (number - 1) * size, size)
        last = -(-len(ALL) // size)
        told = extra(number, last) if extra else {}
        return answered(
            {"data": page, **told} if extra else page, headers=headers(number, last) if headers else {}
        )

    return handler


def test_pages_with_page_info_end_where_it_names_no_next_page() -> None:
    handler = numbered(
        lambda number, last: {"page_info": {"next_page": number + 1 if number < last else None}}
    )
    with bench(handler, records="data", paging=Numbered(100, next="page_info.next_page")) as vendor:
        assert vendor.ids() == ONE_TO_251
        assert len(vendor.vendor.requests) == 3


@pytest.mark.parametrize("says_pages", [True, False])
def test_pages_whose_page_info_is_missing_end_with_a_short_page(says_pages: bool) -> None:
    """ButterflyMX: older answers lack `page_info` altogether."""

    def told(number: int, last: int) -> dict[str, Any]:
        info = {"total_pages": last, "next_page": number + 1 if number < last else None}
        return {"page_info": info} if says_pages else {}

    paging = Numbered(100, next="page_info.next_page", pages="page_info.total_pages", short_is_last=True)
    with bench(numbered(told), records="data", paging=paging) as vendor:
        assert sorted(vendor.ids()) == ONE_TO_251
        assert len(vendor.vendor.requests) == 3


@pytest.mark.parametrize("says_next", [True, False])
def test_a_full_page_is_followed_where_lists_may_not_name_the_next(says_next: bool) -> None:
    def told(number: int, last: int) -> dict[str, Any]:
        return {"next_href": f"/things?page={number + 1}" if number < last else None} if says_next else {}

    paging = Numbered(100, next="next_href", short_is_last=True)
    with bench(numbered(told), records="data", paging=paging) as vendor:
        assert vendor.ids() == ONE_TO_251
        assert len(vendor.vendor.requests) == 3


def test_pages_with_totals_in_headers_are_asked_for_at_once() -> None:
    handler = numbered(headers=lambda _, last: {"Pagination-Total-Pages": str(last)})
    with bench(handler, paging=Numbered(50, pages="header:Pagination-Total-Pages")) as vendor:
        assert sorted(vendor.ids()) == ONE_TO_251
        assert sorted(int(asked["page"]) for asked in vendor.vendor.queries) == [1, 2, 3, 4, 5, 6]


def test_a_page_parameter_that_is_ignored_is_a_failure() -> None:
    def handler(_: httpx.Request) -> httpx.Response:
        return answered({"total": 251, "data": cut(ALL, 0, 100)})

    with (
        bench(handler, records="data", paging=Numbered(100, total="total")) as vendor,
        pytest.raises(VendorFault, match="two pages in a row are the same"),
    ):
        vendor.ids()


def test_a_link_header_leads_on() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        number = int(query(request).get("page", "1"))
        headers = (
            {
                "Link": f'<https://api.example.com/v2/things?page=1>; rel="first", '
                f'<https://api.example.com/v2/things?page={number + 1}>; rel="next"'
            }
            if number < 3
            else {}
        )
        return answered(cut(ALL, (number - 1) * 100, 100), headers=headers)

    with bench(handler, paging=Links("header:Link")) as vendor:
        assert vendor.ids() == ONE_TO_251


def linked(link: Any) -> Any:
    def handler(request: httpx.Request) -> httpx.Response:
        number = int(query(request).get("page[number]", "1"))
        return answered(
            {"data": cut(ALL, (number - 1) * 100, 100), "next": link(number + 1) if number < 3 else None}
        )

    return handler


def test_a_relative_path_leads_on_from_the_host() -> None:
    handler = linked(lambda number: f"/v2/things?page[number]={number}")
    with bench(handler, records="data", paging=Links("next")) as vendor:
        assert vendor.ids() == ONE_TO_251
        assert vendor.vendor.requests[1].url.path == "/v2/things"


def test_an_absolute_address_leads_on_within_the_origin_only() -> None:
    handler = linked(lambda number: f"https://api.example.com/v2/things?page[number]={number}")
    with bench(handler, records="data", paging=Links("next")) as vendor:
        assert vendor.ids() == ONE_TO_251
    away = linked(lambda number: f"https://elsewhere.example.com/v2/things?page[number]={number}")
    with (
        bench(away, records="data", paging=Links("next")) as vendor,
        pytest.raises(TerminalError, match=r"a link leads away from api\.example\.com"),
    ):
        vendor.ids()
    assert len(vendor.vendor.requests) == 1


def test_a_link_without_encryption_is_not_followed() -> None:
    handler = linked(lambda number: f"http://api.example.com/v2/things?page[number]={number}")
    with (
        bench(handler, records="data", paging=Links("next")) as vendor,
        pytest.raises(TerminalError, match="leads away"),
    ):
        vendor.ids()


def test_the_next_page_is_asked_for_by_post_without_a_body() -> None:
    """AppFolio's reports."""

    def handler(request: httpx.Request) -> httpx.Response:
        assert request.method == "POST"
        number = int(query(request).get("page", "1"))
        assert bool(request.content) == (number == 1)
        link = f"https://api.example.com/v2/pages?page={number + 1}" if number < 3 else None
        return answered({"results": cut(ALL, (number - 1) * 100, 100), "next_page_url": link})

    stream = ApiStream(
        "things", "/reports/x.json", "id", method="POST", body={"paginate_results": True}, records="results",
        paging=Links("next_page_url", method="POST"),
    )  # fmt: skip
    with bench(handler, stream) as vendor:
        assert vendor.ids() == ONE_TO_251


def test_the_id_of_the_last_record_leads_on() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        start = int(query(request).get("starting_after", "0"))
        return answered({"data": cut(ALL, start, 100), "has_more": start + 100 < 251})

    paging = LastId(100, "starting_after", has_more="has_more")
    with bench(handler, records="data", paging=paging) as vendor:
        assert vendor.ids() == ONE_TO_251
        assert [asked.get("starting_after") for asked in vendor.vendor.queries] == [None, "100", "200"]


def by_token(asked: dict[str, str], *, name: str = "next") -> dict[str, Any]:
    start = int(asked.get("token", "t0")[1:])
    token = f"t{start + 100}" if start + 100 < 251 else ""
    return {"doors": cut(ALL, start, 100), name: token}


def test_an_opaque_token_is_sent_with_the_same_parameters() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        assert query(request)["kind"] == "door"
        return answered(by_token(query(request)))

    stream = ApiStream("things", "/doors", "id", params={"kind": "door"}, records="doors",
                       paging=Tokens("next", "token", 100, "pageSize"))  # fmt: skip
    with bench(handler, stream) as vendor:
        assert vendor.ids() == ONE_TO_251


def test_an_export_stream_ends_where_it_says_so_though_a_token_comes() -> None:
    """Zendesk: the token goes alone, and the last page has one, too."""

    def handler(request: httpx.Request) -> httpx.Response:
        asked = query(request)
        assert ("start_time" in asked) != ("token" in asked)
        start = int(asked.get("token", "t0")[1:])
        return answered(
            {"tickets": cut(ALL, start, 100), "after": f"t{start + 100}", "end_of_stream": start + 100 >= 251}
        )

    stream = ApiStream("things", "/export", "id", params={"start_time": "0"}, records="tickets",
                       paging=Tokens("after", "token", end="end_of_stream", alone=True))  # fmt: skip
    with bench(handler, stream) as vendor:
        assert vendor.ids() == ONE_TO_251


def test_a_token_goes_into_a_json_body() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        assert body["filter"] == "all"
        return answered(by_token({"token": body["page"]["cursor"]} if "page" in body else {}))

    stream = ApiStream("things", "/doors/list", "id", method="POST", body={"filter": "all"}, records="doors",
                       paging=Tokens("next", "page.cursor", at="body"))  # fmt: skip
    with bench(handler, stream) as vendor:
        assert vendor.ids() == ONE_TO_251


@pytest.mark.parametrize("tokens", [["a", "a"], ["a", "b", "a"]])
def test_a_token_that_comes_again_is_a_circle(tokens: list[str]) -> None:
    waiting = iter(tokens)

    def handler(request: httpx.Request) -> httpx.Response:
        return answered({"doors": rows(len(query(request))), "next": next(waiting)})

    with (
        bench(handler, records="doors", paging=Tokens("next", "token")) as vendor,
        pytest.raises(VendorFault, match="does not move"),
    ):
        vendor.ids()


def test_a_relay_connection() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        variables = json.loads(request.content)["variables"]
        start = int(variables.get("after") or "0")
        edges = [{"node": row} for row in cut(ALL, start, variables["first"])]
        info = {"hasNextPage": start + 100 < 251, "endCursor": str(start + 100) if edges else ""}
        return answered({"data": {"account": {"things": {"pageInfo": info, "edges": edges}}}})

    stream = ApiStream(
        "things", "/graphql", "id", query="query { things }", paging=Relay(100, "account.things")
    )
    with bench(handler, stream) as vendor:
        assert vendor.ids() == ONE_TO_251
        assert len(vendor.vendor.requests) == 3


def test_no_paging_at_all() -> None:
    with bench(lambda _: answered(ALL)) as vendor:
        assert vendor.ids() == ONE_TO_251
        assert len(vendor.vendor.requests) == 1


def test_a_single_object_is_one_record() -> None:
    with bench(
        lambda _: answered({"account": {"id": 7}}),
        ApiStream("things", "/me", "id", single=True, records="account"),
    ) as vendor:
        assert vendor.ids() == [7]


def test_a_single_object_is_not_asked_for_in_pages() -> None:
    stream = ApiStream("things", "/me", "id", single=True)
    with bench(lambda _: answered({"id": 7}), stream, paging=Offsets(10)) as vendor:
        assert vendor.ids() == [7]
        assert vendor.vendor.queries == [{}]


def test_a_list_of_one_may_come_as_an_object() -> None:
    stream = ApiStream("things", "/things", "id", records="result.lease", one_or_many=True)
    with bench(lambda _: answered({"result": {"lease": {"id": 7}}}), stream) as vendor:
        assert vendor.ids() == [7]


# search limits


def search(request: httpx.Request) -> httpx.Response:
    """One record an hour of 2026; a query reaches 100 of them."""
    asked = query(request)
    start, end = int(asked["from"]), int(asked["to"])
    found = list(range(-(-start // 3600), end // 3600 + 1))
    offset = int(asked["offset"])
    if offset + int(asked["limit"]) > 100:
        return answered({"message": "too far"}, 400)
    return answered({"total": len(found), "results": rows(*cut(found, offset, int(asked["limit"])))})


SEARCH = ApiStream(
    "things", "/search", "id", records="results",
    filter=Between("updated", "from", "to", written="epoch"), paging=Offsets(50, total="total", cap=100),
)  # fmt: skip


def test_a_range_with_more_than_a_search_reaches_is_split() -> None:
    end = NOON
    start = NOON.replace(month=2, day=1)
    with bench(search, SEARCH) as vendor:
        found = set(vendor.ids(request=Request(start, end)))
    assert found == set(range(int(start.timestamp()) // 3600, int(end.timestamp()) // 3600 + 1))
    assert any("the range is split" in line for line in vendor.sync.lines)


def test_a_search_limit_without_a_total_is_noticed_by_counting() -> None:
    stream = ApiStream(
        "things", "/search", "id", records="results",
        filter=Between("updated", "from", "to", written="epoch"),
        paging=Offsets(50, cap=100, short_is_last=True),
    )  # fmt: skip
    start = NOON.replace(day=1, hour=0)
    with bench(search, stream) as vendor:
        found = set(vendor.ids(request=Request(start.replace(month=2), NOON)))
    assert len(found) == int((NOON - start.replace(month=2)).total_seconds()) // 3600 + 1


def test_what_cannot_be_split_is_an_error_and_not_a_loss() -> None:
    with (
        bench(
            lambda _: answered({"total": 500, "results": rows(1)}),
            records="results",
            paging=Offsets(50, total="total", cap=100),
        ) as vendor,
        pytest.raises(TerminalError, match="500 records, and one query reaches 100"),
    ):
        vendor.ids()


def test_as_many_records_as_a_vendor_ever_sends_are_suspicious() -> None:
    with (
        bench(lambda _: answered(ALL), paging=OnePage(full_at=251)) as vendor,
        pytest.raises(TerminalError, match="as many as the vendor ever sends"),
    ):
        vendor.ids()


# contradictions


def test_a_list_that_ends_before_its_total_is_a_failure() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        return answered(
            cut(ALL, int(query(request)["offset"]), 100)[: 0 if query(request)["offset"] != "0" else 100],
            headers={"X-Total-Count": "251"},
        )

    with (
        bench(
            handler, paging=Offsets(100, total="header:X-Total-Count"), settings={"in_flight": 1}
        ) as vendor,
        pytest.raises(VendorFault, match="ended after 100 records of 251"),
    ):
        vendor.ids()


def test_a_read_without_end_is_given_up() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        vendor.sync.clock.advance(60)
        start = int(query(request).get("token", "0"))
        return answered({"doors": rows(start), "next": str(start + 1)})

    with (
        bench(
            handler, records="doors", paging=Tokens("next", "token"), settings={"longest_read": "1h"}
        ) as vendor,
        pytest.raises(Exception, match="no end within 1:00:00"),
    ):
        vendor.ids()


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, content=b""),
        httpx.Response(200, content=b"<html><body>Maintenance</body></html>"),
        httpx.Response(200, json={"error": "no"}),
        httpx.Response(200, json={"data": None}),
        httpx.Response(200, json={"data": "none"}),
        httpx.Response(200, content=b'{"data":[{"id":1}'),
    ],
)
def test_what_is_no_list_of_records_is_a_failure_and_not_nothing(answer: httpx.Response) -> None:
    with bench(lambda _: answer, records="data") as vendor, pytest.raises(VendorFault):
        vendor.ids()


def test_a_search_that_tells_too_large_a_total_is_split_before_it_is_read() -> None:
    """HubSpot: 10,000 results a query, and the first page says how many there are."""
    by_hour = {number: NOON - timedelta(hours=number) for number in range(1, 252)}

    def handler(request: httpx.Request) -> httpx.Response:
        asked = query(request)
        start, end = (int(asked[name]) / 1000 for name in ("from", "to"))
        found = [number for number, at in by_hour.items() if start <= at.timestamp() <= end]
        place = int(asked.get("after", 0))
        following = str(place + 50) if place + 50 < len(found) else None
        page = rows(*found[place : place + 50])
        return answered({"total": len(found), "results": page, "next": following})

    paging = Tokens("next", "after", size=50, limit="limit", total="total", cap=150)
    hours = Between("updated", "from", "to", written="epoch_ms_text")
    stream = ApiStream("things", "/search", "id", filter=hours, records="results", paging=paging)
    with bench(handler, stream) as vendor:
        assert sorted(set(vendor.ids(request=Request(NOON - timedelta(hours=251), NOON)))) == ONE_TO_251
        assert len(vendor.vendor.requests) == 1 + 3 + 3


def test_a_link_on_the_last_page_is_not_followed_where_the_vendor_says_that_it_is_the_last() -> None:
    """Zendesk: meta.has_more decides, whatever links.next says."""

    def handler(request: httpx.Request) -> httpx.Response:
        place = int(query(request).get("after", 0))
        links = {"next": f"https://api.example.com/v2/things?after={place + 100}"}
        return answered({"things": cut(ALL, place, 100), "meta": {"has_more": place < 200}, "links": links})

    paging = Links("links.next", has_more="meta.has_more")
    with bench(handler, ApiStream("things", "/things", "id", records="things"), paging=paging) as vendor:
        assert vendor.ids() == ONE_TO_251
        assert len(vendor.vendor.requests) == 3
