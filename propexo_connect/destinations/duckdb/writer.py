"""DuckDB as a destination: sessions, commits, and tables for assets."""

import itertools
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import duckdb
import pyarrow as pa

from propexo_connect.absence.reads import Known
from propexo_connect.destinations import failpoints, known, outbox, purge, recall, retention
from propexo_connect.destinations.base import Session, Step, TableFacts
from propexo_connect.destinations.commit import store
from propexo_connect.destinations.dialect import Dialect, Row
from propexo_connect.destinations.duckdb import DuckDBConfig
from propexo_connect.destinations.duckdb.faults import fault
from propexo_connect.destinations.duckdb.rewrite import rewrite_file
from propexo_connect.destinations.duckdb.sql import DIALECT
from propexo_connect.destinations.hash_key import HashKey
from propexo_connect.destinations.identifiers import listed, qualified, quote
from propexo_connect.destinations.schema import make_schema, prepare, refuse_streams_table
from propexo_connect.destinations.standing import Standing
from propexo_connect.destinations.versions import stored_record, stored_versions
from propexo_connect.destinations.views import summarise
from propexo_connect.model.absence import AbsenceFacts
from propexo_connect.model.event import Notice
from propexo_connect.model.layout import Layout
from propexo_connect.model.ledger import Window
from propexo_connect.model.purge import Finding, Purge, PurgeRequest
from propexo_connect.model.stream import StreamPlan, Table
from propexo_connect.model.version import PastRecord, Version

Connect = Callable[[str, dict[str, Any]], duckdb.DuckDBPyConnection]
"""Opens a file with settings; Dagster's resource brings its own."""

_BATCH_ROWS = 64 * 1024

_MEMORY_LIMIT = "192MB"
"""Unless the connection says otherwise: DuckDB's own, 80 % of the machine, lets a long sync grow so far."""

_CHECKPOINT_FROM = "64MB"
"""How long the log grows before it is written into the tables. At DuckDB's own 16 MB each second step would
pay for that, and write the last rows of the table again each time."""

_names = itertools.count()

_opening = threading.Lock()
_commits: dict[str, threading.Lock] = {}
"""By file; there are as many as a process writes files."""


def connect_file(path: str, settings: dict[str, Any]) -> duckdb.DuckDBPyConnection:
    """Open a file, and make its folder when it is missing."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    return duckdb.connect(path, config=settings)


def catalog_of(connection: duckdb.DuckDBPyConnection) -> str:
    """How DuckDB calls the opened file: by its name without the ending."""
    return str(connection.execute("select current_database()").fetchall()[0][0])


class DuckDB:
    """A DuckDB file as a destination."""

    kind = "duckdb"

    def __init__(self, config: DuckDBConfig, connect: Connect = connect_file) -> None:
        self.config = config
        self._connect = connect
        self._path = str(Path(config.path).expanduser().absolute())

    @property
    def address(self) -> str:
        return f"duckdb:{Path(self._path).resolve()}"

    @property
    def files(self) -> tuple[Path, ...]:
        return Path(self._path), Path(f"{self._path}.wal")

    def check(self) -> None:
        with closing(self._connection()) as connection, _errors(self._path), _transaction(connection) as link:
            prepare(link)
            link.run('create table _propexo."#check" (one bigint)')
            connection.rollback()

    @contextmanager
    def open(self) -> Generator[Session]:
        with closing(self._connection()) as connection:
            with _errors(self._path), _transaction(connection) as link:
                prepare(link)
                connection.commit()
            session = DuckDBSession(connection, self._path)
            try:
                yield session
            finally:
                session.close()

    def rewrite(self) -> str:
        with _errors(self._path):
            before, after = rewrite_file(self._path, self._connect)
        return f"{self._path} was written anew: {before} bytes before, {after} now"

    def read_table(self, schema: str, table: str, columns: list[str] | None) -> pa.RecordBatchReader:
        wanted = listed(columns) if columns else "*"
        with ExitStack() as stack:
            connection = stack.enter_context(closing(self._connection()))
            query = f"select {wanted} from {qualified(Table(schema, table, catalog_of(connection)))}"
            with _errors(self._path):
                reader = _reader(connection.sql(query))
            ending = stack.pop_all()  # from here on the reader keeps the connection

        def batches() -> Iterator[pa.RecordBatch]:
            with ending, _errors(self._path):
                yield from reader

        return pa.RecordBatchReader.from_batches(reader.schema, batches())

    def write_table(self, schema: str, table: str, records: pa.RecordBatchReader) -> int:
        name = f"asset_{next(_names)}"
        with closing(self._connection()) as connection, _errors(self._path), _transaction(connection) as link:
            target = Table(schema, table, catalog_of(connection))
            prepare(link)
            refuse_streams_table(link, target)
            make_schema(link, schema)
            connection.register(name, records)
            written = link.run(f"create or replace table {qualified(target)} as select * from {quote(name)}")
            connection.commit()
            return written

    def _connection(self) -> duckdb.DuckDBPyConnection:
        settings: dict[str, Any] = {}
        if self.config.memory_limit is not None:
            settings["memory_limit"] = self.config.memory_limit
        if self.config.threads is not None:
            settings["threads"] = self.config.threads
        with _errors(self._path):
            connection = self._connect(self._path, settings)
            if self.config.memory_limit is None:
                # Set, not configured: somebody else in this process may open the file without our setting.
                connection.execute(f"set memory_limit = '{_MEMORY_LIMIT}'")
            connection.execute(f"set checkpoint_threshold = '{_CHECKPOINT_FROM}'")
            _set_up(connection)
            return connection


class DuckDBSession:
    """One opened file; each thread has a connection of its own, and commits take turns."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: str) -> None:
        self._root = connection
        self._path = path
        self._catalog = catalog_of(connection)
        self._commits = _turns(path)
        self._opening = threading.Lock()
        self._own = threading.local()
        self._cursors: list[duckdb.DuckDBPyConnection] = []

    def take_fences(self, plans: Sequence[StreamPlan], lane: str) -> dict[str, int]:
        with self._commits, _errors(self._path, plans[0]), _transaction(self._cursor()) as link:
            numbers = recall.next_fences(link, plans, lane)
            link.connection.commit()
            return numbers

    def standings(self, plans: Sequence[StreamPlan], lane: str) -> dict[str, Standing]:
        with _errors(self._path, plans[0]), _transaction(self._cursor()) as link:
            return recall.standings(link, plans, lane)

    def commit(self, step: Step, finished_at: Callable[[], datetime]) -> Window:
        failpoint = failpoints.armed()
        with self._commits, _errors(self._path, step.plan), _transaction(self._cursor()) as link:
            failpoint("transaction begun")
            window = store(link, replace(step, plan=self._here(step.plan)), finished_at, failpoint)
            link.connection.commit()
            failpoint("committed")
            return window

    def prune_history(self, plan: StreamPlan, before: datetime) -> int:
        with self._commits, _errors(self._path, plan), _transaction(self._cursor()) as link:
            pruned = retention.prune(link, self._here(plan), before)
            link.connection.commit()
            return pruned

    def was_synced_since(self, plan: StreamPlan, since: datetime, sync_id: str) -> bool:
        with _errors(self._path, plan):
            return retention.was_synced_since(DuckDBLink(self._cursor()), plan, since, sync_id)

    def versions(self, plan: StreamPlan, key: Mapping[str, str]) -> list[Version] | None:
        with _errors(self._path, plan), _transaction(self._cursor()) as link:
            return stored_versions(link, self._here(plan), key)

    def record_as_of(self, plan: StreamPlan, layout: Layout, key: str, at: datetime) -> PastRecord | None:
        with _errors(self._path, plan), _transaction(self._cursor()) as link:
            return stored_record(link, self._here(plan), layout, key, at)

    def windows(self, plan: StreamPlan) -> list[Window]:
        with _errors(self._path, plan):
            return recall.stored_windows(DuckDBLink(self._cursor()), plan)

    def tile_faults(self, plan: StreamPlan) -> list[str]:
        with _errors(self._path, plan):
            return recall.tile_faults(DuckDBLink(self._cursor()), plan)

    def equation_faults(self, plan: StreamPlan) -> int:
        with _errors(self._path, plan):
            return recall.equation_faults(DuckDBLink(self._cursor()), plan)

    def purge_preview(self, request: PurgeRequest) -> tuple[Finding, ...]:
        with _errors(self._path), _transaction(self._cursor()) as link:
            return purge.preview(link, request, self._catalog)

    def purge(self, request: PurgeRequest, at: datetime) -> tuple[Finding, ...]:
        failpoint, key = failpoints.armed(), HashKey.made()
        with self._commits, _errors(self._path), _transaction(self._cursor()) as link:
            found = purge.carry_out(link, request, at, key, failpoint, self._catalog)
            link.connection.commit()
            failpoint("purge committed")
            return found

    def purges(self, connection: str) -> list[Purge]:
        with _errors(self._path), _transaction(self._cursor()) as link:
            return purge.purges(link, connection)

    def lift(self, connection: str, purge_id: str, by: str, at: datetime) -> int:
        with self._commits, _errors(self._path), _transaction(self._cursor()) as link:
            lifted = purge.lift(link, connection, purge_id, by, at)
            link.connection.commit()
            return lifted

    def emit(self, notices: Sequence[Notice]) -> None:
        with self._commits, _errors(self._path), _transaction(self._cursor()) as link:
            outbox.write_notices(link, notices)
            link.connection.commit()

    def prune_outbox(self, now: datetime) -> int:
        with self._commits, _errors(self._path), _transaction(self._cursor()) as link:
            pruned = outbox.prune(link, now)
            link.connection.commit()
            return pruned

    def facts(self, plan: StreamPlan, layout: Layout | None) -> TableFacts:
        with _errors(self._path, plan), _transaction(self._cursor()) as link:
            return recall.stored_facts(link, self._here(plan), layout)

    def summarise(self, connection: str) -> None:
        with self._commits, _errors(self._path), _transaction(self._cursor()) as link:
            if summarise(link, connection):
                link.connection.commit()

    def missing_records(self, plan: StreamPlan, layout: Layout, limit: int) -> list[Known]:
        with _errors(self._path, plan), _transaction(self._cursor()) as link:
            return known.missing_records(link, self._here(plan), layout, limit)

    def known_record(
        self, plan: StreamPlan, layout: Layout, key: Mapping[str, str], fields: Sequence[str]
    ) -> Known | None:
        with _errors(self._path, plan), _transaction(self._cursor()) as link:
            return known.known_record(link, self._here(plan), layout, key, fields)

    def absence(self, plan: StreamPlan, at: datetime, *, judges: bool) -> AbsenceFacts:
        with _errors(self._path, plan), _transaction(self._cursor()) as link:
            return recall.absence_facts(link, self._here(plan), at, judges=judges)

    @contextmanager
    def transaction(self) -> Generator["DuckDBLink"]:
        with self._commits, _errors(self._path), _transaction(self._cursor()) as link:
            yield link
            link.connection.commit()

    def _here(self, plan: StreamPlan) -> StreamPlan:
        """The plan with its table's catalog: a schema may be named like the file."""
        return replace(plan, table=replace(plan.table, catalog=self._catalog))

    def close(self) -> None:
        """Close the connections of all threads."""
        for cursor in self._cursors:
            cursor.close()

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        cursor: duckdb.DuckDBPyConnection | None = getattr(self._own, "cursor", None)
        if cursor is None:
            with self._opening:
                cursor = self._root.cursor()
                self._cursors.append(cursor)
            _set_up(cursor)
            self._own.cursor = cursor
        return cursor


class DuckDBLink:
    """An open transaction on one connection."""

    dialect: Dialect = DIALECT

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        self._staged: list[str] = []

    @property
    def catalog(self) -> str:
        return catalog_of(self.connection)

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        found = self.connection.execute(sql, list(parameters)).fetchone()
        return found[0] if found and isinstance(found[0], int) else 0

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        return self.connection.execute(sql, list(parameters)).fetchall()

    def stage(
        self,
        name: str,
        records: pa.Table,
        layout: Layout | None,  # noqa: ARG002 - Arrow's types are DuckDB's, and text is cast where it is JSON
        joined_on: Sequence[str] = (),  # noqa: ARG002 - the size of what lies in memory is known
    ) -> str:
        # A name of its own: a view of the same name in another thread must never be taken for this one.
        unique = f"{name}_{next(_names)}"
        self.connection.register(unique, records)
        self._staged.append(unique)
        return quote(unique)

    def append(self, table: Table, records: pa.Table, layout: Layout) -> int:
        columns = listed(records.column_names)
        staged = self.stage("appended", records, layout)
        return self.run(f"insert into {qualified(table)} ({columns}) select {columns} from {staged}")

    def append_new(self, table: Table, records: pa.Table, layout: Layout) -> int | None:  # noqa: ARG002
        return None  # there is no index that would know

    def judge(self, sql: str, parameters: Sequence[Any], *, is_indexed: bool) -> None:  # noqa: ARG002
        self.run(sql, parameters)

    def release(self) -> None:
        """Let go of what was staged."""
        for name in self._staged:
            self.connection.unregister(name)
        self._staged.clear()


def _turns(path: str) -> threading.Lock:
    """The lock under which commits and purges of one file take turns, whatever sessions they come from.

    DuckDB does not see every two of them collide: an update that changes no value is none to it. Other
    processes cannot open the file at the same time.
    """
    with _opening:
        return _commits.setdefault(str(Path(path).resolve()), threading.Lock())


def _set_up(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("set timezone = 'UTC'")
    # A variable of this program must never be taken for a table of the same name.
    connection.execute("set python_enable_replacements = false")


@contextmanager
def _transaction(connection: duckdb.DuckDBPyConnection) -> Generator[DuckDBLink]:
    """A transaction that is rolled back unless it was committed inside."""
    link = DuckDBLink(connection)
    connection.begin()
    try:
        yield link
    finally:
        # Nothing is active once it was committed, and a file that failed must not hide why.
        with suppress(duckdb.Error):
            connection.rollback()
        with suppress(duckdb.Error):
            link.release()


@contextmanager
def _errors(path: str, plan: StreamPlan | None = None) -> Generator[None]:
    try:
        yield
    except (duckdb.Error, OSError) as error:
        raise fault(error, path).at(plan.where if plan else "") from error


def _reader(result: duckdb.DuckDBPyRelation) -> pa.RecordBatchReader:
    # DuckDB's annotation allows for None, which only a closed result gives.
    return cast(pa.RecordBatchReader, result.to_arrow_reader(_BATCH_ROWS))
