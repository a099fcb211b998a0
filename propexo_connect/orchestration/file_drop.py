"""Syncs that begin when files are dropped: a sensor over the folders of all `files` connections."""

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from datetime import timedelta
from typing import Any, cast

import dagster as dg

from propexo_connect.connection.parse import Connection
from propexo_connect.connectors.files import FilesConfig
from propexo_connect.connectors.files_listing import FoundFile
from propexo_connect.connectors.files_remote import open_folder
from propexo_connect.model.clock import Clock, SystemClock
from propexo_connect.model.errors import ConnectError
from propexo_connect.model.ledger import Reading
from propexo_connect.orchestration.file_watch import Look, first_look, next_look
from propexo_connect.orchestration.jobs import Job, sync_job_name
from propexo_connect.orchestration.naming import op_name
from propexo_connect.orchestration.schedules import LOOK_EVERY_S, MOST_RUNS, is_waiting

SHORTEST_REST = timedelta(seconds=5)
"""A file that changed within this time may still be written, whatever the connection says."""

ONE_MORE_SECOND = timedelta(seconds=1)
"""A sync leaves out files that are younger than its lag, in whole seconds."""

LOOKING_S = 20.0
"""What one tick may take; folders that it did not come to are first in the next."""


def file_drop_sensor(
    connections: Sequence[Connection], jobs: Sequence[Job], name: str, clock: Clock | None = None
) -> dg.SensorDefinition | None:
    """One sensor for all connections that read files; None when there are none.

    A sync begins when the names, times or sizes of a connection's files have changed and all of them have
    come to rest. A folder that cannot be read is told in the sensor's log; the others are not affected.
    """
    watched = [connection for connection in connections if isinstance(connection.source_config, FilesConfig)]
    if not watched:
        return None
    names = {sync_job_name(connection.name) for connection in watched}
    time = clock or SystemClock()

    @dg.sensor(
        name=name,
        description="Syncs a connection when files were dropped into its folder, or changed there.",
        jobs=[job for job in jobs if job.name in names],
        minimum_interval_seconds=LOOK_EVERY_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def file_drop(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        looks, after = _read(context.cursor)
        began_at = time.monotonic()
        requests: list[dg.RunRequest] = []
        for connection in _from(watched, after):
            if len(requests) == MOST_RUNS or time.monotonic() - began_at > LOOKING_S:
                break
            after = connection.name
            try:
                files = _files(connection, os.environ)
            except ConnectError as error:
                context.log.warning(f"{connection.name}: {error}")
                continue
            rest, now = _rest(connection), time.now()
            before = looks.get(connection.name)
            if before is None:
                looks[connection.name] = first_look(files, rest, now)
                continue
            look, reading = next_look(before, files, rest, now)
            looks[connection.name] = look
            # A run that waits will read them, too; a full read is another thing.
            if reading is Reading.FULL or (
                reading is not None and not is_waiting(context.instance, sync_job_name(connection.name))
            ):
                requests.append(_request(connection, look, reading))
        cursor = {"looks": {name: asdict(look) for name, look in looks.items()}, "after": after}
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=None if requests else "No files have come or changed, or they have not come to rest.",
            cursor=json.dumps(cursor, sort_keys=True),
        )

    return file_drop


def _request(connection: Connection, look: Look, reading: Reading) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=f"{connection.name}:{look.asked}",
        job_name=sync_job_name(connection.name),
        run_config={"ops": {op_name(connection.name): {"config": {"reading": str(reading)}}}},
    )


def _files(connection: Connection, environ: Mapping[str, str]) -> list[FoundFile]:
    """The files of all streams that the connection copies.

    Raises:
        ConnectError: the folder is not there or cannot be read.
    """
    config = cast(FilesConfig, connection.source_settings(environ))
    options = {name: value.get_secret_value() for name, value in config.storage_options.items()}
    folder = open_folder(config.root, options)
    copied = {plan.stream.name for plan in connection.plans}
    patterns = {given.path for name, given in config.streams.items() if name in copied}
    with closing(folder):
        return sorted({file for pattern in patterns for file in folder.find(pattern, config.max_files)})


def _rest(connection: Connection) -> timedelta:
    lags = [plan.stream.filter.lag for plan in connection.plans if plan.stream.filter is not None]
    return max([*lags, SHORTEST_REST]) + ONE_MORE_SECOND


def _from(watched: Sequence[Connection], after: str) -> list[Connection]:
    """All of them, beginning with the one behind `after`."""
    names = [connection.name for connection in watched]
    start = names.index(after) + 1 if after in names else 0
    return [*watched[start:], *watched[:start]]


def _read(cursor: str | None) -> tuple[dict[str, Look], str]:
    written: Any = json.loads(cursor) if cursor else {"looks": {}, "after": ""}
    return {name: Look(**look) for name, look in written["looks"].items()}, written["after"]
