"""When connections sync: cron schedules, and one sensor for intervals that cron cannot say."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import cast

import dagster as dg

from propexo_connect.connection.parse import Connection
from propexo_connect.model.clock import Clock, SystemClock
from propexo_connect.orchestration.jobs import Job, sync_job_name
from propexo_connect.orchestration.naming import slug

LOOK_EVERY_S = 30
"""How often sensors look, in seconds."""

MOST_RUNS = 10
"""Runs that one tick of a sensor asks for at most; the others follow with the next ticks."""

_WAITING = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED]


def connection_schedules(connection: Connection, job: Job) -> list[dg.ScheduleDefinition]:
    """The schedule of a connection; none for `manual` and for intervals that `interval_sensor` watches."""
    crons = connection.schedule.cron_expressions()
    if not crons:
        return []
    return [
        dg.ScheduleDefinition(
            name=f"{slug(connection.name)}_schedule",
            description=f"{connection.name}: {connection.schedule.text}.",
            job=job,
            cron_schedule=crons[0] if len(crons) == 1 else crons,
            execution_timezone=connection.schedule.timezone,
            should_execute=lambda context: not is_waiting(context.instance, job.name),
            default_status=dg.DefaultScheduleStatus.RUNNING,
        )
    ]


def interval_sensor(
    connections: Sequence[Connection], jobs: Sequence[Job], name: str, clock: Clock | None = None
) -> dg.SensorDefinition | None:
    """One sensor for all connections whose interval does not make a week; None when there are none.

    The cursor holds the instant of each connection's last start by this sensor; one that it does not know
    begins now, because its first sync is the business of `changed_connections`.
    """
    watched = [connection for connection in connections if connection.schedule.needs_due_check]
    if not watched:
        return None
    names = {sync_job_name(connection.name) for connection in watched}
    now_of = clock or SystemClock()

    @dg.sensor(
        name=name,
        description="Starts the connections whose interval no cron expression says.",
        jobs=[job for job in jobs if job.name in names],
        minimum_interval_seconds=LOOK_EVERY_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def interval_syncs(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        now = now_of.now()
        started = cast(dict[str, str], json.loads(context.cursor or "{}"))
        started = {one.name: started.get(one.name, now.isoformat()) for one in watched}
        requests: list[dg.RunRequest] = []
        for connection in watched:
            last = datetime.fromisoformat(started[connection.name])
            job = sync_job_name(connection.name)
            if len(requests) == MOST_RUNS or not connection.schedule.is_due(last, now):
                continue
            if not is_waiting(context.instance, job):
                requests.append(
                    dg.RunRequest(run_key=f"{connection.name}:{started[connection.name]}", job_name=job)
                )
            started[connection.name] = now.isoformat()
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=None if requests else "No connection is due.",
            cursor=json.dumps(started),
        )

    return interval_syncs


def is_waiting(instance: dg.DagsterInstance, job_name: str) -> bool:
    """Whether a run of the job waits to begin: one more would only do the same again.

    Without this, a long outage of workers would end in a burst of syncs, each but the first with
    nothing to do. The one that waits reaches back to whatever was missed.
    """
    waiting = dg.RunsFilter(job_name=job_name, statuses=_WAITING)
    return bool(instance.get_run_records(waiting, limit=1))
