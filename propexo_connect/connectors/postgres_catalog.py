"""What PostgreSQL's catalog tells of tables and views: columns, types, keys, and how to select each column.

Type             as              selected
int2 int4 int8   integer         as it is
numeric(p,s)     decimal(p,s)    as text: exact, and over twice as fast as the driver's own conversion
numeric          decimal(38,9)   as text; what does not fit goes on as text
money            decimal(38,2)   as numeric, as text: its own text follows the server's locale
float4 float8    float           as it is
bool             boolean         as it is
date             date            as it is; infinity and years past 9999 as text
timestamptz      timestamp       the same
timestamp        datetime        the same
time             time            as it is; 24:00 as text
bytea            binary          as it is
json jsonb       json            as text
arrays, composites, hstore       json, by to_jsonb
uuid, enum, inet, interval, xml, ranges, geometry and whatever else: text, by the server's own output
text varchar     text            as it is
char(n)          text            as it is: padded with blanks to n
"""

from collections.abc import Sequence
from typing import Any

import psycopg
from sqlglot import exp

from propexo_connect.connectors import sql
from propexo_connect.connectors.relation import Relation, TableColumn
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

_RELATIONS = """
SELECT c.oid, n.nspname, c.relname, coalesce(d.description, '')
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_description d
  ON d.objoid = c.oid AND d.classoid = 'pg_catalog.pg_class'::regclass AND d.objsubid = 0
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND n.nspname = ANY(%(schemas)s)
  AND CASE WHEN %(name)s::text IS NULL THEN NOT c.relispartition ELSE c.relname = %(name)s END
  AND has_schema_privilege(n.oid, 'USAGE')
ORDER BY n.nspname, c.relname
"""

_COLUMNS = """
SELECT a.attrelid, a.attname, b.typname, b.typtype, b.typcategory, b.typmod, coalesce(d.description, ''),
       a.attidentity <> '' OR coalesce(pg_get_expr(f.adbin, f.adrelid) LIKE 'nextval(%%', false)
FROM pg_catalog.pg_attribute a
CROSS JOIN LATERAL (
  WITH RECURSIVE chain AS (
    SELECT t.typname, t.typtype, t.typcategory, t.typbasetype, t.typtypmod, a.atttypmod AS typmod, 0 AS depth
    FROM pg_catalog.pg_type t WHERE t.oid = a.atttypid
    UNION ALL
    SELECT t.typname, t.typtype, t.typcategory, t.typbasetype, t.typtypmod,
           CASE WHEN chain.typmod = -1 THEN chain.typtypmod ELSE chain.typmod END, chain.depth + 1
    FROM chain JOIN pg_catalog.pg_type t ON t.oid = chain.typbasetype WHERE chain.typtype = 'd'
  )
  SELECT * FROM chain ORDER BY depth DESC LIMIT 1
) b
LEFT JOIN pg_catalog.pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum
LEFT JOIN pg_catalog.pg_description d
  ON d.objoid = a.attrelid AND d.classoid = 'pg_catalog.pg_class'::regclass AND d.objsubid = a.attnum
WHERE a.attrelid = ANY(%(relations)s) AND a.attnum > 0 AND NOT a.attisdropped
  AND has_column_privilege(a.attrelid, a.attnum, 'SELECT')
ORDER BY a.attrelid, a.attnum
"""

_KEYS = """
SELECT i.indrelid, array_agg(a.attname::text ORDER BY k.place)
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(number, place)
JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
WHERE i.indrelid = ANY(%(relations)s) AND i.indisunique AND i.indisvalid AND i.indimmediate
  AND i.indpred IS NULL AND i.indexprs IS NULL AND k.place <= i.indnkeyatts
GROUP BY i.indrelid, i.indexrelid, i.indisprimary, i.indnkeyatts, x.relname
HAVING bool_and(a.attnotnull)
ORDER BY i.indrelid, i.indisprimary DESC, i.indnkeyatts, x.relname
"""


def relations(
    connection: psycopg.Connection[tuple[Any, ...]], schemas: Sequence[str], name: str | None = None
) -> list[Relation]:
    """The relations of these schemas, or the one of this name, with the columns that the role may read."""
    found = connection.execute(_RELATIONS, {"schemas": list(schemas), "name": name}).fetchall()
    numbers = {"relations": [row[0] for row in found]}
    columns: dict[int, list[TableColumn]] = {}
    for number, *facts in connection.execute(_COLUMNS, numbers).fetchall():
        columns.setdefault(number, []).append(_column(*facts))
    keys: dict[int, tuple[str, ...]] = {}
    for number, key in connection.execute(_KEYS, numbers).fetchall():
        keys.setdefault(number, tuple(key))
    made: list[Relation] = []
    for number, schema, relation, description in found:
        readable = tuple(columns.get(number, ()))
        key = keys.get(number, ())
        if not {column.name for column in readable}.issuperset(key):
            key = ()
        made.append(Relation(schema, relation, description, readable, key))
    return made


_AS_IT_IS = {
    "int2": INTEGER,
    "int4": INTEGER,
    "int8": INTEGER,
    "float4": FLOAT,
    "float8": FLOAT,
    "bool": BOOLEAN,
    "date": DATE,
    "timestamptz": TIMESTAMP,
    "timestamp": DATETIME,
    "time": TIME,
    "bytea": BINARY,
    "text": TEXT,
    "varchar": TEXT,
    "bpchar": TEXT,
}


def _column(
    name: str, base: str, kind: str, category: str, typmod: int, description: str, is_sequence: bool
) -> TableColumn:
    if base in _AS_IT_IS:
        return TableColumn(name, _AS_IT_IS[base], base, description, is_sequence)
    plain = sql.column(name, sql.ALIAS)
    if base == "oid":
        read_as = exp.cast(plain, "bigint")
        return TableColumn(name, INTEGER, base, description, is_sequence, can_filter=False, read_as=read_as)
    if base == "numeric":
        as_text = exp.cast(plain, "text")
        return TableColumn(name, decimal_type(typmod), base, description, is_sequence, read_as=as_text)
    if base == "money":
        as_text = exp.cast(exp.cast(plain, "numeric"), "text")
        return TableColumn(name, FieldType(Kind.DECIMAL, 38, 2), base, description, read_as=as_text)
    if category == "A" or kind == "c" or base == "hstore":
        as_json = exp.cast(sql.call("to_jsonb", plain), "text")
        return TableColumn(name, JSON, base, description, read_as=as_json)
    given = JSON if base in {"json", "jsonb"} else TEXT
    return TableColumn(name, given, base, description, read_as=exp.cast(plain, "text"))


def decimal_type(typmod: int) -> FieldType:
    """The decimal type of a numeric's modifier; -1 is a numeric without precision.

    Scales below 0 and above the precision (PostgreSQL 15) become plain decimals that hold the same values;
    more than 38 digits are cut down to 38, and values that need more go on as text.
    """
    if typmod < 0:
        return DECIMAL
    precision = (typmod - 4) >> 16 & 0xFFFF
    scale = ((typmod - 4 & 0x7FF) ^ 1024) - 1024
    if scale < 0:
        precision, scale = precision - scale, 0
    return FieldType(Kind.DECIMAL, min(max(precision, scale), 38), min(scale, 38))
