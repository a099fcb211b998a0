"""`propexo-connect purge`: take a person's data out of a destination, and say what went."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from propexo_connect.cli.opening import Folder, Name, connection_named, destination_of
from propexo_connect.destinations.base import Destination
from propexo_connect.model.clock import SystemClock
from propexo_connect.model.purge import Purge, PurgeRequest
from propexo_connect.purge.ask import asked, user
from propexo_connect.purge.prepared import prepare
from propexo_connect.purge.words import REMAINS, as_json, rows_of, state_of, total_of

_out = Console()


def purge(
    name: Name,
    key: Annotated[
        list[str] | None,
        typer.Option(help="field=value for each field of the key; `-` reads it from standard input."),
    ] = None,
    identifier: Annotated[
        str, typer.Option(help="An e-mail address, a telephone number …; `-` reads it from standard input.")
    ] = "",
    stream: Annotated[list[str] | None, typer.Option(help="A stream; by default all of them.")] = None,
    field: Annotated[list[str] | None, typer.Option(help="Look for the identifier here only.")] = None,
    ignore_case: Annotated[bool, typer.Option("--ignore-case", help="A matches a.")] = False,
    suppress: Annotated[bool, typer.Option("--suppress", help="Later syncs do not bring it back.")] = False,
    reason: Annotated[str, typer.Option(help="For the audit, without the value itself.")] = "",
    yes: Annotated[
        bool, typer.Option("--yes", help="Do it; without, it is only told what would go.")
    ] = False,
    prepare_run: Annotated[bool, typer.Option("--prepare", help="Store the request for a run.")] = False,
    listing: Annotated[bool, typer.Option("--list", help="Show the purges of the connection.")] = False,
    lift: Annotated[str, typer.Option(help="End the suppression of the purge of this number.")] = "",
    rewrite: Annotated[
        bool, typer.Option("--rewrite", help="Write a DuckDB file anew, without freed blocks.")
    ] = False,
    as_data: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
    connections: Folder = Path("connections"),
) -> None:
    """Remove what is stored of a key or a person, from every table; without --yes only tell what would go."""
    connection = connection_named(connections, name)
    destination = destination_of(connection)
    if listing:
        with destination.open() as session:
            _show_audit(session.purges(connection.name), as_data=as_data)
        return
    if lift:
        with destination.open() as session:
            count = session.lift(connection.name, lift, user(), SystemClock().now())
        told = f"The suppression of {lift} is lifted: {count} stream(s) may get the records again."
        _answer({"lifted": lift, "stream_count": count}, told, as_data=as_data)
        return
    if rewrite and not (key or identifier):
        _rewrite(destination, is_meant=yes, as_data=as_data)
        return
    request = asked(
        connection,
        keys=[_value(part, "key") for part in key or ()],
        identifier=_value(identifier, "identifier"),
        streams=stream or (),
        fields=field or (),
        ignore_case=ignore_case,
        is_suppressed=suppress,
        reason=reason,
    )
    if prepare_run:
        told = f'Prepared. Start the job of the connection\'s purges with `request: "{prepare(request)}"`.'
        _answer({"request": request.id}, told, as_data=as_data)
        return
    _carry_out(destination, request, is_meant=yes, as_data=as_data)
    if rewrite:
        _rewrite(destination, is_meant=yes, as_data=as_data)


def _carry_out(destination: Destination, request: PurgeRequest, *, is_meant: bool, as_data: bool) -> None:
    with destination.open() as session:
        found = session.purge(request, SystemClock().now()) if is_meant else session.purge_preview(request)
    if as_data:
        number = request.id if is_meant else None
        _answer({"purge": number, "is_executed": is_meant, "found": as_json(found)}, "", as_data=True)
        return
    if found:
        table = Table("stream", "table", "count", "what becomes of it")
        for row in rows_of(found):
            table.add_row(*map(escape, row))
        _out.print(table)
    told = f"Purged as {request.id}" if is_meant else "Nothing was done yet; with --yes goes"
    _out.print(escape(f"{told}: {total_of(found)}"), soft_wrap=True)
    if is_meant:
        _out.print(escape(REMAINS), soft_wrap=True)


def _rewrite(destination: Destination, *, is_meant: bool, as_data: bool) -> None:
    if not is_meant:
        _answer({"rewritten": None}, "The file is written anew with --yes.", as_data=as_data)
        return
    done = destination.rewrite()
    _answer({"rewritten": done}, f"{done}.", as_data=as_data)


def _show_audit(rows: list[Purge], *, as_data: bool) -> None:
    if as_data:
        shown = [
            {**asdict(one), "requested_at": one.requested_at.isoformat(), "counts": as_json(one.counts)}
            for one in rows
        ]
        typer.echo(json.dumps({"purges": shown}, ensure_ascii=False, default=str))
        return
    table = Table("purge", "when", "streams", "by", "who", "reason", "went", "suppression")
    for one in rows:
        table.add_row(
            one.id,
            f"{one.requested_at:%Y-%m-%d %H:%M}",
            *map(
                escape,
                (", ".join(one.streams), one.kind, one.requested_by, one.reason, total_of(one.counts)),
            ),
            escape(state_of(one)),
        )
    _out.print(table)


def _value(text: str, what: str) -> str:
    """What was written, or where that is `-`, what standard input says: it shows in no list of processes."""
    if text != "-":
        return text
    return typer.prompt(what, hide_input=True) if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")


def _answer(content: dict[str, Any], told: str, *, as_data: bool) -> None:
    typer.echo(json.dumps(content, ensure_ascii=False) if as_data else told)
