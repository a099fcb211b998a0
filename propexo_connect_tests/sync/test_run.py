"""A sync, from the ledger to the table and back."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Event

import pytest

from propexo_connect.model.counts import Counts
from propexo_connect.model.errors import (
    CredentialsRefused,
    RateLimited,
    UnknownName,
    Unreachable,
    VendorFault,
)
from propexo_connect.model.ledger import Reading
from propexo_connect.model.stream import Filter, Mode, StreamPlan, Table
from propexo_connect_tests.sync.pages import NOON, page, plan_of
from propexo_connect_tests.sync.scripted import Bench, Served, units

DAY = timedelta(days=1)
UPDATED = Filter("updatedAt")
STEADY = "select * exclude (last_seen, _propexo_read_at) from elm.units order by id"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def named(plan: StreamPlan, name: str) -> StreamPlan:
    return replace(plan, stream=replace(plan.stream, name=name), table=Table("elm", name))


def test_a_first_sync_lands_every_record_and_proves_its_tile(bench: Bench) -> None:
    bench.source.will_serve("units", [units(1, 2), units(3)])
    result = bench.sync(plan_of(given=UPDATED))["units"]
    assert result.error is None
    assert result.counts == Counts(read=3, new=3)
    assert bench.rows("select id, last_seen, first_seen from elm.units order by id") == [
        (number, NOON, NOON) for number in (1, 2, 3)
    ]
    assert bench.rows("select tile_start, tile_end, is_complete from _propexo.windows") == [
        (NOON - 30 * DAY, NOON, True)
    ]


def test_a_second_sync_of_unchanged_records_moves_last_seen_and_nothing_else(bench: Bench) -> None:
    plan = plan_of({"id": "integer", "name": "text"})
    bench.source.will_serve("units", [units(1, 2, name="a")], [units(1, 2, name="a")])
    bench.sync(plan)
    before = bench.rows(STEADY)
    bench.clock.move(DAY)
    assert bench.sync(plan)["units"].counts == Counts(read=2, unchanged=2)
    assert bench.rows(STEADY) == before
    assert bench.rows("select distinct last_seen from elm.units") == [(NOON + DAY,)]


def test_a_record_that_is_not_served_again_stays_and_its_last_seen_rests(bench: Bench) -> None:
    bench.source.will_serve("units", [units(1, 2)], [units(2)])
    bench.sync(plan_of())
    bench.clock.move(DAY)
    bench.sync(plan_of())
    assert bench.rows("select id, last_seen from elm.units order by id") == [(1, NOON), (2, NOON + DAY)]


def test_the_next_tile_touches_the_last_even_after_a_failed_sync(bench: Bench) -> None:
    plan = plan_of(given=UPDATED)
    bench.source.will_serve("units", [units(1)], [CredentialsRefused("no")], [units(2)])
    for _ in range(3):
        bench.sync(plan)
        bench.clock.move(DAY)
    tiles = bench.rows("select tile_start, tile_end from _propexo.windows order by tile_end")
    assert tiles == [(NOON - 30 * DAY, NOON), (NOON, NOON + 2 * DAY)]


def test_a_passing_failure_is_tried_again_and_a_committed_step_is_not_read_twice(bench: Bench) -> None:
    plan = plan_of(given=replace(UPDATED, widest=10 * DAY))
    bench.source.will_serve(
        "units", [units(1)], [units(2), Unreachable("cut off")], [units(2, 3)], [units(4)]
    )
    result = bench.sync(plan)["units"]
    assert (result.error, result.attempts) == (None, 2)
    assert result.counts == Counts(read=4, new=4)
    starts = [request.start for _, request, _ in bench.source.asked]
    assert starts == [NOON - 30 * DAY, NOON - 20 * DAY, NOON - 20 * DAY, NOON - 10 * DAY]
    assert any("tried again" in line for line in bench.lines)


def test_a_stream_gives_up_after_its_attempts(bench: Bench) -> None:
    down: list[list[Served]] = [[Unreachable("down")] for _ in range(5)]
    bench.source.will_serve("units", *down)
    result = bench.sync(plan_of())["units"]
    assert isinstance(result.error, Unreachable)
    assert result.attempts == 3
    assert len(bench.source.asked) == 3


def test_a_permanent_failure_is_not_tried_again(bench: Bench) -> None:
    bench.source.will_serve("units", [CredentialsRefused("the password is wrong")])
    result = bench.sync(plan_of())["units"]
    assert (type(result.error), result.attempts) == (CredentialsRefused, 1)


def test_an_error_nobody_expected_is_told_by_its_place_without_its_text(bench: Bench) -> None:
    bench.source.will_serve("units", [RuntimeError("token=canary-4711")])
    result = bench.sync(plan_of())["units"]
    assert result.error is not None
    assert result.error.name == "Defect"
    assert "RuntimeError" in str(result.error)
    assert "canary" not in str(result.error)


def test_one_failing_stream_holds_back_no_other(bench: Bench) -> None:
    plans = [named(plan_of(), name) for name in ("a", "b", "c")]
    bench.source.will_serve("a", [units(1)])
    bench.source.will_serve("b", [units(1), CredentialsRefused("no right")])
    bench.source.will_serve("c", [units(1)])
    results = bench.sync(*plans)
    assert {name: result.is_ok for name, result in results.items()} == {"a": True, "b": False, "c": True}
    assert bench.rows("select stream from _propexo.windows order by stream") == [("a",), ("c",)]


def test_a_large_read_is_stored_in_steps_and_only_the_last_is_complete(bench: Bench) -> None:
    bench.settings = replace(bench.settings, step_bytes=20)
    bench.source.will_serve("units", [units(1, 2), units(3, 4), units(5)])
    result = bench.sync(plan_of())["units"]
    assert result.counts == Counts(read=5, new=5)
    assert [window.is_complete for window in result.windows] == [False, False, True]
    assert [window.part for window in result.windows] == [0, 1, 2]


def test_a_read_that_breaks_off_proves_nothing_and_keeps_what_came(bench: Bench) -> None:
    bench.settings = replace(bench.settings, step_bytes=20)
    bench.source.will_serve("units", [units(1, 2), units(3, 4), VendorFault("broken")])
    bench.settings = replace(bench.settings, stream_retry=replace(bench.settings.stream_retry, attempts=1))
    result = bench.sync(plan_of())["units"]
    assert result.error is not None
    assert bench.rows("select count(*) from elm.units") == [(4,)]
    assert bench.rows("select count(*) from _propexo.windows where is_complete") == [(0,)]


def test_a_resumable_read_goes_on_after_the_last_stored_page(bench: Bench) -> None:
    plan = plan_of()
    plan = replace(plan, stream=replace(plan.stream, resumable=True))
    bench.settings = replace(bench.settings, step_bytes=20)
    first = replace(units(1, 2), position="after-2")
    bench.source.will_serve("units", [first, Unreachable("cut off")], [units(3)])
    result = bench.sync(plan)["units"]
    assert [position for _, _, position in bench.source.asked] == [None, "after-2"]
    assert result.counts == Counts(read=3, new=3)
    assert [(window.part, window.is_complete) for window in result.windows] == [(0, False), (1, True)]


def test_records_to_merge_without_a_key_are_refused_with_the_way_out(bench: Bench) -> None:
    result = bench.sync(plan_of(key=()))["units"]
    assert result.error is not None
    assert result.error.name == "NoKey"
    assert "key: […]" in str(result.error)


def test_records_without_a_key_can_be_appended_once(bench: Bench) -> None:
    plan = plan_of(key=(), mode=Mode.APPEND)
    bench.source.will_serve("units", [page({"x": "a"}, {"x": "b"})], [page({"x": "a"}, {"x": "c"})])
    bench.sync(plan)
    bench.clock.move(DAY)
    assert bench.sync(plan)["units"].counts == Counts(read=2, new=1, unchanged=1)
    assert bench.rows("select x from elm.units order by x") == [("a",), ("b",), ("c",)]


def test_the_same_record_twice_in_one_keyless_step_is_one_row(bench: Bench) -> None:
    bench.source.will_serve("units", [page({"x": "a"}, {"x": "a"})])
    result = bench.sync(plan_of(key=(), mode=Mode.APPEND))["units"]
    assert result.counts == Counts(read=2, new=1, superseded=1)


def test_an_empty_first_read_of_an_unknown_shape_is_proven_and_the_next_goes_on(bench: Bench) -> None:
    bench.source.will_serve("units", [], [units(1)])
    first = bench.sync(plan_of())["units"]
    assert (first.error, first.counts) == (None, Counts())
    bench.clock.move(DAY)
    assert bench.sync(plan_of())["units"].counts == Counts(read=1, new=1)


def test_rejected_records_are_kept_raw(bench: Bench) -> None:
    bench.source.will_serve("units", [page({"id": 1}, {"name": "no key"})])
    result = bench.sync(plan_of())["units"]
    assert result.counts == Counts(read=2, new=1, rejected=1)
    assert bench.rows("select record from _propexo.rejected_records") == [('{"name":"no key"}',)]


def test_a_stopped_sync_stores_nothing_more(bench: Bench) -> None:
    stop = Event()
    bench.settings = replace(bench.settings, step_bytes=20)
    bench.source.will_serve("units", [units(1, 2), stop.set, units(3, 4)])
    bench.sync(plan_of(), stop=stop)
    assert bench.rows("select count(*) from _propexo.windows where is_complete") == [(0,)]


def test_a_repull_leaves_the_watermark_alone(bench: Bench) -> None:
    plan = plan_of(given=UPDATED)
    bench.source.will_serve("units", [units(1)], [units(1, 2)], [units(3)])
    bench.sync(plan)
    bench.sync(plan, reading=Reading.REPULL, start=NOON - 9 * DAY, end=NOON - 8 * DAY)
    bench.clock.move(DAY)
    bench.sync(plan)
    recurring = bench.rows(
        "select tile_start, tile_end from _propexo.windows where reading = 'recurring' order by 1"
    )
    assert recurring == [(NOON - 30 * DAY, NOON), (NOON, NOON + DAY)]


def test_a_backsync_goes_on_where_the_last_one_ended(bench: Bench) -> None:
    plan = plan_of(given=UPDATED)
    bench.source.will_serve("units", [units(1)], [units(2)], [CredentialsRefused("later")], [units(3)])
    bench.sync(plan)
    far = NOON - 90 * DAY
    bench.sync(plan, reading=Reading.BACKSYNC, start=far)
    bench.sync(plan, reading=Reading.BACKSYNC, start=far)
    chunks = bench.rows(
        "select tile_start, tile_end from _propexo.windows where reading = 'backsync' order by 2 desc"
    )
    assert chunks == [(NOON - 60 * DAY, NOON - 30 * DAY), (far, NOON - 60 * DAY)]
    assert bench.rows("select count(*) from elm.units") == [(3,)]


def test_an_excluded_field_is_not_stored(bench: Bench) -> None:
    bench.source.will_serve("units", [units(1, ssn="000-00-0000", name="a")])
    bench.sync(replace(plan_of(), excluded=frozenset({"ssn"})))
    columns = bench.rows("select column_name from information_schema.columns where table_name = 'units'")
    assert ("ssn",) not in columns
    assert ("name",) in columns


def test_the_key_cannot_be_excluded_even_where_only_the_source_knew_it(bench: Bench) -> None:
    result = bench.sync(replace(plan_of(), excluded=frozenset({"id"})))["units"]
    assert result.error is not None
    assert result.error.name == "ConfigurationError"


def test_a_schema_may_be_named_like_the_file(bench: Bench) -> None:
    """DuckDB calls the opened file by its name, and a connection's tables lie in a schema of its name."""
    plan = replace(plan_of(), table=Table("warehouse", "units"), history=True)
    bench.source.will_serve("units", [units(1)], [units(1, 2)])
    bench.sync(plan)
    bench.clock.move(DAY)
    result = bench.sync(plan)["units"]
    assert (result.error, result.counts) == (None, Counts(read=2, new=1, unchanged=1))
    assert bench.destination.read_table("warehouse", "units", None).read_all().num_rows == 2


def test_a_position_that_the_vendor_forgot_starts_the_tile_anew(bench: Bench) -> None:
    plan = plan_of()
    plan = replace(plan, stream=replace(plan.stream, resumable=True))
    bench.settings = replace(bench.settings, step_bytes=20)
    first = replace(units(1, 2), position="after-2")
    bench.source.will_serve(
        "units", [first, Unreachable("cut off")], [UnknownName("no such cursor")], [units(1, 2), units(3)]
    )
    result = bench.sync(plan)["units"]
    assert result.error is None
    assert [position for _, _, position in bench.source.asked] == [None, "after-2", None]
    assert bench.rows("select count(*) from elm.units") == [(3,)]


def test_a_vendor_that_asks_for_a_long_rest_gets_it(bench: Bench) -> None:
    bench.source.will_serve("units", [RateLimited("come back tomorrow", retry_after_s=86_400)])
    result = bench.sync(plan_of())["units"]
    assert isinstance(result.error, RateLimited)
    assert result.attempts == 1


def test_a_source_that_carries_on_is_handed_its_last_position_even_after_a_read_without_records(
    bench: Bench,
) -> None:
    plan = plan_of({"id": "integer"})
    plan = replace(plan, stream=replace(plan.stream, resumable=True, carries_on=True))
    bench.source.will_serve("units", [replace(units(1, 2), position="a")], [], [units(3)])
    for _ in range(4):
        assert bench.sync(plan)["units"].error is None
        bench.clock.move(DAY)
    assert [position for _, _, position in bench.source.asked] == [None, "a", "a", "a"]
    assert bench.rows("select distinct position from _propexo.windows") == [("a",)]


def test_the_first_sync_of_a_day_takes_ended_versions_out_of_the_history(bench: Bench) -> None:
    plan = replace(plan_of({"id": "integer", "name": "text"}), history=True)
    reads: list[list[Served]] = [
        [units(1, minutes=day * 24 * 60, name=name)] for day, name in enumerate("abcd")
    ]
    bench.source.will_serve("units", *reads)
    for _ in reads:
        bench.sync(plan)
        bench.clock.move(DAY)
    versions = "select cast(after as text) from elm.units__history order by valid_from"
    assert len(bench.rows(versions)) == 4
    bench.source.will_serve("units", [units(1, minutes=4 * 24 * 60, name="d")])
    assert bench.sync(replace(plan, history_for=1.5 * DAY))["units"].error is None
    assert [str(text) for (text,) in bench.rows(versions)] == ['{"name":"c"}', '{"name":"d"}']
