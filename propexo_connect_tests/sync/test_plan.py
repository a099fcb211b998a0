"""What is read next, from the ledger alone."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from propexo_connect.model.errors import ConfigurationError
from propexo_connect.model.ledger import Progress, Reading, Window
from propexo_connect.model.stream import Axis, Filter, Mode, StreamPlan
from propexo_connect.model.tile import WHOLE, Request, Tile, faults
from propexo_connect.sync.plan import Assignment, assignments
from propexo_connect.sync.result import SyncOrder
from propexo_connect_tests.sync.pages import NOON, plan_of

DAY = timedelta(days=1)
UPDATED = Filter("updatedAt", lag=timedelta(minutes=5), lookback=timedelta(hours=1))


def planned(
    plan: StreamPlan,
    progress: Progress,
    reading: Reading = Reading.RECURRING,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    step_span: timedelta | None = None,
    top: int = 0,
) -> list[Assignment]:
    order = SyncOrder("s", (plan,), reading, start, end)
    return assignments(plan, order, progress, NOON, step_span, lambda: top)


def broken_off(tile: Tile, reading: Reading = Reading.RECURRING, position: str | None = "p") -> Window:
    return Window(
        connection="elm", stream="units", reading=reading, tile=tile, request=Request(tile.start, tile.end),
        filter_field="updatedAt", declarations=(), is_complete=False, part=2, attempt=1, sync_id="s", fence=1,
        started_at=NOON, read_started_at=NOON - timedelta(hours=1), finished_at=NOON, position=position,
        first_started_at=NOON - timedelta(hours=1),
    )  # fmt: skip


def test_the_first_tile_is_the_initial_window_up_to_the_lag() -> None:
    (first,) = planned(plan_of(given=UPDATED), Progress())
    assert first.tile == Tile(NOON - 30 * DAY, NOON - timedelta(minutes=5))
    assert first.request.start == NOON - 30 * DAY - timedelta(hours=1)


def test_the_next_tile_starts_where_the_last_committed_one_ended() -> None:
    (only,) = planned(plan_of(given=UPDATED), Progress(watermark=NOON - DAY))
    assert only.tile == Tile(NOON - DAY, NOON - timedelta(minutes=5))


def test_a_long_tile_is_cut_into_steps_that_touch() -> None:
    narrow = replace(UPDATED, widest=7 * DAY)
    steps = planned(plan_of(given=narrow), Progress(watermark=NOON - 30 * DAY))
    assert len(steps) == 5
    assert faults(step.tile for step in steps) == []


def test_nothing_is_read_while_the_tile_is_empty() -> None:
    assert planned(plan_of(given=UPDATED), Progress(watermark=NOON)) == []


def test_a_clock_that_went_back_reads_nothing_and_moves_nothing() -> None:
    assert planned(plan_of(given=UPDATED), Progress(watermark=NOON + 2 * DAY)) == []


def test_a_stream_without_a_filter_is_read_whole_each_time() -> None:
    (first,) = planned(plan_of(), Progress())
    (second,) = planned(plan_of(), Progress(watermark=NOON - DAY))
    assert (first.reading, first.tile, first.request) == (Reading.FULL, Tile(None, NOON), WHOLE)
    assert second.tile == Tile(NOON - DAY, NOON)


def test_an_integer_axis_ends_where_the_source_says() -> None:
    serial = Filter("id", axis=Axis.INTEGER, lookback_values=10)
    (first,) = planned(plan_of(given=serial), Progress(), top=501)
    (second,) = planned(plan_of(given=serial), Progress(watermark=501), top=600)
    assert (first.tile, first.request.start) == (Tile(None, 501), None)
    assert (second.tile, second.request.start) == (Tile(501, 600), 491)


def test_a_full_read_is_due_at_its_interval_and_covers_the_tile_as_well() -> None:
    given = replace(UPDATED, full_every=7 * DAY)
    early = Progress(watermark=NOON - DAY, first_synced_at=NOON - 6 * DAY)
    late = replace(early, first_synced_at=NOON - 7 * DAY)
    assert [step.reading for step in planned(plan_of(given=given), early)] == [Reading.RECURRING]
    (full,) = planned(plan_of(given=given), late)
    assert (full.reading, full.request) == (Reading.FULL, WHOLE)
    assert full.tile == Tile(NOON - DAY, NOON - timedelta(minutes=5))
    done = replace(late, last_full_at=NOON - DAY)
    assert [step.reading for step in planned(plan_of(given=given), done)] == [Reading.RECURRING]


def test_a_broken_off_tile_is_taken_up_where_it_was_and_the_rest_follows() -> None:
    plan = plan_of(given=UPDATED)
    plan = replace(plan, stream=replace(plan.stream, resumable=True))
    tile = Tile(NOON - 3 * DAY, NOON - 2 * DAY)
    first, rest = planned(plan, Progress(watermark=tile.start, unfinished=broken_off(tile)))
    assert (first.tile, first.position, first.part) == (tile, "p", 3)
    assert first.read_started_at == NOON - timedelta(hours=1)
    assert rest.tile.start == tile.end


def test_a_source_that_cannot_be_taken_up_starts_the_tile_anew() -> None:
    tile = Tile(NOON - 3 * DAY, NOON - 2 * DAY)
    (only,) = planned(plan_of(given=UPDATED), Progress(watermark=tile.start, unfinished=broken_off(tile)))
    assert (only.position, only.part) == (None, 0)


def test_a_tile_broken_off_long_ago_starts_anew() -> None:
    plan = plan_of()
    plan = replace(plan, stream=replace(plan.stream, resumable=True))
    old = replace(broken_off(Tile(None, NOON - 3 * DAY), Reading.FULL), read_started_at=NOON - 2 * DAY)
    (only,) = planned(plan, Progress(unfinished=old))
    assert (only.position, only.tile) == (None, Tile(None, NOON))


def test_a_backsync_goes_back_in_chunks_newest_first() -> None:
    oldest = NOON - 30 * DAY
    chunks = planned(
        plan_of(given=UPDATED),
        Progress(watermark=NOON, oldest=oldest),
        Reading.BACKSYNC,
        start=oldest - 70 * DAY,
    )
    assert [chunk.tile.end for chunk in chunks] == [oldest, oldest - 30 * DAY, oldest - 60 * DAY]
    assert chunks[-1].tile.start == oldest - 70 * DAY
    assert faults(chunk.tile for chunk in chunks) == []


def test_a_backsync_before_the_first_sync_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="nothing yet to go back from"):
        planned(plan_of(given=UPDATED), Progress(), Reading.BACKSYNC, start=NOON - DAY)


def test_a_repull_reads_its_range_and_nothing_else() -> None:
    (only,) = planned(
        plan_of(given=UPDATED),
        Progress(watermark=NOON),
        Reading.REPULL,
        start=NOON - 9 * DAY,
        end=NOON - 8 * DAY,
    )
    assert (only.reading, only.tile) == (Reading.REPULL, Tile(NOON - 9 * DAY, NOON - 8 * DAY))


def test_a_stream_that_is_read_whole_has_no_range_to_repull() -> None:
    with pytest.raises(ConfigurationError, match="range of time"):
        planned(plan_of(), Progress(watermark=NOON), Reading.REPULL, start=NOON - DAY, end=NOON)


CARRYING = replace(plan_of(), stream=replace(plan_of().stream, resumable=True, carries_on=True))
REACHED = Progress(watermark=NOON - DAY, position="state 7")


def test_a_source_that_carries_on_is_read_whole_first_and_then_from_its_position() -> None:
    (first,) = planned(CARRYING, Progress())
    assert (first.reading, first.request, first.position) == (Reading.FULL, WHOLE, None)
    (second,) = planned(CARRYING, REACHED)
    assert (second.reading, second.position) == (Reading.RECURRING, "state 7")
    assert second.tile == Tile(NOON - DAY, NOON)
    assert not second.request.is_whole


def test_a_full_reading_and_a_swapped_table_take_no_position() -> None:
    (full,) = planned(CARRYING, REACHED, Reading.FULL)
    (swapped,) = planned(replace(CARRYING, mode=Mode.OVERWRITE), REACHED)
    assert [(read.request, read.position) for read in (full, swapped)] == [(WHOLE, None)] * 2


def test_a_read_that_carries_on_and_was_broken_off_is_all_that_is_due() -> None:
    unfinished = broken_off(Tile(NOON - DAY, NOON - timedelta(hours=1)))
    (resumed,) = planned(CARRYING, replace(REACHED, unfinished=unfinished))
    assert (resumed.position, resumed.part) == ("p", 3)
