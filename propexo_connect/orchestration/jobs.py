"""The jobs of a connection: its sync, and its backsync with a month to go back to."""

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

Job = UnresolvedAssetJobDefinition


@dataclass(frozen=True)
class ConnectionJobs:
    """The jobs of one connection; `backsync` is None when no stream can be asked for a range of time."""

    sync: Job
    backsync: Job | None

    @property
    def all(self) -> list[Job]:
        """Both, or the one there is."""
        return [self.sync] if self.backsync is None else [self.sync, self.backsync]


def sync_job_name(connection: str) -> str:
    """The name of the job that keeps a connection current."""
    return f"{slug(connection)}_sync"


def connection_jobs(connection: Connection, streams: Sequence[StreamAsset]) -> ConnectionJobs:
    """The jobs over a connection's streams.

    A failed run is started again by Dagster for the streams only that did not finish.
    """
    ranged = [stream for stream in streams if _has_history(stream.plan)]
    name = slug(connection.name)
    sync = dg.define_asset_job(
        sync_job_name(connection.name),
        selection=dg.AssetSelection.assets(*(stream.key for stream in streams)),
        description=f"Brings the streams of {connection.name} up to date ({connection.schedule.text}).",
        tags=_tags(connection, name),
    )
    if not ranged:
        return ConnectionJobs(sync, None)
    backsync = dg.define_asset_job(
        f"{name}_backsync",
        selection=dg.AssetSelection.assets(*(stream.key for stream in ranged)),
        description=f"Fills history of {connection.name} back to the first day of a month, newest first. "
        "Streams that are read whole have theirs already.",
        config=_back_to(connection),
        # A tag value of its own: a long backsync must not keep syncs waiting.
        tags={**_tags(connection, f"{name}/backsync"), "dagster/priority": AFTER_SYNCS},
    )
    return ConnectionJobs(sync, backsync)


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
