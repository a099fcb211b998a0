"""What commands work on: a connection by its name, and its two systems with their secrets resolved."""

import os
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from propexo_connect.connection.folder import load_connections
from propexo_connect.connection.parse import Connection
from propexo_connect.connection.problem import close
from propexo_connect.connection.secret import resolve_secrets
from propexo_connect.connectors.base import Source
from propexo_connect.destinations.base import Destination, Session
from propexo_connect.model.clock import SystemClock
from propexo_connect.model.errors import UnknownName
from propexo_connect.model.layout import Layout
from propexo_connect.model.stream import StreamPlan

Folder = Annotated[Path, typer.Option("--connections", help="The folder of the connection files.")]
Name = Annotated[str, typer.Argument(help="The connection's name.")]


def connection_named(folder: Path, name: str) -> Connection:
    """A connection of the folder.

    Raises:
        UnknownName: there is none of this name, or its file is wrong.
    """
    loaded = load_connections(folder)
    for connection in loaded.connections:
        if connection.name == name:
            return connection
    for broken in loaded.broken:
        if name in {broken.name, broken.file.stem}:
            raise UnknownName(str(broken))
    names = sorted(connection.name for connection in loaded.connections)
    raise UnknownName(
        f"there is no connection '{name}' in {folder}/",
        expected=f"one of {', '.join(names)}" if names else "a folder with connection files",
        remedy=close(name, names),
    )


def source_of(connection: Connection) -> AbstractContextManager[Source]:
    """The source of a connection, until the context ends."""
    where = f"source '{connection.connector.name}' of connection '{connection.name}'"
    config = resolve_secrets(connection.source_config, os.environ, where=where)
    return connection.connector.open(config, SystemClock())


def destination_of(connection: Connection) -> Destination:
    """The destination of a connection."""
    where = f"destination '{connection.destination_kind.name}'"
    config = resolve_secrets(connection.destination_config, os.environ, where=where)
    return connection.destination_kind.configure(config)


def plan_named(connection: Connection, stream: str) -> StreamPlan:
    """The plan of a stream that a connection copies.

    Raises:
        UnknownName: it copies no such stream.
    """
    plans = {plan.stream.name: plan for plan in connection.plans}
    if stream not in plans:
        raise UnknownName(f"the connection copies no stream '{stream}'", remedy=close(stream, plans))
    return plans[stream]


def stored_stream(session: Session, plan: StreamPlan) -> tuple[StreamPlan, Layout]:
    """The plan and the map of a stream as they were stored last: its source need not be asked for them.

    Raises:
        UnknownName: nothing of the stream has been stored yet.
    """
    standing = session.standings([plan], "recurring")[plan.stream.name]
    if standing.registered is None:
        raise UnknownName(
            "nothing of the stream has been stored yet",
            where=plan.where,
            remedy="Run a sync of the connection first.",
        )
    table, key, mode = standing.registered
    stored = replace(plan, table=table, mode=mode, stream=replace(plan.stream, key=key))
    return stored, Layout(standing.columns, key)
