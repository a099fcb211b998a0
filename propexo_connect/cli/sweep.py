"""`propexo-connect sweep`: read all keys now, in this process, to learn which records are still there."""

import json
import threading
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from propexo_connect.cli.opening import Folder, Name, connection_named, destination_of, source_of
from propexo_connect.connection.parse import Connection
from propexo_connect.connection.problem import close
from propexo_connect.model.clock import SystemClock
from propexo_connect.model.errors import NoKey, UnknownName
from propexo_connect.model.ledger import Reading
from propexo_connect.model.stream import StreamPlan
from propexo_connect.sync.result import StreamResult, SyncOrder
from propexo_connect.sync.run import run_sync

_out = Console()
_err = Console(stderr=True)


def sweep(
    name: Name,
    stream: Annotated[str | None, typer.Argument(help="One stream; by default all that have a key.")] = None,
    connections: Folder = Path("connections"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON.")] = False,
) -> None:
    """Read all keys of a connection's streams, due or not, to learn which records are still there."""
    connection = connection_named(connections, name)
    plans = _chosen(connection, stream)
    order = SyncOrder(f"sweep-{uuid.uuid4()}", plans, Reading.SWEEP)
    results: list[StreamResult] = []
    with destination_of(connection).open() as session, source_of(connection) as source:
        for result in run_sync(
            order, source, session, connection.settings, SystemClock(), _tell, threading.Event()
        ):
            results.append(result)
            if result.error is not None:
                _err.print(escape(str(result.error)), style="red", soft_wrap=True)
    results.sort(key=lambda result: plans.index(_written(plans, result)))
    if as_json:
        typer.echo(json.dumps([_facts(result) for result in results], indent=2))
    else:
        _out.print(_table(results))
    if not all(result.is_ok for result in results):
        raise typer.Exit(1)


def _chosen(connection: Connection, stream: str | None) -> tuple[StreamPlan, ...]:
    """The streams to sweep; those without a key only when they are asked for, to be told why not.

    Raises:
        UnknownName: the connection does not copy the stream. NoKey: there is nothing that can be swept.
    """
    names = [plan.stream.name for plan in connection.plans]
    if stream is not None:
        if stream not in names:
            raise UnknownName(f"the connection copies no stream '{stream}'", remedy=close(stream, names))
        return tuple(plan for plan in connection.plans if plan.stream.name == stream)
    keyed = tuple(plan for plan in connection.plans if plan.stream.key or not _is_keyless(plan))
    if not keyed:
        raise NoKey("no stream of the connection has a key", where=connection.where)
    return keyed


def _is_keyless(plan: StreamPlan) -> bool:
    return plan.stream.is_keyless or bool(plan.stream.fields)


def _written(plans: Sequence[StreamPlan], result: StreamResult) -> StreamPlan:
    """The plan as it was before the source was asked about its stream."""
    return next(plan for plan in plans if plan.stream.name == result.plan.stream.name)


def _tell(line: str) -> None:
    _err.print(escape(line), soft_wrap=True)


def _facts(result: StreamResult) -> dict[str, Any]:
    counts, windows = result.counts, result.windows
    return {
        "stream": result.plan.stream.name,
        "is_complete": bool(windows) and windows[-1].is_complete,
        "keys": counts.read,
        "seen": counts.unchanged,
        "unknown": counts.superseded,
        "rejected": counts.rejected,
        "requests": sum(window.request_count for window in windows),
        "error": None if result.error is None else str(result.error),
    }


def _table(results: Sequence[StreamResult]) -> Table:
    table = Table(Column("stream", no_wrap=True), "swept")
    for heading in ("keys", "seen", "unknown", "rejected", "requests"):
        table.add_column(heading, justify="right")
    for result in results:
        facts = _facts(result)
        whole = "whole" if facts["is_complete"] else "failed" if facts["error"] else "nothing"
        counts = [f"{facts[part]:,}" for part in ("keys", "seen", "unknown", "rejected", "requests")]
        table.add_row(escape(facts["stream"]), whole, *counts)
    return table
