"""Purges the runs and events that the Dagster instance would otherwise keep for ever.

A sync writes some 25 events, about 30 KB: 1,000 connections every 15 minutes make 3 GB a day. The job
`propexo_retention` deletes finished runs that are older than `keep_days`, with their events, captured logs
and, on SQLite, their own database file; and check results of that age. Whatever its age, it keeps

- a run with the latest materialization or observation of an asset, or of one partition of it;
- the latest result of an asset check, and its run.

The purge works in batches, each small and complete in itself: a purge that is stopped continues at the next
start. Events go before their run, so that nothing is left behind that no later purge would find.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
from dagster._core.storage.event_log import SqlEventLogStorage, SqliteEventLogStorage
from dagster._core.storage.event_log.schema import (
    AssetCheckExecutionsTable,
    AssetEventTagsTable,
    SqlEventLogStorageTable,
)
from dagster._core.storage.runs import SqlRunStorage
from dagster._core.storage.runs.schema import RunsTable, RunTagsTable
from pydantic import Field
from sqlalchemy import delete, exists, func, select

from propexo_connect.model.clock import SystemClock
from propexo_connect.model.errors import ConfigurationError

KEEP_DAYS = 30
"""How long finished runs stay when nobody says otherwise."""

DAILY = "17 3 * * *"
"""At 03:17: off the full hour, when most schedules start."""

BATCH_SIZE = 500
"""Runs, or check results, that one transaction deletes."""

MAX_RUNS = 200_000
"""What one purge deletes at most: twice what 1,000 connections make in a day at 15 minutes each."""

FINISHED = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)

STATE_OF_AN_ASSET = (dg.DagsterEventType.ASSET_MATERIALIZATION, dg.DagsterEventType.ASSET_OBSERVATION)
"""Kinds of events of which the latest one is what Dagster shows of an asset."""


@dataclass(frozen=True)
class PurgeCounts:
    """What one purge did.

    `kept_runs` are old and hold the latest state of an asset or check. `is_complete` is False when the bound
    on runs was reached; the rest waits for the next purge.
    """

    deleted_runs: int = 0
    deleted_events: int = 0
    deleted_check_results: int = 0
    kept_runs: int = 0
    is_complete: bool = True


def purge_runs(
    instance: dg.DagsterInstance, before: datetime, *, batch_size: int = BATCH_SIZE, max_runs: int = MAX_RUNS
) -> PurgeCounts:
    """Delete finished runs last updated before that instant, oldest first, at most `max_runs` of them.

    Check results from before that instant go with them, except the latest of each check.
    """
    storage, runs = instance.event_log_storage, instance.run_storage
    if not isinstance(storage, SqlEventLogStorage) or not isinstance(runs, SqlRunStorage):
        raise ConfigurationError(
            f"runs cannot be purged from {type(runs).__name__} and {type(storage).__name__}",
            where="Dagster instance",
            expected="storage on SQLite or PostgreSQL",
        )
    old = dg.RunsFilter(statuses=FINISHED, updated_before=before)
    runs_of_checks = _runs_with_latest_check_result(storage)
    counts = PurgeCounts(deleted_check_results=_delete_check_results(storage, before, batch_size))
    last_kept: str | None = None
    # The cursor must be a run that still exists, hence the last kept one; deleted ones are gone anyway.
    while records := instance.get_run_records(old, limit=batch_size, ascending=True, cursor=last_kept):
        run_ids = [record.dagster_run.run_id for record in records]
        kept = runs_of_checks.intersection(run_ids) | _runs_with_latest_asset_event(storage, run_ids)
        last_kept = next((run_id for run_id in reversed(run_ids) if run_id in kept), last_kept)
        allowed = max_runs - counts.deleted_runs
        doomed = [run_id for run_id in run_ids if run_id not in kept]
        is_complete = len(doomed) <= allowed
        deleted_events = _delete_events(storage, doomed[:allowed])
        for run_id in doomed[:allowed]:
            instance.compute_log_manager.delete_logs(prefix=[run_id])
        _delete_runs(runs, doomed[:allowed])
        counts = replace(
            counts,
            deleted_runs=counts.deleted_runs + len(doomed[:allowed]),
            deleted_events=counts.deleted_events + deleted_events,
            kept_runs=counts.kept_runs + len(kept),
            is_complete=is_complete,
        )
        if not is_complete:
            break
    return counts


def _runs_with_latest_asset_event(storage: SqlEventLogStorage, run_ids: Sequence[str]) -> set[str]:
    """Those of the runs that wrote the latest event of a kind about an asset or one of its partitions."""
    events, later = SqlEventLogStorageTable, SqlEventLogStorageTable.alias("later")
    query = select(events.c.run_id).where(
        events.c.run_id.in_(run_ids),
        events.c.dagster_event_type.in_([kind.value for kind in STATE_OF_AN_ASSET]),
        ~exists().where(
            later.c.asset_key == events.c.asset_key,
            later.c.dagster_event_type == events.c.dagster_event_type,
            later.c.partition.is_not_distinct_from(events.c.partition),
            later.c.id > events.c.id,
        ),
    )
    with storage.index_connection() as connection:
        return set(connection.scalars(query))


def _runs_with_latest_check_result(storage: SqlEventLogStorage) -> set[str]:
    """All runs that wrote the latest result of a check; one pass, as the table has no index by run."""
    results = AssetCheckExecutionsTable
    latest = select(func.max(results.c.id)).group_by(
        results.c.asset_key, results.c.check_name, results.c.partition
    )
    with storage.index_connection() as connection:
        return set(connection.scalars(select(results.c.run_id).where(results.c.id.in_(latest))))


def _delete_check_results(storage: SqlEventLogStorage, before: datetime, batch_size: int) -> int:
    """Delete the check results from before that instant that have a later one; gives how many."""
    results, later = AssetCheckExecutionsTable, AssetCheckExecutionsTable.alias("later")
    doomed = (
        select(results.c.id)
        .where(
            # Dagster keeps this column without a zone, in UTC.
            results.c.create_timestamp < before.astimezone(UTC).replace(tzinfo=None),
            exists().where(
                later.c.asset_key == results.c.asset_key,
                later.c.check_name == results.c.check_name,
                later.c.partition.is_not_distinct_from(results.c.partition),
                later.c.id > results.c.id,
            ),
        )
        .order_by(results.c.id)
        .limit(batch_size)
    )
    deleted = 0
    while True:
        with storage.index_connection() as connection:
            in_batch = connection.execute(delete(results).where(results.c.id.in_(doomed))).rowcount
        if not in_batch:
            return deleted
        deleted += in_batch


def _delete_events(storage: SqlEventLogStorage, run_ids: Sequence[str]) -> int:
    """Delete all events of the runs; gives how many."""
    events, tags = SqlEventLogStorageTable, AssetEventTagsTable
    of_runs = events.c.run_id.in_(run_ids)
    with storage.index_connection() as connection:
        connection.execute(delete(tags).where(tags.c.event_id.in_(select(events.c.id).where(of_runs))))
        deleted = connection.execute(delete(events).where(of_runs)).rowcount
    if isinstance(storage, SqliteEventLogStorage):
        # All events of a run are in a file of its own; the index held copies of those about assets.
        return sum(_delete_file(Path(storage.path_for_shard(run_id))) for run_id in run_ids)
    return deleted


def _delete_runs(runs: SqlRunStorage, run_ids: Sequence[str]) -> None:
    """Delete the runs and their tags, which SQLite does not delete along with them."""
    with runs.connect() as connection:
        for table in (RunTagsTable, RunsTable):
            connection.execute(delete(table).where(table.c.run_id.in_(run_ids)))


def _delete_file(database: Path) -> int:
    """Delete the SQLite file of one run, with its journals; gives how many events it held."""
    if not database.exists():
        return 0
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        (events,) = connection.execute("select count(*) from event_logs").fetchone()
    for suffix in ("-wal", "-shm", ""):
        database.with_name(database.name + suffix).unlink(missing_ok=True)
    return events


class RetentionConfig(dg.Config):
    """What the launchpad offers for a purge."""

    keep_days: int = Field(default=KEEP_DAYS, ge=1, description="Finished runs younger than this stay.")
    batch_size: int = Field(default=BATCH_SIZE, ge=1, le=10_000, description="Runs deleted at a time.")
    max_runs: int = Field(default=MAX_RUNS, ge=1, description="Runs that one purge deletes at most.")


@dg.op(description="Deletes old runs with their events; keeps those that hold the latest state of an asset.")
def purge_old_runs(context: dg.OpExecutionContext, config: RetentionConfig) -> dg.Output[None]:
    before = SystemClock().now() - timedelta(days=config.keep_days)
    counts = purge_runs(context.instance, before, batch_size=config.batch_size, max_runs=config.max_runs)
    context.log.info(f"deleted {counts.deleted_runs} runs last updated before {before.isoformat()}")
    return dg.Output(None, metadata={"before": dg.MetadataValue.timestamp(before), **asdict(counts)})


def retention_definitions(
    keep_days: int = KEEP_DAYS, cron_schedule: str = DAILY, execution_timezone: str = "UTC"
) -> dg.Definitions:
    """The job `propexo_retention` and its schedule, which runs unless somebody stops it."""
    job = dg.GraphDefinition(
        name="propexo_retention",
        description=f"Deletes finished runs and their events after {keep_days} days.",
        node_defs=[purge_old_runs],
    ).to_job(
        config=dg.RunConfig(ops={purge_old_runs.name: RetentionConfig(keep_days=keep_days)}),
        executor_def=dg.in_process_executor,
    )
    schedule = dg.ScheduleDefinition(
        name="propexo_retention_daily",
        job=job,
        cron_schedule=cron_schedule,
        execution_timezone=execution_timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
    return dg.Definitions(jobs=[job], schedules=[schedule])
