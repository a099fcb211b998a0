"""Records as JSON in SQL: their keys, the whole of them, and what differs between two of one key.

Aliases as in `merge.py`: `s` the stage, `t` the table.
"""

import json
from collections.abc import Sequence

from propexo_connect.destinations.dialect import Dialect
from propexo_connect.destinations.identifiers import quote
from propexo_connect.model.field import Kind
from propexo_connect.model.layout import Column, Layout

_ARGUMENTS = 50
"""How many pieces one call joins: PostgreSQL takes 100 arguments at the most."""


def key_text(dialect: Dialect, layout: Layout, alias: str) -> str:
    """The key's columns as the text of a JSON object."""
    return record_text(dialect, [layout.column(field) for field in layout.key], alias)


def record_text(dialect: Dialect, columns: Sequence[Column], alias: str) -> str:
    """The columns as the text of a JSON object."""
    return _object([_pair(dialect, column, alias) for column in columns])


def object_text(values: Sequence[tuple[str, str]]) -> str:
    """Values that are JSON texts already, by their names, as the text of a JSON object."""
    return _object([f"{_literal(name)} || {value}" for name, value in values])


def changed_text(dialect: Dialect, columns: Sequence[Column], alias: str) -> str:
    """The columns that differ between table and stage as the text of a JSON object, as one side has them."""
    return _object([_pair_if_changed(dialect, column, alias) for column in columns])


def _pair_if_changed(dialect: Dialect, column: Column, alias: str) -> str:
    stored = f"t.{quote(column.name)}"
    incoming = dialect.staged(f"s.{quote(column.name)}", column.type)
    if column.type.kind is Kind.JSON:  # compared as text: JSON types have no order of their own everywhere
        stored, incoming = (dialect.json_text(side, Kind.JSON) for side in (stored, incoming))
    return f"case when {stored} is distinct from {incoming} then {_pair(dialect, column, alias)} end"


def _pair(dialect: Dialect, column: Column, alias: str) -> str:
    value = f"{alias}.{quote(column.name)}"
    if alias == "s":
        value = dialect.staged(value, column.type)
    return f"{_literal(column.name)} || coalesce({dialect.json_text(value, column.type.kind)}, 'null')"


def _literal(name: str) -> str:
    """A column's name as the start of a JSON pair, in an SQL string (where a backslash is itself)."""
    return "'" + f"{json.dumps(name, ensure_ascii=False)}:".replace("'", "''") + "'"


def _object(pieces: list[str]) -> str:
    """The text of a JSON object of those pieces that are not null."""
    if not pieces:
        return "'{}'"
    while len(pieces) > 1:
        groups = (pieces[first : first + _ARGUMENTS] for first in range(0, len(pieces), _ARGUMENTS))
        pieces = [f"nullif(concat_ws(',', {', '.join(group)}), '')" for group in groups]
    return f"'{{' || coalesce({pieces[0]}, '') || '}}'"
