"""The Kisi connector against an honest stand-in of its API."""

from collections.abc import Generator
from pathlib import Path

import httpx
import pytest

from propexo_connect.connectors.kisi import connector
from propexo_connect.model.errors import CredentialsRefused, TerminalError
from propexo_connect.simulators.api import insert_all
from propexo_connect.simulators.kisi import KEY, simulation
from propexo_connect.simulators.population import Population
from propexo_connect_tests.connectors.landing import every_stream_lands
from propexo_connect_tests.connectors.reading import Reader, every_record_once, reading


@pytest.fixture
def kisi() -> Generator[Reader]:
    """The demo population, opened for reading."""
    with reading(connector, simulation) as reader:
        yield reader


def names() -> list[str]:
    return [stream.name for stream in connector.streams(connector.config(api_key="x"))]  # type: ignore[call-arg]


@pytest.mark.parametrize("name", names())
def test_every_record_of_a_stream_is_read_once(kisi: Reader, name: str) -> None:
    every_record_once(kisi, name, "id")


def test_every_value_lands_in_its_declared_type(kisi: Reader, tmp_path: Path) -> None:
    every_stream_lands(kisi, tmp_path)


def test_a_short_page_is_the_last(kisi: Reader) -> None:
    kisi.records("users")
    assert [dict(request.query) for request in kisi.simulator.requests] == [
        {"limit": "100", "offset": "0"},
        {"limit": "100", "offset": "100"},
    ]


def test_floors_are_asked_for_place_by_place(kisi: Reader) -> None:
    """The vendor refuses them without a place."""
    kisi.records("floors")
    kisi.records("elevators")
    assert kisi.simulator.counts() == {"places": 1, "floors": 4, "elevators": 4}


def test_logins_of_everybody_are_read_and_not_those_of_the_keys_owner_alone(kisi: Reader) -> None:
    assert len({record["user_id"] for record in kisi.records("logins")}) == 130
    assert kisi.simulator.counts()["logins"] == 130


def test_a_list_beyond_the_farthest_offset_fails_and_says_so() -> None:
    """Twenty thousand are as far as the vendor counts; nothing is left out in silence."""
    crowd = Population()
    insert_all(crowd, "users", ({"id": number} for number in range(20_200)), key="id")
    with (
        reading(connector, simulation, population=crowd) as reader,
        pytest.raises(TerminalError, match="more than 20100 records"),
    ):
        reader.records("users")


def test_the_key_stands_behind_the_vendors_own_word(kisi: Reader) -> None:
    kisi.records("places")
    (request,) = kisi.simulator.requests
    assert request.header("Authorization") == f"KISI-LOGIN {KEY}"


def test_a_wrong_key_is_refused_for_good() -> None:
    with (
        reading(connector, simulation, api_key="wrong") as reader,
        pytest.raises(CredentialsRefused, match="answered 401"),
    ):
        reader.records("places")


def test_the_simulator_refuses_what_the_vendor_refuses(kisi: Reader) -> None:
    headers = {"Authorization": f"KISI-LOGIN {KEY}"}
    with httpx.Client(base_url=kisi.simulator.url, headers=headers) as talking:
        assert talking.get("/users?limit=251").status_code == 400
        assert talking.get("/users?offset=20001").status_code == 400
        assert talking.get("/floors").status_code == 400
        assert talking.get("/users", headers={"Authorization": f"Bearer {KEY}"}).status_code == 401
        assert len(talking.get("/users").json()) == 10
        assert talking.get("/users").headers["X-Collection-Range"] == "0-9/130"
        assert len(talking.get("/logins").json()) == 1
        assert set(talking.get("/none").json()) == {"error", "code"}
