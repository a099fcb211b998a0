"""PostgreSQL's types.

text  text       integer    bigint       decimal(p,s)  numeric(p,s)  float  double precision
json  jsonb      boolean    boolean      date          date          time   time
binary  bytea    timestamp  timestamptz  datetime      timestamp
"""

import pyarrow as pa

from propexo_connect.destinations.arrow import META
from propexo_connect.model.errors import ConfigurationError
from propexo_connect.model.field import JSON, FieldType, Kind
from propexo_connect.model.layout import Layout

_NAMES: dict[Kind, str] = {
    Kind.TEXT: "text",
    Kind.INTEGER: "bigint",
    Kind.FLOAT: "double precision",
    Kind.BOOLEAN: "boolean",
    Kind.DATE: "date",
    Kind.TIMESTAMP: "timestamptz",
    Kind.DATETIME: "timestamp",
    Kind.TIME: "time",
    Kind.JSON: "jsonb",
    Kind.BINARY: "bytea",
}

_ISO = 'YYYY-MM-DD"T"HH24:MI:SS.US'


def column_type(given: FieldType) -> str:
    """The type of a column."""
    if given.kind is Kind.DECIMAL:
        return f"numeric({given.precision}, {given.scale})"
    return _NAMES[given.kind]


def json_text(expression: str, kind: Kind) -> str:
    """A value that is not null as JSON text; instants with six digits and `Z`."""
    match kind:
        case Kind.TEXT:
            return f"cast(to_jsonb({expression}) as text)"
        case Kind.TIMESTAMP:
            return _quoted(f"to_char({expression} at time zone 'UTC', '{_ISO}\"Z\"')")
        case Kind.DATETIME:
            return _quoted(f"to_char({expression}, '{_ISO}')")
        case Kind.DATE | Kind.TIME:
            return _quoted(f"cast({expression} as text)")
        case Kind.BINARY:
            return _quoted(f"translate(encode({expression}, 'base64'), chr(10), '')")
        case _:
            return f"cast({expression} as text)"


def from_json(expression: str, given: FieldType) -> str:
    """A JSON value as a value of a column's type; JSON's null is null."""
    text = f"({expression} #>> '{{}}')"
    match given.kind:
        case Kind.JSON:
            return f"nullif({expression}, cast('null' as jsonb))"
        case Kind.TEXT:
            return text
        case Kind.BINARY:
            return f"decode({text}, 'base64')"
        case Kind.TIMESTAMP:  # instants are in UTC, and a date is its first instant there
            return f"(cast({text} as timestamp) at time zone 'UTC')"
        case _:
            return f"cast({text} as {column_type(given)})"


def converted(expression: str, before: FieldType, after: FieldType) -> str:
    """A stored value in the wider type that its column gets."""
    if after.kind is Kind.JSON:
        return f"cast({json_text(expression, before.kind)} as jsonb)"
    if after.kind is Kind.TEXT and before.kind in {Kind.TIMESTAMP, Kind.DATETIME}:
        return f"btrim({json_text(expression, before.kind)}, '\"')"
    return f"cast({expression} as {column_type(after)})"


def staged_types(schema: pa.Schema, layout: Layout | None) -> dict[str, str]:
    """The types of a stage's columns: those of the table, else those that Arrow's ask for."""
    own = {} if layout is None else {column.name: column_type(column.type) for column in layout.columns}
    own[META] = column_type(JSON)
    return {field.name: own.get(field.name) or arrow_column_type(field) for field in schema}


def arrow_column_type(field: pa.Field) -> str:
    """The type of a column that holds what an Arrow column holds.

    Raises:
        ConfigurationError: there is none; nested values are to be written as JSON text.
    """
    given = field.type
    if pa.types.is_decimal(given):
        return f"numeric({given.precision}, {given.scale})"
    if pa.types.is_timestamp(given):
        return "timestamp" if given.tz is None else "timestamptz"
    for matches, name in _ARROW:
        if matches(given):
            return name
    raise ConfigurationError(
        f"PostgreSQL has no type for the column '{field.name}' of Arrow's type {given}",
        remedy="Write nested values as JSON text.",
    )


_ARROW = (
    (lambda given: pa.types.is_string(given) or pa.types.is_large_string(given), "text"),
    (pa.types.is_string_view, "text"),
    (pa.types.is_boolean, "boolean"),
    (
        lambda given: pa.types.is_int8(given) or pa.types.is_int16(given) or pa.types.is_uint8(given),
        "smallint",
    ),
    (lambda given: pa.types.is_int32(given) or pa.types.is_uint16(given), "integer"),
    (lambda given: pa.types.is_int64(given) or pa.types.is_uint32(given), "bigint"),
    (lambda given: pa.types.is_float16(given) or pa.types.is_float32(given), "real"),
    (pa.types.is_float64, "double precision"),
    (pa.types.is_date32, "date"),
    (pa.types.is_time, "time"),
    (lambda given: pa.types.is_binary(given) or pa.types.is_large_binary(given), "bytea"),
)


def _quoted(expression: str) -> str:
    return f"'\"' || {expression} || '\"'"
