"""The preview of Yardi Voyager against a stand-in of its SOAP interfaces."""

from collections.abc import Generator
from datetime import timedelta
from pathlib import Path

import pytest

from propexo_connect.connectors.yardi import OPERATIONS, connector
from propexo_connect.model.errors import ConnectError, TerminalError
from propexo_connect.model.tile import Request
from propexo_connect.simulators.yardi import CODES, CREDENTIALS, simulation
from propexo_connect_tests.connectors.landing import every_stream_lands
from propexo_connect_tests.connectors.reading import Reader, reading
from propexo_connect_tests.http.doubles import NOON

DAY = timedelta(days=1)


@pytest.fixture
def yardi() -> Generator[Reader]:
    """The demo population, opened for reading, with the way into three operations' answers."""
    with reading(connector, simulation) as reader:
        yield reader


def test_every_value_lands_in_its_declared_type(yardi: Reader, tmp_path: Path) -> None:
    """Nothing is a misfit, and a second sync changes nothing."""
    every_stream_lands(yardi, tmp_path)


@pytest.mark.parametrize(
    ("name", "call"),
    [("property_configurations", "GetPropertyConfigurations"), ("residents", "GetResidents")],
)
def test_every_record_of_an_operation_is_read_once(yardi: Reader, name: str, call: str) -> None:
    found = [key[0] for key in yardi.keys(name)]
    assert sorted(found) == sorted(str(key) for key in yardi.simulator.truth(call))


def test_properties_are_asked_for_one_by_one_and_name_themselves(yardi: Reader) -> None:
    records = yardi.records("residents")
    assert {record["propertyCode"] for record in records} == {*CODES}
    assert yardi.simulator.counts() == {"GetResidents": 3}


def test_credentials_stand_in_the_body_and_the_action_in_a_header(yardi: Reader) -> None:
    yardi.records("residents")
    request = yardi.simulator.requests[0]
    body = request.body.decode()
    assert all(f"<{name}>{value}</{name}>" in body for name, value in CREDENTIALS.items())
    action = "http://tempuri.org/YSI.Interfaces.WebServices/ItfResidentData/GetResidents"
    assert request.header("soapaction") == f'"{action}"'
    assert (request.header("content-type") or "").startswith("text/xml")
    assert request.header("authorization") is None


def test_days_are_those_of_the_clients_zone() -> None:
    """Three in the morning in UTC is the day before in Denver."""
    with reading(connector, simulation, time_zone="America/Denver") as reader:
        start = NOON.replace(hour=3) - 30 * DAY
        found = reader.records("service_requests", Request(start, NOON))
        body = reader.simulator.requests[0].body.decode()
        assert "<FromDate>2026-01-30</FromDate><ToDate>2026-03-02</ToDate>" in body
        truth = reader.simulator.truth("GetServiceRequest_Search").values()
        assert {one["Id"] for one in found} == {
            one["Id"] for one in truth if str(one["UpdateDate"]) >= "2026-01-30"
        }


def test_an_operation_whose_answer_nobody_described_is_one_record_a_property() -> None:
    """Nothing is guessed: the answer comes as it is."""
    raw = {"units": {"call": "GetUnitInformation", "of": "ItfResidentData"}}
    with reading(connector, simulation, operations=raw) as reader:
        records = reader.records("units")
        assert sorted(record["propertyCode"] for record in records) == sorted(CODES)
        assert len(records[0]["UnitInformation"]["Unit"]) == 4
        assert reader.stream("units").key == ("propertyCode",)


def test_an_error_inside_200_is_a_failure_and_no_empty_list() -> None:
    with reading(connector, simulation, interface_license="wrong") as reader:
        (page, *_) = reader.pages("residents")
        assert page.part is not None
        assert "answered 200" in (page.part.problem or "")
        with pytest.raises(TerminalError):
            reader.records("property_configurations")


def test_no_error_shows_a_password_or_a_license() -> None:
    with (
        reading(
            connector, simulation, operations={"x": {"call": "Nothing", "of": "Itf", "once": True}}
        ) as reader,
        pytest.raises(ConnectError) as told,
    ):
        reader.records("x")
    assert not any(
        secret in str(told.value) for secret in (CREDENTIALS["Password"], CREDENTIALS["InterfaceLicense"])
    )


def test_every_public_operation_is_offered_and_marked_as_unconfirmed() -> None:
    config = connector.config.model_validate({
        **simulation.source("http://127.0.0.1:1"), "operations": OPERATIONS,
    })  # fmt: skip
    streams = connector.streams(config)
    assert [stream.name for stream in streams] == [*OPERATIONS]
    assert all(stream.unconfirmed for stream in streams)
    assert connector.status == "preview"
