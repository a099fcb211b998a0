"""The demo: `python -m propexo_connect.demo` syncs twice and shows what came of it; `… dev` opens the UI.

Everything runs on this machine: the vendor's API and the accounting database are started here, the
warehouse is a DuckDB file in `.demo/`, and Dagster keeps its history in `.dagster/`.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
from rich.console import Console
from rich.table import Table

from propexo_connect.demo.world import FOLDER, World, world

DEMO_CONNECTIONS = ("happyco_demo", "leases_demo", "payments_demo")
DOWNSTREAM = dg.AssetKey(["demo", "open_work_orders_by_property"])

_WIDTH = 112

_QUIET = {"loggers": {"console": {"config": {"log_level": "WARNING"}}}}

_console = Console(width=max(_WIDTH, Console().width))


@dataclass(frozen=True)
class Line:
    """One stream's part of one sync, as its materialization tells it."""

    stream: str
    metadata: Mapping[str, Any]

    def number(self, label: str) -> str:
        """A count, with thousands set apart."""
        return f"{self.metadata.get(label, 0):,}"

    def moment(self, label: str) -> str:
        """An instant, as the time of day in UTC."""
        value = self.metadata.get(label)
        return datetime.fromtimestamp(value, UTC).strftime("%H:%M:%S") if isinstance(value, float) else "–"


def main(arguments: list[str]) -> int:
    """Run the demo, or the UI beside the demo's systems. Returns the exit code."""
    project = Path.cwd()
    os.environ["DAGSTER_HOME"] = str(project)
    if arguments == ["dev"]:
        with world():
            return _serve()
    began = time.monotonic()
    shutil.rmtree(FOLDER, ignore_errors=True)
    with world() as systems, dg.DagsterInstance.get() as instance:
        _console.print(f"The vendor's API answers at {systems.environment['HAPPYCO_DEMO_URL']} (simulated).")
        code = _sync_twice(systems, instance)
    _console.print(f"\nDone in {time.monotonic() - began:.0f} s.")
    query = f"duckdb.connect('{FOLDER}/warehouse.duckdb').sql('from demo.open_work_orders_by_property')"
    _console.print(f'The tables:  .venv/bin/python -c "import duckdb; print({query})"', soft_wrap=True)
    _console.print("The UI:      make dev   (then http://127.0.0.1:3000, with the runs of this demo)")
    return code


def _sync_twice(systems: World, instance: dg.DagsterInstance) -> int:
    # Imported here: the connections are read when the systems they refer to are there.
    from propexo_connect.definitions import defs  # noqa: PLC0415

    definitions = defs()
    for title in ("First sync", "Second sync, a day of changes later"):
        lines: list[Line] = []
        for connection in DEMO_CONNECTIONS:
            result = definitions.resolve_job_def(f"{connection}_sync").execute_in_process(
                instance=instance, raise_on_error=False, run_config=_QUIET
            )
            lines += _lines(connection, result)
            if not result.success:
                _console.print(_failure(result), style="red")
                return 1
        _console.print(_table(title, lines))
        systems.let_a_day_go_by()
    implicit = definitions.resolve_implicit_global_asset_job_def()
    downstream = implicit.execute_in_process(
        instance=instance, asset_selection=[DOWNSTREAM], raise_on_error=False, run_config=_QUIET
    )
    return 0 if downstream.success else 1


def _lines(connection: str, result: dg.ExecuteInProcessResult) -> Iterable[Line]:
    for event in result.get_asset_materialization_events():
        done = event.step_materialization_data.materialization
        values = {label: getattr(value, "value", None) for label, value in done.metadata.items()}
        yield Line(f"{connection}.{done.asset_key.path[-1]}", values)


def _failure(result: dg.ExecuteInProcessResult) -> str:
    failures = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    told = (failure.user_failure_data for failure in failures)
    return "\n".join(str(failure.description) for failure in told if failure is not None)


def _table(title: str, lines: Iterable[Line]) -> Table:
    table = Table(title=title, title_justify="left", caption_justify="left")
    table.add_column("stream", no_wrap=True)
    for heading in ("read", "new", "changed", "unchanged", "tiles", "last_seen (UTC)", "seconds"):
        table.add_column(heading, justify="right")
    for line in lines:
        counts = [line.number(f"records_{part}") for part in ("read", "new", "changed", "unchanged")]
        seen = f"{line.moment('last_seen_min')} – {line.moment('last_seen_max')}"
        seconds = line.metadata.get("duration_seconds", 0.0)
        table.add_row(line.stream, *counts, line.number("tiles"), seen, f"{seconds:.2f}")
    return table


def _serve() -> int:
    """The UI and the daemon, until interrupted or told to end."""
    server = subprocess.Popen([str(Path(sys.executable).with_name("dg")), "dev"])  # noqa: S603 (our own program)
    # Told to end, the UI ends its own processes; so does this one, and the systems beside it.
    signal.signal(signal.SIGTERM, lambda *_: server.send_signal(signal.SIGINT))
    while True:
        try:
            return server.wait()
        except KeyboardInterrupt:
            continue  # the terminal has interrupted the UI as well: wait until it is done


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
