"""The preview of MRI against a stand-in of a client's APIs."""

import base64
from collections.abc import Generator
from pathlib import Path

import httpx
import pytest

from propexo_connect.connectors.mri import OPERATIONS, connector
from propexo_connect.model.errors import CredentialsRefused
from propexo_connect.simulators.mri import LEASES, PASSWORD, PATH, PROPERTIES, USER, simulation
from propexo_connect_tests.connectors.landing import every_stream_lands
from propexo_connect_tests.connectors.reading import Reader, reading


@pytest.fixture
def mri() -> Generator[Reader]:
    """The demo population, opened for reading, with the way into the answers."""
    with reading(connector, simulation) as reader:
        yield reader


def test_every_value_lands_in_its_declared_type(mri: Reader, tmp_path: Path) -> None:
    """Nothing is a misfit, and a second sync changes nothing."""
    every_stream_lands(mri, tmp_path)


def test_every_record_is_read_once_with_a_call_for_each_property(mri: Reader) -> None:
    found = [key[0] for key in mri.keys("lease_details")]
    assert sorted(found) == sorted(str(key) for key in mri.simulator.truth("leases"))
    asked = [dict(request.query) for request in mri.simulator.requests]
    assert sorted(one["PropertyID"] for one in asked) == [*PROPERTIES]
    assert {(one["$api"], one["$format"], one["$top"]) for one in asked} == {(LEASES, "json", "1000")}


def test_the_next_pages_address_is_followed() -> None:
    with reading(connector, simulation, page_size=5) as reader:
        assert len(reader.records("lease_details")) == 24
        assert reader.simulator.counts()["leases"] == 6


def test_a_page_of_an_answer_that_nobody_described_replaces_no_other() -> None:
    """It comes as it is, without a key."""
    with reading(connector, simulation, operations=OPERATIONS, page_size=5) as reader:
        records = reader.records("lease_details")
        assert [len(record["value"]) for record in records if record["propertyCode"] == "ELM"] == [5, 5, 2]
        assert reader.stream("lease_details").key == ()
        assert reader.stream("lease_details").unconfirmed
    assert connector.status == "preview"


def test_the_users_name_has_four_parts(mri: Reader) -> None:
    mri.records("lease_details")
    pair = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    assert {request.header("authorization") for request in mri.simulator.requests} == {f"Basic {pair}"}


def test_wrong_credentials_are_refused_for_good() -> None:
    with reading(connector, simulation, partner_key="wrong") as reader, pytest.raises(CredentialsRefused):
        reader.records("lease_details")


def test_the_simulator_refuses_what_the_vendor_refuses(mri: Reader) -> None:
    """Unknown APIs, a missing property, pages that are too large."""
    with httpx.Client(base_url=mri.simulator.url, auth=(USER, PASSWORD)) as talking:
        known = {"$api": LEASES, "$format": "json", "PropertyID": "ELM"}
        assert talking.get(PATH, params={**known, "$api": "MRI_Nothing"}).status_code == 404
        assert talking.get(PATH, params={"$api": LEASES, "$format": "json"}).status_code == 400
        assert talking.get(PATH, params={**known, "$top": "5000"}).status_code == 400
        assert talking.get(PATH, params=known, auth=("x", "y")).status_code == 401
        assert len(talking.get(PATH, params=known).json()["value"]) == 12
