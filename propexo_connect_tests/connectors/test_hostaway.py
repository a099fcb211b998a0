"""The Hostaway connector against a stand-in of its API, as summaries tell it."""

from collections.abc import Generator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from propexo_connect.connectors.hostaway import connector
from propexo_connect.model.errors import CredentialsRefused
from propexo_connect.model.tile import WHOLE, Tile
from propexo_connect.simulators.faults import Fault, Reply
from propexo_connect.simulators.hostaway import Hostaway, simulation
from propexo_connect_tests.connectors.landing import every_stream_lands
from propexo_connect_tests.connectors.reading import Reader, every_record_once, reading
from propexo_connect_tests.http.doubles import NOON

START, END = NOON - timedelta(days=60), NOON - timedelta(days=10)


@pytest.fixture
def hostaway() -> Generator[Reader]:
    """The demo population, opened for reading."""
    with reading(connector, simulation, in_flight=1) as reader:
        yield reader


def vendor(reader: Reader) -> Hostaway:
    """The simulator as what it is."""
    assert isinstance(reader.simulator, Hostaway)
    return reader.simulator


@pytest.mark.parametrize("name", ["reservations", "listings", "conversations", "reviews"])
def test_every_record_of_a_stream_is_read_once(hostaway: Reader, name: str) -> None:
    every_record_once(hostaway, name, key="id")


def test_every_value_lands_in_its_declared_type(hostaway: Reader, tmp_path: Path) -> None:
    every_stream_lands(hostaway, tmp_path)


def test_lists_are_asked_for_by_the_hundred(hostaway: Reader) -> None:
    hostaway.records("reservations")
    asked = [dict(request.query) for request in vendor(hostaway).requests_for("reservations")]
    assert asked == [{"limit": "100", "offset": "0"}, {"limit": "100", "offset": "100"}]


def test_reservations_are_asked_for_by_days_of_activity(hostaway: Reader) -> None:
    found = hostaway.tile("reservations", Tile(START, END))
    asked = dict(vendor(hostaway).requests_for("reservations")[0].query)
    assert (asked["latestActivityStart"], asked["latestActivityEnd"]) == ("2026-01-01", "2026-02-21")
    assert 0 < len(found) < 120


def test_reservations_can_be_read_whole_where_the_filter_does_not_hold() -> None:
    with reading(connector, simulation, by_activity=False) as reader:
        assert reader.stream("reservations").filter is None
        assert len(reader.tile("reservations", Tile(START, END))) == 120


def test_times_are_utc_without_saying_so(hostaway: Reader) -> None:
    truth = vendor(hostaway).truth("reservations")
    for record in hostaway.records("reservations"):
        said = str(truth[str(record["id"])]["latestActivityOn"])
        assert record["latestActivityOn"] == f"{said.replace(' ', 'T')}Z"


def test_only_the_finance_of_reservations_that_were_active_is_read(hostaway: Reader) -> None:
    start = NOON - timedelta(days=5)
    active = {record["id"] for record in hostaway.tile("reservations", Tile(start, NOON))}
    found = hostaway.tile("reservation_finance", Tile(start, NOON))
    assert {record["reservationId"] for record in found} == active
    assert vendor(hostaway).counts()["reservation_finance"] == len(active)


def test_calendars_name_their_listing(hostaway: Reader) -> None:
    found = hostaway.records("calendars")
    assert len(found) == 35
    assert {record["listingId"] for record in found} == set(range(301, 308))
    assert vendor(hostaway).counts()["calendars"] == 7


def test_what_has_no_key_that_we_know_says_so(hostaway: Reader) -> None:
    keyless = [one.name for one in connector.streams(hostaway.config) if one.is_keyless]
    assert keyless == ["reservation_finance", "calendars"]


def test_a_fresh_token_is_used_after_a_second_and_kept_for_later_syncs(tmp_path: Path) -> None:
    with reading(connector, simulation, state_dir=tmp_path) as reader:
        reader.records("listings")
        reader.sync.clock.advance(300 * 86_400)
        with connector.open(reader.config, reader.sync.clock) as later:
            assert list(later.read(reader.stream("reviews"), WHOLE, None, None, reader.sync.context))
        assert vendor(reader).tokens.issued_count == 1
        assert not any(exchange.status == 403 for exchange in vendor(reader).exchanges)
        (request,) = vendor(reader).requests_for("token")
        assert b"client_id=10017" in request.body
        assert b"scope=general" in request.body


def test_a_wrong_key_is_refused_for_good_with_one_request() -> None:
    with reading(connector, simulation, api_key="wrong") as reader:
        with pytest.raises(CredentialsRefused):
            reader.records("listings")
        assert vendor(reader).counts().total() == 1


def test_the_limit_of_its_address_is_kept_to(hostaway: Reader) -> None:
    hostaway.records("reservation_finance")
    assert vendor(hostaway).counts()["reservation_finance"] == 120
    assert hostaway.sync.clock.monotonic() >= 80
    assert not any(exchange.status == 429 for exchange in vendor(hostaway).exchanges)


def test_a_429_without_a_word_on_when_is_repeated(hostaway: Reader) -> None:
    vendor(hostaway).script(Fault(Reply(429), operation="listings", times=2))
    assert len(hostaway.records("listings")) == 7


def test_the_simulator_refuses_what_the_vendor_refuses(hostaway: Reader) -> None:
    """No token, one that is too fresh, a date that is none, a sixteenth request."""
    form = {"grant_type": "client_credentials", "scope": "general", "client_id": "10017",
        "client_secret": "hostaway-demo-key"}  # fmt: skip
    with httpx.Client(base_url=vendor(hostaway).url, verify=False) as talking:
        assert talking.get("/v1/listings").status_code == 403
        told = talking.post("/v1/accessTokens", data=form).json()
        bearer = {"Authorization": f"Bearer {told['access_token']}"}
        assert talking.get("/v1/listings", headers=bearer).json()["status"] == "fail"
        hostaway.sync.clock.advance(1)
        assert talking.get("/v1/listings", headers=bearer).json()["status"] == "success"
        wrong = talking.get("/v1/reservations?latestActivityStart=yesterday", headers=bearer)
        assert wrong.status_code == 400
        statuses = [talking.get("/v1/listings", headers=bearer).status_code for _ in range(15)]
        assert statuses[-1] == 429
