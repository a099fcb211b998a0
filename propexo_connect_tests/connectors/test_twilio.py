"""The Twilio connector against an honest stand-in of its API."""

import base64
from collections.abc import Generator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from propexo_connect.connectors.twilio import LISTS, connector
from propexo_connect.model.errors import CredentialsRefused
from propexo_connect.model.tile import Tile
from propexo_connect.simulators.faults import Fault, Reply
from propexo_connect.simulators.twilio import AUTH_TOKEN, KEY, KEY_SECRET, MAIN, SUB, simulation
from propexo_connect_tests.connectors.reading import Reader, every_record_once, reading
from propexo_connect_tests.http.doubles import NOON

DAY = timedelta(days=1)


@pytest.fixture
def twilio() -> Generator[Reader]:
    """The demo accounts, opened for reading."""
    with reading(connector, simulation) as reader:
        yield reader


def truth(reader: Reader, name: str) -> list[Any]:
    return list(reader.simulator.truth(name).values())


def asked(reader: Reader, name: str) -> dict[str, str]:
    return dict(reader.simulator.requests_for(name)[0].query)


@pytest.mark.parametrize("name", [name for name, *_ in LISTS])
def test_every_record_of_every_account_is_read_once(twilio: Reader, name: str) -> None:
    """One request for each account, and one for their list."""
    every_record_once(twilio, name, "sid")
    assert twilio.simulator.counts() == {"accounts": 1, name: 2}


def test_accounts_are_a_stream_and_their_tokens_stay_with_the_vendor(twilio: Reader) -> None:
    found = twilio.records("accounts")
    assert {record["sid"] for record in found} == {MAIN, SUB}
    assert not any("auth_token" in record for record in found)


def test_pages_follow_a_relative_address() -> None:
    with reading(connector, simulation, page_size=25, account_sids=[MAIN]) as reader:
        assert len(reader.records("messages")) == 60
        first, *others = (dict(request.query) for request in reader.simulator.requests_for("messages"))
    assert first == {"PageSize": "25"}
    assert [sorted(one) for one in others] == [["PageSize", "PageToken"]] * 2


def test_messages_are_asked_for_by_instants_with_a_week_again(twilio: Reader) -> None:
    """The operator is part of the name; a message's status changes after it was sent."""
    twilio.tile("messages", Tile(NOON - DAY, NOON))
    request = twilio.simulator.requests_for("messages")[0]
    assert "DateSent%3E=2026-02-22T12:00:00Z&DateSent%3C=2026-03-02T12:00:00Z" in request.head.target
    assert asked(twilio, "messages") == {
        "DateSent>": "2026-02-22T12:00:00Z",
        "DateSent<": "2026-03-02T12:00:00Z",
        "PageSize": "1000",
    }


@pytest.mark.parametrize(
    ("name", "field", "first"),
    [
        ("calls", "StartTime", "2026-02-26"),
        ("recordings", "DateCreated", "2026-02-26"),
        ("notifications", "MessageDate", "2026-02-26"),
        ("conferences", "DateUpdated", "2026-03-01"),
    ],
)
def test_other_lists_are_asked_for_by_whole_days(twilio: Reader, name: str, field: str, first: str) -> None:
    twilio.tile(name, Tile(NOON - DAY, NOON))
    found = asked(twilio, name)
    assert (found[f"{field}>"], found[f"{field}<"]) == (first, "2026-03-03")


def test_a_tile_brings_what_was_sent_in_it(twilio: Reader) -> None:
    start = NOON - 20 * DAY
    found = {record["sid"] for record in twilio.tile("messages", Tile(start, NOON))}
    since = (start - 7 * DAY).isoformat()
    expected = {one["sid"] for one in truth(twilio, "messages") if one["_sent"] and one["_sent"] >= since}
    assert found == expected
    assert 0 < len(found) < 120


def test_a_message_that_was_not_sent_is_known_to_be_hidden(twilio: Reader) -> None:
    whole = twilio.records("messages")
    found = twilio.tile("messages", Tile(NOON - 100 * DAY, NOON))
    assert {record["status"] for record in whole} - {record["status"] for record in found} == {"scheduled"}
    assert "not sent yet" in twilio.stream("messages").hides[0].note


def test_times_of_rfc_2822_become_instants(twilio: Reader) -> None:
    record = twilio.records("calls")[0]
    assert record["start_time"].endswith("Z")
    assert record["start_time"][:19] == record["date_created"][:19]


def test_the_words_of_messages_stay_with_the_vendor_unless_revealed(twilio: Reader) -> None:
    assert not any("body" in record for record in twilio.records("messages"))
    assert not any("transcription_text" in record for record in twilio.records("transcriptions"))
    with reading(connector, simulation, reveal=("messages.body",)) as reader:
        assert all(record["body"] for record in reader.records("messages"))


def test_an_api_key_reads_the_accounts_that_are_named() -> None:
    with reading(connector, simulation, sid=KEY, secret=KEY_SECRET, account_sids=[MAIN]) as reader:
        assert len(reader.records("calls")) == 20
        assert reader.simulator.counts() == {"calls": 1}
        sent = reader.simulator.requests[0].header("authorization")
        assert sent == f"Basic {base64.b64encode(f'{KEY}:{KEY_SECRET}'.encode()).decode()}"


def test_a_wrong_secret_is_refused_for_good_and_not_told() -> None:
    with (
        reading(connector, simulation, secret="quite-wrong-secret") as reader,
        pytest.raises(CredentialsRefused) as refused,
    ):
        reader.records("calls")
    assert "quite-wrong-secret" not in str(refused.value)


def test_a_429_is_repeated(twilio: Reader) -> None:
    body = b'{"code": 20429, "message": "Too Many Requests", "status": 429}'
    twilio.simulator.script(Fault(Reply(429, body=body), operation="queues", times=1))
    assert len(twilio.records("queues")) == 2
    assert twilio.sync.waited_s > 0


def test_the_simulator_refuses_what_the_vendor_refuses(twilio: Reader) -> None:
    """Strangers, keys that reach beyond their account, unknown accounts, dates that are none."""
    path = f"/2010-04-01/Accounts/{MAIN}"
    with httpx.Client(base_url=twilio.simulator.url, auth=(MAIN, AUTH_TOKEN), verify=False) as talking:
        assert talking.get(f"{path}/Calls.json", auth=(MAIN, "x")).json()["code"] == 20003
        assert talking.get("/2010-04-01/Accounts.json", auth=(KEY, KEY_SECRET)).status_code == 401
        other = talking.get(f"/2010-04-01/Accounts/{SUB}/Calls.json", auth=(KEY, KEY_SECRET))
        assert other.status_code == 401
        assert talking.get("/2010-04-01/Accounts/AC9/Calls.json").json()["code"] == 20404
        assert talking.get(f"{path}/Calls.json", params={"StartTime>": "yesterday"}).status_code == 400
        assert talking.get(f"{path}/calls.json").status_code == 404
        assert len(talking.get(f"{path}/Messages.json").json()["messages"]) == 50
