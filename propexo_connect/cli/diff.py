"""`propexo-connect diff`: the versions of one record, and which sync changed which field."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from propexo_connect.cli.opening import (
    Folder,
    Name,
    connection_named,
    destination_of,
    plan_named,
    stored_stream,
)
from propexo_connect.destinations.base import Session
from propexo_connect.history import changes
from propexo_connect.history.key import key_values
from propexo_connect.model.errors import ConfigurationError, UnknownName
from propexo_connect.model.layout import Layout
from propexo_connect.model.stream import StreamPlan
from propexo_connect.model.version import PastRecord, Version

_out = Console()


def diff(
    name: Name,
    stream: Annotated[str, typer.Argument(help="The stream's name.")],
    key: Annotated[
        list[str],
        typer.Option("--key", help="The record's key; of several fields one --key FIELD=VALUE for each."),
    ],
    at: Annotated[
        str | None, typer.Option("--at", help="Print the record as of this instant instead, in UTC.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    connections: Folder = Path("connections"),
) -> None:
    """Tell the versions of one record: when each came, by which sync, and what it changed."""
    instant = None if at is None else _instant(at)
    connection = connection_named(connections, name)
    plan = plan_named(connection, stream)
    with destination_of(connection).open() as session:
        plan, layout = stored_stream(session, plan)
        versions = _versions(session, plan, layout, key)
        if instant is None:
            _print_versions(versions, is_json=json)
            return
        found = session.record_as_of(plan, layout, versions[0].key, instant)
    if found is None:
        raise UnknownName(
            f"the record {versions[0].key} was not known at {changes.moment(instant)}",
            where=plan.where,
            remedy=f"Its history begins at {changes.moment(versions[0].valid_from)}.",
        )
    _print_record(found, is_json=json)


def _instant(text: str) -> datetime:
    """An instant as a person writes it; without a zone it is in UTC."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(f"'{text}' is no instant", expected="2026-01-31T00:00:00Z") from None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def _versions(session: Session, plan: StreamPlan, layout: Layout, written: Sequence[str]) -> list[Version]:
    if not layout.key:
        raise ConfigurationError("the stream has no key, so its records have no versions", where=plan.where)
    key = key_values(written, layout, plan.where)
    versions = session.versions(plan, key)
    if versions is None:
        raise ConfigurationError(
            "no history of the stream is kept",
            where=plan.where,
            remedy="Write `history: true` for it; its history then begins with the next sync.",
        )
    if not versions:
        told = ", ".join(f"{column}={value}" for column, value in key.items())
        raise UnknownName(
            f"the history has no record with the key {told}",
            where=plan.where,
            remedy="Write the key as the table has it.",
        )
    return versions


def _print_versions(versions: Sequence[Version], *, is_json: bool) -> None:
    if is_json:
        typer.echo(changes.as_json(versions))
        return
    for version, left_at in changes.endings(versions):
        _out.print(f"[bold]{escape(changes.sentence(version))}[/bold]", soft_wrap=True)
        table = Table("field", "before", "after")
        for change in changes.changes_of(version):
            before = "" if change.before is None else escape(change.before)
            table.add_row(escape(change.column), before, escape(change.after))
        _out.print(table)
        if left_at is not None:
            _out.print(f"[bold]{changes.moment(left_at)}  ended[/bold]", soft_wrap=True)


def _print_record(found: PastRecord, *, is_json: bool) -> None:
    if is_json:
        typer.echo(changes.record_as_json(found))
        return
    end = "it still holds" if found.valid_to is None else f"it held until {changes.moment(found.valid_to)}"
    _out.print(f"Known since {changes.moment(found.valid_from)}, {end}.", soft_wrap=True)
    table = Table("field", "value")
    for column, value in changes.fields_of(found).items():
        table.add_row(escape(column), escape(value))
    _out.print(table)
