"""PostgreSQL as a source: tables, partitioned tables, views, materialized and foreign tables.

Servers   12 and later.
Access    a role with USAGE on the schemas and SELECT on the tables; columns it may not read are left out.
Reading   one query per read in one repeatable-read, read-only transaction, as binary COPY into Arrow batches.
Filter    any timestamp, date or integer column that the connection names, both bounds included; records
          whose filter column is null come with full reads only. Sequences and `now()` are given out before
          the commit: `lag` (instants) and `lookback_values` (integers) cover transactions that long.
Resuming  whole reads go in the order of the key where the planner reads that order off an index cheaply.
Deletes   are not shown; full reads prove absence.
"""

import json
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, cast
from zoneinfo import ZoneInfo

import psycopg
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from sqlglot import Expr, exp

from propexo_connect.connection.duration import Duration, Size
from propexo_connect.connection.scalars import Zone
from propexo_connect.connectors import sql
from propexo_connect.connectors.ahead import read_ahead
from propexo_connect.connectors.base import Access, ColumnPage, Page, ReadContext, Source
from propexo_connect.connectors.postgres_catalog import ALIAS, Relation, TableColumn, filter_on, relations
from propexo_connect.connectors.postgres_name import parse_name, stream_name
from propexo_connect.connectors.postgres_session import Session, address, closest
from propexo_connect.connectors.postgres_values import repaired
from propexo_connect.model.clock import Clock
from propexo_connect.model.errors import ConfigurationError, ConnectError, PermissionRefused, UnknownName
from propexo_connect.model.field import Kind
from propexo_connect.model.stream import NO_TIME, Axis, Filter, Stream
from propexo_connect.model.tile import Bound, Request

ORDER_COST = 2.7
"""How much dearer the planner may find the order of the key than no order.

Measured with 2 and 3 million records, ordered against not: keys that follow the table's own order cost
1.5 to 2.6 times as much by the planner and 1.1 times by the clock; random UUIDs 3.7 and 7 times.
"""

_POSITION_BASES = frozenset({"int2", "int4", "int8", "uuid", "text", "varchar", "date"})
"""Types whose text, as it comes in a page, stands for exactly that value in a later query."""


class PostgresConfig(BaseModel):
    """A PostgreSQL database to read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: SecretStr | None = Field(
        default=None,
        description="postgresql://user:password@host:5432/database; single fields win over its parts.",
    )
    host: str | None = Field(default=None, description="Name or address of the server.")
    port: int | None = Field(default=None, ge=1, le=65535, description="Its port, 5432 by default.")
    database: str | None = Field(default=None, description="The database to read.")
    user: str | None = Field(default=None, description="The role; one that can only read is best.")
    password: SecretStr | None = Field(default=None, description="The role's password.")
    sslmode: Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] | None = Field(
        default=None,
        description="How the connection is encrypted; `verify-full` outside of your own network.",
    )
    schemas: tuple[str, ...] = Field(
        default=("public",), min_length=1, description="Schemas whose tables are offered by discovery."
    )
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
    statement_timeout: Duration = Field(
        default=timedelta(hours=6), description="The longest time that reading one table may take."
    )
    lock_timeout: Duration = Field(
        default=timedelta(minutes=1), description="How long to wait for a table that somebody has locked."
    )


class PostgresSource:
    """One database, open for reading; connections live as long as one question or read."""

    def __init__(self, config: PostgresConfig, clock: Clock) -> None:
        parts = {
            "host": config.host,
            "port": config.port,
            "dbname": config.database,
            "user": config.user,
            "password": config.password.get_secret_value() if config.password else None,
            "sslmode": config.sslmode,
        }
        url = config.url.get_secret_value() if config.url else None
        conninfo, place = address(url, parts)
        self._config = config
        self._clock = clock
        self._session = Session(conninfo, place, config.statement_timeout, config.lock_timeout)
        self._lock = threading.Lock()
        self._known: dict[tuple[str, ...], Relation] = {}

    def discover(self) -> Sequence[Stream]:
        with self._session.catalog() as connection:
            found = relations(connection, self._config.schemas)
        return [_offered(relation) for relation in found if relation.columns]

    def check(self, streams: Sequence[Stream]) -> Sequence[Access]:
        with self._session.catalog() as connection:
            return [Access(stream.name, self._problem(connection, stream)) for stream in streams]

    def _problem(self, connection: psycopg.Connection[tuple[Any, ...]], stream: Stream) -> str | None:
        try:
            with self._session.in_our_words(), connection.transaction():
                relation = self._described(connection, stream)
                self._fitted(stream, relation, is_resumable=False)
                connection.execute(_bytes(_select(relation.columns, relation).limit(0)))
        except ConnectError as error:
            return str(error)
        return None

    def prepare(self, stream: Stream) -> Stream:
        with self._session.catalog() as connection:
            relation = self._described(connection, stream)
            fitted = self._fitted(stream, relation, is_resumable=False)
            return replace(fitted, resumable=_is_cheap_in_order(connection, relation))

    def upper_bound(self, stream: Stream) -> int:
        if stream.filter is None:
            raise ConfigurationError("the stream has no filter", where=f"stream '{stream.name}'")
        with self._session.catalog() as connection:
            relation = self._described(connection, stream)
            highest = exp.Max(this=sql.column(stream.filter.field, ALIAS))
            found = connection.execute(_bytes(exp.select(highest).from_(_place(relation)))).fetchone()
        return int(found[0]) + 1 if found and found[0] is not None else 0

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
            query = _after(query, relation.key, position)
        for records in self._batches(sql.text_of(query), context):
            page = repaired(records, columns)
            reached = _position(page, relation.key) if in_order else None
            yield ColumnPage(page, self._clock.now(), position=reached)

    def _batches(self, query: str, context: ReadContext) -> Iterator[pa.Table]:
        """Answers of one query, read one batch ahead; the connection lives in the reading thread."""
        size = self._config.page_size or max(context.step_bytes // 4, 64 * 1024)
        running = _Running()

        def produce() -> Iterator[pa.Table]:
            with self._session.columns(size) as cursor, running.as_cursor(cursor):
                cursor.execute(query)
                context.meter.add(requests=1)
                for batch in cursor.fetch_record_batch():
                    context.meter.add(bytes_read=batch.nbytes)
                    if batch.num_rows:
                        yield pa.Table.from_batches([batch])

        yield from read_ahead(produce, context.stop, running.cancel)

    def _described(self, connection: psycopg.Connection[tuple[Any, ...]], stream: Stream) -> Relation:
        schema, name = _schema_and_name(stream)
        found = relations(connection, [schema], name)
        if not found:
            raise self._unknown(connection, stream, schema, name)
        if not found[0].columns:
            raise PermissionRefused(
                f"no column of {schema}.{name} may be read",
                where=f"stream '{stream.name}'",
                remedy="Grant the role SELECT on the table.",
            )
        with self._lock:
            self._known[stream.table] = found[0]
        return found[0]

    def _unknown(
        self, connection: psycopg.Connection[tuple[Any, ...]], stream: Stream, schema: str, name: str
    ) -> UnknownName:
        near = {relation.name for relation in relations(connection, [schema])}
        hint = closest(name, near) or f"The role sees no table in the schema '{schema}'."
        return UnknownName(f"there is no table {schema}.{name}", where=f"stream '{stream.name}'", remedy=hint)

    def _relation(self, stream: Stream) -> Relation:
        with self._lock:
            known = self._known.get(stream.table)
        if known is not None:
            return known
        with self._session.catalog() as connection:
            return self._described(connection, stream)

    def _fitted(self, stream: Stream, relation: Relation, *, is_resumable: bool) -> Stream:
        """The stream with what the catalog knows, and what the connection overrides."""
        declared = {field.name: field for field in stream.fields}
        fields = tuple(declared.pop(field.name, field) for field in relation.fields)
        for name in (*declared, *stream.key, *((stream.cursor,) if stream.cursor else ())):
            _known_column(stream, relation, name)
        given = stream.filter and self._fitted_filter(stream, stream.filter, relation)
        cursor = stream.cursor
        if cursor is None and given is not None and given.meaning == "updated":
            cursor = given.field
        return replace(
            stream,
            description=stream.description or relation.description,
            key=stream.key or relation.key,
            fields=fields,
            cursor=cursor,
            filter=given,
            resumable=is_resumable,
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
            lag=given.lag or (NO_TIME if is_integer else self._config.lag),
            lookback_values=given.lookback_values or (self._config.lookback_values if is_integer else 0),
        )

    def _zone(self, given: Filter, column: TableColumn) -> str:
        if column.type.kind is Kind.TIMESTAMP:
            return "UTC"
        return given.zone if given.zone != "UTC" else self._config.zone

    def _warn_of_open_transactions(self, stream: Stream, context: ReadContext) -> None:
        """Say so when a transaction has been writing for longer than the lag: its records may come late."""
        if stream.filter is None or stream.filter.axis is Axis.INTEGER:
            return
        with self._session.catalog() as connection:
            found = connection.execute(
                "SELECT extract(epoch FROM clock_timestamp() - min(xact_start)) "
                "FROM pg_catalog.pg_stat_activity "
                "WHERE backend_xid IS NOT NULL AND datname = current_database()"
            ).fetchone()
        open_s = float(found[0]) if found and found[0] is not None else 0.0
        lag_s = stream.filter.lag.total_seconds()
        if open_s > lag_s:
            context.log(
                f"stream '{stream.name}': a transaction has been writing for {open_s:.0f} s, longer than the "
                f"lag of {lag_s:.0f} s; its records may be missed until the next full read"
            )


class _Running:
    """The query that a reading thread is in, so that another thread can cancel it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cursor: Any = None

    @contextmanager
    def as_cursor(self, cursor: object) -> Generator[None]:
        with self._lock:
            self._cursor = cursor
        try:
            yield
        finally:
            with self._lock:
                self._cursor = None

    def cancel(self) -> None:
        """Make the server give the query up; harmless when there is none."""
        with self._lock:
            if self._cursor is not None:
                self._cursor.adbc_cancel()


def _offered(relation: Relation) -> Stream:
    words = [relation.description.rstrip(".")] if relation.description else []
    if relation.candidates:
        named = ", ".join(f"{given.field} ({given.meaning})" for given in relation.candidates)
        words.append(f"Possible filters: {named}")
    return Stream(
        stream_name(relation.schema, relation.name),
        ". ".join(words),
        key=relation.key,
        fields=relation.fields,
        table=(relation.schema, relation.name),
    )


def _schema_and_name(stream: Stream) -> tuple[str, str]:
    table = stream.table or parse_name(stream.name)
    if table is None or len(table) != 2:
        raise UnknownName(f"'{stream.name}' names no table", expected="schema.table, or a table of public")
    return table[0], table[1]


def _known_column(stream: Stream, relation: Relation, name: str) -> TableColumn:
    column = relation.column(name)
    if column is None:
        raise UnknownName(
            f"{relation.schema}.{relation.name} has no column '{name}' that the role may read",
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


def _place(relation: Relation) -> exp.Table:
    return sql.table(relation.schema, relation.name, ALIAS)


def _select(columns: Sequence[TableColumn], relation: Relation) -> exp.Select:
    return exp.select(*(column.selected for column in columns)).from_(_place(relation))


def _bytes(query: Expr) -> bytes:
    return sql.text_of(query).encode()


def _bounds(stream: Stream, relation: Relation, request: Request) -> list[exp.Condition]:
    """The request as conditions, both ends included."""
    if stream.filter is None:
        raise ConfigurationError("a stream without a filter is read whole", where=f"stream '{stream.name}'")
    kind = _known_column(stream, relation, stream.filter.field).type.kind
    column, zone = sql.column(stream.filter.field, ALIAS), stream.filter.zone
    conditions: list[exp.Condition] = []
    if request.start is not None:
        conditions.append(exp.GTE(this=column, expression=sql.literal(_written(request.start, kind, zone))))
    if request.end is not None:
        conditions.append(exp.LTE(this=column, expression=sql.literal(_written(request.end, kind, zone))))
    return conditions


def _written(bound: Bound, kind: Kind, zone: str) -> str:
    """A bound as the column's type takes it; local time for columns that know no zone."""
    if not isinstance(bound, datetime):
        return str(bound)
    if kind is Kind.TIMESTAMP:
        return bound.astimezone(UTC).isoformat()
    local = bound.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    return local.date().isoformat() if kind is Kind.DATE else local.isoformat()


def _after(query: exp.Select, key: Sequence[str], position: str | None) -> exp.Select:
    """The query in the order of the key, from behind the position on."""
    columns: list[Expr] = [sql.column(name, ALIAS) for name in key]
    if position is not None:
        values: list[Expr] = [sql.literal(value) for value in cast(list[str], json.loads(position))]
        query = query.where(
            exp.GT(this=exp.Tuple(expressions=columns), expression=exp.Tuple(expressions=values))
        )
    # Keys hold no nulls; saying nothing of them lets the index be used.
    return query.order_by(*columns)


def _position(page: pa.Table, key: Sequence[str]) -> str:
    last = page.slice(page.num_rows - 1)
    return json.dumps([str(last.column(name)[0].as_py()) for name in key])


def _is_cheap_in_order(connection: psycopg.Connection[tuple[Any, ...]], relation: Relation) -> bool:
    """Whether the planner reads the order of the key off an index at little more than the cost of a scan."""
    columns = [relation.column(name) for name in relation.key]
    if not columns or any(column is None or column.base not in _POSITION_BASES for column in columns):
        return False
    query = _select(relation.columns, relation)
    plain = _plan(connection, query)
    ordered = _plan(connection, _after(query, relation.key, None))
    return not _sorts(ordered) and ordered["Total Cost"] <= ORDER_COST * plain["Total Cost"]


def _plan(connection: psycopg.Connection[tuple[Any, ...]], query: exp.Select) -> dict[str, Any]:
    found = connection.execute(b"EXPLAIN (FORMAT JSON) " + _bytes(query)).fetchone()
    return found[0][0]["Plan"] if found else {"Total Cost": 0.0}


def _sorts(plan: dict[str, Any]) -> bool:
    return "Sort" in plan["Node Type"] or any(_sorts(part) for part in plan.get("Plans", ()))


@dataclass(frozen=True)
class PostgresConnector:
    """PostgreSQL as a kind of source."""

    name: str = "postgres"
    title: str = "PostgreSQL"
    category: str = "Databases and files"
    kind: str = "postgres"
    config: type[BaseModel] = PostgresConfig

    def streams(self, config: BaseModel) -> Sequence[Stream]:  # noqa: ARG002 - each database has its own
        return ()

    def stream(self, config: BaseModel, name: str) -> Stream | None:  # noqa: ARG002
        table = parse_name(name)
        return None if table is None else Stream(name, table=table)

    @contextmanager
    def open(self, config: BaseModel, clock: Clock) -> Generator[Source]:
        yield PostgresSource(cast(PostgresConfig, config), clock)


connector = PostgresConnector()
