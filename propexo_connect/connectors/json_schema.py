"""Field types from the JSON schemas in which Airbyte and Singer describe their streams.

What a schema leaves open, or allows several types for, is not declared: the values tell it. So it is with
`number`, which may be a double or a decimal of any scale, unless `multipleOf` says how many places there are.
"""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, cast

from propexo_connect.model.field import (
    BINARY,
    BOOLEAN,
    DATE,
    DATETIME,
    INTEGER,
    JSON,
    TEXT,
    TIME,
    TIMESTAMP,
    Field,
    FieldType,
    Kind,
)

Schema = Mapping[str, Any]


def fields_of(schema: Schema, nested: tuple[str, ...] = ()) -> tuple[Field, ...]:
    """The fields that a record's schema declares.

    Args:
        nested: paths such as `owner.id` that are fields of their own, because a key or cursor names them.
    """
    properties = _mapping(schema.get("properties"))
    named = {name: _mapping(inner) for name, inner in properties.items()}
    for path in nested:
        if "." in path and path not in named:
            named[path] = _within(schema, path)
    return tuple(
        Field(name, given, str(inner.get("description") or ""))
        for name, inner in named.items()
        if (given := type_of(inner)) is not None
    )


def _within(schema: Schema, path: str) -> Schema:
    for name in path.split("."):
        schema = _mapping(_mapping(schema.get("properties")).get(name))
    return schema or {"type": "string"}


def type_of(schema: Schema) -> FieldType | None:
    """The type of one field, None where only its values tell."""
    schema = _single(schema)
    kinds = schema.get("type")
    named = {str(kind) for kind in (kinds if isinstance(kinds, list) else [kinds])} - {"null", "None"}
    if len(named) != 1:
        return None
    match named.pop():
        case "string":
            return _text(schema)
        case "integer":
            return FieldType(Kind.DECIMAL, 38, 0) if schema.get("airbyte_type") == "big_integer" else INTEGER
        case "number":
            return INTEGER if schema.get("airbyte_type") == "integer" else _decimal(schema.get("multipleOf"))
        case "boolean":
            return BOOLEAN
        case "object" | "array":
            return JSON
        case _:
            return None


def _single(schema: Schema) -> Schema:
    """The one alternative that is not null, where a schema lists alternatives."""
    for word in ("anyOf", "oneOf"):
        found = schema.get(word)
        if isinstance(found, list) and "type" not in schema:
            others = [_mapping(part) for part in cast(list[object], found)]
            others = [part for part in others if part.get("type") not in ("null", ["null"])]
            return _single(others[0]) if len(others) == 1 else {}
    return schema


def _text(schema: Schema) -> FieldType:
    airbyte = schema.get("airbyte_type")
    match schema.get("format"):
        case "date-time":
            return DATETIME if airbyte == "timestamp_without_timezone" else TIMESTAMP
        case "date":
            return DATE
        case "time":
            return TIME if airbyte == "time_without_timezone" else TEXT
        case _:
            return BINARY if schema.get("contentEncoding") == "base64" else TEXT


def _decimal(step: object) -> FieldType | None:
    try:
        exponent = Decimal(str(step)).normalize().as_tuple().exponent
    except InvalidOperation:
        return None
    scale = max(-exponent, 0) if isinstance(exponent, int) else 0
    return FieldType(Kind.DECIMAL, 38, scale) if step and scale <= 38 else None


def _mapping(value: object) -> Schema:
    return cast(Schema, value) if isinstance(value, Mapping) else {}
