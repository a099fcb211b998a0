"""The Propertyware connector against an honest stand-in of its API."""

from collections.abc import Generator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from propexo_connect.connectors.propertyware import STREAMS, connector
from propexo_connect.model.errors import CredentialsRefused
from propexo_connect.model.tile import Request, Tile
from propexo_connect.simulators.api import Allowance
from propexo_connect.simulators.propertyware import BASE, HEADERS, Propertyware, simulation
from propexo_connect_tests.connectors.landing import every_stream_lands
from propexo_connect_tests.connectors.reading import Reader, every_record_once, reading
from propexo_connect_tests.http.doubles import NOON

DAY = timedelta(days=1)


@pytest.fixture
def propertyware() -> Generator[Reader]:
    """The demo population, opened for reading."""
    with reading(connector, simulation) as reader:
        yield reader


def test_every_value_lands_in_its_declared_type(propertyware: Reader, tmp_path: Path) -> None:
    """Nothing is a misfit, and a second sync changes nothing."""
    every_stream_lands(propertyware, tmp_path)


@pytest.mark.parametrize("name", [stream.name for stream in STREAMS if stream.name != "documents"])
def test_every_record_of_a_stream_is_read_once(propertyware: Reader, name: str) -> None:
    """A whole read brings what the vendor holds, deactivated records included."""
    every_record_once(propertyware, name, key="id")


@pytest.mark.parametrize("name", [stream.name for stream in STREAMS if stream.filter is not None])
def test_every_list_is_filtered_by_seconds_of_change(propertyware: Reader, name: str) -> None:
    """Whoever changed within the tile comes, and nobody else."""
    start = NOON - 60 * DAY
    found = {record["id"] for record in propertyware.tile(name, Tile(start, NOON))}
    wanted = start.strftime("%Y-%m-%dT%H:%M:%SZ")
    truth = propertyware.simulator.truth(name).values()
    listed = [one for one in truth if name != "documents" or one["entityType"] != "BILL"]
    assert found == {one["id"] for one in listed if str(one["lastModifiedDateTime"]) >= wanted}
    assert 0 < len(found) < len(listed) or len(listed) < 13
    (asked, *_) = propertyware.simulator.requests_for(name)
    assert dict(asked.query)["lastModifiedDateTimeStart"] == wanted
    assert "lastModifiedDateTimeEnd" in dict(asked.query)


def test_a_list_of_several_pages_takes_one_request_a_page() -> None:
    with reading(connector, simulation, page_size=20) as reader:
        assert len(reader.records("leases")) == 42
        asked = [dict(request.query) for request in reader.simulator.requests_for("leases")]
        assert sorted(int(one["offset"]) for one in asked) == [0, 20, 40]
        assert {one["orderby"] for one in asked} == {"id"}


def test_a_page_size_over_the_cap_is_not_asked_for() -> None:
    with reading(connector, simulation, page_size=5000) as reader:
        reader.records("units")
        (asked,) = reader.simulator.requests_for("units")
        assert dict(asked.query)["limit"] == "500"


def test_documents_are_asked_for_by_kind_of_record() -> None:
    """The vendor refuses the list without entityType; what is not named is not read."""
    with reading(connector, simulation, document_entities=("LEASE", "UNIT")) as reader:
        assert len(reader.records("documents")) == 84
        asked = [dict(request.query)["entityType"] for request in reader.simulator.requests_for("documents")]
        assert sorted(asked) == ["LEASE", "UNIT"]


def test_custom_fields_and_deactivated_records_are_asked_for(propertyware: Reader) -> None:
    records = propertyware.records("leases")
    assert records[0]["customFields"] == [{"fieldName": "Parking", "value": "12"}]
    assert {record["active"] for record in propertyware.records("units")} == {True, False}


def test_the_three_headers_are_sent_as_the_vendor_spells_them(propertyware: Reader) -> None:
    propertyware.records("portfolios")
    (request,) = propertyware.simulator.requests
    assert set(HEADERS) <= {name for name, _ in request.headers}


@pytest.mark.parametrize("setting", ["client_id", "client_secret", "system_id"])
def test_wrong_credentials_are_refused_for_good(setting: str) -> None:
    wrong: dict[str, Any] = {setting: "wrong"}
    with (
        reading(connector, simulation, **wrong) as reader,
        pytest.raises(CredentialsRefused, match="answered 401"),
    ):
        reader.records("portfolios")


def test_tax_ids_birth_dates_and_bank_accounts_stay_with_the_vendor(propertyware: Reader) -> None:
    for name, field in (
        ("vendors", "taxId"),
        ("contacts", "birthDate"),
        ("gl_accounts", "bankAccountNumber"),
        ("gl_accounts", "bankRoutingNumber"),
        ("portfolios", "defaultBankAccountNumberAndDescription"),
    ):
        assert any(field in one for one in propertyware.simulator.truth(name).values())
        assert not any(field in record for record in propertyware.records(name))
    with reading(connector, simulation, reveal=("vendors.taxId",)) as reader:
        assert reader.records("vendors")[0]["taxId"] == "00-0000000"


def test_the_announced_limit_is_kept_before_it_is_enforced() -> None:
    """Ten a second by default; the vendor then never answers 429."""
    with reading(connector, simulation, page_size=1, in_flight=1) as reader:
        assert isinstance(reader.simulator, Propertyware)
        reader.simulator.allowances = (Allowance(10, 1),)
        assert len(reader.records("leases")) == 42
        assert not any(exchange.status == 429 for exchange in reader.simulator.exchanges)


def test_an_empty_tile_takes_one_request(propertyware: Reader) -> None:
    assert propertyware.records("leases", Request(NOON + DAY, NOON + 2 * DAY)) == []
    assert propertyware.simulator.counts().total() == 1


def test_the_simulator_refuses_what_the_vendor_refuses(propertyware: Reader) -> None:
    """Wrong letter case, a missing kind of record, a field that is not sorted by; a large page is cut."""
    with httpx.Client(base_url=propertyware.simulator.url, headers=HEADERS) as talking:
        assert talking.get(f"{BASE}/Leases").status_code == 404
        assert talking.get(f"{BASE}/leases?Limit=5").status_code == 404
        assert talking.get(f"{BASE}/docs").status_code == 400
        assert talking.get(f"{BASE}/leases?orderby=leaseName").status_code == 400
        assert talking.get(f"{BASE}/leases?lastModifiedDateTimeStart=yesterday").status_code == 400
        refused = talking.get(f"{BASE}/leases", headers={"x-propertyware-system-id": ""})
        assert refused.status_code == 401
        assert refused.json().keys() == {"errorCode", "errors", "userMessage"}
        assert len(talking.get(f"{BASE}/leases?limit=5000").json()) == 42
        assert "customFields" not in talking.get(f"{BASE}/leases").json()[0]
        assert len(talking.get(f"{BASE}/units").json()) == 35
