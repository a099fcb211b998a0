"""The versions of one record, and the record as of an instant, as the command `diff` asks for them."""

import json
from collections.abc import Mapping

from propexo_connect.model.field import INTEGER, TEXT, TIMESTAMP, FieldType, Kind
from propexo_connect.model.ledger import Reading
from propexo_connect.model.stream import StreamPlan
from propexo_connect.model.version import Version
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


def versions_of(bench: Bench, key: Mapping[str, str], plan: StreamPlan = HISTORY) -> list[Version]:
    """All versions of a record of a stream with a history."""
    found = bench.session.versions(plan, key)
    assert found is not None
    return found


def test_versions_come_oldest_first_with_their_sync_and_reading(bench: Bench) -> None:
    bench.sync(HISTORY).commit([unit(1, "a"), unit(2, "x")])
    bench.sync(HISTORY, hours=1, reading=Reading.BACKSYNC).commit([unit(1, "b")])
    first, second = versions_of(bench, {"id": "1"})
    assert (first.event, first.reading, first.sync_id, first.before) == ("new", "recurring", "sync-1", None)
    assert first.valid_to == second.valid_from
    assert (second.event, second.reading, second.valid_to) == ("update", "backsync", None)
    assert json.loads(second.before or "") == {"name": "a"}
    assert json.loads(second.after or "") == {"name": "b"}


def test_a_record_that_never_was_has_no_versions(bench: Bench) -> None:
    bench.sync(HISTORY).commit([unit(1, "a")])
    assert versions_of(bench, {"id": "7"}) == []
    assert versions_of(bench, {"id": "no number; drop table x"}) == []


def test_a_stream_without_a_history_has_none(bench: Bench) -> None:
    bench.sync().commit([unit(1, "a")])
    assert bench.session.versions(units_plan(), {"id": "1"}) is None


def test_keys_of_several_columns_are_all_asked_for(bench: Bench) -> None:
    layout = layout_of(["b", "a"], a=TEXT, b=INTEGER, c=FieldType(Kind.DECIMAL, 38, 2))
    plan = keyed_plan(layout, history=True)
    records = [{"a": "x'\"", "b": 1, "c": None}, {"a": "y", "b": 1, "c": None}]
    bench.sync(plan, layout=layout).commit(records)
    assert len(versions_of(bench, {"b": "1", "a": "x'\""}, plan)) == 1


def test_one_record_is_told_as_of_an_instant(bench: Bench) -> None:
    bench.sync(HISTORY).commit([unit(1, "a"), unit(2, "x")])
    bench.sync(HISTORY, hours=1).commit([unit(1, "b")])
    key = versions_of(bench, {"id": "1"})[0].key
    found = bench.session.record_as_of(HISTORY, UNITS, key, NOON + HOUR / 2)
    assert found is not None
    assert json.loads(found.record) == {"id": 1, "name": "a", "updated_at": "2026-03-01T12:00:00.000000Z"}
    assert (found.valid_from, found.valid_to) == (NOON + HOUR / 60, NOON + HOUR + HOUR / 60)
    assert bench.session.record_as_of(HISTORY, UNITS, key, NOON - HOUR) is None


def test_keys_that_are_instants_are_asked_for_as_the_history_spells_them(bench: Bench) -> None:
    layout = layout_of(["at"], at=TIMESTAMP)
    plan = keyed_plan(layout, history=True)
    bench.sync(plan, layout=layout).commit([{"at": NOON}])
    assert len(versions_of(bench, {"at": "2026-03-01T12:00:00.000000Z"}, plan)) == 1
