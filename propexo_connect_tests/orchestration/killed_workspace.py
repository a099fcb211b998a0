"""A code location whose second stream hangs at its first attempt, until somebody kills the worker."""

import os
import threading
from pathlib import Path

import dagster as dg

STREAMS = ("leases", "tenants", "units")

HUNG_AT = "HUNG_AT"
"""Environment variable: the file in which the hanging worker leaves its process id."""


@dg.multi_asset(specs=[dg.AssetSpec(dg.AssetKey(["acme", stream])) for stream in STREAMS], can_subset=True)
def sync(context: dg.AssetExecutionContext):
    hung_at = Path(os.environ[HUNG_AT])
    for stream in STREAMS:
        key = dg.AssetKey(["acme", stream])
        if key not in context.selected_asset_keys:
            continue
        if stream == "tenants" and not hung_at.exists():
            written = hung_at.with_suffix(".new")
            written.write_text(str(os.getpid()))
            written.rename(hung_at)
            threading.Event().wait()
        yield dg.MaterializeResult(asset_key=key)


job = dg.define_asset_job(
    "acme_sync",
    selection=dg.AssetSelection.assets(sync),
    run_tags={"connection": "acme", "dagster/retry_strategy": "FROM_ASSET_FAILURE"},
)


@dg.sensor(job=job, minimum_interval_seconds=1, default_status=dg.DefaultSensorStatus.RUNNING)
def once() -> dg.RunRequest:
    return dg.RunRequest(run_key="once")


defs = dg.Definitions([sync], jobs=[job], sensors=[once], executor=dg.in_process_executor)
