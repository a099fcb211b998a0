"""The Seam connector against an honest stand-in of its API."""

from collections.abc import Generator
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from propexo_connect.connectors.seam import connector
from propexo_connect.model.errors import CredentialsRefused, TerminalError
from propexo_connect.model.tile import Tile
from propexo_connect.simulators.api import insert_all
from propexo_connect.simulators.population import Population
from propexo_connect.simulators.seam import KEY, TOKEN, WORKSPACE, simulation
from propexo_connect_tests.connectors.landing import every_stream_lands
from propexo_connect_tests.connectors.reading import Reader, every_record_once, key_of, reading
from propexo_connect_tests.http.doubles import NOON

DAY = timedelta(days=1)


@pytest.fixture
def seam() -> Generator[Reader]:
    """The demo population, opened for reading."""
    with reading(connector, simulation) as reader:
        yield reader


def names() -> list[str]:
    return [stream.name for stream in connector.streams(connector.config(api_key="x"))]  # type: ignore[call-arg]


def sent(reader: Reader, name: str) -> list[dict[str, Any]]:
    """The bodies of the requests for a stream."""
    return [cast("dict[str, Any]", request.json) for request in reader.simulator.requests_for(name)]


@pytest.mark.parametrize("name", [name for name in names() if name != "events"])
def test_every_record_of_a_stream_is_read_once(seam: Reader, name: str) -> None:
    every_record_once(seam, name, seam.stream(name).key[0])


def test_every_value_lands_in_its_declared_type(seam: Reader, tmp_path: Path) -> None:
    every_stream_lands(seam, tmp_path)


def test_all_events_are_read_although_the_vendor_cuts_a_range_at_500(seam: Reader) -> None:
    """A range that brings so many is asked for in halves; those at a seam come twice, none is left out."""
    found = {key_of(seam.stream("events"), record) for record in seam.records("events")}
    assert found == {(str(key),) for key in seam.simulator.truth("events")}
    assert len(found) == 900
    asked = sent(seam, "events")
    assert all(body["limit"] == 500 and len(body["between"]) == 2 for body in asked)
    assert len(asked) < 20


def test_a_tile_of_events_takes_one_request_that_reaches_a_second_beyond_it(seam: Reader) -> None:
    """The vendor leaves out what was made at the very bounds."""
    seam.tile("events", Tile(NOON - DAY, NOON))
    assert sent(seam, "events") == [
        {"between": ["2026-03-01T10:59:59Z", "2026-03-02T12:00:01Z"], "limit": 500}
    ]


def test_an_event_at_the_very_start_of_a_tile_is_not_lost() -> None:
    start = NOON - 5 * DAY
    only = Population()
    record = {"event_id": "e1", "created_at": (start - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")}
    insert_all(only, "events", [record], key="event_id")
    with reading(connector, simulation, population=only) as reader:
        assert len(reader.tile("events", Tile(start, NOON))) == 1


def test_more_events_in_a_moment_than_the_vendor_shows_fail_and_say_so() -> None:
    burst = Population()
    at = "2026-03-01T12:00:00Z"
    insert_all(
        burst, "events", ({"event_id": f"e{number}", "created_at": at} for number in range(600)), "event_id"
    )
    with (
        reading(connector, simulation, population=burst) as reader,
        pytest.raises(TerminalError, match="500 records came"),
    ):
        reader.tile("events", Tile(NOON - 2 * DAY, NOON))


def test_codes_are_asked_for_device_by_device(seam: Reader) -> None:
    found = seam.records("access_codes")
    assert len({record["device_id"] for record in found}) == 40
    assert seam.simulator.counts() == {"devices": 1, "access_codes": 40}


def test_a_cursor_is_sent_with_the_filters_that_it_was_given_for() -> None:
    with reading(connector, simulation, page_size=1) as reader:
        assert len(reader.records("access_codes")) == 80
        bodies = sent(reader, "access_codes")
        assert all("device_id" in body for body in bodies)
        assert sum("page_cursor" in body for body in bodies) == 40
        assert not any(exchange.status == 400 for exchange in reader.simulator.exchanges)


def test_codes_stay_with_the_vendor_wherever_they_stand(seam: Reader) -> None:
    """Also in events and in changes that are under way, before and after."""
    assert not any("code" in record for record in seam.records("access_codes"))
    changes = [one for record in seam.records("access_codes") for one in record["pending_mutations"]]
    assert len(changes) == 40
    assert not any("code" in one[side] for one in changes for side in ("from", "to"))
    events = seam.records("events")
    assert not any("code" in record for record in events)
    moved = [record for record in events if "from" in record]
    assert moved
    assert not any("code" in record[side] for record in moved for side in ("from", "to"))
    with reading(connector, simulation, reveal=("access_codes.code",)) as reader:
        assert all("code" in record for record in reader.records("access_codes"))


def test_a_key_names_its_workspace_by_itself_and_a_token_needs_a_header() -> None:
    with reading(connector, simulation) as reader:
        reader.records("acs_systems")
        (request,) = reader.simulator.requests
        assert request.header("Authorization") == f"Bearer {KEY}"
        assert request.header("Seam-Workspace") is None
    with reading(connector, simulation, api_key=TOKEN, workspace=WORKSPACE) as reader:
        assert len(reader.records("acs_systems")) == 4
    with reading(connector, simulation, api_key=TOKEN) as reader, pytest.raises(CredentialsRefused):
        reader.records("acs_systems")


def test_the_simulator_refuses_what_the_vendor_refuses(seam: Reader) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    with httpx.Client(base_url=seam.simulator.url, headers=headers) as talking:
        assert talking.post("/events/list", json={"limit": 5}).status_code == 400
        assert talking.post("/access_codes/list", json={}).status_code == 400
        first = talking.post("/devices/list", json={"limit": 1}).json()
        assert set(first) == {"devices", "pagination", "ok"}
        other = {"page_cursor": first["pagination"]["next_page_cursor"], "connected_account_id": "x"}
        assert talking.post("/devices/list", json=other).status_code == 400
        refused = talking.post("/devices/list", headers={"Authorization": "Bearer seam_wrong"})
        assert refused.status_code == 401
        assert refused.json()["ok"] is False
