"""The DOOR connector against an honest stand-in of its API."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import pytest

from propexo_connect.connectors.door import connector
from propexo_connect.model.errors import CredentialsRefused
from propexo_connect.simulators.door import simulation
from propexo_connect.simulators.faults import Fault, Reply
from propexo_connect_tests.connectors.landing import every_stream_lands
from propexo_connect_tests.connectors.reading import Reader, every_record_once, reading
from propexo_connect_tests.http.doubles import ManualClock

KEYS = {"users": "userUuid", "residents": "userUuid", "key_accesses": "userUuid"}


@pytest.fixture
def door() -> Generator[Reader]:
    """The demo population, opened for reading."""
    with reading(connector, simulation) as reader:
        yield reader


def names() -> list[str]:
    return [stream.name for stream in connector.streams(connector.config(client_id="x", client_secret="x"))]  # type: ignore[call-arg]


@pytest.mark.parametrize("name", names())
def test_every_record_of_a_stream_is_read_once(door: Reader, name: str) -> None:
    every_record_once(door, name, KEYS.get(name, "uuid"))


def test_every_value_lands_in_its_declared_type(door: Reader, tmp_path: Path) -> None:
    every_stream_lands(door, tmp_path)


def test_a_token_leads_on_and_its_absence_ends(door: Reader) -> None:
    """Pages are as long as the vendor makes them, unless the connection says otherwise."""
    assert len(door.records("doors")) == 200
    asked = [dict(request.query) for request in door.simulator.requests_for("doors")]
    assert [sorted(one) for one in asked] == [[], ["pageToken"]]
    with reading(connector, simulation, page_size=60) as reader:
        reader.records("doors")
        assert reader.simulator.counts()["doors"] == 4
        assert {dict(r.query)["pageSize"] for r in reader.simulator.requests_for("doors")} == {"60"}


def test_keys_come_with_what_they_open(door: Reader) -> None:
    assert all(len(record["doors"]) == 1 for record in door.records("keys"))


def test_accesses_take_one_request_a_key_and_keys_are_listed_once(door: Reader) -> None:
    found = door.records("key_accesses")
    assert len({(record["keyUuid"], record["userUuid"]) for record in found}) == 200
    assert door.simulator.counts() == {"token": 1, "keys": 2, "key_accesses": 200}


def test_residents_name_their_building(door: Reader) -> None:
    found = door.records("residents")
    assert {record["buildingUuid"] for record in found} == set(door.simulator.truth("buildings"))


def test_door_codes_stay_with_the_vendor(door: Reader) -> None:
    assert not any("doorcode" in one for user in door.records("users") for one in user["accesses"])
    accesses = door.records("key_accesses")
    assert not any("doorcode" in one for access in accesses for one in access["doors"])
    with reading(connector, simulation, reveal=("users.accesses.doorcode",)) as reader:
        assert all("code" in user["accesses"][0]["doorcode"] for user in reader.records("users"))


def test_a_token_is_used_until_it_runs_out() -> None:
    clock = ManualClock()
    with reading(connector, simulation, clock=clock) as reader:
        reader.records("buildings")
        reader.records("users")
        assert reader.simulator.counts()["token"] == 1
        clock.advance(2 * 3600)
        reader.records("doors")
        assert reader.simulator.counts()["token"] == 2
        assert {exchange.status for exchange in reader.simulator.exchanges} == {200}


def test_a_wrong_client_is_refused_for_good_although_the_vendor_says_403() -> None:
    settings: dict[str, Any] = {"client_secret": "wrong"}
    with (
        reading(connector, simulation, **settings) as reader,
        pytest.raises(CredentialsRefused, match="answered 403"),
    ):
        reader.records("buildings")


def test_a_limit_without_a_word_on_when_is_repeated(door: Reader) -> None:
    door.simulator.script(Fault(Reply(429), operation="buildings", times=2))
    assert len(door.records("buildings")) == 4


def test_the_simulator_refuses_what_the_vendor_refuses(door: Reader) -> None:
    with httpx.Client(base_url=door.simulator.url) as talking:
        refused = talking.get("/access/sdk/v1/doors")
        assert (refused.status_code, refused.json()) == (401, {"message": "UNAUTHORIZED"})
        form = {
            "grant_type": "client_credentials",
            "client_id": "door-demo",
            "client_secret": "door-demo-secret",
        }
        token = talking.post("/oauth/token", data=form).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        gone = talking.get("/access/sdk/v1/keys/none/accesses", headers=headers)
        assert (gone.status_code, gone.json()) == (404, {"message": "NOT_FOUND"})
        assert talking.get("/access/sdk/v1/doors?pageToken=zz", headers=headers).status_code == 400
        assert "doors" not in talking.get("/access/sdk/v1/keys", headers=headers).json()["keys"][0]
