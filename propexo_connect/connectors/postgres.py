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

import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

import psycopg
import pyarrow as pa
from pydantic import Field, SecretStr
from sqlglot import exp

from propexo_connect.connectors import sql
from propexo_connect.connectors.database import TableSettings, TableSource, after, all_of
from propexo_connect.connectors.known_by_asking import DATABASES, AskingConnector, stream_of_table
from propexo_connect.connectors.postgres_catalog import relations
from propexo_connect.connectors.postgres_session import DIALECT, Session, address
from propexo_connect.connectors.postgres_values import repaired
from propexo_connect.connectors.relation import Relation, TableColumn
from propexo_connect.model.clock import Clock
from propexo_connect.model.duration import Duration

SCHEMA = "public"
"""Where tables lie whose name tells no schema."""

ORDER_COST = 2.7
"""How much dearer the planner may find the order of the key than no order.

Measured with 2 and 3 million records, ordered against not: keys that follow the table's own order cost
1.5 to 2.6 times as much by the planner and 1.1 times by the clock; random UUIDs 3.7 and 7 times.
"""

_POSITION_BASES = frozenset({"int2", "int4", "int8", "uuid", "text", "varchar", "date"})
"""Types whose text, as it comes in a page, stands for exactly that value in a later query."""


class PostgresConfig(TableSettings):
    """A PostgreSQL database to read."""

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
    statement_timeout: Duration = Field(
        default=timedelta(hours=6), description="The longest time that reading one table may take."
    )
    lock_timeout: Duration = Field(
        default=timedelta(minutes=1), description="How long to wait for a table that somebody has locked."
    )


@dataclass(frozen=True)
class PostgresDatabase:
    """One PostgreSQL database, as `TableSource` asks it."""

    session: Session
    schemas: tuple[str, ...] = (SCHEMA,)
    schema: str = SCHEMA
    dialect: str = DIALECT
    compares_rows: bool = True

    @contextmanager
    def catalog(self) -> Generator["PostgresCatalog"]:
        with self.session.catalog() as connection:
            yield PostgresCatalog(connection, self.session)

    def query(self, text: str, columns: Sequence[TableColumn], batch_bytes: int) -> "PostgresQuery":
        return PostgresQuery(self.session, text, columns, batch_bytes)


@dataclass(frozen=True)
class PostgresCatalog:
    """One connection for small questions."""

    connection: psycopg.Connection[tuple[Any, ...]]
    session: Session

    def relations(self, schemas: Sequence[str], name: str | None = None) -> Sequence[Relation]:
        return relations(self.connection, schemas, name)

    def row(self, query: exp.Select) -> tuple[Any, ...] | None:
        return self.connection.execute(_bytes(query)).fetchone()

    @contextmanager
    def apart(self) -> Generator[None]:
        with self.session.in_our_words(), self.connection.transaction():
            yield

    def is_cheap_in_order(self, relation: Relation) -> bool:
        """Whether the planner reads the key's order off an index at little more than the cost of a scan."""
        columns = [relation.column(name) for name in relation.key]
        if any(column is None or column.base not in _POSITION_BASES for column in columns):
            return False
        plain = self._plan(all_of(relation))
        ordered = self._plan(after(all_of(relation), relation, None, compares_rows=True))
        return not _sorts(ordered) and ordered["Total Cost"] <= ORDER_COST * plain["Total Cost"]

    def _plan(self, query: exp.Select) -> dict[str, Any]:
        found = self.connection.execute(b"EXPLAIN (FORMAT JSON) " + _bytes(query)).fetchone()
        return found[0][0]["Plan"] if found else {"Total Cost": 0.0}

    def writing_s(self) -> float:
        found = self.connection.execute(
            "SELECT extract(epoch FROM clock_timestamp() - min(xact_start)) "
            "FROM pg_catalog.pg_stat_activity "
            "WHERE backend_xid IS NOT NULL AND datname = current_database()"
        ).fetchone()
        return float(found[0]) if found and found[0] is not None else 0.0


class PostgresQuery:
    """One query as binary COPY into Arrow batches."""

    def __init__(self, session: Session, text: str, columns: Sequence[TableColumn], batch_bytes: int) -> None:
        self._session = session
        self._text = text
        self._columns = columns
        self._batch_bytes = batch_bytes
        self._lock = threading.Lock()
        self._cursor: Any = None

    def batches(self) -> Iterator[pa.Table]:
        with self._session.columns(self._batch_bytes) as cursor, self._as_cursor(cursor):
            cursor.execute(self._text)
            for batch in cursor.fetch_record_batch():
                yield repaired(pa.Table.from_batches([batch]), self._columns)

    @contextmanager
    def _as_cursor(self, cursor: object) -> Generator[None]:
        with self._lock:
            self._cursor = cursor
        try:
            yield
        finally:
            with self._lock:
                self._cursor = None

    def cancel(self) -> None:
        with self._lock:
            if self._cursor is not None:
                self._cursor.adbc_cancel()


def _bytes(query: exp.Select) -> bytes:
    return sql.text_of(query, DIALECT).encode()


def _sorts(plan: dict[str, Any]) -> bool:
    return "Sort" in plan["Node Type"] or any(_sorts(part) for part in plan.get("Plans", ()))


def opened(config: PostgresConfig, clock: Clock) -> TableSource:
    """The database of a configuration; connects with the first question."""
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
    session = Session(conninfo, place, config.statement_timeout, config.lock_timeout)
    return TableSource(PostgresDatabase(session, config.schemas), config, clock)


connector = AskingConnector(
    "postgres", "PostgreSQL", DATABASES, PostgresConfig, stream_of_table(SCHEMA), opened
)
