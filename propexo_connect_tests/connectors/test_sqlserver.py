"""SQL Server as a source: its SQL, types and errors, and its flow over a stand-in that understands T-SQL.

The stand-in answers the catalog's questions from a table and runs queries in DuckDB, translated by sqlglot.
It shows that our queries are T-SQL and mean what they should; it does not show what a server would answer.
"""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pymssql
import pytest
import sqlglot
from pydantic import SecretStr

from propexo_connect.connectors import sqlserver_server as server
from propexo_connect.connectors import sqlserver_types as types
from propexo_connect.connectors.base import ColumnPage
from propexo_connect.connectors.database import TableSettings, TableSource
from propexo_connect.connectors.sql import text_of
from propexo_connect.connectors.sqlserver import SqlServerConfig, connector
from propexo_connect.connectors.sqlserver_server import SqlServerDatabase, classified
from propexo_connect.connectors.sqlserver_types import column_of
from propexo_connect.model.clock import SystemClock
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
from propexo_connect.model.stream import Axis, Filter, Meaning, Stream
from propexo_connect.model.tile import WHOLE, Request
from propexo_connect_tests.connectors.tables import SMALL, context, records_of
from propexo_connect_tests.connectors.wire import free_port

NOON = datetime(2026, 3, 8, 12, tzinfo=UTC)


# -- types ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "digits", "kind", "selected"),
    [
        ("bigint", (19, 0), "integer", "source.[c]"),
        ("bit", (1, 0), "boolean", "source.[c]"),
        ("float", (53, 0), "float", "source.[c]"),
        ("decimal", (12, 2), "decimal(12,2)", "CONVERT(varchar(50), source.[c])"),
        ("money", (19, 4), "decimal(19,4)", "CONVERT(varchar(50), source.[c], 2)"),
        ("date", (10, 0), "date", "CONVERT(varchar(10), source.[c], 23)"),
        ("datetime", (23, 3), "datetime", "CONVERT(varchar(30), source.[c], 126)"),
        ("datetimeoffset", (34, 7), "timestamp", "CONVERT(varchar(40), source.[c], 127)"),
        ("time", (16, 7), "time", "CONVERT(varchar(20), source.[c], 121)"),
        ("timestamp", (0, 0), "integer", "CAST(source.[c] AS BIGINT)"),
        ("varbinary", (0, 0), "binary", "source.[c]"),
        ("geography", (0, 0), "binary", "CONVERT(varbinary(max), source.[c])"),
        ("uniqueidentifier", (0, 0), "text", "CONVERT(nvarchar(max), source.[c])"),
        ("hierarchyid", (0, 0), "text", "CONVERT(nvarchar(4000), source.[c])"),
        ("nvarchar", (0, 0), "text", "source.[c]"),
    ],
)
def test_a_type_has_its_field_type_and_the_way_it_is_selected(
    base: str, digits: tuple[int, int], kind: str, selected: str
) -> None:
    column = column_of("c", base, digits)
    assert str(column.type) == kind
    assert text_of(column.selected, "tsql") == f"{selected} AS [c]"


@pytest.mark.parametrize(
    ("base", "bound"),
    [
        ("datetime", "CAST('2026-03-08T12:00:00+00:00' AS DATETIME2)"),
        ("datetimeoffset", "CAST('2026-03-08T12:00:00+00:00' AS DATETIMEOFFSET)"),
    ],
)
def test_bounds_are_cast_because_old_types_refuse_microseconds(base: str, bound: str) -> None:
    assert text_of(column_of("c", base, (0, 0)).instant(NOON), "tsql") == bound


# -- flow ------------------------------------------------------------------------------------------


@dataclass
class StandIn:
    """A server with one table, `dbo.units`, and a column that may not be read."""

    database: duckdb.DuckDBPyConnection
    allows_snapshot: bool = True
    asked: list[str] = field(default_factory=list[str])

    def answer(self, query: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        self.asked.append(query)
        name = values[1] if values else None
        is_there = values and "dbo" in values[0] and name in {None, "units"}
        match query:
            case types.RELATIONS:
                return [(7, "dbo", "units", "What is let")] if is_there else []
            case types.COLUMNS:
                return [
                    (7, "id", "int", 10, 0, True, None, 1),
                    (7, "version", "timestamp", 0, 0, False, None, 1),
                    (7, "name", "nvarchar", 0, 0, False, "As on the door", 1),
                    (7, "ssn", "nvarchar", 0, 0, False, None, 0),
                ] if is_there else []  # fmt: skip
            case types.KEYS:
                return [
                    (7, 3, False, 2, "name", True),
                    (7, 2, False, 2, "version", False),
                    (7, 1, True, 1, "id", False),
                ] if is_there else []  # fmt: skip
            case server.ALLOWS_SNAPSHOT:
                return [(int(self.allows_snapshot),)]
            case server.OPEN_WRITE:
                return [(90,)]
            case _ if query.startswith(("SET", "BEGIN")):
                return []
            case _:
                (said,) = sqlglot.transpile(query, read="tsql", write="duckdb")
                return self.database.execute(said).fetchall()

    def connect(self) -> "StandInConnection":
        return StandInConnection(self)


@dataclass
class StandInConnection:
    stand_in: StandIn
    rows: list[tuple[Any, ...]] = field(default_factory=list[tuple[Any, ...]])

    def cursor(self) -> "StandInConnection":
        return StandInConnection(self.stand_in)

    def __enter__(self) -> "StandInConnection":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        self.rows = []

    def execute(self, query: str, values: Sequence[Any] | None = None) -> None:
        self.rows = self.stand_in.answer(query, values or ())

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self.fetchmany(len(self.rows))

    def fetchmany(self, count: int) -> list[tuple[Any, ...]]:
        taken, self.rows = self.rows[:count], self.rows[count:]
        return taken


@pytest.fixture
def stand_in() -> StandIn:
    database = duckdb.connect()
    database.execute(
        "CREATE SCHEMA dbo; SET search_path = 'dbo'; CREATE TABLE units (id INT, version BIGINT, name TEXT)"
    )
    database.execute("INSERT INTO units SELECT i - 5000, i * 2, 'unit ' || i FROM range(10000) t(i)")
    return StandIn(database)


@pytest.fixture
def source(stand_in: StandIn) -> TableSource:
    database = SqlServerDatabase("SQL Server", stand_in.connect, timedelta(minutes=1))
    return TableSource(database, TableSettings(), SystemClock())


def read(source: TableSource, stream: Stream, request: Request = WHOLE, position: str | None = None) -> Any:
    pages = source.read(source.prepare(stream), request, None, position, context(step_bytes=SMALL // 4))
    return [page for page in pages if isinstance(page, ColumnPage)]


UNITS = Stream("units", table=("dbo", "units"))


def test_a_table_is_offered_with_its_key_and_the_columns_that_may_be_read(source: TableSource) -> None:
    (units,) = source.discover()
    assert (units.name, units.key, units.description) == (
        "units",
        ("id",),
        "What is let. Possible filters: id (created)",
    )
    assert [(given.name, str(given.type)) for given in units.fields] == [
        ("id", "integer"), ("version", "integer"), ("name", "text"),
    ]  # fmt: skip
    assert source.prepare(UNITS).resumable


def test_a_whole_read_in_the_order_of_the_key_goes_on_after_any_page(source: TableSource) -> None:
    pages = read(source, UNITS)
    everything = [record["id"] for record in records_of(pages)]
    assert everything == list(range(-5000, 5000))
    assert len(pages) == 4
    rest = records_of(read(source, UNITS, position=pages[2].position))
    before = sum(page.records.num_rows for page in pages[:3])
    assert [record["id"] for record in rest] == everything[before:]


def test_a_rowversion_is_a_filter_on_updates_and_a_cursor(source: TableSource) -> None:
    given = Stream("units", table=("dbo", "units"), filter=Filter("version"))
    prepared = source.prepare(given)
    assert prepared.filter is not None
    assert (prepared.filter.axis, prepared.filter.meaning) == (Axis.INTEGER, Meaning.UPDATED)
    assert prepared.cursor == "version"
    assert source.upper_bound(prepared) == 19_999
    assert [record["version"] for record in records_of(read(source, given, Request(10, 14)))] == [10, 12, 14]


def test_reading_is_one_transaction_at_the_level_that_the_database_allows(
    source: TableSource, stand_in: StandIn
) -> None:
    source.discover()
    assert "SET TRANSACTION ISOLATION LEVEL SNAPSHOT" in stand_in.asked
    assert stand_in.asked.index("SET TRANSACTION ISOLATION LEVEL SNAPSHOT") < stand_in.asked.index(
        "BEGIN TRANSACTION"
    )
    stand_in.allows_snapshot = False
    stand_in.asked.clear()
    source.discover()
    assert "SET TRANSACTION ISOLATION LEVEL SNAPSHOT" not in stand_in.asked


def test_check_and_preparing_tell_a_name_that_is_not_there(source: TableSource) -> None:
    units, gone = source.check([UNITS, Stream("unit", table=("dbo", "unit"))])
    assert units.is_granted
    assert "Did you mean 'units'" in (gone.problem or "")


# -- configuration and errors -----------------------------------------------------------------------------


def config(port: int) -> SqlServerConfig:
    return SqlServerConfig(
        host="127.0.0.1", port=port, database="crm", user="ann", password=SecretStr("canary-secret")
    )


def test_a_server_that_does_not_answer_is_unreachable_and_no_secret_is_shown() -> None:
    given = config(free_port())
    with connector.open(given, SystemClock()) as opened:
        assert "canary" not in f"{given!r} {opened!r} {vars(opened)!r}"
        with pytest.raises(Unreachable) as caught:
            opened.discover()
    assert "canary" not in f"{caught.value} {caught.value.__cause__!r}"


def test_a_stream_is_made_of_its_name_without_a_network() -> None:
    made = connector.stream(config(1), "crm.units")
    assert made is not None
    assert made.table == ("crm", "units")
    assert connector.stream(config(1), "crm.") is None


@pytest.mark.parametrize(
    ("number", "text", "kind"),
    [
        (18456, "Login failed for user 'ann'.", CredentialsRefused),
        (229, "The SELECT permission was denied on the object 'units'", PermissionRefused),
        (208, "Invalid object name 'dbo.unit'.", UnknownName),
        (4060, 'Cannot open database "crm" requested by the login.', UnknownName),
        (20002, "Encryption could not be negotiated", ConfigurationError),
        (20002, "Adaptive Server connection failed", Unreachable),
        (1205, "was deadlocked on lock resources", VendorFault),
        (20003, "Adaptive Server connection timed out", Stalled),
        (8134, "Divide by zero error encountered.", DataError),
        (40613, "Database 'crm' is not currently available.", VendorFault),
        (20004, "Read from the server failed", Unreachable),
        (99999, "Something new", VendorFault),
    ],
)
def test_errors_tell_who_has_to_act(number: int, text: str, kind: type[ConnectError]) -> None:
    said = f"{text}DB-Lib error message {number}, severity 14:\nGeneral SQL Server error".encode()
    for error in (pymssql.OperationalError(number, said), pymssql.OperationalError((number, said))):
        found = classified(error, "SQL Server")
        assert type(found) is kind
        assert "DB-Lib" not in str(found)


def test_values_in_errors_of_computing_are_not_shown() -> None:
    said = b"Conversion failed when converting the varchar value 'canary' to data type int."
    assert "canary" not in str(classified(pymssql.DataError(245, said), "SQL Server"))


def test_a_driver_that_is_not_installed_is_named() -> None:
    from propexo_connect.connectors.driver import load

    with pytest.raises(ConfigurationError, match=r"pip install 'propexo-connect\[x\]'"):
        load("propexo_connect_no_such_driver", "x", "X")


def test_the_stand_in_speaks_of_what_it_was_told(stand_in: StandIn) -> None:
    with closing(stand_in.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM [dbo].[units] AS source WHERE (1 = 0)")
        assert cursor.fetchall() == [(0,)]
