"""The fast way from pages to typed columns: one read of the JSON, then a cast per column (`columns.py`).

It holds where all fields are known and every value is written as usual. Anything else raises `Unfit`, and the
records go the thorough way, which takes three times as long and finds out what is odd.
"""

import duckdb
import pyarrow as pa

from propexo_connect.destinations.arrow import REJECTED
from propexo_connect.model.field import FieldType, Kind
from propexo_connect.model.layout import Column, Layout
from propexo_connect.model.stream import StreamPlan
from propexo_connect.sync.columns import Unfit, from_native, from_text
from propexo_connect.sync.compute import Values
from propexo_connect.sync.raw import (
    count_of,
    literal,
    natural_type,
    nested_fields,
    pointer,
    records_of,
    register_bodies,
    united,
)
from propexo_connect.sync.spool import Spool
from propexo_connect.sync.thorough import Typed


def typed_at_once(
    connection: duckdb.DuckDBPyConnection, spool: Spool, plan: StreamPlan, layout: Layout
) -> Typed:
    """Records in columns, where there is nothing to be said about any of them.

    Raises:
        Unfit: a field that is not in the layout, a record without a key, or a value that needs a closer look.
    """
    way = _json if spool.is_json else _columns
    arrived = way(connection, spool, plan, layout)
    places = {name: place for place, name in enumerate(arrived.column_names[1:], 1)}
    nothing = pa.chunked_array([pa.nulls(arrived.num_rows, pa.string())])
    typed = {
        column.field: _typed(
            arrived.column(places[column.field]) if column.field in places else nothing,
            column.type,
            is_text=spool.is_text,
        )
        for column in layout.columns
    }
    if any(typed[field].null_count for field in layout.key):
        raise Unfit
    return Typed(layout, typed, arrived.column(0), nothing, REJECTED.empty_table(), ())


def _typed(values: Values, given: FieldType, *, is_text: bool) -> Values:
    natural = None if is_text else natural_type(values.type)
    if natural is None or natural.kind is Kind.TEXT:
        return from_text(values if values.type == pa.string() else values.cast(pa.string()), given)
    if natural.kind is not given.kind or natural.kind is Kind.JSON:
        raise Unfit
    return from_native(values, given)


# -- JSON ------------------------------------------------------------------------------------------


def _json(connection: duckdb.DuckDBPyConnection, spool: Spool, plan: StreamPlan, layout: Layout) -> pa.Table:
    """Each field's text, null where it is absent or null."""
    register_bodies(connection, [spool])
    if spool.has_rewritten:
        raise Unfit
    nested = nested_fields(plan.stream)
    tops = _tops(layout, nested)
    shape, inner = tops, "r"
    if spool.unwrap is not None:
        shape, inner = {spool.unwrap: tops}, f"struct_extract(r, {literal(spool.unwrap)})"
    cells = [f"{_cell(column, tops, nested)} AS x{number}" for number, column in enumerate(layout.columns)]
    try:
        _refuse_unknown(connection, spool.unwrap, plan, layout)
        found = connection.sql(
            f"SELECT p, {', '.join(cells)} FROM (SELECT p, {inner} AS r FROM ({records_of(shape)}))"
        ).to_arrow_table()
    except (duckdb.Error, UnicodeDecodeError):  # no JSON, or broken UTF-8, which the error itself repeats
        raise Unfit from None
    return found.rename_columns(["p", *(column.field for column in layout.columns)])


def _tops(layout: Layout, nested: frozenset[str]) -> dict[str, str]:
    """The members to read of each record, with their types in DuckDB's words."""
    tops: dict[str, str] = {}
    for column in layout.columns:
        if column.field in nested:
            tops[column.field.split(".")[0]] = "JSON"
        else:
            tops.setdefault(column.field, "JSON" if column.type.kind is Kind.JSON else "VARCHAR")
    if "" in tops or len({name.casefold() for name in tops}) < len(tops):
        raise Unfit  # DuckDB's structs know no empty names, and no case
    return tops


def _cell(column: Column, tops: dict[str, str], nested: frozenset[str]) -> str:
    """The SQL of one field's text, or of its JSON."""
    top, *below = column.field.split(".") if column.field in nested else [column.field]
    cell = f"struct_extract(r, {literal(top)})"
    if tops[top] == "VARCHAR":
        return cell
    path = literal("".join(map(pointer, below)) or "$")
    if column.type.kind is Kind.JSON:
        return f"nullif(json_extract({cell}, {path})::VARCHAR, 'null')" if below else f"{cell}::VARCHAR"
    return f"json_extract_string({cell}, {path})"


def _refuse_unknown(
    connection: duckdb.DuckDBPyConnection, unwrap: str | None, plan: StreamPlan, layout: Layout
) -> None:
    """Make sure that there is no field with a value that the layout does not have."""
    record = "r" if unwrap is None else f"json_extract(r, {literal(pointer(unwrap))})"
    found = connection.execute(
        f"SELECT DISTINCT json_keys(rec) FROM (SELECT {record} AS rec FROM ({records_of('JSON')}))"
    ).fetchall()
    if any(not names or len(set(names)) < len(names) for (names,) in found):
        raise Unfit  # no object, or a member that comes twice
    covered = layout.fields | {field.split(".")[0] for field in layout.fields}
    names = dict.fromkeys(name for (names,) in found for name in names)
    unknown = [name for name in names if name not in covered and plan.wants(name)]
    if not unknown:
        return
    # Many vendors send members that are always null; they get a column with their first value.
    paths = ", ".join(literal(pointer(name)) for name in unknown)
    kinds = f"json_type({record}, [{paths}])"
    filled = f"len(list_filter({kinds}, lambda kind: kind IS NOT NULL AND kind <> 'NULL')) > 0"
    if connection.execute(f"SELECT 1 FROM ({records_of('JSON')}) WHERE {filled} LIMIT 1").fetchall():
        raise Unfit


# -- columns ---------------------------------------------------------------------------------------


def _columns(
    connection: duckdb.DuckDBPyConnection, spool: Spool, plan: StreamPlan, layout: Layout
) -> pa.Table:
    """The columns as they came."""
    table = united([spool])
    names = table.column_names[1:]
    for place, name in enumerate(names, 1):
        is_empty = table.column(place).null_count == table.num_rows
        if name not in layout.fields and plan.wants(name) and not is_empty:
            raise Unfit
    for column in layout.columns:
        if column.type.kind is Kind.JSON and column.field in names:
            _require_json(connection, table.column(names.index(column.field) + 1))
    return table


def _require_json(connection: duckdb.DuckDBPyConnection, values: Values) -> None:
    if not pa.types.is_string(values.type):
        raise Unfit  # lists and structs are written as JSON the thorough way
    connection.register("texts", pa.table({"x": values}))
    try:
        if count_of(connection, "SELECT count(*) FROM texts WHERE NOT json_valid(x)"):
            raise Unfit
    finally:
        connection.unregister("texts")
