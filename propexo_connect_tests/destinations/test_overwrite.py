"""The mode `overwrite`: parts gather out of sight, and only a complete, believable read swaps in."""

from dataclasses import replace

import pytest

from propexo_connect.model.counts import Counts
from propexo_connect.model.errors import Defect, DestinationBusy, SuspiciousEmpty
from propexo_connect.model.field import INTEGER, TEXT
from propexo_connect.model.ledger import Reading
from propexo_connect.model.stream import Mode
from propexo_connect.model.tile import Request
from propexo_connect_tests.destinations.kit import (
    HOUR,
    NOON,
    UNITS,
    Bench,
    Sync,
    keyed_plan,
    layout_of,
    progress_of,
    unit,
    units_plan,
)

OVERWRITE = units_plan(mode=Mode.OVERWRITE)


def full(bench: Bench, hours: float = 0, **changes: object) -> Sync:
    """A whole read of the stream."""
    plan = changes.pop("plan", OVERWRITE)
    return bench.sync(plan, hours=hours, reading=Reading.FULL, **changes)  # pyright: ignore[reportArgumentType]


def gathered(bench: Bench) -> int:
    """How many tables with gathered records there are."""
    return len(bench.query("select 1 from information_schema.tables where table_name like 'gathered%'"))


def test_a_whole_read_takes_the_place_of_the_table(bench: Bench) -> None:
    full(bench).commit([unit(1, "same"), unit(2, "before"), unit(3, "gone")])
    window = full(bench, 1).commit([unit(1, "same"), unit(2, "after", 1), unit(4, "new")])
    assert window.counts == Counts(read=3, new=1, changed=1, unchanged=1)
    assert bench.table() == [(1, "same"), (2, "after"), (4, "new")]
    assert bench.seen() == {1: (0, 1, 0), 2: (0, 1, 1), 4: (1, 1, 1)}


def test_a_whole_read_is_believed_whatever_its_cursors_say(bench: Bench) -> None:
    full(bench).commit([unit(1, "new", 9)])
    assert full(bench, 1).commit([unit(1, "restored", 1)]).counts.changed == 1
    assert bench.table() == [(1, "restored")]


def test_parts_gather_out_of_sight_until_the_read_is_complete(bench: Bench) -> None:
    full(bench).commit([unit(1, "old")])
    sync = full(bench, 1)
    first = sync.commit([unit(2, "a"), unit(3, "b")], is_complete=False)
    assert bench.table() == [(1, "old")]
    last = sync.commit([unit(4, "c")])
    assert bench.table() == [(2, "a"), (3, "b"), (4, "c")]
    assert first.counts == Counts()
    assert last.counts == Counts(read=3, new=3)
    assert gathered(bench) == 0


def test_a_part_counts_what_it_alone_decides(bench: Bench) -> None:
    sync = full(bench)
    rejected = [{"read_at": NOON, "reason": "no key", "record": "{}"}]
    first = sync.commit([unit(1, "a")], is_complete=False, rejected=rejected, superseded=1)
    last = sync.commit([unit(2, "b")])
    assert first.counts == Counts(read=2, rejected=1, superseded=1)
    assert last.counts == Counts(read=2, new=2)
    assert [window.counts.hold for window in bench.session.windows(OVERWRITE)] == [True, True]


def test_of_a_key_in_several_parts_the_latest_read_is_kept(bench: Bench) -> None:
    sync = full(bench)
    sync.commit([unit(1, "late"), unit(2, "x")], is_complete=False, read_at=NOON + 2 * HOUR)
    window = sync.commit([unit(1, "early")], read_at=NOON + HOUR)
    assert window.counts == Counts(read=3, new=2, superseded=1)
    assert bench.table() == [(1, "late"), (2, "x")]


def test_an_empty_last_part_swaps_in_what_was_gathered(bench: Bench) -> None:
    sync = full(bench)
    sync.commit([unit(1, "a")], is_complete=False)
    assert sync.commit([]).counts == Counts(read=1, new=1)
    assert bench.table() == [(1, "a")]


def test_leftovers_of_a_read_that_was_given_up_are_discarded(bench: Bench) -> None:
    full(bench).commit([unit(9, "leftover")], is_complete=False)
    sync = full(bench, 1)
    sync.commit([unit(1, "a")], is_complete=False)
    sync.commit([unit(2, "b")])
    assert bench.table() == [(1, "a"), (2, "b")]


def test_a_complete_read_in_one_part_discards_leftovers_too(bench: Bench) -> None:
    full(bench).commit([unit(9, "leftover")], is_complete=False)
    assert full(bench, 1).commit([unit(1, "a")]).counts == Counts(read=1, new=1)
    assert bench.table() == [(1, "a")]
    assert gathered(bench) == 0


def test_a_later_sync_takes_a_broken_off_read_up_again(bench: Bench) -> None:
    full(bench).commit([unit(1, "a")], is_complete=False, position="p1")
    unfinished = progress_of(bench.session, OVERWRITE, "recurring").unfinished
    assert unfinished is not None
    assert unfinished.position == "p1"
    window = full(bench, 1).commit([unit(2, "b")], read_started_at=unfinished.read_started_at)
    assert window.counts == Counts(read=2, new=2)
    assert bench.table() == [(1, "a"), (2, "b")]


def test_a_read_whose_parts_were_discarded_is_not_taken_up_again(bench: Bench) -> None:
    """Its last page alone would otherwise take the whole table's place."""
    full(bench).commit([unit(1, "a")], is_complete=False, position="p1")
    other = full(bench, 1)
    other.commit([unit(5, "other")], is_complete=False)
    progress = progress_of(bench.session, OVERWRITE, "recurring")
    assert progress.unfinished is None
    with pytest.raises(DestinationBusy, match="another whole read"):
        full(bench, 2).commit([unit(2, "b")], read_started_at=NOON)
    assert bench.table() == []


@pytest.mark.parametrize("count", [0, 1])
def test_a_suspiciously_empty_read_never_swaps(bench: Bench, count: int) -> None:
    full(bench).commit([unit(number, "a") for number in range(20)])
    sync = full(bench, 1)
    sync.commit([], is_complete=False)
    with pytest.raises(SuspiciousEmpty, match=rf"brought {count} records .* holds 20"):
        sync.commit([unit(number, "b", 1) for number in range(count)])
    assert bench.table("count(*), min(name)") == [(20, "a")]
    assert max(row[1] for row in bench.seen().values()) == 0
    assert len(bench.session.windows(OVERWRITE)) == 2


def test_an_empty_read_swaps_when_a_person_says_so(bench: Bench) -> None:
    full(bench).commit([unit(1, "a")])
    plan = replace(OVERWRITE, allow_empty=True)
    assert full(bench, 1, plan=plan).commit([]).counts == Counts()
    assert bench.table() == []


def test_a_tenth_of_the_rows_is_enough_to_swap(bench: Bench) -> None:
    full(bench).commit([unit(number, "a") for number in range(20)])
    full(bench, 1).commit([unit(0, "a"), unit(1, "a")])
    assert bench.table() == [(0, "a"), (1, "a")]


def test_a_stream_that_is_empty_from_the_beginning_is_not_suspicious(bench: Bench) -> None:
    full(bench).commit([])
    full(bench, 1).commit([])
    assert bench.table() == []


def test_a_read_of_a_part_may_not_take_the_tables_place(bench: Bench) -> None:
    sync = full(bench)
    step = sync.step([unit(1, "a")])
    part = replace(step, window=replace(step.window, request=Request(NOON - HOUR, NOON)))
    with pytest.raises(Defect, match="a read of a part"):
        bench.session.commit(part, lambda: NOON)


def test_without_a_key_the_content_is_the_identity(bench: Bench) -> None:
    layout = layout_of([], line=TEXT)
    plan = keyed_plan(layout, mode=Mode.OVERWRITE)
    full(bench, plan=plan, layout=layout).commit([{"line": "a"}, {"line": "b"}])
    window = full(bench, 1, plan=plan, layout=layout).commit([{"line": "b"}, {"line": "c"}, {"line": "c"}])
    assert window.counts == Counts(read=3, new=1, unchanged=1, superseded=1)
    assert bench.table("line, first_seen") == [("b", NOON), ("c", NOON + HOUR)]


def test_columns_that_come_in_a_later_part_reach_what_was_gathered(bench: Bench) -> None:
    sync = full(bench)
    sync.commit([unit(1, "a")], is_complete=False)
    wider = layout_of(["id"], id=INTEGER, extra=TEXT)
    sync.layout = UNITS.with_columns((wider.column("extra"),))
    sync.commit([{**unit(2, "b"), "extra": "x"}])
    assert bench.table("id, name, extra") == [(1, "a", None), (2, "b", "x")]
