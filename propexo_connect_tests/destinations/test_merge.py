"""The mode `merge`: what is inserted, what is updated, and what is only seen."""

from dataclasses import replace
from datetime import timedelta

import pytest

from propexo_connect.model.counts import Counts
from propexo_connect.model.errors import Defect, NoKey
from propexo_connect.model.field import INTEGER, TEXT
from propexo_connect.model.ledger import Reading
from propexo_connect_tests.destinations.kit import (
    HOUR,
    NOON,
    Bench,
    facts_of,
    keyed_plan,
    layout_of,
    progress_of,
    stored_layout,
    unit,
    units_plan,
)


def test_new_records_are_inserted(bench: Bench) -> None:
    window = bench.sync().commit([unit(1, "a"), unit(2, "b")])
    assert bench.table() == [(1, "a"), (2, "b")]
    assert window.counts == Counts(read=2, new=2)
    assert bench.seen() == {1: (0, 0, 0), 2: (0, 0, 0)}


def test_a_changed_record_is_updated_and_keeps_first_seen(bench: Bench) -> None:
    bench.sync().commit([unit(1, "a"), unit(2, "b")])
    window = bench.sync(hours=1).commit([unit(1, "z", 1)])
    assert window.counts == Counts(read=1, changed=1)
    assert bench.table("id, name, _propexo_sync_id") == [(1, "z", "sync-2"), (2, "b", "sync-1")]
    assert bench.seen() == {1: (0, 1, 1), 2: (0, 0, 0)}


def test_an_unchanged_record_moves_last_seen_alone(bench: Bench) -> None:
    bench.sync().commit([unit(1, "a"), unit(2, "b")])
    window = bench.sync(hours=1).commit([unit(1, "a")])
    assert window.counts == Counts(read=1, unchanged=1)
    assert bench.table("id, name, _propexo_sync_id") == [(1, "a", "sync-1"), (2, "b", "sync-1")]
    assert bench.seen() == {1: (0, 1, 0), 2: (0, 0, 0)}
    assert bench.table("_propexo_read_at") == [
        (NOON + timedelta(minutes=1),),
        (NOON + HOUR + timedelta(minutes=1),),
    ]


def test_last_seen_never_moves_back(bench: Bench) -> None:
    """A backsync that started before a recurring sync commits after it."""
    bench.sync(hours=2).commit([unit(1, "a")])
    early = bench.sync(hours=1, reading=Reading.BACKSYNC)
    early.commit([unit(1, "a")])
    assert bench.seen() == {1: (2, 2, 2)}
    early.commit([unit(1, "b", 1)])
    assert bench.table() == [(1, "b")]
    assert bench.seen() == {1: (2, 2, 2)}


def test_nothing_is_rewritten_where_last_seen_would_not_move(bench: Bench) -> None:
    """The same record again in the same sync, as tiles with a lookback bring it."""
    sync = bench.sync()
    sync.commit([unit(1, "a")])
    place = "xmin" if bench.name == "postgres" else "_propexo_read_at"
    before = bench.table(f"cast({place} as text)")
    window = sync.commit([unit(1, "a")], read_at=NOON + timedelta(minutes=5))
    assert window.counts == Counts(read=1, unchanged=1)
    assert bench.table(f"cast({place} as text)") == before


def test_a_record_with_an_older_cursor_changes_nothing(bench: Bench) -> None:
    bench.sync().commit([unit(1, "new", 5)])
    read_before = bench.table("_propexo_read_at")
    window = bench.sync(hours=1).commit([unit(1, "old", 4)])
    assert window.counts == Counts(read=1, superseded=1)
    assert bench.table() == [(1, "new")]
    assert bench.seen() == {1: (0, 1, 0)}
    assert bench.table("_propexo_read_at") == read_before


def test_a_null_cursor_is_older_than_any_value(bench: Bench) -> None:
    bench.sync().commit([unit(1, "dated", 0), unit(2, "undated", None)])
    window = bench.sync(hours=1).commit([unit(1, "undated", None), unit(2, "dated", -500)])
    assert window.counts == Counts(read=2, changed=1, superseded=1)
    assert bench.table() == [(1, "dated"), (2, "dated")]


def test_with_equal_cursors_the_later_read_wins(bench: Bench) -> None:
    bench.sync().commit([unit(1, "first"), unit(2, "first", None)], read_at=NOON)
    sync = bench.sync(hours=1)
    late = sync.commit([unit(1, "later"), unit(2, "later", None)], read_at=NOON + HOUR)
    early = sync.commit([unit(1, "earlier"), unit(2, "earlier", None)], read_at=NOON - HOUR)
    assert late.counts == Counts(read=2, changed=2)
    assert early.counts == Counts(read=2, superseded=2)
    assert bench.table() == [(1, "later"), (2, "later")]


def test_without_a_cursor_the_time_of_the_response_decides(bench: Bench) -> None:
    plan = units_plan(stream=replace(units_plan().stream, cursor=None))
    bench.sync(plan).commit([unit(1, "late", 9)], read_at=NOON + HOUR)
    window = bench.sync(plan, hours=2).commit([unit(1, "early", 99)], read_at=NOON)
    assert window.counts == Counts(read=1, superseded=1)
    assert bench.table() == [(1, "late")]


def test_force_believes_a_cursor_that_runs_backwards(bench: Bench) -> None:
    bench.sync().commit([unit(1, "new", 5)])
    sync = bench.sync(hours=1, reading=Reading.REPULL)
    assert sync.commit([unit(1, "restored", 1)], force=True).counts == Counts(read=1, changed=1)
    assert bench.table() == [(1, "restored")]


def test_force_does_not_believe_an_earlier_read(bench: Bench) -> None:
    bench.sync().commit([unit(1, "new")], read_at=NOON)
    sync = bench.sync(hours=1, reading=Reading.REPULL)
    assert sync.commit([unit(1, "stale")], read_at=NOON - HOUR, force=True).counts.superseded == 1
    assert bench.table() == [(1, "new")]


def test_text_cursors_are_ordered_by_their_bytes(bench: Bench) -> None:
    """Whatever collation the database has: 'B' comes before 'a'."""
    layout = layout_of(["id"], id=INTEGER, version=TEXT)
    plan = keyed_plan(layout, cursor="version")
    bench.sync(plan, layout=layout).commit([{"id": 1, "version": "a"}])
    window = bench.sync(plan, hours=1, layout=layout).commit([{"id": 1, "version": "B"}])
    assert window.counts.superseded == 1
    assert bench.table("id, version") == [(1, "a")]


def test_a_cursor_that_no_record_ever_carried_is_no_cursor(bench: Bench) -> None:
    layout = layout_of(["id"], id=INTEGER, name=TEXT)
    plan = keyed_plan(layout, cursor="updatedAt")
    bench.sync(plan, layout=layout).commit([{"id": 1, "name": "a"}])
    assert bench.sync(plan, hours=1, layout=layout).commit([{"id": 1, "name": "b"}]).counts.changed == 1


def test_all_parts_of_a_composite_key_count(bench: Bench) -> None:
    layout = layout_of(["property", "unit"], property=INTEGER, unit=TEXT, rent=INTEGER)
    plan = keyed_plan(layout)
    rows = [{"property": p, "unit": u, "rent": 1} for p in (1, 2) for u in ("A", "B")]
    bench.sync(plan, layout=layout).commit(rows)
    window = bench.sync(plan, hours=1, layout=layout).commit(
        [{"property": 1, "unit": "B", "rent": 2}, rows[2]]
    )
    assert window.counts == Counts(read=2, changed=1, unchanged=1)
    assert bench.table("property, unit, rent") == [(1, "A", 1), (1, "B", 2), (2, "A", 1), (2, "B", 1)]


def test_keys_that_look_alike_stay_apart(bench: Bench) -> None:
    keys = ["1", "01", "x", "x ", "X", "é", "e\u0301", "", " "]
    layout = layout_of(["id"], id=TEXT, name=TEXT)
    plan = keyed_plan(layout)
    records = [{"id": key, "name": key} for key in keys]
    assert bench.sync(plan, layout=layout).commit(records).counts.new == len(keys)
    assert bench.sync(plan, hours=1, layout=layout).commit(records).counts.unchanged == len(keys)
    assert {row[0] for row in bench.table("id")} == set(keys)


def test_all_four_verdicts_in_one_step_add_up(bench: Bench) -> None:
    bench.sync().commit([unit(1, "same"), unit(2, "before"), unit(3, "newer", 9)])
    window = bench.sync(hours=1).commit(
        [unit(1, "same"), unit(2, "after", 1), unit(3, "older", 8), unit(4, "new")],
        rejected=[{"read_at": NOON, "reason": "no key", "record": '{"name": "x"}'}],
        superseded=2,
    )
    assert window.counts == Counts(read=7, new=1, changed=1, unchanged=1, superseded=3, rejected=1)
    assert bench.table() == [(1, "same"), (2, "after"), (3, "newer"), (4, "new")]
    assert bench.session.windows(units_plan())[-1].counts == window.counts


def test_rejected_records_are_kept_raw_with_their_reason(bench: Bench) -> None:
    window = bench.sync().commit([], rejected=[{"read_at": NOON, "reason": "no key", "record": '{"a": 1}'}])
    assert window.counts == Counts(read=1, rejected=1)
    columns = "connection, stream, sync_id, read_at, reason, record"
    assert bench.table(columns, "_propexo.rejected_records") == [
        ("acme", "units", "sync-1", NOON, "no key", '{"a": 1}')
    ]


def test_a_step_without_records_still_proves_its_tile(bench: Bench) -> None:
    bench.sync().commit([])
    assert bench.table() == []
    assert progress_of(bench.session, units_plan(), "recurring").watermark == NOON


def test_a_stream_that_has_no_columns_yet_leaves_a_ledger_row_alone(bench: Bench) -> None:
    layout = layout_of(["id"])
    plan = keyed_plan(layout)
    bench.sync(plan, layout=layout).commit(
        [], rejected=[{"read_at": NOON, "reason": "no key", "record": "{}"}]
    )
    assert stored_layout(bench.session, plan) is None
    assert len(bench.session.windows(plan)) == 1
    assert facts_of(bench.session, plan).rejected_count == 1
    full = layout_of(["id"], id=INTEGER)
    assert bench.sync(plan, hours=1, layout=full).commit([{"id": 1}]).counts.new == 1


def test_the_same_key_twice_in_a_step_stores_nothing(bench: Bench) -> None:
    """The engine deduplicates; should it fail to, neither row may win in silence."""
    from propexo_connect.model.errors import ConnectError

    bench.sync().commit([unit(1, "a")])
    with pytest.raises(ConnectError):
        bench.sync(hours=1).commit([unit(7, "one"), unit(7, "two")])
    with pytest.raises(ConnectError):
        bench.sync(hours=1).commit([unit(1, "one", 2), unit(1, "two", 2)])
    assert bench.table() == [(1, "a")]
    assert len(bench.session.windows(units_plan())) == 1


def test_a_key_without_a_value_is_refused(bench: Bench) -> None:
    with pytest.raises(Defect, match="without a value in its key 'id'"):
        bench.sync().commit([{"id": None, "name": "x"}])


def test_records_without_a_key_cannot_be_merged(bench: Bench) -> None:
    layout = layout_of([], name=TEXT)
    with pytest.raises(NoKey):
        bench.sync(keyed_plan(layout), layout=layout).commit([{"name": "x"}])


def test_counts_that_do_not_add_up_roll_the_step_back(bench: Bench) -> None:
    """A row that vanishes between verdict and update would be such a case; here a trigger swallows it."""
    if bench.name == "duckdb":
        bench.sync().commit([unit(1, "a")])
        bench.query("insert into pms.units select * from pms.units")
        with pytest.raises(Defect, match="a key twice"):
            bench.sync(hours=1).commit([unit(1, "b", 1)])
    else:
        bench.sync().commit([unit(1, "a")])
        bench.query(
            "create function pms.swallow() returns trigger language plpgsql as 'begin return null; end'"
        )
        bench.query("create trigger s before update on pms.units for each row execute function pms.swallow()")
        with pytest.raises(Defect, match="do not add up"):
            bench.sync(hours=1).commit([unit(1, "b", 1)])
    assert len(bench.session.windows(units_plan())) == 1
    assert {row[1] for row in bench.table()} == {"a"}


def test_a_key_between_those_that_are_stored_is_judged(bench: Bench) -> None:
    """Steps whose keys lie apart are inserted at once; one that lies among them is looked up."""
    sync = bench.sync()
    sync.commit([unit(10, "a"), unit(20, "b")])
    assert sync.commit([unit(30, "c"), unit(40, "d")]).counts == Counts(read=2, new=2)
    assert sync.commit([unit(15, "e"), unit(20, "b"), unit(35, "f")]).counts == Counts(
        read=3, new=2, unchanged=1
    )
    assert [key for key, _ in bench.table()] == [10, 15, 20, 30, 35, 40]
