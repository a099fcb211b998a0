"""The ServiceChannel connector against an honest stand-in of its API."""

from collections.abc import Generator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from propexo_connect.connectors.servicechannel import STREAMS, connector
from propexo_connect.model.errors import CredentialsRefused, PermissionRefused
from propexo_connect.model.tile import Tile
from propexo_connect.simulators.faults import Fault, too_many_requests
from propexo_connect.simulators.servicechannel import FIRST_REFRESH, ServiceChannel, simulation
from propexo_connect_tests.connectors.landing import every_stream_lands
from propexo_connect_tests.connectors.reading import Reader, every_record_once, reading
from propexo_connect_tests.http.doubles import NOON

START, END = NOON - timedelta(days=60), NOON - timedelta(days=10)
BY_CONSENT: dict[str, Any] = {"refresh_token": FIRST_REFRESH, "user": None, "password": None}


@pytest.fixture
def channel() -> Generator[Reader]:
    """The demo population, opened for reading."""
    with reading(connector, simulation) as reader:
        yield reader


def vendor(reader: Reader) -> ServiceChannel:
    """The simulator as what it is."""
    assert isinstance(reader.simulator, ServiceChannel)
    return reader.simulator


def form(reader: Reader, number: int = 0) -> dict[str, list[str]]:
    """What the log-in sent."""
    return parse_qs(vendor(reader).requests_for("token")[number].body.decode())


@pytest.mark.parametrize("name", [stream.name for stream in STREAMS])
def test_every_record_of_a_stream_is_read_once(channel: Reader, name: str) -> None:
    every_record_once(channel, name)


def test_every_value_lands_in_its_declared_type(channel: Reader, tmp_path: Path) -> None:
    every_stream_lands(channel, tmp_path)


def test_odata_lists_take_one_request_a_page(channel: Reader) -> None:
    channel.records("work_orders")
    asked = [dict(request.query) for request in vendor(channel).requests_for("work_orders")]
    assert sorted((one["$skip"], one["$top"]) for one in asked) == [("0", "50"), ("100", "50"), ("50", "50")]
    assert {(one["$count"], one["$orderby"]) for one in asked} == {("true", "Id")}


def test_bare_arrays_end_with_an_empty_page() -> None:
    """How many locations the vendor sends at most is not said, so a short page does not end the list."""
    with reading(connector, simulation, page_size=5) as reader:
        assert len(reader.records("locations")) == 7
        pages = [dict(request.query)["page"] for request in vendor(reader).requests_for("locations")]
        assert pages == ["1", "2", "3"]


def test_work_orders_are_filtered_by_the_date_that_has_an_offset(channel: Reader) -> None:
    found = {record["Id"] for record in channel.tile("work_orders", Tile(START, END))}
    asked = dict(vendor(channel).requests_for("work_orders")[0].query)
    assert asked["$filter"] == (
        "UpdatedDate_DTO ge 2026-01-01T12:00:00Z and UpdatedDate_DTO le 2026-02-20T12:00:00Z"
    )
    assert 0 < len(found) < 120


def test_the_field_of_the_filter_is_a_setting() -> None:
    with reading(connector, simulation, updated_field="CreatedDate_DTO") as reader:
        reader.tile("work_orders", Tile(START, END))
        asked = dict(vendor(reader).requests_for("work_orders")[0].query)
        assert asked["$filter"].startswith("CreatedDate_DTO ge ")


def test_invoices_of_the_last_60_days_are_read_again(channel: Reader) -> None:
    channel.tile("invoices", Tile(END, NOON))
    asked = dict(vendor(channel).requests_for("invoices")[0].query)
    assert asked["$filter"] == "PostedDate ge 2025-12-22T12:00:00Z and PostedDate le 2026-03-02T12:00:00Z"


def test_only_notes_and_activities_of_work_orders_that_changed_are_read(channel: Reader) -> None:
    changed = {record["Id"] for record in channel.tile("work_orders", Tile(START, END))}
    for name in ("work_order_notes", "work_activities"):
        found = channel.tile(name, Tile(START, END))
        assert {record["WorkOrderId"] for record in found} == changed
        assert vendor(channel).counts()[name] == len(changed)
    assert vendor(channel).requests_for("work_order_notes")[0].path.startswith("/v3/odata/workorders(5")


def test_further_lists_can_be_named() -> None:
    with reading(connector, simulation, more_lists={"trades": "/trades"}) as reader:
        every_record_once(reader, "trades")


def test_a_user_logs_in_by_name_and_password_once(channel: Reader) -> None:
    for name in ("rfps", "locations"):
        channel.records(name)
    assert form(channel) == {
        "grant_type": ["password"],
        "username": ["pat"],
        "password": ["sc-demo-password"],
    }
    (request,) = vendor(channel).requests_for("token")
    assert (request.header("authorization") or "").startswith("Basic ")


def test_a_refresh_token_is_replaced_and_its_successor_used(tmp_path: Path) -> None:
    with reading(connector, simulation, state_dir=tmp_path, **BY_CONSENT) as reader:
        reader.records("rfps")
        reader.sync.clock.advance(11 * 60)
        reader.records("rfps")
        assert form(reader)["refresh_token"] == [FIRST_REFRESH]
        assert form(reader, 1)["refresh_token"] == [f"{FIRST_REFRESH}-1"]


@pytest.mark.parametrize(
    "given", [{"user": None}, {"refresh_token": FIRST_REFRESH}, {"user": None, "password": None}]
)
def test_there_is_one_way_in(given: dict[str, str | None]) -> None:
    with pytest.raises(ValueError, match="`refresh_token`, or `user` and `password`"):
        connector.config.model_validate({**simulation.source("http://127.0.0.1"), **given})


def test_a_wrong_password_is_refused_for_good_with_one_request() -> None:
    with reading(connector, simulation, password="wrong") as reader:
        with pytest.raises(CredentialsRefused):
            reader.records("rfps")
        assert vendor(reader).counts().total() == 1


def test_error_504_in_an_answer_means_a_missing_right(channel: Reader) -> None:
    """It comes with a status that says something else."""
    vendor(channel).forbidden = ("invoices",)
    with pytest.raises(PermissionRefused, match="not permitted"):
        channel.records("invoices")
    assert len(channel.records("rfps")) == 8


def test_a_429_is_waited_out_as_long_as_it_says(channel: Reader) -> None:
    vendor(channel).script(Fault(too_many_requests(7), operation="rfps"))
    assert len(channel.records("rfps")) == 8
    assert channel.sync.waited_s >= 7


def test_the_simulator_refuses_what_the_vendor_refuses(channel: Reader) -> None:
    """No token, a page that is too large, a filter by another field; a count only if it is asked for."""
    bearer = {"Authorization": f"Bearer {vendor(channel).tokens.issue().value}"}
    with httpx.Client(base_url=vendor(channel).url, verify=False) as talking:
        assert talking.get("/v3/locations").status_code == 401
        assert talking.get("/v3/locations?pageSize=51", headers=bearer).json()["ErrorCode"] == 922
        assert talking.get("/v3/odata/workorders?$filter=Nte gt 5", headers=bearer).status_code == 400
        assert "@odata.count" not in talking.get("/v3/odata/workorders", headers=bearer).json()
