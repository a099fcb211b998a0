"""The QuickBooks connector against an honest stand-in of its API."""

from collections.abc import Generator
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest

from propexo_connect.connectors.quickbooks import ENTITIES, connector
from propexo_connect.model.errors import ConfigurationError, CredentialsRefused, TerminalError
from propexo_connect.model.tile import WHOLE, Tile
from propexo_connect.simulators.faults import Fault, Reply
from propexo_connect.simulators.quickbooks import REFRESH_TOKEN, Quickbooks, simulation
from propexo_connect.simulators.wire import Request
from propexo_connect_tests.connectors.reading import Reader, every_record_once, reading
from propexo_connect_tests.http.doubles import NOON, Sync

DAY = timedelta(days=1)


@pytest.fixture
def quickbooks(tmp_path: Path) -> Generator[Reader]:
    """The demo company, opened for reading."""
    with reading(connector, simulation, state_dir=tmp_path) as reader:
        yield reader


def query(request: Request) -> str:
    return dict(request.query)["query"]


def vendor_of(reader: Reader) -> Quickbooks:
    assert isinstance(reader.simulator, Quickbooks)
    return reader.simulator


@pytest.mark.parametrize("name", [name for name, *_ in ENTITIES])
def test_every_record_of_a_stream_is_read_once(quickbooks: Reader, name: str) -> None:
    """Inactive names, too."""
    every_record_once(quickbooks, name)
    assert quickbooks.simulator.counts()[name] == 1


def test_a_list_of_several_pages_takes_one_request_a_page_and_counts_from_1(tmp_path: Path) -> None:
    with reading(connector, simulation, state_dir=tmp_path, page_size=15) as reader:
        assert len(reader.records("bills")) == 40
        asked = [query(request) for request in reader.simulator.requests_for("bills")]
    assert [text.partition("STARTPOSITION ")[2] for text in asked] == [
        "1 MAXRESULTS 15",
        "16 MAXRESULTS 15",
        "31 MAXRESULTS 15",
    ]


def test_a_full_last_page_is_followed_by_one_without_the_entitys_key(tmp_path: Path) -> None:
    with reading(connector, simulation, state_dir=tmp_path, page_size=20) as reader:
        assert len(reader.records("bills")) == 40
        assert reader.simulator.counts()["bills"] == 3


def test_changes_are_asked_for_with_a_colon_in_the_offset(quickbooks: Reader) -> None:
    """The lower bound is not included, so a second more is asked for; and the day before it."""
    quickbooks.tile("invoices", Tile(NOON - DAY, NOON))
    (request,) = quickbooks.simulator.requests_for("invoices")
    assert query(request) == (
        "SELECT * FROM Invoice WHERE Metadata.LastUpdatedTime > '2026-02-28T11:59:59+00:00'"
        " AND Metadata.LastUpdatedTime <= '2026-03-02T12:00:01+00:00'"
        " ORDER BY Metadata.LastUpdatedTime ASC STARTPOSITION 1 MAXRESULTS 1000"
    )


def test_a_tile_brings_what_changed_in_it(quickbooks: Reader) -> None:
    start = NOON - 50 * DAY
    found = {record["Id"] for record in quickbooks.tile("invoices", Tile(start, NOON))}
    truth = quickbooks.simulator.truth("invoices").values()
    times = {record["Id"]: record["MetaData"]["LastUpdatedTime"] for record in truth}  # type: ignore[index]
    expected = {key for key, text in times.items() if datetime.fromisoformat(text) >= start - DAY}
    assert found == expected
    assert 0 < len(found) < 40


def test_inactive_names_are_asked_for_where_the_vendor_would_hide_them(quickbooks: Reader) -> None:
    quickbooks.records("vendors")
    quickbooks.records("bills")
    (vendors,) = quickbooks.simulator.requests_for("vendors")
    (bills,) = quickbooks.simulator.requests_for("bills")
    assert " WHERE Active IN (true,false) ORDER BY" in query(vendors)
    assert " FROM Bill ORDER BY" in query(bills)


def test_an_empty_range_is_no_failure(quickbooks: Reader) -> None:
    assert quickbooks.tile("invoices", Tile(NOON + 50 * DAY, NOON + 51 * DAY)) == []


def test_the_refresh_token_rotates_and_is_kept_for_the_next_sync(tmp_path: Path) -> None:
    with reading(connector, simulation, state_dir=tmp_path) as reader:
        vendor = vendor_of(reader)
        reader.records("bills")
        assert vendor.refresh.newest != REFRESH_TOKEN
        reader.sync.clock.advance(3700)
        with connector.open(reader.config, reader.sync.clock) as later:
            stream = reader.stream("invoices")
            list(later.read(stream, WHOLE, None, None, Sync(reader.sync.clock).context))
        assert vendor.tokens.issued_count == 2
        statuses = {one.status for one in vendor.exchanges if one.operation == "tokens"}
        assert statuses == {200}


def test_one_token_serves_an_hour_of_syncs(quickbooks: Reader) -> None:
    quickbooks.records("bills")
    with connector.open(quickbooks.config, quickbooks.sync.clock) as later:
        stream = quickbooks.stream("invoices")
        list(later.read(stream, WHOLE, None, None, Sync(quickbooks.sync.clock).context))
    assert quickbooks.simulator.counts()["tokens"] == 1


def test_without_a_lasting_folder_the_log_in_is_refused_before_a_token_is_lost() -> None:
    with (
        pytest.raises(ConfigurationError, match="replaces its refresh token"),
        reading(connector, simulation),
    ):
        pass


def test_a_refresh_token_that_was_used_up_is_refused_for_good(tmp_path: Path) -> None:
    with (
        reading(connector, simulation, state_dir=tmp_path, refresh_token="used-up-long-ago") as reader,
        pytest.raises(CredentialsRefused) as refused,
    ):
        reader.records("bills")
    assert "used-up-long-ago" not in str(refused.value)


def test_a_token_that_is_refused_early_is_renewed_once(quickbooks: Reader) -> None:
    quickbooks.records("bills")
    vendor_of(quickbooks).tokens.revoke_all()
    assert len(quickbooks.records("invoices")) == 40
    assert quickbooks.simulator.counts()["tokens"] == 2


def test_a_fault_within_a_success_is_no_empty_answer(quickbooks: Reader) -> None:
    body = b'{"Fault":{"Error":[{"Message":"Query failed","Detail":"","code":"4001"}],"type":"x"}}'
    quickbooks.simulator.script(Fault(Reply(200, body=body), operation="bills", times=1))
    with pytest.raises(TerminalError, match="Query failed"):
        quickbooks.records("bills")


def test_a_429_is_waited_out(quickbooks: Reader) -> None:
    quickbooks.simulator.script(Fault(Reply(429), operation="bills", times=2))
    assert len(quickbooks.records("bills")) == 40
    assert quickbooks.sync.waited_s > 0


def test_social_security_numbers_and_tax_ids_stay_with_the_vendor(tmp_path: Path) -> None:
    with reading(connector, simulation, state_dir=tmp_path, reveal=("vendors.TaxIdentifier",)) as reader:
        assert not any({"SSN", "BirthDate"} & set(record) for record in reader.records("employees"))
        assert all("TaxIdentifier" in record for record in reader.records("vendors"))


def test_a_minor_version_is_sent_where_one_is_set(tmp_path: Path) -> None:
    with reading(connector, simulation, state_dir=tmp_path, minor_version=75) as reader:
        reader.records("terms")
        (request,) = reader.simulator.requests_for("terms")
        assert dict(request.query)["minorversion"] == "75"


@pytest.mark.parametrize(
    ("statement", "status"),
    [
        ("SELECT * FROM Bill STARTPOSITION 1 MAXRESULTS 1000", 200),
        ("SELECT * FROM Bill STARTPOSITION 1 MAXRESULTS 1001", 400),
        ("SELECT * FROM Bill STARTPOSITION 0 MAXRESULTS 10", 400),
        ("SELECT * FROM Bills", 400),
        ("SELECT * FROM Bill WHERE Active IN (true,false)", 400),
        ("SELECT * FROM Bill WHERE Metadata.LastUpdatedTime > '2026-01-01T00:00:00+0000'", 400),
        ("SELECT * FROM Bill WHERE Metadata.LastUpdatedTime > '2026-01-01T00:00:00+00:00'", 200),
    ],
)
def test_the_simulator_refuses_what_the_vendor_refuses(
    quickbooks: Reader, statement: str, status: int
) -> None:
    vendor = vendor_of(quickbooks)
    headers = {"Authorization": f"Bearer {vendor.tokens.issue().value}"}
    with httpx.Client(base_url=vendor.url, headers=headers, verify=False) as talking:
        path = f"/v3/company/{quickbooks.config.realm_id}/query"
        assert talking.get(path, params={"query": statement}).status_code == status
        assert talking.get(path, headers={"Authorization": "Bearer x"}).status_code == 401
        assert talking.get("/v3/company/1/query").status_code == 403
