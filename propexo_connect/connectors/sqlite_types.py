"""What is expected of a SQLite column, by its declared type or by its first value.

Declared             as                                    a value of another kind
INTEGER, INT, …      integer                               is text, and kept as a misfit where it does not fit
BOOLEAN, BOOL        boolean, from 0 and 1
REAL, FLOAT, DOUBLE  float
DECIMAL(p,s)         decimal(p,s), by the shortest text of what SQLite stores
TEXT, VARCHAR, …     text                                  numbers as their digits, bytes as x'00ff'
BLOB                 binary                                a text or number is quoted, and kept as a misfit
DATE, TIME           date, time
DATETIME, TIMESTAMP  by the first value: text with a zone is a timestamp, other text a datetime,
                     a number an integer or a float
JSON                 JSON
nothing, others      by the first value; text when there is none
"""

import re
from datetime import timedelta

from propexo_connect.connectors import sql
from propexo_connect.connectors.relation import TableColumn
from propexo_connect.model.field import (
    BINARY,
    BOOLEAN,
    DATE,
    DATETIME,
    DECIMAL,
    FLOAT,
    INTEGER,
    JSON,
    TEXT,
    TIME,
    TIMESTAMP,
    FieldType,
    Kind,
)

_DECLARED = re.compile(r"\s*([a-z0-9 _]*?)\s*(?:\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\))?\s*", re.IGNORECASE)

_KINDS = {
    **dict.fromkeys(
        ("INTEGER", "INT", "BIGINT", "SMALLINT", "TINYINT", "MEDIUMINT", "INT2", "INT8"), INTEGER
    ),
    **dict.fromkeys(("BOOLEAN", "BOOL"), BOOLEAN),
    **dict.fromkeys(("REAL", "FLOAT", "DOUBLE", "DOUBLE PRECISION"), FLOAT),
    **dict.fromkeys(("TEXT", "CLOB", "CHAR", "VARCHAR", "NCHAR", "NVARCHAR", "CHARACTER"), TEXT),
    **dict.fromkeys(("VARYING CHARACTER", "NATIVE CHARACTER", "UUID"), TEXT),
    **dict.fromkeys(("DECIMAL", "NUMERIC"), DECIMAL),
    "BLOB": BINARY,
    "DATE": DATE,
    "TIME": TIME,
    "JSON": JSON,
}

_MILLISECOND = timedelta(milliseconds=1)
_ZONED = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?\s*(Z|z|[+-]\d\d:?\d\d)")
_LOCAL = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?)?")


def is_told_by_values(declared: str) -> bool:
    """Whether a value has to be looked at to know what is expected of the column."""
    return _expected(declared) is None


def column_of(name: str, declared: str, sample: object, *, is_rowid: bool = False) -> TableColumn:
    """A column by its declared type, or by a value of it where that tells nothing."""
    given = _expected(declared) or _kind_of(sample, is_time="TIME" in declared.upper())
    base = declared.lower() or "untyped"
    plain = sql.column(name, sql.ALIAS)
    if given.kind is Kind.DATE:
        return TableColumn(name, given, base, compared_as=sql.call("date", plain))
    if given.kind in {Kind.TIMESTAMP, Kind.DATETIME}:
        # strftime understands blank or T, any fraction and any offset, and yields UTC and milliseconds.
        same_form = sql.call("strftime", sql.literal("%Y-%m-%d %H:%M:%f000"), plain)
        form = "%Y-%m-%d %H:%M:%S.%f"
        return TableColumn(name, given, base, grain=_MILLISECOND, compared_as=same_form, instant_form=form)
    return TableColumn(name, given, base, is_sequence=is_rowid)


def _expected(declared: str) -> FieldType | None:
    found = _DECLARED.fullmatch(declared)
    given = _KINDS.get(found[1].upper()) if found else None
    if given is DECIMAL and found and found[2]:
        precision, scale = int(found[2]), int(found[3] or 0)
        return FieldType(Kind.DECIMAL, min(max(precision, scale, 1), 38), min(scale, 38))
    if given is INTEGER and found and found[1].upper() == "TINYINT" and found[2] == "1":
        return BOOLEAN
    return given


def _kind_of(sample: object, *, is_time: bool) -> FieldType:
    match sample:
        case int():
            return INTEGER
        case float():
            return FLOAT
        case bytes():
            return BINARY
        case str() if is_time and _ZONED.fullmatch(sample):
            return TIMESTAMP
        case str() if is_time and _LOCAL.fullmatch(sample):
            return DATETIME
        case None if is_time:
            return DATETIME
        case _:
            return TEXT
