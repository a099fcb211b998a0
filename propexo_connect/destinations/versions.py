"""The versions of one record, and the record as of an instant."""

from collections.abc import Mapping
from datetime import datetime

from propexo_connect.destinations.as_of import as_of_table, bounds_of
from propexo_connect.destinations.content import key_text, record_text
from propexo_connect.destinations.dialect import Link
from propexo_connect.destinations.identifiers import listed, qualified, quote
from propexo_connect.destinations.ledger_row import instant
from propexo_connect.destinations.state import STREAMS, select
from propexo_connect.model.field import TEXT
from propexo_connect.model.layout import Layout
from propexo_connect.model.stream import StreamPlan
from propexo_connect.model.version import PastRecord, Version


def stored_versions(link: Link, plan: StreamPlan, key: Mapping[str, str]) -> list[Version] | None:
    """The versions of the record whose key's columns have these values, oldest first; None without a history.

    Args:
        key: a value for each column of the key, spelled as the history spells it.
    """
    of_stream = (plan.connection, plan.stream.name)
    found = link.rows(select(STREAMS, ("has_history",)), of_stream)
    if not found or not found[0][0]:
        return None
    dialect = link.dialect
    given = dialect.as_json(f"h.{quote('key')}")
    parts = {column: dialect.from_json(dialect.json_field(given, column, TEXT), TEXT) for column in key}
    same = " and ".join(f"{part} = ${number}" for number, part in enumerate(parts.values(), 1))
    table = qualified(plan.table.beside("history"))
    rows = link.rows(
        f"select h.{quote('key')}, h.valid_from, h.valid_to, h.event, cast(h.before as text), "
        f"cast(h.after as text), h.sync_id, h.reading from {table} h where {same} "
        "order by h.valid_from, h.valid_to nulls last",
        tuple(key.values()),
    )
    return [Version(row[0], instant(row[1]), instant(row[2]), *row[3:]) for row in rows]


def stored_record(link: Link, plan: StreamPlan, layout: Layout, key: str, at: datetime) -> PastRecord | None:
    """The record with a key of the history, as of an instant; None where it was not known then."""
    rows = link.rows(
        f"select {record_text(link.dialect, layout.columns, 'r')}, {listed(bounds_of(layout), 'r')} "
        f"from {qualified(as_of_table(plan))}($1) r where {key_text(link.dialect, layout, 'r')} = $2",
        (at, key),
    )
    return next((PastRecord(text, instant(start), instant(end)) for text, start, end in rows), None)
