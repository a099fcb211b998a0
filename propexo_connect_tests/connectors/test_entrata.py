"""The Entrata connector against an honest stand-in of its gateway."""

from collections.abc import Generator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from propexo_connect.connectors.entrata import STREAMS, connector
from propexo_connect.model.errors import TerminalError
from propexo_connect.model.tile import Request, Tile
from propexo_connect.simulators.entrata import API_KEY, BASE, METHODS, Entrata, simulation
from propexo_connect.simulators.faults import Fault, Reply
from propexo_connect_tests.connectors.landing import every_stream_lands
from propexo_connect_tests.connectors.reading import Reader, reading
from propexo_connect_tests.http.doubles import NOON

DAY = timedelta(days=1)


@pytest.fixture
def entrata() -> Generator[Reader]:
    """The demo population, opened for reading."""
    with reading(connector, simulation) as reader:
        yield reader


def asked(reader: Reader, name: str) -> list[dict[str, Any]]:
    """The methods of a stream's requests, with their parameters."""
    return [orjson.loads(request.body)["method"] for request in reader.simulator.requests_for(name)]


def test_every_value_lands_in_its_declared_type(entrata: Reader, tmp_path: Path) -> None:
    """Nothing is a misfit, and a second sync changes nothing."""
    every_stream_lands(entrata, tmp_path)


@pytest.mark.parametrize("name", [stream.name for stream in STREAMS if stream.key])
def test_every_record_of_a_stream_is_read_once(entrata: Reader, name: str) -> None:
    """A whole read brings what the vendor holds: what is deleted, disabled, closed or reversed as well."""
    found = [key[-1] for key in entrata.keys(name)]
    if name == "gl_transactions":  # ranges end with a month that the next one begins with
        found = [*{*found}]
    assert sorted(found) == sorted(str(key) for key in entrata.simulator.truth(name))


def test_a_snapshot_without_keys_names_its_property(entrata: Reader) -> None:
    records = entrata.records("unit_availability")
    assert len(records) == 42
    assert {record["propertyId"] for record in records} == {*entrata.simulator.truth("properties")}


def test_the_key_is_a_header_and_the_body_says_so(entrata: Reader) -> None:
    entrata.records("properties")
    (request,) = entrata.simulator.requests
    assert ("X-Api-Key", API_KEY) in request.headers
    body = orjson.loads(request.body)
    assert body["auth"] == {"type": "apikey"}
    assert body["method"] == {"name": "getProperties", "version": "r1", "params": {}}
    assert API_KEY not in request.body.decode()


def test_properties_are_asked_for_once_and_the_rest_property_by_property(entrata: Reader) -> None:
    entrata.records("work_orders")
    entrata.records("customers")
    counts = entrata.simulator.counts()
    assert (counts["properties"], counts["work_orders"], counts["customers"]) == (1, 7, 7)
    ids = sorted(one["params"]["propertyId"] for one in asked(entrata, "work_orders"))
    assert ids == sorted(entrata.simulator.truth("properties"))


def test_what_the_vendor_hides_by_default_is_asked_for(entrata: Reader) -> None:
    assert {record["isDeleted"] for record in entrata.records("work_orders")} == {"0", "1"}
    entrata.records("ar_transactions")
    for one in asked(entrata, "ar_transactions"):
        assert (one["params"]["showFullLedger"], one["params"]["includeReversals"]) == ("1", "1")


def test_changes_of_work_orders_are_asked_for_by_days_of_mountain_time(entrata: Reader) -> None:
    """Three in the morning in UTC is the day before in Denver."""
    start = NOON.replace(hour=3) - 30 * DAY
    found = entrata.tile("work_orders", Tile(start, NOON))
    params = asked(entrata, "work_orders")[0]["params"]
    assert params["lastUpdatedOnFromDate"] == "01/30/2026"
    assert params["lastUpdatedOnToDate"] in {"03/02/2026", "03/03/2026"}
    truth = entrata.simulator.truth("work_orders").values()
    changed = {one["maintenanceRequestId"] for one in truth if str(one["_updated"]) >= start.isoformat()}
    assert changed <= {record["maintenanceRequestId"] for record in found}
    assert 0 < len(found) < len(truth)


def test_work_orders_are_read_whole_now_and_then() -> None:
    """Their filter does not react to most changes."""
    (stream,) = (one for one in STREAMS if one.name == "work_orders")
    assert stream.filter is not None
    assert stream.filter.full_every == 7 * DAY


def test_leads_are_always_asked_for_with_dates_and_in_pages() -> None:
    with reading(connector, simulation, page_size=5, earliest="2020-06-01") as reader:
        assert len(reader.records("leads")) == 42
        first = asked(reader, "leads")[0]["params"]
        assert (first["createdOnDateFrom"], first["createdOnDateTo"]) == ("05/31/2020", "03/03/2026")
        queries = [dict(request.query) for request in reader.simulator.requests_for("leads")]
        assert {query["per_page"] for query in queries} == {"5"}
        # Six leads a property: two pages and the empty one that proves the end.
        assert sorted(query["page_no"] for query in queries) == ["1"] * 7 + ["2"] * 7 + ["3"] * 7


def test_lead_events_know_their_lead_and_are_asked_for_by_type(entrata: Reader) -> None:
    records = entrata.records("lead_events")
    assert {record["applicationId"] for record in records} == {*entrata.simulator.truth("leads")}
    assert asked(entrata, "lead_events")[0]["params"]["eventTypeIds"] == "17"


def test_ledger_entries_know_their_lease_and_ledger(entrata: Reader) -> None:
    records = entrata.records("ar_transactions")
    assert {record["leaseId"] for record in records} == {*entrata.simulator.truth("leases")}
    assert {record["ledgerId"] for record in records} == {"5"}


def test_post_months_are_always_given_and_in_years() -> None:
    """Without them the vendor means the property's present month alone."""
    with reading(connector, simulation, earliest="2024-02-01") as reader:
        records = reader.records("gl_transactions")
        assert {record["accountId"] for record in records} == {"4010"}
        months = {
            (one["params"]["postMonthFrom"], one["params"]["postMonthTo"])
            for one in asked(reader, "gl_transactions")
        }
        assert len(months) == 3
        assert {first for first, _ in months} == {"01/2024", "01/2025", "01/2026"}


@pytest.mark.parametrize(
    "name", ["ar_payments", "ar_invoices", "vendor_invoices", "inspections", "call_logs"]
)
def test_money_and_visits_are_asked_for_by_their_dates(entrata: Reader, name: str) -> None:
    start = NOON - 60 * DAY
    found = entrata.records(name, Request(start, NOON))
    truth = entrata.simulator.truth(name)
    assert {str(one["_date"]) for one in truth.values()} > {
        str(truth[record.get("id") or record["ArPaymentId"]]["_date"]) for record in found
    }
    first = asked(entrata, name)[0]["params"]
    assert "01/01/2026" in first.values()


def test_a_method_that_is_not_granted_concerns_its_stream_alone(entrata: Reader) -> None:
    """The fault comes with HTTP 200, and is told with the vendor's words."""
    assert isinstance(entrata.simulator, Entrata)
    entrata.simulator.granted = frozenset({"getProperties"})
    with pytest.raises(TerminalError, match="not granted getArPayments"):
        entrata.records("ar_payments")
    assert len(entrata.records("properties")) == 7


def test_a_wrong_key_is_refused_for_good() -> None:
    with reading(connector, simulation, api_key="wrong") as reader:
        with pytest.raises(TerminalError, match="The API key is not valid"):
            reader.records("properties")
        assert reader.simulator.counts().total() == 1


def test_a_limit_told_with_200_is_waited_out(entrata: Reader) -> None:
    told = {"response": {"error": {"code": 429, "message": "Too many requests."}}}
    entrata.simulator.script(Fault(Reply(200, body=orjson.dumps(told)), operation="customers", times=2))
    assert len(entrata.records("customers")) == 42
    assert entrata.sync.waited_s > 0
    assert entrata.simulator.counts()["customers"] == 9


def test_the_limit_of_a_service_is_kept_when_it_is_known() -> None:
    """No call is made that would be refused."""
    with reading(connector, simulation, requests_per_minute=4, in_flight=1) as reader:
        assert isinstance(reader.simulator, Entrata)
        reader.simulator.per_minute = 4
        assert len(reader.records("customers")) == 42
        assert reader.simulator.counts()["customers"] == 7


def test_the_simulator_refuses_what_the_vendor_refuses(entrata: Reader) -> None:
    """Wrong versions, missing properties or dates, pages too small or too large."""

    def call(service: str, name: str, version: str = "r1", query: str = "", **params: str) -> Any:
        body = {"auth": {"type": "apikey"}, "method": {"name": name, "version": version, "params": params}}
        return talking.post(f"{BASE}/{service}{query}", json=body).json()["response"].get("error")

    home = next(iter(entrata.simulator.truth("properties")))
    assert isinstance(home, str)
    with httpx.Client(base_url=entrata.simulator.url, headers={"X-Api-Key": API_KEY}) as talking:
        assert call("leases", "getLeases", "r2", propertyId=home)
        assert call("leads", "getLeases", propertyId=home)
        assert call("leases", "getLeases")
        assert call("leads", "getLeads", propertyId=home)
        assert call(
            "leads", "getLeadEvents", propertyId=home, eventDateFrom="01/01/2026", eventDateTo="01/02/2026"
        )
        assert call("leases", "getLeases", query="?per_page=2000", propertyId=home)
        assert call("leases", "getLeases", query="?per_page=1", propertyId=home)
        assert call("maintenance", "getWorkOrders", propertyId=home, lastUpdatedOnFromDate="2026-01-01")
        assert call("leases", "getLeases", propertyId=home) is None
        assert talking.get(f"{BASE}/leases").json()["response"]["error"]
    assert len({(method.service, method.name) for method in METHODS}) == len(STREAMS)
