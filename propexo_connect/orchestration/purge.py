"""The job that carries a prepared purge out; the run knows the request's number and never its value."""

from collections.abc import Sequence
from dataclasses import replace

import dagster as dg
from pydantic import Field

from propexo_connect.connection.parse import Connection
from propexo_connect.model.clock import SystemClock
from propexo_connect.model.errors import ConnectError
from propexo_connect.model.purge import Finding
from propexo_connect.orchestration.failure import NEVER_RETRY, connection_failure
from propexo_connect.orchestration.io_managers import DestinationIOManager, file_pool
from propexo_connect.orchestration.naming import CONNECTION_TAG, slug
from propexo_connect.purge.prepared import discard, prepared
from propexo_connect.purge.words import total_of


class PurgeConfig(dg.Config):
    """What a run of a purge job takes."""

    request: str = Field(
        description="The number that `propexo-connect purge … --prepare` told; no value stands here."
    )
    dry_run: bool = Field(default=True, description="Only tell what would go.")


def purge_job(connection: Connection, destination_key: str) -> dg.JobDefinition:
    """The job `<connection>_purge`.

    It is repeated by a person only: a purge that failed has done nothing, and the reason wants to be read.
    """
    name = f"{slug(connection.name)}_purge"

    @dg.op(
        name=f"carry_out_{name}",
        required_resource_keys={destination_key},
        pool=file_pool(connection),
        out=dg.Out(dg.Nothing),
    )
    def carry_out(context: dg.OpExecutionContext, config: PurgeConfig) -> None:
        manager: DestinationIOManager = getattr(context.resources, destination_key)
        try:
            found = _carried_out(connection.name, config, manager, context.run.run_id)
        except ConnectError as error:
            raise connection_failure(error, connection.name) from None
        told = "Would go" if config.dry_run else f"Purged as {config.request}"
        context.log.info(f"{told}: {total_of(found)}")
        context.add_output_metadata(_metadata(found, is_dry=config.dry_run))

    @dg.job(
        name=name,
        description=f"Takes what a prepared request names out of the destination of {connection.name}.",
        tags={**connection.tags, CONNECTION_TAG: f"{slug(connection.name)}/purge", **NEVER_RETRY},
        executor_def=dg.in_process_executor,
    )
    def purging() -> None:
        carry_out()

    return purging


def _carried_out(
    connection: str, config: PurgeConfig, manager: DestinationIOManager, run_id: str
) -> tuple[Finding, ...]:
    request = prepared(config.request, connection)
    with manager.destination().open() as session:
        if config.dry_run:
            return session.purge_preview(request)
        by = f"run {run_id}, prepared by {request.requested_by}"
        found = session.purge(replace(request, requested_by=by), SystemClock().now())
    discard(request)
    return found


def _metadata(found: Sequence[Finding], *, is_dry: bool) -> dict[str, dg.MetadataValue]:
    rows = [
        dg.TableRecord(
            {"stream": one.stream, "table": one.table, "rows": one.count, "removed": one.is_removed}
        )
        for one in found
    ]
    schema = dg.TableSchema(
        [
            dg.TableColumn("stream"),
            dg.TableColumn("table"),
            dg.TableColumn("rows", "int"),
            dg.TableColumn("removed", "bool"),
        ]
    )
    return {
        "dry_run": dg.MetadataValue.bool(is_dry),
        "rows": dg.MetadataValue.int(sum(one.count for one in found)),
        "found": dg.MetadataValue.table(rows, schema),
    }
