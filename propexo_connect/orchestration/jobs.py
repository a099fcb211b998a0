"""The jobs of a connection: its sync, its backsync with a month to go back to, and its sweep."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from propexo_connect.connection.parse import Connection
from propexo_connect.model.stream import Axis, StreamPlan
from propexo_connect.orchestration.naming import CONNECTION_TAG, op_name, slug
from propexo_connect.orchestration.specs import StreamAsset

FIRST_MONTH = "2015-01-01"
"""The earliest month that a backsync offers; a sync by hand with `start` reaches further back."""

AFTER_SYNCS = "-1"
"""The priority of backsyncs: what keeps data current goes first while both wait."""

AFTER_BACKSYNCS = "-2"
"""The priority of sweeps, which bring no content."""

SWEPT = "swept"
"""Under this label a sweep job names its assets."""

Job = UnresolvedAssetJobDefinition


@dataclass(frozen=True)
class ConnectionJobs:
    """The jobs of one connection.

    `backsync` is None when no stream can be asked for a range of time, `sweep` when none has a sweep.
    """

    sync: Job
    backsync: Job | None = None
    sweep: Job | None = None

    @property
    def all(self) -> list[Job]:
        """Those there are."""
        return [job for job in (self.sync, self.backsync, self.sweep) if job is not None]


def sync_job_name(connection: str) -> str:
    """The name of the job that keeps a connection current."""
    return f"{slug(connection)}_sync"


def sweep_job_name(connection: str) -> str:
    """The name of the job that learns what is still there."""
    return f"{slug(connection)}_sweep"


def connection_jobs(connection: Connection, streams: Sequence[StreamAsset]) -> ConnectionJobs:
    """The jobs over a connection's streams.

    A failed run is started again by Dagster for the streams only that did not finish.
    """
    name = slug(connection.name)
    sync = dg.define_asset_job(
        sync_job_name(connection.name),
        selection=dg.AssetSelection.assets(*(stream.key for stream in streams)),
        description=f"Brings the streams of {connection.name} up to date ({connection.schedule.text}).",
        tags=_tags(connection, name),
    )
    ranged = [stream for stream in streams if _has_history(stream.plan)]
    swept = [stream for stream in streams if stream.plan.sweep is not None]
    return ConnectionJobs(
        sync,
        _backsync_job(connection, ranged) if ranged else None,
        _sweep_job(connection, swept) if swept else None,
    )


def _backsync_job(connection: Connection, ranged: Sequence[StreamAsset]) -> Job:
    name = slug(connection.name)
    return dg.define_asset_job(
        f"{name}_backsync",
        selection=dg.AssetSelection.assets(*(stream.key for stream in ranged)),
        description=f"Fills history of {connection.name} back to the first day of a month, newest first. "
        "Streams that are read whole have theirs already.",
        config=_back_to(connection),
        # A tag value of its own: a long backsync must not keep syncs waiting.
        tags={**_tags(connection, f"{name}/backsync"), "dagster/priority": AFTER_SYNCS},
    )


def _sweep_job(connection: Connection, swept: Sequence[StreamAsset]) -> Job:
    """Without the checks, which prove what recurring syncs brought."""
    name = slug(connection.name)
    keys = [stream.key for stream in swept]
    return dg.define_asset_job(
        sweep_job_name(connection.name),
        selection=dg.AssetSelection.assets(*keys).without_checks(),
        description=f"Reads the keys of {connection.name} to learn which records are still there: "
        "of the streams whose sweep is due, and of a spread sweep its share.",
        config={"ops": {op_name(connection.name): {"config": {"reading": "sweep", "paced": True}}}},
        metadata={SWEPT: dg.MetadataValue.json([key.to_user_string() for key in keys])},
        tags={**_tags(connection, f"{name}/sweep"), "dagster/priority": AFTER_BACKSYNCS},
    )


def _has_history(plan: StreamPlan) -> bool:
    return plan.stream.filter is not None and plan.stream.filter.axis is Axis.INSTANT


def _tags(connection: Connection, lane: str) -> dict[str, str]:
    return {
        **connection.tags,
        CONNECTION_TAG: lane,
        "dagster/retry_strategy": "FROM_ASSET_FAILURE",
        "dagster/max_retries": str(connection.run_retries),
    }


def _back_to(connection: Connection) -> dg.PartitionedConfig[dg.TimeWindowPartitionsDefinition]:
    op = op_name(connection.name)

    @dg.monthly_partitioned_config(start_date=FIRST_MONTH, end_offset=1)
    def back_to(start: datetime, _end: datetime) -> dict[str, object]:
        return {"ops": {op: {"config": {"reading": "backsync", "start": start.date().isoformat()}}}}

    return back_to
