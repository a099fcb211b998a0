"""Connections that cannot be used, where their owner looks for them: in the asset graph."""

import dagster as dg

from propexo_connect.orchestration.failure import NEVER_RETRY
from propexo_connect.orchestration.naming import slug


def broken_asset(name: str, problems: str) -> dg.AssetsDefinition:
    """An asset that stands for a connection which cannot be used; syncing it fails with what is wrong."""

    @dg.asset(
        key=[slug(name), "broken_connection"],
        group_name=slug(name),
        kinds={"error"},
        description=f"The connection '{name}' cannot be used.\n\n{problems}",
    )
    def broken_connection(context: dg.AssetExecutionContext) -> None:
        context.instance.add_run_tags(context.run.run_id, NEVER_RETRY)
        raise dg.Failure(problems, allow_retries=False)

    return broken_connection
