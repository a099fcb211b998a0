"""A SQL Server as `TableSource` asks it: connections, isolation, streamed answers, errors in our words."""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pymssql
from sqlglot import exp

from propexo_connect.connectors import sql
from propexo_connect.connectors.relation import Relation, TableColumn
from propexo_connect.connectors.rows import column_batches
from propexo_connect.connectors.sqlserver import SCHEMA, SqlServerConfig
from propexo_connect.connectors.sqlserver_types import DIALECT, relations
from propexo_connect.model.errors import (
    ConfigurationError,
    ConnectError,
    CredentialsRefused,
    DataError,
    PermissionRefused,
    Stalled,
    UnknownName,
    Unreachable,
    VendorFault,
)

_CONNECT_WITHIN_S = 15

ALLOWS_SNAPSHOT = "SELECT snapshot_isolation_state FROM sys.databases WHERE name = DB_NAME()"
OPEN_WRITE = """
SELECT MAX(DATEDIFF(second, t.transaction_begin_time, GETDATE()))
FROM sys.dm_tran_active_transactions t
JOIN sys.dm_tran_session_transactions s ON s.transaction_id = t.transaction_id
WHERE t.transaction_type = 1 AND s.session_id <> @@SPID
"""

Connection = Any
"""A connection of the DB-API, as pymssql gives it."""


@dataclass(frozen=True)
class SqlServerDatabase:
    """One database of a server.

    Args:
        connect: makes a connection; what it raises is told in our words.
    """

    place: str
    connect: Callable[[], Connection] = field(repr=False)
    lock_timeout: timedelta
    schemas: tuple[str, ...] = (SCHEMA,)
    schema: str = SCHEMA
    dialect: str = DIALECT
    compares_rows: bool = False

    @contextmanager
    def connected(self) -> Generator[Connection]:
        """A connection in one transaction from now on.

        Raises:
            ConnectError: the server cannot be reached or refuses, or a question failed.
        """
        with self.in_our_words(), closing(self.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(f"SET LOCK_TIMEOUT {int(self.lock_timeout.total_seconds() * 1000)}")
            cursor.execute(ALLOWS_SNAPSHOT)
            found = cursor.fetchall()
            if found and found[0][0] == 1:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL SNAPSHOT")
            cursor.execute("BEGIN TRANSACTION")
            yield connection

    @contextmanager
    def in_our_words(self) -> Generator[None]:
        """Turn the driver's errors into ours."""
        try:
            yield
        except (pymssql.Error, OSError) as error:
            raise classified(error, self.place) from error

    @contextmanager
    def catalog(self) -> Generator["SqlServerCatalog"]:
        with self.connected() as connection:
            yield SqlServerCatalog(connection, self)

    def query(self, text: str, columns: Sequence[TableColumn], batch_bytes: int) -> "SqlServerQuery":
        return SqlServerQuery(self, text, columns, batch_bytes)


@dataclass(frozen=True)
class SqlServerCatalog:
    """One connection for small questions."""

    connection: Connection
    database: SqlServerDatabase

    def _ask(self, query: str, values: Sequence[object] = ()) -> Sequence[tuple[Any, ...]]:
        with self.connection.cursor() as cursor:
            cursor.execute(query, tuple(values) or None)
            return cursor.fetchall()

    def relations(self, schemas: Sequence[str], name: str | None = None) -> Sequence[Relation]:
        return relations(self._ask, schemas, name)

    def row(self, query: exp.Select) -> tuple[Any, ...] | None:
        return next(iter(self._ask(sql.text_of(query, DIALECT))), None)

    @contextmanager
    def apart(self) -> Generator[None]:
        with self.database.in_our_words():
            yield

    def is_cheap_in_order(self, relation: Relation) -> bool:
        return relation.is_clustered

    def writing_s(self) -> float:
        try:
            found = self._ask(OPEN_WRITE)
        except pymssql.Error as error:
            if not isinstance(classified(error, self.database.place), PermissionRefused):
                raise
            return 0.0
        return float(found[0][0] or 0.0) if found else 0.0


@dataclass(frozen=True)
class SqlServerQuery:
    """One query, its rows made into columns."""

    database: SqlServerDatabase
    text: str
    columns: Sequence[TableColumn]
    batch_bytes: int

    def batches(self) -> Iterator[pa.Table]:
        with self.database.connected() as connection, connection.cursor() as cursor:
            cursor.execute(self.text)
            yield from column_batches(cursor.fetchmany, self.columns, self.batch_bytes)

    def cancel(self) -> None:
        """Nothing: the driver cannot be interrupted from another thread; `statement_timeout` ends it."""


def database_of(config: SqlServerConfig) -> SqlServerDatabase:
    """The database of a configuration; nothing is asked of it yet."""

    def connect() -> Connection:
        return pymssql.connect(
            server=config.host,
            port=str(config.port),
            user=config.user,
            password=config.password.get_secret_value(),
            database=config.database,
            timeout=max(int(config.statement_timeout.total_seconds()), 1),
            login_timeout=_CONNECT_WITHIN_S,
            charset="UTF-8",
            appname="propexo_connect",
            encryption=config.encryption,
            tds_version="7.4",
            # Transactions are ours to begin: the driver's own would be under way before the level is set.
            autocommit=True,
        )

    place = f"SQL Server {config.host}:{config.port}/{config.database}"
    return SqlServerDatabase(place, connect, config.lock_timeout, config.schemas)


def classified(error: BaseException, place: str) -> ConnectError:
    """A driver's or the server's error in our words."""
    number, text = _said(error)
    match number:
        case 18456 | 18452 | 18470 | 18486 | 18487 | 18488:
            return CredentialsRefused(
                f"the server refuses the credentials: {text}", where=place, remedy="Check user and password."
            )
        case 229 | 230 | 262 | 297 | 300 | 371 | 916:
            return PermissionRefused(text, where=place, remedy="Grant the login SELECT on the table.")
        case 4060 | 207 | 208 | 911 | 4413 | 4121:
            return UnknownName(text, where=place, remedy="Check the names of database, table and columns.")
        case 3952 | 3951 | 20017 | 20002 if "encrypt" in text.lower() or number in {3951, 3952}:
            return ConfigurationError(
                text, where=place, remedy="Check encryption and the database's settings."
            )
        case 1205 | 1222 | 3960 | 3961:
            return VendorFault(
                text, where=place, remedy="Somebody holds a lock on the table; a later try may succeed."
            )
        case 20003:
            return Stalled(
                text,
                where=place,
                remedy="Raise statement_timeout if the table needs more time, or give its filter an index.",
            )
        case 220 | 232 | 241 | 242 | 245 | 248 | 8114 | 8115 | 8134 | 8152 | 9420 | 9436:
            # The server's text may quote a value of the table.
            return DataError(
                f"the server could not compute a value (error {number})",
                where=place,
                remedy="A view or a computed column fails; run its query by hand to see the record.",
            )
        case 10928 | 10929 | 40501 | 40197 | 40613 | 49918 | 49919 | 49920 | 701 | 802:
            return VendorFault(f"the server has no room at the moment: {text}", where=place)
        case None:
            return Unreachable(f"no connection ({type(error).__name__})", where=place)
        case _ if 20000 <= number < 21000:
            return Unreachable(f"no connection: {text}", where=place)
        case _:
            return VendorFault(f"the server answered with an error: {text} ({number})", where=place)


def _said(error: BaseException) -> tuple[int | None, str]:
    """The number and the first line of what was said: `((18456, b"Login failed …"),)` or `(18456, b"…")`."""
    facts: Any = error.args
    if len(facts) == 1 and isinstance(facts[0], tuple):
        facts = facts[0]
    number = facts[0] if facts and isinstance(facts[0], int) else None
    text: Any = facts[-1] if facts else ""
    words = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    # The library announces its own messages in a line of their own.
    told = [line for line in lines if not line.startswith("DB-Lib error message")] or lines
    return number, (told or ["no reason given"])[0].partition("DB-Lib error message")[0][:300]
