"""The HubSpot connector against an honest stand-in of its API."""

import json
from collections.abc import Generator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from propexo_connect.connectors.hubspot import ARCHIVED, OBJECTS, connector
from propexo_connect.model.errors import ConfigurationError, CredentialsRefused
from propexo_connect.model.tile import Tile
from propexo_connect.simulators.api import insert_all
from propexo_connect.simulators.faults import Fault, Reply
from propexo_connect.simulators.fiction import iso
from propexo_connect.simulators.hubspot import (
    ACCESS_TOKEN,
    CLIENT_ID,
    CLIENT_SECRET,
    REFRESH_TOKEN,
    record_of,
    simulation,
)
from propexo_connect.simulators.population import Population
from propexo_connect_tests.connectors.reading import Reader, reading
from propexo_connect_tests.http.doubles import NOON

DAY = timedelta(days=1)


@pytest.fixture
def hubspot() -> Generator[Reader]:
    """The demo account, opened for reading."""
    with reading(connector, simulation) as reader:
        yield reader


def truth(reader: Reader, name: str, *, archived: bool = False) -> list[Any]:
    return [one for one in reader.simulator.truth(name).values() if one.get("archived", False) is archived]


def ids(records: list[Any]) -> list[str]:
    return sorted(record["id"] for record in records)


@pytest.mark.parametrize("name", [name for name, *_ in OBJECTS])
def test_every_living_record_of_a_type_is_listed_once(hubspot: Reader, name: str) -> None:
    assert ids(hubspot.records(name)) == ids(truth(hubspot, name))
    assert hubspot.simulator.counts().total() == (2 if name == "contacts" else 1)


@pytest.mark.parametrize("name", ARCHIVED)
def test_deleted_records_are_streams_of_their_own(hubspot: Reader, name: str) -> None:
    found = hubspot.records(f"archived_{name}")
    assert ids(found) == ids(truth(hubspot, name, archived=True))
    assert all(record["archivedAt"] for record in found)


@pytest.mark.parametrize(("name", "field"), [(name, field) for name, _, field, _ in OBJECTS])
def test_changes_are_searched_for(hubspot: Reader, name: str, field: str) -> None:
    """Contacts by another property than all others; the last five minutes before the tile again."""
    start = NOON - 60 * DAY
    found = hubspot.tile(name, Tile(start, NOON))
    since = iso(start - timedelta(minutes=5))
    assert ids(found) == ids([one for one in truth(hubspot, name) if one["updatedAt"] >= since])
    (request,) = hubspot.simulator.requests_for(f"{name} search")
    assert json.loads(request.body) == {
        "filterGroups": [
            {
                "filters": [
                    {
                        "propertyName": field,
                        "operator": "BETWEEN",
                        "value": "1767268500000",
                        "highValue": "1772452800000",
                    }
                ]
            }
        ],
        "sorts": [{"propertyName": field, "direction": "ASCENDING"}],
        "limit": 200,
    }


def test_a_search_of_more_than_10000_records_is_split_before_it_is_read() -> None:
    population = Population()
    created = NOON - 20 * DAY
    seconds = (created + timedelta(seconds=number) for number in range(10_050))
    made = (record_of(number, "notes", created, at) for number, at in enumerate(seconds, start=1))
    insert_all(population, "notes", made, key="id")
    with reading(connector, simulation, population=population, requests_per_10_s=100_000) as reader:
        found = reader.tile("notes", Tile(created, created + timedelta(seconds=10_050)))
        assert len({record["id"] for record in found}) == 10_050
        counts = reader.simulator.counts()["notes search"]
    pages_of_both_halves = 52
    assert counts <= 1 + pages_of_both_halves
    assert not any(one.status == 400 for one in reader.simulator.exchanges)


def test_searches_keep_to_five_a_second_and_lists_do_not_wait_for_them() -> None:
    population = Population()
    made = (record_of(number, "notes", NOON - DAY, NOON - DAY) for number in range(2_100))
    insert_all(population, "notes", made, key="id")
    with reading(connector, simulation, population=population) as reader:
        assert len(reader.tile("notes", Tile(NOON - 2 * DAY, NOON))) == 2_100
        assert reader.simulator.counts()["notes search"] == 11
        assert reader.sync.clock.monotonic() >= 2
        assert not any(one.status == 429 for one in reader.simulator.exchanges)
        before = reader.sync.clock.monotonic()
        reader.records("owners")
        assert reader.sync.clock.monotonic() - before < 1


def test_named_properties_are_asked_for_in_lists_and_searches() -> None:
    with reading(connector, simulation, properties={"contacts": ["phone", "email"]}) as reader:
        listed = reader.records("contacts")
        searched = reader.tile("contacts", Tile(NOON - 60 * DAY, NOON))
        assert all({"phone", "email"} < set(record["properties"]) for record in (*listed, *searched))
        assert not any("firstname" in record["properties"] for record in (*listed, *searched))
        assert "phone" not in reader.records("companies")[0]["properties"]
        request = reader.simulator.requests_for("contacts")[0]
        assert [text for name, text in request.query if name == "properties"] == ["phone", "email"]


def test_types_that_are_named_by_numbers_have_properties_too() -> None:
    with reading(connector, simulation, properties={"0-420": ["phone"]}) as reader:
        assert all("phone" in record["properties"] for record in reader.records("listings"))


def test_a_custom_object_is_a_stream_of_its_name() -> None:
    with reading(connector, simulation, custom_objects=["p_pets"]) as reader:
        assert ids(reader.records("p_pets")) == ids(truth(reader, "p_pets"))
        assert reader.tile("p_pets", Tile(NOON - 60 * DAY, NOON))


def test_stages_are_taken_out_of_their_pipelines_without_a_request(hubspot: Reader) -> None:
    assert {record["id"] for record in hubspot.records("deal_pipelines")} == {"default", "second"}
    stages = hubspot.records("deal_stages")
    assert len({(one["pipelineId"], one["id"]) for one in stages}) == len(stages) == 6
    assert len(hubspot.records("ticket_stages")) == 4
    assert hubspot.simulator.counts() == {"pipelines": 2}


def test_properties_are_described_by_type(hubspot: Reader) -> None:
    found = hubspot.records("properties")
    assert {record["objectType"] for record in found} == {"contacts", "companies", "deals", "tickets"}
    assert hubspot.simulator.counts() == {"properties": 4}


def test_owners_are_read(hubspot: Reader) -> None:
    assert len(hubspot.records("owners")) == 5


def test_the_token_of_a_private_app_is_sent_as_a_bearer(hubspot: Reader) -> None:
    hubspot.records("owners")
    assert {request.header("authorization") for request in hubspot.simulator.requests} == {
        f"Bearer {ACCESS_TOKEN}"
    }


def test_an_oauth_app_refreshes_its_token() -> None:
    settings: dict[str, Any] = {
        "access_token": None,
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "refresh_token": REFRESH_TOKEN,
    }
    with reading(connector, simulation, **settings) as reader:
        assert len(reader.records("owners")) == 5
        reader.sync.clock.advance(1900)
        assert len(reader.records("owners")) == 5
        assert [request.path for request in reader.simulator.requests].count("/oauth/v1/token") == 2


def test_a_wrong_token_is_refused_for_good_and_not_told() -> None:
    with (
        reading(connector, simulation, access_token="quite-wrong-token") as reader,
        pytest.raises(CredentialsRefused) as refused,
    ):
        reader.records("owners")
    assert "quite-wrong-token" not in str(refused.value)


def test_a_connection_without_credentials_is_told_so() -> None:
    with (
        pytest.raises(ConfigurationError, match="access_token"),
        reading(connector, simulation, access_token=None),
    ):
        pass


def test_a_429_without_a_word_on_when_is_repeated(hubspot: Reader) -> None:
    hubspot.simulator.script(Fault(Reply(429), operation="owners", times=2))
    assert len(hubspot.records("owners")) == 5
    assert hubspot.sync.waited_s > 0


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, 200),
        ({"limit": 201}, 400),
        ({"after": "9900"}, 400),
        ({"after": "9800"}, 200),
        ({"filterGroups": []}, 400),
    ],
)
def test_the_simulator_refuses_searches_that_the_vendor_refuses(
    hubspot: Reader, change: dict[str, Any], status: int
) -> None:
    between = {"propertyName": "hs_lastmodifieddate", "operator": "BETWEEN", "value": "1", "highValue": "2"}
    body = {"filterGroups": [{"filters": [between]}], "limit": 200, **change}
    headers = {"Authorization": f"Bearer {ACCESS_TOKEN}"}
    with httpx.Client(base_url=hubspot.simulator.url, headers=headers, verify=False) as talking:
        assert talking.post("/crm/v3/objects/deals/search", json=body).status_code == status


def test_the_simulator_refuses_lists_that_the_vendor_refuses(hubspot: Reader) -> None:
    headers = {"Authorization": f"Bearer {ACCESS_TOKEN}"}
    with httpx.Client(base_url=hubspot.simulator.url, headers=headers, verify=False) as talking:
        assert talking.get("/crm/v3/objects/deals?limit=101").status_code == 400
        assert talking.get("/crm/v3/objects/deals?after=x").status_code == 400
        assert talking.get("/crm/v3/objects/dials").status_code == 404
        assert talking.get("/crm/v3/objects/deals", headers={"Authorization": ""}).status_code == 401
        assert len(talking.get("/crm/v3/objects/contacts").json()["results"]) == 10
