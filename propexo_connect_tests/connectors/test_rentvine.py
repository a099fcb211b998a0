"""The Rentvine connector against an honest stand-in of its API."""

import base64
from collections.abc import Generator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from propexo_connect.connectors.rentvine import STREAMS, connector
from propexo_connect.model.errors import CredentialsRefused
from propexo_connect.model.tile import Request, Tile
from propexo_connect.simulators.rentvine import ACCESS_KEY, BASE, SECRET, simulation
from propexo_connect_tests.connectors.landing import every_stream_lands
from propexo_connect_tests.connectors.reading import Reader, every_record_once, reading
from propexo_connect_tests.http.doubles import NOON

DAY = timedelta(days=1)


@pytest.fixture
def rentvine() -> Generator[Reader]:
    """The demo population, opened for reading."""
    with reading(connector, simulation) as reader:
        yield reader


def test_every_value_lands_in_its_declared_type(rentvine: Reader, tmp_path: Path) -> None:
    """Nothing is a misfit, and a second sync changes nothing."""
    every_stream_lands(rentvine, tmp_path)


@pytest.mark.parametrize(("name", "key"), [(stream.name, stream.keys[0]) for stream in STREAMS])
def test_every_record_of_a_stream_is_read_once(rentvine: Reader, name: str, key: str) -> None:
    """Whether its rows are wrapped, or bare as bills and accounts."""
    every_record_once(rentvine, name, key=key)


@pytest.mark.parametrize(
    ("name", "key"), [(stream.name, stream.keys[0]) for stream in STREAMS if stream.filter is not None]
)
def test_exports_and_ledger_searches_are_asked_for_changes(rentvine: Reader, name: str, key: str) -> None:
    """Nobody says in which zone the vendor reads the bounds: a day more is asked for on both sides."""
    found = {record[key] for record in rentvine.tile(name, Tile(NOON - 60 * DAY, NOON))}
    (asked, *_) = rentvine.simulator.requests_for(name)
    query = dict(asked.query)
    assert query["dateTimeModifiedMin"] == "2025-12-31T12:00:00"
    assert query["dateTimeModifiedMax"] == "2026-03-03T12:00:00"
    truth = rentvine.simulator.truth(name).values()
    assert found == {one[key] for one in truth if str(one["dateTimeModified"]) >= "2025-12-31 12:00:00"}
    assert 0 < len(found) < len(truth)


@pytest.mark.parametrize("name", ["work_orders", "bills", "inspections", "tenants"])
def test_what_has_no_filter_is_read_whole(rentvine: Reader, name: str) -> None:
    found = rentvine.records(name, Request(NOON - DAY, NOON))
    assert len(found) == 42
    assert "dateTimeModifiedMin" not in dict(rentvine.simulator.requests_for(name)[0].query)


def test_a_list_of_several_pages_takes_one_request_a_page() -> None:
    with reading(connector, simulation, page_size=20) as reader:
        assert len(reader.records("leases")) == 42
        asked = [dict(request.query) for request in reader.simulator.requests_for("leases")]
        assert sorted(one["page"] for one in asked) == ["1", "2", "3"]
        assert {one["pageSize"] for one in asked} == {"20"}


def test_key_and_secret_are_user_and_password(rentvine: Reader) -> None:
    rentvine.records("units")
    (request,) = rentvine.simulator.requests
    pair = base64.b64encode(f"{ACCESS_KEY}:{SECRET}".encode()).decode()
    assert request.header("authorization") == f"Basic {pair}"


def test_wrong_credentials_are_refused_for_good() -> None:
    with (
        reading(connector, simulation, secret="wrong") as reader,
        pytest.raises(CredentialsRefused, match="answered 401"),
    ):
        reader.records("units")


def test_values_stay_the_texts_that_they_are_and_flags_come_either_way(rentvine: Reader) -> None:
    """The same flag is "1" in one list and 1 in another; the declared type takes both."""
    assert rentvine.records("properties")[0]["isActive"] == "1"
    record = rentvine.records("units")[0]
    assert record["isActive"] == 1
    assert isinstance(record["rent"], str)


def test_the_simulator_refuses_what_the_vendor_refuses(rentvine: Reader) -> None:
    """The error shapes that were seen, and a page size that is cut."""
    with httpx.Client(base_url=f"{rentvine.simulator.url}{BASE}", auth=(ACCESS_KEY, SECRET)) as talking:
        assert talking.get("/units").json()["code"] == "404"
        missing = talking.get("/properties/99")
        assert (missing.status_code, missing.json()) == (400, {"error": "Property 99 not found"})
        broken = talking.get("/leases/export?page=x")
        assert (broken.status_code, broken.content) == (500, b"")
        assert len(talking.get("/leases/export").json()) == 15
        page = talking.get("/leases/export?page=2&pageSize=500")
        assert (page.json(), page.headers["pagination-page-size"]) == ([], "100")
        unfiltered = talking.get("/accounting/bills?dateTimeModifiedMin=2030-01-01T00:00:00&pageSize=50")
        assert len(unfiltered.json()) == 42
        denied = talking.get("/leases/export", auth=("x", "y"))
        assert (denied.status_code, denied.json()) == (401, {"code": 401, "error": "Access Denied"})
