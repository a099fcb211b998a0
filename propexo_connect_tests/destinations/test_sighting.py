"""What the keys of a sweep do to a table: move `last_seen`, and nothing else."""

from dataclasses import replace
from typing import Any

import pytest

from propexo_connect.model.counts import Counts
from propexo_connect.model.errors import DestinationBusy, Fenced, NoKey
from propexo_connect.model.field import INTEGER, TEXT
from propexo_connect.model.layout import Column
from propexo_connect.model.ledger import Reading, Round, Sweeps
from propexo_connect.model.stream import Mode
from propexo_connect.model.tile import Stretch, Tile
from propexo_connect_tests.destinations.kit import (
    HOUR,
    NOON,
    UNITS,
    Bench,
    Sync,
    facts_of,
    keyed_plan,
    layout_of,
    progress_of,
    take_fence,
    unit,
    units_plan,
)

KEYS = replace(UNITS, columns=UNITS.columns[:1])
OURS = "id, name, first_seen, last_changed, _propexo_sync_id, _propexo_hash, _propexo_read_at, _propexo_meta"


def sweep(bench: Bench, hours: float, **changes: Any) -> Sync:
    changes.setdefault("layout", KEYS)
    return bench.sync(hours=hours, reading=Reading.SWEEP, **changes)


def keys(*numbers: int) -> list[dict[str, int]]:
    return [{"id": number} for number in numbers]


def test_a_sighting_moves_last_seen_and_nothing_else(bench: Bench) -> None:
    plan = units_plan(history=True)
    bench.sync(plan).commit([unit(1, "a"), unit(2, "b")])
    before = bench.table(OURS)
    window = sweep(bench, 1, plan=plan).commit(keys(1))
    assert window.counts == Counts(read=1, unchanged=1)
    assert bench.table(OURS) == before
    assert bench.seen() == {1: (0, 1, 0), 2: (0, 0, 0)}
    assert bench.query("select count(*) from pms.units__history") == [(2,)]


def test_a_key_without_a_row_is_superseded_and_brings_none(bench: Bench) -> None:
    bench.sync().commit([unit(1, "a")])
    assert sweep(bench, 1).commit(keys(1, 9)).counts == Counts(read=2, unchanged=1, superseded=1)
    assert bench.table() == [(1, "a")]


def test_a_sighting_moves_nothing_back(bench: Bench) -> None:
    bench.sync(hours=2).commit([unit(1, "a")])
    assert sweep(bench, 1).commit(keys(1)).counts == Counts(read=1, unchanged=1)
    assert bench.seen() == {1: (2, 2, 2)}


def test_of_a_key_with_several_versions_the_newest_is_sighted(bench: Bench) -> None:
    plan = units_plan(mode=Mode.APPEND)
    bench.sync(plan).commit([unit(1, "a")])
    bench.sync(plan, 1).commit([unit(1, "b", 1)])
    assert sweep(bench, 2, plan=plan).commit(keys(1, 2)).counts == Counts(read=2, unchanged=1, superseded=1)
    seen = bench.query("select name, last_seen from pms.units order by name")
    assert [(name, (at - NOON) / HOUR) for name, at in seen] == [("a", 0), ("b", 2)]


def test_a_swept_table_of_the_mode_overwrite_is_not_swapped(bench: Bench) -> None:
    plan = units_plan(mode=Mode.OVERWRITE)
    bench.sync(plan, reading=Reading.FULL).commit([unit(1, "a"), unit(2, "b")])
    assert sweep(bench, 1, plan=plan).commit(keys(2)).counts == Counts(read=1, unchanged=1)
    assert bench.seen() == {1: (0, 0, 0), 2: (0, 1, 0)}


def test_a_sweep_between_the_parts_of_a_whole_read_disturbs_no_swap(bench: Bench) -> None:
    plan = units_plan(mode=Mode.OVERWRITE)
    bench.sync(plan, reading=Reading.FULL).commit([unit(1, "a")])
    whole = bench.sync(plan, 1, reading=Reading.FULL)
    whole.commit([unit(1, "a")], is_complete=False)
    sweep(bench, 2, plan=plan).commit(keys(1))
    assert whole.commit([unit(2, "b")]).counts == Counts(read=2, new=1, unchanged=1)
    assert bench.seen() == {1: (0, 2, 0), 2: (1, 1, 1)}


def test_a_key_of_several_columns_is_found(bench: Bench) -> None:
    layout = layout_of(["property", "unit"], property=TEXT, unit=INTEGER, name=TEXT)
    plan = keyed_plan(layout)
    rows = [{"property": "elm", "unit": 1, "name": "a"}, {"property": "oak", "unit": 1, "name": "b"}]
    bench.sync(plan, layout=layout).commit(rows)
    narrow = replace(layout, columns=layout.columns[:2])
    found = sweep(bench, 1, plan=plan, layout=narrow).commit(rows[1:])
    assert found.counts == Counts(read=1, unchanged=1)
    assert bench.query("select property from pms.units where last_seen > first_seen") == [("oak",)]


def test_a_step_without_keys_is_only_a_row_of_the_ledger(bench: Bench) -> None:
    bench.sync().commit([unit(1, "a")])
    assert sweep(bench, 1).commit([]).counts == Counts()
    assert bench.seen() == {1: (0, 0, 0)}


def test_many_keys_are_sighted_at_once(bench: Bench) -> None:
    bench.sync().commit([unit(number, "a") for number in range(5000)])
    window = sweep(bench, 1).commit(keys(*range(4000, 6000)))
    assert window.counts == Counts(read=2000, unchanged=1000, superseded=1000)
    assert bench.query("select count(*) from pms.units where last_seen > first_seen") == [(1000,)]


def test_a_sweep_has_a_fence_of_its_own(bench: Bench) -> None:
    recurring = bench.sync()
    recurring.commit([unit(1, "a")])
    zombie = sweep(bench, 1)
    take_fence(bench.session, units_plan(), Reading.SWEEP.lane)
    with pytest.raises(Fenced):
        zombie.commit(keys(1))
    assert bench.seen() == {1: (0, 0, 0)}
    assert recurring.commit([unit(1, "b", 1)]).counts == Counts(read=1, changed=1)


def test_a_key_whose_column_was_widened_meanwhile_is_read_again(bench: Bench) -> None:
    bench.sync().commit([unit(1, "a")])
    late = sweep(bench, 1)
    wider = UNITS.with_columns((Column("id", "id", TEXT, is_declared=False),))
    bench.sync(hours=2, layout=wider).commit([{**unit(1, "a"), "id": "1"}])
    with pytest.raises(DestinationBusy, match="columns of the key have changed"):
        late.commit(keys(1))


def test_records_without_a_key_are_not_swept(bench: Bench) -> None:
    layout = layout_of([], name=TEXT)
    plan = keyed_plan(layout, mode=Mode.APPEND)
    bench.sync(plan, layout=layout).commit([{"name": "a"}])
    with pytest.raises(NoKey):
        sweep(bench, 1, plan=plan, layout=layout).commit([{"name": "a"}])


def test_sweeps_leave_the_stretch_and_the_watermark_alone(bench: Bench) -> None:
    bench.sync().commit([unit(1, "a")])
    before = progress_of(bench.session, units_plan())
    sweep(bench, 1).commit(keys(1), tile=Tile(None, NOON + HOUR))
    assert progress_of(bench.session, units_plan()) == before
    assert bench.session.tile_faults(units_plan()) == []
    assert bench.session.equation_faults(units_plan()) == 0
    assert facts_of(bench.session, units_plan()).row_count == 1


def test_the_ledger_tells_which_sweep_is_under_way_and_which_was_the_last(bench: Bench) -> None:
    bench.sync().commit([unit(1, "a")])

    def share(hours: float, tile: Tile, *, is_complete: bool = True) -> None:
        sync = sweep(bench, hours, number=int(hours) + 1)
        step = sync.step(keys(1), tile=tile, read_started_at=NOON + hours * HOUR, is_complete=is_complete)
        covered = Stretch(tile.start, tile.end)
        step = replace(step, window=replace(step.window, covered=covered))
        bench.session.commit(step, lambda: NOON + hours * HOUR)

    def sweeps() -> Sweeps:
        return progress_of(bench.session, units_plan(), Reading.SWEEP.lane).sweeps

    share(1, Tile(None, NOON + HOUR))
    share(2, Tile(None, NOON))
    share(6, Tile(NOON, NOON + HOUR), is_complete=False)
    last, under_way = sweeps().last, sweeps().under_way
    assert last == Round(NOON + HOUR, NOON + HOUR, NOON + HOUR, NOON + HOUR)
    assert under_way == Round(NOON + 2 * HOUR, NOON + 2 * HOUR, NOON + 6 * HOUR, NOON)
    share(10, Tile(NOON, NOON + 10 * HOUR))
    last, under_way = sweeps().last, sweeps().under_way
    assert under_way is None
    assert last == Round(NOON + 2 * HOUR, NOON + 2 * HOUR, NOON + 10 * HOUR, NOON + 10 * HOUR)
