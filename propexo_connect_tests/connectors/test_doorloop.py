"""The DoorLoop connector against an honest stand-in of its API."""

from collections.abc import Generator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from propexo_connect.connectors.doorloop import STREAMS, connector
from propexo_connect.http.plan import Between, Newest
from propexo_connect.model.errors import CredentialsRefused, VendorFault
from propexo_connect.model.tile import Request
from propexo_connect.simulators.doorloop import API_KEY, simulation
from propexo_connect.simulators.faults import Fault, Reply
from propexo_connect_tests.connectors.landing import every_stream_lands
from propexo_connect_tests.connectors.reading import Reader, every_record_once, reading
from propexo_connect_tests.http.doubles import NOON

DAY = timedelta(days=1)


@pytest.fixture
def doorloop() -> Generator[Reader]:
    """The demo population, opened for reading."""
    with reading(connector, simulation) as reader:
        yield reader


def test_every_value_lands_in_its_declared_type(doorloop: Reader, tmp_path: Path) -> None:
    """Nothing is a misfit, and a second sync changes nothing."""
    every_stream_lands(doorloop, tmp_path)


@pytest.mark.parametrize("name", [stream.name for stream in STREAMS])
def test_every_record_of_a_stream_is_read_once(doorloop: Reader, name: str) -> None:
    """A whole read brings what the vendor holds."""
    every_record_once(doorloop, name, key="id")


@pytest.mark.parametrize("name", [one.name for one in STREAMS if isinstance(one.filter, Newest)])
def test_what_changed_is_kept_of_lists_without_a_filter(doorloop: Reader, name: str) -> None:
    """The vendor is asked for the whole list; older records go no further."""
    start = NOON - 60 * DAY
    found = {record["id"] for record in doorloop.records(name, Request(start, NOON))}
    truth = doorloop.simulator.truth(name).values()
    assert found == {
        one["id"] for one in truth if str(one["updatedAt"]) >= start.strftime("%Y-%m-%dT%H:%M:%SZ")
    }
    assert {name for name, _ in doorloop.simulator.requests_for(name)[0].query} == {
        "page_number",
        "page_size",
    }


@pytest.mark.parametrize("name", [one.name for one in STREAMS if isinstance(one.filter, Between)])
def test_money_and_messages_are_asked_for_by_their_days(doorloop: Reader, name: str) -> None:
    found = {record["id"] for record in doorloop.records(name, Request(NOON - 60 * DAY, NOON))}
    field = "sent_at" if name == "communications" else "date"
    asked = dict(doorloop.simulator.requests_for(name)[0].query)
    assert (asked[f"filter_{field}_from"], asked[f"filter_{field}_to"]) == ("2025-12-31", "2026-03-03")
    truth = doorloop.simulator.truth(name).values()
    day = "sentAt" if name == "communications" else "date"
    assert found == {one["id"] for one in truth if str(one[day])[:10] >= "2025-12-31"}


def test_a_list_of_several_pages_takes_one_request_a_page() -> None:
    with reading(connector, simulation, page_size=20) as reader:
        assert len(reader.records("leases")) == 42
        asked = [dict(request.query)["page_number"] for request in reader.simulator.requests_for("leases")]
        assert sorted(asked) == ["1", "2", "3"]


def test_a_wrong_name_for_the_page_is_noticed() -> None:
    """It brings page 1 again, which must not be taken for page 2."""
    with (
        reading(connector, simulation, page_size=20, page_parameter="page", in_flight=1) as reader,
        pytest.raises(VendorFault, match="two pages in a row are the same"),
    ):
        reader.records("leases")


def test_the_key_is_a_bearer_token(doorloop: Reader) -> None:
    doorloop.records("units")
    (request,) = doorloop.simulator.requests
    assert request.header("authorization") == f"Bearer {API_KEY}"


def test_a_wrong_key_is_refused_for_good() -> None:
    with (
        reading(connector, simulation, api_key="wrong") as reader,
        pytest.raises(CredentialsRefused, match="answered 401"),
    ):
        reader.records("units")


def test_birth_dates_stay_with_the_vendor(doorloop: Reader) -> None:
    assert not any("dateOfBirth" in record for record in doorloop.records("tenants"))
    with reading(connector, simulation, reveal=("tenants.dateOfBirth",)) as reader:
        assert reader.records("tenants")[0]["dateOfBirth"] == "1990-01-01"


def test_a_429_is_waited_out(doorloop: Reader) -> None:
    doorloop.simulator.script(Fault(Reply(429), operation="units", times=2))
    assert len(doorloop.records("units")) == 42
    assert doorloop.sync.waited_s > 0


def test_the_connector_says_that_it_is_a_preview() -> None:
    assert connector.status == "preview"


def test_the_simulator_refuses_what_the_vendor_refuses(doorloop: Reader) -> None:
    """No key, dates that are none; unknown names have no effect, and there is no filter by change."""
    headers = {"Authorization": f"Bearer {API_KEY}"}
    with httpx.Client(base_url=f"{doorloop.simulator.url}/api", headers=headers) as talking:
        assert talking.get("/units", headers={"Authorization": API_KEY}).status_code == 401
        assert talking.get("/buildings").status_code == 404
        assert talking.get("/expenses?filter_date_from=yesterday").status_code == 400
        first = talking.get("/leases?page_size=5").json()
        assert (first["total"], len(first["data"])) == (42, 5)
        assert talking.get("/leases?page_size=5&page=2").json() == first
        assert talking.get("/leases?updated_since=2030-01-01").json()["total"] == 42
