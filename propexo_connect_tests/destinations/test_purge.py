"""A purge: what leaves, what stays, and what is remembered of it."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from propexo_connect.destinations.hash_key import HashKey
from propexo_connect.destinations.state import TABLES, insert
from propexo_connect.http.durable import STATE_VARIABLE
from propexo_connect.model.errors import ConfigurationError, NoKey, UnknownName
from propexo_connect.model.field import (
    BINARY,
    BOOLEAN,
    DATE,
    DATETIME,
    FLOAT,
    INTEGER,
    JSON,
    TEXT,
    TIME,
    TIMESTAMP,
    FieldType,
    Kind,
)
from propexo_connect.model.ledger import Part
from propexo_connect.model.purge import Finding, PurgeRequest
from propexo_connect.model.stream import Mode, StreamPlan, Table
from propexo_connect_tests.destinations.conftest import ask, configured
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


HOLDS: dict[str, str] = {
    "streams": "",
    "columns": "",
    "fences": "",
    "windows": "position: where a read is taken up again, which may be a value of a record",
    "window_parts": "parent: the key of the record that was read through; problem: what was said of it",
    "schema_changes": "",
    "rejected_records": "record: the raw record",
    "purges": "",
    "suppressed": "",
    "outbox": "key, payload: the record and what changed in it",
    "deliveries": "problem: what the endpoint answered to the event",
    "delivery_log": "problem: what the endpoint answered to the event",
    "version": "",
}
"""For each table of `_propexo` what of it can be a person's; empty where nothing can. The names of fields
and columns (`streams`, `columns`, `schema_changes`) are the source's schema, not its data; `purges` and
`suppressed` hold keyed hashes, and a reason that must not repeat the value."""


def test_for_each_table_of_ours_it_is_known_whether_it_holds_personal_data() -> None:
    """A new table must be answered for here, and be emptied by the purge where it can hold a value."""
    assert {table.name for table in TABLES} == set(HOLDS)
    assert {name for name, what in HOLDS.items() if what} == EVERYWHERE - {
        "tenants",
        "tenants__history",
        "guests",
        "guests__history",
        "gathered",
    }


def test_all_versions_of_a_record_leave(bench: Bench) -> None:
    """Also those in which the identifier does not stand."""
    plan = tenants_plan(mode=Mode.APPEND)
    bench.sync(plan, layout=TENANTS).commit([tenant(1, CANARY), tenant(2, OTHER)])
    bench.sync(plan, hours=1, layout=TENANTS).commit([tenant(1, "new@example.com")])
    found = purge(bench, identifier=CANARY)
    assert found == {"tenants": 2, "tenants__history": 2}
    assert bench.table("id", "pms.tenants") == [(2,)]


def test_case_matters_unless_it_is_to_be_ignored(bench: Bench) -> None:
    bench.sync(tenants_plan(), layout=TENANTS).commit(
        [tenant(1, "Ann@Example.com"), tenant(2, "x", profile={"Emails": {"ANN@example.com": 1}})],
        rejected=[rejected({"email": "ann@EXAMPLE.com"})],
    )
    assert purge(bench, identifier="ann@example.com") == {}
    found = purge(bench, identifier="ann@example.com", ignore_case=True)
    assert found == {"tenants": 2, "tenants__history": 2, "rejected_records": 1}


def test_a_part_of_a_text_is_no_match(bench: Bench) -> None:
    bench.sync(tenants_plan(), layout=TENANTS).commit([tenant(1, f"jo{CANARY}"), tenant(2, f"to {CANARY}")])
    assert purge(bench, identifier=CANARY) == {}


def test_named_fields_are_searched_alone(bench: Bench) -> None:
    bench.sync(tenants_plan(), layout=TENANTS).commit(
        [tenant(1, CANARY), {**tenant(2, OTHER), "name": CANARY}],
        rejected=[rejected({"email": CANARY}), rejected({"name": CANARY})],
    )
    found = purge(bench, identifier=CANARY, fields=("email",))
    assert found == {"tenants": 1, "tenants__history": 1, "rejected_records": 1}
    assert bench.table("id", "pms.tenants") == [(2,)]


def test_what_did_not_fit_is_searched_too(bench: Bench) -> None:
    misfit = {"misfits": {"age": {"value": CANARY, "reason": "no number"}}}
    record = {**tenant(1, OTHER), "_propexo_meta": json.dumps(misfit)}
    bench.sync(tenants_plan(), layout=TENANTS).commit([record, tenant(2, OTHER)])
    assert purge(bench, identifier=CANARY) == {"tenants": 1, "tenants__history": 1}


@pytest.mark.parametrize(
    "raw",
    [
        '{"email": "ann.canary\\u0040example.com"}',
        '{"a": [{"ann.canary@example.com": 1}]}',
        "no JSON, but ann.canary@example.com",
        '{"id": {"b": "ann.canary@example.com"}}',
    ],
)
def test_raw_records_are_read_as_json_however_they_are_spelled(bench: Bench, raw: str) -> None:
    bench.sync(tenants_plan(), layout=TENANTS).commit([], rejected=[rejected(raw), rejected(f'"x{OTHER}"')])
    assert purge(bench, identifier=CANARY) == {"rejected_records": 1}


def test_a_raw_record_is_found_by_a_key_that_does_not_fit_its_type(bench: Bench) -> None:
    bench.sync(tenants_plan(), layout=TENANTS).commit([tenant(7, OTHER)], rejected=[rejected({"id": "A-7"})])
    assert purge(bench, key={"id": "A-7"}, streams=("tenants",)) == {"rejected_records": 1}


def test_a_key_of_several_fields_is_given_whole(bench: Bench) -> None:
    layout = layout_of(["property", "id"], property=TEXT, id=INTEGER, name=TEXT)
    plan = keyed_plan(layout, history=True)
    rows = [{"property": "elm", "id": 1, "name": "a"}, {"property": "oak", "id": 1, "name": "b"}]
    bench.sync(plan, layout=layout).commit(rows)
    with pytest.raises(UnknownName, match="a value for property, id"):
        purge(bench, key={"id": "1"})
    assert purge(bench, key={"id": "1", "property": "oak"}) == {"units": 1, "units__history": 1}
    assert bench.table("name") == [("a",)]


def test_the_history_of_a_key_from_before_its_type_was_widened_leaves(bench: Bench) -> None:
    narrow, wide = (layout_of(["id"], id=given, name=TEXT) for given in (INTEGER, TEXT))
    plan = keyed_plan(narrow, history=True)
    bench.sync(plan, layout=narrow).commit([{"id": 1, "name": "a"}])
    bench.sync(plan, hours=1, layout=wide).commit([{"id": "1", "name": "b"}, {"id": "2", "name": "c"}])
    assert purge(bench, key={"": "1"}) == {"units": 1, "units__history": 2}


def test_the_parts_of_a_child_that_name_a_purged_parent_are_blanked(bench: Bench) -> None:
    child = replace(tenants_plan(), table=Table("pms", "notes"))
    child = replace(child, stream=replace(child.stream, name="notes"))
    bench.sync(tenants_plan(), layout=TENANTS).commit([tenant(7, OTHER)])
    bench.sync(child, layout=TENANTS).commit([], parts=[Part("7", problem="gone"), Part("8")])
    found = purge(bench, key={"id": "7"}, streams=("tenants",), children=("notes",))
    assert found["window_parts"] == 1
    parts = bench.query("select parent, problem from _propexo.window_parts order by 1")
    assert [parent.startswith("purged") for parent, _ in parts] == [False, True]
    assert [problem for _, problem in parts] == [None, "purged"]


@pytest.mark.parametrize(
    ("request_", "error", "match"),
    [
        ({"streams": ("tenant",), "identifier": CANARY}, UnknownName, "'tenant'.*Expected: one of tenants"),
        ({"fields": ("mail",), "identifier": CANARY}, UnknownName, "no requested stream has a field 'mail'"),
        ({"key": {"number": "1"}}, UnknownName, "a value for id"),
        ({"identifier": CANARY, "reason": f"For {CANARY.upper()}"}, ConfigurationError, "repeats"),
    ],
)
def test_what_cannot_be_done_is_told_without_the_value(
    bench: Bench, request_: dict[str, Any], error: type[ConfigurationError], match: str
) -> None:
    bench.sync(tenants_plan(), layout=TENANTS).commit([tenant(1, CANARY)])
    asked = PurgeRequest("acme", **request_)
    with pytest.raises(error, match=match) as caught:
        bench.session.purge(asked, NOON)
    assert CANARY not in str(caught.value)
    assert CANARY not in repr(asked)
    assert bench.session.purges("acme") == []


def test_an_unknown_connection_is_told(bench: Bench) -> None:
    with pytest.raises(UnknownName, match="nothing is stored of this connection"):
        purge(bench, identifier=CANARY)


def test_a_stream_without_a_key_is_purged_by_identifiers_only(bench: Bench) -> None:
    layout = layout_of([], email=TEXT)
    plan = keyed_plan(layout, mode=Mode.APPEND)
    bench.sync(plan, layout=layout).commit([{"email": CANARY}, {"email": OTHER}])
    with pytest.raises(NoKey, match="Purge by an identifier"):
        purge(bench, key={"email": CANARY})
    assert purge(bench, identifier=CANARY) == {"units": 1}


@pytest.mark.parametrize(
    ("given", "value", "written"),
    [
        (FieldType(Kind.DECIMAL, 18, 2), Decimal("1.50"), "1.5"),
        (DATE, date(2026, 3, 1), "2026-03-01"),
        (TIMESTAMP, NOON, "2026-03-01T13:00:00+01:00"),
        (DATETIME, datetime(2026, 3, 1, 12), "2026-03-01T12:00:00"),  # noqa: DTZ001 - a local time
        (TIME, time(1, 2, 3), "01:02:03"),
        (BOOLEAN, True, "true"),
        (FLOAT, 0.5, "0.5"),
        (BINARY, b"\x00\xff", "AP8="),
        (TEXT, 'O\'Neil "x"', 'O\'Neil "x"'),
        (JSON, '"a"', "a"),
    ],
)
def test_a_key_of_any_type_is_written_by_hand_and_does_not_come_back(
    bench: Bench, given: FieldType, value: Any, written: str
) -> None:
    layout = layout_of(["id"], id=given, name=TEXT)
    plan = keyed_plan(layout, history=True)
    record = {"id": value, "name": "a"}
    bench.sync(plan, layout=layout).commit([record])
    assert purge(bench, key={"id": written}, is_suppressed=True) == {"units": 1, "units__history": 1}
    assert bench.sync(plan, hours=1, layout=layout).commit([record]).suppressed == 1


def test_a_rewritten_file_is_the_same_file_without_the_old_bytes(tmp_path: Path) -> None:
    settings = {"path": str(tmp_path / "people.duckdb")}
    destination = configured("duckdb", settings)
    with destination.open() as session:
        bench = Bench("duckdb", destination, session, lambda sql: ask("duckdb", settings, sql), settings)
        fill(bench, tenants_plan())
        bench.query("create view pms.names as select name from pms.tenants")
        purge(bench, identifier=CANARY)
        before = sorted(dump(bench))
    assert CANARY.encode() in Path(settings["path"]).read_bytes()
    assert "was written anew" in destination.rewrite()
    assert CANARY.encode() not in Path(settings["path"]).read_bytes()
    assert [file.name for file in tmp_path.glob("people*")] == ["people.duckdb"]
    with destination.open() as session:
        bench = Bench("duckdb", destination, session, lambda sql: ask("duckdb", settings, sql), settings)
        assert sorted(dump(bench)) == before
        assert bench.query("select count(*) from pms.names") == [(2,)]
        window = bench.sync(tenants_plan(), hours=3, layout=TENANTS).commit([tenant(4, OTHER)])
        assert window.counts.new == 1


def test_a_postgresql_says_what_rewrites_it(postgres_url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"vacuum \(full\)"):
        configured("postgres", {"url": postgres_url}).rewrite()
