"""The ButterflyMX connector against an honest stand-in of its API."""

from collections.abc import Generator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest

from propexo_connect.connectors.butterflymx import connector
from propexo_connect.model.errors import CredentialsRefused
from propexo_connect.model.tile import Tile
from propexo_connect.simulators.butterflymx import REFRESH_TOKEN, ButterflyMX, simulation
from propexo_connect_tests.connectors.landing import every_stream_lands
from propexo_connect_tests.connectors.reading import Reader, every_record_once, reading
from propexo_connect_tests.http.doubles import NOON, ManualClock

DAY = timedelta(days=1)
SETTINGS = {"client_id": "x", "client_secret": "x", "refresh_token": "x"}


@pytest.fixture
def butterfly() -> Generator[Reader]:
    """The demo population, opened for reading."""
    with reading(connector, simulation) as reader:
        yield reader


def names() -> list[str]:
    return [stream.name for stream in connector.streams(connector.config(**SETTINGS))]  # type: ignore[arg-type]


@pytest.mark.parametrize("name", names())
def test_every_record_of_a_stream_is_read_once(butterfly: Reader, name: str) -> None:
    every_record_once(butterfly, name, "id")


def test_every_value_lands_in_its_declared_type(butterfly: Reader, tmp_path: Path) -> None:
    every_stream_lands(butterfly, tmp_path)


def test_a_list_takes_one_request_a_page(butterfly: Reader) -> None:
    assert len(butterfly.records("units")) == 120
    assert butterfly.simulator.counts() == {"token": 1, "units": 2}


def test_answers_without_page_info_are_read_to_their_short_page(butterfly: Reader) -> None:
    """Older answers lack it; the end must not be taken for where they say nothing."""
    assert isinstance(butterfly.simulator, ButterflyMX)
    butterfly.simulator.says_pages = False
    every_record_once(butterfly, "units", "id")
    assert butterfly.simulator.counts()["units"] == 2


def test_logs_are_read_building_by_building(butterfly: Reader) -> None:
    found = butterfly.records("access_logs")
    assert {record["building_id"] for record in found} == {11, 12, 13}
    assert butterfly.simulator.counts() == {"token": 1, "buildings": 1, "access_logs": 6}


def test_logs_are_asked_for_in_days_and_a_day_more_on_either_side(butterfly: Reader) -> None:
    """Nobody says in whose zone days are counted, nor whether the last one is whole."""
    tile = Tile(NOON - DAY, NOON)
    found = butterfly.tile("access_logs", tile)
    asked = dict(butterfly.simulator.requests_for("access_logs")[0].query)
    assert asked["q[logged_at_gteq]"] == "2026-02-27"
    assert asked["q[logged_at_lteq]"] == "2026-03-04"
    within = {
        record["id"]
        for record in butterfly.simulator.truth("access_logs").values()
        if "2026-03-01T12:00:00Z" <= str(record["logged_at"]) <= "2026-03-02T12:00:00Z"
    }
    assert within
    assert within <= {record["id"] for record in found}
    assert len(found) < 40


def test_an_entry_method_is_a_text_or_an_object(butterfly: Reader) -> None:
    kinds = {type(record["entry_method"]) for record in butterfly.records("access_logs")}
    assert kinds == {str, dict}
    declared = {field.name: field.type for field in butterfly.stream("access_logs").fields}
    assert declared["entry_method"].kind == "json"


def test_pins_and_qr_links_stay_with_the_vendor(butterfly: Reader) -> None:
    assert not any("code" in record for record in butterfly.records("access_tools"))
    keys = butterfly.records("virtual_keys")
    assert not any({"pin_code", "qr_code_url"} & set(record) for record in keys)
    assert not {"pin_code", "qr_code_url"} & {field.name for field in butterfly.stream("virtual_keys").fields}
    with reading(connector, simulation, reveal=("virtual_keys.pin_code",)) as reader:
        record = reader.records("virtual_keys")[0]
        assert "pin_code" in record
        assert "qr_code_url" not in record


def test_a_refresh_token_is_exchanged_once_for_a_day() -> None:
    clock = ManualClock()
    with reading(connector, simulation, clock=clock) as reader:
        reader.records("buildings")
        reader.records("calls")
        (exchange,) = reader.simulator.requests_for("token")
        form = dict(parse_qsl(exchange.body.decode()))
        assert form["grant_type"] == "refresh_token"
        assert form["refresh_token"] == REFRESH_TOKEN
        assert "Bearer butterfly-0001" in {r.header("Authorization") for r in reader.simulator.requests}
        clock.advance(25 * 3600)
        reader.records("units")
        assert reader.simulator.counts()["token"] == 2
        assert not any(exchange.status == 401 for exchange in reader.simulator.exchanges)


@pytest.mark.parametrize("wrong", ["client_secret", "refresh_token"])
def test_wrong_credentials_are_refused_for_good(wrong: str) -> None:
    settings: dict[str, Any] = {wrong: "wrong"}
    with reading(connector, simulation, **settings) as reader, pytest.raises(CredentialsRefused):
        reader.records("buildings")


def test_a_building_that_is_gone_is_passed_over(butterfly: Reader) -> None:
    butterfly.records("buildings")
    butterfly.simulator.population.vanish("buildings", "12")
    assert {record["building_id"] for record in butterfly.records("access_logs")} == {11, 13}


def test_the_simulator_refuses_what_the_vendor_refuses(butterfly: Reader) -> None:
    with httpx.Client(base_url=butterfly.simulator.url) as talking:
        refused = talking.get("/v4/units")
        assert refused.status_code == 401
        assert "messages" in refused.json()["errors"][0]
        form = {"grant_type": "refresh_token", "refresh_token": REFRESH_TOKEN}
        granted = talking.post("/oauth/token", data=form, auth=("butterfly-demo", "butterfly-demo-secret"))
        headers = {"Authorization": f"Bearer {granted.json()['access_token']}"}
        over = talking.get("/v4/units?per=101", headers=headers)
        assert over.status_code == 422
        assert "message" in over.json()["errors"][0]
        gone = talking.get("/v4/buildings/99/calls", headers=headers)
        assert gone.json()["errors"][0]["code"] == "not_found"
        wrong = talking.get("/v4/buildings/11/calls?q[logged_at_gteq]=soon", headers=headers)
        assert wrong.status_code == 422
