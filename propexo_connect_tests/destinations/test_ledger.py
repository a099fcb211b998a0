"""The ledger, what is planned from it, and the fence that guards it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from propexo_connect.destinations import state
from propexo_connect.model.errors import Fenced
from propexo_connect.model.ledger import Reading
from propexo_connect.model.stream import Axis, Filter, FilterDeclaration, FilterKind, StreamPlan
from propexo_connect.model.tile import Request, Tile
from propexo_connect_tests.destinations.kit import (
    HOUR,
    NOON,
    Bench,
    facts_of,
    progress_of,
    stored_layout,
    take_fence,
    unit,
    units_plan,
)

UNITS = units_plan()


def tile(first: float, last: float) -> Tile:
    """From so many hours after noon to so many."""
    return Tile(NOON + first * HOUR, NOON + last * HOUR)


def test_a_window_comes_back_as_it_was_written(bench: Bench) -> None:
    sync = bench.sync()
    step = sync.step([unit(1, "a")])
    window = replace(
        step.window,
        request=Request(NOON - HOUR, None, "America/New_York", timedelta(microseconds=1)),
        declarations=(
            FilterDeclaration(FilterKind.EXPLICIT, "updatedAt", None, timedelta(seconds=1), "UTC", "'q'"),
            FilterDeclaration(FilterKind.IMPLICIT, rolling=timedelta(days=30)),
        ),
        attempt=3,
        position='{"page": "é"}',
        bytes_read=2**40,
        request_count=4,
        page_count=5,
        retry_count=6,
    )
    stored = bench.session.commit(replace(step, window=window), lambda: NOON + HOUR)
    assert bench.session.windows(UNITS) == [stored]
    assert stored == replace(window, counts=stored.counts, finished_at=NOON + HOUR)


def test_integer_tiles_stand_in_columns_of_their_own(bench: Bench) -> None:
    stream = replace(UNITS.stream, filter=Filter("id", axis=Axis.INTEGER))
    plan = replace(UNITS, stream=stream)
    sync = bench.sync(plan)
    sync.commit([], tile=Tile(None, 2**62))
    sync.commit([], tile=Tile(2**62, 2**62 + 5))
    assert [window.tile for window in bench.session.windows(plan)] == [
        Tile(None, 2**62),
        Tile(2**62, 2**62 + 5),
    ]
    progress = progress_of(bench.session, plan, "recurring")
    assert (progress.watermark, progress.oldest) == (2**62 + 5, None)


def test_a_stream_that_was_never_read_has_no_progress(bench: Bench) -> None:
    progress = progress_of(bench.session, UNITS, "recurring")
    assert (progress.watermark, progress.oldest, progress.last_full_at, progress.unfinished) == (None,) * 4
    assert stored_layout(bench.session, UNITS) is None
    assert bench.session.windows(UNITS) == []
    assert facts_of(bench.session, UNITS).row_count == 0


def test_the_watermark_is_the_end_of_the_last_complete_tile(bench: Bench) -> None:
    bench.sync().commit([], tile=tile(-2, -1))
    bench.sync(hours=1).commit([], tile=tile(-1, 0))
    bench.sync(hours=2).commit([], tile=tile(0, 1), is_complete=False)
    progress = progress_of(bench.session, UNITS, "recurring")
    assert progress.watermark == NOON
    assert progress.first_synced_at == NOON


def test_backsync_and_repull_move_no_watermark(bench: Bench) -> None:
    bench.sync().commit([], tile=tile(-2, -1))
    bench.sync(reading=Reading.BACKSYNC).commit([], tile=tile(-4, -2))
    bench.sync(reading=Reading.REPULL).commit([], tile=tile(-1, 5))
    assert progress_of(bench.session, UNITS, "recurring").watermark == NOON - HOUR


def test_oldest_goes_back_over_tiles_that_touch_and_stops_at_a_gap(bench: Bench) -> None:
    bench.sync().commit([], tile=tile(-2, 0))
    back = bench.sync(reading=Reading.BACKSYNC)
    back.commit([], tile=tile(-4, -2))
    back.commit([], tile=tile(-5, -3))
    back.commit([], tile=tile(-9, -6))
    bench.sync(reading=Reading.REPULL).commit([], tile=tile(-7, -4))
    assert progress_of(bench.session, UNITS, "backsync").oldest == NOON - 5 * HOUR
    back.commit([], tile=tile(-6, -5))
    assert progress_of(bench.session, UNITS, "backsync").oldest == NOON - 9 * HOUR


def test_a_short_tile_inside_a_long_one_makes_no_gap(bench: Bench) -> None:
    bench.sync().commit([], tile=tile(-9, 0))
    bench.sync(hours=1).commit([], tile=tile(-1, 0))
    bench.sync(reading=Reading.BACKSYNC).commit([], tile=tile(-12, -9))
    assert progress_of(bench.session, UNITS, "backsync").oldest == NOON - 12 * HOUR


def test_a_tile_without_a_start_reaches_back_without_limit(bench: Bench) -> None:
    bench.sync(reading=Reading.FULL).commit([], tile=Tile(None, NOON))
    bench.sync(hours=1).commit([], tile=tile(0, 1))
    progress = progress_of(bench.session, UNITS, "recurring")
    assert (progress.watermark, progress.oldest, progress.last_full_at) == (NOON + HOUR, None, NOON)


def test_an_unfinished_read_is_offered_until_something_later_is_complete(bench: Bench) -> None:
    sync = bench.sync()
    sync.commit([unit(1, "a")], is_complete=False, position="p1")
    sync.commit([unit(2, "b")], is_complete=False, position="p2")
    sync.commit([unit(3, "c")], is_complete=False)
    bench.sync(reading=Reading.BACKSYNC).commit([], tile=tile(-99, -98))
    unfinished = progress_of(bench.session, UNITS, "recurring").unfinished
    assert unfinished is not None
    assert (unfinished.position, unfinished.part) == ("p2", 1)
    assert progress_of(bench.session, UNITS, "backsync").unfinished is None
    sync.commit([])
    assert progress_of(bench.session, UNITS, "recurring").unfinished is None


def test_the_last_position_is_offered_to_a_source_that_carries_on(bench: Bench) -> None:
    plan = replace(UNITS, stream=replace(UNITS.stream, resumable=True, carries_on=True))
    bench.sync().commit([], position="p1")
    bench.sync(hours=1).commit([], position="p2", tile=tile(0, 1))
    bench.sync(hours=2).commit([], is_complete=False, position="p3", tile=tile(1, 2))
    assert progress_of(bench.session, plan, "recurring").position == "p2"
    assert progress_of(bench.session, plan, "backsync").position is None
    assert progress_of(bench.session, UNITS, "recurring").position is None


def test_streams_and_connections_keep_their_own_ledger(bench: Bench) -> None:
    bench.sync().commit([])
    other = replace(UNITS, connection="other", table=replace(UNITS.table, schema="other"))
    leases = replace(
        UNITS, stream=replace(UNITS.stream, name="leases"), table=replace(UNITS.table, name="leases")
    )
    for plan in (other, leases):
        assert progress_of(bench.session, plan, "recurring").watermark is None
        assert bench.session.windows(plan) == []


def test_a_fence_is_higher_than_all_before_it(bench: Bench) -> None:
    taken = [take_fence(bench.session, UNITS, "recurring") for _ in range(3)]
    assert taken == sorted(set(taken))
    assert take_fence(bench.session, UNITS, "backsync") == taken[0]


def test_a_sync_that_lost_its_lane_commits_nothing(bench: Bench) -> None:
    zombie = bench.sync()
    zombie.commit([unit(1, "a")])
    bench.sync(hours=1).commit([unit(1, "b", 1)])
    with pytest.raises(Fenced, match="newer sync has taken over the lane 'recurring'"):
        zombie.commit([unit(1, "z", 9), unit(2, "z")])
    assert bench.table() == [(1, "b")]
    assert len(bench.session.windows(UNITS)) == 2


def test_a_number_that_nobody_took_commits_nothing(bench: Bench) -> None:
    with pytest.raises(Fenced):
        bench.sync(fence=7).commit([unit(1, "a")])


def test_lanes_do_not_hinder_each_other(bench: Bench) -> None:
    recurring, back = bench.sync(), bench.sync(reading=Reading.BACKSYNC)
    recurring.commit([unit(1, "a")])
    back.commit([unit(2, "b")])
    recurring.commit([unit(3, "c")])
    assert bench.table() == [(1, "a"), (2, "b"), (3, "c")]


def test_two_sessions_of_one_destination_fence_each_other(bench: Bench) -> None:
    first = bench.sync()
    with bench.destination.open() as other:
        take_fence(other, UNITS, "recurring")
        with pytest.raises(Fenced):
            first.commit([unit(1, "a")])


def test_facts_tell_rows_sights_and_rejects(bench: Bench) -> None:
    rejected = [{"read_at": NOON, "reason": "no key", "record": "{}"}] * 2
    bench.sync().commit([unit(1, "a"), unit(2, "b")], rejected=rejected)
    bench.sync(hours=1).commit([unit(2, "b")])
    facts = facts_of(bench.session, UNITS)
    assert (facts.row_count, facts.rejected_count, facts.duplicate_keys, facts.null_keys) == (2, 2, 0, 0)
    assert (facts.first_seen_min, facts.last_seen_min, facts.last_seen_max) == (NOON, NOON, NOON + HOUR)


def test_each_statement_of_the_ledger_names_what_its_table_has() -> None:
    for table in state.TABLES:
        assert set(table.key) | set(table.unique) <= set(table.names)
        assert state.insert(table, 2).count("$") == 2 * len(table.columns)


def plan_named(connection: str, stream: str) -> StreamPlan:
    """A plan with these names."""
    return replace(UNITS, connection=connection, stream=replace(UNITS.stream, name=stream))


def test_names_that_run_into_each_other_gather_apart() -> None:
    from propexo_connect.destinations.recall import gathered_table

    assert gathered_table(plan_named("a", "bc")) != gathered_table(plan_named("ab", "c"))
