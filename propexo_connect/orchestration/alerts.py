"""Events that no sync writes: a run that failed without a word, and data that is older than it should be.

They go into the outbox of the connection's destination; where that cannot be reached, into the spare one.
"""

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import msgspec

from propexo_connect.connection.endpoints import load_endpoints
from propexo_connect.connection.parse import Connection
from propexo_connect.destinations.base import Session
from propexo_connect.events.of_sync import SyncEnd, notices_of, wanting
from propexo_connect.events.opened import PATIENCE, opened
from propexo_connect.events.outboxes import destination_of, spare_outbox
from propexo_connect.model import errors
from propexo_connect.model.clock import Clock, SystemClock
from propexo_connect.model.duration import duration_text
from propexo_connect.model.errors import ConnectError, Stalled
from propexo_connect.model.event import Event, Notice, Subscription, event_id
from propexo_connect.model.ledger import Reading
from propexo_connect.orchestration.naming import CONNECTION_TAG, op_name, slug, slugs
from propexo_connect.orchestration.schedules import LOOK_EVERY_S
from propexo_connect.orchestration.specs import freshness_window

WATCH_EVERY_S = 300
"""How often the age of data is looked at; no window is shorter than ten minutes."""

_WILL_RETRY = "dagster/will_retry"


def failed_syncs_sensor(
    connections: Sequence[Connection], folder: Path, name: str, clock: Clock | None = None
) -> dg.SensorDefinition:
    """A sensor that tells of failed runs which could not tell of themselves.

    A sync writes `sync.failed` on its own where it reaches its destination. A run that Dagster starts again
    is told of when its last try has failed.
    """
    by_slug = {slug(connection.name): connection for connection in connections}
    now_of = clock or SystemClock()

    @dg.run_failure_sensor(
        name=name,
        description="Tells of syncs that failed before they could tell of it themselves.",
        minimum_interval_seconds=LOOK_EVERY_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def failed_syncs(context: dg.RunFailureSensorContext) -> dg.SkipReason | None:
        run = context.dagster_run
        connection = by_slug.get(_connection_slug(run))
        if connection is None or run.tags.get(_WILL_RETRY) == "true":
            return dg.SkipReason("No sync, or one that is tried again.")
        end = SyncEnd(
            connection.name,
            run.run_id,
            _reading(run, connection),
            _started_at(context.instance, run, now_of),
            now_of.now(),
            error=_error(context),
        )
        for notice in notices_of(end, _subscriptions(folder)):
            write_notice(connection, notice, now_of)
        return None

    return failed_syncs


def overdue_sensor(
    connections: Sequence[Connection], folder: Path, name: str, clock: Clock | None = None
) -> dg.SensorDefinition:
    """A sensor that tells once of each stream whose last completed sync is older than its freshness window.

    The cursor holds, for each stream that was told of, the sync that it was overdue since. A stream that was
    never synced is not overdue: its first sync is under way, or fails and is told of as that.
    """
    now_of = clock or SystemClock()
    watched = {
        dg.AssetKey([slug(connection.name), part]): (connection, stream, window)
        for connection in connections
        if (window := freshness_window(connection)) is not None
        for stream, part in slugs(plan.stream.name for plan in connection.plans).items()
    }

    @dg.sensor(
        name=name,
        description="Tells of streams whose last completed sync is older than their schedule allows.",
        minimum_interval_seconds=WATCH_EVERY_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def overdue_streams(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        told = msgspec.json.decode(context.cursor or "{}", type=dict[str, str])
        subscriptions = _subscriptions(folder)
        synced = _last_synced(context.instance, list(watched))
        now = now_of.now()
        is_told: dict[str, str] = {}
        for key, last in synced.items():
            connection, stream, window = watched[key]
            if now - last <= window:
                continue
            spot = key.to_user_string()
            is_told[spot] = last.isoformat()
            about = [one for one in subscriptions if one.covers(connection.name, stream)]
            names = wanting(Event.FRESHNESS_OVERDUE, about)
            if told.get(spot) == is_told[spot] or not names:
                continue
            write_notice(connection, _overdue(connection, stream, window, last, now, names), now_of)
        return dg.SensorResult(
            skip_reason="Every stream was looked at.", cursor=msgspec.json.encode(is_told).decode()
        )

    return overdue_streams


def write_notice(
    connection: Connection, notice: Notice, clock: Clock, environ: Mapping[str, str] | None = None
) -> None:
    """Write an event into the connection's destination, or into the spare outbox when that fails.

    What the destination has already, by its id, is left as it is.
    """
    given = os.environ if environ is None else environ

    def emit(session: Session) -> None:
        session.emit([notice])

    try:
        opened(destination_of(connection, given), emit, clock, PATIENCE)
    except ConnectError:
        opened(spare_outbox(given, Path.cwd()), emit, clock, PATIENCE)


def _overdue(
    connection: Connection,
    stream: str,
    window: timedelta,
    last: datetime,
    now: datetime,
    names: tuple[str, ...],
) -> Notice:
    return Notice(
        id=event_id(Event.FRESHNESS_OVERDUE, connection.name, stream, last.isoformat()),
        event=Event.FRESHNESS_OVERDUE,
        connection=connection.name,
        stream=stream,
        occurred_at=now,
        sync_id="",
        endpoints=names,
        payload={
            "connection": connection.name,
            "stream": stream,
            "completed_at": last.isoformat(),
            "limit": duration_text(window),
            "schedule": connection.schedule.text,
        },
    )


def _last_synced(instance: dg.DagsterInstance, keys: list[dg.AssetKey]) -> dict[dg.AssetKey, datetime]:
    """When each stream was last brought up to date; those that never were are left out."""
    found: dict[dg.AssetKey, datetime] = {}
    for record in instance.get_asset_records(keys) if keys else ():
        entry = record.asset_entry
        if entry.last_materialization_record is not None:
            found[entry.asset_key] = datetime.fromtimestamp(entry.last_materialization_record.timestamp, UTC)
    return found


def _subscriptions(folder: Path) -> list[Subscription]:
    """Those of all endpoints as their files are now, paused ones included."""
    return [one for endpoint in load_endpoints(folder).endpoints for one in endpoint.subscriptions]


def _connection_slug(run: dg.DagsterRun) -> str:
    """The connection that a run was about, by its tag, else by the first of its assets; empty for others."""
    tagged = run.tags.get(CONNECTION_TAG, "").partition("/")[0]
    if tagged or not run.asset_selection:
        return tagged
    return min(run.asset_selection).path[0]


def _reading(run: dg.DagsterRun, connection: Connection) -> Reading:
    """What was asked for at the launch; a recurring sync where nothing was."""
    config: Any = run.run_config
    for step in ("ops", op_name(connection.name), "config", "reading"):
        config = config.get(step) if isinstance(config, Mapping) else None
    return Reading(config) if config in set(Reading) else Reading.RECURRING


def _started_at(instance: dg.DagsterInstance, run: dg.DagsterRun, clock: Clock) -> datetime:
    record = instance.get_run_record_by_id(run.run_id)
    began = None if record is None else record.start_time
    return clock.now() if began is None else datetime.fromtimestamp(began, UTC)


def _error(context: dg.RunFailureSensorContext) -> ConnectError:
    """What the sync said of its failure: our own words alone, since those of others may hold anything."""
    for event in context.get_step_failure_events():
        said = event.step_failure_data.user_failure_data
        if said is None or not said.description:
            continue
        named = said.metadata.get("error")
        name = str(named.value) if named is not None else ""
        kind = getattr(errors, name, ConnectError)
        return kind(said.description.removeprefix(f"{name}: "))
    return Stalled("the run ended without a word of the sync: its process was killed or lost")
