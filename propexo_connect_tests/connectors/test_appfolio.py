"""The AppFolio connector against an honest stand-in of its Database API."""

from collections.abc import Generator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from propexo_connect.connectors.appfolio import STREAMS, connector
from propexo_connect.model.errors import CredentialsRefused, TerminalError, VendorFault
from propexo_connect.model.tile import Tile
from propexo_connect.simulators.appfolio import AppFolio, simulation
from propexo_connect.simulators.faults import Fault, Mutation, Reply
from propexo_connect_tests.connectors.landing import every_stream_lands
from propexo_connect_tests.connectors.reading import Reader, every_record_once, reading
from propexo_connect_tests.http.doubles import NOON

DAY = timedelta(days=1)
START = NOON - 30 * DAY


@pytest.fixture
def appfolio() -> Generator[Reader]:
    """The demo population, opened for reading."""
    with reading(connector, simulation) as reader:
        yield reader


def vendor(reader: Reader) -> AppFolio:
    """The simulator as what it is."""
    assert isinstance(reader.simulator, AppFolio)
    return reader.simulator


@pytest.mark.parametrize("name", [stream.name for stream in STREAMS])
def test_every_record_of_a_stream_is_read_once(appfolio: Reader, name: str) -> None:
    """A whole read brings what the vendor holds, although every list demands a filter."""
    every_record_once(appfolio, name)


def test_every_value_lands_in_its_declared_type(appfolio: Reader, tmp_path: Path) -> None:
    every_stream_lands(appfolio, tmp_path)


def test_a_whole_read_asks_from_1970_on_with_brackets_as_they_are(appfolio: Reader) -> None:
    appfolio.records("tenants")
    (request,) = vendor(appfolio).requests_for("tenants")
    target = "/api/v0/tenants?filters[LastUpdatedAtFrom]=1970-01-01T00:00:00Z&page[size]=1000"
    assert request.head.target == target


def test_pages_follow_the_path_as_it_came() -> None:
    with reading(connector, simulation, page_size=30) as reader:
        assert len(reader.records("units")) == 84
        targets = [request.head.target for request in vendor(reader).requests_for("units")]
        assert len(targets) == 3
        assert targets[1].endswith("page[size]=30&page[number]=2")
        assert "filters[LastUpdatedAtFrom]=" in targets[2]


def test_a_tile_is_asked_for_by_its_start_alone(appfolio: Reader) -> None:
    """No upper bound is known: what comes beyond the tile is kept all the same."""
    found = {record["Id"] for record in appfolio.tile("bills", Tile(START, NOON - 10 * DAY))}
    (request,) = vendor(appfolio).requests_for("bills")
    assert dict(request.query) == {
        "filters[LastUpdatedAtFrom]": START.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "page[size]": "1000",
    }
    truth = vendor(appfolio).truth("bills").values()
    assert found == {one["Id"] for one in truth if str(one["LastUpdatedAt"]) >= START.isoformat()}
    assert 0 < len(found) < len(truth)


def test_accounts_are_read_without_a_filter(appfolio: Reader) -> None:
    appfolio.records("gl_accounts")
    (request,) = vendor(appfolio).requests_for("gl_accounts")
    assert dict(request.query) == {"page[size]": "1000"}


def test_only_notes_of_work_orders_that_changed_are_read(appfolio: Reader) -> None:
    changed = {record["Id"] for record in appfolio.tile("work_orders", Tile(START, NOON))}
    found = appfolio.tile("work_order_notes", Tile(START, NOON))
    assert {record["WorkOrderId"] for record in found} == changed
    assert vendor(appfolio).counts()["work_order_notes"] == len(changed) < 84
    assert vendor(appfolio).counts()["work_orders"] == 1


def test_hidden_properties_are_read_unless_they_are_not_wanted(appfolio: Reader) -> None:
    assert len(appfolio.records("properties")) == 7
    with reading(connector, simulation, include_hidden=False) as reader:
        assert len(reader.records("properties")) == 6


def test_key_pair_and_developer_id_are_sent_in_their_letter_case(appfolio: Reader) -> None:
    appfolio.records("owners")
    headers = dict(vendor(appfolio).requests[0].headers)
    assert headers["X-AppFolio-Developer-ID"] == "appfolio-demo-dev"
    assert headers["Authorization"].startswith("Basic ")


def test_a_wrong_secret_is_refused_for_good() -> None:
    with (
        reading(connector, simulation, client_secret="wrong") as reader,
        pytest.raises(CredentialsRefused, match="answered 401"),
    ):
        reader.records("units")


def test_a_wrong_developer_id_is_refused_for_good() -> None:
    with (
        reading(connector, simulation, developer_id="wrong") as reader,
        pytest.raises(TerminalError, match="required header missing"),
    ):
        reader.records("units")


def test_701_means_wrong_credentials_and_is_not_repeated(appfolio: Reader) -> None:
    vendor(appfolio).script(Fault(Reply(701)))
    with pytest.raises(CredentialsRefused, match="answered 701"):
        appfolio.records("units")
    assert vendor(appfolio).counts().total() == 1


def test_nightly_maintenance_is_waited_out(appfolio: Reader) -> None:
    simulator = vendor(appfolio)
    simulator.is_in_maintenance = True

    def end() -> None:
        simulator.is_in_maintenance = False

    simulator.script(Fault(Mutation(end), first=3))
    assert len(appfolio.records("units")) == 84
    assert [exchange.status for exchange in simulator.exchanges] == [533, 533, 200]


def test_maintenance_without_end_is_told_and_may_be_tried_again(appfolio: Reader) -> None:
    vendor(appfolio).is_in_maintenance = True
    with pytest.raises(VendorFault, match="533"):
        appfolio.records("units")


def test_a_conflict_is_repeated(appfolio: Reader) -> None:
    vendor(appfolio).script(Fault(Reply(409, (("Retry-After", "3"),)), operation="units"))
    assert len(appfolio.records("units")) == 84
    assert appfolio.sync.waited_s >= 3


def test_all_three_limits_are_kept_at_once() -> None:
    """85 requests of 8 a second need at least ten seconds, and none is refused."""
    with reading(connector, simulation, in_flight=1) as reader:
        reader.records("work_order_notes")
        assert vendor(reader).counts().total() == 85
        assert reader.sync.clock.monotonic() >= 10
        assert not any(exchange.status == 429 for exchange in vendor(reader).exchanges)


def test_the_simulator_refuses_what_the_vendor_refuses(appfolio: Reader) -> None:
    """No filter, a header in small letters, encoded brackets, an unknown path, a ninth request."""
    basic = ("appfolio-demo-client", "appfolio-demo-secret")
    named = {"X-AppFolio-Developer-ID": "appfolio-demo-dev"}
    since = "filters[LastUpdatedAtFrom]=2026-01-01"
    with httpx.Client(base_url=vendor(appfolio).url, auth=basic, verify=False) as talking:
        assert talking.get(f"/api/v0/units?{since}", headers=named).status_code == 200
        assert talking.get("/api/v0/units", headers=named).json()["code"] == 400
        lower = {name.lower(): text for name, text in named.items()}
        assert talking.get(f"/api/v0/units?{since}", headers=lower).status_code == 400
        encoded = since.replace("[", "%5B").replace("]", "%5D")
        assert talking.get(f"/api/v0/units?{encoded}", headers=named).status_code == 400
        assert talking.get(f"/api/v0/nothing?{since}", headers=named).json()["status"] == 404
        for _ in range(3):
            talking.get(f"/api/v0/units?{since}", headers=named)
        refused = talking.get(f"/api/v0/units?{since}", headers=named)
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
