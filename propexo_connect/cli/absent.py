"""`propexo-connect absent`: what is known of records that were not returned, and of one of them why."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from propexo_connect.absence.explain import (
    Explanation,
    as_json,
    asked_for,
    explain,
    fields_of,
    policy_words,
)
from propexo_connect.absence.reads import Known
from propexo_connect.cli.opening import (
    Folder,
    Name,
    connection_named,
    destination_of,
    plan_named,
    stored_stream,
)
from propexo_connect.destinations.base import Session
from propexo_connect.history.key import key_values
from propexo_connect.model.absence import AbsenceFacts
from propexo_connect.model.clock import SystemClock
from propexo_connect.model.errors import ConfigurationError, UnknownName
from propexo_connect.model.layout import Layout
from propexo_connect.model.stream import StreamPlan

_out = Console()


def absent(
    name: Name,
    stream: Annotated[str, typer.Argument(help="The stream's name.")],
    key: Annotated[
        list[str] | None,
        typer.Option("--key", help="Explain this record; of several fields one --key FIELD=VALUE for each."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many missing records are listed.")] = 20,
    is_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    connections: Folder = Path("connections"),
) -> None:
    """Tell which records reads missed that should have returned them, and explain one of them."""
    connection = connection_named(connections, name)
    plan = plan_named(connection, stream)
    with destination_of(connection).open() as session:
        plan, layout = stored_stream(session, plan)
        if not layout.is_ready:
            raise UnknownName("no record of the stream has been stored yet", where=plan.where)
        if key:
            _print_record(_explained(session, plan, layout, key), is_json=is_json)
            return
        facts = session.absence(plan, SystemClock().now(), judges=True)
        missing = session.missing_records(plan, layout, limit)
    _print_missing(plan, facts, missing, is_json=is_json)


def _explained(session: Session, plan: StreamPlan, layout: Layout, written: Sequence[str]) -> Explanation:
    if not layout.key:
        raise ConfigurationError("the stream has no key, so no record of it can be named", where=plan.where)
    key, ledger = key_values(written, layout, plan.where), session.windows(plan)
    known = session.known_record(plan, layout, key, fields_of(plan, ledger))
    if known is None:
        told = ", ".join(f"{column}={value}" for column, value in key.items())
        raise UnknownName(
            f"the table {plan.table} holds no record with the key {told}",
            where=plan.where,
            remedy="Write the key as the table shows it. What was purged is told by `purge --list`.",
        )
    return explain(known, plan, ledger)


def _print_missing(plan: StreamPlan, facts: AbsenceFacts, missing: Sequence[Known], *, is_json: bool) -> None:
    if is_json:
        typer.echo(json.dumps(_summary(plan, facts, missing), indent=2))
        return
    counts = ", ".join(
        f"{count} {verdict.replace('_', ' ')}" for verdict, count in (facts.verdicts or {}).items()
    )
    _out.print(f"{plan.table}: {facts.records} records: {counts}.", soft_wrap=True)
    _out.print(f"Policy: {escape(policy_words(plan))}.", soft_wrap=True)
    if facts.held:
        _out.print(
            f"{facts.held} are held back: one read missed too many at once.", style="red", soft_wrap=True
        )
    if not missing:
        return
    table = Table(*missing[0].key, "verdict", "last seen", "reads that missed it", "the latest ended")
    for one in missing:
        ended = "" if one.last_covered_at is None else f"{one.last_covered_at:%Y-%m-%d %H:%M}"
        seen = f"{one.sighting.last_seen:%Y-%m-%d %H:%M}"
        table.add_row(
            *(escape(part) for part in one.key.values()), one.verdict, seen, str(one.covered_absences), ended
        )
    _out.print(table)


def _summary(plan: StreamPlan, facts: AbsenceFacts, missing: Sequence[Known]) -> dict[str, Any]:
    return {
        "records": facts.records,
        "verdicts": {str(verdict): count for verdict, count in (facts.verdicts or {}).items()},
        "held": facts.held,
        "policy": policy_words(plan),
        "missing": [
            {
                "key": dict(one.key),
                "verdict": str(one.verdict),
                "last_seen": one.sighting.last_seen.isoformat(),
                "covered_absences": one.covered_absences,
                "last_covered_at": None if one.last_covered_at is None else one.last_covered_at.isoformat(),
            }
            for one in missing
        ],
    }


def _print_record(found: Explanation, *, is_json: bool) -> None:
    if is_json:
        typer.echo(json.dumps(as_json(found), indent=2))
        return
    known = found.known
    key = ", ".join(f"{column} {value}" for column, value in known.key.items())
    _out.print(f"[bold]{escape(key)}[/bold] is {escape(found.verdict)}.", soft_wrap=True)
    _out.print(f"Last seen by the sync of {known.sighting.last_seen:%Y-%m-%d %H:%M:%S} UTC.", soft_wrap=True)
    _out.print(f"Policy: {escape(found.policy)}.", soft_wrap=True)
    if found.covering:
        table = Table("read that covered it and did not return it", "ended", "asked for", "sync")
        for read in found.covering:
            ended = f"{read.finished_at:%Y-%m-%d %H:%M:%S}"
            table.add_row(read.reading, ended, escape(asked_for(read)), escape(read.sync_id))
        _out.print(table)
    for reading, reason, count in found.others:
        reads = f"{count:,} {reading} reads do" if count != 1 else f"1 {reading} read does"
        _out.print(f"{reads} not count: {reason}.", soft_wrap=True)
