"""Rows of a driver that knows no columns, made into columns a few hundred at a time."""

import base64
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pyarrow as pa

from propexo_connect.connectors.relation import TableColumn
from propexo_connect.model.field import Kind

Row = Sequence[Any]

_AT_ONCE = 1_000
"""Rows fetched at once at the most: a table may hold short rows first and long ones later."""

_TEXT = (pa.string(), frozenset({str, type(None)}))
"""Kinds that are not among these come as text."""

_SAID = frozenset({str, int, float, type(None)})
"""What `str` writes so that it stands for exactly the same."""

_NATURAL = {
    Kind.INTEGER: (pa.int64(), frozenset({int, type(None)})),
    Kind.FLOAT: (pa.float64(), frozenset({float, int, type(None)})),
    Kind.BOOLEAN: (pa.bool_(), frozenset({bool, type(None)})),
}


def column_batches(
    fetch: Callable[[int], Sequence[Row]], columns: Sequence[TableColumn], batch_bytes: int
) -> Iterator[pa.Table]:
    """Everything that `fetch(count)` gives until it gives nothing, in tables of about this size."""
    gathered: list[pa.Table] = []
    gathered_bytes, count = 0, 64
    while rows := fetch(count):
        table = table_of(rows, columns)
        gathered.append(table)
        gathered_bytes += table.nbytes
        row_bytes = max(table.nbytes // len(rows), 1)
        count = min(max(batch_bytes // (4 * row_bytes), 1), 2 * count, _AT_ONCE)
        if gathered_bytes >= batch_bytes:
            yield _united(gathered)
            gathered, gathered_bytes = [], 0
    if gathered:
        yield _united(gathered)


def table_of(rows: Sequence[Row], columns: Sequence[TableColumn]) -> pa.Table:
    """The rows in columns; a column in which a value is not of its kind becomes text as a whole."""
    arrays = [
        _column(values, column.type.kind)
        for column, values in zip(columns, zip(*rows, strict=True), strict=True)
    ]
    return pa.Table.from_arrays(arrays, [column.name for column in columns])


def _column(values: Sequence[Any], kind: Kind) -> pa.Array:
    natural, types = _NATURAL.get(kind, _TEXT)
    found = set(map(type, values))
    # Arrow itself would cut 2.5 down to 2 in silence.
    if kind is not Kind.BINARY and found <= types:
        try:
            return pa.array(values, natural)
        except (pa.ArrowInvalid, OverflowError):
            pass
    if kind is not Kind.BINARY and found <= _SAID:
        return pa.array([value if value is None else str(value) for value in values], pa.string())
    return pa.array([text_of(value, kind) for value in values], pa.string())


def text_of(value: object, kind: Kind) -> str | None:
    """A value as text that stands for exactly it, and for nothing else that the kind could hold.

    Bytes among binary values are base64 and anything else there is quoted; bytes among others are x'00ff'.
    """
    match value:
        case None:
            return None
        case bytes():
            return base64.b64encode(value).decode() if kind is Kind.BINARY else f"x'{value.hex()}'"
        case _ if kind is Kind.BINARY:
            return f"'{value}'"
        case float():
            return repr(value)
        case _:
            return str(value)


def _united(tables: Sequence[pa.Table]) -> pa.Table:
    """One table; a column that is text in one of them is text in all."""
    try:
        return pa.concat_tables(tables)
    except pa.ArrowInvalid:
        names = tables[0].column_names
        mixed = {name for name in names if len({table.schema.field(name).type for table in tables}) > 1}
        schema = pa.schema(
            [field.with_type(pa.string()) if field.name in mixed else field for field in tables[0].schema]
        )
        return pa.concat_tables([table.cast(schema) for table in tables])
