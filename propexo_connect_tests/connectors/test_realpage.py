"""The preview of RealPage against a stand-in of its gateway."""

from collections.abc import Generator
from pathlib import Path

import pytest

from propexo_connect.connectors.realpage import OPERATIONS, connector
from propexo_connect.model.errors import ConnectError
from propexo_connect.simulators.realpage import AUTH, SITES, simulation
from propexo_connect_tests.connectors.landing import every_stream_lands
from propexo_connect_tests.connectors.reading import Reader, reading


@pytest.fixture
def realpage() -> Generator[Reader]:
    """The demo population, opened for reading, with the way into three operations' answers."""
    with reading(connector, simulation) as reader:
        yield reader


def test_every_value_lands_in_its_declared_type(realpage: Reader, tmp_path: Path) -> None:
    """Nothing is a misfit, and a second sync changes nothing."""
    every_stream_lands(realpage, tmp_path)


@pytest.mark.parametrize(
    ("name", "call", "requests"),
    [("sites", "getsitelist", 1), ("units", "unitlist", 2), ("residents", "getresidentlist", 2)],
)
def test_every_record_is_read_once_with_a_call_for_each_site(
    realpage: Reader, name: str, call: str, requests: int
) -> None:
    found = [key[0] for key in realpage.keys(name)]
    assert sorted(found) == sorted(str(key) for key in realpage.simulator.truth(call))
    assert realpage.simulator.counts() == {call: requests}


def test_credentials_stand_in_the_body_with_the_site(realpage: Reader) -> None:
    realpage.records("units")
    bodies = [request.body.decode() for request in realpage.simulator.requests]
    for name, value in AUTH.items():
        assert all(f"<{name}>{value}</{name}>" in body for body in bodies)
    assert all(any(f"<siteid>{site}</siteid>" in body for body in bodies) for site in SITES)
    actions = {request.header("soapaction") for request in realpage.simulator.requests}
    assert actions == {'"http://tempuri.org/IRPXService/unitlist"'}


def test_an_answer_that_nobody_described_comes_as_it_is() -> None:
    with reading(connector, simulation, operations={"units": {"call": "unitlist"}}) as reader:
        records = reader.records("units")
        assert sorted(record["propertyCode"] for record in records) == sorted(SITES)
        assert len(records[0]["List"]["Unit"]) == 5


def test_a_fault_is_a_failure_that_shows_no_secret() -> None:
    with reading(connector, simulation, license_key="wrong") as reader, pytest.raises(ConnectError) as told:
        reader.records("sites")
    assert AUTH["password"] not in str(told.value)
    assert "500" in str(told.value)


def test_every_public_operation_is_offered_and_marked_as_unconfirmed() -> None:
    given = {**simulation.source("http://127.0.0.1:1"), "operations": OPERATIONS}
    streams = connector.streams(connector.config.model_validate(given))
    assert [stream.name for stream in streams] == [*OPERATIONS]
    assert all(stream.unconfirmed for stream in streams)
    assert connector.status == "preview"
