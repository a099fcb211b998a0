"""The table `<table>__history`: one row per committed change."""

import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest

from propexo_connect.model.errors import NoKey
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
from propexo_connect.model.ledger import Reading
from propexo_connect.model.stream import Mode
from propexo_connect_tests.destinations.kit import HOUR, NOON, Bench, keyed_plan, layout_of, unit, units_plan

HISTORY = units_plan(history=True)
READ_AFTER = timedelta(minutes=1)


def history(bench: Bench) -> list[dict[str, Any]]:
    """All rows, in the order of key and time, with before and after parsed."""
    names = ["key", "valid_from", "valid_to", "event", "before", "after", "sync_id", "reading"]
    rows = bench.query(
        "select key, valid_from, valid_to, event, cast(before as text), cast(after as text), "
        "sync_id, reading from pms.units__history order by key, valid_from, event"
    )
    found = [dict(zip(names, row, strict=True)) for row in rows]
    for row in found:
        for side in ("before", "after"):
            row[side] = None if row[side] is None else json.loads(row[side])
        for moment in ("valid_from", "valid_to"):
            row[moment] = row[moment] and row[moment].astimezone(UTC)
    return found


def test_a_new_record_is_written_with_all_its_fields(bench: Bench) -> None:
    bench.sync(HISTORY).commit([unit(1, "a", None)])
    assert history(bench) == [
        {
            "key": '{"id":1}',
            "valid_from": NOON + READ_AFTER,
            "valid_to": None,
            "event": "new",
            "before": None,
            "after": {"id": 1, "name": "a", "updated_at": None},
            "sync_id": "sync-1",
            "reading": "recurring",
        }
    ]


def test_a_change_is_written_with_the_changed_fields_alone(bench: Bench) -> None:
    bench.sync(HISTORY).commit([unit(1, "a")])
    bench.sync(HISTORY, hours=1, reading=Reading.BACKSYNC).commit([unit(1, "b")])
    first, second = history(bench)
    assert first["valid_to"] == second["valid_from"] == NOON + HOUR + READ_AFTER
    assert second["valid_to"] is None
    assert (second["before"], second["after"]) == ({"name": "a"}, {"name": "b"})
    assert (second["event"], second["reading"], second["sync_id"]) == ("update", "backsync", "sync-2")


def test_what_did_not_change_leaves_no_row(bench: Bench) -> None:
    bench.sync(HISTORY).commit([unit(1, "a", 5)])
    bench.sync(HISTORY, hours=1).commit([unit(1, "a", 5)])
    bench.sync(HISTORY, hours=2).commit([unit(1, "older", 4)])
    assert len(history(bench)) == 1


def test_a_value_that_comes_or_goes_is_a_change(bench: Bench) -> None:
    bench.sync(HISTORY).commit([unit(1, "a", None)])
    bench.sync(HISTORY, hours=1).commit([unit(1, "a", 1)])
    assert history(bench)[1]["before"] == {"updated_at": None}
    assert history(bench)[1]["after"] == {"updated_at": "2026-03-01T13:00:00.000000Z"}


def test_versions_in_the_mode_append_have_a_history_too(bench: Bench) -> None:
    plan = units_plan(history=True, mode=Mode.APPEND)
    bench.sync(plan).commit([unit(1, "a")])
    bench.sync(plan, hours=1).commit([unit(1, "b")])
    assert [(row["event"], row["before"]) for row in history(bench)] == [
        ("new", None),
        ("update", {"name": "a"}),
    ]


@pytest.mark.parametrize("left", [0, 1])
def test_the_version_of_what_a_swap_drops_ends(bench: Bench, left: int) -> None:
    plan = units_plan(history=True, mode=Mode.OVERWRITE, allow_empty=True)
    bench.sync(plan, reading=Reading.FULL).commit([unit(1, "a"), unit(2, "b")])
    bench.sync(plan, hours=1, reading=Reading.FULL).commit([unit(1, "a")][:left])
    ends = [row["valid_to"] for row in history(bench)]
    assert ends == [None if left else NOON + HOUR, NOON + HOUR]


def test_history_may_be_switched_on_later(bench: Bench) -> None:
    bench.sync().commit([unit(1, "a")])
    bench.sync(HISTORY, hours=1).commit([unit(1, "b")])
    first, second = history(bench)
    assert (first["event"], first["reading"], first["sync_id"]) == ("new", "baseline", "sync-1")
    assert (first["valid_from"], first["valid_to"]) == (NOON + READ_AFTER, NOON + HOUR + READ_AFTER)
    assert (first["before"], first["after"]["name"]) == (None, "a")
    assert (second["event"], second["before"], second["after"]) == ("update", {"name": "a"}, {"name": "b"})


def test_a_history_begins_with_what_stands_in_the_table_although_nothing_changes(bench: Bench) -> None:
    bench.sync().commit([unit(1, "a"), unit(2, "b")])
    bench.sync(HISTORY, hours=1).commit([])
    bench.sync(HISTORY, hours=2).commit([])
    assert [(row["key"], row["reading"]) for row in history(bench)] == [
        ('{"id":1}', "baseline"),
        ('{"id":2}', "baseline"),
    ]


def test_the_history_of_versions_begins_with_the_latest_of_each_key(bench: Bench) -> None:
    bench.sync(units_plan(mode=Mode.APPEND)).commit([unit(1, "a")])
    bench.sync(units_plan(mode=Mode.APPEND), hours=1).commit([unit(1, "b")])
    bench.sync(units_plan(mode=Mode.APPEND, history=True), hours=2).commit([])
    assert [row["after"]["name"] for row in history(bench)] == ["b"]


def test_an_older_record_of_a_backsync_is_no_change(bench: Bench) -> None:
    bench.sync(HISTORY).commit([unit(1, "a", 5)])
    bench.sync(HISTORY, hours=1, reading=Reading.BACKSYNC).commit([unit(1, "old", 1), unit(2, "b", 1)])
    assert [(row["key"], row["reading"]) for row in history(bench)] == [
        ('{"id":1}', "recurring"),
        ('{"id":2}', "backsync"),
    ]


def test_versions_never_end_before_they_begin(bench: Bench) -> None:
    """A newer cursor from an earlier read, as a backsync may bring it."""
    bench.sync(HISTORY).commit([unit(1, "a", 0)], read_at=NOON + 5 * HOUR)
    bench.sync(HISTORY, hours=1).commit([unit(1, "b", 1)], read_at=NOON + 3 * HOUR)
    bench.sync(HISTORY, hours=2).commit([unit(1, "c", 2)], read_at=NOON + 4 * HOUR)
    rows = sorted(history(bench), key=lambda row: json.dumps(row["after"]))
    assert all(row["valid_to"] is None or row["valid_to"] >= row["valid_from"] for row in rows)
    assert sum(row["valid_to"] is None for row in rows) == 1


def test_every_kind_of_value_is_told_alike_by_both_destinations(bench: Bench) -> None:
    layout = layout_of(
        ["id"],
        id=INTEGER,
        text=TEXT,
        number=FieldType(Kind.DECIMAL, 38, 9),
        ratio=FLOAT,
        flag=BOOLEAN,
        day=DATE,
        at=TIMESTAMP,
        local=DATETIME,
        clock=TIME,
        nested=JSON,
        raw=BINARY,
    )
    plan = keyed_plan(layout, history=True)
    record = {
        "id": 2**63 - 1,
        "text": 'say "hé"\\\n',
        "number": Decimal("12345678901234567890123456789.123456789"),
        "ratio": 0.1,
        "flag": True,
        "day": date(1, 1, 1),
        "at": datetime(2026, 1, 1, 0, 0, 0, 120000, UTC),
        "local": datetime(9999, 12, 31, 23, 59, 59, 999999),  # noqa: DTZ001 - a local time
        "clock": time(12, 30, 45, 500000),
        "nested": '{"a":[1,null]}',
        "raw": b"\x00" * 60,
    }
    bench.sync(plan, layout=layout).commit([record])
    raw = bench.query("select cast(after as text) from pms.units__history")[0][0]
    told = json.loads(raw, parse_float=Decimal)
    assert told == {
        **record,
        "ratio": Decimal("0.1"),
        "day": "0001-01-01",
        "at": "2026-01-01T00:00:00.120000Z",
        "local": "9999-12-31T23:59:59.999999",
        "clock": "12:30:45.5",
        "nested": {"a": [1, None]},
        "raw": "A" * 80,
    }


def test_more_columns_than_one_call_takes_arguments(bench: Bench) -> None:
    layout = layout_of(["id"], id=INTEGER, **{f"field_{number}": TEXT for number in range(130)})
    plan = keyed_plan(layout, history=True)
    bench.sync(plan, layout=layout).commit([{"id": 1, "field_7": "a"}])
    bench.sync(plan, hours=1, layout=layout).commit([{"id": 1, "field_7": "b", "field_129": "c"}])
    assert history(bench)[1]["after"] == {"field_7": "b", "field_129": "c"}


def test_keys_of_all_parts_stand_in_the_key(bench: Bench) -> None:
    layout = layout_of(["b", "a"], a=TEXT, b=INTEGER, c=TEXT)
    plan = keyed_plan(layout, history=True)
    bench.sync(plan, layout=layout).commit([{"a": "x'\"", "b": 1, "c": "1"}])
    bench.sync(plan, hours=1, layout=layout).commit([{"a": "x'\"", "b": 1, "c": "2"}])
    assert [row["key"] for row in history(bench)] == ['{"b":1,"a":"x\'\\""}'] * 2
    assert history(bench)[0]["valid_to"] is not None


def test_a_stream_without_a_key_has_no_history(bench: Bench) -> None:
    layout = layout_of([], line=TEXT)
    plan = keyed_plan(layout, history=True, mode=Mode.APPEND)
    with pytest.raises(NoKey, match="has no history"):
        bench.sync(plan, layout=layout).commit([{"line": "a"}])


def test_a_history_that_is_switched_off_ends_and_stays(bench: Bench) -> None:
    bench.sync(HISTORY).commit([unit(1, "a")])
    bench.sync(hours=1).commit([unit(1, "b")])
    bench.sync(hours=2).commit([unit(1, "c")])
    assert [(row["valid_to"], row["after"]["name"]) for row in history(bench)] == [(NOON + HOUR, "a")]


def test_a_history_that_is_taken_up_again_begins_anew(bench: Bench) -> None:
    bench.sync(HISTORY).commit([unit(1, "a"), unit(2, "x")])
    bench.sync(hours=1).commit([unit(1, "b")])
    bench.sync(HISTORY, hours=2).commit([])
    bench.sync(HISTORY, hours=3).commit([unit(1, "c")])
    told = [(row["reading"], row["valid_from"], row["after"]["name"]) for row in history(bench)]
    assert told == [
        ("recurring", NOON + READ_AFTER, "a"),
        ("baseline", NOON + HOUR + READ_AFTER, "b"),
        ("recurring", NOON + 3 * HOUR + READ_AFTER, "c"),
        ("recurring", NOON + READ_AFTER, "x"),
        ("baseline", NOON + HOUR, "x"),
    ]


def test_a_history_of_versions_that_is_switched_off_ends_with_the_latest(bench: Bench) -> None:
    plan = units_plan(history=True, mode=Mode.APPEND)
    bench.sync(plan).commit([unit(1, "a")])
    bench.sync(plan, hours=1).commit([unit(1, "b")])
    bench.sync(units_plan(mode=Mode.APPEND), hours=2).commit([])
    assert [row["after"]["name"] for row in history(bench)] == ["a", "b"]
    assert history(bench)[1]["after"]["id"] == 1


def test_a_history_from_before_there_was_a_baseline_gets_one(bench: Bench) -> None:
    bench.sync().commit([unit(1, "a")])
    bench.sync(HISTORY, hours=1).commit([unit(2, "b")])
    bench.query("delete from pms.units__history where reading = 'baseline'")
    bench.query("update _propexo.streams set keeps_history = null")
    bench.sync(HISTORY, hours=2).commit([])
    assert [row["reading"] for row in history(bench)] == ["baseline", "recurring"]
