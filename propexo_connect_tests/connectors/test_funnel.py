"""The Funnel connector against a stand-in of what is public of its API."""

from collections.abc import Generator
from pathlib import Path

import httpx
import pytest

from propexo_connect.connectors.funnel import connector
from propexo_connect.model.errors import CredentialsRefused
from propexo_connect.simulators.faults import Fault, too_many_requests
from propexo_connect.simulators.funnel import PUBLIC_KEY, Funnel, simulation
from propexo_connect_tests.connectors.landing import every_stream_lands
from propexo_connect_tests.connectors.reading import Reader, every_record_once, reading


@pytest.fixture
def funnel() -> Generator[Reader]:
    """The demo population, opened for reading."""
    with reading(connector, simulation) as reader:
        yield reader


def vendor(reader: Reader) -> Funnel:
    """The simulator as what it is."""
    assert isinstance(reader.simulator, Funnel)
    return reader.simulator


@pytest.mark.parametrize("name", ["listings", "rentals", "communities"])
def test_every_record_of_a_stream_is_read_once(funnel: Reader, name: str) -> None:
    every_record_once(funnel, name, key="id")


def test_every_value_lands_in_its_declared_type(funnel: Reader, tmp_path: Path) -> None:
    every_stream_lands(funnel, tmp_path)


def test_a_list_takes_one_request(funnel: Reader) -> None:
    assert len(funnel.records("listings")) == 42
    assert vendor(funnel).counts()["listings"] == 1


def test_communities_are_read_one_by_one_from_the_settings(funnel: Reader) -> None:
    assert {record["communityId"] for record in funnel.records("communities")} == {
        str(number) for number in range(901, 908)
    }
    assert vendor(funnel).counts()["communities"] == 7


def test_listings_have_no_key_that_we_know(funnel: Reader) -> None:
    keyless = [one.name for one in connector.streams(funnel.config) if one.is_keyless]
    assert keyless == ["listings", "rentals"]


@pytest.mark.parametrize(("way", "word"), [("basic", "Basic "), ("bearer", "Bearer ")])
def test_the_private_key_is_shown_in_the_header(way: str, word: str) -> None:
    with reading(connector, simulation, key_as=way) as reader:
        assert reader.records("listings")
        assert (vendor(reader).requests[0].header("authorization") or "").startswith(word)


def test_the_public_key_of_a_feed_is_shown_in_the_query() -> None:
    with reading(connector, simulation, key_as="query", api_key=PUBLIC_KEY) as reader:
        assert reader.records("listings")
        (request,) = vendor(reader).requests
        assert request.query == (("key", PUBLIC_KEY),)
        assert request.header("authorization") is None


def test_a_wrong_key_is_refused_for_good_and_not_told() -> None:
    with reading(connector, simulation, key_as="query", api_key="a-wrong-key") as reader:
        with pytest.raises(CredentialsRefused, match="answered 401") as caught:
            reader.records("listings")
        assert "a-wrong-key" not in str(caught.value)


def test_a_stream_of_the_connection_is_added_or_takes_the_place_of_one() -> None:
    """What the vendor's documents say goes before what is public."""
    own = {"leases": {"path": "/leases/", "key": "id"}, "listings": {"path": "/listings/all/", "key": "id"}}
    with reading(connector, simulation, streams=own) as reader:
        names = [one.name for one in connector.streams(reader.config)]
        assert names == ["rentals", "communities", "leases", "listings"]
        assert reader.stream("listings").key == ("id",)


def test_a_429_is_waited_out_as_long_as_it_says(funnel: Reader) -> None:
    vendor(funnel).script(Fault(too_many_requests(30), operation="listings"))
    assert len(funnel.records("listings")) == 42
    assert funnel.sync.waited_s >= 30


def test_the_simulator_refuses_what_the_vendor_refuses(funnel: Reader) -> None:
    """No key, a public key for what is no listing, a path without its slash; in the vendor's shape."""
    with httpx.Client(base_url=vendor(funnel).url, verify=False) as talking:
        refused = talking.get("/api/v2/listings/all/")
        assert (refused.status_code, refused.json()["code"]) == (401, 401)
        assert talking.get(f"/api/v2/group/901/?key={PUBLIC_KEY}").status_code == 401
        assert talking.get("/api/v2/listings/all", auth=("funnel-demo-key", "")).status_code == 404
