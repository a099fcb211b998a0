"""What SQL Server's catalog tells of tables and views, and how each column is selected.

Type                             as              selected
bigint int smallint tinyint      integer         as it is
bit                              boolean         as it is
decimal(p,s) numeric(p,s)        decimal(p,s)    as text
money smallmoney                 decimal(19,4)   as text, with all four places
float real                       float           as it is
date                             date            as text, ISO 8601
datetime2 datetime smalldatetime datetime        as text, ISO 8601; a seventh digit of the second is a misfit
datetimeoffset                   timestamp       as text, ISO 8601 with its offset
time                             time            as text
rowversion                       integer         as a number
binary varbinary image           binary          as it is
geometry geography               binary          as the server stores them
hierarchyid uniqueidentifier xml sql_variant     text, by the server's own output
char nchar varchar nvarchar text and whatever else: text
"""

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
    TEXT,
    TIME,
    TIMESTAMP,
    FieldType,
    Kind,
)

DIALECT = "tsql"

_INTEGERS = frozenset({"bigint", "int", "smallint", "tinyint"})
_PLAIN = {
    **dict.fromkeys(_INTEGERS, INTEGER),
    **dict.fromkeys(("float", "real"), FLOAT),
    **dict.fromkeys(("binary", "varbinary", "image"), BINARY),
    "bit": BOOLEAN,
}
_AS_TEXT = {
    # The type, the length of its text, and the style in which CONVERT writes it.
    "date": (DATE, 10, 23),
    "datetime": (DATETIME, 30, 126),
    "datetime2": (DATETIME, 30, 126),
    "smalldatetime": (DATETIME, 30, 126),
    "datetimeoffset": (TIMESTAMP, 40, 127),
    "time": (TIME, 20, 121),
    "money": (FieldType(Kind.DECIMAL, 19, 4), 50, 2),
    "smallmoney": (FieldType(Kind.DECIMAL, 10, 4), 50, 2),
}
_LOCAL = frozenset({"datetime", "datetime2", "smalldatetime"})


class Ask(Protocol):
    """Rows of an answer."""

    def __call__(self, query: str, values: Sequence[object] = ()) -> Sequence[tuple[Any, ...]]: ...


RELATIONS = """
SELECT o.object_id, s.name, o.name, CAST(p.value AS nvarchar(4000))
FROM sys.objects o
JOIN sys.schemas s ON s.schema_id = o.schema_id
LEFT JOIN sys.extended_properties p
  ON p.class = 1 AND p.major_id = o.object_id AND p.minor_id = 0 AND p.name = N'MS_Description'
WHERE o.type IN ('U', 'V') AND o.is_ms_shipped = 0 AND s.name IN %s AND (%s IS NULL OR o.name = %s)
ORDER BY s.name, o.name
"""

COLUMNS = """
SELECT c.object_id, c.name,
       TYPE_NAME(CASE WHEN c.system_type_id = 240 THEN c.user_type_id ELSE c.system_type_id END),
       c.precision, c.scale, c.is_identity, CAST(p.value AS nvarchar(4000)),
       HAS_PERMS_BY_NAME(QUOTENAME(s.name) + '.' + QUOTENAME(o.name), 'OBJECT', 'SELECT', c.name, 'COLUMN')
FROM sys.columns c
JOIN sys.objects o ON o.object_id = c.object_id
JOIN sys.schemas s ON s.schema_id = o.schema_id
LEFT JOIN sys.extended_properties p
  ON p.class = 1 AND p.major_id = c.object_id AND p.minor_id = c.column_id AND p.name = N'MS_Description'
WHERE o.type IN ('U', 'V') AND o.is_ms_shipped = 0 AND s.name IN %s AND (%s IS NULL OR o.name = %s)
ORDER BY c.object_id, c.column_id
"""

KEYS = """
SELECT i.object_id, i.index_id, i.is_primary_key, i.type, c.name, c.is_nullable
FROM sys.indexes i
JOIN sys.objects o ON o.object_id = i.object_id
JOIN sys.schemas s ON s.schema_id = o.schema_id
JOIN sys.index_columns k ON k.object_id = i.object_id AND k.index_id = i.index_id
JOIN sys.columns c ON c.object_id = k.object_id AND c.column_id = k.column_id
WHERE i.is_unique = 1 AND i.has_filter = 0 AND i.is_disabled = 0 AND k.is_included_column = 0
  AND o.is_ms_shipped = 0 AND s.name IN %s AND (%s IS NULL OR o.name = %s)
ORDER BY i.object_id, i.index_id, k.key_ordinal
"""

_CLUSTERED = 1


def relations(ask: Ask, schemas: Sequence[str], name: str | None) -> list[Relation]:
    """The relations of these schemas, or the one of this name, with the columns that may be read."""
    values = (tuple(schemas), name, name)
    columns: dict[int, list[TableColumn]] = {}
    for number, column, base, precision, scale, is_identity, description, may_read in ask(COLUMNS, values):
        if may_read:
            made = column_of(
                column, str(base).lower(), (precision, scale), description or "", bool(is_identity)
            )
            columns.setdefault(number, []).append(made)
    keys = _keys(ask(KEYS, values))
    made_relations: list[Relation] = []
    for number, schema, table, description in ask(RELATIONS, values):
        readable = tuple(columns.get(number, ()))
        is_clustered, key = keys.get(number, (False, ()))
        if not {column.name for column in readable}.issuperset(key):
            is_clustered, key = False, ()
        is_whole = all(column.base in _INTEGERS for column in readable if column.name in key)
        made_relations.append(
            Relation(schema, table, description or "", readable, key, is_clustered=is_clustered and is_whole)
        )
    return made_relations


def _keys(parts: Sequence[tuple[Any, ...]]) -> dict[int, tuple[bool, tuple[str, ...]]]:
    """Of each table whether the key is its clustered index, and its columns."""
    indexes: dict[tuple[int, int], list[tuple[Any, ...]]] = {}
    for number, index, *part in parts:
        indexes.setdefault((number, index), []).append(tuple(part))
    usable: dict[int, list[tuple[bool, int, int, bool, tuple[str, ...]]]] = {}
    for (number, index), columns in indexes.items():
        if not any(is_nullable for _, _, _, is_nullable in columns):
            is_primary, kind = columns[0][0], columns[0][1]
            names = tuple(name for _, _, name, _ in columns)
            rank = (not is_primary, len(names), index, kind == _CLUSTERED, names)
            usable.setdefault(number, []).append(rank)
    return {number: min(found)[3:] for number, found in usable.items()}


def column_of(
    name: str, base: str, digits: tuple[int, int], description: str = "", is_identity: bool = False
) -> TableColumn:
    """A column by its type; `digits` are precision and scale."""
    plain: Expr = sql.column(name, sql.ALIAS)
    if base in _PLAIN:
        return TableColumn(name, _PLAIN[base], base, description, is_identity)
    if base in {"decimal", "numeric"}:
        given = FieldType(Kind.DECIMAL, min(digits[0], 38), min(digits[1], 38))
        return TableColumn(name, given, base, description, is_identity, read_as=_text(plain, 50))
    if base in _AS_TEXT:
        given, length, style = _AS_TEXT[base]
        bound = "datetimeoffset" if base == "datetimeoffset" else "datetime2" if base in _LOCAL else ""
        return TableColumn(
            name,
            given,
            base,
            description,
            read_as=_text(plain, length, style),
            bound_type=exp.DataType.build(bound, dialect=DIALECT) if bound else None,
        )
    if base in {"timestamp", "rowversion"}:
        number = exp.cast(plain, "bigint")
        return TableColumn(name, INTEGER, "rowversion", description, read_as=number, compared_as=number)
    if base in {"geometry", "geography"}:
        known = sql.call("CONVERT", exp.Var(this="varbinary(max)"), plain)
        return TableColumn(name, BINARY, base, description, read_as=known)
    if base in {"uniqueidentifier", "xml", "sql_variant", "hierarchyid"}:
        length = "4000" if base in {"sql_variant", "hierarchyid"} else "max"
        text = sql.call("CONVERT", exp.Var(this=f"nvarchar({length})"), plain)
        return TableColumn(name, TEXT, base, description, read_as=text)
    return TableColumn(name, TEXT, base, description)


def _text(plain: Expr, length: int, style: int | None = None) -> Expr:
    styles = [] if style is None else [exp.Literal.number(style)]
    return sql.call("CONVERT", exp.Var(this=f"varchar({length})"), plain, *styles)
