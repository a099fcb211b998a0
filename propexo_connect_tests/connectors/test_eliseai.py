"""The EliseAI connector on a generic API: the vendor's own rules are not public."""

from collections.abc import Generator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from propexo_connect.connectors.eliseai import connector
from propexo_connect.model.errors import ConfigurationError, CredentialsRefused
from propexo_connect.model.tile import Tile
from propexo_connect.simulators.eliseai import GenericApi, simulation
from propexo_connect_tests.connectors.landing import every_stream_lands
from propexo_connect_tests.connectors.reading import Reader, every_record_once, reading
from propexo_connect_tests.http.doubles import NOON

START, END = NOON - timedelta(days=30), NOON - timedelta(days=10)


@pytest.fixture
def elise() -> Generator[Reader]:
    """The demo population, opened for reading."""
    with reading(connector, simulation) as reader:
        yield reader


def vendor(reader: Reader) -> GenericApi:
    """The simulator as what it is."""
    assert isinstance(reader.simulator, GenericApi)
    return reader.simulator


def test_it_has_no_streams_of_its_own() -> None:
    """Nothing is made up in the place of what the vendor does not publish."""
    assert connector.status == "preview"
    assert not connector.streams(connector.config.model_validate({"url": "https://api.example.com"}))


@pytest.mark.parametrize("name", ["conversations", "messages"])
def test_every_record_of_a_described_stream_is_read_once(elise: Reader, name: str) -> None:
    every_record_once(elise, name, key="id")


def test_every_value_lands_in_its_declared_type(elise: Reader, tmp_path: Path) -> None:
    every_stream_lands(elise, tmp_path)


def test_the_described_filter_and_pages_are_asked_for(elise: Reader) -> None:
    elise.tile("conversations", Tile(START, END))
    asked = [dict(request.query) for request in vendor(elise).requests_for("conversations")]
    assert asked[0] == {"updated_since": "2026-01-31T12:00:00Z", "limit": "50"}
    assert "cursor" in asked[1]
    assert len(asked) == 2


def test_messages_are_read_for_conversations_that_changed(elise: Reader) -> None:
    changed = {record["id"] for record in elise.tile("conversations", Tile(START, END))}
    found = elise.tile("messages", Tile(START, END))
    assert {record["conversation_id"] for record in found} == changed
    assert len(changed) < 120


def test_the_log_in_names_its_audience_and_happens_once(elise: Reader) -> None:
    elise.records("conversations")
    elise.records("messages")
    (request,) = vendor(elise).requests_for("token")
    assert b"audience=https%3A%2F%2Fapi.example.com" in request.body
    assert b"scope" not in request.body


def test_another_log_in_can_take_its_place() -> None:
    way = {"kind": "headers", "headers": {"X-Api-Key": "{key}"}}
    with reading(connector, simulation, auth=way, secrets={"key": "k"}) as reader:
        with pytest.raises(CredentialsRefused):
            reader.records("conversations")
        assert vendor(reader).requests[0].header("x-api-key") == "k"
        assert not vendor(reader).requests_for("token")


def test_a_wrong_secret_is_refused_for_good_with_one_request() -> None:
    with reading(connector, simulation, client_secret="wrong") as reader:
        with pytest.raises(CredentialsRefused):
            reader.records("conversations")
        assert vendor(reader).counts().total() == 1


def test_a_plan_that_refers_to_an_unknown_name_is_refused() -> None:
    given = {"url": "https://api.example.com", "streams": {"calls": {"path": "/calls/{building}"}}}
    with pytest.raises(ConfigurationError, match="building"):
        connector.streams(connector.config.model_validate(given))


def test_the_simulator_refuses_what_it_says(elise: Reader) -> None:
    """No token, unknown parameters, a cursor that is none."""
    bearer = {"Authorization": f"Bearer {vendor(elise).tokens.issue().value}"}
    with httpx.Client(base_url=vendor(elise).url, verify=False) as talking:
        assert talking.get("/v1/conversations").status_code == 401
        assert talking.get("/v1/conversations?colour=red", headers=bearer).status_code == 400
        assert talking.get("/v1/conversations?cursor=no", headers=bearer).status_code == 400
