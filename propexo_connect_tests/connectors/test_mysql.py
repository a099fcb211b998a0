"""MySQL and MariaDB as sources, against a real MariaDB server."""

import secrets
import threading
import time
from collections.abc import Callable, Generator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
import pymysql
import pytest
from pydantic import SecretStr

from propexo_connect.connectors import mariadb
from propexo_connect.connectors.mysql import MySqlConfig, address, connector
from propexo_connect.connectors.mysql_server import classified
from propexo_connect.connectors.mysql_types import column_of
from propexo_connect.model.errors import (
    ConfigurationError,
    CredentialsRefused,
    DataError,
    PermissionRefused,
    Stalled,
    UnknownName,
    Unreachable,
    VendorFault,
)
from propexo_connect.model.stream import Axis, Filter, Meaning
from propexo_connect.model.tile import WHOLE, Request
from propexo_connect_tests.connectors.synced import landed
from propexo_connect_tests.connectors.tables import SMALL, Tables, context, ids, records_of
from propexo_connect_tests.connectors.wire import cut_after, free_port
from propexo_connect_tests.mariadb import MariaDb, throw_away_mariadb

NOON = datetime(2026, 3, 8, 12, tzinfo=UTC)
Execute = Callable[..., None]


@pytest.fixture(scope="module")
def server() -> Generator[MariaDb]:
    with throw_away_mariadb() as running:
        yield running


@pytest.fixture
def database(server: MariaDb) -> Generator[str]:
    """An empty database, dropped after the test."""
    name = f"test_{secrets.token_hex(6)}"
    server.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    try:
        yield name
    finally:
        server.execute(f"DROP DATABASE {name}")


@pytest.fixture
def execute(server: MariaDb, database: str) -> Execute:
    return lambda *statements: server.execute(*statements, database=database)


def tables_of(url: str, **settings: Any) -> Tables:
    return Tables(mariadb.connector, MySqlConfig(url=SecretStr(url), **settings))


@pytest.fixture
def tables(server: MariaDb, database: str) -> Tables:
    return tables_of(server.url(database))


def values_of(tables: Tables, execute: Execute, kind: str, *literals: str) -> pa.ChunkedArray:
    """What a column of this type holds after these literals were inserted, in their order."""
    execute("SET sql_mode = ''", f"CREATE TABLE units (id INT PRIMARY KEY, v {kind})")
    inserts = [f"INSERT IGNORE INTO units VALUES ({number}, {text})" for number, text in enumerate(literals)]
    execute("SET sql_mode = ''", *inserts)
    found = pa.concat_tables([page.records for page in tables.pages()])
    return found.column("v")


# -- configuration ----------------------------------------------------------------------------------------


def test_single_settings_win_over_the_url() -> None:
    given = MySqlConfig(
        url=SecretStr("mysql://ann:p%40ss@db.example:3307/crm"), host="other", database="books"
    )
    found = address(given)
    assert (found.host, found.port, found.user, found.database) == ("other", 3307, "ann", "books")
    assert found.password == SecretStr("p@ss")


@pytest.mark.parametrize(
    "url", ["mysql//u:canary-secret@h/d", "mysql://u:canary-secret@h:x/d", "mysql://u:canary-secret@h/d?x=1"]
)
def test_a_url_that_cannot_be_read_is_not_repeated(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        address(MySqlConfig(url=SecretStr(url)))
    assert "canary-secret" not in f"{caught.value} {caught.value.__cause__}"


def test_a_source_without_a_database_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="Set `database`"):
        address(MySqlConfig(host="db.example"))


def test_configuration_never_shows_its_secrets() -> None:
    tables = tables_of("mysql://u:canary-secret@h/d")
    with tables.opened() as source:
        assert "canary-secret" not in f"{tables.config!r} {source!r} {vars(source)}"


def test_streams_are_made_of_their_names_without_a_network() -> None:
    assert connector.stream(MySqlConfig(), "crm.units") is not None
    assert connector.stream(MySqlConfig(), "crm.") is None


# -- catalog ------------------------------------------------------------------------------------------------

TYPES = [
    ("TINYINT", "integer"),
    ("TINYINT(1)", "boolean"),
    ("BOOL", "boolean"),
    ("SMALLINT UNSIGNED", "integer"),
    ("INT UNSIGNED", "integer"),
    ("BIGINT", "integer"),
    ("BIGINT UNSIGNED", "decimal(20,0)"),
    ("YEAR", "integer"),
    ("DECIMAL(12,2)", "decimal(12,2)"),
    ("DECIMAL(65,30)", "decimal(38,30)"),
    ("FLOAT", "float"),
    ("DOUBLE", "float"),
    ("BIT(8)", "integer"),
    ("BIT(64)", "decimal(20,0)"),
    ("DATE", "date"),
    ("DATETIME(6)", "datetime"),
    ("TIMESTAMP(3) NULL", "timestamp"),
    ("TIME", "time"),
    ("JSON", "json"),
    ("BINARY(4)", "binary"),
    ("VARBINARY(4)", "binary"),
    ("LONGBLOB", "binary"),
    ("CHAR(3)", "text"),
    ("VARCHAR(10)", "text"),
    ("LONGTEXT", "text"),
    ("ENUM('a', 'b')", "text"),
    ("SET('a', 'b')", "text"),
    ("UUID", "text"),
    ("INET6", "text"),
    ("POINT", "text"),
]


def test_every_type_has_its_field_type_and_is_read(tables: Tables, execute: Execute) -> None:
    execute(f"CREATE TABLE units ({', '.join(f'c{n} {kind}' for n, (kind, _) in enumerate(TYPES))})")
    execute("INSERT INTO units (c0) VALUES (1), (NULL)")
    assert [str(field.type) for field in tables.prepared().fields] == [kind for _, kind in TYPES]
    assert [record["c0"] for record in tables.read()] == [1, None]


def test_a_tinyint_of_one_digit_is_an_integer_where_the_connection_says_so() -> None:
    assert str(column_of("v", "tinyint", "tinyint(1)", (3, 0), tinyint1_is_boolean=False).type) == "integer"


def test_comments_become_descriptions(tables: Tables, execute: Execute) -> None:
    execute("CREATE TABLE units (id INT COMMENT 'Our number') COMMENT 'What is let'")
    prepared = tables.prepared()
    assert (prepared.description, prepared.fields[0].description) == ("What is let", "Our number")


@pytest.mark.parametrize(
    ("definition", "key", "is_resumable"),
    [
        ("a INT, b INT, PRIMARY KEY (b, a)", ("b", "a"), True),
        ("a VARCHAR(5) PRIMARY KEY", ("a",), True),
        ("a ENUM('x', 'y') PRIMARY KEY", ("a",), False),
        ("a BINARY(16) PRIMARY KEY", ("a",), False),
        ("a INT NOT NULL UNIQUE, b INT", ("a",), False),
        ("a INT UNIQUE, b INT", (), False),
        ("a INT NOT NULL, b INT NOT NULL, UNIQUE (a, b), UNIQUE (b)", ("b",), False),
        ("a INT NOT NULL UNIQUE, b INT PRIMARY KEY", ("b",), True),
        ("a TEXT NOT NULL, UNIQUE (a(10))", (), False),
        ("a INT", (), False),
    ],
)
def test_the_key_is_the_primary_key_or_a_unique_index_without_nulls(
    tables: Tables, execute: Execute, definition: str, key: tuple[str, ...], is_resumable: bool
) -> None:
    execute(f"CREATE TABLE units ({definition})")
    prepared = tables.prepared()
    assert (prepared.key, prepared.resumable) == (key, is_resumable)


def test_a_table_of_another_engine_is_read_without_order(tables: Tables, execute: Execute) -> None:
    execute("CREATE TABLE units (id INT PRIMARY KEY) ENGINE = MyISAM", "INSERT INTO units VALUES (2), (1)")
    assert not tables.prepared().resumable
    assert ids(tables.read()) == [1, 2]


def test_discovery_offers_tables_and_views_and_names_possible_filters(
    tables: Tables, execute: Execute
) -> None:
    execute(
        "CREATE TABLE units (id INT AUTO_INCREMENT PRIMARY KEY, n INT, updated_at TIMESTAMP)",
        "CREATE VIEW let AS SELECT id FROM units",
    )
    with tables.opened() as source:
        found = {offered.name: offered for offered in source.discover()}
    assert {name: offered.key for name, offered in found.items()} == {"units": ("id",), "let": ()}
    assert found["units"].description == "Possible filters: id (created), updated_at (updated)"


def test_tables_of_other_databases_are_named_with_theirs(
    server: MariaDb, tables: Tables, database: str
) -> None:
    server.execute(f"CREATE DATABASE {database}_crm", f"CREATE TABLE {database}_crm.people (id INT)")
    try:
        with tables.opened(databases=(f"{database}_crm",)) as source:
            assert [offered.name for offered in source.discover()] == [f"{database}_crm.people"]
        assert tables.read(f"{database}_crm.people") == []
    finally:
        server.execute(f"DROP DATABASE {database}_crm")


def test_odd_names_are_names_and_never_sql(tables: Tables, execute: Execute) -> None:
    execute("CREATE TABLE units (id INT)")
    view, column = "Se`lect; DROP TABLE units; -- \\ 100%", '%s \\\'` "x"'
    quoted = ["`" + name.replace("`", "``") + "`" for name in (view, column)]
    execute(f"CREATE VIEW {quoted[0]} AS SELECT 1 AS {quoted[1]}")
    assert tables.read(view) == [{column: 1}]


def test_a_name_that_is_not_there_names_its_neighbours(tables: Tables, execute: Execute) -> None:
    execute("CREATE TABLE units (id INT, rent INT)")
    with pytest.raises(UnknownName, match="Did you mean 'units'"):
        tables.prepared("unit")
    with pytest.raises(UnknownName, match="Did you mean 'rent'"):
        tables.read(fields=frozenset({"rents"}))


# -- values -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "literal", "value"),
    [
        ("BIGINT", "-9223372036854775808", -(2**63)),
        ("BIGINT UNSIGNED", "18446744073709551615", Decimal(2**64 - 1)),
        ("DECIMAL(20,4)", "9999999999999999.9999", Decimal("9999999999999999.9999")),
        ("DECIMAL(65,30)", "'12345678901234567890123456789012345.5'",
         f"12345678901234567890123456789012345.5{'0' * 29}"),
        ("FLOAT", "16777216", 16777216.0),
        ("DOUBLE", "0.1", 0.1),
        ("DOUBLE", "1.7976931348623157e308", 1.7976931348623157e308),
        ("DOUBLE", "0.30000000000000004", 0.1 + 0.2),
        ("TINYINT(1)", "1", True),
        ("TINYINT(1)", "2", "2"),
        ("BIT(3)", "b'101'", 5),
        ("BIT(64)", "b'" + "1" * 64 + "'", Decimal(2**64 - 1)),
        ("YEAR", "2026", 2026),
        ("DATE", "'2026-02-28'", date(2026, 2, 28)),
        ("DATE", "'0000-00-00'", "0000-00-00"),
        ("DATETIME(6)", "'9999-12-31 23:59:59.999999'", datetime(9999, 12, 31, 23, 59, 59, 999999)),  # noqa: DTZ001
        ("DATETIME", "'0000-00-00'", "0000-00-00 00:00:00"),
        ("TIMESTAMP(6)", "'2026-03-08 12:00:00.5'", datetime(2026, 3, 8, 12, 0, 0, 500000, UTC)),
        ("TIME(6)", "'12:34:56.789'", "12:34:56.789000"),
        ("TIME", "'-838:59:59'", "-838:59:59"),
        ("JSON", """'{"b": 1, "a": 50000.0000000000000001}'""", '{"b": 1, "a": 50000.0000000000000001}'),
        ("VARBINARY(9)", "x'00ff'", b"\x00\xff"),
        ("BINARY(4)", "x'00ff'", b"\x00\xff\x00\x00"),
        ("CHAR(3)", "'x'", "x"),
        ("VARCHAR(30)", "'é😀 \\\\ \\' \"\\t'", "é😀 \\ ' \"\t"),
        ("VARCHAR(30) CHARACTER SET latin1", "'é'", "é"),
        ("VARCHAR(30)", "'01234'", "01234"),
        ("VARCHAR(30)", "''", ""),
        ("VARCHAR(300)", "REPEAT('x', 251)", "x" * 251),
        ("LONGTEXT", "REPEAT('x', 70000)", "x" * 70_000),
        ("LONGTEXT", "REPEAT('x', 16777300)", "x" * 16_777_300),
        ("ENUM('calm', 'loud')", "'loud'", "loud"),
        ("SET('a', 'b')", "'b,a'", "a,b"),
        ("UUID", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        ("POINT", "ST_GeomFromText('POINT(1 2)')", "POINT(1 2)"),
    ],
)  # fmt: skip
def test_values_arrive_exactly(
    tables: Tables, execute: Execute, kind: str, literal: str, value: object
) -> None:
    assert values_of(tables, execute, kind, literal, "NULL").to_pylist()[0] == value


def test_nulls_empty_texts_and_long_ones_stand_side_by_side(tables: Tables, execute: Execute) -> None:
    texts = ["NULL", "''", "'a'", "REPEAT('b', 250)", "REPEAT('c', 251)", "REPEAT('d', 65536)", "NULL"]
    assert values_of(tables, execute, "LONGTEXT", *texts).to_pylist() == [
        None, "", "a", "b" * 250, "c" * 251, "d" * 65_536, None,
    ]  # fmt: skip


def test_misfits_land_in_meta_and_the_rest_in_its_column(tables: Tables, execute: Execute) -> None:
    execute(
        "SET sql_mode = ''",
        "CREATE TABLE units (id INT PRIMARY KEY, let TINYINT(1), on_day DATE, n BIGINT UNSIGNED)",
        "INSERT INTO units VALUES (1, 1, '2026-03-08', 18446744073709551615), (2, 7, '0000-00-00', 0)",
    )
    first, second = landed(tables, "units", "SELECT let, on_day, n, _propexo_meta FROM units ORDER BY id")
    assert first == (True, date(2026, 3, 8), Decimal(2**64 - 1), None)
    assert second[:3] == (None, None, 0)
    assert "0000-00-00" in second[3]


# -- windows ------------------------------------------------------------------------------------------------


def test_a_filter_takes_axis_grain_and_zone_of_its_column(tables: Tables, execute: Execute) -> None:
    execute(
        "CREATE TABLE units (id INT AUTO_INCREMENT PRIMARY KEY, "
        "n INT, z TIMESTAMP, l DATETIME, d DATE, t TEXT)"
    )

    def filter_of(column: str) -> Filter:
        with tables.opened(zone="America/New_York", lookback_values=7) as source:
            given = source.prepare(tables.stream(filter=Filter(column))).filter
        assert given is not None
        return given

    assert (filter_of("z").zone, filter_of("z").lag) == ("UTC", timedelta(seconds=30))
    assert filter_of("l").zone == "America/New_York"
    assert filter_of("d").resolution == timedelta(days=1)
    assert (filter_of("n").axis, filter_of("n").lookback_values) == (Axis.INTEGER, 7)
    assert filter_of("id").meaning is Meaning.CREATED
    with pytest.raises(ConfigurationError, match="cannot be filtered"):
        filter_of("t")


@pytest.mark.parametrize("kind", ["DATETIME(6)", "TIMESTAMP(6)"])
def test_a_window_takes_both_of_its_ends_and_every_tie(tables: Tables, execute: Execute, kind: str) -> None:
    execute(f"CREATE TABLE units (id INT AUTO_INCREMENT PRIMARY KEY, at {kind})")
    for second in ("11:59:59.999999", "12:00:00", "12:00:00", "12:30:00", "13:00:00", "13:00:00.000001"):
        execute("SET time_zone = '+00:00'", f"INSERT INTO units (at) VALUES ('2026-03-08 {second}')")
    given = tables.stream(filter=Filter("at"))
    assert ids(tables.read(given, request=Request(NOON, NOON + timedelta(hours=1)))) == [2, 3, 4, 5]
    assert ids(tables.read(given, request=Request(None, NOON))) == [1, 2, 3]


def test_bounds_of_local_times_and_dates_are_local(tables: Tables, execute: Execute) -> None:
    execute(
        "CREATE TABLE units (id INT, at DATETIME, on_day DATE)",
        "INSERT INTO units VALUES (1, '2026-03-08 08:00', '2026-03-08'), "
        "(2, '2026-03-08 12:00', '2026-03-09')",
    )
    for column in ("at", "on_day"):
        given = tables.stream(filter=Filter(column))
        assert ids(tables.read(given, request=Request(NOON, NOON), zone="America/New_York")) == [1]


def test_a_window_of_numbers_takes_both_of_its_ends(tables: Tables, execute: Execute) -> None:
    execute("CREATE TABLE units (id INT PRIMARY KEY)", "INSERT INTO units VALUES (-3), (-2), (1), (2)")
    assert ids(tables.read(tables.stream(filter=Filter("id")), request=Request(-2, 1))) == [-2, 1]


def test_the_upper_bound_is_one_more_than_the_largest_number(tables: Tables, execute: Execute) -> None:
    execute("CREATE TABLE units (n BIGINT)")
    with tables.opened() as source:
        given = source.prepare(tables.stream(filter=Filter("n")))
        assert source.upper_bound(given) == 0
        execute("INSERT INTO units VALUES (5), (9223372036854775807), (NULL)")
        assert source.upper_bound(given) == 2**63


def test_a_transaction_longer_than_the_lag_is_told(
    server: MariaDb, tables: Tables, execute: Execute, database: str
) -> None:
    execute("CREATE TABLE units (id INT, at TIMESTAMP(6) NULL)")
    given = tables.stream(filter=Filter("at", lag=timedelta(microseconds=1)))
    said: list[str] = []
    port, password = server.port, urlsplit(server.url(database)).password or ""
    writing = pymysql.connect(host="127.0.0.1", port=port, user="owner", password=password, database=database)
    with writing, writing.cursor() as cursor:
        cursor.execute("INSERT INTO units VALUES (1, NULL)")
        tables.read(given, request=Request(NOON, None), ctx=context(said.append))
        writing.rollback()
    assert [line for line in said if "longer than the lag" in line]


# -- pages, order, resuming, one moment ---------------------------------------------------------------------


@pytest.fixture
def many(execute: Execute) -> None:
    execute(
        "CREATE TABLE units (a INT, b VARCHAR(20), text TEXT, PRIMARY KEY (a, b))",
        "INSERT INTO units SELECT CAST(seq DIV 10 AS SIGNED) - 1000, "
        "CONCAT('it''s \\\\ ', seq MOD 10), REPEAT('x', 500) FROM seq_0_to_19999",
    )


@pytest.mark.usefixtures("many")
def test_a_whole_read_in_the_order_of_the_key_goes_on_after_any_page(tables: Tables) -> None:
    pages = tables.pages(ctx=context(step_bytes=SMALL))
    everything = [(record["a"], record["b"]) for record in records_of(pages)]
    assert everything == sorted(set(everything))
    assert (len(everything), len(pages) > 10) == (20_000, True)
    assert max(page.size_bytes for page in pages) <= SMALL // 2
    for number in (0, 5, len(pages) - 1):
        rest = tables.read(position=pages[number].position)
        before = sum(page.records.num_rows for page in pages[: number + 1])
        assert [(record["a"], record["b"]) for record in rest] == everything[before:]


@pytest.mark.usefixtures("many")
def test_a_read_sees_one_moment(tables: Tables, execute: Execute) -> None:
    with tables.opened() as source:
        pages = source.read(source.prepare(tables.stream()), WHOLE, None, None, context(step_bytes=SMALL))
        first = next(pages)
        execute("UPDATE units SET text = 'changed'")
        rest = records_of([first, *pages])  # type: ignore[list-item]
    assert {record["text"] for record in rest} == {"x" * 500}


def test_a_read_cannot_write(tables: Tables, execute: Execute) -> None:
    execute(
        "CREATE TABLE units (id INT)",
        "CREATE FUNCTION sly() RETURNS INT MODIFIES SQL DATA "
        "BEGIN INSERT INTO units VALUES (1); RETURN 1; END",
        "CREATE VIEW trap AS SELECT sly() AS id",
    )
    with pytest.raises(ConfigurationError, match="only reads"):
        tables.read("trap")
    assert tables.read() == []


def test_an_empty_table_has_no_pages_and_what_was_read_is_counted(tables: Tables, execute: Execute) -> None:
    execute("CREATE TABLE units (id INT PRIMARY KEY)")
    assert tables.pages() == []
    execute("INSERT INTO units SELECT seq FROM seq_1_to_1000")
    ctx = context()
    tables.read(ctx=ctx)
    assert (ctx.meter.cost.request_count, ctx.meter.cost.bytes_read) == (1, 8000)


# -- errors ------------------------------------------------------------------------------------------------


def test_a_server_that_does_not_answer_is_unreachable() -> None:
    for host in (f"127.0.0.1:{free_port()}", "nohost.invalid"):
        tables = tables_of(f"mysql://u:canary-secret@{host}/d")
        with tables.opened() as source, pytest.raises(Unreachable) as caught:
            source.discover()
        assert "canary-secret" not in str(caught.value)


@pytest.mark.parametrize("user", ["owner", "nobody_here"])
def test_a_wrong_password_or_user_is_refused_credentials(server: MariaDb, database: str, user: str) -> None:
    tables = tables_of(server.url(database, user, "canary-secret"))
    with tables.opened() as source, pytest.raises(CredentialsRefused) as caught:
        source.discover()
    assert "canary-secret" not in f"{caught.value} {caught.value.__cause__!r}"


def test_a_database_that_is_not_there_is_an_unknown_name(server: MariaDb) -> None:
    with tables_of(server.url("nowhere")).opened() as source, pytest.raises(UnknownName, match="nowhere"):
        source.discover()


@pytest.fixture
def reader(server: MariaDb, database: str) -> Generator[str]:
    """A user that may do nothing yet but enter the database."""
    server.execute(
        "CREATE USER reader@'127.0.0.1' IDENTIFIED BY 'canary-secret'",
        f"GRANT CREATE TEMPORARY TABLES ON {database}.* TO reader@'127.0.0.1'",
    )
    try:
        yield server.url(database, "reader", "canary-secret")
    finally:
        server.execute("DROP USER reader@'127.0.0.1'")


def test_a_table_that_may_not_be_read_is_told_by_check_and_stops_no_other(
    reader: str, execute: Execute, database: str
) -> None:
    execute("CREATE TABLE units (id INT)", "CREATE TABLE leases (id INT)", "CREATE TABLE notes (id INT)")
    execute(f"GRANT SELECT ON {database}.leases TO reader@'127.0.0.1'")
    execute(f"GRANT INSERT ON {database}.notes TO reader@'127.0.0.1'")
    tables = tables_of(reader)
    names = ("units", "leases", "notes", "gone")
    with tables.opened() as source:
        units, leases, notes, gone = source.check([tables.stream(name) for name in names])
    assert leases.is_granted
    assert all("Grant" in (access.problem or "") for access in (units, notes))
    assert gone.problem is not None
    with pytest.raises(PermissionRefused):
        tables.prepared("units")


def test_columns_that_may_not_be_read_are_left_out(reader: str, execute: Execute, database: str) -> None:
    execute("CREATE TABLE units (id INT PRIMARY KEY, tenant_ssn TEXT)", "INSERT INTO units VALUES (1, 'x')")
    execute(f"GRANT SELECT (id) ON {database}.units TO reader@'127.0.0.1'")
    assert tables_of(reader).read() == [{"id": 1}]


def test_without_the_right_to_see_transactions_a_window_is_read_all_the_same(
    reader: str, execute: Execute, database: str
) -> None:
    execute(
        "CREATE TABLE units (id INT PRIMARY KEY, at DATETIME)", "INSERT INTO units VALUES (1, '2026-03-09')"
    )
    execute(f"GRANT SELECT ON {database}.units TO reader@'127.0.0.1'")
    tables = tables_of(reader)
    assert ids(tables.read(tables.stream(filter=Filter("at")), request=Request(NOON, None))) == [1]


def test_a_locked_table_is_to_be_tried_again(server: MariaDb, tables: Tables, execute: Execute) -> None:
    execute("CREATE TABLE units (id INT)")
    given = tables.config
    assert isinstance(given, MySqlConfig)
    where = address(given)
    password = where.password.get_secret_value() if where.password else ""
    holder = pymysql.connect(
        host=where.host, port=server.port, user=where.user, password=password, database=where.database
    )
    with tables.opened(lock_timeout=timedelta(seconds=1)) as source:
        prepared = source.prepare(tables.stream())
        with holder, holder.cursor() as cursor:
            cursor.execute("LOCK TABLES units WRITE")
            with pytest.raises(VendorFault, match="lock"):
                list(source.read(prepared, WHOLE, None, None, context()))


def test_a_statement_beyond_its_time_is_stalled(tables: Tables, execute: Execute) -> None:
    execute("CREATE VIEW units AS SELECT SLEEP(60) AS x")
    with pytest.raises(Stalled, match="statement_timeout"):
        tables.read(statement_timeout=timedelta(milliseconds=100))


def test_a_cancelled_sync_leaves_a_blocked_query_and_ends_it_on_the_server(
    server: MariaDb, tables: Tables, execute: Execute, database: str
) -> None:
    execute("CREATE VIEW units AS SELECT SLEEP(60) AS x")
    ctx = context()
    with tables.opened() as source:
        prepared = source.prepare(tables.stream())
        threading.Timer(0.3, ctx.stop.set).start()
        started = time.monotonic()
        with pytest.raises(Stalled, match="cancelled"):
            list(source.read(prepared, WHOLE, None, None, ctx))
    assert time.monotonic() - started < 10
    assert busy(server, database) == 0


def test_a_read_that_is_given_up_leaves_no_connection(
    server: MariaDb, tables: Tables, execute: Execute, database: str
) -> None:
    execute("CREATE TABLE units (id INT, text TEXT)")
    execute("INSERT INTO units SELECT seq, REPEAT('x', 1000) FROM seq_1_to_50000")
    with tables.opened() as source:
        pages = source.read(source.prepare(tables.stream()), WHOLE, None, None, context(step_bytes=SMALL))
        next(pages)
        pages.close()  # type: ignore[attr-defined]
    assert busy(server, database) == 0


def busy(server: MariaDb, database: str) -> int:
    """Connections to the database that are still there, once the server had a moment to notice."""
    password = urlsplit(server.url(database)).password or ""
    asking = pymysql.connect(host="127.0.0.1", port=server.port, user="owner", password=password)
    count = 1
    with asking, asking.cursor() as cursor:
        for _ in range(100):
            cursor.execute("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE DB = %s", (database,))
            count = cursor.fetchall()[0][0]
            if count == 0:
                break
            cursor.execute("DO SLEEP(0.02)")
    return count


@pytest.mark.parametrize("limit", [20, 3_000, 100_000, 1_000_000, 4_900_000])
def test_a_connection_cut_at_any_byte_is_an_error_and_never_a_short_read(
    server: MariaDb, tables: Tables, execute: Execute, limit: int
) -> None:
    execute("CREATE TABLE units (id INT, text TEXT)")
    execute("INSERT INTO units SELECT seq, REPEAT('x', 1000) FROM seq_1_to_5000")
    with tables.opened() as source:
        prepared = source.prepare(tables.stream())
    with (
        cut_after(server.port, limit) as port,
        tables.opened(port=port, sslmode="disable") as source,
        pytest.raises(Unreachable),
    ):
        list(source.read(prepared, WHOLE, None, None, context(step_bytes=SMALL)))


def test_a_server_that_ends_the_connection_is_unreachable(
    server: MariaDb, tables: Tables, execute: Execute
) -> None:
    execute("CREATE TABLE units (id INT, text TEXT)")
    execute("INSERT INTO units SELECT seq, REPEAT('x', 1000) FROM seq_1_to_50000")
    with tables.opened() as source:
        pages = source.read(source.prepare(tables.stream()), WHOLE, None, None, context(step_bytes=SMALL))
        next(pages)
        password = urlsplit(server.url("")).password or ""
        asking = pymysql.connect(host="127.0.0.1", port=server.port, user="owner", password=password)
        with asking, asking.cursor() as cursor:
            cursor.execute("SELECT ID FROM information_schema.PROCESSLIST WHERE INFO LIKE 'SELECT source%'")
            for (number,) in cursor.fetchall():
                cursor.execute(f"KILL {number}")
        with pytest.raises(Unreachable):
            list(pages)


def test_a_table_dropped_since_it_was_prepared_is_an_unknown_name(tables: Tables, execute: Execute) -> None:
    execute("CREATE TABLE units (id INT)")
    with tables.opened() as source:
        prepared = source.prepare(tables.stream())
        execute("DROP TABLE units")
        with pytest.raises(UnknownName, match="units"):
            list(source.read(prepared, WHOLE, None, None, context()))


def test_a_value_that_the_server_cannot_compute_is_a_matter_of_data_and_not_shown() -> None:
    given = pymysql.DataError(1690, "BIGINT UNSIGNED value is out of range in '(canary - 1)'")
    found = classified(given, "MySQL")
    assert isinstance(found, DataError)
    assert "canary" not in str(found)


# -- encryption --------------------------------------------------------------------------------------------


def test_a_certificate_of_a_trusted_authority_is_accepted(
    server: MariaDb, tables: Tables, execute: Execute
) -> None:
    execute("CREATE TABLE units (id INT)")
    for mode in ("require", "verify-ca", "verify-full"):
        ca = None if mode == "require" else str(server.ca)
        assert tables.read(sslmode=mode, ssl_ca=ca) == []


def test_a_certificate_of_a_stranger_is_a_matter_of_configuration(tables: Tables) -> None:
    with (
        tables.opened(sslmode="verify-full") as source,
        pytest.raises(ConfigurationError, match="certificates"),
    ):
        source.discover()


def test_encryption_that_the_server_lacks_is_a_matter_of_configuration() -> None:
    given = pymysql.OperationalError(2026, "SSL is required but the server doesn't support it")
    assert isinstance(classified(given, "MySQL"), ConfigurationError)


def test_a_file_of_authorities_that_is_not_there_is_told(tables: Tables) -> None:
    with (
        pytest.raises(ConfigurationError, match="trusted certificates"),
        tables.opened(sslmode="verify-full", ssl_ca="/nowhere.pem"),
    ):
        pass
