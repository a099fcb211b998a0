"""DuckDB's types.

text  VARCHAR    integer    BIGINT       decimal(p,s)  DECIMAL(p,s)  float  DOUBLE
json  JSON       boolean    BOOLEAN      date          DATE          time   TIME
binary  BLOB     timestamp  TIMESTAMPTZ  datetime      TIMESTAMP
"""

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


def converted(expression: str, before: FieldType, after: FieldType) -> str:
    """A stored value in the wider type that its column gets."""
    if after.kind is Kind.JSON:
        return f"cast({json_text(expression, before.kind)} as JSON)"
    if after.kind is Kind.TEXT and before.kind in {Kind.TIMESTAMP, Kind.DATETIME}:
        return f"trim({json_text(expression, before.kind)}, '\"')"
    return f"cast({expression} as {column_type(after)})"
