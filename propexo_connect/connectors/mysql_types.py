"""What MySQL's and MariaDB's catalogs tell of tables and views, and how each column is selected.

Type                       as              selected
tinyint … bigint, year     integer         as it is
tinyint(1)                 boolean         as it is; integer where the connection says so
bigint unsigned            decimal(20,0)   as it is: half of its range is past 64 bits
decimal(p,s)               decimal(p,s)    as it is: text on the wire; more than 38 digits go on as text
float                      float           times 1e0: the server writes a float with 6 digits only
double                     float           as it is
bit(n)                     integer         as a number; more than 63 bits as decimal(20,0)
date                       date            as it is; 0000-00-00 and 2026-02-00 as text
datetime                   datetime        the same
timestamp                  timestamp       the same; the session is in UTC
time                       time            as it is, in text; below 0 and past 24 hours it does not fit
json, MariaDB's checked longtext   json    as it is
binary varbinary blob …    binary          as it is
geometry and its kinds     text            as well-known text
char text enum set uuid inet6, whatever else: text, by the server's own output in UTF-8
"""

import re
from collections.abc import Sequence
from typing import Any, Protocol

from sqlglot import Expr, exp

from propexo_connect.connectors import sql
from propexo_connect.connectors.relation import Relation, TableColumn
from propexo_connect.model.field import (
    BINARY,
    BOOLEAN,
    DATE,
    DATETIME,
    FLOAT,
    INTEGER,
    JSON,
    TEXT,
    TIME,
    TIMESTAMP,
    FieldType,
    Kind,
)

INSTANT_FORM = "%Y-%m-%d %H:%M:%S.%f"

_INTEGERS = frozenset({"tinyint", "smallint", "mediumint", "int", "bigint", "year"})
_BINARIES = frozenset({"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "vector"})
_GEOMETRIES = frozenset(
    {
        "geometry",
        "point",
        "linestring",
        "polygon",
        "multipoint",
        "multilinestring",
        "multipolygon",
        "geomcollection",
        "geometrycollection",
    }
)
_PLAIN = {
    "double": FLOAT,
    "date": DATE,
    "datetime": DATETIME,
    "timestamp": TIMESTAMP,
    "time": TIME,
    "json": JSON,
}
_POSITION_BASES = (_INTEGERS - {"year"}) | {"char", "varchar", "uuid", "date"}
"""Types whose text, as it comes in a page, stands for exactly that value in a later query."""


class Ask(Protocol):
    """Rows of an answer, in text."""

    def __call__(self, query: str, values: Sequence[object] = ()) -> Sequence[tuple[Any, ...]]: ...


_RELATIONS = """
SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE, ENGINE, TABLE_COMMENT
FROM information_schema.TABLES
WHERE TABLE_SCHEMA IN %s AND (%s IS NULL OR TABLE_NAME = %s)
  AND TABLE_TYPE IN ('BASE TABLE', 'VIEW', 'SYSTEM VERSIONED')
ORDER BY TABLE_SCHEMA, TABLE_NAME
"""

_COLUMNS = """
SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, NUMERIC_PRECISION, NUMERIC_SCALE,
       EXTRA, COLUMN_COMMENT, PRIVILEGES
FROM information_schema.COLUMNS
WHERE TABLE_SCHEMA IN %s AND (%s IS NULL OR TABLE_NAME = %s)
ORDER BY TABLE_SCHEMA, TABLE_NAME, ORDINAL_POSITION
"""

_KEYS = """
SELECT TABLE_SCHEMA, TABLE_NAME, INDEX_NAME, COLUMN_NAME, SUB_PART, NULLABLE
FROM information_schema.STATISTICS
WHERE NON_UNIQUE = 0 AND TABLE_SCHEMA IN %s AND (%s IS NULL OR TABLE_NAME = %s)
ORDER BY TABLE_SCHEMA, TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX
"""

_CHECKS = """
SELECT CONSTRAINT_SCHEMA, TABLE_NAME, CHECK_CLAUSE
FROM information_schema.CHECK_CONSTRAINTS
WHERE CONSTRAINT_SCHEMA IN %s AND (%s IS NULL OR TABLE_NAME = %s)
"""


def relations(
    ask: Ask, schemas: Sequence[str], name: str | None, *, is_mariadb: bool, tinyint1_is_boolean: bool
) -> list[Relation]:
    """The relations of these databases, or the one of this name, with the columns that may be read."""
    values = (tuple(schemas), name, name)
    found = ask(_RELATIONS, values)
    checked = _json_columns(ask(_CHECKS, values)) if is_mariadb else set[tuple[str, str, str]]()
    columns: dict[tuple[str, str], list[TableColumn]] = {}
    for schema, table, column, base, full, precision, scale, extra, comment, rights in ask(_COLUMNS, values):
        if "select" not in rights.lower():
            continue
        if (schema, table, column) in checked:
            base = "json"  # noqa: PLW2901 - MariaDB has no type of its own for it
        made = column_of(
            column,
            base.lower(),
            full.lower(),
            (int(precision or 0), int(scale or 0)),
            comment,
            is_sequence="auto_increment" in extra.lower(),
            tinyint1_is_boolean=tinyint1_is_boolean,
        )
        columns.setdefault((schema, table), []).append(made)
    keys = _keys(ask(_KEYS, values))
    made_relations: list[Relation] = []
    for schema, table, kind, engine, comment in found:
        readable = tuple(columns.get((schema, table), ()))
        is_primary, key = keys.get((schema, table), (False, ()))
        if not {column.name for column in readable}.issuperset(key):
            is_primary, key = False, ()
        bases = {column.base for column in readable if column.name in key}
        made_relations.append(
            Relation(
                schema,
                table,
                "" if kind == "VIEW" else comment,
                readable,
                key,
                # InnoDB keeps the records in the order of the primary key.
                is_clustered=is_primary and str(engine).lower() == "innodb" and bases <= _POSITION_BASES,
            )
        )
    return made_relations


def _json_columns(checks: Sequence[tuple[Any, ...]]) -> set[tuple[str, str, str]]:
    found: set[tuple[str, str, str]] = set()
    for schema, table, clause in checks:
        if match := re.fullmatch(r"json_valid\(`((?:[^`]|``)+)`\)", clause.strip(), re.IGNORECASE):
            found.add((schema, table, match[1].replace("``", "`")))
    return found


def _keys(parts: Sequence[tuple[Any, ...]]) -> dict[tuple[str, str], tuple[bool, tuple[str, ...]]]:
    """Of each table whether the key is the primary one, and its columns."""
    indexes: dict[tuple[str, str], dict[str, list[tuple[Any, ...]]]] = {}
    for schema, table, index, *column in parts:
        indexes.setdefault((schema, table), {}).setdefault(index, []).append(tuple(column))
    keys: dict[tuple[str, str], tuple[bool, tuple[str, ...]]] = {}
    for place, found in indexes.items():
        usable = [
            (index != "PRIMARY", len(columns), index, tuple(name for name, _, _ in columns))
            for index, columns in found.items()
            # A column without a name is an expression; a sub-part is a prefix.
            if all(name and part is None and nullable != "YES" for name, part, nullable in columns)
        ]
        if usable:
            is_secondary, _, _, key = min(usable)
            keys[place] = (not is_secondary, key)
    return keys


def column_of(
    name: str,
    base: str,
    full: str,
    digits: tuple[int, int],
    comment: str = "",
    *,
    is_sequence: bool = False,
    tinyint1_is_boolean: bool = True,
) -> TableColumn:
    """A column by its type.

    Args:
        base, full: `bigint` and `bigint(20) unsigned`. digits: precision and scale.
    """
    plain: Expr = sql.column(name, sql.ALIAS)
    given, read_as, can_filter = TEXT, None, True
    if full.startswith("tinyint(1)") and tinyint1_is_boolean:
        given = BOOLEAN
    elif base == "bigint" and "unsigned" in full:
        given = FieldType(Kind.DECIMAL, 20, 0)
    elif base in _INTEGERS:
        given = INTEGER
    elif base == "decimal":
        precision, scale = digits
        given = FieldType(Kind.DECIMAL, min(max(precision, 1), 38), min(scale, 38))
    elif base == "float":
        given, read_as = FLOAT, exp.Mul(this=plain, expression=exp.Literal.number("1e0"))
    elif base == "bit":
        given = INTEGER if digits[0] < 64 else FieldType(Kind.DECIMAL, 20, 0)
        read_as = exp.Add(this=plain, expression=exp.Literal.number(0))
    elif base in _BINARIES:
        given = BINARY
    elif base in _GEOMETRIES:
        read_as = sql.call("ST_AsText", plain)
    else:
        given = _PLAIN.get(base, TEXT)
    return TableColumn(
        name,
        given,
        base,
        comment,
        is_sequence,
        can_filter,
        read_as=read_as,
        instant_form=INSTANT_FORM if given in {DATETIME, TIMESTAMP} else "",
    )
