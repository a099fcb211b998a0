"""The Guesty connector against an honest stand-in of its API."""

import json
from collections.abc import Generator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from propexo_connect.connectors.guesty import STREAMS, connector
from propexo_connect.model.errors import CredentialsRefused
from propexo_connect.model.tile import WHOLE, Tile
from propexo_connect.simulators.faults import Fault, Reply
from propexo_connect.simulators.guesty import Guesty, simulation
from propexo_connect_tests.connectors.landing import every_stream_lands
from propexo_connect_tests.connectors.reading import Reader, every_record_once, reading
from propexo_connect_tests.http.doubles import NOON

START, END = NOON - timedelta(days=60), NOON - timedelta(days=10)


@pytest.fixture
def guesty() -> Generator[Reader]:
    """The demo population, opened for reading."""
    with reading(connector, simulation) as reader:
        yield reader


def vendor(reader: Reader) -> Guesty:
    """The simulator as what it is."""
    assert isinstance(reader.simulator, Guesty)
    return reader.simulator


@pytest.mark.parametrize("name", [stream.name for stream in STREAMS])
def test_every_record_of_a_stream_is_read_once(guesty: Reader, name: str) -> None:
    every_record_once(guesty, name, key="_id")


def test_every_value_lands_in_its_declared_type(guesty: Reader, tmp_path: Path) -> None:
    every_stream_lands(guesty, tmp_path)


def test_a_list_takes_one_request_for_a_hundred_records(guesty: Reader) -> None:
    assert len(guesty.records("guests")) == 250
    asked = [dict(request.query) for request in vendor(guesty).requests_for("guests")]
    assert sorted(one["skip"] for one in asked) == ["0", "100", "200"]
    assert {(one["limit"], one["sort"]) for one in asked} == {("100", "_id")}


@pytest.mark.parametrize("name", [stream.name for stream in STREAMS])
def test_a_tile_is_asked_for_by_a_list_of_conditions(guesty: Reader, name: str) -> None:
    found = {record["_id"] for record in guesty.tile(name, Tile(START, END))}
    asked = dict(vendor(guesty).requests_for(name)[0].query)
    assert json.loads(asked["filters"]) == [
        {"field": "lastUpdatedAt", "operator": "$gte", "value": "2026-01-01T12:00:00Z"},
        {"field": "lastUpdatedAt", "operator": "$lte", "value": "2026-02-20T12:00:00Z"},
    ]
    truth = vendor(guesty).truth(name).values()
    lower, upper = START.isoformat(), END.isoformat()
    assert found == {one["_id"] for one in truth if lower <= str(one["lastUpdatedAt"]) <= upper}
    assert len(found) < len(truth)


def test_a_list_can_be_read_whole_in_place_of_filtered() -> None:
    with reading(connector, simulation, filtered=["reservations"]) as reader:
        assert reader.stream("guests").filter is None
        assert len(reader.tile("guests", Tile(START, END))) == 250
        assert "filters" not in dict(vendor(reader).requests_for("guests")[0].query)


def test_reservations_ask_for_their_fields_by_name(guesty: Reader) -> None:
    """Without them the vendor shows a few only, and no date of change."""
    record = guesty.records("reservations")[0]
    assert {"lastUpdatedAt", "money", "nightsCount"} <= set(record)
    asked = dict(vendor(guesty).requests_for("reservations")[0].query)
    assert asked["fields"].startswith("_id confirmationCode status listingId ")


def test_only_the_selected_fields_are_asked_for(guesty: Reader) -> None:
    list(guesty.pages("reservations", fields=frozenset({"status"})))
    asked = dict(vendor(guesty).requests_for("reservations")[0].query)
    assert asked["fields"] == "_id status lastUpdatedAt"


def test_other_lists_show_little_unless_their_fields_are_named(guesty: Reader) -> None:
    assert set(guesty.records("listings")[0]) == {"_id", "title", "nickname"}
    with reading(connector, simulation, projections={"listings": "_id title bedrooms"}) as reader:
        assert set(reader.records("listings")[0]) == {"_id", "title", "bedrooms"}


def test_the_log_in_asks_for_the_scope_and_happens_once(guesty: Reader) -> None:
    for stream in STREAMS:
        guesty.records(stream.name)
    (request,) = vendor(guesty).requests_for("token")
    assert b"scope=open-api" in request.body


def test_a_token_is_kept_across_syncs_because_they_are_rationed(tmp_path: Path) -> None:
    """Ten syncs within a day, where five log-ins are granted."""
    with reading(connector, simulation, state_dir=tmp_path) as reader:
        for _ in range(10):
            with connector.open(reader.config, reader.sync.clock) as source:
                assert list(source.read(reader.stream("listings"), WHOLE, None, None, reader.sync.context))
        assert vendor(reader).tokens.issued_count == 1
        reader.sync.clock.advance(86_400)
        reader.records("listings")
        assert vendor(reader).tokens.issued_count == 2


def test_a_wrong_secret_is_refused_for_good_with_one_request() -> None:
    with reading(connector, simulation, client_secret="wrong") as reader:
        with pytest.raises(CredentialsRefused):
            reader.records("listings")
        assert vendor(reader).counts().total() == 1


def test_the_limits_are_settings_and_are_kept() -> None:
    with reading(connector, simulation, page_size=10, in_flight=1, requests_per_minute=20) as reader:
        assert len(reader.records("guests")) == 250
        assert reader.sync.clock.monotonic() >= 60
        assert not any(exchange.status == 429 for exchange in vendor(reader).exchanges)


def test_a_429_is_repeated(guesty: Reader) -> None:
    vendor(guesty).script(Fault(Reply(429), operation="listings", times=2))
    assert len(guesty.records("listings")) == 7
    assert guesty.sync.waited_s > 0


def test_the_simulator_refuses_what_the_vendor_refuses(guesty: Reader) -> None:
    """No token, filters that are no JSON, a sixth log-in in a day; more than 100 rows are cut."""
    form = {"grant_type": "client_credentials", "scope": "open-api", "client_id": "guesty-demo-client",
        "client_secret": "guesty-demo-secret"}  # fmt: skip
    with httpx.Client(base_url=vendor(guesty).url, verify=False) as talking:
        assert talking.get("/v1/listings").status_code == 401
        statuses = [talking.post("/oauth2/token", data=form).status_code for _ in range(6)]
        assert statuses == [200] * 5 + [429]
        bearer = {"Authorization": "Bearer token-0001"}
        assert talking.get("/v1/guests-crud?limit=500", headers=bearer).json()["count"] == 250
        assert len(talking.get("/v1/guests-crud?limit=500", headers=bearer).json()["results"]) == 100
        assert talking.get("/v1/listings?filters=lastUpdatedAt", headers=bearer).status_code == 400
