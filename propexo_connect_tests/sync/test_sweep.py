"""A sweep, from the ledger to `last_seen` and nothing else."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from propexo_connect.connectors.base import JsonPage
from propexo_connect.destinations.base import Session
from propexo_connect.model.counts import Counts
from propexo_connect.model.errors import CredentialsRefused, NoKey, Unreachable
from propexo_connect.model.ledger import Part, Reading, Window
from propexo_connect.model.stream import Filter, FilterDeclaration, FilterKind, Mode, StreamPlan, SweepPolicy
from propexo_connect_tests.sync.pages import NOON, page, plan_of
from propexo_connect_tests.sync.scripted import Bench, Served, units

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
UPDATED = Filter("updatedAt")
FIELDS = {"id": "integer", "name": "text", "updatedAt": "timestamp"}
STEADY = "select * exclude (last_seen) from elm.units order by id"
SEEN = "select id, last_seen from elm.units order by id"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def swept(bench: Bench, plan: StreamPlan, *reads: list[Served], paced: bool = False) -> Counts:
    """A sweep of one stream, which must succeed."""
    bench.source.will_serve("units", *reads)
    result = bench.sync(plan, reading=Reading.SWEEP, paced=paced)["units"]
    assert result.error is None
    return result.counts


def synced(bench: Bench, plan: StreamPlan, *numbers: int, **more: object) -> None:
    """A recurring sync that brings these units."""
    bench.source.will_serve("units", [units(*numbers, **more)])  # type: ignore[arg-type]
    assert bench.sync(plan)["units"].error is None


def positioned(*numbers: int) -> JsonPage:
    """A page after which the source can be taken up again."""
    return replace(units(*numbers), position=f"after {numbers[-1]}")


def resumable(plan: StreamPlan) -> StreamPlan:
    return replace(plan, stream=replace(plan.stream, resumable=True))


def spread(plan: StreamPlan, over: timedelta = 12 * HOUR, every: timedelta = 30 * DAY) -> StreamPlan:
    return replace(plan, sweep=SweepPolicy(every, over))


# -- what it brings --------------------------------------------------------------------------------


def test_a_sweep_moves_last_seen_of_what_it_names_and_nothing_else(bench: Bench) -> None:
    plan = plan_of(FIELDS)
    synced(bench, plan, 1, 2, 3, name="a")
    before = bench.rows(STEADY)
    bench.clock.move(DAY)
    assert swept(bench, plan, [units(1, 3)]) == Counts(read=2, unchanged=2)
    assert bench.rows(STEADY) == before
    assert bench.rows(SEEN) == [(1, NOON + DAY), (2, NOON), (3, NOON + DAY)]


def test_whole_records_are_sighted_too_and_change_nothing(bench: Bench) -> None:
    plan = replace(plan_of(FIELDS), history=True)
    synced(bench, plan, 1, name="a")
    before = bench.rows(STEADY)
    bench.clock.move(DAY)
    assert swept(bench, plan, [units(1, name="b", colour="red")]) == Counts(read=1, unchanged=1)
    assert bench.rows(STEADY) == before
    assert bench.rows("select count(*) from elm.units__history") == [(1,)]


def test_a_key_that_the_table_does_not_hold_is_counted_and_left_to_the_recurring_sync(bench: Bench) -> None:
    plan = plan_of(FIELDS)
    synced(bench, plan, 1)
    assert swept(bench, plan, [units(1, 2, 2)]) == Counts(read=3, unchanged=1, superseded=2)
    assert bench.rows("select id from elm.units") == [(1,)]


def test_fields_that_a_sweep_leaves_out_or_brings_are_no_drift(bench: Bench) -> None:
    plan = plan_of()
    synced(bench, plan, 1, name="a", rent=7)
    columns = bench.rows('select field, "type" from _propexo.columns order by field')
    swept(bench, plan, [units(1, name=4.5, colour="red")])
    assert bench.rows('select field, "type" from _propexo.columns order by field') == columns
    assert bench.rows("select count(*) from _propexo.schema_changes") == [(0,)]


@pytest.mark.parametrize(("stored", "sent"), [(7, "7"), ("7", 7), ("7", "7")])
def test_a_key_is_found_however_its_number_is_written(bench: Bench, stored: object, sent: object) -> None:
    plan = plan_of()
    bench.source.will_serve("units", [page({"id": stored, "name": "a"})])
    bench.sync(plan)
    bench.clock.move(DAY)
    assert swept(bench, plan, [page({"id": sent})]) == Counts(read=1, unchanged=1)
    assert bench.rows("select last_seen from elm.units") == [(NOON + DAY,)]


def test_a_key_of_another_type_is_rejected_and_widens_no_column(bench: Bench) -> None:
    plan = plan_of()
    synced(bench, plan, 1)
    assert swept(bench, plan, [page({"id": "x-1"}, {"id": 1})]) == Counts(read=2, unchanged=1, rejected=1)
    assert bench.rows("""select "type" from _propexo.columns where field = 'id'""") == [("integer",)]


def test_a_key_within_a_record_is_found(bench: Bench) -> None:
    plan = plan_of({"account.id": "text", "name": "text", "account": "json"}, key=("account.id",))
    bench.source.will_serve("units", [page({"account": {"id": "a", "x": 1}, "name": "n"})])
    bench.sync(plan)
    bench.clock.move(DAY)
    assert swept(bench, plan, [page({"account": {"id": "a"}})]) == Counts(read=1, unchanged=1)


def test_only_the_key_and_what_tells_of_coverage_is_asked_for(bench: Bench) -> None:
    plan = plan_of({**FIELDS, "openedAt": "timestamp"}, cursor="name", given=UPDATED)
    hides = (
        FilterDeclaration(FilterKind.IMPLICIT, "openedAt", 30 * DAY),
        FilterDeclaration(FilterKind.IMPLICIT, "elsewhere", 30 * DAY),
    )
    plan = replace(plan, stream=replace(plan.stream, hides=hides))
    synced(bench, plan, 1)
    swept(bench, plan, [units(1)])
    assert bench.source.fields_asked[-1] == {"id", "updatedAt", "openedAt"}


def test_nothing_is_swept_before_the_first_sync(bench: Bench) -> None:
    assert swept(bench, plan_of()) == Counts()
    assert bench.source.asked == []
    assert any("nothing to sweep" in line for line in bench.lines)


def test_records_without_a_key_cannot_be_swept(bench: Bench) -> None:
    plan = plan_of(key=(), mode=Mode.APPEND)
    result = bench.sync(plan, reading=Reading.SWEEP)["units"]
    assert isinstance(result.error, NoKey)
    assert "sweep: never" in str(result.error)


@pytest.mark.parametrize("mode", [Mode.APPEND, Mode.OVERWRITE])
def test_a_sweep_of_another_mode_only_sights_as_well(bench: Bench, mode: Mode) -> None:
    plan = plan_of(FIELDS, mode=mode)
    synced(bench, plan, 1, 2, name="a")
    bench.clock.move(DAY)
    assert swept(bench, plan, [units(1, name="b")]) == Counts(read=1, unchanged=1)
    assert bench.rows("select id, name, last_seen from elm.units order by id") == [
        (1, "a", NOON + DAY),
        (2, "a", NOON),
    ]


# -- what it proves --------------------------------------------------------------------------------


def windows_of(
    bench: Bench, plan: StreamPlan, ask: Callable[[Session], list[Window]] | None = None
) -> list[Window]:
    with bench.destination.open() as session:
        return ask(session) if ask else [one for one in session.windows(plan) if one.reading is Reading.SWEEP]


def test_a_sweep_covers_the_whole_and_moves_no_watermark(bench: Bench) -> None:
    plan = plan_of(FIELDS, given=UPDATED)
    synced(bench, plan, 1)
    bench.clock.move(DAY)
    swept(bench, plan, [units(1)])
    (window,) = windows_of(bench, plan)
    assert (window.is_complete, window.request.is_whole) == (True, True)
    assert (window.covered.start, window.covered.end, window.filter_field) == (None, None, None)
    synced(bench, plan, 1)
    assert bench.source.asked[-1][1].start == NOON
    with bench.destination.open() as session:
        assert session.tile_faults(plan) == []


def test_a_sweep_that_breaks_off_proves_nothing_and_its_sightings_stand(bench: Bench) -> None:
    plan = plan_of(FIELDS)
    bench.settings = replace(bench.settings, step_bytes=5)
    synced(bench, plan, 1, 2)
    bench.clock.move(DAY)
    bench.source.will_serve("units", [units(1), CredentialsRefused("expired")])
    assert bench.sync(plan, reading=Reading.SWEEP)["units"].error is not None
    (window,) = windows_of(bench, plan)
    assert not window.is_complete
    assert bench.rows(SEEN) == [(1, NOON + DAY), (2, NOON)]


def test_a_parent_that_fails_leaves_the_sweep_incomplete(bench: Bench) -> None:
    plan = plan_of(FIELDS)
    synced(bench, plan, 1, 2)
    gone = Part("P2", problem="answered 403")
    bench.source.will_serve("units", [replace(units(1), part=Part("P1")), replace(page(), part=gone)])
    assert bench.sync(plan, reading=Reading.SWEEP)["units"].error is not None
    assert [one.is_complete for one in windows_of(bench, plan)] == [False]


def test_a_sighting_never_moves_last_seen_back(bench: Bench) -> None:
    plan = plan_of(FIELDS)
    synced(bench, plan, 1)
    later: list[Served] = []

    def overtaken() -> None:
        bench.clock.move(HOUR)
        synced(bench, plan, 1)

    later = [overtaken, units(1)]
    assert swept(bench, plan, later) == Counts(read=1, unchanged=1)
    assert bench.rows(SEEN) == [(1, NOON + HOUR)]


def test_a_change_that_was_read_before_a_sweep_and_is_stored_after_it_is_not_lost(bench: Bench) -> None:
    plan = plan_of(FIELDS)
    synced(bench, plan, 1, name="a")
    bench.clock.move(HOUR)

    def sweep_between() -> None:
        swept(bench, plan, [units(1, minutes=90)])

    # The page is gathered, the sweep stores what it read later, and only then the page is stored.
    bench.source.will_serve("units", [units(1, name="b", minutes=70), sweep_between])
    assert bench.sync(plan)["units"].counts == Counts(read=1, changed=1)
    assert bench.rows("select name from elm.units") == [("b",)]


def test_a_sweep_holds_no_recurring_sync_back_and_takes_no_fence_of_it(bench: Bench) -> None:
    plan = plan_of(FIELDS)
    synced(bench, plan, 1)
    bench.source.will_serve("units", [lambda: swept(bench, plan, [units(1)]) and None, units(1)])
    assert bench.sync(plan)["units"].error is None


def test_a_sweep_that_was_taken_over_stores_nothing_more(bench: Bench) -> None:
    plan = plan_of(FIELDS)
    synced(bench, plan, 1)
    bench.clock.move(DAY)

    def newer() -> None:
        with bench.destination.open() as session:
            session.take_fences([plan], Reading.SWEEP.lane)

    bench.source.will_serve("units", [newer, units(1)])
    error = bench.sync(plan, reading=Reading.SWEEP)["units"].error
    assert error is not None
    assert error.name == "Fenced"
    assert bench.rows(SEEN) == [(1, NOON)]


# -- when, and how much ----------------------------------------------------------------------------


def test_a_paced_sweep_waits_until_it_is_due_and_a_full_read_is_as_good(bench: Bench) -> None:
    plan = replace(plan_of(FIELDS, given=UPDATED), sweep=SweepPolicy(30 * DAY))
    synced(bench, plan, 1)
    bench.clock.move(29 * DAY)
    assert swept(bench, plan, paced=True) == Counts()
    bench.source.will_serve("units", [units(1)])
    bench.sync(plan, reading=Reading.FULL)
    bench.clock.move(29 * DAY)
    assert swept(bench, plan, paced=True) == Counts()
    bench.clock.move(DAY)
    assert swept(bench, plan, [units(1)], paced=True) == Counts(read=1, unchanged=1)
    bench.clock.move(29 * DAY)
    assert swept(bench, plan, paced=True) == Counts()


def test_a_spread_sweep_is_read_in_shares_of_what_the_last_one_took(bench: Bench) -> None:
    plan = resumable(spread(plan_of(FIELDS)))
    synced(bench, plan, 1, 2, 3, 4, 5, 6)
    pages = [positioned(number) for number in range(1, 7)]
    swept(bench, plan, list(pages))
    bench.clock.move(30 * DAY)
    began = bench.clock.now()
    read = []
    for first in (0, 2, 4):
        read.append(swept(bench, plan, list(pages[first:]), paced=True).read)
        assert swept(bench, plan, paced=True) == Counts()
        bench.clock.move(4 * HOUR)
    assert read == [2, 2, 2]
    assert [position for _, _, position in bench.source.asked[-3:]] == [None, "after 2", "after 4"]
    last = windows_of(bench, plan)[-1]
    assert (last.is_complete, last.read_started_at) == (True, began)
    assert bench.rows(SEEN)[::2] == [(1, began), (3, began + 4 * HOUR), (5, began + 8 * HOUR)]


def test_a_share_that_was_missed_is_made_up_for(bench: Bench) -> None:
    plan = resumable(spread(plan_of(FIELDS)))
    synced(bench, plan, 1, 2, 3, 4, 5, 6)
    pages = [positioned(number) for number in range(1, 7)]
    swept(bench, plan, list(pages))
    bench.clock.move(30 * DAY)
    assert swept(bench, plan, list(pages), paced=True).read == 2
    bench.clock.move(8 * HOUR)
    assert swept(bench, plan, list(pages[2:]), paced=True).read == 4


def test_a_spread_sweep_that_rested_too_long_begins_anew(bench: Bench) -> None:
    plan = resumable(spread(plan_of(FIELDS)))
    synced(bench, plan, 1, 2)
    swept(bench, plan, [positioned(1), positioned(2)])
    bench.clock.move(30 * DAY)
    swept(bench, plan, [positioned(1), positioned(2)], paced=True)
    bench.clock.move(12 * HOUR + DAY + HOUR)
    swept(bench, plan, [positioned(1), positioned(2)], paced=True)
    assert bench.source.asked[-1][2] is None


def test_a_share_ends_only_where_the_source_can_be_taken_up_again(bench: Bench) -> None:
    plan = resumable(spread(plan_of(FIELDS)))
    synced(bench, plan, 1, 2, 3)
    swept(bench, plan, [positioned(1), positioned(2), positioned(3)])
    bench.clock.move(30 * DAY)
    assert swept(bench, plan, [units(1), units(2), positioned(3)], paced=True).read == 3


def test_a_sweep_that_was_killed_is_taken_up_where_it_was_stored(bench: Bench) -> None:
    plan = resumable(replace(plan_of(FIELDS), sweep=SweepPolicy(30 * DAY)))
    synced(bench, plan, 1, 2)
    bench.settings = replace(
        bench.settings, step_bytes=5, stream_retry=replace(bench.settings.stream_retry, attempts=1)
    )
    bench.clock.move(30 * DAY)
    bench.source.will_serve("units", [positioned(1), Unreachable("cut off")])
    assert bench.sync(plan, reading=Reading.SWEEP, paced=True)["units"].error is not None
    bench.clock.move(4 * HOUR)
    assert swept(bench, plan, [positioned(2)], paced=True).read == 1
    assert bench.source.asked[-1][2] == "after 1"
    assert windows_of(bench, plan)[-1].is_complete


def test_a_stream_that_cannot_be_taken_up_is_swept_in_slices_that_each_prove_themselves(bench: Bench) -> None:
    plan = spread(plan_of(FIELDS, given=replace(UPDATED, lookback=HOUR)))
    synced(bench, plan, 1, 2, 3)
    bench.clock.move(30 * DAY)
    began = bench.clock.now()
    for number in (1, 2, 3):
        assert swept(bench, plan, [units(number)], paced=True) == Counts(read=1, unchanged=1)
        assert swept(bench, plan, paced=True) == Counts()
        bench.clock.move(4 * HOUR)
    slices = windows_of(bench, plan)
    assert all(one.is_complete and one.filter_field == "updatedAt" for one in slices)
    ends = [NOON - 10 * DAY, NOON + 10 * DAY + 2 * HOUR, began + 8 * HOUR]
    assert [one.tile.end for one in slices] == ends
    assert [one.tile.start for one in slices] == [None, *ends[:2]]
    assert [one.covered.start for one in slices] == [None, *ends[:2]]
    bench.clock.move(29 * DAY)
    assert swept(bench, plan, paced=True) == Counts()


def test_what_takes_a_bounded_range_only_is_not_sliced_back_to_the_beginning(bench: Bench) -> None:
    plan = spread(plan_of(FIELDS, given=replace(UPDATED, widest=DAY)))
    synced(bench, plan, 1)
    bench.clock.move(30 * DAY)
    swept(bench, plan, [units(1)], paced=True)
    assert bench.source.asked[-1][1].is_whole


def test_a_slice_that_failed_is_read_again_before_the_next(bench: Bench) -> None:
    plan = spread(plan_of(FIELDS, given=UPDATED))
    synced(bench, plan, 1)
    bench.clock.move(30 * DAY)
    swept(bench, plan, [units(1)], paced=True)
    reached = windows_of(bench, plan)[-1].tile.end
    bench.clock.move(4 * HOUR)
    bench.source.will_serve("units", [CredentialsRefused("expired")])
    assert bench.sync(plan, reading=Reading.SWEEP, paced=True)["units"].error is not None
    swept(bench, plan, [units(1)], paced=True)
    assert bench.source.asked[-1][1].start == bench.source.asked[-2][1].start == reached


def test_a_spread_that_nothing_can_divide_is_said(bench: Bench) -> None:
    plan = spread(plan_of(FIELDS))
    synced(bench, plan, 1)
    bench.clock.move(30 * DAY)
    swept(bench, plan, [units(1)], paced=True)
    assert windows_of(bench, plan)[-1].is_complete
    assert any("swept in one go" in line for line in bench.lines)
