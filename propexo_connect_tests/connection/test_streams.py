"""What a connection says of a stream, applied to what the connector knows of it."""

from datetime import timedelta
from typing import Any

import pytest

from propexo_connect.connection.problem import InvalidConnection, Problem
from propexo_connect.connection.tables import LONGEST_TABLE, tables_of
from propexo_connect.model.field import FieldType, Kind
from propexo_connect.model.stream import (
    AbsencePolicy,
    Axis,
    Drift,
    Filter,
    FilterDeclaration,
    FilterKind,
    Meaning,
    Mode,
    Stream,
    StreamPlan,
    SweepPolicy,
)
from propexo_connect_tests.connection.fakes import DATABASE, FIELDS, STREAMS, parsed

HOURLY = {"every": "1h"}


def plan_of(
    name: str = "work_orders", connection: dict[str, Any] | None = None, **written: Any
) -> StreamPlan:
    """The plan of one stream with these settings."""
    (plan,) = parsed(**{"schedule": HOURLY, **(connection or {})}, streams={name: written}).plans
    return plan


def problem_of(name: str = "work_orders", **fields: Any) -> Problem:
    """The one problem of a connection with one stream."""
    connection = fields.pop("connection", {})
    with pytest.raises(InvalidConnection) as caught:
        parsed(**{"schedule": HOURLY, **connection}, streams={name: fields})
    (problem,) = caught.value.problems
    return problem


def test_all_streams_come_in_the_connector_s_order() -> None:
    found = parsed(streams="*", schedule=HOURLY)
    assert [plan.stream.name for plan in found.plans] == [stream.name for stream in STREAMS]


def test_the_star_stands_for_all_that_are_not_named() -> None:
    found = parsed(streams={"work_orders": {"history": True}, "*": {"drift": "freeze"}}, schedule=HOURLY)
    assert len(found.plans) == len(STREAMS)
    assert [plan.stream.name for plan in found.plans if plan.history] == ["work_orders"]
    assert sum(plan.drift is Drift.FREEZE for plan in found.plans) == len(STREAMS) - 1


def test_a_stream_overrides_the_connection_and_the_connection_the_default() -> None:
    defaults = {
        "mode": "append",
        "history": True,
        "drift": "fail",
        "allow_empty": True,
        "initial_window": "1d",
    }
    plan = plan_of(connection=defaults, mode="overwrite", history=False)
    assert (plan.mode, plan.history, plan.drift, plan.allow_empty) == (
        Mode.OVERWRITE,
        False,
        Drift.FAIL,
        True,
    )
    assert plan.initial_window == timedelta(days=1)


def test_lookback_lag_and_full_every_go_to_the_filter() -> None:
    plan = plan_of(connection={"lookback": "2d", "full_every": "7d"}, lag="5m", full_every="never")
    assert plan.stream.filter == Filter(
        "updatedAt", lag=timedelta(minutes=5), lookback=timedelta(days=2), full_every=None
    )


def test_defaults_for_filters_leave_streams_alone_that_are_read_whole() -> None:
    assert plan_of("members", connection={"lookback": "2d"}).stream.filter is None


def test_a_filter_s_settings_change_the_connector_s_filter() -> None:
    plan = plan_of(
        filter={"zone": "America/Chicago", "resolution": "1d", "widest": "7d", "meaning": "business"},
        lookback="3d",
    )
    assert plan.stream.filter == Filter(
        "updatedAt",
        Meaning.BUSINESS,
        resolution=timedelta(days=1),
        zone="America/Chicago",
        widest=timedelta(days=7),
        lookback=timedelta(days=3),
        lag=timedelta(minutes=1),
    )


def test_a_filter_on_another_field_starts_from_nothing() -> None:
    assert plan_of(filter="changedAt").stream.filter == Filter("changedAt")


def test_a_table_of_a_database_can_be_given_key_cursor_and_filter() -> None:
    plan = plan_of(
        "crm.units",
        connection={"source": DATABASE},
        key="unit_id",
        cursor="changed_at",
        filter={"field": "row_no", "axis": "integer", "lookback_values": 100},
    )
    assert (plan.stream.key, plan.stream.cursor) == (("unit_id",), "changed_at")
    assert plan.stream.filter == Filter("row_no", axis=Axis.INTEGER, lookback_values=100)
    assert plan.mode is Mode.MERGE


def test_types_replace_declared_ones_and_add_others() -> None:
    plan = plan_of("members", types={"id": "text", "rent": "decimal(18,2)"})
    assert [(field.name, str(field.type)) for field in plan.stream.fields] == [
        ("id", "text"),
        ("rent", str(FieldType(Kind.DECIMAL, 18, 2))),
    ]


def test_key_cursor_and_filter_field_are_kept_whatever_is_selected() -> None:
    assert plan_of(fields="note").selected == {"note", "id", "updatedAt"}


def test_excluded_fields_are_left_out_and_nothing_else() -> None:
    plan = plan_of(exclude_fields=["note"])
    assert (plan.selected, plan.excluded) == (None, {"note"})
    assert [plan.wants(name) for name in ("note", "amount", "new")] == [False, True, True]


@pytest.mark.parametrize(("field", "role"), [("id", "the key"), ("updatedAt", "the cursor")])
def test_key_and_cursor_cannot_be_excluded(field: str, role: str) -> None:
    problem = problem_of(exclude_fields=[field])
    assert role in problem.found
    assert problem.path == f"streams.work_orders.exclude_fields.{field}"


def test_fields_cannot_be_both_chosen_and_excluded() -> None:
    assert problem_of(fields=["note"], exclude_fields=["amount"]).expected == "one of the two"


@pytest.mark.parametrize("setting", ["fields", "exclude_fields", "key", "cursor"])
def test_a_field_that_a_closed_stream_does_not_have_is_refused_with_the_nearest(setting: str) -> None:
    problem = problem_of(**{setting: "updated_at"})
    assert problem.found == "unknown field 'updated_at' of the stream 'work_orders'"
    assert problem.remedy == "Did you mean 'updatedAt'?"


def test_a_field_that_an_open_stream_may_have_is_taken_with_a_warning() -> None:
    found = parsed(streams={"members": {"fields": ["idd"]}})
    assert found.plans[0].selected == {"id", "idd"}
    assert "'idd' is not among those that are known beforehand. Did you mean 'id'?" in found.warnings[0]


def test_fields_can_be_excluded_that_only_the_source_knows() -> None:
    assert plan_of("units", connection={"source": DATABASE}, exclude_fields=["ssn"]).excluded == {"ssn"}


def test_a_stream_without_a_key_is_appended_by_default() -> None:
    assert plan_of("visits").mode is Mode.APPEND


def test_a_stream_that_has_no_key_for_certain_is_appended_though_its_fields_are_unknown() -> None:
    assert plan_of("reports").mode is Mode.APPEND
    assert plan_of("reports", key=["id"]).mode is Mode.MERGE


def test_merging_a_stream_without_a_key_is_refused_where_it_is_written() -> None:
    assert problem_of("visits", mode="merge").path == "streams.visits.mode"
    assert problem_of("visits", connection={"mode": "merge"}).path == "mode"
    assert plan_of("visits", mode="merge", key="note").stream.key == ("note",)


@pytest.mark.parametrize("setting", ["lookback", "lag", "full_every"])
def test_a_filter_s_setting_on_a_stream_that_is_read_whole_is_refused(setting: str) -> None:
    problem = problem_of("members", **{setting: "1d"})
    assert "which is read whole each time" in problem.found
    assert problem.path == f"streams.members.{setting}"


def test_a_filter_without_a_field_on_a_stream_that_is_read_whole_is_refused() -> None:
    assert "a filter without `field`" in problem_of("members", filter={"zone": "UTC"}).found


def test_all_streams_of_a_source_that_cannot_list_them_is_refused() -> None:
    with pytest.raises(InvalidConnection, match="Write the names"):
        parsed(source=DATABASE, streams="*")


def test_a_schedule_too_rare_for_what_the_source_answers_is_refused() -> None:
    problem = problem_of("calls", connection={"schedule": {"cron": "0 6 * * mon"}})
    assert "only answers the last 2d, of which 6h are lookback and lag, but up to 1w pass" in problem.found
    assert problem.expected == "a schedule with gaps of at most 1d18h"
    assert "accept_gap: true" in problem.remedy


def test_the_gap_may_be_as_long_as_what_the_source_answers_and_no_longer() -> None:
    assert plan_of("calls", connection={"schedule": {"every": "42h"}})
    assert problem_of("calls", connection={"schedule": {"every": "43h"}})


def test_a_lookback_of_the_user_s_counts_against_what_the_source_answers() -> None:
    assert problem_of("calls", connection={"schedule": {"every": "42h"}}, lookback="7h")


def test_a_gap_can_be_accepted_by_name() -> None:
    found = parsed(streams={"calls": {"accept_gap": True}}, schedule={"cron": "0 6 * * mon"})
    assert any("1w pass between syncs (accepted)" in warning for warning in found.warnings)


def test_a_window_that_the_vendor_applies_by_itself_counts_like_a_horizon() -> None:
    assert "the last 30d" in problem_of("alerts", connection={"schedule": {"every": "31d"}}).found


def test_a_manual_connection_to_a_source_that_forgets_is_warned_of() -> None:
    found = parsed(streams=["calls"])
    assert any("the connection has no schedule" in warning for warning in found.warnings)
    assert any("the first sync brings no more" in warning for warning in found.warnings)


def test_a_filter_that_misses_later_changes_is_warned_of() -> None:
    found = parsed(streams={"calls": {"lookback": "0s"}}, schedule=HOURLY)
    assert any("later changes of older records are not seen" in warning for warning in found.warnings)


def streams(*names: str) -> list[Stream]:
    """Streams of a database: `a.b` is the table b in the schema a."""
    return [
        Stream(name, table=(name.rpartition(".")[0] or "public", name.rpartition(".")[2])) for name in names
    ]


def table_names(*names: str, prefix: str = "") -> list[str]:
    """Where the streams land."""
    tables, faults = tables_of(streams(*names), "x", prefix)
    assert not faults
    return [table.name for table in tables.values()]


def test_a_table_is_named_by_its_last_part_after_the_prefix() -> None:
    assert table_names("crm.WorkOrders", "units", prefix="raw_") == ["raw_work_orders", "raw_units"]


def test_rivals_for_a_table_take_their_whole_names_in_any_order() -> None:
    assert table_names("a.units", "b.units") == ["a_units", "b_units"]
    assert table_names("b.units", "a.units") == ["b_units", "a_units"]
    assert table_names("a.units", "units") == ["a_units", "units"]


def test_a_whole_name_that_is_taken_makes_its_holder_take_its_own() -> None:
    assert table_names("a.b_c", "z.b_c", "x.a_b_c") == ["a_b_c", "z_b_c", "x_a_b_c"]


@pytest.mark.parametrize(
    "pair", [("a-b", "a_b"), ("workOrders", "work_orders"), ("a.b", "a_b"), ("名", "字")]
)
def test_two_streams_that_differ_only_in_signs_are_refused_by_both_names(pair: tuple[str, str]) -> None:
    _, faults = tables_of([Stream(name) for name in pair], "x")
    assert pair[0] in faults[pair[1]][0]
    assert pair[1] in faults[pair[1]][0]


def test_two_names_of_one_table_are_refused() -> None:
    _, faults = tables_of(streams("units", "public.units"), "x")
    assert list(faults) == ["public.units"]


def test_a_name_leaves_room_for_what_stands_beside_the_table() -> None:
    (name,) = table_names("é" * 60)
    assert len(name.encode()) <= LONGEST_TABLE
    assert table_names("a" * 50, "a" * 51)[0] != table_names("a" * 50, "a" * 51)[1]


def test_a_dot_in_a_name_without_a_place_is_no_schema() -> None:
    tables, _ = tables_of([Stream("leases.csv")], "x")
    assert tables["leases.csv"].name == "leases_csv"


def test_streams_that_collide_are_refused_where_they_are_written() -> None:
    with pytest.raises(InvalidConnection) as caught:
        parsed(source=DATABASE, streams=["a-b", "a_b"])
    assert caught.value.problems[0].path == "streams.a_b"


def test_the_fields_of_the_fakes_are_what_the_tests_take_them_for() -> None:
    assert [field.name for field in FIELDS] == ["id", "updatedAt", "amount", "note"]


def test_a_history_may_be_bounded_for_the_connection_or_a_stream() -> None:
    assert plan_of(history=True, history_for="2y").history_for == timedelta(days=730)
    assert plan_of(connection={"history": True, "history_for": "1d"}).history_for == timedelta(days=1)
    assert plan_of(history=True).history_for is None


def test_a_bound_without_a_history_is_refused() -> None:
    assert "where no history is kept" in problem_of(history_for="2y").found
    assert "where no history is kept" in problem_of(connection={"history_for": "2y"}).found


def test_a_history_of_what_has_no_key_is_refused() -> None:
    assert "which has no key" in problem_of("reports", history=True).found


def test_the_policy_on_missing_records_has_a_default() -> None:
    assert plan_of().absence == AbsencePolicy(3, timedelta(days=30), is_default=True, guard_share=0.2)


def test_a_chosen_policy_takes_the_default_s_place_as_a_whole() -> None:
    plan = plan_of(connection={"absence": "never"}, absence={"covered_absences": "5"})
    assert plan.absence == AbsencePolicy(5, None, is_default=False)
    assert plan_of(connection={"absence": "never"}).absence == AbsencePolicy(None, None, is_default=False)


def test_the_guard_may_be_set_without_a_policy() -> None:
    assert plan_of(absence={"guard_share": "50%"}).absence == AbsencePolicy(guard_share=0.5)


@pytest.mark.parametrize(
    ("written", "found", "expected"),
    [
        ({"guard_share": "120%"}, "'120%'", "a share such as 20%, up to 100%"),
        ({"guard_share": "0.2"}, "'0.2'", "a share such as 20%, up to 100%"),
        ("sometimes", "'sometimes'", "`never`, or a mapping of `covered_absences` and `unseen_for`"),
    ],
)
def test_a_policy_that_cannot_be_says_why(written: object, found: str, expected: str) -> None:
    problem = problem_of(absence=written)
    assert (problem.found, problem.expected) == (found, expected)


def test_a_sweep_is_said_of_a_connection_and_again_of_a_stream() -> None:
    plan = plan_of(connection={"sweep": "30d"})
    assert plan.sweep == SweepPolicy(timedelta(days=30))
    plan = plan_of(connection={"sweep": "30d"}, sweep={"every": "60d", "spread": "3d"})
    assert plan.sweep == SweepPolicy(timedelta(days=60), timedelta(days=3))
    assert plan_of(connection={"sweep": "30d"}, sweep="never").sweep is None
    assert plan_of().sweep is None


def test_a_keyless_stream_has_no_sweep_and_one_that_is_asked_for_is_refused() -> None:
    assert plan_of("visits", connection={"sweep": "30d"}).sweep is None
    problem = problem_of("visits", sweep="30d")
    assert problem.path == "streams.visits.sweep"
    assert "has no key" in problem.found


@pytest.mark.parametrize(
    "sweep",
    [
        {"every": "1h"},
        {"every": "30d", "spread": "30d"},
        {"every": "never", "spread": "1d"},
        {"every": "30d", "spread": "2h"},
    ],
)
def test_sweeps_that_make_no_sense_are_refused(sweep: dict[str, str]) -> None:
    assert "sweep" in problem_of(sweep=sweep).found


def test_a_spread_that_nothing_can_divide_is_a_warning() -> None:
    spread = {"every": "30d", "spread": "3d"}
    (warning,) = parsed(schedule=HOURLY, streams={"members": {"sweep": spread}}).warnings
    assert "in one go" in warning
    assert not parsed(schedule=HOURLY, streams={"work_orders": {"sweep": spread}}).warnings


def test_filters_of_the_source_are_added_to_those_the_connector_knows() -> None:
    plan = plan_of(hides=[{"field": "updatedAt", "rolling": "40d", "note": "old ones"}, {"field": "note"}])
    assert plan.stream.hides[-2:] == (
        FilterDeclaration(FilterKind.UNDOCUMENTED, "updatedAt", timedelta(days=40), note="old ones"),
        FilterDeclaration(FilterKind.UNDOCUMENTED, "note"),
    )


@pytest.mark.parametrize(
    ("hidden", "found"),
    [
        ({"field": "note", "kind": "explicit"}, "'explicit'"),
        ({"rolling": "40d"}, "`field` is missing"),
        ({"field": "updatedAt", "rolling": "-1d"}, "'-1d'"),
    ],
)
def test_a_filter_of_the_source_that_cannot_be_says_where(hidden: dict[str, str], found: str) -> None:
    problem = problem_of(hides=[hidden])
    assert "streams.work_orders.hides.0" in str(problem)
    assert found in str(problem)
