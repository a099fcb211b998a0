"""The Xero connector against an honest stand-in of its API."""

from collections.abc import Generator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from propexo_connect.connectors.xero import LISTS, SENSITIVE, connector
from propexo_connect.model.errors import ConfigurationError, CredentialsRefused
from propexo_connect.model.tile import WHOLE, Tile
from propexo_connect.simulators.faults import Fault, Reply
from propexo_connect.simulators.xero import REFRESH_TOKEN, TENANTS, Xero, simulation
from propexo_connect_tests.connectors.reading import Reader, reading
from propexo_connect_tests.http.doubles import NOON, Sync

DAY = timedelta(days=1)


@pytest.fixture
def xero(tmp_path: Path) -> Generator[Reader]:
    """The demo organisations, opened for reading."""
    with reading(connector, simulation, state_dir=tmp_path) as reader:
        yield reader


def vendor_of(reader: Reader) -> Xero:
    assert isinstance(reader.simulator, Xero)
    return reader.simulator


def truth(reader: Reader, name: str) -> list[Any]:
    return list(reader.simulator.truth(name).values())


@pytest.mark.parametrize(("name", "key"), [(name, key) for name, _, key, *_ in LISTS])
def test_every_record_of_every_organisation_is_read_once(xero: Reader, name: str, key: str) -> None:
    """Archived and deleted ones, too, by one request an organisation; the practice has none."""
    found = sorted((record["TenantId"], record[key]) for record in xero.records(name))
    assert found == sorted((one["_tenant"], one[key]) for one in truth(xero, name))
    assert {tenant for tenant, _ in found} == set(TENANTS)
    assert xero.simulator.counts() == {"tokens": 1, "connections": 1, name: 2}


def test_connections_are_a_stream_of_their_own(xero: Reader) -> None:
    assert [record["tenantType"] for record in xero.records("connections")].count("ORGANISATION") == 2
    assert xero.records("connections")[0]["createdDateUtc"] == "2025-12-07T18:46:19.516540Z"


def test_a_list_of_several_pages_takes_one_request_a_page_in_the_order_of_keys(tmp_path: Path) -> None:
    with reading(connector, simulation, state_dir=tmp_path, page_size=10, in_flight=1) as reader:
        assert len(reader.records("invoices")) == 50
        asked = [dict(request.query) for request in reader.simulator.requests_for("invoices")]
    assert [one["page"] for one in asked] == ["1", "2", "3"] * 2
    assert {one["pageSize"] for one in asked} == {"10"}
    assert {one["order"] for one in asked} == {"InvoiceID ASC"}


def test_pages_bring_lines(xero: Reader) -> None:
    assert all(record["LineItems"] for record in xero.records("invoices"))
    assert all(record["JournalLines"] for record in xero.records("manual_journals"))


def test_changes_are_asked_for_by_a_header(xero: Reader) -> None:
    xero.tile("invoices", Tile(NOON - DAY, NOON))
    for request in xero.simulator.requests_for("invoices"):
        assert request.header("If-Modified-Since") == "2026-03-01T12:00:00Z"
        assert request.header("Xero-Tenant-Id") in TENANTS


def test_a_tile_brings_what_changed_since(xero: Reader) -> None:
    start = NOON - 50 * DAY
    found = {record["ContactID"] for record in xero.tile("contacts", Tile(start, NOON))}
    changed = (one for one in truth(xero, "contacts") if datetime.fromisoformat(one["_changed"]) >= start)
    assert found == {one["ContactID"] for one in changed}
    assert 0 < len(found) < 50


def test_bank_transfers_are_asked_for_by_their_creation_with_a_month_again(xero: Reader) -> None:
    stream = xero.stream("bank_transfers")
    assert stream.filter is not None
    assert stream.filter.meaning == "created"
    xero.tile("bank_transfers", Tile(NOON - DAY, NOON))
    request, _ = xero.simulator.requests_for("bank_transfers")
    assert request.header("If-Modified-Since") == "2026-01-30T12:00:00Z"


def test_nothing_modified_may_be_told_by_304(xero: Reader) -> None:
    xero.simulator.script(Fault(Reply(304), operation="accounts"))
    assert xero.tile("accounts", Tile(NOON - DAY, NOON)) == []


def test_vendor_dates_become_instants_and_days(xero: Reader) -> None:
    record = xero.records("invoices")[0]
    assert record["UpdatedDateUTC"].endswith("Z")
    assert record["Date"] == f"{record['DateString']}Z"


def test_the_refresh_token_rotates_and_is_kept_for_the_next_sync(xero: Reader) -> None:
    vendor = vendor_of(xero)
    xero.records("accounts")
    assert vendor.refresh.newest != REFRESH_TOKEN
    xero.sync.clock.advance(1900)
    with connector.open(xero.config, xero.sync.clock) as later:
        list(later.read(xero.stream("items"), WHOLE, None, None, Sync(xero.sync.clock).context))
    assert vendor.tokens.issued_count == 2
    assert {one.status for one in vendor.exchanges if one.operation == "tokens"} == {200}


def test_without_a_lasting_folder_a_consent_is_not_put_at_risk() -> None:
    with (
        pytest.raises(ConfigurationError, match="replaces its refresh token"),
        reading(connector, simulation),
    ):
        pass


def test_a_custom_connection_needs_no_refresh_token_and_no_folder() -> None:
    with reading(connector, simulation, refresh_token=None, scope="accounting.settings.read") as reader:
        assert len(reader.records("accounts")) == 16
        (request,) = reader.simulator.requests_for("tokens")
        assert b"grant_type=client_credentials" in request.body
        assert b"scope=accounting.settings.read" in request.body


def test_a_wrong_secret_is_refused_for_good(tmp_path: Path) -> None:
    with (
        reading(connector, simulation, state_dir=tmp_path, client_secret="quite-wrong") as reader,
        pytest.raises(CredentialsRefused) as refused,
    ):
        reader.records("accounts")
    assert "quite-wrong" not in str(refused.value)


def test_one_organisation_that_fails_does_not_hold_back_the_other(xero: Reader) -> None:
    xero.simulator.script(Fault(Reply(400), operation="accounts", times=1))
    parts = [page.part for page in xero.pages("accounts") if page.part is not None]
    assert sorted(part.problem is None for part in parts) == [False, True]
    assert {part.key for part in parts} == set(TENANTS)


def test_a_429_is_waited_out_as_long_as_it_says(xero: Reader) -> None:
    reply = Reply(429, (("Retry-After", "21"), ("X-Rate-Limit-Problem", "minute")))
    xero.simulator.script(Fault(reply, operation="users", times=1))
    assert len(xero.records("users")) == 16
    assert xero.sync.waited_s >= 21


def test_bank_accounts_keys_and_tax_numbers_stay_with_the_vendor(tmp_path: Path) -> None:
    with reading(connector, simulation, state_dir=tmp_path, reveal=("contacts.TaxNumber",)) as reader:
        for name, places in SENSITIVE.items():
            shown = {"contacts.TaxNumber"} & {f"{name}.{place}" for place in places}
            for record in reader.records(name):
                left = {f"{name}.{place}" for place in places if stands(record, place)}
                assert left == shown


def stands(record: Any, place: str) -> bool:
    """Whether there is anything at a place."""
    for step in place.split("."):
        if not isinstance(record, dict) or step not in record:
            return False
        record = record[step]
    return True


def test_the_simulator_refuses_what_the_vendor_refuses(xero: Reader) -> None:
    """No token, no organisation, pages over the cap; lines and archived contacts come on request."""
    vendor = vendor_of(xero)
    headers = {"Authorization": f"Bearer {vendor.tokens.issue().value}", "Xero-Tenant-Id": TENANTS[0],
               "Accept": "application/json"}  # fmt: skip
    with httpx.Client(base_url=f"{vendor.url}/api.xro/2.0", headers=headers, verify=False) as talking:
        assert talking.get("/Invoices", headers={"Authorization": "Bearer x"}).status_code == 401
        assert talking.get("/Invoices", headers={"Xero-Tenant-Id": ""}).status_code == 403
        assert talking.get("/Invoices?page=1&pageSize=1001").status_code == 400
        assert talking.get("/Invoices", headers={"If-Modified-Since": "yesterday"}).status_code == 400
        assert "LineItems" not in talking.get("/Invoices").json()["Invoices"][0]
        assert len(talking.get("/Contacts?page=1").json()["Contacts"]) == 22
