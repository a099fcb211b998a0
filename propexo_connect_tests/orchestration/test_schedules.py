"""Schedules, the sensor for intervals that cron cannot say, and what keeps runs from piling up."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from propexo_connect.connection.parse import Connection
from propexo_connect.orchestration.location import definitions_of
from propexo_connect.orchestration.schedules import interval_sensor
from propexo_connect_tests.orchestration.bench import Bench
from propexo_connect_tests.sync.pages import HandClock


def schedules(bench: Bench) -> list[dg.ScheduleDefinition]:
    return list(bench.definitions().get_repository_def().schedule_defs)


def evaluated(bench: Bench) -> list[dg.RunRequest]:
    (schedule,) = schedules(bench)
    context = dg.build_schedule_context(bench.instance, datetime(2026, 1, 31, tzinfo=UTC))
    return list(schedule.evaluate_tick(context).run_requests or ())


def wait_in_queue(bench: Bench, job: str) -> None:
    status = dg.DagsterRunStatus.NOT_STARTED
    bench.instance.add_run(dg.DagsterRun(job_name=job, run_id=str(uuid.uuid4()), status=status))


def test_a_cron_schedule_runs_in_its_zone_unless_somebody_stops_it(bench: Bench) -> None:
    bench.fields = {"schedule": {"cron": ["0 6 * * *", "30 18 * * fri"], "timezone": "America/Chicago"}}
    (schedule,) = schedules(bench)
    assert schedule.name == "acme_north_schedule"
    assert schedule.cron_schedule == ["0 6 * * *", "30 18 * * fri"]
    assert schedule.execution_timezone == "America/Chicago"
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING


def test_an_interval_that_makes_a_week_is_cron(bench: Bench) -> None:
    bench.fields = {"schedule": {"every": "15m"}}
    assert len(schedules(bench)) == 1


def test_a_connection_by_hand_has_no_schedule(bench: Bench) -> None:
    bench.fields = {"schedule": "manual"}
    assert schedules(bench) == []


def test_a_tick_starts_the_job_whose_runs_are_tagged(stored_bench: Bench) -> None:
    stored_bench.fields = {"schedule": {"every": "1h"}, "retry": {"run": {"max_retries": 5}}}
    assert len(evaluated(stored_bench)) == 1
    (schedule,) = schedules(stored_bench)
    tags = stored_bench.definitions().resolve_job_def(schedule.job_name).run_tags
    assert tags["connection"] == "acme_north"
    assert tags["dagster/retry_strategy"] == "FROM_ASSET_FAILURE"
    assert tags["dagster/max_retries"] == "5"


def test_a_backsync_keeps_no_sync_waiting(bench: Bench) -> None:
    tags = bench.definitions().resolve_job_def("acme_north_backsync").run_tags
    assert tags["connection"] == "acme_north/backsync"
    assert tags["dagster/priority"] == "-1"


def test_without_a_range_to_ask_for_there_is_no_backsync(bench: Bench) -> None:
    bench.fields = {"streams": ["units"]}
    assert [job.name for job in bench.definitions().jobs or ()] == ["acme_north_sync", "acme_north_purge"]


def test_no_run_is_asked_for_while_one_waits_to_begin(stored_bench: Bench) -> None:
    stored_bench.fields = {"schedule": {"every": "1h"}}
    wait_in_queue(stored_bench, "acme_north_sync")
    assert not evaluated(stored_bench)


def test_a_backsync_that_waits_holds_no_sync_back(stored_bench: Bench) -> None:
    stored_bench.fields = {"schedule": {"every": "1h"}}
    wait_in_queue(stored_bench, "acme_north_backsync")
    assert evaluated(stored_bench)


def sensor_of(connections: list[Connection], clock: HandClock) -> dg.SensorDefinition:
    jobs: list[Any] = [job for job in definitions_of(connections).jobs or () if job.name.endswith("_sync")]
    sensor = interval_sensor(connections, jobs, "interval_syncs", clock)
    assert sensor is not None
    return sensor


def tick(sensor: dg.SensorDefinition, bench: Bench, cursor: str | None) -> tuple[list[str], str]:
    result = sensor(dg.build_sensor_context(bench.instance, cursor=cursor))
    assert isinstance(result, dg.SensorResult)
    assert result.cursor is not None
    return [str(request.job_name) for request in result.run_requests or ()], result.cursor


def test_an_interval_that_makes_no_week_is_watched_by_a_sensor(bench: Bench) -> None:
    clock = HandClock()
    sensor = sensor_of([bench.connection(schedule={"every": "5h"})], clock)
    started, cursor = tick(sensor, bench, None)
    assert started == []
    clock.move(timedelta(hours=5))
    started, cursor = tick(sensor, bench, cursor)
    assert started == ["acme_north_sync"]
    assert tick(sensor, bench, cursor) == ([], cursor)


def test_an_outage_of_days_ends_in_one_sync(bench: Bench) -> None:
    clock = HandClock()
    sensor = sensor_of([bench.connection(schedule={"every": "5h"})], clock)
    _, cursor = tick(sensor, bench, None)
    clock.move(timedelta(days=9))
    started, cursor = tick(sensor, bench, cursor)
    assert started == ["acme_north_sync"]
    assert tick(sensor, bench, cursor)[0] == []


def test_a_tick_that_is_repeated_asks_with_the_same_run_key(bench: Bench) -> None:
    clock = HandClock()
    sensor = sensor_of([bench.connection(schedule={"every": "5h"})], clock)
    _, cursor = tick(sensor, bench, None)
    clock.move(timedelta(hours=6))
    context = dg.build_sensor_context(bench.instance, cursor=cursor)
    again = dg.build_sensor_context(bench.instance, cursor=cursor)
    assert [one.run_key for one in sensor(context).run_requests] == [  # type: ignore[union-attr]
        one.run_key
        for one in sensor(again).run_requests  # type: ignore[union-attr]
    ]


def test_a_tick_asks_for_a_few_runs_and_the_next_for_the_others(bench: Bench) -> None:
    clock = HandClock()
    connections = [bench.connection(name=f"acme_{number}", schedule={"every": "5h"}) for number in range(12)]
    sensor = sensor_of(connections, clock)
    _, cursor = tick(sensor, bench, None)
    clock.move(timedelta(hours=5))
    first, cursor = tick(sensor, bench, cursor)
    second, _ = tick(sensor, bench, cursor)
    assert (len(first), len(second)) == (10, 2)
    assert len({*first, *second}) == 12


def test_a_connection_that_is_gone_leaves_the_cursor(bench: Bench) -> None:
    one, other = (bench.connection(name=name, schedule={"every": "5h"}) for name in ("one", "other"))
    _, cursor = tick(sensor_of([one, other], HandClock()), bench, None)
    _, cursor = tick(sensor_of([one], HandClock()), bench, cursor)
    assert list(json.loads(cursor)) == ["one"]
