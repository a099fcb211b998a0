"""DuckDB's types.

text  VARCHAR    integer    BIGINT       decimal(p,s)  DECIMAL(p,s)  float  DOUBLE
json  JSON       boolean    BOOLEAN      date          DATE          time   TIME
binary  BLOB     timestamp  TIMESTAMPTZ  datetime      TIMESTAMP
"""

import json
import re

from propexo_connect.destinations.identifiers import literal
from propexo_connect.model.field import FieldType, Kind

_NAMES: dict[Kind, str] = {
    Kind.TEXT: "VARCHAR",
    Kind.INTEGER: "BIGINT",
    Kind.FLOAT: "DOUBLE",
    Kind.BOOLEAN: "BOOLEAN",
    Kind.DATE: "DATE",
    Kind.TIMESTAMP: "TIMESTAMPTZ",
    Kind.DATETIME: "TIMESTAMP",
    Kind.TIME: "TIME",
    Kind.JSON: "JSON",
    Kind.BINARY: "BLOB",
}


def column_type(given: FieldType) -> str:
    """The type of a column."""
    if given.kind is Kind.DECIMAL:
        return f"DECIMAL({given.precision}, {given.scale})"
    return _NAMES[given.kind]


def json_text(expression: str, kind: Kind) -> str:
    """A value that is not null as JSON text; instants with six digits and `Z`."""
    match kind:
        case Kind.TEXT:
            return f"cast(to_json({expression}) as VARCHAR)"
        case Kind.TIMESTAMP:
            return f"strftime({expression}, '\"%Y-%m-%dT%H:%M:%S.%fZ\"')"
        case Kind.DATETIME:
            return f"strftime({expression}, '\"%Y-%m-%dT%H:%M:%S.%f\"')"
        case Kind.DATE | Kind.TIME:
            return f"'\"' || cast({expression} as VARCHAR) || '\"'"
        case Kind.BINARY:
            return f"'\"' || to_base64({expression}) || '\"'"
        case _:
            return f"cast({expression} as VARCHAR)"


def json_field(expression: str, name: str, given: FieldType) -> str:
    """One field of a JSON object as JSON; null only where it is missing."""
    # A pointer, because a path has no way to write a quotation mark.
    pointer = literal("/" + name.replace("~", "~0").replace("/", "~1"))
    found = f"json_extract({expression}, {pointer})"
    if given.kind is not Kind.DECIMAL:
        return found
    # It is extracted with the digits of a double, and all of them stand in the text alone; of numbers that
    # bear the same name deeper within, the one that is meant is about as large.
    spelled = re.escape(json.dumps(name, ensure_ascii=False))
    pattern = literal(f"{spelled}:(-?[0-9.eE+-]+)")
    texts = f"regexp_extract_all(cast({expression} as VARCHAR), {pattern}, 1)"
    is_meant = f"lambda one: try_cast(one as DOUBLE) = try_cast(cast({found} as VARCHAR) as DOUBLE)"
    return f"coalesce(cast(list_filter({texts}, {is_meant})[1] as JSON), {found})"


def from_json(expression: str, given: FieldType) -> str:
    """A JSON value as a value of a column's type; JSON's null is null."""
    text = f"json_extract_string({expression}, '$')"
    match given.kind:
        case Kind.JSON:
            return f"nullif({expression}, cast('null' as JSON))"
        case Kind.TEXT:
            return text
        case Kind.BINARY:
            return f"from_base64({text})"
        case Kind.DECIMAL:
            return f"cast(nullif(cast({expression} as VARCHAR), 'null') as {column_type(given)})"
        case Kind.TIMESTAMP:  # instants are in UTC, and a date is its first instant there
            return f"(cast({text} as TIMESTAMP) at time zone 'UTC')"
        case _:
            return f"cast({text} as {column_type(given)})"


def converted(expression: str, before: FieldType, after: FieldType) -> str:
    """A stored value in the wider type that its column gets."""
    if after.kind is Kind.JSON:
        return f"cast({json_text(expression, before.kind)} as JSON)"
    if after.kind is Kind.TEXT and before.kind in {Kind.TIMESTAMP, Kind.DATETIME}:
        return f"trim({json_text(expression, before.kind)}, '\"')"
    return f"cast({expression} as {column_type(after)})"
