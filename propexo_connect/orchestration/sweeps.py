"""When sweeps start: a sensor that asks for one when the last told that the next is due.

The ledger is not asked: a DuckDB file has one owner at a time, and a sensor that opened it would fail syncs.
Instead each sweep leaves the time of the next with its asset, and whether one is due is decided by the run.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import cast

import dagster as dg

from propexo_connect.connection.parse import Connection
from propexo_connect.model.clock import Clock, SystemClock
from propexo_connect.orchestration.jobs import SWEPT, Job, sweep_job_name
from propexo_connect.orchestration.metadata import NEXT_SWEEP_AT
from propexo_connect.orchestration.schedules import MOST_RUNS, is_waiting
from propexo_connect.sync.sweep import SHARE_EVERY

LOOK_EVERY_S = 300
"""Sweeps are days apart and their shares hours."""


def sweep_sensor(
    connections: Sequence[Connection], jobs: Sequence[Job], name: str, clock: Clock | None = None
) -> dg.SensorDefinition | None:
    """One sensor for all connections with sweeps; None when there are none.

    The cursor holds when each connection is looked at next: after a start, when the next share could be due;
    then, as its streams have told, when the first of them is. Whose sweep told nothing is started again.
    """
    found = {sweep_job_name(one.name): one for one in connections}
    watched = {job.name: found[job.name] for job in jobs if job.name in found}
    if not watched:
        return None
    assets = {job.name: _keys(job) for job in jobs}
    now_of = clock or SystemClock()

    @dg.sensor(
        name=name,
        description="Starts the sweeps that are due: they learn which records are still there.",
        jobs=[job for job in jobs if job.name in watched],
        minimum_interval_seconds=LOOK_EVERY_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def due_sweeps(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        now = now_of.now()
        looks = cast(dict[str, str], json.loads(context.cursor or "{}"))
        looks = {job: looks.get(job, (now + SHARE_EVERY).isoformat()) for job in watched}
        requests: list[dg.RunRequest] = []
        for job in watched:
            if len(requests) == MOST_RUNS or datetime.fromisoformat(looks[job]) > now:
                continue
            due_at = _told(context.instance, assets[job])
            if due_at is not None and due_at > now:
                looks[job] = due_at.isoformat()
                continue
            if not is_waiting(context.instance, job):
                requests.append(dg.RunRequest(run_key=f"{job}:{looks[job]}", job_name=job))
            looks[job] = (now + SHARE_EVERY).isoformat()
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=None if requests else "No sweep is due.",
            cursor=json.dumps(looks),
        )

    return due_sweeps


def _keys(job: Job) -> Sequence[dg.AssetKey]:
    """The assets of a sweep job."""
    told = (job.metadata or {})[SWEPT]
    return [dg.AssetKey.from_user_string(text) for text in cast("list[str]", told.value)]


def _told(instance: dg.DagsterInstance, keys: Sequence[dg.AssetKey]) -> datetime | None:
    """When the first of the streams is due by what its latest sweep told; None where one has told nothing."""
    moments: list[datetime] = []
    for key in keys:
        records = instance.fetch_observations(key, limit=1).records
        told = records[0].asset_observation if records else None
        value = told.metadata.get(NEXT_SWEEP_AT) if told is not None else None
        if not isinstance(value, dg.TimestampMetadataValue):
            return None
        moments.append(datetime.fromtimestamp(value.value, UTC))
    return min(moments, default=None)
