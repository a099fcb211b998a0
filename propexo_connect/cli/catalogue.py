"""`propexo-connect connectors`: what can be read, and what each vendor can and cannot answer."""

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from propexo_connect.cli.facts import facts_of
from propexo_connect.connection.problem import close
from propexo_connect.connectors.catalogue import CONNECTORS
from propexo_connect.model.errors import UnknownName

app = typer.Typer(help="The catalogue of connectors.")

_out = Console()


def _name(title: str, names: Sequence[str] = ()) -> Column:
    """A column of names, which are never broken, however narrow the window is: one copies them."""
    widest = max((len(name) for name in names), default=None)
    return Column(title, no_wrap=True, overflow="fold", min_width=widest)


@app.callback(invoke_without_command=True)
def listed(
    context: typer.Context,
    find: Annotated[str, typer.Option("--find", help="Only those that mention this.")] = "",
) -> None:
    """List all connectors with category, status and streams."""
    if context.invoked_subcommand is not None:
        return
    table = Table(_name("connector", list(CONNECTORS)), _name("system"), "category", "status", "streams")
    for name in CONNECTORS:
        facts = facts_of(CONNECTORS[name])
        words = f"{facts.name} {facts.title} {facts.category} {' '.join(one.name for one in facts.streams)}"
        if find.lower() in words.lower():
            count = str(len(facts.streams)) if facts.streams else "as the system has"
            table.add_row(facts.name, escape(facts.title), escape(facts.category), facts.status, count)
    _out.print(table)


@app.command()
def show(name: Annotated[str, typer.Argument(help="The connector's name.")]) -> None:
    """Tell a connector's settings, streams and limits, and what the vendor cannot answer."""
    if name not in CONNECTORS:
        raise UnknownName(f"there is no connector '{name}'", remedy=close(name, list(CONNECTORS)))
    facts = facts_of(CONNECTORS[name])
    _out.print(f"[bold]{escape(facts.title)}[/bold]  {escape(facts.category)}, {facts.status}")
    _out.print(escape(facts.passport), soft_wrap=True)
    settings = Table(_name("setting", [setting.name for setting in facts.settings]), "default", "meaning")
    for setting in facts.settings:
        settings.add_row(setting.name, escape(setting.default), escape(setting.meaning))
    _out.print(settings)
    names = [stream.name for stream in facts.streams]
    streams = Table(_name("stream", names), "key", "cursor", "asked for by", "through", "fields")
    for stream in facts.streams:
        streams.add_row(
            stream.name,
            stream.key,
            stream.cursor,
            escape(stream.asked),
            stream.parent,
            str(stream.field_count),
        )
    if facts.streams:
        _out.print(streams)
    for title, lines in (
        ("Logs in", facts.log_ins),
        ("Limits", facts.limits),
        ("Cannot be told", facts.cannot),
        ("Not confirmed", facts.unconfirmed),
        ("Tested against", facts.tested),
    ):
        if lines:
            _out.print(f"{title}: {escape('; '.join(lines))}", soft_wrap=True)
