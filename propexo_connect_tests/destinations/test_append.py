"""The mode `append`: every version is a row, and a version is never stored twice."""

from datetime import timedelta

from propexo_connect.model.counts import Counts
from propexo_connect.model.field import INTEGER, TEXT
from propexo_connect.model.stream import Mode
from propexo_connect_tests.destinations.kit import HOUR, NOON, Bench, keyed_plan, layout_of, unit, units_plan

APPEND = units_plan(mode=Mode.APPEND)

LINES = layout_of([], line=TEXT, amount=INTEGER)
KEYLESS = keyed_plan(LINES, mode=Mode.APPEND)


def test_each_new_version_of_a_record_is_a_row(bench: Bench) -> None:
    bench.sync(APPEND).commit([unit(1, "a")])
    window = bench.sync(APPEND, hours=1).commit([unit(1, "b", 1), unit(2, "x")])
    assert window.counts == Counts(read=2, new=1, changed=1)
    assert bench.table() == [(1, "a"), (1, "b"), (2, "x")]


def test_a_version_keeps_the_first_sight_of_its_key(bench: Bench) -> None:
    bench.sync(APPEND).commit([unit(1, "a")])
    bench.sync(APPEND, hours=1).commit([unit(1, "b", 1)])
    assert bench.table("name, first_seen, last_changed") == [("a", NOON, NOON), ("b", NOON, NOON + HOUR)]


def test_reading_a_version_again_moves_last_seen_of_the_latest_row_alone(bench: Bench) -> None:
    bench.sync(APPEND).commit([unit(1, "a")])
    bench.sync(APPEND, hours=1).commit([unit(1, "b", 1)])
    window = bench.sync(APPEND, hours=2).commit([unit(1, "b", 1)])
    assert window.counts == Counts(read=1, unchanged=1)
    assert bench.table("name, last_seen") == [("a", NOON), ("b", NOON + 2 * HOUR)]


def test_a_version_that_comes_back_is_a_row_again(bench: Bench) -> None:
    for hour, name in enumerate(["a", "b", "a"]):
        bench.sync(APPEND, hours=hour).commit([unit(1, name, hour if hour < 2 else 2)])
    assert [row[0] for row in bench.table("name")] == ["a", "a", "b"]


def test_an_older_version_is_no_row(bench: Bench) -> None:
    bench.sync(APPEND).commit([unit(1, "new", 5)])
    window = bench.sync(APPEND, hours=1).commit([unit(1, "old", 4)])
    assert window.counts == Counts(read=1, superseded=1)
    assert bench.table("name, last_seen") == [("new", NOON + HOUR)]


def test_a_newer_version_of_an_earlier_read_stays_the_latest(bench: Bench) -> None:
    """Read earlier, committed later, with a newer cursor: the next re-read must meet this version."""
    bench.sync(APPEND).commit([unit(1, "a", 0)], read_at=NOON + 3 * HOUR)
    bench.sync(APPEND, hours=1).commit([unit(1, "b", 1)], read_at=NOON + HOUR)
    window = bench.sync(APPEND, hours=2).commit([unit(1, "b", 1)], read_at=NOON + 2 * HOUR)
    assert window.counts == Counts(read=1, unchanged=1)
    assert bench.table() == [(1, "a"), (1, "b")]


def test_records_without_a_key_are_told_by_their_content(bench: Bench) -> None:
    rows = [{"line": "a", "amount": 1}, {"line": "b", "amount": 2}]
    bench.sync(KEYLESS, layout=LINES).commit(rows)
    window = bench.sync(KEYLESS, hours=1, layout=LINES).commit([rows[1], {"line": "b", "amount": 3}])
    assert window.counts == Counts(read=2, new=1, unchanged=1)
    assert bench.table("line, amount, last_seen") == [
        ("a", 1, NOON),
        ("b", 2, NOON + HOUR),
        ("b", 3, NOON + HOUR),
    ]


def test_equal_records_without_a_key_in_one_step_are_one(bench: Bench) -> None:
    row = {"line": "a", "amount": 1}
    sync = bench.sync(KEYLESS, layout=LINES)
    assert sync.commit([row, row, row]).counts == Counts(read=3, new=1, superseded=2)
    assert sync.commit([row, row]).counts == Counts(read=2, unchanged=1, superseded=1)
    assert bench.table("line, amount") == [("a", 1)]


def test_the_table_of_a_merge_may_keep_versions_from_now_on(bench: Bench) -> None:
    bench.sync().commit([unit(1, "a")])
    assert bench.sync(APPEND, hours=1).commit([unit(1, "b", 1)]).counts.changed == 1
    assert bench.table() == [(1, "a"), (1, "b")]


def test_read_times_of_versions_follow_one_another(bench: Bench) -> None:
    bench.sync(APPEND).commit([unit(1, "a", 0)], read_at=NOON + HOUR)
    bench.sync(APPEND, hours=1).commit([unit(1, "b", 1)], read_at=NOON)
    reads = bench.table("name, _propexo_read_at")
    assert reads == [("a", NOON + HOUR), ("b", NOON + HOUR + timedelta(microseconds=1))]
