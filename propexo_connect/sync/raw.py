"""Records as the source wrote them, in one temporary table, and how to get at their fields."""

import json
from collections.abc import Sequence
from functools import cache
from typing import Protocol

import duckdb
import pyarrow as pa
from sqlglot import exp

from propexo_connect.model.errors import VendorFault
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
from propexo_connect.model.stream import Stream
from propexo_connect.sync.casts import candidates, from_text, guarded
from propexo_connect.sync.exact import ESCAPED, NUMBER
from propexo_connect.sync.spool import Spool


@cache
def literal(text: str) -> str:
    """A text as a SQL literal of DuckDB."""
    return exp.Literal.string(text).sql(dialect="duckdb")


def count_of(connection: duckdb.DuckDBPyConnection, sql: str) -> int:
    """The one number that a query yields."""
    # DuckDB holds the connection until every row is fetched, so a fetchone would block what follows.
    return int(connection.execute(sql).fetchall()[0][0])


def register_bodies(connection: duckdb.DuckDBPyConnection, spools: Sequence[Spool]) -> None:
    """Make the JSON pages of some spools readable as the relation `bodies`."""
    connection.register("bodies", pa.concat_tables([spool.bodies() for spool in spools]))


def records_of(shape: object) -> str:
    """SQL of a relation with `p` (the page) and `r` (a record of that shape), in the order of reading.

    Args:
        shape: as DuckDB's `from_json` takes it: `"JSON"`, or an object of members and their types.
    """
    listed = literal(json.dumps([shape], ensure_ascii=False))
    return f"SELECT p, unnest(from_json(body, {listed})) AS r FROM bodies"


class Raw(Protocol):
    """The temporary table `raw`, whatever the records came as; `rowid` is the order of reading."""

    def names(self) -> Sequence[str]:
        """The top-level fields that occur, in the order of their first appearance."""
        ...

    def candidates(self, fields: Sequence[str]) -> dict[str, tuple[FieldType, ...]]:
        """Types worth trying for fields that nobody declared; without those whose values are all null."""
        ...

    def source(self, fields: Sequence[tuple[str, FieldType]]) -> str:
        """SQL of a relation with `o` (order), `p` (page) and for each field its text `x<i>`."""
        ...

    def typed(self, number: int, field: str, given: FieldType) -> str:
        """The SQL expression over `source` of one field's typed value."""
        ...

    def plain(self, x: str) -> str:
        """The SQL expression of a text without the marks that exact.py may have set."""
        ...

    def record(self) -> str:
        """The SQL expression over `raw` of a whole record as JSON text."""
        ...

    def value(self, field: str) -> str:
        """The SQL expression over `raw` of one top-level field as JSON, null where it is absent."""
        ...


class JsonRaw:
    """Records as JSON text, a column `rec` of `raw`."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, spools: Sequence[Spool], stream: Stream, where: str
    ) -> None:
        self._connection = connection
        self._spools = spools
        self._nested = nested_fields(stream)
        register_bodies(connection, spools)
        try:
            self._load()
        except (duckdb.Error, UnicodeDecodeError):
            # The fast reader refuses what exact.py can carry: lone surrogates, broken UTF-8.
            for spool in spools:
                spool.rewrite_all()
            register_bodies(connection, spools)
            try:
                self._load()
            except (duckdb.Error, UnicodeDecodeError) as error:
                raise VendorFault(
                    f"a page cannot be read as JSON records ({_first_line(error)})",
                    where=where,
                    expected="a list of records",
                ) from None
        self._has_rewritten = any(spool.has_rewritten for spool in spools)

    def _load(self) -> None:
        unwrap = self._spools[0].unwrap
        record = "r" if unwrap is None else f"json_extract(r, {literal(pointer(unwrap))})"
        self._connection.execute(
            f"CREATE OR REPLACE TEMP TABLE raw AS SELECT p, {record} AS rec FROM ({records_of('JSON')})"
        )

    def names(self) -> Sequence[str]:
        rows = self._connection.execute("SELECT DISTINCT json_keys(rec) FROM raw").fetchall()
        return list(dict.fromkeys(name for (names,) in rows for name in names or ()))

    def candidates(self, fields: Sequence[str]) -> dict[str, tuple[FieldType, ...]]:
        paths = ", ".join(literal(self._path(field)) for field in fields)
        kinds = f"json_type(rec, [{paths}])"
        if self._has_rewritten:
            marked = f"json_extract_string(rec, [{paths}])"
            kinds = (
                f"list_transform(list_zip({kinds}, {marked}), lambda e: "
                f"CASE WHEN starts_with(e[2], {literal(NUMBER)}) THEN 'DOUBLE' ELSE e[1] END)"
            )
        combinations = self._connection.execute(f"SELECT DISTINCT {kinds} FROM raw").fetchall()
        seen = zip(*(kinds for (kinds,) in combinations), strict=True)
        return {
            field: candidates(found)
            for field, kinds in zip(fields, seen, strict=True)
            if (found := set(kinds) - {None, "NULL"})
        }

    def source(self, fields: Sequence[tuple[str, FieldType]]) -> str:
        texts = [self._path(field) for field, given in fields if given.kind is not Kind.JSON]
        nested = [self._path(field) for field, given in fields if given.kind is Kind.JSON]
        lists = [
            f"{function}(rec, [{', '.join(map(literal, paths))}]) AS {name}"
            for function, paths, name in (("json_extract_string", texts, "s"), ("json_extract", nested, "j"))
            if paths
        ]
        columns: list[str] = []
        at = {"s": 0, "j": 0}
        for number, (_, given) in enumerate(fields):
            name = "j" if given.kind is Kind.JSON else "s"
            at[name] += 1
            cell = f"{name}[{at[name]}]"
            if name == "j":
                cell = f"nullif({cell}::VARCHAR, 'null')"
            columns.append(f"{cell} AS x{number}")
        inner = ", ".join(["rowid AS o", "p", *lists])
        return f"SELECT {', '.join(['o', 'p', *columns])} FROM (SELECT {inner} FROM raw)"

    def typed(self, number: int, field: str, given: FieldType) -> str:  # noqa: ARG002 (JSON has one way for all)
        x = f"x{number}"
        if given.kind is Kind.JSON:
            return x
        return from_text(self.plain(x), given)

    def plain(self, x: str) -> str:
        if not self._has_rewritten:
            return x
        number, escaped = literal(NUMBER), literal(ESCAPED)
        return (
            f"CASE WHEN starts_with({x}, {number}) THEN {x}[{len(NUMBER) + 1}:] "
            f"WHEN starts_with({x}, {escaped}) THEN {x}[{len(ESCAPED) + 1}:] ELSE {x} END"
        )

    def record(self) -> str:
        return "rec::VARCHAR"

    def value(self, field: str) -> str:
        return f"json_extract(rec, {literal(pointer(field))})"

    def _path(self, field: str) -> str:
        parts = field.split(".") if field in self._nested else [field]
        return "".join(map(pointer, parts))


def pointer(name: str) -> str:
    """The step of a JSON pointer that leads to a member."""
    return "/" + name.replace("~", "~0").replace("/", "~1")


def nested_fields(stream: Stream) -> frozenset[str]:
    """The declared fields whose names lead into a record: `account.id`."""
    return frozenset(field.name for field in stream.fields if "." in field.name)


def _first_line(error: Exception) -> str:
    return str(error).split("\n", maxsplit=1)[0][:120]


class ColumnRaw:
    """Records in columns: `raw` holds each under `c<i>`, in the types that they came in."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, spools: Sequence[Spool]) -> None:
        self._connection = connection
        self._is_text = spools[0].is_text
        table = united(spools)
        self._types = dict(zip(table.column_names[1:], table.schema.types[1:], strict=True))
        self._cells = {name: f"c{number}" for number, name in enumerate(self._types)}
        safe = table.rename_columns(["p", *self._cells.values()])
        connection.register("arrived", safe)
        try:
            connection.execute("CREATE OR REPLACE TEMP TABLE raw AS SELECT * FROM arrived")
        finally:
            connection.unregister("arrived")

    def names(self) -> Sequence[str]:
        return list(self._cells)

    def candidates(self, fields: Sequence[str]) -> dict[str, tuple[FieldType, ...]]:
        natural = {field: None if self._is_text else natural_type(self._types[field]) for field in fields}
        filled = ", ".join(f"count({self._cells[field]})" for field in fields)
        counts = self._connection.execute(f"SELECT {filled} FROM raw").fetchall()[0]
        return {
            field: (given,) if given is not None else candidates(None)
            for (field, given), count in zip(natural.items(), counts, strict=True)
            if given is not None or count
        }

    def source(self, fields: Sequence[tuple[str, FieldType]]) -> str:
        cells = [f"{self._text(field, given)} AS x{number}" for number, (field, given) in enumerate(fields)]
        native = [
            f"{self._cells[field]} AS n{number}"
            for number, (field, _) in enumerate(fields)
            if field in self._cells
        ]
        return f"SELECT {', '.join(['rowid AS o', 'p', *cells, *native])} FROM raw"

    def _text(self, field: str, given: FieldType) -> str:
        cell = self._cells.get(field)
        if cell is None:
            return "NULL::VARCHAR"
        if given.kind is Kind.JSON and not pa.types.is_string(self._types[field]):
            return f"to_json({cell})::VARCHAR"
        return f"CAST({cell} AS VARCHAR)"

    def typed(self, number: int, field: str, given: FieldType) -> str:
        if field not in self._cells:
            return from_text(f"x{number}", given)
        arrived = self._types[field]
        natural = None if self._is_text else natural_type(arrived)
        if natural is not None and natural.kind is given.kind:
            if given.kind is Kind.JSON:
                return f"x{number}"
            if given.kind is Kind.DECIMAL and natural != given:
                return from_text(f"x{number}", given)
            return guarded(_micros(f"n{number}", arrived), given)
        if given.kind is Kind.JSON:
            return f"CASE WHEN json_valid(x{number}) THEN x{number} ELSE to_json(x{number})::VARCHAR END"
        return from_text(f"x{number}", given)

    def plain(self, x: str) -> str:
        return x

    def record(self) -> str:
        pairs = ", ".join(f"{literal(name)}, {cell}" for name, cell in self._cells.items())
        return f"json_object({pairs})::VARCHAR"

    def value(self, field: str) -> str:
        return f"to_json({self._cells[field]})"


def _micros(cell: str, arrived: pa.DataType) -> str:
    """Nanoseconds that are whole microseconds; others do not fit."""
    if not (pa.types.is_timestamp(arrived) and arrived.unit == "ns"):
        return cell
    kind = "TIMESTAMPTZ" if arrived.tz else "TIMESTAMP"
    return f"CASE WHEN epoch_ns({cell}) % 1000 = 0 THEN {cell}::{kind} END"


def natural_type(arrived: pa.DataType) -> FieldType | None:
    """The field type of an Arrow type, None where its text has to be looked at."""
    kinds = pa.types
    if kinds.is_boolean(arrived):
        return BOOLEAN
    if kinds.is_integer(arrived):
        return INTEGER if not kinds.is_uint64(arrived) else None
    if kinds.is_floating(arrived):
        return FLOAT
    if kinds.is_decimal(arrived):
        return (
            FieldType(Kind.DECIMAL, arrived.precision, arrived.scale)
            if arrived.precision <= 38 and arrived.scale >= 0
            else None
        )
    if kinds.is_timestamp(arrived):
        return TIMESTAMP if arrived.tz else DATETIME
    if kinds.is_date(arrived):
        return DATE
    if kinds.is_time(arrived):
        return TIME
    if kinds.is_binary(arrived) or kinds.is_large_binary(arrived) or kinds.is_fixed_size_binary(arrived):
        return BINARY
    if kinds.is_nested(arrived):
        return JSON
    if kinds.is_dictionary(arrived):
        return natural_type(arrived.value_type)
    return TEXT


def united(spools: Sequence[Spool]) -> pa.Table:
    """One table of all pages, with the page number as first column; what differs in type becomes text."""
    numbered = [
        table.add_column(0, "p", pa.repeat(pa.scalar(number, pa.int32()), table.num_rows))
        for spool in spools
        for number, table in enumerate(spool.tables, spool.first_page)
    ]
    try:
        return pa.concat_tables(numbered, promote_options="default")
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        kinds: dict[str, set[pa.DataType]] = {}
        for table in numbered:
            for column in table.schema:
                kinds.setdefault(column.name, set()).add(column.type)
        mixed = {name for name, seen in kinds.items() if len(seen) > 1}
        return pa.concat_tables([_as_text(table, mixed) for table in numbered], promote_options="default")


def _as_text(table: pa.Table, names: set[str]) -> pa.Table:
    schema = pa.schema(
        [column.with_type(pa.string()) if column.name in names else column for column in table.schema]
    )
    return table.cast(schema)
