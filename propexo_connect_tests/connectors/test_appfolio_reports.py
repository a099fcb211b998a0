"""The AppFolio Reports connector against an honest stand-in of its API."""

from collections.abc import Generator
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from propexo_connect.connectors.appfolio_reports import REPORTS, connector
from propexo_connect.model.errors import ConnectError, CredentialsRefused, TerminalError
from propexo_connect.model.tile import Tile
from propexo_connect.simulators.appfolio_reports import AppFolioReports, simulation
from propexo_connect.simulators.faults import Fault, Mutation
from propexo_connect_tests.connectors.landing import every_stream_lands
from propexo_connect_tests.connectors.reading import Reader, reading
from propexo_connect_tests.http.doubles import NOON, ManualClock

DAY = timedelta(days=1)


@pytest.fixture
def reports() -> Generator[Reader]:
    """The demo population, opened for reading."""
    with reading(connector, simulation, earliest="2025-04-01") as reader:
        yield reader


def vendor(reader: Reader) -> AppFolioReports:
    """The simulator as what it is."""
    assert isinstance(reader.simulator, AppFolioReports)
    return reader.simulator


def bodies(reader: Reader, name: str) -> list[dict[str, Any]]:
    """What a report was asked for with."""
    return [cast("dict[str, Any]", request.json) for request in vendor(reader).requests_for(name)]


def shown(row: Any) -> tuple[tuple[str, str], ...]:
    """A row to compare by, without what is never shown, and without the day of a snapshot."""
    return tuple(sorted((n, str(v)) for n, v in row.items() if not n.startswith("_") and n != "as_of"))


@pytest.mark.parametrize("name", [stream.name for stream in REPORTS])
def test_every_row_of_a_report_is_read_once(reports: Reader, name: str) -> None:
    """Hidden properties' rows, too; rows have no key, so they are compared whole."""
    found = sorted(shown(row) for row in reports.records(name))
    hidden = name == "aged_receivables_detail"  # takes no visibility
    truth = vendor(reports).truth(name).values()
    assert found == sorted(shown(row) for row in truth if not (hidden and row["_hidden"]))


def test_every_value_lands_in_its_declared_type(reports: Reader, tmp_path: Path) -> None:
    every_stream_lands(reports, tmp_path)


def test_further_pages_are_asked_for_by_post_without_a_body(reports: Reader) -> None:
    vendor(reports).page_rows = 30
    assert len(reports.records("rent_roll")) == 84
    assert [request.method for request in vendor(reports).requests] == ["POST"] * 3
    assert [request.body for request in vendor(reports).requests_for("page")] == [b"", b""]


def test_a_page_is_gone_after_half_an_hour_and_nothing_passes_for_whole(reports: Reader) -> None:
    vendor(reports).page_rows = 30
    pages = reports.pages("rent_roll")
    next(pages)
    reports.sync.clock.advance(31 * 60)
    with pytest.raises(ConnectError, match="answered 404"):
        list(pages)


def test_the_ledger_is_asked_for_by_days_and_reads_90_of_them_again(reports: Reader) -> None:
    found = reports.tile("general_ledger", Tile(NOON - DAY, NOON))
    (body,) = bodies(reports, "general_ledger")
    assert body == {
        "paginate_results": True,
        "property_visibility": "all",
        "posted_on_from": "2025-12-01",
        "posted_on_to": "2026-03-03",
    }
    assert 0 < len(found) < 84
    assert min(row["posted_on"] for row in found) >= "2025-12-01"


def test_a_whole_read_of_the_ledger_goes_year_by_year_from_the_earliest_day() -> None:
    """The last day of a year is read twice: a row is known by its content."""
    with reading(connector, simulation, earliest="2024-01-01") as reader:
        reader.records("general_ledger")
        starts = [body["posted_on_from"] for body in bodies(reader, "general_ledger")]
        assert starts == ["2024-01-01", "2024-12-31", "2025-12-31"]


def test_registers_are_asked_for_by_their_own_names_of_dates(reports: Reader) -> None:
    reports.tile("deposit_register", Tile(NOON - DAY, NOON))
    (body,) = bodies(reports, "deposit_register")
    assert {"from_date", "to_date"} <= set(body)


def test_snapshots_name_their_day(reports: Reader) -> None:
    assert {row["as_of"] for row in reports.records("rent_roll")} == {"2026-03-02"}
    reports.records("aged_receivables_detail")
    assert bodies(reports, "aged_receivables_detail")[0]["occurred_on_to"] == "2026-03-02"


def test_hidden_properties_are_left_out_when_only_active_ones_are_wanted() -> None:
    with reading(connector, simulation, property_visibility="active") as reader:
        assert len(reader.records("rent_roll")) == 72


def test_filters_of_the_settings_go_into_the_body_of_their_report() -> None:
    wanted = {"balance_sheet": {"posted_on_to": "2026-01-31"}}
    with reading(connector, simulation, filters=wanted, accounting_basis="Cash") as reader:
        reader.records("balance_sheet")
        assert bodies(reader, "balance_sheet") == [
            {"paginate_results": True, "accounting_basis": "Cash", "posted_on_to": "2026-01-31"}
        ]
        reader.records("chart_of_accounts")
        assert bodies(reader, "chart_of_accounts") == [{"paginate_results": True}]


def test_further_reports_can_be_named() -> None:
    with (
        reading(connector, simulation, more_reports=["loans"]) as reader,
        pytest.raises(TerminalError, match="answered 404"),
    ):
        reader.records("loans")


def test_only_work_orders_have_a_key_and_all_else_says_that_it_has_none(reports: Reader) -> None:
    keyed = [one.name for one in connector.streams(reports.config) if not one.is_keyless]
    assert keyed == ["work_order"]


def test_a_wrong_secret_is_refused_for_good() -> None:
    with (
        reading(connector, simulation, client_secret="wrong") as reader,
        pytest.raises(CredentialsRefused, match="answered 401"),
    ):
        reader.records("rent_roll")


def test_seven_requests_in_15_seconds_are_kept_to(reports: Reader) -> None:
    for name in ("rent_roll", "work_order", "unit_directory", "owner_directory") * 2:
        reports.records(name)
    assert reports.sync.clock.monotonic() >= 15
    assert {exchange.status for exchange in vendor(reports).exchanges} == {200}


def test_the_simulator_refuses_what_the_vendor_refuses(reports: Reader) -> None:
    """GET, missing dates, filters on a page, an eighth request; a bare array where pages are off."""
    pair = ("appfolio-reports-client", "appfolio-reports-secret")
    vendor(reports).page_rows = 30
    with httpx.Client(base_url=vendor(reports).url, auth=pair, verify=False) as talking:
        rolls = "/api/v2/reports/rent_roll.json"
        assert talking.get(rolls).status_code == 405
        assert talking.post("/api/v2/reports/general_ledger.json", json={}).status_code == 400
        assert len(talking.post(rolls, json={"paginate_results": False}).json()) == 72
        link = talking.post(rolls, json={}).json()["next_page_url"]
        assert talking.post(link, json={"property_visibility": "all"}).status_code == 400
        vendor(reports).script(Fault(Mutation(lambda: reports.sync.clock.advance(31 * 60)), operation="page"))
        assert talking.post(link).status_code == 404
        assert {talking.post(rolls, json={}).status_code for _ in range(7)} == {200}
        assert talking.post(rolls, json={}).status_code == 429


def test_the_address_follows_from_the_name_of_the_database() -> None:
    config = connector.config.model_validate({"database": "example", "client_id": "x", "client_secret": "y"})
    with connector.open(config, ManualClock()) as source:
        assert "example.appfolio.com" in repr(source)
