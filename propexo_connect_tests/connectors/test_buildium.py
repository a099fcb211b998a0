"""The Buildium connector against an honest stand-in of its API."""

from collections.abc import Generator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from propexo_connect.connectors.buildium import connector
from propexo_connect.model.errors import CredentialsRefused, PartlyRead
from propexo_connect.model.tile import Request, Tile
from propexo_connect.simulators.buildium import Buildium, simulation
from propexo_connect.simulators.faults import Fault, Reply
from propexo_connect_tests.connectors.landing import Landing, every_stream_lands
from propexo_connect_tests.connectors.reading import Reader, every_record_once, reading
from propexo_connect_tests.http.doubles import NOON

DAY = timedelta(days=1)


@pytest.fixture
def buildium() -> Generator[Reader]:
    """The demo population, opened for reading."""
    with reading(connector, simulation) as reader:
        yield reader


def names() -> list[str]:
    return [stream.name for stream in connector.streams(connector.config(client_id="x", client_secret="x"))]  # type: ignore[call-arg]


@pytest.mark.parametrize("name", [name for name in names() if name != "lease_outstanding_balances"])
def test_every_record_of_a_stream_is_read_once(buildium: Reader, name: str) -> None:
    """A whole read brings what the vendor holds, also where it demands ranges."""
    every_record_once(buildium, name)


def test_every_value_lands_in_its_declared_type(buildium: Reader, tmp_path: Path) -> None:
    every_stream_lands(buildium, tmp_path)
    assert all(buildium.simulator.truth(name) for name in names())


def test_a_lease_whose_ledger_fails_holds_back_nobody_but_itself(buildium: Reader, tmp_path: Path) -> None:
    """The others are stored, the ledger says which one is missing, and the tile stays open."""
    lease = next(iter(buildium.simulator.truth("leases")))
    buildium.simulator.script(Fault(Reply(500), path=f"/v1/leases/{lease}/transactions", times=None))
    landing = Landing(buildium, tmp_path)
    result = landing.sync("lease_transactions")["lease_transactions"]
    assert isinstance(result.error, PartlyRead)
    assert str(lease) in str(result.error)
    assert landing.rows("select count(*) from landing.lease_transactions") == [(166,)]
    assert landing.rows("select parent from _propexo.window_parts where not is_complete") == [(str(lease),)]
    assert landing.rows("select count(*) from _propexo.windows where is_complete") == [(0,)]


def test_a_list_of_several_pages_takes_one_request_a_page() -> None:
    with reading(connector, simulation, page_size=20) as reader:
        assert len(reader.records("leases")) == 84
        assert reader.simulator.counts()["leases"] == 5


def test_both_headers_are_sent_as_the_vendor_spells_them(buildium: Reader) -> None:
    buildium.records("rentals")
    sent = {name for request in buildium.simulator.requests for name, _ in request.headers}
    assert {"x-buildium-client-id", "x-buildium-client-secret"} <= sent


def test_a_wrong_secret_is_refused_for_good() -> None:
    with (
        reading(connector, simulation, client_secret="wrong") as reader,
        pytest.raises(CredentialsRefused, match="answered 401"),
    ):
        reader.records("rentals")


def test_records_without_an_updated_field_are_filtered_all_the_same(buildium: Reader) -> None:
    """The vendor filters rentals by a date that it does not show."""
    start = NOON - 60 * DAY
    found = {record["Id"] for record in buildium.tile("rentals", Tile(start, NOON))}
    truth: dict[Any, Any] = buildium.simulator.truth("rentals")
    expected = {record["Id"] for record in truth.values() if record["_updated"] >= start.strftime("%Y-%m-%d")}
    assert found == {*found} >= expected - {None}
    assert 0 < len(found) < len(truth)
    assert not any("_updated" in record for record in buildium.records("rentals"))


def test_work_orders_are_asked_for_by_whole_days(buildium: Reader) -> None:
    buildium.tile("work_orders", Tile(NOON - DAY, NOON))
    (request,) = buildium.simulator.requests_for("work_orders")
    asked = dict(request.query)
    assert (asked["lastupdatedfrom"], asked["lastupdatedto"]) == ("2026-03-01", "2026-03-03")


def test_leases_are_asked_for_by_seconds_in_the_order_of_ids(buildium: Reader) -> None:
    buildium.tile("leases", Tile(NOON - DAY, NOON))
    (request,) = buildium.simulator.requests_for("leases")
    asked = dict(request.query)
    assert asked["lastupdatedfrom"] == "2026-03-01T12:00:00Z"
    assert asked["orderby"] == "Id"


def test_emails_are_asked_for_in_ranges_of_90_days(buildium: Reader) -> None:
    request = Request(NOON - 200 * DAY, NOON)
    found = buildium.records("emails", request)
    assert {record["Id"] for record in found} == {
        record["Id"] for record in buildium.simulator.truth("emails").values()
    }
    assert buildium.simulator.counts()["emails"] == 3


def test_ledgers_are_read_lease_by_lease_and_name_their_lease(buildium: Reader) -> None:
    records = buildium.records("lease_transactions")
    assert len(records) == 168
    assert {record["LeaseId"] for record in records} == {
        record["Id"] for record in buildium.simulator.truth("leases").values()
    }
    assert buildium.simulator.counts()["leases"] == 1
    assert buildium.simulator.counts()["lease_transactions"] == 84


def test_only_the_history_of_tasks_that_changed_is_read(buildium: Reader) -> None:
    start = NOON - 20 * DAY
    changed = buildium.tile("tasks", Tile(start, NOON))
    found = buildium.tile("task_history", Tile(start, NOON))
    assert 0 < len(found) == len(changed) < 40
    assert {record["TaskId"] for record in found} == {record["Id"] for record in changed}


def test_tax_ids_and_birth_dates_stay_with_the_vendor(buildium: Reader) -> None:
    assert not any({"TaxId", "DateOfBirth"} & set(record) for record in buildium.records("tenants"))
    with reading(connector, simulation, reveal=("tenants.DateOfBirth",)) as reader:
        record = reader.records("tenants")[0]
        assert "DateOfBirth" in record
        assert "TaxId" not in record


def test_a_429_without_a_word_on_when_is_repeated(buildium: Reader) -> None:
    buildium.simulator.script(Fault(Reply(429), operation="rentals", times=2))
    assert len(buildium.records("rentals")) == 7
    assert buildium.sync.waited_s > 0


def test_no_more_than_ten_requests_are_under_way() -> None:
    with reading(connector, simulation, in_flight=30) as reader:
        reader.simulator.latency = timedelta(milliseconds=2)
        reader.records("lease_transactions")
        assert 1 < reader.simulator.most_in_flight <= 10
        assert not any(exchange.status == 429 for exchange in reader.simulator.exchanges)


def test_the_simulator_refuses_what_the_vendor_refuses(buildium: Reader) -> None:
    """Wrong letter case, ranges that are too wide, and missing ranges."""
    simulator = buildium.simulator
    assert isinstance(simulator, Buildium)
    import httpx

    headers = {
        "x-buildium-client-id": "buildium-demo-client",
        "x-buildium-client-secret": "buildium-demo-secret",
    }
    with httpx.Client(base_url=simulator.url, headers=headers, verify=False) as talking:
        assert talking.get("/v1/Leases").status_code == 404
        assert talking.get("/v1/leases?Limit=5").status_code == 404
        assert talking.get("/v1/communications/emails").status_code == 400
        wide = "?lastupdatedfrom=2020-01-01T00:00:00Z&lastupdatedto=2026-01-01T00:00:00Z"
        assert talking.get(f"/v1/leases/rent{wide}").status_code == 400
        assert talking.get("/v1/leases", headers={"x-buildium-client-id": ""}).status_code == 401
        capped = talking.get("/v1/rentals/units?limit=5000")
        assert capped.status_code == 200
