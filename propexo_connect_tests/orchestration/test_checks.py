"""The checks that a sync answers."""

from datetime import timedelta

import dagster as dg
import pytest

from propexo_connect.destinations.base import TableFacts
from propexo_connect.model.counts import Counts
from propexo_connect.model.layout import Change
from propexo_connect.model.ledger import Reading, Window
from propexo_connect.orchestration.checks import keys_check, ledger_check, surprises_check
from propexo_connect_tests.orchestration.bench import Bench
from propexo_connect_tests.orchestration.test_metadata import NOON, window

KEY = dg.AssetKey(["acme", "units"])
HOUR = timedelta(hours=1)


def hours(start: int, end: int, reading: Reading = Reading.RECURRING) -> Window:
    return window(NOON + start * HOUR, NOON + end * HOUR, reading=reading)


def answers(result: dg.ExecuteInProcessResult) -> dict[tuple[str, str], bool]:
    return {
        (one.asset_key.path[-1], one.check_name): one.passed for one in result.get_asset_check_evaluations()
    }


def test_a_sync_answers_the_checks_of_its_streams(bench: Bench) -> None:
    assert answers(bench.sync("units", "visits")) == {
        ("units", "ledger"): True,
        ("units", "keys"): True,
        ("units", "surprises"): True,
        ("visits", "ledger"): True,
        ("visits", "surprises"): True,
    }


def test_a_failed_stream_answers_nothing(bench: Bench) -> None:
    from propexo_connect.model.errors import Unreachable

    bench.vendor.failures["units"] = Unreachable("cut")
    assert {name for name, _ in answers(bench.sync("units", "visits"))} == {"visits"}


def test_tiles_that_touch_pass() -> None:
    backsync = hours(-9, 0, Reading.BACKSYNC)
    assert ledger_check(KEY, [hours(0, 1), hours(1, 2), backsync, hours(2, 5)]).passed


def test_a_gap_fails_and_is_named() -> None:
    answer = ledger_check(KEY, [hours(0, 1), hours(2, 3)])
    assert not answer.passed
    assert answer.severity is dg.AssetCheckSeverity.ERROR
    assert "gap between" in (answer.description or "")


def test_an_overlap_fails_and_is_named() -> None:
    answer = ledger_check(KEY, [hours(0, 2), hours(1, 3)])
    assert not answer.passed
    assert "overlap between" in (answer.description or "")


def test_a_repull_and_an_incomplete_step_prove_nothing_about_tiles() -> None:
    repull = hours(0, 1, Reading.REPULL)
    broken_off = window(NOON + 5 * HOUR, NOON + 9 * HOUR, done=False)
    assert ledger_check(KEY, [repull, hours(3, 4), broken_off, hours(4, 5)]).passed


def test_a_stream_that_changed_its_axis_is_judged_on_each() -> None:
    assert ledger_check(KEY, [window(0, 10), window(10, 20), hours(0, 1)]).passed
    assert not ledger_check(KEY, [window(0, 10), window(11, 20), hours(0, 1)]).passed


def test_counts_that_do_not_add_up_fail() -> None:
    from dataclasses import replace

    wrong = replace(hours(0, 1), counts=Counts(read=3, new=2))
    answer = ledger_check(KEY, [wrong])
    assert not answer.passed
    assert "read=3" in (answer.description or "")


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
    assert keys_check(KEY, facts).passed is passed


def test_rejected_records_and_drift_warn() -> None:
    answer = surprises_check(KEY, 2, (Change("added", "Floor", "floor", None, "integer"),))
    assert not answer.passed
    assert answer.severity is dg.AssetCheckSeverity.WARN
    assert "2 records were rejected" in (answer.description or "")
    assert "Floor: added." in (answer.description or "")
    assert surprises_check(KEY, 0, ()).passed


def test_a_rejected_record_warns_and_fails_nothing(bench: Bench) -> None:
    bench.vendor.records["units"] = [{"name": "no key"}]
    result = bench.sync("units")
    assert result.success
    assert answers(result)["units", "surprises"] is False


def test_a_check_alone_is_answered_without_a_sync(bench: Bench) -> None:
    bench.sync("units")
    bench.vendor.read.clear()
    key = dg.AssetCheckKey(dg.AssetKey(["acme_north", "units"]), "keys")
    job = dg.define_asset_job("look", selection=dg.AssetSelection.checks(key))
    defs = dg.Definitions.merge(bench.definitions(), dg.Definitions(jobs=[job]))
    result = defs.resolve_job_def("look").execute_in_process(instance=bench.instance)
    assert answers(result) == {("units", "keys"): True}
    assert not result.get_asset_materialization_events()
    assert not bench.vendor.read
