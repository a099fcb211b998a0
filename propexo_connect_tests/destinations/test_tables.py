"""Tables: whose they are, how they grow, and what they hold exactly."""

from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest

from propexo_connect.destinations.schema import can_widen
from propexo_connect.model.errors import ConfigurationError, DestinationBusy
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
from propexo_connect.model.layout import Change, Column, Layout
from propexo_connect.model.names import ROW_COLUMNS
from propexo_connect.model.stream import Mode, Table
from propexo_connect_tests.destinations.kit import (
    NOON,
    UNITS,
    Bench,
    keyed_plan,
    layout_of,
    stored_layout,
    unit,
    units_plan,
)

WIDE_DECIMAL = FieldType(Kind.DECIMAL, 38, 18)


def columns_of(bench: Bench, table: str = "units") -> list[str]:
    """The columns of a table in their order."""
    rows = bench.query(
        f"select column_name from information_schema.columns where table_name = '{table}' "
        "order by ordinal_position"
    )
    return [row[0] for row in rows]


def test_a_table_has_the_streams_columns_and_then_ours(bench: Bench) -> None:
    bench.sync().commit([unit(1, "a")])
    assert columns_of(bench) == ["id", "name", "updated_at", *ROW_COLUMNS]


def test_the_map_from_fields_to_columns_is_stored(bench: Bench) -> None:
    bench.sync().commit([unit(1, "a")])
    assert stored_layout(bench.session, units_plan()) == UNITS


def test_a_new_field_becomes_a_column(bench: Bench) -> None:
    bench.sync().commit([unit(1, "a")])
    wider = UNITS.with_columns((Column("newField", "new_field", TEXT, is_declared=False),))
    sync = bench.sync(hours=1, layout=wider)
    drift = (Change("added", "newField", "new_field", None, "text"),)
    sync.commit([{**unit(2, "b"), "new_field": "x"}], drift=drift)
    assert bench.table("id, new_field") == [(1, None), (2, "x")]
    assert stored_layout(bench.session, units_plan()) == wider
    columns = 'connection, stream, sync_id, changed_at, kind, field, "column", "before", "after"'
    assert bench.table(columns, "_propexo.schema_changes") == [
        ("acme", "units", "sync-2", sync.started_at, "added", "newField", "new_field", None, "text")
    ]


@pytest.mark.parametrize(
    ("before", "value", "after", "stored"),
    [
        (INTEGER, 2**63 - 1, WIDE_DECIMAL, Decimal(2**63 - 1)),
        (INTEGER, -7, TEXT, "-7"),
        (BOOLEAN, True, TEXT, "true"),
        (DATE, date(1, 1, 1), TEXT, "0001-01-01"),
        (FieldType(Kind.DECIMAL, 18, 2), Decimal("1.10"), WIDE_DECIMAL, Decimal("1.10")),
        (FieldType(Kind.DECIMAL, 18, 2), Decimal("1.10"), TEXT, "1.10"),
        (FLOAT, 0.1, TEXT, "0.1"),
        (TIME, time(1, 2, 3), TEXT, "01:02:03"),
        (TIMESTAMP, datetime(2026, 1, 1, tzinfo=UTC), TEXT, "2026-01-01T00:00:00.000000Z"),
        (DATETIME, datetime(2026, 1, 1), TEXT, "2026-01-01T00:00:00.000000"),  # noqa: DTZ001 - a local time
        (DATE, date(2026, 1, 1), DATETIME, datetime(2026, 1, 1)),  # noqa: DTZ001 - a local time
    ],
)
def test_a_widened_column_keeps_what_it_held(
    bench: Bench, before: FieldType, value: Any, after: FieldType, stored: Any
) -> None:
    narrow = layout_of(["id"], id=INTEGER, value=before)
    plan = keyed_plan(narrow)
    bench.sync(plan, layout=narrow).commit([{"id": 1, "value": value}])
    wide = layout_of(["id"], id=INTEGER, value=after)
    bench.sync(plan, hours=1, layout=wide).commit([{"id": 2}])
    assert bench.table("id, value") == [(1, stored), (2, None)]
    assert stored_layout(bench.session, plan) == wide


def test_text_becomes_json_and_json_text(bench: Bench) -> None:
    text = layout_of(["id"], id=INTEGER, value=TEXT)
    plan = keyed_plan(text)
    bench.sync(plan, layout=text).commit([{"id": 1, "value": 'a "b"'}])
    nested = layout_of(["id"], id=INTEGER, value=JSON)
    bench.sync(plan, hours=1, layout=nested).commit([{"id": 2, "value": "[1]"}])
    assert bench.table("id, cast(value as text)") == [(1, '"a \\"b\\""'), (2, "[1]")]


def test_a_key_column_may_be_widened(bench: Bench) -> None:
    narrow, wide = layout_of(["id"], id=INTEGER), layout_of(["id"], id=TEXT)
    plan = keyed_plan(narrow)
    bench.sync(plan, layout=narrow).commit([{"id": 1}])
    window = bench.sync(plan, hours=1, layout=wide).commit([{"id": "1"}, {"id": "a"}])
    assert (window.counts.new, window.counts.unchanged) == (1, 1)
    assert bench.table("id") == [("1",), ("a",)]


def test_a_step_typed_before_the_table_grew_must_be_typed_again(bench: Bench) -> None:
    """Another lane has added and widened columns in between."""
    layout = layout_of(["id"], id=INTEGER, value=INTEGER)
    plan = keyed_plan(layout)
    bench.sync(plan, layout=layout).commit([{"id": 1, "value": 1}])
    text = layout_of(["id"], id=INTEGER, value=TEXT, more=TEXT)
    bench.sync(plan, hours=1, layout=text).commit([{"id": 2, "value": "x"}])
    late = bench.sync(plan, hours=2, layout=layout)
    with pytest.raises(DestinationBusy, match="columns have changed"):
        late.commit([{"id": 1, "value": 3}])
    late.layout = layout_of(["id"], id=INTEGER, value=INTEGER, more=TEXT)
    with pytest.raises(DestinationBusy, match="columns have changed"):
        late.commit([{"id": 1, "value": 3}])


def test_widening_loses_nothing() -> None:
    assert can_widen(INTEGER, WIDE_DECIMAL)
    assert not can_widen(INTEGER, FieldType(Kind.DECIMAL, 38, 30))
    assert not can_widen(TEXT, INTEGER)
    assert not can_widen(WIDE_DECIMAL, FieldType(Kind.DECIMAL, 38, 9))
    assert not can_widen(BINARY, TEXT)


def test_a_table_of_another_connection_is_refused(bench: Bench) -> None:
    bench.sync().commit([unit(1, "a")])
    other = units_plan(connection="other")
    with pytest.raises(ConfigurationError, match=r"pms.units belongs to connection 'acme', stream 'units'"):
        stored_layout(bench.session, other)
    with pytest.raises(ConfigurationError, match="belongs to connection 'acme'"):
        bench.sync(other).commit([unit(2, "b")])
    assert bench.table() == [(1, "a")]


def test_a_table_that_nobody_registered_is_refused(bench: Bench) -> None:
    bench.query("create schema pms")
    bench.query("create table pms.units (id int)")
    with pytest.raises(ConfigurationError, match="no stream has made it"):
        stored_layout(bench.session, units_plan())
    with pytest.raises(ConfigurationError, match="no stream has made it"):
        bench.sync().commit([unit(1, "a")])
    assert bench.query("select count(*) from pms.units") == [(0,)]


def test_a_view_in_the_place_of_the_history_is_refused(bench: Bench) -> None:
    bench.sync().commit([unit(1, "a")])
    bench.query("create view pms.units__history as select 1 as one")
    with pytest.raises(ConfigurationError, match="units__history already"):
        bench.sync(units_plan(history=True), hours=1).commit([unit(2, "b")])
    assert bench.table() == [(1, "a")]


def test_a_table_that_was_dropped_by_hand_is_missed(bench: Bench) -> None:
    bench.sync().commit([unit(1, "a")])
    bench.query("alter table pms.units drop column name cascade")
    with pytest.raises(ConfigurationError, match=r"the columns name of the table pms.units are gone"):
        stored_layout(bench.session, units_plan())
    bench.query("drop table pms.units cascade")
    with pytest.raises(ConfigurationError, match=r"the table pms.units is gone"):
        stored_layout(bench.session, units_plan())


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"table": Table("pms", "flats")}, "was stored in the table pms.units"),
        ({"stream": replace(units_plan().stream, key=("name",))}, r"filled by the key \(id\)"),
    ],
)
def test_another_key_or_table_than_before_is_refused(bench: Bench, change: dict[str, Any], told: str) -> None:
    bench.sync().commit([unit(1, "a")])
    with pytest.raises(ConfigurationError, match=told):
        stored_layout(bench.session, units_plan(**change))


def test_a_table_of_versions_cannot_be_merged_into(bench: Bench) -> None:
    bench.sync(units_plan(mode=Mode.APPEND)).commit([unit(1, "a")])
    with pytest.raises(ConfigurationError, match="keeps all versions"):
        stored_layout(bench.session, units_plan())


NAMES = [
    "select",
    "order",
    'quo"te',
    "it's",
    "semi; drop table x; --",
    "$1",
    "%s",
    "back\\slash",
    "dot.ted",
    "x" * 63,
    "é" * 31,
    "row",
    "place",
    "verdict",
    "older",
    "key",
    "with space",
]


def test_any_column_name_is_only_a_name(bench: Bench) -> None:
    layout = Layout((Column("id", "id", INTEGER), *(Column(name, name, TEXT) for name in NAMES)), ("id",))
    for mode in (Mode.MERGE, Mode.APPEND):
        plan = keyed_plan(
            layout, history=True, mode=mode, table=Table("a\"b'; --", f"t {mode} %s"), connection=mode
        )
        first = {"id": 1, **{name: name for name in NAMES}}
        second = {"id": 1, **{name: f"{name}!" for name in NAMES}}
        bench.sync(plan, layout=layout).commit([first])
        assert bench.sync(plan, hours=1, layout=layout).commit([second]).counts.changed == 1
        reader = bench.destination.read_table(
            plan.table.schema, plan.table.name, ["_propexo_sync_id", *NAMES]
        )
        latest = [row for row in reader.read_all().to_pylist() if row["_propexo_sync_id"] == "sync-2"]
        assert [{name: row[name] for name in NAMES} for row in latest] == [
            {name: f"{name}!" for name in NAMES}
        ]
        assert stored_layout(bench.session, plan) == layout


def test_odd_names_of_connections_and_streams_are_only_values(bench: Bench) -> None:
    stream = replace(units_plan().stream, name="u'); drop schema _propexo; --")
    plan = units_plan(connection="$1 %s \\ é'\"", stream=stream)
    window = bench.sync(plan).commit([unit(1, "a")])
    assert bench.session.windows(plan) == [window]


ALL_KINDS = layout_of(
    ["id"],
    id=INTEGER,
    text=TEXT,
    number=FieldType(Kind.DECIMAL, 38, 9),
    share=FieldType(Kind.DECIMAL, 38, 38),
    whole=FieldType(Kind.DECIMAL, 38, 0),
    ratio=FLOAT,
    flag=BOOLEAN,
    day=DATE,
    at=TIMESTAMP,
    local=DATETIME,
    clock=TIME,
    raw=BINARY,
)
LOW = {
    "id": -(2**63),
    "text": "",
    "number": Decimal("-0.000000001"),
    "share": Decimal("-0." + "9" * 38),
    "whole": Decimal("-" + "9" * 38),
    "ratio": -5e-324,
    "flag": False,
    "day": date(1, 1, 1),
    "at": datetime(1, 1, 1, tzinfo=UTC),
    "local": datetime(1, 1, 1),  # noqa: DTZ001 - a local time
    "clock": time(0),
    "raw": b"",
}
HIGH = {
    "id": 2**63 - 1,
    "text": "\x01\u202e😀\U0010ffff\n\\u0000 é e\u0301 " * 100,
    "number": Decimal("99999999999999999999999999999.999999999"),
    "share": Decimal("0." + "0" * 37 + "1"),
    "whole": Decimal("9" * 38),
    "ratio": 1.7976931348623157e308,
    "flag": True,
    "day": date(9999, 12, 31),
    "at": datetime(9999, 12, 31, 23, 59, 59, 999999, UTC),
    "local": datetime(1969, 12, 31, 23, 59, 59, 123457),  # noqa: DTZ001 - a local time
    "clock": time(23, 59, 59, 999999),
    "raw": bytes(range(256)),
}
NOTHING = {**dict.fromkeys(LOW), "id": 0}


def test_values_at_the_edges_are_stored_exactly(bench: Bench) -> None:
    """And read back exactly, and updated to one another."""
    plan = keyed_plan(ALL_KINDS)
    sync = bench.sync(plan, layout=ALL_KINDS)
    sync.commit([LOW, NOTHING, HIGH])
    names = list(LOW)
    found = bench.destination.read_table("pms", "units", names).read_all().to_pylist()
    assert sorted(found, key=lambda row: row["id"]) == [LOW, NOTHING, HIGH]
    later = bench.sync(plan, hours=1, layout=ALL_KINDS)
    assert later.commit([{**HIGH, "id": LOW["id"]}]).counts.changed == 1
    found = bench.destination.read_table("pms", "units", names).read_all().to_pylist()
    assert {**HIGH, "id": LOW["id"]} in found


def test_json_keeps_every_digit(bench: Bench) -> None:
    layout = layout_of(["id"], id=INTEGER, value=JSON)
    plan = keyed_plan(layout)
    texts = ["123456789012345678901234567890.12345678901234567890", '"x"', "null", "[]", '{"é":{"b":[true]}}']
    bench.sync(plan, layout=layout).commit(
        [{"id": number, "value": text} for number, text in enumerate(texts)]
    )
    found = [row[1].replace(" ", "") for row in bench.table("id, cast(value as text)")]
    assert found == texts


def test_the_meta_of_a_record_is_json(bench: Bench) -> None:
    sync = bench.sync()
    sync.commit([{**unit(1, "a"), "_propexo_meta": '{"misfits":{"a":1}}'}, unit(2, "b")])
    found = bench.table("id, cast(_propexo_meta as text)")
    assert [(key, meta and meta.replace(" ", "")) for key, meta in found] == [
        (1, '{"misfits":{"a":1}}'),
        (2, None),
    ]


def test_two_thousand_fields_fit_or_are_refused_with_the_remedy(bench: Bench) -> None:
    layout = layout_of(["id"], id=INTEGER, **{f"f{number}": TEXT for number in range(2_000)})
    sync = bench.sync(keyed_plan(layout), layout=layout)
    record = {"id": 1, "f1999": "x"}
    if bench.name == "duckdb":
        sync.commit([record])
        assert bench.table("id, f1999") == [(1, "x")]
    else:
        with pytest.raises(ConfigurationError, match="Select the fields"):
            sync.commit([record])


def test_a_stream_stands_in_one_transaction_with_its_ledger(bench: Bench) -> None:
    """A failing step leaves neither table nor name."""
    from propexo_connect.model.errors import Defect

    layout = layout_of(["id"], id=INTEGER)
    with pytest.raises(Defect):
        bench.sync(keyed_plan(layout), layout=layout).commit([{"id": 1}, {"id": 1}])
    assert stored_layout(bench.session, keyed_plan(layout)) is None
    assert columns_of(bench) == []
    assert NOON not in [row[0] for row in bench.query("select created_at from _propexo.streams")]
