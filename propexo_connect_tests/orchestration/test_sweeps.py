"""Sweeps as Dagster runs them: apart from syncs, and when they are due."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from propexo_connect.orchestration.location import definitions_of
from propexo_connect.orchestration.sweeps import sweep_sensor
from propexo_connect_tests.orchestration.bench import Bench, failure, materialized
from propexo_connect_tests.sync.pages import HandClock

HOUR = timedelta(hours=1)
SWEEPS = {"sweep": "30d", "streams": ["work-orders", "units", "visits"]}
PACED = {"reading": "sweep", "paced": True}


def observed(result: dg.ExecuteInProcessResult) -> dict[str, dict[str, dg.MetadataValue]]:
    """The metadata of each stream that a run observed."""
    found: dict[str, dict[str, dg.MetadataValue]] = {}
    for event in result.all_events:
        if event.event_type is dg.DagsterEventType.ASSET_OBSERVATION:
            told: Any = event.event_specific_data
            observation = told.asset_observation
            found[observation.asset_key.path[-1]] = observation.metadata
    return found


def test_a_sweep_s_job_has_a_lane_of_its_own_behind_syncs_and_backsyncs(bench: Bench) -> None:
    bench.fields = SWEEPS
    job = bench.definitions().resolve_job_def("acme_north_sweep")
    assert job.run_tags["connection"] == "acme_north/sweep"
    assert job.run_tags["dagster/priority"] == "-2"
    keys = {key.path[-1] for key in job.asset_layer.selected_asset_keys}
    assert keys == {"work_orders", "units"}


def test_a_connection_without_sweeps_has_neither_job_nor_sensor(bench: Bench) -> None:
    bench.fields = {"sweep": "never"}
    definitions = definitions_of([bench.connection()])
    assert not any(
        "sweep" in str(one.name) for one in [*(definitions.jobs or ()), *(definitions.sensors or ())]
    )


def test_a_sweep_observes_and_materializes_nothing(bench: Bench) -> None:
    bench.sync("units")
    result = bench.sync("units", config={"reading": "sweep"})
    assert result.success
    assert materialized(result) == {}
    metadata = observed(result)["units"]
    assert metadata["swept_keys_seen"].value == 1
    assert bench.rows("select reading from _propexo.windows order by number") == [("full",), ("sweep",)]


def test_no_label_of_a_sweep_is_one_of_a_sync(bench: Bench) -> None:
    synced = materialized(bench.sync("units"))["units"]
    swept = observed(bench.sync("units", config={"reading": "sweep"}))["units"]
    assert not set(synced) & set(swept)


def test_a_sweep_that_is_not_due_reads_nothing_and_tells_when_it_is(bench: Bench) -> None:
    bench.fields = SWEEPS
    bench.sync("units")
    bench.vendor.read.clear()
    result = bench.sync("units", config=PACED, job="acme_north_sweep")
    assert result.success
    assert bench.vendor.read == []
    due_at: Any = observed(result)["units"]["next_sweep_at"].value
    assert timedelta(days=29) < datetime.fromtimestamp(due_at, UTC) - datetime.now(UTC) < timedelta(days=31)


def test_a_pace_is_for_sweeps_alone(bench: Bench) -> None:
    said = failure(bench.sync(config={"reading": "full", "paced": True})).description
    assert "`paced` is for a sweep" in said


def sensor_of(bench: Bench, clock: HandClock) -> dg.SensorDefinition:
    bench.fields = {**SWEEPS, "streams": ["units"]}
    connection = bench.connection()
    jobs: list[Any] = [job for job in definitions_of([connection]).jobs or () if job.name.endswith("_sweep")]
    sensor = sweep_sensor([connection], jobs, "due_sweeps", clock)
    assert sensor is not None
    return sensor


def tick(sensor: dg.SensorDefinition, bench: Bench, cursor: str | None) -> tuple[list[str], str]:
    result = sensor(dg.build_sensor_context(bench.instance, cursor=cursor))
    assert isinstance(result, dg.SensorResult)
    assert result.cursor is not None
    return [str(request.job_name) for request in result.run_requests or ()], result.cursor


def test_a_sweep_starts_when_the_last_one_said_and_not_before(stored_bench: Bench) -> None:
    bench, clock = stored_bench, HandClock(datetime.now(UTC))
    sensor = sensor_of(bench, clock)
    started, cursor = tick(sensor, bench, None)
    assert started == []
    clock.move(4 * HOUR)
    started, cursor = tick(sensor, bench, cursor)
    assert started == ["acme_north_sweep"]
    bench.sync("units")
    bench.sync("units", config=PACED, job="acme_north_sweep")
    clock.move(4 * HOUR)
    started, cursor = tick(sensor, bench, cursor)
    assert started == []
    look = datetime.fromisoformat(json.loads(cursor)["acme_north_sweep"])
    assert look - clock.now() > timedelta(days=29)
    clock.move(look - clock.now())
    assert tick(sensor, bench, cursor)[0] == ["acme_north_sweep"]


def test_a_sweep_that_told_nothing_is_started_again_hours_later(stored_bench: Bench) -> None:
    clock = HandClock(datetime.now(UTC))
    sensor = sensor_of(stored_bench, clock)
    _, cursor = tick(sensor, stored_bench, None)
    for _ in range(2):
        clock.move(4 * HOUR)
        started, cursor = tick(sensor, stored_bench, cursor)
        assert started == ["acme_north_sweep"]
        assert tick(sensor, stored_bench, cursor)[0] == []
