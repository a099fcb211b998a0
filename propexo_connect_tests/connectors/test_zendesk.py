"""The Zendesk connector against an honest stand-in of its API."""

import base64
from collections.abc import Generator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from propexo_connect.connectors.zendesk import LISTS, connector
from propexo_connect.model.errors import CredentialsRefused
from propexo_connect.model.tile import Tile
from propexo_connect.simulators.faults import Fault, Reply
from propexo_connect.simulators.fiction import iso
from propexo_connect.simulators.zendesk import API_TOKEN, EMAIL, OAUTH_TOKEN, simulation
from propexo_connect_tests.connectors.reading import Reader, every_record_once, reading
from propexo_connect_tests.http.doubles import NOON

DAY = timedelta(days=1)


@pytest.fixture
def zendesk() -> Generator[Reader]:
    """The demo account, opened for reading."""
    with reading(connector, simulation) as reader:
        yield reader


def queries(reader: Reader, name: str) -> list[dict[str, str]]:
    return [dict(request.query) for request in reader.simulator.requests_for(name)]


@pytest.mark.parametrize(
    "name", ["tickets", "users", "ticket_events", "ticket_metric_events", *(name for name, _ in LISTS)]
)
def test_every_record_of_a_stream_is_read_once(zendesk: Reader, name: str) -> None:
    every_record_once(zendesk, name, "id")


def test_tickets_are_exported_by_a_cursor_that_is_sent_alone(zendesk: Reader) -> None:
    """A page has 1,000; the last one has a cursor, too, which is not followed."""
    assert len(zendesk.records("tickets")) == 2300
    first, *others = queries(zendesk, "tickets")
    assert first == {"start_time": "0"}
    assert [list(one) for one in others] == [["cursor"], ["cursor"]]


def test_organizations_are_exported_by_time_and_repeat_at_the_edges_of_pages(zendesk: Reader) -> None:
    found = [record["id"] for record in zendesk.records("organizations")]
    assert set(found) == set(range(1, 1301))
    assert len(found) > len(set(found))
    first, second = queries(zendesk, "organizations")
    assert first == {"start_time": "0"}
    assert int(second["start_time"]) > 0


def test_deleted_tickets_come_with_their_status(zendesk: Reader) -> None:
    assert [record["status"] for record in zendesk.records("tickets")].count("deleted") == 46


@pytest.mark.parametrize(
    "name", ["tickets", "users", "organizations", "ticket_events", "ticket_metric_events"]
)
def test_changes_are_exported_from_the_start_of_the_tile(zendesk: Reader, name: str) -> None:
    start = NOON - 20 * DAY
    found = {record["id"] for record in zendesk.tile(name, Tile(start, NOON))}
    truth: dict[Any, Any] = zendesk.simulator.truth(name)
    assert found == {one["id"] for one in truth.values() if one["_at"] >= iso(start)}
    assert 0 < len(found) < len(truth)
    assert queries(zendesk, name) == [{"start_time": str(int(start.timestamp()))}]


def test_tiles_end_two_minutes_before_the_sync(zendesk: Reader) -> None:
    """A start within the last minute is refused, and what changed in it is not there yet."""
    given = zendesk.stream("tickets").filter
    assert given is not None
    assert given.lag == timedelta(minutes=2)
    assert given.upper is False


def test_a_filter_that_refuses_the_time_to_come_is_not_proven_by_it() -> None:
    with reading(connector, simulation, prove_filters=True) as reader:
        reader.tile("users", Tile(NOON - DAY, NOON))
        assert reader.simulator.counts() == {"users": 1}


def test_other_lists_are_paged_until_there_is_no_more(zendesk: Reader) -> None:
    assert len(zendesk.records("ticket_metrics")) == 120
    first, second = queries(zendesk, "ticket_metrics")
    assert first == {"page[size]": "100"}
    assert second == {"page[size]": "100", "page[after]": "100"}


def test_exports_keep_to_ten_a_minute_and_lists_do_not_wait_for_them(zendesk: Reader) -> None:
    for _ in range(4):
        zendesk.records("tickets")
    assert zendesk.simulator.counts()["tickets"] == 12
    assert zendesk.sync.clock.monotonic() >= 60
    assert not any(one.status == 429 for one in zendesk.simulator.exchanges)
    before = zendesk.sync.clock.monotonic()
    zendesk.records("groups")
    assert zendesk.sync.clock.monotonic() - before < 1


def test_an_api_token_is_sent_with_the_agents_address(zendesk: Reader) -> None:
    zendesk.records("groups")
    pair = base64.b64encode(f"{EMAIL}/token:{API_TOKEN}".encode()).decode()
    assert zendesk.simulator.requests[0].header("authorization") == f"Basic {pair}"


def test_an_oauth_token_is_sent_as_a_bearer() -> None:
    with reading(connector, simulation, access_token=OAUTH_TOKEN) as reader:
        assert len(reader.records("groups")) == 3
        assert reader.simulator.requests[0].header("authorization") == f"Bearer {OAUTH_TOKEN}"


def test_a_wrong_token_is_refused_for_good_and_not_told() -> None:
    with (
        reading(connector, simulation, api_token="quite-wrong-token") as reader,
        pytest.raises(CredentialsRefused) as refused,
    ):
        reader.records("groups")
    assert "quite-wrong-token" not in str(refused.value)


def test_a_429_is_waited_out_as_long_as_it_says(zendesk: Reader) -> None:
    zendesk.simulator.script(Fault(Reply(429, (("Retry-After", "33"),)), operation="groups", times=1))
    assert len(zendesk.records("groups")) == 3
    assert zendesk.sync.waited_s >= 33


def test_the_simulator_refuses_what_the_vendor_refuses(zendesk: Reader) -> None:
    """Strangers, exports without a start or with too recent ones, pages over the cap."""
    recent = int(NOON.timestamp()) - 30
    with httpx.Client(
        base_url=f"{zendesk.simulator.url}/api/v2", auth=(f"{EMAIL}/token", API_TOKEN), verify=False
    ) as talking:
        assert talking.get("/groups.json", auth=(EMAIL, API_TOKEN)).status_code == 401
        assert talking.get("/incremental/tickets/cursor.json").status_code == 422
        assert talking.get("/incremental/organizations.json").status_code == 422
        assert talking.get(f"/incremental/tickets/cursor.json?start_time={recent}").status_code == 422
        assert talking.get(f"/incremental/organizations.json?start_time={recent}").status_code == 422
        assert talking.get("/incremental/tickets/cursor.json?cursor=!").status_code == 422
        assert talking.get("/groups.json?page[size]=101").status_code == 400
