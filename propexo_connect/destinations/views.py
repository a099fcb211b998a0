"""The views beside a stream's table, made in the transaction of the step that changes what they show.

A statement is issued only when something differs from what the views were made from: the columns, the
policy, what the connector declares, or a set of declarations that the ledger did not hold before.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from propexo_connect.destinations.absence import (
    ABSENCE,
    LIVE,
    Evidence,
    absence_view,
    described,
    live_view,
    summary_view,
)
from propexo_connect.destinations.base import Step
from propexo_connect.destinations.dialect import Link
from propexo_connect.destinations.identifiers import literal, qualified, quote
from propexo_connect.destinations.ledger_row import declarations_text, parsed
from propexo_connect.destinations.recall import has_table
from propexo_connect.destinations.standing import not_made
from propexo_connect.destinations.state import OF_STREAM, SCHEMA, STREAMS, WINDOWS, select
from propexo_connect.model.names import ROW_COLUMNS, fitted
from propexo_connect.model.stream import StreamPlan, Table


def refresh_views(link: Link, step: Step, failpoint: Callable[[str], None]) -> None:
    """Make the views of a stream anew where they would not show what they must.

    Raises:
        ConfigurationError: something else stands in the place of a view.
    """
    plan = step.plan
    of_stream = (plan.connection, plan.stream.name)
    stored: dict[str, Any] | None = parsed(link.rows(select(STREAMS, ("views",)), of_stream)[0][0])
    known = _declared(link, plan) if stored is None else list(stored["declared"])
    text = declarations_text(step.window)
    if json.loads(text) not in map(json.loads, known):
        known.append(text)
    before = stored or {}
    first_sync = before.get("first_sync") if stored is not None else _first_sync(link, plan)
    is_first = first_sync == step.window.sync_id
    table = quote(plan.table.name) if _is_unclear(plan.table) else _named(plan.table)
    evidence = Evidence(link.dialect, plan, step.layout, table, tuple(known), is_first)
    wanted = {**described(evidence), "declared": known, "first_sync": first_sync if is_first else None}
    if all(before.get(name) == value for name, value in wanted.items()):
        return
    names = [column.name for column in step.layout.columns]
    shown = before.get("shown") or [*names, *ROW_COLUMNS]
    # What came later stands at the end, so that views which people built on this one stay as they are.
    shown += [name for name in names if name not in shown]
    if stored is None:
        _refuse_taken(link, plan)
    is_other = bool(before) and _types(before) != _types(wanted)
    if is_other:
        drop_views(link, plan)
    link.run(f"create or replace view {qualified(absence_of(plan))} as {absence_view(evidence)}")
    link.run(f"create or replace view {qualified(live_of(plan))} as {live_view(evidence, shown)}")
    link.run(
        f"update {STREAMS.sql} set views = {link.dialect.as_json('cast($3 as text)')}, "
        f"is_summarised = is_summarised and not $4 where {OF_STREAM}",
        (*of_stream, json.dumps({**wanted, "shown": shown}, ensure_ascii=False), is_other),
    )
    failpoint("views made")


def absence_of(plan: StreamPlan) -> Table:
    """The view that says what is known of each record."""
    return plan.table.beside(ABSENCE)


def live_of(plan: StreamPlan) -> Table:
    """The view that leaves out what is presumed deleted."""
    return plan.table.beside(LIVE)


def summary_of(connection: str) -> Table:
    """The view with a row for each stream of a connection."""
    return Table(SCHEMA, fitted(f"absence__{connection}"))


def drop_views(link: Link, plan: StreamPlan) -> None:
    """Take the views away, so that the table below them may change its types."""
    link.run(f"drop view if exists {qualified(summary_of(plan.connection))}")
    for view in (live_of(plan), absence_of(plan)):
        link.run(f"drop view if exists {qualified(view)}")


def _types(described_as: dict[str, Any]) -> dict[str, str]:
    return {name: given for _, name, given in described_as["columns"]}


def _declared(link: Link, plan: StreamPlan) -> list[str]:
    """Every set of declarations that the ledger holds for a stream, each once, however it is spelled."""
    rows = link.rows(
        f"select distinct cast(declarations as text) from {WINDOWS.sql} where {OF_STREAM}",
        (plan.connection, plan.stream.name),
    )
    found: list[str] = []
    for (text,) in rows:
        if json.loads(text) not in map(json.loads, found):
            found.append(text)
    return found


def _first_sync(link: Link, plan: StreamPlan) -> str | None:
    """The sync that all of a stream's reads belong to; None where there was more than one."""
    rows = link.rows(
        f"select distinct sync_id from {WINDOWS.sql} where {OF_STREAM} limit 2",
        (plan.connection, plan.stream.name),
    )
    return rows[0][0] if len(rows) == 1 else None


def _refuse_taken(link: Link, plan: StreamPlan) -> None:
    for view in (absence_of(plan), live_of(plan)):
        if has_table(link, view):
            raise not_made(view, plan.where)


def _named(table: Table) -> str:
    """A table as a view names it: without its catalog, so that the file may be renamed."""
    return qualified(replace(table, catalog=""))


def _is_unclear(table: Table) -> bool:
    """Whether DuckDB, which drops catalogs from a view's text, would take the schema for the file itself.

    A view in the same schema then finds the table by its bare name.
    """
    return table.catalog.lower() == table.schema.lower()


def _from_elsewhere(view: Table) -> str:
    """A view as one in another schema names it."""
    return f"query_table({literal(qualified(view))})" if _is_unclear(view) else _named(view)


def summarise(link: Link, connection: str) -> bool:
    """Make the connection's summary where a stream's view is missing in it; whether it was made.

    Once per sync, not with each stream's views: it names them all.
    """
    missing = f"select 1 from {STREAMS.sql} where connection = $1 and views is not null and not is_summarised"
    if not link.rows(f"{missing} limit 1", (connection,)):
        return False
    if link.dialect.lock_schemas:
        link.rows(link.dialect.lock_schemas)  # two syncs of a connection would meet here
    rows = link.rows(
        f"select stream, table_schema, table_name from {STREAMS.sql} "
        "where connection = $1 and views is not null order by stream",
        (connection,),
    )
    views = {
        stream: _from_elsewhere(Table(schema, name, link.catalog).beside(ABSENCE))
        for stream, schema, name in rows
    }
    link.run(f"create or replace view {qualified(summary_of(connection))} as {summary_view(views)}")
    link.run(
        f"update {STREAMS.sql} set is_summarised = true where connection = $1 and views is not null",
        (connection,),
    )
    return True
