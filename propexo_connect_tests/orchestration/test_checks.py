"""The checks that a sync answers."""

import dagster as dg
import pytest

from propexo_connect.destinations.base import TableFacts
from propexo_connect.model.absence import AbsenceFacts, Verdict
from propexo_connect.model.errors import Unreachable
from propexo_connect.model.layout import Change
from propexo_connect.model.stream import Stream, StreamPlan, Table
from propexo_connect.orchestration.checks import (
    key_unique_and_present,
    ledger_equation,
    not_missing_in_masses,
    rejected_records,
    schema_drift,
    tiles_touch,
)
from propexo_connect_tests.orchestration.bench import Bench

KEY = dg.AssetKey(["acme", "units"])
PLAN = StreamPlan("acme", Stream("units", key=("id",)), Table("pms", "units"))


def answers(result: dg.ExecuteInProcessResult) -> dict[tuple[str, str], bool]:
    return {
        (one.asset_key.path[-1], one.check_name): one.passed for one in result.get_asset_check_evaluations()
    }


def test_a_sync_answers_the_checks_of_its_streams(bench: Bench) -> None:
    """A stream that has no key is not asked about it."""
    always = ("tiles_touch", "ledger_equation", "rejected_records", "schema_drift", "not_missing_in_masses")
    assert answers(bench.sync("units", "visits")) == {
        **{(stream, check): True for stream in ("units", "visits") for check in always},
        ("units", "key_unique_and_present"): True,
    }


def test_a_failed_stream_answers_nothing(bench: Bench) -> None:
    bench.vendor.failures["units"] = Unreachable("cut")
    assert {name for name, _ in answers(bench.sync("units", "visits"))} == {"visits"}


def test_faults_of_the_tiles_fail_and_are_named() -> None:
    answer = tiles_touch(KEY, ["gap between 1 and 2", "overlap between 3 and 4"])
    assert not answer.passed
    assert answer.severity is dg.AssetCheckSeverity.ERROR
    assert answer.description == "gap between 1 and 2\noverlap between 3 and 4"
    assert tiles_touch(KEY, []).passed


def test_a_gap_that_somebody_made_is_found_by_the_next_sync(bench: Bench) -> None:
    for _ in range(2):
        assert answers(bench.sync("work_orders"))["work_orders", "tiles_touch"] is True
    bench.rows("update _propexo.windows set tile_end = tile_end - interval 1 hour where number = 1")
    assert answers(bench.sync("work_orders"))["work_orders", "tiles_touch"] is False


def test_counts_that_do_not_add_up_fail() -> None:
    answer = ledger_equation(KEY, 3)
    assert not answer.passed
    assert answer.severity is dg.AssetCheckSeverity.ERROR
    assert "3 steps" in (answer.description or "")
    assert ledger_equation(KEY, 0).passed


def test_counts_that_somebody_changed_are_found_by_the_next_sync(bench: Bench) -> None:
    bench.sync("units")
    bench.rows('update _propexo.windows set "read" = 7')
    assert answers(bench.sync("units"))["units", "ledger_equation"] is False


def test_a_ledger_that_could_not_be_asked_warns() -> None:
    for answer in (tiles_touch(KEY, None), ledger_equation(KEY, None)):
        assert not answer.passed
        assert answer.severity is dg.AssetCheckSeverity.WARN


@pytest.mark.parametrize(
    ("facts", "passed"),
    [
        (TableFacts(duplicate_keys=0, null_keys=0), True),
        (TableFacts(duplicate_keys=2, null_keys=0), False),
        (TableFacts(duplicate_keys=0, null_keys=1), False),
        (None, False),
    ],
)
def test_keys_must_be_unique_and_present(facts: TableFacts | None, passed: bool) -> None:
    assert key_unique_and_present(KEY, facts).passed is passed


def test_rejected_records_warn() -> None:
    answer = rejected_records(KEY, 2)
    assert not answer.passed
    assert answer.severity is dg.AssetCheckSeverity.WARN
    assert "2 records were rejected" in (answer.description or "")
    assert rejected_records(KEY, 0).passed


def test_drift_warns_and_names_the_fields() -> None:
    answer = schema_drift(KEY, (Change("added", "Floor", "floor", None, "integer"),))
    assert not answer.passed
    assert answer.severity is dg.AssetCheckSeverity.WARN
    assert answer.description == "Floor: added."
    assert schema_drift(KEY, ()).passed


def held(count: int) -> AbsenceFacts:
    """Forty records, of which so many were missed at once."""
    verdicts = dict.fromkeys(Verdict, 0) | {Verdict.ABSENT: count, Verdict.PRESENT: 40 - count}
    return AbsenceFacts(40, {7: 0, 30: 0, 90: 0}, verdicts, held=count)


def test_records_that_are_missed_in_masses_fail_and_say_what_to_do() -> None:
    answer = not_missing_in_masses(KEY, PLAN, held(12))
    assert not answer.passed
    assert answer.severity is dg.AssetCheckSeverity.ERROR
    assert answer.description is not None
    assert (
        "12 records were missed at once, more than 20% of all; see pms.units__absence" in answer.description
    )
    assert not_missing_in_masses(KEY, PLAN, held(0)).passed


def test_missing_records_that_could_not_be_counted_warn() -> None:
    answer = not_missing_in_masses(KEY, PLAN, None)
    assert (answer.passed, answer.severity) == (False, dg.AssetCheckSeverity.WARN)


def test_a_rejected_record_warns_and_fails_nothing(bench: Bench) -> None:
    bench.vendor.records["units"] = [{"name": "no key"}]
    result = bench.sync("units")
    assert result.success
    assert answers(result)["units", "rejected_records"] is False
    bench.vendor.records["units"] = [{"id": 1}]
    assert answers(bench.sync("units"))["units", "rejected_records"] is True


def test_drift_is_told_by_the_sync_that_meets_it_and_not_by_the_next(bench: Bench) -> None:
    bench.sync("units")
    bench.vendor.records["units"] = [{"id": 1, "floor": 3}]
    assert answers(bench.sync("units"))["units", "schema_drift"] is False
    assert answers(bench.sync("units"))["units", "schema_drift"] is True


def check_alone(bench: Bench, stream: str, check: str) -> dg.ExecuteInProcessResult:
    key = dg.AssetCheckKey(dg.AssetKey(["acme_north", stream]), check)
    job = dg.define_asset_job("look", selection=dg.AssetSelection.checks(key))
    defs = dg.Definitions.merge(bench.definitions(), dg.Definitions(jobs=[job]))
    return defs.resolve_job_def("look").execute_in_process(instance=bench.instance)


@pytest.mark.parametrize(
    "check",
    ["tiles_touch", "ledger_equation", "key_unique_and_present", "rejected_records", "schema_drift"],
)
def test_a_check_alone_is_answered_without_a_sync(bench: Bench, check: str) -> None:
    bench.sync("units")
    bench.vendor.read.clear()
    result = check_alone(bench, "units", check)
    assert answers(result) == {("units", check): True}
    assert not result.get_asset_materialization_events()
    assert not bench.vendor.read


def test_a_key_that_the_source_alone_knows_is_checked_too(bench: Bench) -> None:
    bench.vendor.offers = (Stream("notes"),)
    bench.vendor.keys["notes"] = ("id",)
    assert answers(bench.sync("notes"))["notes", "key_unique_and_present"] is True
    assert answers(check_alone(bench, "notes", "key_unique_and_present")) == {
        ("notes", "key_unique_and_present"): True
    }
