"""Syncs that begin when files are dropped: a sensor over the folders of all `files` connections."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypedDict, cast

import dagster as dg

from propexo_connect.connection.parse import Connection
from propexo_connect.connectors.files import FilesConfig
from propexo_connect.connectors.files_listing import FoundFile, open_folder
from propexo_connect.model.clock import Clock, SystemClock
from propexo_connect.model.errors import ConnectError
from propexo_connect.orchestration.jobs import Job, sync_job_name
from propexo_connect.orchestration.schedules import LOOK_EVERY_S, MOST_RUNS

SHORTEST_REST = timedelta(seconds=5)
"""A file that changed within this time may still be written, whatever the connection says."""

ONE_MORE_SECOND = timedelta(seconds=1)
"""A sync reads files up to its lag before its start, and its run starts after the tick."""

LONGEST_WAIT = timedelta(minutes=10)
"""How long a folder in which something always changes holds its sync back."""

LOOKING_S = 20.0
"""What one tick may take; folders that it did not come to are first in the next."""


class _Seen(TypedDict):
    """What the cursor holds of a connection.

    `digest` of the files that its last sync was asked for; `since` is when others were first seen that
    had not come to rest, empty when there are none.
    """

    digest: str
    since: str


class _Cursor(TypedDict):
    seen: dict[str, _Seen]
    after: str


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
        cursor = _read(context.cursor)
        began_at = time.monotonic()
        requests: list[dg.RunRequest] = []
        for connection in _from(watched, cursor["after"]):
            if len(requests) == MOST_RUNS or time.monotonic() - began_at > LOOKING_S:
                break
            cursor["after"] = connection.name
            try:
                files = _files(connection, os.environ)
            except ConnectError as error:
                context.log.warning(f"{connection.name}: {error}")
                continue
            before = cursor["seen"].get(connection.name)
            after = _look(before, files, _rest(connection), time.now())
            cursor["seen"][connection.name] = after
            if before is not None and after["digest"] != before["digest"]:
                requests.append(
                    dg.RunRequest(
                        run_key=f"{connection.name}:{after['digest']}",
                        job_name=sync_job_name(connection.name),
                    )
                )
        return dg.SensorResult(run_requests=requests, cursor=json.dumps(cursor, sort_keys=True))

    return file_drop


def _look(before: _Seen | None, files: Sequence[FoundFile], rest: timedelta, now: datetime) -> _Seen:
    """What the cursor is to hold; a digest other than before asks for a sync.

    A folder seen for the first time is the business of `changed_connections`, except for files that its
    sync may have come too early for.
    """
    digest = _digest(files)
    is_at_rest = all(file.modified_at <= now - rest for file in files)
    if before is None:
        return _Seen(digest=digest if is_at_rest else "", since="" if is_at_rest else now.isoformat())
    if digest == before["digest"]:
        return _Seen(digest=digest, since="")
    since = datetime.fromisoformat(before["since"]) if before["since"] else now
    if is_at_rest or now - since > LONGEST_WAIT:
        return _Seen(digest=digest, since="")
    return _Seen(digest=before["digest"], since=since.isoformat())


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
    return sorted({file for pattern in patterns for file in folder.find(pattern, config.max_files)})


def _digest(files: Sequence[FoundFile]) -> str:
    lines = (f"{file.path}\0{file.modified_at.isoformat()}\0{file.size_bytes}" for file in files)
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()


def _rest(connection: Connection) -> timedelta:
    lags = [plan.stream.filter.lag for plan in connection.plans if plan.stream.filter is not None]
    return max([*lags, SHORTEST_REST]) + ONE_MORE_SECOND


def _from(watched: Sequence[Connection], after: str) -> list[Connection]:
    """All of them, beginning with the one behind `after`."""
    names = [connection.name for connection in watched]
    start = names.index(after) + 1 if after in names else 0
    return [*watched[start:], *watched[:start]]


def _read(text: str | None) -> _Cursor:
    return cast(_Cursor, json.loads(text)) if text else _Cursor(seen={}, after="")
