"""The command `propexo-connect`: what connections read, what is known of their records, and who is told.

Exit codes: 0 all is well, 1 something a person must look at, 2 the command was not understood.
"""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, cast

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from propexo_connect.cli import catalogue, events
from propexo_connect.cli.absent import absent
from propexo_connect.cli.diff import diff
from propexo_connect.cli.opening import Folder, Name, connection_named, destination_of, source_of
from propexo_connect.cli.purge import purge
from propexo_connect.cli.simulate import simulate
from propexo_connect.cli.sweep import sweep
from propexo_connect.connection.problem import close
from propexo_connect.connectors.api import ApiConfig, ApiConnector
from propexo_connect.connectors.api.explain import explain as explain_plan
from propexo_connect.model.clock import SystemClock
from propexo_connect.model.errors import ConfigurationError, ConnectError, UnknownName
from propexo_connect.model.tile import Tile

app = typer.Typer(
    no_args_is_help=True, add_completion=True, help=__doc__.splitlines()[0] if __doc__ else None
)
app.add_typer(catalogue.app, name="connectors")
app.add_typer(events.app, name="events")
app.command()(simulate)
app.command()(absent)
app.command()(purge)
app.command()(diff)
app.command()(sweep)

_out = Console()
_err = Console(stderr=True)


@app.command()
def check(name: Name, connections: Folder = Path("connections")) -> None:
    """Tell for each stream whether it can be read, and whether the destination can be written."""
    connection = connection_named(connections, name)
    with source_of(connection) as source:
        found = source.check([plan.stream for plan in connection.plans])
    table = Table("stream", "access")
    for access in found:
        table.add_row(escape(access.stream), "yes" if access.is_granted else escape(access.problem or ""))
    _out.print(table)
    destination = destination_of(connection)
    destination.check()
    _out.print(f"{escape(destination.address)} can be written.", soft_wrap=True)
    if not all(access.is_granted for access in found):
        raise typer.Exit(1)


@app.command()
def discover(name: Name, connections: Folder = Path("connections")) -> None:
    """List the streams that a connection's source offers, with their keys and fields."""
    connection = connection_named(connections, name)
    with source_of(connection) as source:
        streams = source.discover()
    table = Table("stream", "key", "fields", "description")
    for stream in streams:
        table.add_row(
            escape(stream.name), ", ".join(stream.key), str(len(stream.fields)), escape(stream.description)
        )
    _out.print(table)


@app.command()
def explain(
    name: Name,
    stream: Annotated[str | None, typer.Argument(help="One stream; by default all that are copied.")] = None,
    days: Annotated[int, typer.Option(min=1, help="The tile that is explained: the last days.")] = 1,
    whole: Annotated[bool, typer.Option("--whole", help="Explain a whole read instead of a tile.")] = False,
    connections: Folder = Path("connections"),
) -> None:
    """Tell in words which requests a sync would make; nothing is sent, no secret is needed."""
    connection = connection_named(connections, name)
    if not isinstance(connection.connector, ApiConnector):
        raise ConfigurationError(
            f"'{connection.connector.name}' is not read by a plan of requests",
            expected="a connection to an HTTP API",
        )
    names = [plan.stream.name for plan in connection.plans]
    if stream is not None and stream not in names:
        raise UnknownName(f"the connection copies no stream '{stream}'", remedy=close(stream, names))
    now = SystemClock().now().replace(microsecond=0)
    tile = None if whole else Tile(now - timedelta(days=days), now)
    plan = connection.connector.plan(connection.source_config)
    config = cast("ApiConfig", connection.source_config)
    for one in [stream] if stream is not None else names:
        for line in explain_plan(plan, config, one, tile, now):
            typer.echo(line)


def main() -> None:
    """Run the command; an error of the product is told in one paragraph."""
    try:
        app()
    except ConnectError as error:
        _err.print(escape(str(error)), style="red", soft_wrap=True)
        raise SystemExit(1) from None
