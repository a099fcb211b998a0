"""Whole tables for assets: read through ADBC in columns, replaced in one transaction."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from propexo_connect.destinations.identifiers import qualified, quote
from propexo_connect.destinations.postgres.copy import copy_in
from propexo_connect.destinations.postgres.types import arrow_column_type
from propexo_connect.model.errors import UnknownName, Unreachable
from propexo_connect.model.stream import Table

if TYPE_CHECKING:
    from propexo_connect.destinations.postgres.writer import PostgresLink

_COLUMNS = (
    "select a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod) from pg_catalog.pg_attribute a "
    "join pg_catalog.pg_class c on c.oid = a.attrelid "
    "join pg_catalog.pg_namespace n on n.oid = c.relnamespace "
    "where n.nspname = $1 and c.relname = $2 and a.attnum > 0 and not a.attisdropped order by a.attnum"
)

_NATIVE: dict[str, pa.DataType] = {
    "text": pa.string(),
    "bigint": pa.int64(),
    "integer": pa.int32(),
    "smallint": pa.int16(),
    "boolean": pa.bool_(),
    "double precision": pa.float64(),
    "real": pa.float32(),
    "date": pa.date32(),
    "bytea": pa.binary(),
    "time without time zone": pa.time64("us"),
    "timestamp without time zone": pa.timestamp("us"),
    "timestamp with time zone": pa.timestamp("us", "UTC"),
}
"""What ADBC brings in columns; everything else is asked for as text."""

_DECIMAL = re.compile(r"numeric\((\d+),(\d+)\)")


def query(link: "PostgresLink", table: Table, columns: list[str] | None) -> tuple[str, pa.Schema]:
    """The statement that reads a table through ADBC, and the Arrow types that it is to be given.

    Raises:
        UnknownName: there is no such table or column.
    """
    types: dict[str, str] = dict(link.rows(_COLUMNS, (table.schema, table.name)))
    if not types:
        raise UnknownName(f"there is no table {table}")
    for name in columns or ():
        if name not in types:
            raise UnknownName(f"the table {table} has no column '{name}'", expected=", ".join(types))
    wanted = columns or list(types)
    parts = [
        quote(name) if types[name] in _NATIVE else f"cast({quote(name)} as text) as {quote(name)}"
        for name in wanted
    ]
    schema = pa.schema([(name, _arrow_type(types[name])) for name in wanted])
    return f"select {', '.join(parts)} from {qualified(table)}", schema


def read(target: str, sql: str, schema: pa.Schema, address: str) -> pa.RecordBatchReader:
    """The rows, while they arrive. `target` names the database in libpq's words and never leaves here."""
    # Imported here: only assets downstream read tables.
    from adbc_driver_manager import Error  # noqa: PLC0415
    from adbc_driver_postgresql import dbapi  # noqa: PLC0415

    def batches() -> Iterator[pa.RecordBatch]:
        try:
            with dbapi.connect(target) as connection, connection.cursor() as cursor:
                cursor.execute("set timezone = 'UTC'")
                cursor.execute(sql)
                for batch in cursor.fetch_record_batch():
                    arrays = [_typed(batch.column(place), field.type) for place, field in enumerate(schema)]
                    yield pa.RecordBatch.from_arrays(arrays, schema=schema)
        except Error:
            raise Unreachable(f"{address}: reading a table broke off") from None

    return pa.RecordBatchReader.from_batches(schema, batches())


def replace(link: "PostgresLink", table: Table, records: pa.RecordBatchReader) -> int:
    """Put these records in the place of a table, which goes on being readable until the commit."""
    schema = pa.schema([_plain(field) for field in records.schema])
    columns = ", ".join(f"{quote(field.name)} {arrow_column_type(field)}" for field in schema)
    link.run(f"drop table if exists {qualified(table)}")
    link.run(f"create table {qualified(table)} ({columns})")
    batches = (batch if batch.schema == schema else batch.cast(schema) for batch in records)
    return copy_in(link.connection, qualified(table), schema, batches, frozenset())


def _plain(field: pa.Field) -> pa.Field:
    """Dictionaries as their values, extensions as what they store, seconds to nanoseconds as microseconds."""
    given = field.type
    if isinstance(given, pa.BaseExtensionType):
        given = given.storage_type
    if pa.types.is_dictionary(given):
        given = given.value_type
    if pa.types.is_timestamp(given):
        given = pa.timestamp("us", given.tz)
    if pa.types.is_time(given):
        given = pa.time64("us")
    if pa.types.is_date(given):
        given = pa.date32()
    return pa.field(field.name, given)


def _arrow_type(given: str) -> pa.DataType:
    decimal = _DECIMAL.fullmatch(given)
    if decimal and int(decimal[1]) <= 38:
        return pa.decimal128(int(decimal[1]), int(decimal[2]))
    return _NATIVE.get(given, pa.string())


def _typed(column: pa.Array, wanted: pa.DataType) -> pa.Array:
    if isinstance(column.type, pa.BaseExtensionType):
        column = column.storage
    return column if column.type == wanted else pc.cast(column, wanted)
