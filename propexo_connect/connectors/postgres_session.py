"""Connections to a PostgreSQL source: addresses, read-only transactions, and errors in our words.

Catalog questions go through psycopg, records through ADBC; both hand the same connection string to libpq,
and both read in one repeatable-read, read-only transaction.
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import adbc_driver_postgresql.dbapi as adbc
import psycopg
import pyarrow as pa
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlglot import exp

from propexo_connect.connectors import sql
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

DIALECT = "postgres"

_SETTINGS = {
    # Texts that the server makes for us are the same whatever the role's or the database's defaults are.
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "iso_8601",
    # Nobody's function of the same name comes before the server's own.
    "search_path": "pg_catalog",
}


@dataclass(frozen=True)
class Session:
    """How to reach the server; its text names no secret.

    Args:
        conninfo: for libpq, password included.
        place: host, port and database, for messages.
    """

    conninfo: str = field(repr=False)
    place: str
    statement_timeout: timedelta
    lock_timeout: timedelta

    @property
    def _settings(self) -> dict[str, str]:
        return {
            **_SETTINGS,
            "statement_timeout": str(self.statement_timeout // timedelta(milliseconds=1)),
            "lock_timeout": str(self.lock_timeout // timedelta(milliseconds=1)),
        }

    @contextmanager
    def catalog(self) -> Generator[psycopg.Connection[tuple[Any, ...]]]:
        """A connection for small questions; one snapshot from its first to its last.

        Raises:
            ConnectError: the server cannot be reached or refuses, or a question failed.
        """
        with self.in_our_words(), psycopg.connect(self.conninfo, prepare_threshold=None) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            for name, value in self._settings.items():
                connection.execute("SELECT set_config(%s, %s, true)", (name, value))
            yield connection

    @contextmanager
    def columns(self, batch_bytes: int) -> Generator[adbc.Cursor]:
        """A cursor that answers one query in Arrow batches of about this size.

        Raises:
            ConnectError: as `catalog`.
        """
        with self.in_our_words(), adbc.connect(self.conninfo) as connection, connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            for name, value in self._settings.items():
                call = sql.call("set_config", sql.literal(name), sql.literal(value), exp.true())
                cursor.execute(sql.text_of(exp.select(call), DIALECT))
                cursor.fetchall()
            cursor.adbc_statement.set_options(**{"adbc.postgresql.batch_size_hint_bytes": str(batch_bytes)})
            yield cursor

    @contextmanager
    def in_our_words(self) -> Generator[None]:
        """Turn the errors of both drivers into ours."""
        try:
            yield
        except (psycopg.Error, adbc.Error, pa.ArrowException, OSError) as error:
            raise self._classified(error) from error

    def _classified(self, error: BaseException) -> ConnectError:
        state: str | None = getattr(error, "sqlstate", None)
        text = _server_text(str(error))
        for states, texts, make in _KINDS:
            if (state or "").startswith(states) if state else any(part in text.lower() for part in texts):
                return make(state, text, self.place)
        if state is None and isinstance(error, psycopg.OperationalError | adbc.OperationalError):
            return Unreachable(f"no connection: {text}", where=self.place)
        suffix = f" (SQLSTATE {state})" if state else ""
        return VendorFault(f"the server answered with an error: {text}{suffix}", where=self.place)


def _server_text(text: str) -> str:
    """The first line of what the server said, without the query it was said about."""
    line = text.strip().splitlines()[0] if text.strip() else "no reason given"
    for mark in ("FATAL:", "ERROR:", "Failed to connect:", "connection failed:"):
        _, found, rest = line.partition(mark)
        if found:
            line = rest
    return line.strip()[:300]


def _credentials(state: str | None, text: str, place: str) -> ConnectError:  # noqa: ARG001
    return CredentialsRefused(
        f"the server refuses the credentials: {text}",
        where=place,
        remedy="Check user, password and the server's pg_hba.conf.",
    )


def _permission(state: str | None, text: str, place: str) -> ConnectError:  # noqa: ARG001
    return PermissionRefused(
        text, where=place, remedy="Grant the role USAGE on the schema and SELECT on the table."
    )


def _unknown(state: str | None, text: str, place: str) -> ConnectError:  # noqa: ARG001
    return UnknownName(text, where=place, remedy="Check the names of database, schema, table and columns.")


def _writing(state: str | None, text: str, place: str) -> ConnectError:  # noqa: ARG001
    return ConfigurationError(
        f"reading would have to write: {text}", where=place, remedy="Replicate a view that only reads."
    )


def _tls(state: str | None, text: str, place: str) -> ConnectError:  # noqa: ARG001
    return ConfigurationError(
        f"no encrypted connection: {text}", where=place, remedy="Check sslmode and the certificates."
    )


def _cancelled(state: str | None, text: str, place: str) -> ConnectError:  # noqa: ARG001
    return Stalled(
        text,
        where=place,
        remedy="Raise statement_timeout if the table needs more time, or give its filter field an index.",
    )


def _locked(state: str | None, text: str, place: str) -> ConnectError:  # noqa: ARG001
    return VendorFault(
        text, where=place, remedy="Somebody holds an exclusive lock on the table; a later try may succeed."
    )


def _gone(state: str | None, text: str, place: str) -> ConnectError:  # noqa: ARG001
    return Unreachable(f"the connection was lost: {text}", where=place)


def _busy(state: str | None, text: str, place: str) -> ConnectError:  # noqa: ARG001
    return VendorFault(f"the server has no room at the moment: {text}", where=place)


def _bad_value(state: str | None, text: str, place: str) -> ConnectError:  # noqa: ARG001
    # The server's text may quote a value of the table.
    return DataError(
        f"the server could not compute a value (SQLSTATE {state or 'unknown'})",
        where=place,
        remedy="A view or a generated value fails; run its query by hand to see the record.",
    )


_KINDS = (
    # SQLSTATE prefixes; what the text holds when a driver gives none; the error. The first match decides.
    (
        ("28",),
        (
            "password authentication failed",
            "pg_hba.conf",
            "no password supplied",
            "is not permitted to log in",
            'role "',
        ),
        _credentials,
    ),
    (("42501",), ("permission denied",), _permission),
    (("3D000", "3F000", "42P01", "42703"), ("does not exist",), _unknown),
    (("25006",), ("read-only transaction",), _writing),
    ((), ("certificate", "does not support ssl", "ssl was required", "sslmode"), _tls),
    (("55P03",), ("lock timeout",), _locked),
    (("57014",), ("statement timeout", "user request"), _cancelled),
    (
        ("57P", "08"),
        (
            "terminating connection",
            "closed the connection",
            "no connection to the server",
            "connection not open",
            "could not receive data",
        ),
        _gone,
    ),
    (("53",), ("too many clients", "remaining connection slots"), _busy),
    (("22",), ("division by zero", "out of range", "invalid input syntax"), _bad_value),
)


def address(url: str | None, parts: Mapping[str, str | int | None]) -> tuple[str, str]:
    """The connection string for libpq, and its place for messages.

    Args:
        url: `postgresql://…` or `key=value …`; `parts` that are not None win over it.

    Raises:
        ConfigurationError: libpq cannot read it; the text repeats nothing of it.
    """
    try:
        known = conninfo_to_dict(url or "")
    except psycopg.Error:
        # The cause quotes the URL with its password.
        raise ConfigurationError(
            "the URL of the PostgreSQL source cannot be read",
            expected="postgresql://user:password@host:5432/database",
            remedy="Characters such as @ / : # in a password are written as %40 %2F %3A %23.",
        ) from None
    merged: dict[str, Any] = {**_KEEPALIVE, **known, **{k: v for k, v in parts.items() if v is not None}}
    host, port, database = (
        merged.get("host", "local socket"),
        merged.get("port", 5432),
        merged.get("dbname", ""),
    )
    place = f"PostgreSQL {host}:{port}/{database}"
    return make_conninfo("", **merged), place


_KEEPALIVE: dict[str, Any] = {
    "application_name": "propexo_connect",
    "client_encoding": "UTF8",
    "connect_timeout": 15,
    # A server that vanished without a word is noticed within a minute.
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
