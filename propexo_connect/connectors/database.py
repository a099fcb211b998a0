"""Tables of any database as streams: discovery, keys, windows, order and resuming, said once for all.

A kind of database brings its catalog, its SQL dialect and its columns (`Database`); what is asked of them is
here. Each read is one query, streamed in batches, so that it sees one moment and its memory stays flat.
"""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, cast
from zoneinfo import ZoneInfo

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field
from sqlglot import Expr, exp

from propexo_connect.connection.scalars import Zone
from propexo_connect.connectors import sql
from propexo_connect.connectors.ahead import read_ahead
from propexo_connect.connectors.base import Access, ColumnPage, Page, ReadContext
from propexo_connect.connectors.relation import Relation, TableColumn, filter_on
from propexo_connect.connectors.table_name import closest, parse_name, stream_name
from propexo_connect.model.clock import Clock
from propexo_connect.model.duration import Duration, Size
from propexo_connect.model.errors import ConfigurationError, ConnectError, PermissionRefused, UnknownName
from propexo_connect.model.field import Kind
from propexo_connect.model.stream import NO_TIME, Axis, Filter, Meaning, Stream
from propexo_connect.model.tile import Bound, Request


class TableSettings(BaseModel):
    """What every database takes to have its tables read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    zone: Zone = Field(
        default="UTC", description="The zone in which timestamps without a time zone are meant."
    )
    lag: Duration = Field(
        default=timedelta(seconds=30),
        description="How long a transaction may take from its timestamp to its commit.",
    )
    lookback_values: int = Field(
        default=10_000, ge=0, description="The same for integer filters: how many numbers are read again."
    )
    page_size: Size | None = Field(
        default=None, description="Size of the batches that are read; a quarter of a step by default."
    )


class Catalog(Protocol):
    """A connection for small questions; one moment from its first to its last, where the server can."""

    def relations(self, schemas: Sequence[str], name: str | None = None) -> Sequence[Relation]:
        """The relations of these schemas, or the one of this name, with the columns that may be read."""
        ...

    def row(self, query: exp.Select) -> tuple[Any, ...] | None:
        """The first row of an answer."""
        ...

    def apart(self) -> AbstractContextManager[None]:
        """A question whose failure does not spoil those that follow."""
        ...

    def is_cheap_in_order(self, relation: Relation) -> bool:
        """Whether the relation can be read in the order of its key at little more than the cost of a scan."""
        ...

    def writing_s(self) -> float:
        """How long the oldest open transaction has been writing; 0 where there is none or nobody tells."""
        ...


class Query(Protocol):
    """One query on its way."""

    def batches(self) -> Iterator[pa.Table]:
        """The answer; connects, and disconnects, in the thread that iterates.

        Raises:
            ConnectError: the server cannot be reached, refuses, or broke off.
        """
        ...

    def cancel(self) -> None:
        """Make a blocked `batches` return with an error; called from another thread, harmless at any time."""
        ...


class Database(Protocol):
    """One database, as its kind reaches it.

    Args:
        dialect: sqlglot's name of its SQL. schema: where tables lie whose name tells no schema.
        compares_rows: whether `(a, b) > (1, 2)` is understood, and found by an index.
    """

    @property
    def dialect(self) -> str: ...
    @property
    def schema(self) -> str: ...
    @property
    def schemas(self) -> Sequence[str]: ...
    @property
    def compares_rows(self) -> bool: ...

    def catalog(self) -> AbstractContextManager[Catalog]:
        """Connect for small questions.

        Raises:
            ConnectError: the server cannot be reached or refuses, or a question failed.
        """
        ...

    def query(self, text: str, columns: Sequence[TableColumn], batch_bytes: int) -> Query:
        """One query to be run, in batches of about this size."""
        ...


class TableSource:
    """One database, open for reading; connections live as long as one question or read."""

    def __init__(self, database: Database, settings: TableSettings, clock: Clock) -> None:
        self.database = database
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str], Relation] = {}

    def discover(self) -> Sequence[Stream]:
        with self.database.catalog() as catalog:
            found = catalog.relations(self.database.schemas)
        return [self._offered(relation) for relation in found if relation.columns]

    def _offered(self, relation: Relation) -> Stream:
        words = [relation.description.rstrip(".")] if relation.description else []
        if relation.candidates:
            named = ", ".join(f"{given.field} ({given.meaning})" for given in relation.candidates)
            words.append(f"Possible filters: {named}")
        return Stream(
            stream_name(relation.schema, relation.name, self.database.schema),
            ". ".join(words),
            key=relation.key,
            fields=relation.fields,
            table=(relation.schema, relation.name),
            selects_fields=True,
        )

    def check(self, streams: Sequence[Stream]) -> Sequence[Access]:
        with self.database.catalog() as catalog:
            return [Access(stream.name, self._problem(catalog, stream)) for stream in streams]

    def _problem(self, catalog: Catalog, stream: Stream) -> str | None:
        try:
            with catalog.apart():
                relation = self._described(catalog, stream)
                self._fitted(stream, relation, is_resumable=False)
                catalog.row(_select(relation.columns, relation).where(exp.false()))
        except ConnectError as error:
            return str(error)
        return None

    def prepare(self, stream: Stream) -> Stream:
        with self.database.catalog() as catalog:
            relation = self._described(catalog, stream)
            fitted = self._fitted(stream, relation, is_resumable=False)
            return replace(fitted, resumable=bool(relation.key) and catalog.is_cheap_in_order(relation))

    def upper_bound(self, stream: Stream) -> int:
        if stream.filter is None:
            raise ConfigurationError("the stream has no filter", where=f"stream '{stream.name}'")
        with self.database.catalog() as catalog:
            relation = self._described(catalog, stream)
            highest = exp.Max(this=_known_column(stream, relation, stream.filter.field).compared)
            found = catalog.row(exp.select(highest).from_(relation.place))
        highest_value = found[0] if found else None
        if isinstance(highest_value, str | bytes):
            raise ConfigurationError(
                f"the column '{stream.filter.field}' holds values that are no numbers",
                where=f"stream '{stream.name}'",
                remedy="Name another column as filter, or none to read the table whole each time.",
            )
        return 0 if highest_value is None else int(highest_value) + 1

    def read(
        self,
        stream: Stream,
        request: Request,
        fields: frozenset[str] | None,
        position: str | None,
        context: ReadContext,
    ) -> Iterator[Page]:
        relation = self._relation(stream)
        columns = _chosen(relation, stream, fields)
        in_order = request.is_whole and (stream.resumable or position is not None) and bool(relation.key)
        query = _select(columns, relation)
        if not request.is_whole:
            query = query.where(*_bounds(stream, relation, request))
            self._warn_of_open_transactions(stream, context)
        if in_order:
            query = after(query, relation, position, compares_rows=self.database.compares_rows)
        for records in self._batches(query, columns, context):
            reached = _position(records, relation.key) if in_order else None
            yield ColumnPage(records, self._clock.now(), position=reached)

    def _batches(
        self, query: exp.Select, columns: Sequence[TableColumn], context: ReadContext
    ) -> Iterator[pa.Table]:
        """Answers of one query, read one batch ahead; the connection lives in the reading thread."""
        size_bytes = self._settings.page_size or max(context.step_bytes // 4, 64 * 1024)
        running = self.database.query(sql.text_of(query, self.database.dialect), columns, size_bytes)

        def produce() -> Iterator[pa.Table]:
            context.meter.add(requests=1)
            for table in running.batches():
                context.meter.add(bytes_read=table.nbytes)
                if table.num_rows:
                    yield table

        yield from read_ahead(produce, context.stop, running.cancel)

    def _described(self, catalog: Catalog, stream: Stream) -> Relation:
        schema, name = self._schema_and_name(stream)
        found = catalog.relations([schema], name)
        if not found:
            near = {relation.name for relation in catalog.relations([schema])}
            place = f"the schema '{schema}'" if schema else "the database"
            raise UnknownName(
                f"there is no table {_shown(schema, name)}",
                where=f"stream '{stream.name}'",
                remedy=closest(name, near) or f"The role sees no table in {place}.",
            )
        if not found[0].columns:
            raise PermissionRefused(
                f"no column of {_shown(schema, name)} may be read",
                where=f"stream '{stream.name}'",
                remedy="Grant the role SELECT on the table.",
            )
        with self._lock:
            self._known[schema, name] = found[0]
        return found[0]

    def _schema_and_name(self, stream: Stream) -> tuple[str, str]:
        table = stream.table or parse_name(stream.name, self.database.schema)
        if table is None or len(table) != 2:
            expected = f"schema.table, or a table of {self.database.schema}"
            raise UnknownName(f"'{stream.name}' names no table", expected=expected)
        return table[0] or self.database.schema, table[1]

    def _relation(self, stream: Stream) -> Relation:
        with self._lock:
            known = self._known.get(self._schema_and_name(stream))
        if known is not None:
            return known
        with self.database.catalog() as catalog:
            return self._described(catalog, stream)

    def _fitted(self, stream: Stream, relation: Relation, *, is_resumable: bool) -> Stream:
        """The stream with what the catalog knows, and what the connection overrides."""
        declared = {field.name: field for field in stream.fields}
        fields = tuple(declared.pop(field.name, field) for field in relation.fields)
        for name in (*declared, *stream.key, *((stream.cursor,) if stream.cursor else ())):
            _known_column(stream, relation, name)
        given = stream.filter and self._fitted_filter(stream, stream.filter, relation)
        cursor = stream.cursor
        if cursor is None and given is not None and given.meaning is Meaning.UPDATED:
            cursor = given.field
        return replace(
            stream,
            description=stream.description or relation.description,
            key=stream.key or relation.key,
            fields=fields,
            cursor=cursor,
            filter=given,
            resumable=is_resumable,
            selects_fields=True,
        )

    def _fitted_filter(self, stream: Stream, given: Filter, relation: Relation) -> Filter:
        column = _known_column(stream, relation, given.field)
        able = filter_on(column, relation.key)
        if able is None:
            raise ConfigurationError(
                f"the column '{column.name}' is {column.base} and cannot be filtered in windows",
                where=f"stream '{stream.name}'",
                expected="a timestamp, date or integer column",
                remedy="Name another column as filter, or none to read the table whole each time.",
            )
        is_integer = able.axis is Axis.INTEGER
        return replace(
            given,
            axis=able.axis,
            meaning=able.meaning if is_integer and able.meaning != "updated" else given.meaning,
            resolution=able.resolution,
            zone=self._zone(given, column),
            lag=given.lag or (NO_TIME if is_integer else self._settings.lag),
            lookback_values=given.lookback_values or (self._settings.lookback_values if is_integer else 0),
        )

    def _zone(self, given: Filter, column: TableColumn) -> str:
        if column.type.kind is Kind.TIMESTAMP:
            return "UTC"
        return given.zone if given.zone != "UTC" else self._settings.zone

    def _warn_of_open_transactions(self, stream: Stream, context: ReadContext) -> None:
        """Say so when a transaction has been writing for longer than the lag: its records may come late."""
        if stream.filter is None or stream.filter.axis is Axis.INTEGER:
            return
        with self.database.catalog() as catalog:
            open_s = catalog.writing_s()
        lag_s = stream.filter.lag.total_seconds()
        if open_s > lag_s:
            context.log(
                f"stream '{stream.name}': a transaction has been writing for {open_s:.0f} s, longer than the "
                f"lag of {lag_s:.0f} s; its records may be missed until the next full read"
            )


def _shown(schema: str, name: str) -> str:
    return f"{schema}.{name}" if schema else name


def _known_column(stream: Stream, relation: Relation, name: str) -> TableColumn:
    column = relation.column(name)
    if column is None:
        raise UnknownName(
            f"{_shown(relation.schema, relation.name)} has no column '{name}' that the role may read",
            where=f"stream '{stream.name}'",
            remedy=closest(name, (column.name for column in relation.columns)),
        )
    return column


def _chosen(relation: Relation, stream: Stream, fields: frozenset[str] | None) -> tuple[TableColumn, ...]:
    """The columns to read, in the table's order; key and cursor always."""
    if fields is None:
        return relation.columns
    wanted = fields | set(stream.key) | set(relation.key) | ({stream.cursor} if stream.cursor else set())
    for name in sorted(wanted):
        _known_column(stream, relation, name)
    return tuple(column for column in relation.columns if column.name in wanted)


def _select(columns: Sequence[TableColumn], relation: Relation) -> exp.Select:
    return exp.select(*(column.selected for column in columns)).from_(relation.place)


def all_of(relation: Relation) -> exp.Select:
    """The query of a whole read."""
    return _select(relation.columns, relation)


def _bounds(stream: Stream, relation: Relation, request: Request) -> list[exp.Condition]:
    """The request as conditions, both ends included."""
    if stream.filter is None:
        raise ConfigurationError("a stream without a filter is read whole", where=f"stream '{stream.name}'")
    column, zone = _known_column(stream, relation, stream.filter.field), stream.filter.zone
    conditions: list[exp.Condition] = []
    if request.start is not None:
        conditions.append(exp.GTE(this=column.compared, expression=_written(request.start, column, zone)))
    if request.end is not None:
        conditions.append(exp.LTE(this=column.compared, expression=_written(request.end, column, zone)))
    return conditions


def _written(bound: Bound, column: TableColumn, zone: str) -> Expr:
    """A bound as the column's type takes it; local time for columns that know no zone."""
    if not isinstance(bound, datetime):
        return sql.number(str(bound))
    if column.type.kind is Kind.TIMESTAMP:
        return column.instant(bound.astimezone(UTC))
    local = bound.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    is_date = column.type.kind is Kind.DATE
    return sql.literal(local.date().isoformat()) if is_date else column.instant(local)


def after(query: exp.Select, relation: Relation, position: str | None, *, compares_rows: bool) -> exp.Select:
    """The query in the order of the key, from behind the position on."""
    columns: list[Expr] = [sql.column(name, sql.ALIAS) for name in relation.key]
    if position is not None:
        texts = cast(list[str], json.loads(position))
        values = [_value(relation.column(name), text) for name, text in zip(relation.key, texts, strict=True)]
        query = query.where(
            exp.GT(this=exp.Tuple(expressions=columns), expression=exp.Tuple(expressions=values))
            if compares_rows
            else _behind(columns, values)
        )
    # Keys hold no nulls; saying nothing of them lets the index be used.
    return query.order_by(*(column.copy() for column in columns))


def _value(column: TableColumn | None, text: str) -> Expr:
    is_number = column is not None and column.type.kind is Kind.INTEGER
    return sql.number(text) if is_number else sql.literal(text)


def _behind(columns: Sequence[Expr], values: Sequence[Expr]) -> exp.Condition:
    """`(a, b) > (1, 2)`, as `a >= 1 AND (a > 1 OR b > 2)`, whose first part finds its place in an index."""
    first, value = columns[0].copy(), values[0].copy()
    if len(columns) == 1:
        return exp.GT(this=first, expression=value)
    rest = _behind(columns[1:], values[1:])
    beyond = exp.GT(this=first.copy(), expression=value.copy())
    return exp.and_(exp.GTE(this=first, expression=value), exp.or_(beyond, rest))


def _position(page: pa.Table, key: Sequence[str]) -> str:
    last = page.slice(page.num_rows - 1)
    return json.dumps([str(last.column(name)[0].as_py()) for name in key])
