"""A MySQL or MariaDB server as `TableSource` asks it: read-only snapshots, streams, errors in our words."""

import contextlib
import ssl
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pymysql
from sqlglot import exp

from propexo_connect.connectors import sql
from propexo_connect.connectors.mysql import Address, MySqlConfig, SslMode
from propexo_connect.connectors.mysql_types import relations
from propexo_connect.connectors.mysql_wire import RowStream, table_of
from propexo_connect.connectors.relation import Relation, TableColumn
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

DIALECT = "mysql"

_CONNECT_WITHIN_S = 15
_WRITE_WITHIN_S = 24 * 3600
"""How long the server waits for us to take rows: while a step is stored nothing is read."""

_DENIED = 1227
"""The right that a question needs is missing."""


@dataclass(frozen=True)
class MySqlDatabase:
    """One server, and the database that goes without saying."""

    address: Address
    context: ssl.SSLContext | None
    sslmode: SslMode
    statement_timeout: timedelta
    lock_timeout: timedelta
    tinyint1_is_boolean: bool
    schemas: tuple[str, ...]
    dialect: str = DIALECT
    compares_rows: bool = False
    """They are understood, and cost a scan: indexes are not used for them."""

    @property
    def schema(self) -> str:
        return self.address.database

    @contextmanager
    def connected(self) -> Generator[RowStream]:
        """A connection in one snapshot from now on, that cannot write.

        Raises:
            ConnectError: the server cannot be reached or refuses, or a question failed.
        """
        with self.in_our_words():
            connection = self.connect()
            try:
                for statement in self._session(connection):
                    connection.query(statement)
                yield connection
            finally:
                connection.abandon()
                connection.close()

    def connect(self) -> RowStream:
        """A plain connection."""
        password = self.address.password
        return RowStream(
            host=self.address.host,
            port=self.address.port,
            user=self.address.user,
            password=password.get_secret_value() if password else "",
            database=self.address.database,
            charset="utf8mb4",
            autocommit=None,
            connect_timeout=_CONNECT_WITHIN_S,
            program_name="propexo_connect",
            ssl=self.context,
            ssl_disabled=self.sslmode == "disable",
        )

    def _session(self, connection: RowStream) -> Iterator[str]:
        statement_s = self.statement_timeout.total_seconds()
        limit = (
            f"max_statement_time = {statement_s:.3f}"
            if is_mariadb(connection)
            else f"max_execution_time = {int(statement_s * 1000)}"
        )
        lock_s = max(int(self.lock_timeout.total_seconds()), 1)
        yield (
            f"SET SESSION time_zone = '+00:00', sql_mode = '', {limit}, lock_wait_timeout = {lock_s}, "
            f"net_write_timeout = {_WRITE_WITHIN_S}"
        )
        yield "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ"
        yield "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"

    @contextmanager
    def in_our_words(self) -> Generator[None]:
        """Turn the driver's errors into ours."""
        try:
            yield
        except (pymysql.Error, OSError) as error:
            raise classified(error, str(self.address)) from error

    @contextmanager
    def catalog(self) -> Generator["MySqlCatalog"]:
        with self.connected() as connection:
            yield MySqlCatalog(connection, self)

    def query(self, text: str, columns: Sequence[TableColumn], batch_bytes: int) -> "MySqlQuery":
        return MySqlQuery(self, text, columns, batch_bytes)


def is_mariadb(connection: RowStream) -> bool:
    """Whether it is MariaDB that answers."""
    return "mariadb" in str(connection.get_server_info()).lower()


@dataclass(frozen=True)
class MySqlCatalog:
    """One connection for small questions."""

    connection: RowStream
    database: MySqlDatabase

    def _ask(self, query: str, values: Sequence[object] = ()) -> Sequence[tuple[Any, ...]]:
        with self.connection.cursor() as cursor:
            cursor.execute(query, values or None)
            return cursor.fetchall()

    def relations(self, schemas: Sequence[str], name: str | None = None) -> Sequence[Relation]:
        found = relations(
            self._ask,
            schemas,
            name,
            is_mariadb=is_mariadb(self.connection),
            tinyint1_is_boolean=self.database.tinyint1_is_boolean,
        )
        if name is not None and not any(relation.columns for relation in found):
            self._ask_why(schemas[0], name)
        return found

    def _ask_why(self, schema: str, name: str) -> None:
        """Let the server tell what hinders: its catalog shows neither what is not there nor what is denied.

        Raises:
            ConnectError: the reason, unless it is that there is no such table.
        """
        query = exp.select("1").from_(sql.table(schema, name, sql.ALIAS)).limit(0)
        with contextlib.suppress(UnknownName), self.database.in_our_words():
            self._ask(sql.text_of(query, DIALECT))

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
            # The server tells the start in its own zone, whatever the session's is.
            found = self._ask(
                "SELECT MAX(TIMESTAMPDIFF(MICROSECOND, trx_started, "
                "CONVERT_TZ(UTC_TIMESTAMP(6), '+00:00', 'SYSTEM'))) / 1e6 "
                "FROM information_schema.INNODB_TRX "
                "WHERE trx_rows_modified > 0 AND trx_mysql_thread_id <> CONNECTION_ID()"
            )
        except pymysql.Error as error:
            if error.args[0] != _DENIED:
                raise
            return 0.0
        return float(found[0][0] or 0.0)


class MySqlQuery:
    """One query, its rows streamed into columns."""

    def __init__(
        self, database: MySqlDatabase, text: str, columns: Sequence[TableColumn], batch_bytes: int
    ) -> None:
        self._database = database
        self._text = text
        self._columns = columns
        self._batch_bytes = batch_bytes
        self._lock = threading.Lock()
        self._connection: RowStream | None = None

    def batches(self) -> Iterator[pa.Table]:
        with self._database.connected() as connection, self._as_running(connection):
            for packets in connection.row_packets(self._text, self._batch_bytes):
                yield table_of(packets, self._columns)

    @contextmanager
    def _as_running(self, connection: RowStream) -> Generator[None]:
        with self._lock:
            self._connection = connection
        try:
            yield
        finally:
            with self._lock:
                self._connection = None

    def cancel(self) -> None:
        with self._lock:
            if self._connection is None:
                return
            # The server notices a lost connection only when it writes; a query that still computes is told.
            with contextlib.suppress(pymysql.Error, OSError):
                killing = self._database.connect()
                killing.query(f"KILL {self._connection.thread_id():d}")
                killing.close()
            self._connection.abandon()


def database_of(config: MySqlConfig, address: Address) -> MySqlDatabase:
    """The server of a configuration; nothing is asked of it yet.

    Raises:
        ConfigurationError: the file of trusted certificates cannot be read.
    """
    return MySqlDatabase(
        address,
        _context(config),
        config.sslmode,
        config.statement_timeout,
        config.lock_timeout,
        config.tinyint1_is_boolean,
        config.databases or (address.database,),
    )


def _context(config: MySqlConfig) -> ssl.SSLContext | None:
    """How the server is trusted; None leaves it to what the server offers, unchecked."""
    if config.sslmode in {"disable", "prefer"}:
        return None
    try:
        context = ssl.create_default_context(cafile=config.ssl_ca)
    except OSError as error:
        raise ConfigurationError(
            "the file of trusted certificates cannot be read", where="ssl_ca", remedy="Check its path."
        ) from error
    context.check_hostname = config.sslmode == "verify-full"
    if config.sslmode == "require":
        context.verify_mode = ssl.CERT_NONE
    return context


def classified(error: BaseException, place: str) -> ConnectError:
    """A driver's or the server's error in our words."""
    number = error.args[0] if isinstance(error, pymysql.Error) and error.args else None
    text = str(error.args[1] if number is not None and len(error.args) > 1 else error).strip()
    text = (text.splitlines() or ["no reason given"])[0][:300]
    if "CERTIFICATE_VERIFY_FAILED" in text:
        number = 2026
    match number:
        case 1045 | 1698 | 1130 | 1820 | 1862 | 1251 | 2059:
            return CredentialsRefused(
                f"the server refuses the credentials: {text}",
                where=place,
                remedy="Check user, password, and the hosts from which the user may connect.",
            )
        case 1044 | 1142 | 1143 | 1370 | 1227:
            return PermissionRefused(text, where=place, remedy="Grant the user SELECT on the table.")
        case 1049 | 1054 | 1146 | 1051 | 1109 | 1305:
            return UnknownName(text, where=place, remedy="Check the names of database, table and columns.")
        case 1356:
            return UnknownName(text, where=place, remedy="Correct the view, or the rights of its definer.")
        case 1792 | 1290 | 1192:
            return ConfigurationError(
                f"reading would have to write: {text}",
                where=place,
                remedy="Replicate a view that only reads.",
            )
        case 2026 | 3159:
            return ConfigurationError(
                f"no encrypted connection: {text}", where=place, remedy="Check sslmode and the certificates."
            )
        case 1205 | 1099 | 1100 | 1213:
            return VendorFault(
                text, where=place, remedy="Somebody holds a lock on the table; a later try may succeed."
            )
        case 1317 | 1969 | 3024:
            return Stalled(
                text,
                where=place,
                remedy="Raise statement_timeout if the table needs more time, or give its filter an index.",
            )
        case 1040 | 1203 | 1226 | 1129 | 1037 | 1038:
            return VendorFault(f"the server has no room at the moment: {text}", where=place)
        case 1264 | 1292 | 1365 | 1366 | 1406 | 1690 | 1411 | 3140 | 3141 | 4037 | 4038:
            # The server's text quotes a value of the table.
            return DataError(
                f"the server could not compute a value (error {number})",
                where=place,
                remedy="A view or a generated value fails; run its query by hand to see the record.",
            )
        case 2003 | 2002 | 2005 | 2006 | 2013 | 2055 | 1053 | 1152 | 1158 | 1159 | 1160 | 1161 | 1927 | 0:
            return Unreachable(f"no connection: {text}", where=place)
        case None if isinstance(error, OSError | pymysql.InterfaceError):
            return Unreachable(f"no connection ({type(error).__name__})", where=place)
        case _:
            return VendorFault(f"the server answered with an error: {text} ({number})", where=place)
