"""Every way in which vendors are asked by date, through the engine."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from propexo_connect.connectors.api.described import described
from propexo_connect.http.plan import Api, ApiStream, Between, Changes, LastId, Newest, Offsets
from propexo_connect.model.errors import ConfigurationError
from propexo_connect.model.stream import Filter, Meaning
from propexo_connect.model.tile import Request, Tile, widen
from propexo_connect_tests.connectors.api.bench import Config, answered, bench, query, rows
from propexo_connect_tests.http.doubles import NOON

DAY = timedelta(days=1)


def stream(given: Between | Newest | None, **more: Any) -> ApiStream:
    return ApiStream("things", "/things", "id", filter=given, **more)


def asked(given: Between, tile: Tile | None = None, **more: Any) -> dict[str, str]:
    """The parameters that a tile of yesterday is asked with."""
    made = stream(given, **more)
    with bench(lambda _: answered(rows(1)), made) as vendor:
        vendor.ids(request=widen(tile or Tile(NOON - DAY, NOON), filter_of(made)))
        (only,) = vendor.vendor.queries
        return only


def filter_of(made: ApiStream) -> Filter:
    found = described(Api((made,)), Config())[0].filter
    assert found is not None
    return found


def test_seconds_in_utc() -> None:
    assert asked(Between("updated", "from", "to")) == {
        "from": "2026-03-01T12:00:00Z",
        "to": "2026-03-02T12:00:00Z",
    }


def test_days_in_mountain_time_with_month_first() -> None:
    """Entrata: the day that a moment falls on is the vendor's own, and both ends are whole days."""
    given = Between("lastUpdatedOn", "fromDate", "toDate", written="us_date", grain="day", zone="{zone}")
    night = Tile(datetime(2026, 3, 1, 5, tzinfo=UTC), datetime(2026, 3, 2, 5, tzinfo=UTC))
    assert asked(given, night) == {"fromDate": "02/28/2026", "toDate": "03/02/2026"}


def test_a_lower_bound_only() -> None:
    given = Between("LastUpdatedAt", "filters[LastUpdatedAtFrom]")
    assert asked(given) == {"filters[LastUpdatedAtFrom]": "2026-03-01T12:00:00Z"}
    assert filter_of(stream(given)).upper is False


def test_brackets_of_a_parameter_stay_as_they_are_where_the_vendor_wants_them_so() -> None:
    made = stream(Between("LastUpdatedAt", "filters[LastUpdatedAtFrom]"))
    with bench(lambda _: answered([]), made, literal="[]") as vendor:
        vendor.ids(request=Request(NOON, None))
        assert vendor.vendor.requests[0].url.query == b"filters[LastUpdatedAtFrom]=2026-03-02T12:00:00Z"
    with bench(lambda _: answered([]), made) as vendor:
        vendor.ids(request=Request(NOON, None))
        assert b"%5BLast" in vendor.vendor.requests[0].url.query


@pytest.mark.parametrize(
    ("lower", "upper", "written", "value"),
    [
        ("DateSent>=", "DateSent<=", "date", "2026-03-01"),
        ("q[logged_at_gteq]", "q[logged_at_lteq]", "date", "2026-03-01"),
        ("updated__gte", "updated__lte", "iso", "2026-03-01T12:00:00Z"),
        ("created[gte]", "created[lte]", "epoch", "1772366400"),
        ("from", "to", "epoch_ms_text", "1772366400000"),
    ],
)
def test_the_operator_in_the_name_of_a_parameter(lower: str, upper: str, written: str, value: str) -> None:
    found = asked(Between("x", lower, upper, written=written))
    assert found[lower] == value
    assert set(found) == {lower, upper}


def test_a_filter_language_with_operators_in_the_value() -> None:
    given = Between(
        "UpdateDate",
        into="filters",
        terms=("UpdateDate,gte,{start}", "UpdateDate,lte,{end}"),
        join=";",
        written="naive",
    )
    assert asked(given) == {
        "filters": "UpdateDate,gte,2026-03-01T12:00:00;UpdateDate,lte,2026-03-02T12:00:00"
    }


def test_a_filter_language_of_json() -> None:
    term = '{"field":"lastUpdatedAt","operator":"$between","from":"{start}","to":"{end}"}'
    given = Between("lastUpdatedAt", into="filters", terms=(term,), wrap="[{terms}]", written="iso_ms")
    assert json.loads(asked(given)["filters"]) == [
        {
            "field": "lastUpdatedAt",
            "operator": "$between",
            "from": "2026-03-01T12:00:00.000Z",
            "to": "2026-03-02T12:00:00.000Z",
        }
    ]


def test_a_filter_language_like_sql() -> None:
    given = Between(
        "MetaData.LastUpdatedTime",
        terms=("Metadata.LastUpdatedTime >= '{start}'", "Metadata.LastUpdatedTime <= '{end}'"),
        join=" AND ",
        wrap="WHERE {terms}",
        written="offset",
    )
    made = stream(given, params={"query": "SELECT * FROM Bill {filter?} MAXRESULTS 9"})
    with bench(lambda _: answered(rows(1)), made) as vendor:
        vendor.ids(request=Request(NOON - DAY, NOON))
        vendor.ids()
        windowed, whole = (found["query"] for found in vendor.vendor.queries)
    assert windowed == (
        "SELECT * FROM Bill WHERE Metadata.LastUpdatedTime >= '2026-03-01T12:00:00+00:00' "
        "AND Metadata.LastUpdatedTime <= '2026-03-02T12:00:00+00:00' MAXRESULTS 9"
    )
    assert whole == "SELECT * FROM Bill  MAXRESULTS 9"


def test_odata_filters_by_an_expression() -> None:
    given = Between(
        "UpdatedDate", into="$filter", terms=("UpdatedDate ge {start}", "UpdatedDate le {end}"), join=" and "
    )
    assert (
        asked(given)["$filter"]
        == "UpdatedDate ge 2026-03-01T12:00:00Z and UpdatedDate le 2026-03-02T12:00:00Z"
    )


def test_a_bound_in_a_header() -> None:
    made = stream(Between("UpdatedDateUTC", "If-Modified-Since", at="header", written="naive"))
    with bench(lambda _: answered(rows(1)), made) as vendor:
        vendor.ids(request=Request(NOON - DAY, None))
        vendor.ids()
        windowed, whole = vendor.vendor.requests
    assert windowed.headers["If-Modified-Since"] == "2026-03-01T12:00:00"
    assert "If-Modified-Since" not in whole.headers


def test_a_bound_in_a_json_body_or_in_variables() -> None:
    body = stream(
        Between("x", "method.params.from", at="body"), method="POST", body={"method": {"name": "get"}}
    )
    variables = stream(Between("x", "filter.createdAfter", at="variables"), query="query { x }", records="x")

    def handler(request: httpx.Request) -> httpx.Response:
        return answered({"data": {"x": []}} if b"query" in request.content else [])

    for made, place in ((body, "method"), (variables, "variables")):
        with bench(handler, made) as vendor:
            vendor.ids(request=Request(NOON, None))
            sent = vendor.vendor.bodies[0]
        if place == "method":
            assert sent == {"method": {"name": "get", "params": {"from": "2026-03-02T12:00:00Z"}}}
        else:
            assert sent["variables"] == {"filter": {"createdAfter": "2026-03-02T12:00:00Z"}}


def test_a_filter_without_which_the_vendor_refuses_is_always_sent() -> None:
    made = stream(Between("LastUpdatedAt", "from", required=True))
    with bench(lambda _: answered(rows(1)), made) as vendor:
        vendor.ids()
        assert vendor.vendor.queries == [{"from": "1970-01-01T00:00:00Z"}]


def test_a_range_wider_than_the_vendor_takes_is_asked_for_in_pieces_that_touch() -> None:
    made = stream(Between("sent", "from", "to", required=True, earliest="2025-09-01", widest=90 * DAY))
    with bench(lambda _: answered(rows(1)), made) as vendor:
        vendor.ids()
        found = vendor.vendor.queries
    assert found[0]["from"] == "2025-09-01T00:00:00Z"
    assert [one["to"] for one in found[:-1]] == [one["from"] for one in found[1:]]
    assert found[-1]["to"] >= "2026-03-02T12:00:00Z"
    assert len(found) == 3


def test_more_is_asked_for_where_nobody_says_whether_bounds_are_included() -> None:
    given = Between("createdAt", "after", "before", margin=timedelta(seconds=1))
    assert asked(given) == {"after": "2026-03-01T11:59:59Z", "before": "2026-03-02T12:00:01Z"}


def test_a_filter_that_the_api_does_not_have_is_refused() -> None:
    """A connection file may name another field only where the source can be asked by it."""
    with bench(lambda _: answered([]), stream(Between("updated", "from"))) as vendor:
        (own,) = vendor.source.discover()
        assert vendor.source.prepare(own) == own
        with pytest.raises(ConfigurationError, match="cannot be asked by 'created'"):
            vendor.source.prepare(replace(own, filter=Filter("created")))


# change feeds


FEED = ApiStream(
    "things", "/charges", "id", records="data",
    filter=Between("created", "created[gte]", "created[lte]", written="epoch", meaning="created"),
    changes=Changes("/events", filter=Between("created", "created[gte]", written="epoch"), reach=30 * DAY,
                    params={"type": "charge.*"}, records="data", unwrap="data.object"),
)  # fmt: skip


def feed(request: httpx.Request) -> httpx.Response:
    if request.url.path.endswith("/events"):
        return answered({"data": [{"id": "evt_1", "data": {"object": {"id": "changed"}}}]})
    return answered({"data": rows(1)})


def test_changes_come_from_an_event_feed_as_far_as_it_reaches() -> None:
    with bench(feed, FEED) as vendor:
        assert vendor.ids(request=Request(NOON - 29 * DAY, NOON)) == ["changed"]
        assert vendor.ids(request=Request(NOON - 31 * DAY, NOON)) == [1]
        assert vendor.ids() == [1]
        paths = [request.url.path for request in vendor.vendor.requests]
    assert paths == ["/v2/events", "/v2/charges", "/v2/charges"]


def test_the_engine_plans_with_the_feeds_filter() -> None:
    assert filter_of(FEED).meaning is Meaning.UPDATED


def test_the_upper_bound_is_the_listings_where_the_feed_has_none() -> None:
    """So a chunk of the past is not read up to the present."""
    assert filter_of(FEED).upper is True
    with bench(feed, FEED) as vendor:
        vendor.ids(request=Request(NOON - 60 * DAY, NOON - 40 * DAY))
        vendor.ids(request=Request(NOON - 20 * DAY, NOON - 10 * DAY))
        listing, events = vendor.vendor.queries
    assert set(listing) == {"created[gte]", "created[lte]"}
    assert set(events) == {"type", "created[gte]"}


def test_the_newest_state_of_a_feed_stands_for_the_record() -> None:
    """A feed shows what a record was each time that it changed, the newest first, over several pages."""

    def handler(request: httpx.Request) -> httpx.Response:
        states = [(9, "a", 3), (8, "b", 1), (7, "a", 2), (6, "c", 1), (5, "a", 1), (4, "b", 0)]
        start = int(query(request).get("after", "99"))
        events = [
            {"id": event, "data": {"object": {"id": name, "version": version}}}
            for event, name, version in states
            if event < start
        ]
        return answered({"data": events[:2], "has_more": len(events) > 2})

    assert FEED.changes is not None
    made = replace(
        FEED,
        changes=replace(FEED.changes, newest_first=True, paging=LastId(2, "after", has_more="has_more")),
    )
    with bench(handler, made) as vendor:
        found = vendor.records(request=Request(NOON - DAY, NOON))
        assert len(vendor.vendor.requests) == 3
    assert [(record["id"], record["version"]) for record in found] == [("a", 3), ("b", 1), ("c", 1)]


# where the vendor filters nothing


def listed(request: httpx.Request) -> httpx.Response:
    start = int(query(request).get("offset", "0"))
    found = [
        {"id": number, "updatedAt": (NOON - number * timedelta(hours=1)).isoformat()}
        for number in range(start, start + 10)
    ]
    return answered(found if start < 100 else [])


def test_only_what_is_new_is_kept_where_the_vendor_cannot_be_asked() -> None:
    made = stream(Newest("updatedAt"), paging=Offsets(10))
    with bench(listed, made) as vendor:
        assert vendor.ids(request=Request(NOON - timedelta(hours=5), None)) == [0, 1, 2, 3, 4, 5]
        assert len(vendor.vendor.requests) == 11


def test_a_list_that_is_newest_first_is_left_at_its_first_old_page() -> None:
    made = stream(
        Newest("updatedAt", ordered=True),
        paging=Offsets(10),
    )
    with bench(listed, made) as vendor:
        assert vendor.ids(request=Request(NOON - timedelta(hours=5), None)) == [0, 1, 2, 3, 4, 5]
        assert len(vendor.vendor.requests) == 2


def test_records_without_a_date_are_kept() -> None:
    made = stream(Newest("updatedAt"))
    with bench(lambda _: answered(rows(1, 2)), made) as vendor:
        assert vendor.ids(request=Request(NOON, None)) == [1, 2]


# whether filters are honoured


def test_a_filter_is_proven_once_by_asking_for_a_time_to_come(tmp_path: Any) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        return answered([] if query(request)["from"] > "2027" else rows(1))

    made = stream(Between("updated", "from", "to"))
    counts: list[int] = []
    for _ in range(2):
        with bench(handler, made, settings={"prove_filters": True}, state_dir=tmp_path) as vendor:
            vendor.ids(request=Request(NOON - DAY, NOON))
            vendor.ids(request=Request(NOON - DAY, NOON))
            assert not any("WARNING" in line for line in vendor.sync.lines)
            counts.append(len(vendor.vendor.requests))
    assert counts == [3, 2], "the proof of the first source is kept"


def test_a_filter_that_is_ignored_is_told() -> None:
    made = stream(Between("updated", "since"))
    with bench(lambda _: answered(rows(1)), made, settings={"prove_filters": True}) as vendor:
        assert vendor.ids(request=Request(NOON - DAY, None)) == [1]
        assert len(vendor.vendor.requests) == 2
    assert any("does not honour the filter by updated" in line for line in vendor.sync.lines)


def test_a_vendor_that_refuses_the_proof_is_read_all_the_same() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        return (
            answered({"message": "in the future"}, 400)
            if query(request)["since"] > "2027"
            else answered(rows(1))
        )

    made = stream(Between("updated", "since"))
    with bench(handler, made, settings={"prove_filters": True}) as vendor:
        assert vendor.ids(request=Request(NOON - DAY, None)) == [1]
    assert any("could not be proven" in line for line in vendor.sync.lines)
