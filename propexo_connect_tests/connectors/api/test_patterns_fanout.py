"""Reading through parents, through the engine."""

import json
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from propexo_connect.connectors.base import JsonPage
from propexo_connect.http.plan import ApiStream, Between, Each, Offsets, Parent
from propexo_connect.model.errors import CredentialsRefused, VendorFault
from propexo_connect.model.ledger import Part
from propexo_connect.model.tile import WHOLE, Request
from propexo_connect_tests.connectors.api.bench import Bench, answered, bench, query, rows
from propexo_connect_tests.http.doubles import NOON

DAY = timedelta(days=1)

PROPERTIES = ApiStream("properties", "/properties", "id", fields="id:int status")
UNITS = ApiStream(
    "units", "/properties/{parent.id}/units", "id", parent="properties", add={"propertyId": "{parent.id}"}
)
LEASES = ApiStream("leases", "/leases", "id", params={"property": "{parent.id}"}, parent="properties")


def houses(request: httpx.Request) -> httpx.Response:
    """Properties 1 to 5; two units each, 10·n and 10·n+1."""
    if request.url.path == "/v2/properties":
        return answered(
            [{"id": number, "status": "closed" if number == 5 else "open"} for number in range(1, 6)]
        )
    number = int(query(request).get("property") or request.url.path.split("/")[3])
    return answered(rows(number * 10, number * 10 + 1))


def parts(vendor: Bench, name: str = "units") -> dict[str, Part]:
    found = [page.part for page in vendor.pages(name) if page.part]
    return {part.key: part for part in found}


def test_each_parent_is_asked_and_named_in_its_records() -> None:
    with bench(houses, PROPERTIES, UNITS) as vendor:
        records = vendor.records("units")
        assert sorted((record["propertyId"], record["id"]) for record in records) == [
            (number, number * 10 + place) for number in range(1, 6) for place in (0, 1)
        ]
        assert len(vendor.vendor.requests) == 6


def test_every_parent_tells_how_its_reading_ended() -> None:
    with bench(houses, PROPERTIES, UNITS) as vendor:
        assert parts(vendor) == {str(number): Part(str(number), 1, 2) for number in range(1, 6)}


def test_parents_are_read_once_whoever_needs_them() -> None:
    """Two children and the stream itself, all at once."""
    with bench(houses, PROPERTIES, UNITS, LEASES) as vendor:
        threads = [
            threading.Thread(target=vendor.records, args=(name,))
            for name in ("units", "leases", "properties")
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert vendor.records("properties") == vendor.records("properties")
        paths = [request.url.path for request in vendor.vendor.requests]
        assert paths.count("/v2/properties") == 1


def test_a_selection_of_fields_does_not_read_parents_again() -> None:
    """Unless the request itself says which fields it wants."""
    with bench(houses, PROPERTIES, UNITS) as vendor:
        vendor.ids("units")
        (properties,) = [one for one in vendor.source.discover() if one.name == "properties"]
        list(vendor.source.read(properties, WHOLE, frozenset({"id"}), None, vendor.sync.context))
        assert len(vendor.vendor.requests) == 6


def test_shared_ranges_are_forgotten_when_nobody_reads_them() -> None:
    """A backsync of a parent's nested lists has hundreds of ranges, and each holds a file."""
    invoices = ApiStream("invoices", "/invoices", "id", filter=Between("created", "from", "to"))
    lines = ApiStream("lines", "", "id", parent="invoices", nested="lines")
    before = len(list(Path("/proc/self/fd").iterdir()))
    with bench(lambda _: answered([{"id": 1, "lines": [{"id": 2}]}]), invoices, lines) as vendor:
        for day in range(100):
            request = Request(NOON - (day + 1) * DAY, NOON - day * DAY)
            assert vendor.ids("lines", request) == [2]
            assert vendor.ids("invoices", request) == [1]
        assert len(vendor.vendor.requests) == 100
        assert len(list(Path("/proc/self/fd").iterdir())) < before + 40


def failing(status: int, body: Any = None) -> Any:
    def handler(request: httpx.Request) -> httpx.Response:
        if "/properties/3/" in request.url.path:
            return answered(body or {"message": "broken"}, status)
        return houses(request)

    return handler


def test_a_failing_parent_does_not_stop_the_others() -> None:
    with bench(failing(500), PROPERTIES, UNITS) as vendor:
        found = parts(vendor)
        assert [key for key, part in found.items() if not part.is_complete] == ["3"]
        assert found["3"].is_passing
        assert "answered 500" in str(found["3"].problem)
        assert len(vendor.ids("units")) == 8


def test_a_parent_that_is_gone_is_skipped() -> None:
    with bench(failing(404), PROPERTIES, UNITS) as vendor:
        part = parts(vendor)["3"]
        assert (part.is_skipped, part.problem) == (True, "answered 404")


def test_a_parent_that_is_not_permitted_fails_unless_the_stream_takes_it_for_nothing() -> None:
    with bench(failing(403), PROPERTIES, UNITS) as vendor:
        part = parts(vendor)["3"]
        assert (part.is_skipped, part.is_passing) == (False, False)
    lenient = replace(UNITS, parent=Parent("properties", skip=(403, 404)))
    with bench(failing(403), PROPERTIES, lenient) as vendor:
        assert parts(vendor)["3"].is_skipped


def test_refused_credentials_concern_all_parents() -> None:
    with bench(failing(401), PROPERTIES, UNITS) as vendor, pytest.raises(CredentialsRefused):
        vendor.ids("units")


def test_a_vendor_that_is_down_is_not_asked_for_every_parent() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v2/properties":
            return answered(rows(*range(1, 500)))
        return answered({}, 503)

    with bench(handler, PROPERTIES, UNITS) as vendor, pytest.raises(VendorFault, match="answered 503"):
        vendor.ids("units")
    assert len(vendor.vendor.requests) < 100


def test_parents_of_an_earlier_attempt_are_left_out() -> None:
    with bench(houses, PROPERTIES, UNITS) as vendor:
        vendor.sync.context = replace(vendor.sync.context, done=frozenset({"1", "2"}))
        assert sorted(parts(vendor)) == ["3", "4", "5"]


def test_only_parents_with_certain_values_are_asked() -> None:
    open_only = replace(UNITS, parent=Parent("properties", where={"status": ("open",)}))
    with bench(houses, PROPERTIES, open_only) as vendor:
        assert sorted(parts(vendor)) == ["1", "2", "3", "4"]


def test_parents_without_the_id_that_a_path_leads_to_are_left_out() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v2/properties":
            return answered([{"id": 1, "plan_id": "p1"}, {"id": 2, "plan_id": None}, {"id": 3}])
        return answered(rows(7))

    plans = ApiStream(
        "units", "/properties/{parent.id}/plan/{parent.plan_id}", "id",
        parent=Parent("properties", having=("plan_id",)),
    )  # fmt: skip
    with bench(handler, PROPERTIES, plans) as vendor:
        assert sorted(parts(vendor)) == ["1"]
        assert vendor.vendor.requests[-1].url.path == "/v2/properties/1/plan/p1"


def test_several_parents_go_into_one_request() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v2/properties":
            return houses(request)
        return answered(rows(*(int(number) for number in query(request)["propertyIds"].split(","))))

    batched = ApiStream(
        "units", "/units", "id", params={"propertyIds": "{parent.id}"}, parent=Parent("properties", batch=2)
    )
    with bench(handler, PROPERTIES, batched) as vendor:
        assert sorted(vendor.ids("units")) == [1, 2, 3, 4, 5]
        assert sorted(parts(vendor)) == ["1,2", "3,4", "5"]


def test_only_parents_that_changed_are_asked_where_the_stream_says_so() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v2/tasks":
            return answered(rows(7) if "from" in query(request) else rows(7, 8, 9))
        return answered(rows(int(request.url.path.split("/")[3]) * 10))

    tasks = ApiStream("tasks", "/tasks", "id", filter=Between("updated", "from", "to"))
    history = ApiStream("history", "/tasks/{parent.id}/history", "id", parent=Parent("tasks", changed=True))
    with bench(handler, tasks, history) as vendor:
        assert vendor.ids("history", Request(NOON - DAY, NOON)) == [70]
        assert sorted(vendor.ids("history")) == [70, 80, 90]
        parent, child = vendor.source.discover()[:2]
        assert parent.filter is not None
        assert child.filter == replace(parent.filter, of_parent=True)


def test_parents_of_parents() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        depth = request.url.path.count("/")
        if depth == 2:
            return answered(rows(1, 2))
        number = int(request.url.path.split("/")[3])
        return answered(rows(number * 10))

    streams = (
        ApiStream("a", "/a", "id"),
        ApiStream("b", "/a/{parent.id}/b", "id", parent="a"),
        ApiStream("c", "/b/{parent.id}/c", "id", parent="b"),
    )
    with bench(handler, *streams) as vendor:
        assert sorted(vendor.ids("c")) == [100, 200]


def test_a_parents_incomplete_list_is_no_list() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v2/a/2/b":
            return answered({}, 500)
        return houses(request) if request.url.path == "/v2/properties" else answered(rows(1, 2))

    streams = (
        ApiStream("a", "/a", "id"),
        ApiStream("b", "/a/{parent.id}/b", "id", parent="a"),
        ApiStream("c", "/b/{parent.id}/c", "id", parent="b"),
    )
    with (
        bench(handler, *streams) as vendor,
        pytest.raises(VendorFault, match="the parents in 'b' are not complete"),
    ):
        vendor.ids("c")


def test_a_stream_in_the_middle_fails_part_by_part_and_is_read_again_as_a_whole() -> None:
    broken = {"/v2/a/2/b"}

    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path in broken:
            return answered({}, 500)
        return answered(rows(1, 2)) if request.url.path == "/v2/a" else answered(rows(7))

    streams = (
        ApiStream("a", "/a", "id"),
        ApiStream("b", "/a/{parent.id}/b", "id", parent="a"),
        ApiStream("c", "/b/{parent.id}/c", "id", parent="b"),
    )
    with bench(handler, *streams) as vendor:
        assert {key: part.has_failed for key, part in parts(vendor, "b").items()} == {"1": False, "2": True}
        broken.clear()
        assert {key: part.has_failed for key, part in parts(vendor, "b").items()} == {"1": False, "2": False}
        assert vendor.ids("c") == [7]


def test_nested_lists_become_a_stream_without_a_request() -> None:
    def handler(_: httpx.Request) -> httpx.Response:
        return answered(
            [
                {"id": 1, "lines": {"data": [{"id": 11}, {"id": 12}]}},
                {"id": 2, "lines": {"data": []}},
                {"id": 3},
                {"id": 4, "lines": {"data": {"id": 41}}},
            ]
        )

    invoices = ApiStream("invoices", "/invoices", "id")
    lines = ApiStream(
        "lines", "", "id", parent="invoices", nested="lines.data", add={"invoiceId": "{parent.id}"}
    )
    with bench(handler, invoices, lines) as vendor:
        assert [(record["invoiceId"], record["id"]) for record in vendor.records("lines")] == [
            (1, 11),
            (1, 12),
            (4, 41),
        ]
        vendor.records("invoices")
        assert len(vendor.vendor.requests) == 1


def test_a_list_of_ids_within_records_can_be_a_parent() -> None:
    """Checkr: reports are reached through a candidate's report_ids."""

    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v2/candidates":
            return answered([{"id": "c1", "report_ids": ["r1", "r2"]}, {"id": "c2", "report_ids": []}])
        return answered({"id": request.url.path.split("/")[3]})

    streams = (
        ApiStream("candidates", "/candidates", "id"),
        ApiStream(
            "ids", "", "value", parent="candidates", nested="report_ids", add={"candidate": "{parent.id}"}
        ),
        ApiStream("reports", "/reports/{parent.value}", "id", parent="ids", single=True),
    )
    with bench(handler, *streams) as vendor:
        assert vendor.records("ids") == [
            {"candidate": "c1", "value": "r1"},
            {"candidate": "c1", "value": "r2"},
        ]
        assert sorted(vendor.ids("reports")) == ["r1", "r2"]


def test_a_list_beside_the_address_of_the_api_can_be_a_parent() -> None:
    """Xero: tenants are listed at the origin, their records below an address of their own."""

    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/connections":
            return answered([{"tenantId": "t1"}])
        return answered([{"id": request.headers["Xero-Tenant-Id"]}])

    streams = (
        ApiStream("tenants", "{origin}/connections", "tenantId"),
        ApiStream(
            "things", "/things", "id", parent="tenants", headers={"Xero-Tenant-Id": "{parent.tenantId}"}
        ),
    )
    with bench(handler, *streams) as vendor:
        assert vendor.ids() == ["t1"]


def test_once_for_each_tenant_of_the_settings() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        return answered([{"id": request.headers["Xero-Tenant-Id"]}])

    stream = ApiStream(
        "things",
        "/things",
        "id",
        headers={"Xero-Tenant-Id": "{each}"},
        each=Each("tenants"),
        add={"tenant": "{each}"},
    )
    with bench(handler, stream, settings={"tenants": ("a", "b")}) as vendor:
        assert sorted(record["tenant"] for record in vendor.records()) == ["a", "b"]


def test_no_more_parents_are_asked_at_once_than_set() -> None:
    busy = most = 0
    lock = threading.Lock()
    meet = threading.Barrier(3, timeout=5)

    def handler(request: httpx.Request) -> httpx.Response:
        nonlocal busy, most
        if request.url.path == "/v2/properties":
            return answered(rows(*range(1, 10)))
        with lock:
            busy += 1
            most = max(most, busy)
        meet.wait()
        with lock:
            busy -= 1
        return houses(request)

    with bench(handler, PROPERTIES, UNITS, settings={"in_flight": 3}) as vendor:
        vendor.ids("units")
    assert most == 3


def test_pages_of_a_parent_are_followed() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v2/properties":
            return answered(rows(1))
        start = int(query(request)["offset"])
        return answered(rows(*range(start, min(start + 2, 5))))

    paged = replace(UNITS, paging=Offsets(2, short_is_last=True))
    with bench(handler, PROPERTIES, paged) as vendor:
        pages: list[JsonPage] = list(vendor.pages("units"))
        assert [len(json.loads(page.records)) for page in pages] == [2, 2, 1]
        assert [page.part is not None for page in pages] == [False, False, True]


def test_a_parent_known_by_its_address_is_asked_for_by_the_id_at_its_end() -> None:
    """Calendly: keys are addresses, and paths want what stands behind their last slash."""

    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v2/events":
            return answered([{"uri": "https://elsewhere.example.com/events/a b"}])
        return answered(rows(1))

    events = ApiStream("events", "/events", "uri", fields="uri")
    guests = ApiStream("guests", "/events/{parent.uri/}/guests", "id", parent="events")
    with bench(handler, events, guests) as vendor:
        assert vendor.ids("guests") == [1]
        assert vendor.vendor.requests[-1].url.raw_path == b"/v2/events/a%20b/guests"
