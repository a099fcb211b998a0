"""The preview of ResMan against a stand-in of its older partner API."""

from collections.abc import Generator
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qsl

import httpx
import pytest

from propexo_connect.connectors.resman import OPERATIONS, connector
from propexo_connect.model.errors import CredentialsRefused
from propexo_connect.model.tile import Request
from propexo_connect.simulators.resman import CREDENTIALS, PROPERTIES, simulation
from propexo_connect_tests.connectors.landing import every_stream_lands
from propexo_connect_tests.connectors.reading import Reader, reading
from propexo_connect_tests.http.doubles import NOON

DAY = timedelta(days=1)


@pytest.fixture
def resman() -> Generator[Reader]:
    """The demo population, opened for reading, with the way into two methods' answers."""
    with reading(connector, simulation) as reader:
        yield reader


def forms(reader: Reader) -> list[dict[str, str]]:
    """What was sent."""
    return [dict(parse_qsl(request.body.decode())) for request in reader.simulator.requests]


def test_every_value_lands_in_its_declared_type(resman: Reader, tmp_path: Path) -> None:
    """Nothing is a misfit, and a second sync changes nothing."""
    every_stream_lands(resman, tmp_path)


@pytest.mark.parametrize(
    ("name", "call"), [("current_residents", "GetCurrentResidents"), ("move_ins", "GetMoveIns")]
)
def test_every_record_is_read_once_with_a_call_for_each_property(
    resman: Reader, name: str, call: str
) -> None:
    found = [key[0] for key in resman.keys(name)]
    assert sorted(found) == sorted(str(key) for key in resman.simulator.truth(call))
    assert resman.simulator.counts() == {call: 2}


def test_credentials_stand_in_the_form_with_the_property(resman: Reader) -> None:
    resman.records("current_residents")
    assert sorted(form["PropertyID"] for form in forms(resman)) == [*PROPERTIES]
    assert all(CREDENTIALS.items() <= form.items() for form in forms(resman))
    assert {request.header("accept") for request in resman.simulator.requests} == {"application/json"}


def test_events_are_asked_for_by_their_days(resman: Reader) -> None:
    found = {record["Id"] for record in resman.records("move_ins", Request(NOON - 60 * DAY, NOON))}
    assert {(form["StartDate"], form["EndDate"]) for form in forms(resman)} == {("2026-01-01", "2026-03-02")}
    truth = resman.simulator.truth("GetMoveIns").values()
    assert found == {one["Id"] for one in truth if str(one["Date"]) >= "2026-01-01"}


def test_an_answer_that_nobody_described_comes_as_it_is() -> None:
    """By property where it is whole; without a key where it holds some days only: none is replaced."""
    with reading(connector, simulation, operations=OPERATIONS) as reader:
        records = reader.records("employees")
        assert sorted(record["propertyCode"] for record in records) == [*PROPERTIES]
        assert len(records[0]["Employees"]) == 6
        assert reader.stream("employees").key == ("propertyCode",)
        assert reader.stream("move_outs").key == ()
        assert [stream.name for stream in reader.source.discover()] == [*OPERATIONS]
        assert all(stream.unconfirmed for stream in reader.source.discover())
    assert connector.status == "preview"


def test_a_wrong_key_is_refused_for_good() -> None:
    with reading(connector, simulation, api_key="wrong") as reader, pytest.raises(CredentialsRefused):
        reader.records("current_residents")


def test_the_simulator_refuses_what_the_vendor_refuses(resman: Reader) -> None:
    """Unknown methods and properties, and events without days."""
    form = {**CREDENTIALS, "PropertyID": PROPERTIES[0]}
    with httpx.Client(base_url=resman.simulator.url) as talking:
        assert talking.post("/Leasing/GetNothing", data=form).status_code == 404
        assert talking.post("/Leasing/GetEmployees", data={**form, "PropertyID": "1"}).status_code == 400
        assert talking.post("/Events/GetMoveIns", data=form).status_code == 400
        assert talking.post("/Leasing/GetEmployees", data={"PropertyID": PROPERTIES[0]}).status_code == 401
        assert talking.post("/Leasing/GetEmployees", data=form).status_code == 200
