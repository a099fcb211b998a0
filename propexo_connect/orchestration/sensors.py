"""Syncs that no clock starts: a connection that is new or changed, and files that were dropped."""

import json
from collections.abc import Sequence
from typing import TypedDict, cast

import dagster as dg

from propexo_connect.connection.parse import Connection
from propexo_connect.orchestration.jobs import Job, sync_job_name
from propexo_connect.orchestration.schedules import LOOK_EVERY_S, MOST_RUNS


class _Seen(TypedDict):
    """What the cursor holds of a connection; `changes` counts on, so that no run key comes twice."""

    fingerprint: str
    changes: int


def changed_connections_sensor(
    connections: Sequence[Connection], jobs: Sequence[Job], name: str
) -> dg.SensorDefinition:
    """A sensor that syncs each connection at once when it is there for the first time or was changed.

    A connection that is gone and comes back counts as changed. A tick asks for a few runs only: when many
    connections are new, the others follow with the next ticks.
    """

    @dg.sensor(
        name=name,
        description="Syncs a connection as soon as it is there or was changed.",
        jobs=list(jobs),
        minimum_interval_seconds=LOOK_EVERY_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def changed_connections(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        seen = cast(dict[str, _Seen], json.loads(context.cursor or "{}"))
        present = {connection.name for connection in connections}
        for gone in seen.keys() - present:
            seen[gone]["fingerprint"] = ""
        requests: list[dg.RunRequest] = []
        for connection in connections:
            before = seen.get(connection.name, _Seen(fingerprint="", changes=0))
            if before["fingerprint"] == connection.fingerprint or len(requests) == MOST_RUNS:
                continue
            count = before["changes"] + 1
            seen[connection.name] = _Seen(fingerprint=connection.fingerprint, changes=count)
            requests.append(
                dg.RunRequest(
                    run_key=f"{connection.name}:{count}:{connection.fingerprint}",
                    job_name=sync_job_name(connection.name),
                )
            )
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=None if requests else "No connection is new or changed.",
            cursor=json.dumps(seen, sort_keys=True),
        )

    return changed_connections
