"""The Checkr connector against a stand-in of its API, as far as that is known."""

import base64
from collections.abc import Generator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from propexo_connect.connectors.checkr import connector
from propexo_connect.model.errors import CredentialsRefused
from propexo_connect.model.tile import Tile
from propexo_connect.simulators.checkr import KEY, simulation
from propexo_connect_tests.connectors.landing import every_stream_lands
from propexo_connect_tests.connectors.reading import Reader, every_record_once, reading
from propexo_connect_tests.http.doubles import NOON

DAY = timedelta(days=1)
YESTERDAY = Tile(NOON - DAY, NOON)
LISTS_OF_IDS = {"candidate_reports", "report_counties"}


@pytest.fixture
def checkr() -> Generator[Reader]:
    """The demo population, opened for reading."""
    with reading(connector, simulation) as reader:
        yield reader


def names() -> list[str]:
    return [stream.name for stream in connector.streams(connector.config(api_key="x"))]  # type: ignore[call-arg]


@pytest.mark.parametrize("name", [name for name in names() if name not in LISTS_OF_IDS])
def test_every_record_of_a_stream_is_read_once(checkr: Reader, name: str) -> None:
    every_record_once(checkr, name, "id")


def test_every_value_lands_in_its_declared_type(checkr: Reader, tmp_path: Path) -> None:
    every_stream_lands(checkr, tmp_path)


def test_reports_are_asked_for_one_by_one_by_the_ids_that_candidates_name(checkr: Reader) -> None:
    """There is no list of reports; a candidate may have several, or none."""
    reports = checkr.records("reports")
    assert len(reports) == 60
    assert checkr.simulator.counts() == {"candidates": 3, "reports": 60}
    pairs = {(record["candidate_id"], record["value"]) for record in checkr.records("candidate_reports")}
    assert pairs == {(record["candidate_id"], record["id"]) for record in reports}


def test_screenings_are_asked_for_by_the_ids_that_their_report_names(checkr: Reader) -> None:
    """Reports without a screening of a kind are not asked for it."""
    found = checkr.records("motor_vehicle_reports")
    assert 0 < len(found) < 60
    assert checkr.simulator.counts()["motor_vehicle_reports"] == len(found)
    assert all(record["id"].startswith(record["report_id"]) for record in found)
    counties = checkr.records("county_criminal_searches")
    assert len(counties) == 120
    assert {record["report_id"] for record in counties} == set(checkr.simulator.truth("reports"))
    assert not any(exchange.status == 404 for exchange in checkr.simulator.exchanges)


def test_reports_of_recent_candidates_are_read_again_each_time(checkr: Reader) -> None:
    """They change for days after they were made, and no list says which did."""
    found = {record["id"] for record in checkr.tile("reports", YESTERDAY)}
    recent = {
        str(report)
        for record in checkr.simulator.truth("candidates").values()
        if str(record["created_at"]) >= (NOON - 61 * DAY).strftime("%Y-%m-%d")
        for report in record["report_ids"]  # type: ignore[attr-defined]
    }
    still_open = {
        record["id"]
        for record in checkr.simulator.truth("reports").values()
        if record["completed_at"] is None
    }
    assert still_open <= found <= recent
    assert 0 < len(found) < 40


def test_how_long_reports_may_change_is_a_setting() -> None:
    with reading(connector, simulation, open_for=timedelta(days=5)) as reader:
        few = len(reader.tile("reports", YESTERDAY))
    with reading(connector, simulation, open_for=timedelta(days=100)) as reader:
        assert few < len(reader.tile("reports", YESTERDAY))


def test_candidates_are_filtered_on_our_side_until_the_filter_is_confirmed(checkr: Reader) -> None:
    found = checkr.tile("candidates", YESTERDAY)
    assert 0 < len(found) < 60
    assert [set(dict(request.query)) for request in checkr.simulator.requests] == [{"page", "per_page"}] * 3


def test_candidates_are_asked_for_by_date_where_the_connection_vouches_for_the_filter() -> None:
    with reading(connector, simulation, created_filter=True) as reader:
        found = reader.tile("candidates", YESTERDAY)
        request = reader.simulator.requests[0]
        asked = dict(request.query)
        assert asked["created_after"] == "2025-12-31T11:59:59Z"
        assert asked["created_before"] == "2026-03-02T12:00:01Z"
        assert len(reader.simulator.requests) == 1
    with reading(connector, simulation) as reader:
        assert {record["id"] for record in reader.tile("candidates", YESTERDAY)} == {
            record["id"] for record in found
        }


def test_larger_pages_are_a_setting() -> None:
    with reading(connector, simulation, per_page=100) as reader:
        assert len(reader.records("invitations")) == 60
        assert reader.simulator.counts()["invitations"] == 1


def test_what_a_report_brings_besides_is_a_setting(checkr: Reader) -> None:
    checkr.records("reports")
    assert checkr.simulator.requests_for("reports")[0].query == ()
    with reading(connector, simulation, include="documents,geos") as reader:
        reader.records("reports")
        assert dict(reader.simulator.requests_for("reports")[0].query) == {"include": "documents,geos"}


def test_numbers_of_persons_and_links_to_apply_stay_with_the_vendor(checkr: Reader) -> None:
    hidden = {"dob", "ssn", "driver_license_number"}
    assert not any(hidden & set(record) for record in checkr.records("candidates"))
    assert not any("invitation_url" in record for record in checkr.records("invitations"))
    with reading(connector, simulation, reveal=("candidates.dob",)) as reader:
        record = reader.records("candidates")[0]
        assert "dob" in record
        assert "ssn" not in record


def test_the_key_is_the_user_and_the_password_is_empty(checkr: Reader) -> None:
    checkr.records("packages")
    (request,) = checkr.simulator.requests
    packed = base64.b64encode(f"{KEY}:".encode()).decode()
    assert request.header("Authorization") == f"Basic {packed}"


def test_a_wrong_key_is_refused_for_good() -> None:
    with (
        reading(connector, simulation, api_key="wrong") as reader,
        pytest.raises(CredentialsRefused, match="answered 401"),
    ):
        reader.records("candidates")


def test_the_connector_says_that_it_was_not_tried_on_a_live_account() -> None:
    assert connector.status == "preview"
    streams = {stream.name: stream for stream in connector.streams(connector.config(api_key="x"))}  # type: ignore[call-arg]
    assert streams["candidates"].unconfirmed
    assert streams["candidate_reports"].unconfirmed


def test_the_simulator_refuses_what_the_vendor_refuses(checkr: Reader) -> None:
    with httpx.Client(base_url=f"{checkr.simulator.url}/v1", auth=(KEY, "")) as talking:
        assert talking.get("/candidates?per_page=101").status_code == 400
        assert talking.get("/candidates?created_after=soon").status_code == 400
        assert talking.get("/reports").status_code == 404
        assert talking.get("/reports/rep1n0/ssn_trace/rep2n0ssntrace").status_code == 404
        assert talking.get("/reports/none").json() == {"error": "Resource not found"}
        assert talking.get("/candidates", auth=(KEY, "password")).status_code == 401
        first = talking.get("/candidates").json()
        assert (len(first["data"]), first["count"], first["object"]) == (25, 60, "list")
        assert first["next_href"].endswith("page=2")
