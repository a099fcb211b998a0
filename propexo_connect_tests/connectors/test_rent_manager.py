"""The Rent Manager connector against an honest stand-in of its API."""

from collections.abc import Generator
from datetime import timedelta
from pathlib import Path

import httpx
import orjson
import pytest

from propexo_connect.connectors.rent_manager import STREAMS, connector
from propexo_connect.model.errors import ConnectError, CredentialsRefused, PermissionRefused
from propexo_connect.model.tile import Request, Tile
from propexo_connect.simulators.rent_manager import PASSWORD, USER, RentManager, simulation
from propexo_connect_tests.connectors.landing import every_stream_lands
from propexo_connect_tests.connectors.reading import Reader, reading
from propexo_connect_tests.http.doubles import NOON, ManualClock

DAY = timedelta(days=1)


@pytest.fixture
def rent_manager() -> Generator[Reader]:
    """The demo population, opened for reading."""
    with reading(connector, simulation) as reader:
        yield reader


def held(reader: Reader) -> RentManager:
    """The simulator, with its switches."""
    assert isinstance(reader.simulator, RentManager)
    return reader.simulator


def test_every_value_lands_in_its_declared_type(rent_manager: Reader, tmp_path: Path) -> None:
    """Nothing is a misfit, and a second sync changes nothing."""
    every_stream_lands(rent_manager, tmp_path)


@pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.name)
def test_every_record_of_a_stream_is_read_once(rent_manager: Reader, stream: object) -> None:
    """A whole read brings what the vendor holds."""
    (spec,) = (one for one in STREAMS if one is stream)
    found = [key[0] for key in rent_manager.keys(spec.name)]
    assert sorted(found) == sorted(str(key) for key in rent_manager.simulator.truth(spec.path.strip("/")))


@pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.name)
def test_every_list_is_asked_for_changes_with_a_day_more_on_both_sides(
    rent_manager: Reader, stream: object
) -> None:
    """Nobody says in which zone the vendor reads the bounds."""
    (spec,) = (one for one in STREAMS if one is stream)
    resource = spec.path.strip("/")
    found = {record[spec.keys[0]] for record in rent_manager.tile(spec.name, Tile(NOON - 60 * DAY, NOON))}
    (asked,) = rent_manager.simulator.requests_for(resource)
    assert (
        dict(asked.query)["filters"]
        == "UpdateDate,gte,2025-12-31T12:00:00Z;UpdateDate,lte,2026-03-03T12:00:00Z"
    )
    truth = rent_manager.simulator.truth(resource).values()
    assert found == {one[spec.keys[0]] for one in truth if str(one["UpdateDate"]) >= "2025-12-31T12:00:00"}


def test_a_token_is_a_quoted_text_and_is_sent_bare(rent_manager: Reader) -> None:
    rent_manager.records("units")
    log_in, asked = rent_manager.simulator.requests
    assert orjson.loads(log_in.body) == {"Username": USER, "Password": PASSWORD, "LocationID": 1}
    (token,) = (value for name, value in asked.headers if name == "X-RM12Api-ApiToken")
    assert len(token) == 108
    assert '"' not in token
    assert asked.header("x-rm12api-locationid") is None


def test_one_log_in_serves_all_streams(rent_manager: Reader) -> None:
    for name in ("units", "tenants", "leases"):
        rent_manager.records(name)
    assert rent_manager.simulator.counts()["log_in"] == 1


def test_a_token_that_was_idle_too_long_is_replaced_before_it_is_refused() -> None:
    clock = ManualClock()
    with reading(connector, simulation, clock=clock) as reader:
        reader.records("units")
        clock.advance(16 * 60)
        reader.records("units")
        assert reader.simulator.counts()["log_in"] == 2
        assert not any(exchange.status == 401 for exchange in reader.simulator.exchanges)


def test_a_location_can_be_sent_with_each_request() -> None:
    with reading(connector, simulation, location_id=None, header_location_id=1) as reader:
        assert len(reader.records("units")) == 42
        log_in, asked = reader.simulator.requests
        assert "LocationID" not in orjson.loads(log_in.body)
        assert ("X-RM12Api-LocationId", "1") in asked.headers


def test_a_list_of_several_pages_takes_one_request_a_page() -> None:
    with reading(connector, simulation, page_size=20) as reader:
        assert len(reader.records("leases")) == 42
        asked = [dict(request.query) for request in reader.simulator.requests_for("Leases")]
        assert sorted(one["PageNumber"] for one in asked) == ["1", "2", "3"]


def test_nothing_found_is_204_and_no_failure(rent_manager: Reader) -> None:
    assert rent_manager.records("leases", Request(NOON + 9 * DAY, NOON + 10 * DAY)) == []
    assert rent_manager.simulator.exchanges[-1].status == 204


def test_terms_of_leases_come_because_the_embed_is_among_the_fields(rent_manager: Reader) -> None:
    """An embed alone changes nothing, and the singular `embed` answers an empty array."""
    record = rent_manager.records("lease_renewals")[0]
    assert record["LeaseRenewals"][0]["EndDate"] == "2026-05-31T00:00:00"
    (asked,) = rent_manager.simulator.requests_for("Leases")
    query = dict(asked.query)
    assert query["embeds"] == "LeaseRenewals"
    assert "LeaseRenewals" in query["fields"].split(",")


def test_null_fields_are_absent_from_records(rent_manager: Reader) -> None:
    assert "MoveOutDate" not in rent_manager.records("leases")[0]


def test_a_missing_privilege_is_told(rent_manager: Reader) -> None:
    held(rent_manager).cannot_list = frozenset({"Banks"})
    with pytest.raises(PermissionRefused, match="answered 403"):
        rent_manager.records("banks")


def test_a_wrong_password_is_tried_once() -> None:
    with reading(connector, simulation, password="wrong") as reader:
        with pytest.raises(CredentialsRefused, match="answered 401"):
            reader.records("units")
        assert reader.simulator.counts()["log_in"] == 1


def test_a_password_that_must_be_reset_is_a_matter_for_a_person(rent_manager: Reader) -> None:
    """The vendor says so with 500; trying again would change nothing."""
    held(rent_manager).must_reset_password = True
    with pytest.raises(CredentialsRefused, match="must reset the password"):
        rent_manager.records("units")
    assert rent_manager.simulator.counts()["log_in"] == 1


def test_the_password_is_in_no_message(rent_manager: Reader) -> None:
    held(rent_manager).must_reset_password = True
    with pytest.raises(ConnectError) as told:
        rent_manager.records("units")
    assert PASSWORD not in str(told.value)


def test_the_companys_last_request_of_a_minute_is_heeded() -> None:
    """Others share the limit: the headers say when nothing is left."""
    with reading(connector, simulation, page_size=10, in_flight=1) as reader:
        held(reader).per_minute = 3
        assert len(reader.records("units")) == 42
        assert not any(exchange.status == 429 for exchange in reader.simulator.exchanges)


def test_the_simulator_refuses_what_the_vendor_refuses(rent_manager: Reader) -> None:
    """Four shapes of refusals, orders that cannot be had, and a token that is too old."""
    with httpx.Client(base_url=rent_manager.simulator.url) as talking:
        assert talking.get("/Units").json().keys() >= {"DeveloperMessage", "ErrorCode", "MoreInfoUri"}
        credentials = {"Username": USER, "Password": PASSWORD, "LocationID": 1}
        token = talking.post("/Authentication/AuthorizeUser", json=credentials).json()
        talking.headers["X-RM12Api-ApiToken"] = token
        assert talking.get("/Buildings").json().keys() == {"Message"}
        assert "ModelState" in talking.get("/Units?filters=Colour,eq,red").json()
        missing = talking.get("/Units/99")
        assert (missing.status_code, missing.content) == (404, b"")
        assert talking.get("/Units?orderby=Name").status_code == 200
        assert talking.get("/Units?orderingOptions=Name").status_code == 404
        assert talking.get("/Leases?embed=LeaseRenewals").json() == []
        assert "LeaseRenewals" not in talking.get("/Leases?embeds=LeaseRenewals").json()[0]
        page = talking.get("/Units?pagesize=5&PAGENUMBER=2")
        assert (len(page.json()), page.headers["x-total-results"], page.headers["x-results"]) == (
            5,
            "42",
            "5",
        )
        assert 'rel="next"' in page.headers["link"]
        assert page.headers["x-ratelimit-limit"] == "500"
        rent_manager.sync.clock.advance(24 * 3600)
        assert talking.get("/Units").status_code == 401
