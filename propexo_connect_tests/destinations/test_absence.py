"""The views beside a table: which records were covered and missing, and what the policy presumes."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from propexo_connect.model.absence import Verdict
from propexo_connect.model.errors import ConfigurationError
from propexo_connect.model.field import DATE, INTEGER, TEXT
from propexo_connect.model.ledger import Reading
from propexo_connect.model.stream import (
    AbsencePolicy,
    Filter,
    FilterDeclaration,
    FilterKind,
    Meaning,
    Mode,
    StreamPlan,
)
from propexo_connect.model.tile import Stretch, Tile
from propexo_connect_tests.destinations.kit import HOUR, NOON, Bench, layout_of, unit, units_plan

DAY = timedelta(days=1)
ALL = (unit(1, "a"), unit(2, "b"))
SOME = (unit(1, "a"),)


def created_plan(**changes: Any) -> StreamPlan:
    """The units, asked for by a date of creation."""
    return filtered(Filter("updatedAt", Meaning.CREATED), **changes)


def filtered(given: Filter, *hides: FilterDeclaration, **changes: Any) -> StreamPlan:
    plan = units_plan(**changes)
    return replace(plan, stream=replace(plan.stream, filter=given, hides=hides))


def hidden(days: int, kind: FilterKind = FilterKind.IMPLICIT) -> FilterDeclaration:
    """A vendor's own filter: the last days only."""
    return FilterDeclaration(kind, "updatedAt", timedelta(days=days))


def hiding(*hides: FilterDeclaration, **changes: Any) -> StreamPlan:
    return filtered(Filter("updatedAt"), *hides, **changes)


def full(bench: Bench, hours: float, records: Any, plan: StreamPlan | None = None, **changes: Any) -> None:
    """One complete read of the whole."""
    tile = Tile(NOON + (hours - 1) * HOUR, NOON + hours * HOUR)
    bench.sync(plan, hours, reading=Reading.FULL).commit(records, tile=tile, **changes)


def verdicts(bench: Bench, of: str = "pms.units__absence") -> dict[int, tuple[str, int]]:
    """By key: the verdict, and how many reads covered and missed the record."""
    return {
        key: (verdict, count)
        for key, verdict, count in bench.query(f"select id, verdict, covered_absences from {of}")
    }


def test_a_record_that_the_latest_read_returned_is_present(bench: Bench) -> None:
    full(bench, 0, ALL)
    assert verdicts(bench) == {1: ("present", 0), 2: ("present", 0)}


def test_a_record_that_whole_reads_miss_is_absent_and_each_of_them_counts(bench: Bench) -> None:
    full(bench, 0, ALL)
    full(bench, 1, SOME)
    full(bench, 2, SOME)
    assert verdicts(bench) == {1: ("present", 0), 2: ("absent", 2)}
    ended = bench.query("select last_covered_at from pms.units__absence where id = 2")[0][0]
    assert (ended - NOON) / HOUR == 2 + 2 / 60


def test_an_incomplete_read_proves_nothing(bench: Bench) -> None:
    full(bench, 0, ALL)
    full(bench, 1, SOME, is_complete=False)
    assert verdicts(bench)[2] == ("present", 0)


def test_what_is_seen_again_is_present_again(bench: Bench) -> None:
    full(bench, 0, ALL)
    full(bench, 1, SOME)
    full(bench, 2, ALL)
    assert verdicts(bench)[2] == ("present", 0)


def test_a_record_outside_of_what_was_asked_is_not_covered(bench: Bench) -> None:
    full(bench, 0, ALL, created_plan())
    tile = Tile(NOON + HOUR, NOON + 2 * HOUR)
    bench.sync(created_plan(), 2).commit([], tile=tile)
    assert verdicts(bench) == {1: ("not_covered", 0), 2: ("not_covered", 0)}


def test_a_record_inside_of_what_was_asked_by_creation_is_covered(bench: Bench) -> None:
    full(bench, 0, (unit(1, "a", 0), unit(2, "b", -30)), created_plan())
    bench.sync(created_plan(), 2).commit([], tile=Tile(NOON - HOUR, NOON + 2 * HOUR))
    assert verdicts(bench) == {1: ("absent", 1), 2: ("not_covered", 0)}


@pytest.mark.parametrize(("hours", "verdict"), [(-1, "absent"), (0, "not_covered"), (-1.001, "not_covered")])
def test_the_start_is_covered_and_the_end_is_not(bench: Bench, hours: float, verdict: str) -> None:
    full(bench, 0, (unit(1, "a", hours),), created_plan())
    bench.sync(created_plan(), 2).commit([], covered=Stretch(NOON - HOUR, NOON))
    assert verdicts(bench)[1][0] == verdict


def test_a_record_that_may_have_moved_ahead_is_not_covered_until_later_tiles_are_read(bench: Bench) -> None:
    full(bench, 0, ALL)
    bench.sync(hours=2).commit([], tile=Tile(NOON - HOUR, NOON + 2 * HOUR))
    assert verdicts(bench)[1] == ("not_covered", 0)
    bench.sync(hours=4).commit([], tile=Tile(NOON + 2 * HOUR, NOON + 4 * HOUR))
    assert verdicts(bench)[1] == ("absent", 1)


def test_a_business_date_proves_nothing(bench: Bench) -> None:
    plan = filtered(Filter("updatedAt", Meaning.BUSINESS))
    full(bench, 0, ALL, plan)
    bench.sync(plan, 2).commit([], tile=Tile(NOON - HOUR, NOON + 2 * HOUR))
    bench.sync(plan, 4).commit([], tile=Tile(NOON - HOUR, NOON + 4 * HOUR))
    assert verdicts(bench)[1] == ("not_covered", 0)


def test_a_field_that_is_the_parents_proves_nothing(bench: Bench) -> None:
    plan = filtered(Filter("updatedAt", Meaning.CREATED, of_parent=True))
    full(bench, 0, ALL, plan)
    bench.sync(plan, 2).commit([], tile=Tile(NOON - HOUR, NOON + 2 * HOUR))
    assert verdicts(bench)[1] == ("not_covered", 0)


def test_a_record_without_a_value_is_covered_by_whole_reads_alone(bench: Bench) -> None:
    plan = created_plan()
    full(bench, 0, (unit(1, "a", None),), plan)
    bench.sync(plan, 2).commit([], tile=Tile(NOON - HOUR, NOON + 2 * HOUR))
    assert verdicts(bench)[1] == ("not_covered", 0)
    full(bench, 3, (), plan)
    assert verdicts(bench)[1] == ("absent", 1)


def test_a_rolling_filter_of_the_vendors_hides_older_records(bench: Bench) -> None:
    plan = hiding(hidden(3))
    full(bench, 0, (unit(1, "a", 0), unit(2, "b", -60)), plan)
    full(bench, 24, (), plan)
    assert verdicts(bench) == {1: ("absent", 1), 2: ("not_covered", 0)}


def test_what_is_declared_later_holds_for_earlier_reads_as_well(bench: Bench) -> None:
    full(bench, 0, (unit(1, "a", -60),), hiding())
    full(bench, 24, (), hiding())
    assert verdicts(bench)[1] == ("absent", 1)
    full(bench, 25, (), hiding(hidden(3, FilterKind.UNDOCUMENTED)))
    assert verdicts(bench)[1] == ("not_covered", 0)


def test_what_was_declared_then_holds_for_its_reads_and_no_others(bench: Bench) -> None:
    full(bench, 0, (unit(1, "a", -60),), hiding(hidden(3)))
    full(bench, 24, (), hiding(hidden(3)))
    full(bench, 25, (), hiding(hidden(30)))
    assert verdicts(bench)[1] == ("absent", 1)


def test_a_filter_without_a_field_covers_nothing(bench: Bench) -> None:
    plan = hiding(FilterDeclaration(FilterKind.IMPLICIT, note="whatever the program leaves out"))
    full(bench, 0, ALL, plan)
    full(bench, 1, SOME, plan)
    assert verdicts(bench)[2] == ("not_covered", 0)


def test_a_read_that_skipped_a_parent_covers_nothing(bench: Bench) -> None:
    full(bench, 0, ALL)
    full(bench, 1, SOME, is_skipping=True)
    assert verdicts(bench)[2] == ("not_covered", 0)


def test_a_read_counts_from_the_sync_that_began_it(bench: Bench) -> None:
    """The first part of a read that was taken up again had returned the record."""
    full(bench, 0, ALL, is_complete=False, position="1")
    full(bench, 1, (), read_started_at=NOON, first_started_at=NOON)
    assert verdicts(bench) == {1: ("present", 0), 2: ("present", 0)}


def test_a_read_that_began_before_the_record_was_read_elsewhere_counts_nothing(bench: Bench) -> None:
    """A long backsync began first and returned the record last."""
    full(bench, 0, SOME)
    backsync = bench.sync(hours=1, reading=Reading.BACKSYNC)
    full(bench, 2, SOME)
    backsync.commit([unit(2, "b")], tile=Tile(NOON - DAY, NOON), read_at=NOON + 3 * HOUR)
    assert verdicts(bench)[2][1] == 0


def test_a_date_is_covered_when_its_whole_day_is(bench: Bench) -> None:
    layout = layout_of(("id",), id=INTEGER, updatedAt=DATE)
    given = Filter("updatedAt", Meaning.CREATED, resolution=DAY, zone="America/New_York")
    plan = filtered(given)
    days = [{"id": day, "updatedAt": date(2026, 3, day)} for day in (6, 7, 8, 9)]
    bench.sync(plan, 0, reading=Reading.FULL, layout=layout).commit(days)
    # The clocks of New York change on 8 March 2026: that day has 23 hours.
    covered = Stretch(
        datetime.fromisoformat("2026-03-07T05:00Z"), datetime.fromisoformat("2026-03-09T04:00Z")
    )
    bench.sync(plan, 300, layout=layout).commit([], covered=covered)
    assert {day for day, (verdict, _) in verdicts(bench).items() if verdict == "absent"} == {7, 8}


LONG_GONE = AbsencePolicy(2, timedelta(days=5), is_default=False)


def test_the_policy_presumes_once_all_it_asks_for_holds(bench: Bench) -> None:
    plan = units_plan(absence=LONG_GONE)
    full(bench, 0, ALL, plan)
    full(bench, 24, SOME, plan)
    full(bench, 48, SOME, plan)
    assert verdicts(bench)[2] == ("absent", 2)
    full(bench, 24 * 6, SOME, plan)
    assert verdicts(bench)[2] == ("presumed_deleted", 3)
    assert bench.table(of="pms.units__live") == [(1, "a")]
    assert bench.table() == [(1, "a"), (2, "b")]


def test_the_live_view_has_all_columns_of_the_table(bench: Bench) -> None:
    full(bench, 0, ALL)
    assert bench.table("id, name, updated_at, first_seen, last_seen", "pms.units__live") == bench.table(
        "id, name, updated_at, first_seen, last_seen"
    )


def test_the_default_policy_presumes_nothing_where_records_are_hidden_by_their_state(bench: Bench) -> None:
    by_state = FilterDeclaration(FilterKind.IMPLICIT, "name", note="archived ones leave the list")
    for plan, verdict in (
        (hiding(by_state), "absent"),
        (hiding(by_state, absence=LONG_GONE), "presumed_deleted"),
    ):
        for day in range(0, 50, 10):
            full(bench, 24 * day + (0 if verdict == "absent" else 1400), ALL if day == 0 else SOME, plan)
        assert verdicts(bench)[2][0] == verdict


def test_a_read_that_misses_too_many_at_once_marks_nothing(bench: Bench) -> None:
    plan = units_plan(absence=replace(LONG_GONE, guard_share=0.2))
    many = [unit(number, "x") for number in range(40)]
    full(bench, 0, many, plan)
    for day in (3, 6, 9):
        full(bench, 24 * day, many[:28], plan)
    assert {verdict for verdict, _ in verdicts(bench).values()} == {"present", "absent"}
    assert bench.query("select count(*) from pms.units__absence where is_held")[0][0] == 12
    accepted = units_plan(absence=replace(LONG_GONE, guard_share=1.0))
    full(bench, 24 * 10, many[:28], accepted)
    assert verdicts(bench)[39][0] == "presumed_deleted"


def test_versions_of_one_record_are_one_record(bench: Bench) -> None:
    plan = units_plan(mode=Mode.APPEND, absence=LONG_GONE)
    full(bench, 0, ALL, plan)
    full(bench, 1, (unit(1, "a"), unit(2, "c", 1)), plan)
    for day in (3, 7, 9):
        full(bench, 24 * day, SOME, plan)
    assert verdicts(bench) == {1: ("present", 0), 2: ("presumed_deleted", 3)}
    assert bench.table(of="pms.units__live") == [(1, "a")]


def test_the_summary_counts_the_streams_of_a_connection(bench: Bench) -> None:
    full(bench, 0, ALL)
    full(bench, 1, SOME)
    bench.session.summarise("acme")
    assert bench.query(
        "select stream, records, present, absent, presumed_deleted from _propexo.absence__acme"
    ) == [("units", 2, 1, 1, 0)]


def test_views_take_in_new_columns_at_their_end(bench: Bench) -> None:
    full(bench, 0, ALL)
    wider = layout_of(("id",), id=INTEGER, name=TEXT, updatedAt=DATE)
    assert wider
    layout = bench.sync().layout.with_columns(
        (replace(bench.sync().layout.columns[1], field="note", name="note"),)
    )
    bench.sync(hours=1, reading=Reading.FULL, layout=layout).commit([{**unit(1, "a"), "note": "n"}])
    assert bench.table("id, note", "pms.units__live") == [(1, "n"), (2, None)]


def test_a_column_under_the_views_may_be_widened(bench: Bench) -> None:
    full(bench, 0, ALL)
    columns = bench.sync().layout.columns
    layout = replace(bench.sync().layout, columns=(replace(columns[0], type=TEXT), *columns[1:]))
    bench.sync(hours=1, reading=Reading.FULL, layout=layout).commit([{**unit(1, "a"), "id": "1"}])
    assert bench.query("select id, verdict from pms.units__absence order by id") == [
        ("1", "present"),
        ("2", "absent"),
    ]
    bench.session.summarise("acme")
    assert bench.query("select records from _propexo.absence__acme") == [(2,)]


def test_a_view_of_ones_own_in_the_place_of_ours_is_refused(bench: Bench) -> None:
    bench.query("create schema pms")
    bench.query("create table pms.units__live (one bigint)")
    with pytest.raises(ConfigurationError, match="units__live already"):
        full(bench, 0, ALL)


def test_the_session_counts_how_records_stand(bench: Bench) -> None:
    plan = units_plan()
    full(bench, 0, ALL)
    full(bench, 24 * 8, SOME)
    facts = bench.session.absence(plan, NOON + 10 * DAY, judges=True)
    assert (facts.records, facts.unseen, facts.held) == (2, {7: 1, 30: 0, 90: 0}, 0)
    assert facts.verdicts == {
        Verdict.PRESENT: 1,
        Verdict.NOT_COVERED: 0,
        Verdict.ABSENT: 1,
        Verdict.PRESUMED_DELETED: 0,
    }
    assert facts.last_covered_at == NOON + 8 * DAY + timedelta(minutes=2)
    quick = bench.session.absence(plan, NOON + 10 * DAY, judges=False)
    assert (quick.unseen, quick.verdicts) == (facts.unseen, None)
