"""What the ledger is asked after each sync: do the tiles touch, do the counts add up."""

from dataclasses import replace

import pytest

from propexo_connect.model import tile as model
from propexo_connect.model.ledger import Reading
from propexo_connect.model.stream import Axis, Filter, StreamPlan, Table
from propexo_connect.model.tile import Tile
from propexo_connect_tests.destinations.kit import HOUR, NOON, Bench, unit, units_plan

UNITS = units_plan()
COUNTED = replace(UNITS, stream=replace(UNITS.stream, filter=Filter("id", axis=Axis.INTEGER)))


def hours(first: float | None, last: float) -> Tile:
    """From so many hours after noon, or from the beginning, to so many."""
    return Tile(None if first is None else NOON + first * HOUR, NOON + last * HOUR)


def commit(
    bench: Bench,
    *tiles: Tile,
    reading: Reading = Reading.RECURRING,
    plan: StreamPlan = UNITS,
    done: bool = True,
) -> None:
    """Write one row of the ledger for each tile, in this order."""
    sync = bench.sync(plan, reading=reading)
    for tile in tiles:
        sync.commit([], tile=tile, is_complete=done)


def test_a_stream_that_was_never_read_has_no_faults(bench: Bench) -> None:
    assert bench.session.tile_faults(UNITS) == []
    assert bench.session.equation_faults(UNITS) == 0


def test_tiles_that_touch_have_no_faults_in_whatever_order_they_were_written(bench: Bench) -> None:
    commit(bench, hours(0, 1), hours(1, 2))
    commit(bench, hours(-3, 0), hours(-9, -3), reading=Reading.BACKSYNC)
    commit(bench, hours(2, 2.5))
    commit(bench, hours(2.5, 7), reading=Reading.FULL)
    assert bench.session.tile_faults(UNITS) == []


def test_a_gap_is_named_by_its_bounds(bench: Bench) -> None:
    commit(bench, hours(0, 1), hours(2, 3), hours(3, 4))
    assert bench.session.tile_faults(UNITS) == [f"gap between {NOON + HOUR} and {NOON + 2 * HOUR}"]


def test_an_overlap_is_named_by_its_bounds(bench: Bench) -> None:
    commit(bench, hours(0, 2), hours(1, 3))
    assert bench.session.tile_faults(UNITS) == [f"overlap between {NOON + HOUR} and {NOON + 2 * HOUR}"]


def test_a_tile_that_was_proven_twice_overlaps(bench: Bench) -> None:
    commit(bench, hours(0, 1), hours(0, 1))
    assert bench.session.tile_faults(UNITS) == [f"overlap between {NOON} and {NOON + HOUR}"]


def test_a_tile_from_the_beginning_leaves_no_gap(bench: Bench) -> None:
    commit(bench, hours(None, 1), hours(1, 2))
    commit(bench, hours(None, 5), reading=Reading.FULL)
    assert bench.session.tile_faults(UNITS) == []


@pytest.mark.parametrize("reading", [Reading.REPULL, Reading.SWEEP])
def test_what_is_read_again_is_no_part_of_the_stretch(bench: Bench, reading: Reading) -> None:
    commit(bench, hours(0, 1), hours(1, 2))
    commit(bench, hours(0.5, 1.5), reading=reading)
    assert bench.session.tile_faults(UNITS) == []


def test_a_tile_that_was_broken_off_proves_nothing(bench: Bench) -> None:
    commit(bench, hours(5, 9), done=False)
    commit(bench, hours(0, 1), hours(1, 2))
    assert bench.session.tile_faults(UNITS) == []


def test_integer_tiles_are_judged_by_their_values(bench: Bench) -> None:
    commit(bench, Tile(None, 10), Tile(10, 2**62), Tile(2**62 + 1, 2**62 + 5), plan=COUNTED)
    assert bench.session.tile_faults(COUNTED) == [f"gap between {2**62} and {2**62 + 1}"]


def test_a_stream_that_changed_its_axis_is_judged_on_each(bench: Bench) -> None:
    commit(bench, Tile(0, 10), hours(0, 1), Tile(10, 20), hours(1, 2))
    assert bench.session.tile_faults(UNITS) == []
    commit(bench, Tile(21, 30), hours(3, 4))
    assert len(bench.session.tile_faults(UNITS)) == 2


def test_streams_of_two_connections_are_judged_apart(bench: Bench) -> None:
    other = replace(UNITS, connection="beta", table=Table("beta", "units"))
    commit(bench, hours(0, 1))
    commit(bench, hours(2, 3), plan=other)
    assert bench.session.tile_faults(UNITS) == bench.session.tile_faults(other) == []


def test_the_first_twenty_faults_are_told(bench: Bench) -> None:
    commit(bench, *(hours(2 * number, 2 * number + 1) for number in range(23)))
    told = bench.session.tile_faults(UNITS)
    assert len(told) == 20
    assert told[0] == f"gap between {NOON + HOUR} and {NOON + 2 * HOUR}"


@pytest.mark.parametrize(
    "bounds", [[(0, 1), (1, 2), (4, 5), (3, 6), (6, 6.5)], [(0, 3), (1, 2), (2, 2.5), (None, 9), (9, 9)]]
)
def test_the_destination_finds_what_the_model_finds(
    bench: Bench, bounds: list[tuple[float | None, float]]
) -> None:
    tiles = [hours(first, last) for first, last in bounds]
    commit(bench, *tiles)
    assert bench.session.tile_faults(UNITS) == model.faults(tiles)


def test_counts_that_were_tampered_with_are_found(bench: Bench) -> None:
    """Our own commits roll such counts back, so another hand must have written them."""
    sync = bench.sync()
    sync.commit([unit(1, "a")])
    sync.commit([unit(1, "b"), unit(2, "c")])
    assert bench.session.equation_faults(UNITS) == 0
    bench.query('update _propexo.windows set "new" = "new" + 1 where number = 2')
    assert bench.session.equation_faults(UNITS) == 1
