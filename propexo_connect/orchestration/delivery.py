"""Events on their way: a job that delivers them, and the sensor that starts it when something is due.

Where no file in `connections/endpoints/` asks for events there is neither of them.
"""

import logging
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TypedDict

import dagster as dg
import msgspec

from propexo_connect.connection.endpoints import load_endpoints
from propexo_connect.connection.parse import Connection
from propexo_connect.destinations.base import Destination
from propexo_connect.events.due import next_due
from propexo_connect.events.opened import NO_PATIENCE, stored
from propexo_connect.events.outboxes import is_there, outboxes_of, stamp_of
from propexo_connect.events.rounds import deliver_all
from propexo_connect.model.clock import Clock, SystemClock
from propexo_connect.model.errors import ConnectError, RetryableError
from propexo_connect.orchestration.alerts import failed_syncs_sensor, overdue_sensor
from propexo_connect.orchestration.failure import NEVER_RETRY
from propexo_connect.orchestration.schedules import LOOK_EVERY_S

log = logging.getLogger("propexo_connect")

JOB = "propexo_events"

_UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


class _Looked(TypedDict):
    """What the cursor holds of an outbox: its file as it was, and when the next delivery is due."""

    stamp: str | None
    due: str | None


class _Cursor(TypedDict):
    """`runs` counts on, so that no run key comes twice and a repeated tick asks with the same one.

    What was looked up holds for these `endpoints` alone: one that is resumed has old events to get.
    """

    runs: int
    endpoints: list[str]
    looked: dict[str, _Looked]


def delivery_job(connections: Sequence[Connection], folder: Path) -> dg.JobDefinition:
    """The job that delivers what is due in the outboxes of these connections."""

    @dg.op(name="deliver_events", description="Delivers the events that are due to their endpoints.")
    def deliver_events(context: dg.OpExecutionContext) -> dg.Output[None]:
        outboxes = outboxes_of(connections, os.environ, Path.cwd())
        found = deliver_all(outboxes, load_endpoints(folder).endpoints, os.environ, SystemClock())
        for error in found.busy:
            context.log.info(f"The next run comes to it: {error}")
        if found.problems:
            raise dg.Failure(
                "\n".join(f"{error.name}: {error}" for error in found.problems), allow_retries=False
            )
        tally = found.tally
        counts = {"delivered": tally.delivered, "failed": tally.failed, "dead": tally.dead}
        return dg.Output(None, metadata=counts)

    return dg.GraphDefinition(
        name=JOB,
        description="Delivers the events that are due, until nothing is, or for some minutes.",
        node_defs=[deliver_events],
    ).to_job(
        executor_def=dg.in_process_executor,
        # What is still due at the end is due at the next tick: repeating the run would only do the same.
        tags=NEVER_RETRY,
    )


def due_events_sensor(
    connections: Sequence[Connection],
    folder: Path,
    job: dg.JobDefinition,
    name: str,
    clock: Clock | None = None,
) -> dg.SensorDefinition:
    """A sensor that starts the job when a delivery is due and no run of the job is under way.

    A DuckDB file is opened only when it was written since the last look, and not while a sync holds it.
    """
    now_of = clock or SystemClock()

    @dg.sensor(
        name=name,
        description="Starts the delivery of events when some are due.",
        job=job,
        minimum_interval_seconds=LOOK_EVERY_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def due_events(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        if is_under_way(context.instance):
            return dg.SkipReason("Events are being delivered.")
        endpoints = [one.name for one in load_endpoints(folder).endpoints if not one.is_paused]
        before = _read(context.cursor, endpoints)
        looked = dict(before["looked"])
        is_due = False
        for address, destination in outboxes_of(connections, os.environ, Path.cwd()).found.items():
            try:
                look = _look(destination, endpoints, looked.get(address), now_of)
            except ConnectError as error:
                context.log.warning(f"{address} cannot be asked what is due. {error.name}: {error}")
                continue
            if look is not None:
                looked[address] = look
                is_due = is_due or _is_past(look, now_of.now())
        cursor = _Cursor(runs=before["runs"] + is_due, endpoints=endpoints, looked=looked)
        return dg.SensorResult(
            run_requests=[dg.RunRequest(run_key=f"{JOB}:{cursor['runs']}")] if is_due else [],
            skip_reason=None if is_due else "No event is due.",
            cursor=msgspec.json.encode(cursor).decode(),
        )

    return due_events


def delivery_definitions(connections: Sequence[Connection], folder: Path) -> dg.Definitions:
    """What delivers events; nothing where no endpoint is there to get any."""
    endpoints = load_endpoints(folder)
    for broken in endpoints.broken:
        log.warning("The endpoint '%s' cannot be used. %s", broken.name, broken)
    if not endpoints.endpoints:
        return dg.Definitions()
    job = delivery_job(connections, folder)
    sensors = [
        due_events_sensor(connections, folder, job, "due_events"),
        failed_syncs_sensor(connections, folder, "failed_syncs"),
        overdue_sensor(connections, folder, "overdue_streams"),
    ]
    return dg.Definitions(jobs=[job], sensors=sensors)


def is_under_way(instance: dg.DagsterInstance) -> bool:
    """Whether a run of the job waits or works: it will come to whatever is due now."""
    return bool(instance.get_run_records(dg.RunsFilter(job_name=JOB, statuses=_UNDER_WAY), limit=1))


def _read(cursor: str | None, endpoints: list[str]) -> _Cursor:
    if not cursor:
        return _Cursor(runs=0, endpoints=endpoints, looked={})
    before = msgspec.json.decode(cursor, type=_Cursor)
    return (
        before
        if before["endpoints"] == endpoints
        else _Cursor(runs=before["runs"], endpoints=endpoints, looked={})
    )


def _look(
    destination: Destination, endpoints: Sequence[str], before: _Looked | None, clock: Clock
) -> _Looked | None:
    """When the next delivery of an outbox is due; None where it cannot be asked now: a later tick does.

    A file that a sync holds cannot be asked, and a run could not deliver from it either.
    """
    if not is_there(destination):
        return None
    stamp = stamp_of(destination)
    is_known = before is not None and stamp is not None and before["stamp"] == stamp
    if is_known and before is not None and not _is_past(before, clock.now()):
        return before
    try:
        due = stored(destination, lambda link: next_due(link, endpoints), clock, NO_PATIENCE)
    except RetryableError:
        return None
    return _Looked(stamp=stamp_of(destination), due=None if due is None else due.isoformat())


def _is_past(look: _Looked, now: datetime) -> bool:
    return look["due"] is not None and datetime.fromisoformat(look["due"]) <= now
