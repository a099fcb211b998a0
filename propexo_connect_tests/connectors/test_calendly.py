"""The Calendly connector against an honest stand-in of its API."""

from collections.abc import Generator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from propexo_connect.connectors.calendly import connector
from propexo_connect.model.errors import CredentialsRefused
from propexo_connect.model.tile import Tile
from propexo_connect.simulators.calendly import ORGANIZATION, TOKEN, simulation
from propexo_connect.simulators.faults import Fault, Reply
from propexo_connect_tests.connectors.reading import Reader, reading
from propexo_connect_tests.http.doubles import NOON

DAY = timedelta(days=1)


@pytest.fixture
def calendly() -> Generator[Reader]:
    """The demo organization, opened for reading."""
    with reading(connector, simulation) as reader:
        yield reader


def truth(reader: Reader, name: str) -> list[Any]:
    return list(reader.simulator.truth(name).values())


def uris(records: list[Any]) -> list[str]:
    return sorted(record["uri"] for record in records)


@pytest.mark.parametrize(
    "name", ["scheduled_events", "event_types", "organization_memberships", "groups", "current_user"]
)
def test_every_record_of_a_stream_is_read_once(calendly: Reader, name: str) -> None:
    """One request a page, and one for the organization, which the user tells."""
    assert uris(calendly.records(name)) == uris(truth(calendly, name))
    asked_for_user = 2 if name == "current_user" else 1
    assert calendly.simulator.counts() == {"current_user": asked_for_user, name: asked_for_user}


def test_lists_are_asked_with_the_organization_of_the_user(calendly: Reader) -> None:
    calendly.records("groups")
    (request,) = calendly.simulator.requests_for("groups")
    assert dict(request.query) == {"organization": ORGANIZATION, "count": "100"}


def test_a_list_of_several_pages_takes_one_request_a_page() -> None:
    with reading(connector, simulation, page_size=30) as reader:
        assert len(reader.records("scheduled_events")) == 70
        assert reader.simulator.counts()["scheduled_events"] == 3


def test_keys_are_addresses(calendly: Reader) -> None:
    assert all(uri.startswith("https://api.calendly.com/") for uri in uris(calendly.records("groups")))


def test_events_are_asked_for_by_their_start_from_a_month_before_without_an_end(calendly: Reader) -> None:
    """What was booked today may start in months; what was canceled may have started last week."""
    start = NOON - 20 * DAY
    found = calendly.tile("scheduled_events", Tile(start, NOON))
    since = start - 30 * DAY
    expected = [
        one
        for one in truth(calendly, "scheduled_events")
        if datetime.fromisoformat(one["start_time"]) >= since
    ]
    assert uris(found) == uris(expected)
    assert any(datetime.fromisoformat(one["start_time"]) > NOON for one in found)
    (request,) = calendly.simulator.requests_for("scheduled_events")
    assert dict(request.query) == {
        "organization": ORGANIZATION,
        "sort": "start_time:asc",
        "min_start_time": "2026-01-11T12:00:00Z",
        "count": "100",
    }


def test_invitees_of_all_events_are_read_by_the_id_at_the_end_of_their_address(calendly: Reader) -> None:
    found = calendly.records("invitees")
    assert uris(found) == uris(truth(calendly, "invitees"))
    assert calendly.simulator.counts() == {"current_user": 1, "scheduled_events": 1, "invitees": 70}


def test_invitees_are_read_of_the_events_of_the_tile_only(calendly: Reader) -> None:
    tile = Tile(NOON - 20 * DAY, NOON)
    events = {record["uri"] for record in calendly.tile("scheduled_events", tile)}
    found = calendly.tile("invitees", tile)
    assert {record["event"] for record in found} == events
    assert calendly.simulator.counts()["invitees"] == len(events) < 70


def test_event_types_are_read_newest_first_up_to_the_first_older_page() -> None:
    with reading(connector, simulation, page_size=5) as reader:
        start = NOON - 30 * DAY
        found = reader.tile("event_types", Tile(start, NOON))
        newer = [
            one for one in truth(reader, "event_types") if datetime.fromisoformat(one["updated_at"]) >= start
        ]
        assert uris(found) == uris(newer)
        assert 0 < len(found) < 45
        assert reader.simulator.counts()["event_types"] <= len(found) // 5 + 2
        assert all(
            dict(one.query)["sort"] == "updated_at:desc"
            for one in reader.simulator.requests_for("event_types")
        )


def test_memberships_in_no_set_order_are_all_read_and_the_older_left_out() -> None:
    with reading(connector, simulation, page_size=5) as reader:
        start = NOON - 100 * DAY
        found = reader.tile("organization_memberships", Tile(start, NOON))
        truths = truth(reader, "organization_memberships")
        newer = [one for one in truths if datetime.fromisoformat(one["updated_at"]) >= start]
        assert uris(found) == uris(newer)
        assert reader.simulator.counts()["organization_memberships"] == 3


def test_links_that_let_anybody_in_stay_with_the_vendor_unless_revealed(calendly: Reader) -> None:
    assert not any({"cancel_url", "reschedule_url"} & set(record) for record in calendly.records("invitees"))
    assert not any("join_url" in record["location"] for record in calendly.records("scheduled_events"))
    with reading(connector, simulation, reveal=("scheduled_events.location.join_url",)) as reader:
        assert all("join_url" in record["location"] for record in reader.records("scheduled_events"))


def test_the_token_is_sent_as_a_bearer(calendly: Reader) -> None:
    calendly.records("groups")
    assert {one.header("authorization") for one in calendly.simulator.requests} == {f"Bearer {TOKEN}"}


def test_a_wrong_token_is_refused_for_good_and_not_told() -> None:
    with (
        reading(connector, simulation, token="quite-wrong-token") as reader,
        pytest.raises(CredentialsRefused) as refused,
    ):
        reader.records("groups")
    assert "quite-wrong-token" not in str(refused.value)


def test_a_429_is_repeated(calendly: Reader) -> None:
    calendly.simulator.script(Fault(Reply(429), operation="groups", times=2))
    assert len(calendly.records("groups")) == 2
    assert calendly.sync.waited_s > 0


def test_the_simulator_refuses_what_the_vendor_refuses(calendly: Reader) -> None:
    """Strangers, lists of no or another organization, pages over the cap, orders that there are not."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    ours = {"organization": ORGANIZATION}
    with httpx.Client(base_url=calendly.simulator.url, headers=headers, verify=False) as talking:
        assert talking.get("/groups", headers={"Authorization": "Bearer x"}).status_code == 401
        assert talking.get("/groups").status_code == 400
        assert talking.get("/groups", params={"organization": f"{ORGANIZATION}0"}).status_code == 403
        assert talking.get("/groups", params={**ours, "count": "101"}).status_code == 400
        assert talking.get("/groups", params={**ours, "sort": "name:asc"}).status_code == 400
        assert talking.get("/scheduled_events", params={**ours, "min_start_time": "soon"}).status_code == 400
        assert talking.get("/scheduled_events/none/invitees").status_code == 404
        assert len(talking.get("/event_types", params=ours).json()["collection"]) == 20
