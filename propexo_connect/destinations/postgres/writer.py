"""PostgreSQL as a destination: sessions, commits, and tables for assets."""

import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
from psycopg import conninfo

from propexo_connect.absence.reads import Known
from propexo_connect.destinations import failpoints, known, outbox, purge, recall, retention
from propexo_connect.destinations.base import Session, Step, TableFacts
from propexo_connect.destinations.commit import store
from propexo_connect.destinations.dialect import Dialect, Row
from propexo_connect.destinations.hash_key import HashKey
from propexo_connect.destinations.identifiers import listed, qualified, quote
from propexo_connect.destinations.postgres import PostgresConfig, asset
from propexo_connect.destinations.postgres.copy import copy_in
from propexo_connect.destinations.postgres.faults import fault
from propexo_connect.destinations.postgres.sql import DIALECT
from propexo_connect.destinations.postgres.types import staged_types
from propexo_connect.destinations.schema import make_schema, prepare, refuse_streams_table, stored_version
from propexo_connect.destinations.standing import Standing
from propexo_connect.destinations.state import VERSION
from propexo_connect.destinations.versions import stored_record, stored_versions
from propexo_connect.destinations.views import summarise
from propexo_connect.model.absence import AbsenceFacts
from propexo_connect.model.errors import ConfigurationError
from propexo_connect.model.event import Notice
from propexo_connect.model.layout import Layout
from propexo_connect.model.ledger import Window
from propexo_connect.model.purge import Finding, Purge, PurgeRequest
from propexo_connect.model.stream import StreamPlan, Table
from propexo_connect.model.version import PastRecord, Version

Connection = psycopg.Connection[tuple[Any, ...]]

_SETUP_LOCK = 7_163_370_991
"""The advisory lock under which `_propexo` is made: two syncs may come first at once."""

_ANALYZE_FROM = 5_000
"""Rows from which on the planner must know a scratch table's size."""

_COPY_TIMEOUT = "5min"
"""The longest time that one step may take on its way to the server."""

_ADDRESS_COST = 0.5
"""What reading a page in the order of addresses costs the planner, a page of a whole scan being 1."""

_SETTINGS = {
    "search_path": "pg_catalog, pg_temp",
    "TimeZone": "UTC",
    "DateStyle": "ISO",
    "IntervalStyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "standard_conforming_strings": "on",
    "default_transaction_isolation": "read committed",
    # A worker that was frozen in the middle of a commit must not hold its locks for ever.
    "idle_in_transaction_session_timeout": "120s",
    # The stage of a step lies here; on disk from there on.
    "temp_buffers": "64MB",
    "work_mem": "64MB",
    # Compiling the wide statements of a merge takes longer than running them.
    "jit": "off",
    # Most of what a merge looks up is in memory or on a disk that does not turn.
    "random_page_cost": "1.1",
}


class Postgres:
    """A PostgreSQL database as a destination."""

    kind = "postgres"

    def __init__(self, config: PostgresConfig) -> None:
        self.config = config
        self._target = _target(config)
        parts = self._target
        self._place = f"{parts.get('host', 'localhost')}:{parts.get('port', 5432)}/{parts.get('dbname', '')}"

    @property
    def address(self) -> str:
        return f"postgresql://{self._place}"

    @property
    def files(self) -> tuple[Path, ...]:
        return ()

    def check(self) -> None:
        with self._errors(), closing(self._connect()) as connection:
            link = PostgresLink(connection)
            prepare(link)
            link.run('create table "_propexo"."#check" (one bigint)')
            connection.rollback()

    @contextmanager
    def open(self) -> Generator[Session]:
        with self._errors(), closing(self._connect()) as connection:
            link = PostgresLink(connection)
            if stored_version(link) != VERSION:
                link.rows("select 1 from pg_catalog.pg_advisory_xact_lock($1)", (_SETUP_LOCK,))
                prepare(link)
            connection.commit()
        session = PostgresSession(self._connect, self._errors)
        try:
            yield session
        finally:
            session.close()

    def rewrite(self) -> str:
        raise ConfigurationError(
            "a PostgreSQL database is not rewritten from here",
            where=self.address,
            remedy="Deleted rows leave the files with `vacuum (full)` of their tables, the write-ahead log "
            "and its archive by their retention, and backups and replicas by theirs.",
        )

    def read_table(self, schema: str, table: str, columns: list[str] | None) -> pa.RecordBatchReader:
        with self._errors(), closing(self._connect()) as connection:
            query, types = asset.query(PostgresLink(connection), Table(schema, table), columns)
        return asset.read(conninfo.make_conninfo(**self._target), query, types, self.address)

    def write_table(self, schema: str, table: str, records: pa.RecordBatchReader) -> int:
        target = Table(schema, table)
        with self._errors(), closing(self._connect()) as connection:
            link = PostgresLink(connection)
            prepare(link)
            refuse_streams_table(link, target)
            make_schema(link, schema)
            written = asset.replace(link, target, records)
            connection.commit()
            return written

    def _connect(self) -> Connection:
        """A new connection, set up so that nothing depends on the role's or the server's settings."""
        with self._errors():
            connection: Connection = psycopg.connect(
                **self._target, cursor_factory=psycopg.RawCursor, autocommit=True
            )
            settings = {
                **_SETTINGS,
                "statement_timeout": f"{int(self.config.statement_timeout.total_seconds() * 1000)}ms",
                "lock_timeout": f"{int(self.config.lock_timeout.total_seconds() * 1000)}ms",
            }
            calls = ", ".join(
                f"pg_catalog.set_config(${2 * place + 1}, ${2 * place + 2}, false)"
                for place in range(len(settings))
            )
            connection.execute(
                f"select {calls}".encode(), [text for pair in settings.items() for text in pair]
            )
            connection.autocommit = False
            return connection

    @contextmanager
    def _errors(self, plan: StreamPlan | None = None) -> Generator[None]:
        try:
            yield
        except psycopg.Error as error:
            raise fault(error, self.address).at(plan.where if plan else "") from error


class PostgresSession:
    """One sync's connections: each thread has its own, made when it first asks."""

    def __init__(
        self,
        connect: Callable[[], Connection],
        errors: Callable[[StreamPlan | None], AbstractContextManager[None]],
    ) -> None:
        self._connect = connect
        self._errors = errors
        self._own = threading.local()
        self._opening = threading.Lock()
        self._connections: list[Connection] = []

    def take_fences(self, plans: Sequence[StreamPlan], lane: str) -> dict[str, int]:
        with self._transaction(plans[0]) as link:
            numbers = recall.next_fences(link, plans, lane)
            link.connection.commit()
            return numbers

    def standings(self, plans: Sequence[StreamPlan], lane: str) -> dict[str, Standing]:
        with self._transaction(plans[0]) as link:
            return recall.standings(link, plans, lane)

    def commit(self, step: Step, finished_at: Callable[[], datetime]) -> Window:
        failpoint = failpoints.armed()
        with self._transaction(step.plan) as link:
            failpoint("transaction begun")
            window = store(link, step, finished_at, failpoint)
            link.connection.commit()
            failpoint("committed")
            return window

    def prune_history(self, plan: StreamPlan, before: datetime) -> int:
        with self._transaction(plan) as link:
            pruned = retention.prune(link, plan, before)
            link.connection.commit()
            return pruned

    def was_synced_since(self, plan: StreamPlan, since: datetime, sync_id: str) -> bool:
        with self._transaction(plan) as link:
            return retention.was_synced_since(link, plan, since, sync_id)

    def versions(self, plan: StreamPlan, key: Mapping[str, str]) -> list[Version] | None:
        with self._transaction(plan) as link:
            return stored_versions(link, plan, key)

    def record_as_of(self, plan: StreamPlan, layout: Layout, key: str, at: datetime) -> PastRecord | None:
        with self._transaction(plan) as link:
            return stored_record(link, plan, layout, key, at)

    def windows(self, plan: StreamPlan) -> list[Window]:
        with self._transaction(plan) as link:
            return recall.stored_windows(link, plan)

    def tile_faults(self, plan: StreamPlan) -> list[str]:
        with self._transaction(plan) as link:
            return recall.tile_faults(link, plan)

    def equation_faults(self, plan: StreamPlan) -> int:
        with self._transaction(plan) as link:
            return recall.equation_faults(link, plan)

    def purge_preview(self, request: PurgeRequest) -> tuple[Finding, ...]:
        with self._transaction() as link:
            return purge.preview(link, request)

    def purge(self, request: PurgeRequest, at: datetime) -> tuple[Finding, ...]:
        failpoint, key = failpoints.armed(), HashKey.made()
        with self._transaction() as link:
            found = purge.carry_out(link, request, at, key, failpoint)
            link.connection.commit()
            failpoint("purge committed")
            return found

    def purges(self, connection: str) -> list[Purge]:
        with self._transaction() as link:
            return purge.purges(link, connection)

    def lift(self, connection: str, purge_id: str, by: str, at: datetime) -> int:
        with self._transaction() as link:
            lifted = purge.lift(link, connection, purge_id, by, at)
            link.connection.commit()
            return lifted

    def emit(self, notices: Sequence[Notice]) -> None:
        with self._transaction() as link:
            outbox.write_notices(link, notices)
            link.connection.commit()

    def prune_outbox(self, now: datetime) -> int:
        with self._transaction() as link:
            pruned = outbox.prune(link, now)
            link.connection.commit()
            return pruned

    def facts(self, plan: StreamPlan, layout: Layout | None) -> TableFacts:
        with self._transaction(plan) as link:
            return recall.stored_facts(link, plan, layout)

    def summarise(self, connection: str) -> None:
        with self._transaction() as link:
            if summarise(link, connection):
                link.connection.commit()

    def missing_records(self, plan: StreamPlan, layout: Layout, limit: int) -> list[Known]:
        with self._transaction(plan) as link:
            return known.missing_records(link, plan, layout, limit)

    def known_record(
        self, plan: StreamPlan, layout: Layout, key: Mapping[str, str], fields: Sequence[str]
    ) -> Known | None:
        with self._transaction(plan) as link:
            return known.known_record(link, plan, layout, key, fields)

    def absence(self, plan: StreamPlan, at: datetime, *, judges: bool) -> AbsenceFacts:
        with self._transaction(plan) as link:
            return recall.absence_facts(link, plan, at, judges=judges)

    @contextmanager
    def transaction(self) -> Generator["PostgresLink"]:
        with self._transaction() as link:
            yield link
            link.connection.commit()

    def close(self) -> None:
        """Close the connections of all threads."""
        for connection in self._connections:
            with suppress(psycopg.Error):
                connection.close()

    @contextmanager
    def _transaction(self, plan: StreamPlan | None = None) -> Generator["PostgresLink"]:
        """The thread's connection, rolled back unless it was committed inside."""
        with self._errors(plan):
            connection = self._connection()
            try:
                yield PostgresLink(connection)
            finally:
                # A connection that broke has nothing to roll back, and must not hide why.
                with suppress(psycopg.Error):
                    connection.rollback()

    def _connection(self) -> Connection:
        connection: Connection | None = getattr(self._own, "connection", None)
        if connection is None or connection.closed:
            connection = self._connect()
            self._own.connection = connection
            with self._opening:
                self._connections.append(connection)
        return connection


class PostgresLink:
    """An open transaction on one connection."""

    dialect: Dialect = DIALECT

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    @property
    def catalog(self) -> str:
        return ""  # a schema is found by its name alone

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        count = self.connection.execute(sql.encode(), parameters or None).rowcount
        return max(count, 0)

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        return self.connection.execute(sql.encode(), parameters or None).fetchall()

    def stage(
        self, name: str, records: pa.Table, layout: Layout | None, joined_on: Sequence[str] = ()
    ) -> str:
        types = staged_types(records.schema, layout)
        columns = ", ".join(f"{quote(column)} {given}" for column, given in types.items())
        target = DIALECT.scratch_name(name)
        for statement in DIALECT.scratch_table(name, columns):
            self.run(statement)
        self._copy(target, records, types)
        if joined_on and records.num_rows >= _ANALYZE_FROM:
            self.run(f"analyze {target} ({listed(tuple(joined_on))})")
        return target

    def append(self, table: Table, records: pa.Table, layout: Layout) -> int:
        return self._copy(qualified(table), records, staged_types(records.schema, layout))

    def append_new(self, table: Table, records: pa.Table, layout: Layout) -> int | None:
        self.run("savepoint appending")
        try:
            written = self.append(table, records, layout)
        except psycopg.errors.UniqueViolation:
            self.run("rollback to savepoint appending")
            return None
        self.run("release savepoint appending")
        return written

    def judge(self, sql: str, parameters: Sequence[Any], *, is_indexed: bool) -> None:
        # The planner knows little of a table that is being filled, and would rather scan all of it.
        joins = ("enable_hashjoin", "enable_mergejoin") if is_indexed else ()
        for join in joins:
            self.run(f"set local {join} = off")
        self.run(sql, parameters)
        for join in joins:
            self.run(f"set local {join} = on")
        self.run(f"analyze {DIALECT.scratch_name('verdicts')}")
        # Rows are met in the order of their addresses: each page is read once, none by chance.
        self.run(f"set local random_page_cost = {_ADDRESS_COST}")

    def _copy(self, target: str, records: pa.Table, types: dict[str, str]) -> int:
        # While a COPY waits for a client that was frozen, only this ends it and frees its locks.
        usual = self.rows("select pg_catalog.current_setting('statement_timeout')")[0][0]
        self.run(f"set local statement_timeout = '{_COPY_TIMEOUT}'")
        is_json = frozenset(column for column, given in types.items() if given == "jsonb")
        written = copy_in(self.connection, target, records.schema, records.to_batches(), is_json)
        self.run(f"set local statement_timeout = '{usual}'")
        return written


def _target(config: PostgresConfig) -> dict[str, Any]:
    """What to connect to, in libpq's words.

    Raises:
        ConfigurationError: the URL cannot be read; it is not repeated, since it may hold a password.
    """
    ours = {
        "application_name": "propexo-connect",
        "client_encoding": "utf8",
        "connect_timeout": 10,
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
    }
    if config.url is not None:
        try:
            parts: dict[str, Any] = conninfo.conninfo_to_dict(config.url.get_secret_value())
        except psycopg.Error:
            raise ConfigurationError(
                "the url of the PostgreSQL database cannot be read",
                expected="postgresql://user:password@host:5432/database, special characters percent-encoded",
            ) from None
        return {"sslmode": config.sslmode, **ours, **parts}
    password = {} if config.password is None else {"password": config.password.get_secret_value()}
    return {
        "host": config.host,
        "port": config.port,
        "dbname": config.database,
        "user": config.user,
        "sslmode": config.sslmode,
        **password,
        **ours,
    }
