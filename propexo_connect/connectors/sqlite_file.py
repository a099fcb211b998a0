"""A SQLite file as `TableSource` asks it: opened read-only, its catalog, its queries, its errors."""

import sqlite3
import stat
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa
from sqlglot import exp

from propexo_connect.connectors import sql
from propexo_connect.connectors.relation import Relation, TableColumn
from propexo_connect.connectors.rows import column_batches
from propexo_connect.connectors.sqlite_types import column_of, is_told_by_values
from propexo_connect.model.errors import (
    ConfigurationError,
    ConnectError,
    DataError,
    FileMismatch,
    PermissionRefused,
    Stalled,
    UnknownName,
    VendorFault,
)

DIALECT = "sqlite"

_ALLOWED = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, 33})
"""What a query may do; 33 is SQLITE_RECURSIVE."""

_PRAGMAS = frozenset({"table_xinfo", "index_list", "index_info"})

_LOOKED_AT, _LOOK_WITHIN_S = 100, 5.0
"""Records looked at for the kind of a column that declares none, and for how long."""


@dataclass(frozen=True)
class SqliteDatabase:
    """One file."""

    path: Path
    lock_timeout: timedelta
    is_immutable: bool = False
    dialect: str = DIALECT
    schema: str = "main"
    schemas: tuple[str, ...] = ("main",)
    compares_rows: bool = True

    @property
    def place(self) -> str:
        """The file, for messages."""
        return f"SQLite {self.path.name}"

    @contextmanager
    def connected(self) -> Generator[sqlite3.Connection]:
        """The file in one read transaction, from now to the end.

        Raises:
            ConnectError: there is no such file, it is none of SQLite, or a question failed.
        """
        self._prove_a_file()
        uri = f"file:{quote(str(self.path))}?mode=ro{'&immutable=1' if self.is_immutable else ''}"
        with self.in_our_words():
            # Another thread may interrupt; apart from that the connection stays in this one.
            connection = sqlite3.connect(
                uri, uri=True, timeout=self.lock_timeout.total_seconds(), isolation_level=None
            )
            try:
                connection.execute("BEGIN")
                connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
                connection.set_authorizer(_authorize)
                yield connection
            finally:
                connection.close()

    def _prove_a_file(self) -> None:
        try:
            mode = self.path.stat().st_mode
        except FileNotFoundError as error:
            raise UnknownName("there is no such file", where=self.place, remedy="Check path.") from error
        except OSError as error:
            raise PermissionRefused(
                "the file may not be looked at", where=self.place, remedy="Grant the right to read it."
            ) from error
        if not stat.S_ISREG(mode):
            raise ConfigurationError(
                "it is a folder, a device or a pipe", where=self.place, expected="a database file"
            )

    @contextmanager
    def in_our_words(self) -> Generator[None]:
        """Turn the library's errors into ours."""
        try:
            yield
        except sqlite3.Error as error:
            raise _classified(error, self.place) from error

    @contextmanager
    def catalog(self) -> Generator["SqliteCatalog"]:
        with self.connected() as connection:
            yield SqliteCatalog(connection, self)

    def query(self, text: str, columns: Sequence[TableColumn], batch_bytes: int) -> "SqliteQuery":
        return SqliteQuery(self, text, columns, batch_bytes)


@dataclass(frozen=True)
class SqliteCatalog:
    """One connection for small questions."""

    connection: sqlite3.Connection
    database: SqliteDatabase

    def relations(self, schemas: Sequence[str], name: str | None = None) -> Sequence[Relation]:
        if self.database.schema not in schemas:
            return []
        found = self.connection.execute(
            "SELECT name, type FROM sqlite_schema WHERE type IN ('table', 'view') "
            "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND (?1 IS NULL OR name = ?1) ORDER BY name",
            (name,),
        ).fetchall()
        return [self._relation(table, is_table=kind == "table") for table, kind in found]

    def _relation(self, name: str, *, is_table: bool) -> Relation:
        facts = [row for row in self._pragma("table_xinfo", name) if row[6] != 1]
        key = tuple(row[1] for row in sorted(facts, key=lambda row: row[5]) if row[5])
        declared = {row[1]: str(row[2] or "") for row in facts}
        samples = self._samples(
            name, [column for column, kind in declared.items() if is_told_by_values(kind)]
        )
        is_rowid = len(key) == 1 and declared[key[0]].upper() == "INTEGER" and self._has_rowid(name)
        columns = tuple(
            column_of(column, kind, samples.get(column), is_rowid=is_rowid and column == key[0])
            for column, kind in declared.items()
        )
        if not key and is_table:
            key = self._unique(name, {row[1] for row in facts if row[3]})
        return Relation(self.database.schema, name, "", columns, key, is_clustered=is_rowid)

    def _pragma(self, pragma: str, name: str) -> list[tuple[Any, ...]]:
        argument = exp.to_identifier(name, quoted=True)
        return self.connection.execute(f"PRAGMA {pragma}({sql.text_of(argument, DIALECT)})").fetchall()

    def _samples(self, name: str, columns: Sequence[str]) -> dict[str, object]:
        """Of each column the first value that is there, among the first records.

        Nothing of a view that has not answered within its time.
        """
        if not columns:
            return {}
        query = exp.select(*(sql.column(column, sql.ALIAS) for column in columns))
        place = sql.table(self.database.schema, name, sql.ALIAS)
        deadline = time.monotonic() + _LOOK_WITHIN_S
        self.connection.set_progress_handler(lambda: time.monotonic() > deadline, 10_000)
        try:
            text = sql.text_of(query.from_(place).limit(_LOOKED_AT), DIALECT)
            rows = self.connection.execute(text).fetchall()
        except sqlite3.OperationalError as error:
            if str(error) != "interrupted":
                raise
            return {}
        finally:
            self.connection.set_progress_handler(None, 0)
        return {
            column: next((value for value in values if value is not None), None)
            for column, values in zip(columns, zip(*rows, strict=True), strict=False)
        }

    def _has_rowid(self, name: str) -> bool:
        query = exp.select(sql.column("rowid")).from_(sql.table(self.database.schema, name, sql.ALIAS))
        try:
            # Bare: a quoted name that is not there would be taken for a text.
            self.connection.execute(sql.text_of(query, DIALECT).replace('"rowid"', "rowid", 1) + " LIMIT 0")
        except sqlite3.OperationalError:
            return False
        return True

    def _unique(self, name: str, never_null: set[str]) -> tuple[str, ...]:
        """The smallest unique index over columns that are never null, without expressions and conditions."""
        found: list[tuple[str, ...]] = []
        for _, index, is_unique, _, is_partial in self._pragma("index_list", name):
            columns = tuple(row[2] for row in self._pragma("index_info", index))
            if is_unique and not is_partial and never_null.issuperset(columns):
                found.append(columns)
        return min(found, key=lambda columns: (len(columns), columns), default=())

    def row(self, query: exp.Select) -> tuple[Any, ...] | None:
        return self.connection.execute(sql.text_of(query, DIALECT)).fetchone()

    @contextmanager
    def apart(self) -> Generator[None]:
        with self.database.in_our_words():
            yield

    def is_cheap_in_order(self, relation: Relation) -> bool:
        return relation.is_clustered

    def writing_s(self) -> float:
        return 0.0


class SqliteQuery:
    """One query, its rows made into columns."""

    def __init__(
        self, database: SqliteDatabase, text: str, columns: Sequence[TableColumn], batch_bytes: int
    ) -> None:
        self._database = database
        self._text = text
        self._columns = columns
        self._batch_bytes = batch_bytes
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def batches(self) -> Iterator[pa.Table]:
        with self._database.connected() as connection, self._as_running(connection):
            cursor = connection.execute(self._text)
            yield from column_batches(cursor.fetchmany, self._columns, self._batch_bytes)

    @contextmanager
    def _as_running(self, connection: sqlite3.Connection) -> Generator[None]:
        with self._lock:
            self._connection = connection
        try:
            yield
        finally:
            with self._lock:
                self._connection = None

    def cancel(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.interrupt()


def _authorize(
    action: int, first: str | None, second: str | None, database: str | None, trigger: str | None
) -> int:
    """Reading only: no ATTACH, which would open any other file, and no PRAGMA but those asked here."""
    del second, database, trigger
    is_allowed = action in _ALLOWED or (action == sqlite3.SQLITE_PRAGMA and first in _PRAGMAS)
    return sqlite3.SQLITE_OK if is_allowed else sqlite3.SQLITE_DENY


def _classified(error: sqlite3.Error, place: str) -> ConnectError:
    text = str(error)
    name: str = getattr(error, "sqlite_errorname", "")
    if name.startswith("SQLITE_NOTADB"):
        return FileMismatch("the file is no SQLite database", where=place, expected="a database file")
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_FORMAT")):
        return FileMismatch(f"the file is damaged ({text})", where=place, remedy="Restore or repair it.")
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return VendorFault(
            "the database is locked", where=place, remedy="Somebody writes it; a later try may succeed."
        )
    if name.startswith("SQLITE_INTERRUPT"):
        return Stalled("reading was cancelled", where=place)
    if name.startswith(("SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH", "SQLITE_READONLY")):
        return PermissionRefused(
            f"the file may not be read ({text})",
            where=place,
            remedy="Grant the right to read it; in WAL mode its folder must be writable, or is_immutable.",
        )
    if text.startswith(("no such table", "no such column", "no such function", "no such module")):
        return UnknownName(text, where=place, remedy="Check the names of table and columns.")
    if text.startswith("Could not decode to UTF-8"):
        return DataError(
            "a text is not UTF-8",
            where=place,
            remedy="Correct it, leave its column out, or read a view that casts it to BLOB.",
        )
    return VendorFault(f"the database answered with an error: {text[:300]}", where=place)
