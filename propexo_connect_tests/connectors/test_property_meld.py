"""The Property Meld connector against an honest stand-in of its API."""

from collections.abc import Generator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from propexo_connect.connectors.property_meld import STREAMS, connector
from propexo_connect.model.errors import CredentialsRefused, TerminalError
from propexo_connect.model.tile import Tile
from propexo_connect.simulators.faults import Fault, Reply
from propexo_connect.simulators.property_meld import PropertyMeld, simulation
from propexo_connect.simulators.styles import OffsetStyle
from propexo_connect_tests.connectors.landing import every_stream_lands
from propexo_connect_tests.connectors.reading import Reader, every_record_once, reading
from propexo_connect_tests.http.doubles import NOON

START, END = NOON - timedelta(days=60), NOON - timedelta(days=10)


@pytest.fixture
def meld() -> Generator[Reader]:
    """The demo population, opened for reading."""
    with reading(connector, simulation) as reader:
        yield reader


def vendor(reader: Reader) -> PropertyMeld:
    """The simulator as what it is."""
    assert isinstance(reader.simulator, PropertyMeld)
    return reader.simulator


@pytest.mark.parametrize("name", [stream.name for stream in STREAMS])
def test_every_record_of_a_stream_is_read_once(meld: Reader, name: str) -> None:
    every_record_once(meld, name, key="id")


def test_every_value_lands_in_its_declared_type(meld: Reader, tmp_path: Path) -> None:
    every_stream_lands(meld, tmp_path)


def test_lists_are_asked_for_in_pages_of_500_in_the_order_of_ids(meld: Reader) -> None:
    meld.records("residents")
    (request,) = vendor(meld).requests_for("residents")
    assert dict(request.query) == {"ordering": "id", "limit": "500", "offset": "0"}


def test_a_page_that_is_cut_in_silence_loses_nothing() -> None:
    """The vendor sends 20 where 50 are asked for; the next offset counts what came."""
    with reading(connector, simulation, page_size=50) as reader:
        vendor(reader).style = OffsetStyle(cap=20, records="results", total="count")
        assert len(reader.records("melds")) == 120
        assert vendor(reader).counts()["melds"] == 6


def test_melds_are_asked_for_by_both_bounds(meld: Reader) -> None:
    found = {record["id"] for record in meld.tile("melds", Tile(START, END))}
    (request,) = vendor(meld).requests_for("melds")
    asked = dict(request.query)
    assert asked["updated__gte"] == START.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert asked["updated__lte"] == END.strftime("%Y-%m-%dT%H:%M:%SZ")
    truth = vendor(meld).truth("melds").values()
    assert found == {
        one["id"] for one in truth if START.isoformat() <= str(one["updated"]) <= END.isoformat()
    }
    assert 0 < len(found) < 120


@pytest.mark.parametrize(
    ("name", "param", "field"),
    [
        ("units", "updated__gte", "updated"),
        ("properties", "updated__gte", "updated"),
        ("residents", "last_updated_gte", "_last_updated"),
        ("vendors", "last_updated_gte", "_last_updated"),
        ("invoices", "last_updated_gte", "_last_updated"),
        ("estimates", "last_updated_gte", "_last_updated"),
    ],
)
def test_one_thing_has_two_names_by_list(meld: Reader, name: str, param: str, field: str) -> None:
    """The other name would be ignored, and everything would come."""
    found = meld.tile(name, Tile(START, END))
    (request,) = vendor(meld).requests_for(name)
    assert [asked for asked, _ in request.query if "updated" in asked] == [param]
    truth = vendor(meld).truth(name).values()
    assert len(found) == sum(str(one[field]) >= START.isoformat() for one in truth) < len(truth)


def test_filters_are_proven_to_be_honoured() -> None:
    """One request for a time to come, which must be answered with nothing."""
    with reading(connector, simulation, prove_filters=True) as reader:
        reader.tile("units", Tile(START, END))
        assert vendor(reader).counts()["units"] == 2
        assert not any("WARNING" in line for line in reader.sync.lines)


def test_only_files_of_melds_that_changed_are_read(meld: Reader) -> None:
    changed = {record["id"] for record in meld.tile("melds", Tile(START, END))}
    found = meld.tile("meld_tenant_files", Tile(START, END))
    assert {record["meld"] for record in found} == changed
    assert vendor(meld).counts()["melds"] == 1
    assert vendor(meld).counts()["meld_tenant_files"] == len(changed)


def test_further_lists_can_be_named() -> None:
    with reading(connector, simulation, more_lists={"expenditures": "/expenditure/"}) as reader:
        every_record_once(reader, "expenditures", key="id")


def test_one_token_serves_all_streams_for_ten_hours(meld: Reader) -> None:
    for name in ("melds", "units", "owners"):
        meld.records(name)
    assert vendor(meld).tokens.issued_count == 1
    meld.sync.clock.advance(36_001)
    meld.records("tags")
    assert vendor(meld).tokens.issued_count == 2


def test_a_token_that_is_refused_early_is_renewed(meld: Reader) -> None:
    meld.records("tags")
    vendor(meld).tokens.revoke_all()
    assert len(meld.records("tags")) == 7
    assert vendor(meld).tokens.issued_count == 2


def test_the_tenant_is_named_in_its_header(meld: Reader) -> None:
    meld.records("tags")
    (request,) = vendor(meld).requests_for("tags")
    assert ("X-Multitenant-Id", "42") in request.headers


def test_a_wrong_secret_is_refused_for_good_with_one_request() -> None:
    with reading(connector, simulation, client_secret="wrong") as reader:
        with pytest.raises(CredentialsRefused):
            reader.records("tags")
        assert vendor(reader).counts().total() == 1


def test_another_tenant_is_refused_for_good() -> None:
    with (
        reading(connector, simulation, multitenant_id="43") as reader,
        pytest.raises(TerminalError, match="No such tenant"),
    ):
        reader.records("tags")


def test_a_429_without_a_word_on_when_is_repeated(meld: Reader) -> None:
    vendor(meld).script(Fault(Reply(429), operation="tags", times=2))
    assert len(meld.records("tags")) == 7
    assert meld.sync.waited_s > 0


def test_the_simulator_acts_as_the_vendor_does(meld: Reader) -> None:
    """No token, no tenant, no slash; nonsense is ignored; more than 500 rows are cut."""
    with httpx.Client(base_url=vendor(meld).url, verify=False) as talking:
        assert talking.get("/api/v2/tag/").json() == {
            "detail": "Authentication credentials were not provided."
        }
        bearer = {"Authorization": f"Bearer {vendor(meld).tokens.issue().value}"}
        missing = talking.get("/api/v2/tag/", headers=bearer)
        assert (missing.status_code, missing.json()["error"]) == (400, "X-Multitenant-Id is missing")
        known = {**bearer, "X-Multitenant-Id": "42"}
        assert talking.get("/api/v2/tag", headers=known).status_code == 404
        nonsense = talking.get("/api/v2/tag/?limit=many&offset=-1&colour=red&ordering=up", headers=known)
        assert nonsense.json()["count"] == 7
        wrong_name = talking.get("/api/v2/unit/?last_updated_gte=2030-01-01T00:00:00Z", headers=known)
        assert wrong_name.json()["count"] == 84
        assert talking.get("/api/v2/meld/?limit=1000", headers=known).status_code == 200
