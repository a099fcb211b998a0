"""What a purge of the Dagster instance deletes and what it keeps."""

import shutil
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from propexo_connect.orchestration.retention import PurgeCounts, purge_runs, retention_definitions
from propexo_connect.orchestration.storage import POSTGRES_URL_VARIABLE

SHIPPED = Path(__file__).parents[2] / "dagster.yaml"
LEASES, UNITS, MONTHLY = dg.AssetKey("leases"), dg.AssetKey("units"), dg.AssetKey("monthly")
MONTHS = dg.StaticPartitionsDefinition(["2026-01", "2026-02"])

TOMORROW = datetime.now(UTC) + timedelta(days=1)
"""Everything that a test does is older than this."""


@dg.multi_asset(
    specs=[dg.AssetSpec(LEASES), dg.AssetSpec(UNITS)],
    check_specs=[dg.AssetCheckSpec("tiles_touch", asset=UNITS)],
    can_subset=True,
)
def sync(context: dg.AssetExecutionContext):
    for key in sorted(context.selected_asset_keys):
        results = [dg.AssetCheckResult(passed=True)] if key == UNITS else []
        yield dg.MaterializeResult(asset_key=key, check_results=results)


@dg.asset(key=MONTHLY, partitions_def=MONTHS)
def monthly() -> None: ...


on_kept_storages = pytest.mark.parametrize("instance", ["sqlite", "postgres"], indirect=True)
"""For the tests of what is asked in SQL; the others do with an instance in memory."""


@pytest.fixture
def instance(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Generator[dg.DagsterInstance]:
    storage = getattr(request, "param", "memory")
    if storage == "memory":
        with dg.DagsterInstance.ephemeral() as opened:
            yield opened
        return
    shutil.copy(SHIPPED, tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setenv(
        POSTGRES_URL_VARIABLE, request.getfixturevalue("postgres_url") if storage == "postgres" else ""
    )
    with dg.DagsterInstance.get() as opened:
        yield opened


def synced(instance: dg.DagsterInstance, *keys: dg.AssetKey) -> str:
    done = dg.materialize([sync], instance=instance, selection=list(keys), tags={"connection": "acme"})
    assert done.success
    return done.run_id


def runs(instance: dg.DagsterInstance) -> set[str]:
    return {run.run_id for run in instance.get_runs()}


@on_kept_storages
def test_the_run_with_the_latest_materialization_of_an_asset_is_kept(instance: dg.DagsterInstance) -> None:
    """Units were last read by the first run, leases by the third; the second is nobody's latest."""
    first, second, third = synced(instance, LEASES, UNITS), synced(instance, LEASES), synced(instance, LEASES)
    counts = purge_runs(instance, TOMORROW)
    assert runs(instance) == {first, third}
    assert counts.deleted_runs == 1
    assert counts.kept_runs == 2
    latest = {key: instance.get_latest_materialization_event(key) for key in (LEASES, UNITS)}
    assert {key: event and event.run_id for key, event in latest.items()} == {LEASES: third, UNITS: first}
    assert second not in runs(instance)


@on_kept_storages
def test_nothing_of_a_purged_run_is_left(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    gone, kept = synced(instance, LEASES), synced(instance, LEASES)
    instance.add_run_tags(gone, {"ticket": "old"})
    events = len(instance.all_logs(gone))
    counts = purge_runs(instance, TOMORROW)
    assert counts.deleted_events == events
    assert [path for path in tmp_path.rglob("*") if gone in path.name] == []
    assert instance.get_run_by_id(gone) is None
    assert instance.run_storage.get_run_tags(["ticket"]) == []
    assert [record.run_id for record in instance.fetch_materializations(LEASES, limit=10).records] == [kept]
    assert instance.all_logs(kept) != []


@on_kept_storages
def test_the_latest_materialization_of_each_partition_is_kept(instance: dg.DagsterInstance) -> None:
    for month in ("2026-01", "2026-02", "2026-02"):
        dg.materialize([monthly], instance=instance, partition_key=month)
    assert purge_runs(instance, TOMORROW).deleted_runs == 1
    assert instance.get_materialized_partitions(MONTHLY) == {"2026-01", "2026-02"}


@on_kept_storages
def test_the_latest_result_of_a_check_is_kept(instance: dg.DagsterInstance) -> None:
    """The units were reported once more from outside, without their check."""
    synced(instance, UNITS)
    checked = synced(instance, UNITS)
    key = dg.AssetCheckKey(UNITS, "tiles_touch")
    instance.report_runless_asset_event(dg.AssetMaterialization(UNITS))
    counts = purge_runs(instance, TOMORROW)
    assert runs(instance) == {checked}
    assert counts.deleted_check_results == 1
    found = instance.event_log_storage.get_latest_asset_check_execution_by_key([key])
    assert found[key].run_id == checked


def test_runs_younger_than_the_bound_stay(instance: dg.DagsterInstance) -> None:
    synced(instance, LEASES)
    synced(instance, LEASES)
    yesterday = TOMORROW - timedelta(days=2)
    assert purge_runs(instance, yesterday) == PurgeCounts()
    assert len(runs(instance)) == 2


def test_an_unfinished_run_stays_however_old(instance: dg.DagsterInstance) -> None:
    job = dg.Definitions([sync], jobs=[dg.define_asset_job("sync_all")]).resolve_job_def("sync_all")
    waiting = instance.create_run_for_job(job)
    assert purge_runs(instance, TOMORROW).deleted_runs == 0
    assert runs(instance) == {waiting.run_id}


def test_a_purge_that_meets_its_bound_goes_on_next_time(instance: dg.DagsterInstance) -> None:
    made = [synced(instance, LEASES) for _ in range(4)]
    first = purge_runs(instance, TOMORROW, batch_size=1, max_runs=2)
    assert (first.deleted_runs, first.is_complete) == (2, False)
    assert runs(instance) == set(made[2:])
    second = purge_runs(instance, TOMORROW, batch_size=1, max_runs=2)
    assert (second.deleted_runs, second.is_complete) == (1, True)
    assert runs(instance) == {made[3]}


def test_kept_runs_do_not_hide_the_ones_behind_them(instance: dg.DagsterInstance) -> None:
    kept = synced(instance, UNITS)
    made = [synced(instance, LEASES) for _ in range(3)]
    assert purge_runs(instance, TOMORROW, batch_size=1).deleted_runs == 2
    assert runs(instance) == {kept, made[2]}


def test_the_job_purges_with_its_settings_and_reports_counts(instance: dg.DagsterInstance) -> None:
    synced(instance, LEASES)
    synced(instance, LEASES)
    job = retention_definitions(keep_days=7).resolve_job_def("propexo_retention")
    done = job.execute_in_process(instance=instance)
    assert done.success
    (output,) = done.filter_events(lambda event: event.event_type is dg.DagsterEventType.STEP_OUTPUT)
    reported = output.step_output_data.metadata
    assert (reported["deleted_runs"].value, reported["is_complete"].value) == (0, True)
    before = reported["before"]
    assert isinstance(before, dg.TimestampMetadataValue)
    assert datetime.now(UTC).timestamp() - before.value == pytest.approx(7 * 86_400, abs=60)


def test_the_schedule_purges_daily_unless_stopped() -> None:
    (schedule,) = retention_definitions().schedules or []
    assert isinstance(schedule, dg.ScheduleDefinition)
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("17 3 * * *", "UTC")
