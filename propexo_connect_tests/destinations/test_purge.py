"""A purge: what leaves, what stays, and what is remembered of it."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from propexo_connect.destinations.hash_key import HashKey
from propexo_connect.destinations.state import TABLES, insert
from propexo_connect.http.durable import STATE_VARIABLE
from propexo_connect.model.errors import ConfigurationError, NoKey, UnknownName
from propexo_connect.model.field import INTEGER, JSON, TEXT
from propexo_connect.model.ledger import Part
from propexo_connect.model.purge import Finding, PurgeRequest
from propexo_connect.model.stream import Mode, StreamPlan, Table
from propexo_connect_tests.destinations.kit import HOUR, NOON, Bench, keyed_plan, layout_of

CANARY = "ann.canary@example.com"
OTHER = "bob@example.com"

TENANTS = layout_of(["id"], id=INTEGER, email=TEXT, name=TEXT, profile=JSON)


@pytest.fixture(autouse=True)
def state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the key of hashes is kept."""
    folder = tmp_path / "state"
    monkeypatch.setenv(STATE_VARIABLE, str(folder))
    return folder


def tenants_plan(**changes: Any) -> StreamPlan:
    """A stream of people, with a history."""
    plan = keyed_plan(TENANTS, history=True, table=Table("pms", "tenants"), **changes)
    return replace(plan, stream=replace(plan.stream, name="tenants"))


def tenant(number: int, email: str, **fields: Any) -> dict[str, Any]:
    """A person."""
    profile = json.dumps(fields.pop("profile", {"emails": [email]}), separators=(",", ":"))
    return {"id": number, "email": email, "name": f"tenant {number}", "profile": profile, **fields}


def rejected(raw: Any) -> dict[str, Any]:
    """A record that could not be keyed."""
    return {"read_at": NOON, "reason": "no key", "record": raw if isinstance(raw, str) else json.dumps(raw)}


def purge(bench: Bench, **request: Any) -> dict[str, int]:
    """Carry a request out; what went, by table."""
    asked = PurgeRequest("acme", **request)
    promised = bench.session.purge_preview(asked)
    found = bench.session.purge(asked, NOON + 5 * HOUR)
    assert found == promised
    return by_table(found)


def by_table(found: tuple[Finding, ...]) -> dict[str, int]:
    """Findings by the last part of their table's name."""
    return {"gathered" if ".gathered_" in one.table else one.table.split(".")[1]: one.count for one in found}


def write(bench: Bench, table: Any, **values: Any) -> None:
    """A row of one of our tables."""
    from propexo_connect_tests.destinations.test_destination import a_link

    link: Any = a_link(bench)
    link.run(insert(table), [values.get(name) for name in table.names])
    link.connection.commit()
    link.connection.close()


def fill(bench: Bench, plan: StreamPlan) -> None:
    """The canary in each place that a stream has, beside another person."""
    from propexo_connect.destinations import state

    sync = bench.sync(plan, layout=TENANTS)
    sync.commit(
        [tenant(1, CANARY), tenant(2, OTHER), tenant(3, "old@example.com")],
        rejected=[rejected({"email": CANARY}), rejected({"email": OTHER})],
        parts=[Part(CANARY, problem=f"404 for {CANARY}", is_skipped=True), Part(OTHER)],
        position=f'{{"after": "{CANARY}"}}',
        is_complete=False,
    )
    # The canary goes away from one row, and comes to another: it is before and after in the history.
    bench.sync(plan, hours=1, layout=TENANTS).commit([tenant(3, CANARY), tenant(2, "bob2@example.com")])
    bench.sync(plan, hours=2, layout=TENANTS).commit([tenant(3, "new@example.com")])
    for number, email in ((1, CANARY), (2, OTHER)):
        write(
            bench,
            state.OUTBOX,
            id=f"event-{number}",
            connection="acme",
            stream="tenants",
            event="data.new",
            key=f'{{"id":{number}}}',
            occurred_at=NOON,
            sync_id="sync-1",
            endpoints="[]",
            payload=json.dumps({"record": {"email": email}}),
        )
        delivery = {"event_id": f"event-{number}", "endpoint": "crm", "number": 0, "attempts": 1}
        write(bench, state.DELIVERIES, **delivery, state="dead", created_at=NOON, problem=f"422 for {email}")
        write(
            bench,
            state.DELIVERY_LOG,
            **delivery,
            attempt=1,
            tried_at=NOON,
            duration_ms=3,
            problem=f"422 for {email}",
        )


def gather(bench: Bench) -> None:
    """Another stream whose whole read was broken off with the canary put aside."""
    plan = replace(tenants_plan(mode=Mode.OVERWRITE), table=Table("pms", "guests"))
    plan = replace(plan, stream=replace(plan.stream, name="guests"))
    bench.sync(plan, layout=TENANTS).commit([tenant(1, OTHER)])
    bench.sync(plan, hours=1, layout=TENANTS).commit([tenant(2, CANARY), tenant(3, OTHER)], is_complete=False)


def dump(bench: Bench) -> Iterator[tuple[str, str]]:
    """Every row of every table as text."""
    tables = bench.query(
        "select table_schema, table_name from information_schema.tables "
        "where table_schema in ('pms', '_propexo') and table_type = 'BASE TABLE'"
    )
    for schema, name in tables:
        for row in bench.query(f'select cast(x as text) from "{schema}"."{name}" x'):
            yield name, row[0]


def places(bench: Bench, text: str) -> set[str]:
    """The tables in which a text is found."""
    return {"gathered" if name.startswith("gathered") else name for name, row in dump(bench) if text in row}


EVERYWHERE = {
    "tenants",
    "tenants__history",
    "guests__history",
    "guests",
    "gathered",
    "rejected_records",
    "window_parts",
    "windows",
    "outbox",
    "deliveries",
    "delivery_log",
}


def test_an_identifier_leaves_every_table(bench: Bench) -> None:
    fill(bench, tenants_plan())
    gather(bench)
    assert places(bench, CANARY) == EVERYWHERE - {"guests", "guests__history"}
    found = purge(bench, identifier=CANARY)
    assert places(bench, CANARY) == set()
    assert found == {
        "tenants": 1,
        "tenants__history": 3,
        "gathered": 1,
        "rejected_records": 1,
        "window_parts": 1,
        "windows": 1,
        "outbox": 1,
        "deliveries": 1,
        "delivery_log": 1,
    }


def test_rows_of_others_stay_as_they_were(bench: Bench) -> None:
    fill(bench, tenants_plan())
    gather(bench)
    before = {(name, row) for name, row in dump(bench) if OTHER in row}
    purge(bench, identifier=CANARY)
    assert before
    assert before <= set(dump(bench))
    assert bench.table("id", "pms.tenants") == [(2,), (3,)]


def test_a_key_leaves_with_its_history_and_its_events(bench: Bench) -> None:
    fill(bench, tenants_plan())
    found = purge(bench, key={"id": "2"}, streams=("tenants",))
    assert found == {"tenants": 1, "tenants__history": 2, "outbox": 1, "deliveries": 1, "delivery_log": 1}
    assert bench.table("id", "pms.tenants") == [(1,), (3,)]


def test_nothing_found_is_audited_too(bench: Bench) -> None:
    fill(bench, tenants_plan())
    assert purge(bench, identifier="nobody@example.com", reason="ticket 7", requested_by="eve") == {}
    (row,) = bench.session.purges("acme")
    assert (row.reason, row.requested_by, row.counts, row.streams) == ("ticket 7", "eve", (), ("tenants",))
    assert row.keyed_hash == HashKey.stored().hash("identifier", "nobody@example.com")


def test_a_preview_writes_nothing(bench: Bench) -> None:
    fill(bench, tenants_plan())
    before = sorted(dump(bench))
    bench.session.purge_preview(PurgeRequest("acme", identifier=CANARY))
    assert sorted(dump(bench)) == before
