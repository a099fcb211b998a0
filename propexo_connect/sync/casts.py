"""SQL that turns what a source wrote into a typed value, or into nothing where it would not fit.

Every expression takes text `x` and yields a value that stands for exactly the same thing, else null.
A value that yields null is a misfit: it is kept as text in `_propexo_meta`.
"""

from collections.abc import Iterable

from propexo_connect.model.field import (
    BOOLEAN,
    DATE,
    FLOAT,
    INTEGER,
    JSON,
    TEXT,
    TIMESTAMP,
    FieldType,
    Kind,
)

DUCKDB_TYPES = {
    Kind.TEXT: "VARCHAR",
    Kind.INTEGER: "BIGINT",
    Kind.FLOAT: "DOUBLE",
    Kind.BOOLEAN: "BOOLEAN",
    Kind.DATE: "DATE",
    Kind.TIMESTAMP: "TIMESTAMPTZ",
    Kind.DATETIME: "TIMESTAMP",
    Kind.TIME: "TIME",
    Kind.JSON: "VARCHAR",
    Kind.BINARY: "BLOB",
}

MISFIT_REASONS = {
    Kind.INTEGER: "not an integer of 64 bits",
    Kind.DECIMAL: "not a decimal that fits",
    Kind.FLOAT: "not a finite double, or one that would be rounded",
    Kind.BOOLEAN: "neither true nor false",
    Kind.DATE: "not a date between 0001-01-01 and 9999-12-31",
    Kind.TIMESTAMP: "not an instant with a zone and at most microseconds",
    Kind.DATETIME: "not a local date and time with at most microseconds",
    Kind.TIME: "not a time of day with at most microseconds",
    Kind.BINARY: "not base64",
    Kind.TEXT: "not text",
    Kind.JSON: "not JSON",
}

_DAY = r"\d{4}-\d\d-\d\d"
_CLOCK = r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,6}0*)?)?"
_ZONE = r" ?([Zz]|[+-]\d\d(:?\d\d)?)"
_WHOLE = r"-?(0|[1-9]\d*)"
"""Without leading zeros: 01234 is a ZIP code and no number."""
_NUMBER = rf"{_WHOLE}(\.\d+)?([eE][+-]?\d+)?"


def duckdb_type(given: FieldType) -> str:
    """The type's name in DuckDB, in whose columns records are typed."""
    if given.kind is Kind.DECIMAL:
        return f"DECIMAL({given.precision},{given.scale})"
    return DUCKDB_TYPES[given.kind]


def from_text(x: str, given: FieldType) -> str:
    """The SQL expression of a typed value, from the SQL expression `x` of its text."""
    cast = f"try_cast({x} AS {duckdb_type(given)})"
    match given.kind:
        case Kind.TEXT | Kind.JSON:
            return x
        case Kind.INTEGER:
            return _if_matches(x, rf"{_WHOLE}(\.0+)?", cast)
        case Kind.DECIMAL:
            fits = rf"{_WHOLE}(\.\d{{0,{given.scale}}}0*)?"
            # A JSON number may come with an exponent; doubles compare it well enough, because
            # whoever has more digits than a double comes as plain digits (exact.py).
            same = f"try_cast({x} AS DOUBLE) = CAST({cast} AS DOUBLE)"
            exponent = rf"regexp_full_match({x}, '-?\d(\.\d+)?[eE][+-]?\d+')"
            return (
                f"CASE WHEN regexp_full_match({x}, '{fits}') THEN {cast} "
                f"WHEN {exponent} AND {same} THEN {cast} END"
            )
        case Kind.FLOAT:
            digits = "DECIMAL(38,18)"
            same = (
                f"length({x}) <= 16 OR {cast}::VARCHAR = {x} OR abs({cast}) < 1e-300 "
                f"OR try_cast({cast} AS {digits}) = try_cast({x} AS {digits}) "
                f"OR {x} ILIKE '%e%'"
            )
            is_number = f"regexp_full_match({x}, '{_NUMBER}') AND isfinite({cast})"
            return f"CASE WHEN {is_number} AND ({same}) THEN {cast} END"
        case Kind.BOOLEAN:
            yes, no = f"lower({x}) IN ('true', '1')", f"lower({x}) IN ('false', '0')"
            return f"CASE WHEN {yes} THEN true WHEN {no} THEN false END"
        case Kind.DATE:
            midnight = rf"({_DAY})([T ]00:00(:00(\.0+)?)?({_ZONE})?)?"
            day = f"try_cast(left({x}, 10) AS DATE)"
            return f"CASE WHEN regexp_full_match({x}, '{midnight}') AND {x}[1:4] <> '0000' THEN {day} END"
        case Kind.TIMESTAMP:
            return _if_matches(x, f"{_DAY}[T ]{_CLOCK}{_ZONE}", cast, f" AND {x}[1:4] <> '0000'")
        case Kind.DATETIME:
            return _if_matches(x, f"{_DAY}[T ]{_CLOCK}", cast, f" AND {x}[1:4] <> '0000'")
        case Kind.TIME:
            return _if_matches(x, _CLOCK, cast)
        case Kind.BINARY:
            return f"try(from_base64({x}))"


def _if_matches(x: str, pattern: str, value: str, condition: str = "") -> str:
    return f"CASE WHEN regexp_full_match({x}, '{pattern}'){condition} THEN {value} END"


def guarded(x: str, given: FieldType) -> str:
    """The SQL expression of a value that already has the kind's own type; out of range becomes null."""
    match given.kind:
        case Kind.FLOAT:
            return f"CASE WHEN isfinite({x}) THEN CAST({x} AS DOUBLE) END"
        case Kind.DATE:
            return f"CASE WHEN {x} BETWEEN DATE '0001-01-01' AND DATE '9999-12-31' THEN {x} END"
        case Kind.TIMESTAMP:
            low, high = "TIMESTAMPTZ '0001-01-01 00:00:00+00'", "TIMESTAMPTZ '9999-12-31 23:59:59.999999+00'"
            return f"CASE WHEN {x} BETWEEN {low} AND {high} THEN {x} END"
        case Kind.DATETIME:
            low, high = "TIMESTAMP '0001-01-01 00:00:00'", "TIMESTAMP '9999-12-31 23:59:59.999999'"
            return f"CASE WHEN {x} BETWEEN {low} AND {high} THEN {x} END"
        case _:
            return f"CAST({x} AS {duckdb_type(given)})"


WIDER: dict[Kind, tuple[FieldType, ...]] = {
    Kind.INTEGER: (FieldType(Kind.DECIMAL, 38, 18), TEXT),
    Kind.BOOLEAN: (TEXT,),
    Kind.DATE: (TEXT,),
}
"""To what an inferred type may change without loss when values come that do not fit it."""


def candidates(json_types: Iterable[str] | None) -> tuple[FieldType, ...]:
    """The types worth trying for a field nobody declared, the narrowest first; the last takes all.

    Args:
        json_types: what DuckDB's `json_type` says of its values; None for text of a file.
    """
    if json_types is None:
        return (INTEGER, FieldType(Kind.DECIMAL, 38, 9), FLOAT, BOOLEAN, DATE, TIMESTAMP, TEXT)
    seen = set(json_types) - {"NULL"}
    if seen & {"OBJECT", "ARRAY"}:
        return (JSON,)
    if seen <= {"BIGINT", "UBIGINT", "HUGEINT", "UHUGEINT"}:
        return (INTEGER, FieldType(Kind.DECIMAL, 38, 0), TEXT)
    if seen <= {"BIGINT", "UBIGINT", "HUGEINT", "UHUGEINT", "DOUBLE"}:
        return (FLOAT, FieldType(Kind.DECIMAL, 38, 18), TEXT)
    if seen == {"BOOLEAN"}:
        return (BOOLEAN,)
    if seen == {"VARCHAR"}:
        return (TIMESTAMP, DATE, TEXT)
    return (TEXT,)
