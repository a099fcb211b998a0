"""The function `<table>__as_of(instant)`: records as they were known at an instant."""

from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from propexo_connect.destinations.as_of import bounds_of
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
from propexo_connect.model.layout import Column
from propexo_connect.model.ledger import Reading
from propexo_connect.model.stream import Mode
from propexo_connect_tests.destinations.kit import (
    HOUR,
    NOON,
    UNITS,
    Bench,
    keyed_plan,
    layout_of,
    unit,
    units_plan,
)

HISTORY = units_plan(history=True)


def as_of(bench: Bench, hours: float, columns: str = "id, name") -> list[tuple[Any, ...]]:
    """The records as of so many hours after noon, in the order of their columns."""
    at = (NOON + hours * HOUR).isoformat()
    return bench.table(columns, of=f"pms.units__as_of('{at}')")


def test_each_instant_has_the_records_that_were_known_then(bench: Bench) -> None:
    bench.sync(HISTORY).commit([unit(1, "a")])
    bench.sync(HISTORY, hours=1).commit([unit(1, "b"), unit(2, "x")])
    bench.sync(HISTORY, hours=2).commit([unit(1, "c")])
    assert as_of(bench, -1) == []
    assert as_of(bench, 0.5) == [(1, "a")]
    assert as_of(bench, 1.5) == [(1, "b"), (2, "x")]
    assert as_of(bench, 9) == [(1, "c"), (2, "x")]


def test_a_version_tells_from_when_to_when_it_held(bench: Bench) -> None:
    bench.sync(HISTORY).commit([unit(1, "a")], read_at=NOON)
    bench.sync(HISTORY, hours=1).commit([unit(1, "b")], read_at=NOON + HOUR)
    assert as_of(bench, 0.5, "valid_from, valid_to") == [(NOON, NOON + HOUR)]
    assert as_of(bench, 0, "name") == [("a",)]
    assert as_of(bench, 1, "name, valid_to") == [("b", None)]


def test_what_stood_in_the_table_before_its_history_is_known_since_it_was_read(bench: Bench) -> None:
    bench.sync().commit([unit(1, "a")])
    bench.sync(HISTORY, hours=1).commit([unit(1, "b")])
    assert as_of(bench, 0.5) == [(1, "a")]
    assert as_of(bench, 2) == [(1, "b")]


def test_a_column_that_came_later_is_null_before(bench: Bench) -> None:
    wider = UNITS.with_columns((Column("extra", "extra", INTEGER, is_declared=False),))
    bench.sync(HISTORY).commit([unit(1, "a"), unit(2, "b")])
    bench.sync(HISTORY, hours=1, layout=wider).commit([{**unit(1, "a"), "extra": 7}])
    assert as_of(bench, 0.5, "id, extra") == [(1, None), (2, None)]
    assert as_of(bench, 2, "id, extra") == [(1, 7), (2, None)]


def test_values_from_before_a_widening_have_the_new_type(bench: Bench) -> None:
    before = layout_of(
        ["id"], id=INTEGER, number=INTEGER, text=BOOLEAN, day=DATE, exact=FieldType(Kind.DECIMAL, 9, 2)
    )
    after = layout_of(
        ["id"], id=INTEGER, number=FLOAT, text=TEXT, day=TIMESTAMP, exact=FieldType(Kind.DECIMAL, 12, 3)
    )
    plan = keyed_plan(before, history=True)
    old = {"id": 1, "number": 1, "text": True, "day": date(2026, 1, 2), "exact": Decimal("1.10")}
    new = {"id": 1, "number": 0.5, "text": "no", "day": NOON, "exact": Decimal("2.125")}
    bench.sync(plan, layout=before).commit([old])
    bench.sync(plan, hours=1, layout=after).commit([new])
    instant = datetime(2026, 1, 2, tzinfo=UTC)
    assert as_of(bench, 0.5, "number, text, day, exact") == [(1.0, "true", instant, Decimal("1.100"))]


def test_a_key_that_was_widened_stays_the_same_record(bench: Bench) -> None:
    wider = layout_of(["id"], id=TEXT, name=TEXT, updated_at=TIMESTAMP)
    before = layout_of(["id"], id=INTEGER, name=TEXT, updated_at=TIMESTAMP)
    plan = keyed_plan(before, history=True)
    bench.sync(plan, layout=before).commit([unit(1, "a")])
    bench.sync(plan, hours=1, layout=wider).commit([{**unit(1, "b"), "id": "1"}])
    assert as_of(bench, 0.5) == [("1", "a")]
    assert as_of(bench, 2) == [("1", "b")]
    assert bench.query("select count(*) from pms.units__history where valid_to is null") == [(1,)]


def test_every_kind_of_value_comes_back_as_it_was(bench: Bench) -> None:
    types = {
        "id": INTEGER,
        "text": TEXT,
        "number": FieldType(Kind.DECIMAL, 38, 9),
        "ratio": FLOAT,
        "flag": BOOLEAN,
        "day": DATE,
        "at": TIMESTAMP,
        "local": DATETIME,
        "clock": TIME,
        "raw": BINARY,
        "big": INTEGER,
        "nested": JSON,
    }
    layout = layout_of(["id"], **types)
    plan = keyed_plan(layout, history=True)
    record = {
        "id": 1,
        "text": 'say "hé"\\\n',
        "number": Decimal("12345678901234567890123456789.123456789"),
        "ratio": 0.1,
        "flag": True,
        "day": date(1, 1, 1),
        "at": datetime(2026, 1, 1, 0, 0, 0, 120000, UTC),
        "local": datetime(9999, 12, 31, 23, 59, 59, 999999),  # noqa: DTZ001 - a local time
        "clock": time(12, 30, 45, 500000),
        "raw": b"\x00" * 60,
        "big": -(2**63),
        "nested": '{"number":1.5,"a":[1,null]}',
    }
    bench.sync(plan, layout=layout).commit([record])
    bench.sync(plan, hours=1, layout=layout).commit([{"id": 1}])
    plain = ", ".join(f'"{name}"' for name in types if name != "nested")
    at = (NOON + HOUR / 2).isoformat()
    (found,) = bench.query(f"select {plain} from pms.units__as_of('{at}')")
    told = dict(zip((name for name in types if name != "nested"), found, strict=True))
    assert told.pop("at").astimezone(UTC) == record["at"]
    assert told == {name: value for name, value in record.items() if name not in {"nested", "at"}}
    nested = bench.query(f"select replace(cast(nested as text), ' ', '') from pms.units__as_of('{at}')")
    assert nested[0][0] in {'{"number":1.5,"a":[1,null]}', '{"a":[1,null],"number":1.5}'}
    assert as_of(bench, 2, ", ".join(f'"{name}"' for name in types if name != "id")) == [(None,) * 11]


def test_keys_of_several_columns_are_told_apart(bench: Bench) -> None:
    layout = layout_of(["b", "a"], a=TEXT, b=INTEGER, c=TEXT)
    plan = keyed_plan(layout, history=True)
    first = [{"a": "x'\"", "b": 1, "c": "1"}, {"a": "y", "b": 1, "c": "1"}]
    bench.sync(plan, layout=layout).commit(first)
    bench.sync(plan, hours=1, layout=layout).commit([{"a": "y", "b": 1, "c": "2"}])
    assert as_of(bench, 0.5, "a, b, c") == [("x'\"", 1, "1"), ("y", 1, "1")]
    assert as_of(bench, 2, "a, b, c") == [("x'\"", 1, "1"), ("y", 1, "2")]


def test_changes_out_of_order_of_their_reading_are_undone_in_the_order_of_their_commits(bench: Bench) -> None:
    bench.sync(HISTORY).commit([unit(1, "a", 0)], read_at=NOON + 5 * HOUR)
    bench.sync(HISTORY, hours=1, reading=Reading.BACKSYNC).commit([unit(1, "b", 1)], read_at=NOON + 3 * HOUR)
    bench.sync(HISTORY, hours=2).commit([unit(1, "c", 2)], read_at=NOON + 4 * HOUR)
    assert as_of(bench, 4.9) == []
    assert as_of(bench, 5) == [(1, "a")]
    assert as_of(bench, 6) == [(1, "c")]


def test_what_a_swap_dropped_is_there_up_to_then(bench: Bench) -> None:
    plan = units_plan(history=True, mode=Mode.OVERWRITE, allow_empty=True)
    bench.sync(plan, reading=Reading.FULL).commit([unit(1, "a"), unit(2, "b")])
    bench.sync(plan, hours=1, reading=Reading.FULL).commit([unit(1, "a"), unit(2, "c")])
    bench.sync(plan, hours=2, reading=Reading.FULL).commit([unit(1, "a")])
    bench.sync(plan, hours=3, reading=Reading.FULL).commit([])
    bench.sync(plan, hours=4, reading=Reading.FULL).commit([unit(2, "d")])
    assert as_of(bench, 0.5) == [(1, "a"), (2, "b")]
    assert as_of(bench, 1.5) == [(1, "a"), (2, "c")]
    assert as_of(bench, 2.5) == [(1, "a")]
    assert as_of(bench, 3.5) == []
    assert as_of(bench, 5) == [(2, "d")]


def test_of_versions_in_the_mode_append_the_one_that_held_is_told(bench: Bench) -> None:
    plan = units_plan(history=True, mode=Mode.APPEND)
    bench.sync(plan).commit([unit(1, "a")])
    bench.sync(plan, hours=1).commit([unit(1, "b")])
    assert as_of(bench, 0.5) == [(1, "a")]
    assert as_of(bench, 2) == [(1, "b")]


def test_columns_called_like_the_bounds_keep_their_names(bench: Bench) -> None:
    layout = layout_of(["id"], id=INTEGER, valid_from=TEXT, at=TEXT)
    plan = keyed_plan(layout, history=True)
    bench.sync(plan, layout=layout).commit([{"id": 1, "valid_from": "a", "at": "b"}])
    assert bounds_of(layout) == ("_propexo_valid_from", "_propexo_valid_to")
    assert as_of(bench, 2, 'valid_from, "at", _propexo_valid_to') == [("a", "b", None)]


def test_as_many_columns_as_a_wide_stream_has(bench: Bench) -> None:
    layout = layout_of(["id"], id=INTEGER, **{f"field_{number}": TEXT for number in range(130)})
    plan = keyed_plan(layout, history=True)
    bench.sync(plan, layout=layout).commit([{"id": 1, "field_129": "a"}])
    bench.sync(plan, hours=1, layout=layout).commit([{"id": 1, "field_129": "b"}])
    assert as_of(bench, 0.5, "field_0, field_129") == [(None, "a")]


def test_the_time_zone_of_who_asks_changes_no_value(bench: Bench) -> None:
    bench.sync(HISTORY).commit([unit(1, "a", 0)])
    bench.sync(HISTORY, hours=1).commit([unit(1, "b", 1)])
    bench.query("set timezone = 'Asia/Tokyo'") if bench.name == "duckdb" else None
    assert as_of(bench, 0.5, "updated_at") == [(NOON,)]


def test_pruning_loses_nothing_within_the_horizon(bench: Bench) -> None:
    plan = units_plan(history=True, mode=Mode.OVERWRITE)
    plain = replace(plan, stream=plan.stream)
    for hour, names in enumerate(("ax", "bx", "cy", "d")):
        records = [unit(number, name) for number, name in enumerate(names)]
        bench.sync(plain, hours=hour, reading=Reading.FULL).commit(records)
    expected = [as_of(bench, hour + 0.5) for hour in (2, 3)]
    pruned = bench.session.prune_history(plan, NOON + 2.5 * HOUR)
    assert pruned == 3
    assert [as_of(bench, hour + 0.5) for hour in (2, 3)] == expected == [[(0, "c"), (1, "y")], [(0, "d")]]
    assert as_of(bench, 0.5) == []


def test_while_a_history_was_off_nothing_is_told(bench: Bench) -> None:
    bench.sync(HISTORY).commit([unit(1, "a")])
    bench.sync(hours=1).commit([unit(1, "b")])
    assert as_of(bench, 0.5) == [(1, "a")]
    assert as_of(bench, 1.5) == []
    bench.sync(HISTORY, hours=2).commit([unit(1, "b")])
    bench.sync(HISTORY, hours=3).commit([unit(1, "c")])
    assert [as_of(bench, hours) for hours in (0.5, 2.5, 4)] == [[(1, "a")], [(1, "b")], [(1, "c")]]


def test_a_column_that_widens_while_the_history_is_off_changes_the_function_too(bench: Bench) -> None:
    narrow = layout_of(["id"], id=INTEGER, value=INTEGER)
    wide = layout_of(["id"], id=INTEGER, value=TEXT)
    bench.sync(keyed_plan(narrow, history=True), layout=narrow).commit([{"id": 1, "value": 7}])
    bench.sync(keyed_plan(narrow), hours=1, layout=wide).commit([{"id": 1, "value": "x"}])
    assert as_of(bench, 0.5, "id, value") == [(1, "7")]
