"""PostgreSQL as a source, against a real server."""

import json
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from decimal import Decimal
from typing import Any, cast
from urllib.parse import urlsplit

import psycopg
import pyarrow as pa
import pytest
from pydantic import SecretStr

from propexo_connect.connectors.ahead import read_ahead
from propexo_connect.connectors.base import ColumnPage, ReadContext, Source
from propexo_connect.connectors.database import TableSource
from propexo_connect.connectors.postgres import PostgresConfig, PostgresDatabase, connector
from propexo_connect.connectors.postgres_catalog import decimal_type
from propexo_connect.connectors.table_name import parse_name, stream_name
from propexo_connect.model.clock import SystemClock
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
from propexo_connect.model.field import Field, FieldType, Kind
from propexo_connect.model.stream import REQUEST_RETRY, Axis, Filter, Meaning, Stream
from propexo_connect.model.tile import WHOLE, Request
from propexo_connect_tests.connectors.wire import cut_after, free_port

NOON = datetime(2026, 3, 8, 12, tzinfo=UTC)
Execute = Callable[[str], None]


@pytest.fixture
def execute(postgres_url: str) -> Execute:
    def run(statement: str) -> None:
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute(statement.encode())

    return run


def context(log: Callable[[str], None] = lambda _: None, step_bytes: int = 32 * 1024 * 1024) -> ReadContext:
    return ReadContext(SystemClock(), REQUEST_RETRY, log=log, step_bytes=step_bytes)


@contextmanager
def opened(url: str, **settings: Any) -> Generator[Source]:
    with connector.open(PostgresConfig(url=SecretStr(url), **settings), SystemClock()) as source:
        yield source


def stream(name: str = "units", **given: Any) -> Stream:
    made = connector.stream(PostgresConfig(), name)
    assert made is not None
    return replace(made, **given)


def pages_of(
    url: str,
    given: Stream,
    request: Request = WHOLE,
    fields: frozenset[str] | None = None,
    position: str | None = None,
    ctx: ReadContext | None = None,
    **settings: Any,
) -> list[ColumnPage]:
    with opened(url, **settings) as source:
        pages = source.read(source.prepare(given), request, fields, position, ctx or context())
        return [page for page in pages if isinstance(page, ColumnPage)]


def records_of(pages: Sequence[ColumnPage]) -> list[dict[str, Any]]:
    return [record for page in pages for record in page.records.to_pylist()]


def read(url: str, given: Stream, **how: Any) -> list[dict[str, Any]]:
    return records_of(pages_of(url, given, **how))


def values_of(url: str, execute: Execute, kind: str, *literals: str) -> pa.ChunkedArray:
    """What a column of this type holds after these literals were inserted, in their order."""
    execute(f"CREATE TABLE units (id int PRIMARY KEY, v {kind})")
    for number, text in enumerate(literals):
        execute(f"INSERT INTO units VALUES ({number}, {text})")
    pages = pages_of(url, stream())
    table = pa.concat_tables([page.records for page in pages]).sort_by("id")
    return table.column("v")


# -- names ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("units", ("public", "units")),
        ("crm.units", ("crm", "units")),
        ("crm.a.b", ("crm", "a.b")),
        ('"a.b"."c""d"', ("a.b", 'c"d')),
        ("Fancy Name", ("public", "Fancy Name")),
        ("", None),
        (".units", None),
        ("crm.", None),
        ('a"b', None),
        ("a\0b", None),
    ],
)
def test_names_of_streams_are_read_as_tables(name: str, table: tuple[str, str] | None) -> None:
    assert parse_name(name, "public") == table


@pytest.mark.parametrize("table", [("public", "units"), ("crm", "units"), ("public", "a.b"), ("a.b", 'c"d')])
def test_every_table_has_a_name_that_is_read_as_that_table(table: tuple[str, str]) -> None:
    assert parse_name(stream_name(*table, "public"), "public") == table


def test_a_stream_is_made_of_its_name_without_a_network() -> None:
    assert stream("crm.units").table == ("crm", "units")
    assert connector.stream(PostgresConfig(), "crm.") is None


# -- catalog --------------------------------------------------------------------------------------------

TYPES = [
    ("int2", "integer"),
    ("int4", "integer"),
    ("int8", "integer"),
    ("oid", "integer"),
    ("numeric(12,2)", "decimal(12,2)"),
    ("numeric(5,0)", "decimal(5,0)"),
    ("numeric", "decimal(38,9)"),
    ("numeric(50,10)", "decimal(38,10)"),
    ("money", "decimal(38,2)"),
    ("float4", "float"),
    ("float8", "float"),
    ("bool", "boolean"),
    ("date", "date"),
    ("timestamptz", "timestamp"),
    ("timestamp(3)", "datetime"),
    ("time", "time"),
    ("timetz", "text"),
    ("interval", "text"),
    ("bytea", "binary"),
    ("json", "json"),
    ("jsonb", "json"),
    ("int4[]", "json"),
    ("text[][]", "json"),
    ("address", "json"),
    ("int4range", "text"),
    ("uuid", "text"),
    ("inet", "text"),
    ("mood", "text"),
    ("char(3)", "text"),
    ("varchar(10)", "text"),
    ("text", "text"),
    ("rent", "decimal(10,2)"),
    ("high_rent", "decimal(10,2)"),
]


def test_every_type_has_its_field_type_and_is_read(postgres_url: str, execute: Execute) -> None:
    execute("CREATE TYPE address AS (street text, number int)")
    execute("CREATE TYPE mood AS ENUM ('calm', 'loud')")
    execute("CREATE DOMAIN rent AS numeric(10,2)")
    execute("CREATE DOMAIN high_rent AS rent CHECK (VALUE > 1000)")
    execute(f"CREATE TABLE units ({', '.join(f'c{n} {kind}' for n, (kind, _) in enumerate(TYPES))})")
    execute("INSERT INTO units (c0) VALUES (1), (NULL)")
    with opened(postgres_url) as source:
        prepared = source.prepare(stream())
    assert [str(field.type) for field in prepared.fields] == [kind for _, kind in TYPES]
    assert [record["c0"] for record in read(postgres_url, stream())] == [1, None]


@pytest.mark.parametrize(
    ("typmod", "expected"),
    [(-1, "decimal(38,9)"), (((5 << 16) | 2) + 4, "decimal(5,2)"), (((5 << 16) | 2046) + 4, "decimal(7,0)"),
     (((2 << 16) | 5) + 4, "decimal(5,5)"), (((1000 << 16) | 500) + 4, "decimal(38,38)")],
)  # fmt: skip
def test_modifiers_of_numerics_become_decimals_of_at_most_38_digits(typmod: int, expected: str) -> None:
    assert str(decimal_type(typmod)) == expected


def test_comments_become_descriptions(postgres_url: str, execute: Execute) -> None:
    execute("CREATE TABLE units (id int)")
    execute("COMMENT ON TABLE units IS 'What is let'")
    execute("COMMENT ON COLUMN units.id IS 'Our number'")
    with opened(postgres_url) as source:
        prepared = source.prepare(stream())
    assert prepared.description == "What is let"
    assert prepared.fields[0].description == "Our number"


@pytest.mark.parametrize(
    ("definition", "key"),
    [
        ("a int, b int, PRIMARY KEY (b, a)", ("b", "a")),
        ("a int NOT NULL UNIQUE, b int", ("a",)),
        ("a int UNIQUE, b int", ()),
        ("a int NOT NULL, b int NOT NULL, UNIQUE (a, b), UNIQUE (b)", ("b",)),
        ("a int NOT NULL UNIQUE, b int PRIMARY KEY", ("b",)),
        ("a int NOT NULL, b int, UNIQUE (a) DEFERRABLE INITIALLY DEFERRED", ()),
        ("a int, b int", ()),
    ],
)
def test_the_key_is_the_primary_key_or_a_unique_index_without_nulls(
    postgres_url: str, execute: Execute, definition: str, key: tuple[str, ...]
) -> None:
    execute(f"CREATE TABLE units ({definition})")
    with opened(postgres_url) as source:
        assert source.prepare(stream()).key == key


def test_an_index_over_a_part_or_an_expression_is_no_key(postgres_url: str, execute: Execute) -> None:
    execute("CREATE TABLE units (a int NOT NULL, b text NOT NULL)")
    execute("CREATE UNIQUE INDEX ON units (a) WHERE a > 0")
    execute("CREATE UNIQUE INDEX ON units (lower(b))")
    execute("CREATE UNIQUE INDEX ON units (lower(b), a)")
    with opened(postgres_url) as source:
        assert source.prepare(stream()).key == ()


def test_discovery_offers_tables_partitioned_tables_and_views_of_the_schemas(
    postgres_url: str, execute: Execute
) -> None:
    execute("CREATE SCHEMA crm")
    execute("CREATE SCHEMA other")
    execute("CREATE TABLE units (id int PRIMARY KEY)")
    execute("CREATE TABLE crm.people (id int PRIMARY KEY)")
    execute("CREATE TABLE other.hidden (id int)")
    execute("CREATE TABLE events (id int, at date) PARTITION BY RANGE (at)")
    execute("CREATE TABLE events_2026 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')")
    execute("CREATE VIEW occupied AS SELECT id FROM units")
    execute("CREATE MATERIALIZED VIEW totals AS SELECT count(*) AS n FROM units")
    with opened(postgres_url, schemas=("public", "crm")) as source:
        found = {offered.name: offered.key for offered in source.discover()}
    assert found == {"crm.people": ("id",), "units": ("id",), "events": (), "occupied": (), "totals": ()}


def test_views_partitions_and_odd_names_are_read(postgres_url: str, execute: Execute) -> None:
    execute("CREATE TABLE events (id int, at date) PARTITION BY RANGE (at)")
    execute("CREATE TABLE events_2026 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')")
    execute("INSERT INTO events VALUES (1, '2026-02-03')")
    execute("CREATE MATERIALIZED VIEW totals AS SELECT count(*) AS n FROM events")
    execute('CREATE VIEW "Se""lect; DROP TABLE events; --" AS SELECT id AS "%s $1 ""x""" FROM events')
    assert read(postgres_url, stream("events")) == [{"id": 1, "at": date(2026, 2, 3)}]
    assert read(postgres_url, stream("events_2026")) == [{"id": 1, "at": date(2026, 2, 3)}]
    assert read(postgres_url, stream("totals")) == [{"n": 1}]
    odd = stream('"Se""lect; DROP TABLE events; --"')
    assert read(postgres_url, odd) == [{'%s $1 "x"': 1}]
    assert read(postgres_url, odd, fields=frozenset({'%s $1 "x"'})) == [{'%s $1 "x"': 1}]


def test_discovery_names_columns_that_may_serve_as_filter(postgres_url: str, execute: Execute) -> None:
    execute(
        "CREATE TABLE units (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n int, updated_at timestamptz)"
    )
    with opened(postgres_url) as source:
        (offered,) = source.discover()
    assert offered.filter is None
    assert offered.description == "Possible filters: id (created), updated_at (updated)"


# -- preparing ------------------------------------------------------------------------------------------


def test_a_table_that_is_not_there_names_its_neighbours(postgres_url: str, execute: Execute) -> None:
    execute("CREATE TABLE units (id int)")
    with opened(postgres_url) as source, pytest.raises(UnknownName, match="Did you mean 'units'"):
        source.prepare(stream("unit"))


@pytest.mark.parametrize(
    "given", [{"filter": Filter("updated_on")}, {"cursor": "updated_on"}, {"key": ("updated_on",)}]
)
def test_a_column_that_is_not_there_names_its_neighbours(
    postgres_url: str, execute: Execute, given: dict[str, Any]
) -> None:
    execute("CREATE TABLE units (id int, updated_at timestamptz)")
    with opened(postgres_url) as source, pytest.raises(UnknownName, match="Did you mean 'updated_at'"):
        source.prepare(stream(**given))


def test_a_chosen_field_that_is_not_there_is_an_unknown_name(postgres_url: str, execute: Execute) -> None:
    execute("CREATE TABLE units (id int, rent int)")
    with pytest.raises(UnknownName, match="Did you mean 'rent'"):
        read(postgres_url, stream(), fields=frozenset({"rents"}))


def prepared_filter(url: str, column: str, **settings: Any) -> Filter:
    with opened(url, **settings) as source:
        given = source.prepare(stream(filter=Filter(column))).filter
    assert given is not None
    return given


def test_a_filter_takes_axis_grain_and_zone_of_its_column(postgres_url: str, execute: Execute) -> None:
    execute("CREATE TABLE units (id serial PRIMARY KEY, n int, z timestamptz, l timestamp, d date)")
    zone = {"zone": "America/New_York", "lookback_values": 7}
    instant = prepared_filter(postgres_url, "z", **zone)
    assert (instant.axis, instant.zone, instant.lag) == (Axis.INSTANT, "UTC", timedelta(seconds=30))
    assert instant.resolution == timedelta(microseconds=1)
    assert prepared_filter(postgres_url, "l", **zone).zone == "America/New_York"
    assert prepared_filter(postgres_url, "l").zone == "UTC"
    assert prepared_filter(postgres_url, "d", **zone).resolution == timedelta(days=1)
    number = prepared_filter(postgres_url, "n", **zone)
    assert (number.axis, number.meaning, number.lookback_values) == (Axis.INTEGER, Meaning.UPDATED, 7)
    assert prepared_filter(postgres_url, "id").meaning is Meaning.CREATED


def test_a_filter_on_updates_is_the_cursor_unless_another_is_named(
    postgres_url: str, execute: Execute
) -> None:
    execute("CREATE TABLE units (id int, updated_at timestamptz, version int)")
    with opened(postgres_url) as source:
        assert source.prepare(stream(filter=Filter("updated_at"))).cursor == "updated_at"
        assert source.prepare(stream(filter=Filter("updated_at"), cursor="version")).cursor == "version"
        assert source.prepare(stream()).cursor is None


def test_a_filter_on_text_is_refused(postgres_url: str, execute: Execute) -> None:
    execute("CREATE TABLE units (id int, name text)")
    with opened(postgres_url) as source, pytest.raises(ConfigurationError, match="cannot be filtered"):
        source.prepare(stream(filter=Filter("name")))


def test_overrides_of_key_and_types_stay(postgres_url: str, execute: Execute) -> None:
    execute("CREATE TABLE units (id int PRIMARY KEY, code text)")
    kept = Field("code", FieldType(Kind.INTEGER))
    with opened(postgres_url) as source:
        prepared = source.prepare(stream(key=("code",), fields=(kept,)))
    assert prepared.key == ("code",)
    assert [str(field.type) for field in prepared.fields] == ["integer", "integer"]


def test_the_upper_bound_is_one_more_than_the_largest_number(postgres_url: str, execute: Execute) -> None:
    execute("CREATE TABLE units (n bigint)")
    with opened(postgres_url) as source:
        given = source.prepare(stream(filter=Filter("n")))
        assert source.upper_bound(given) == 0
        execute("INSERT INTO units VALUES (5), (9223372036854775807), (NULL)")
        assert source.upper_bound(given) == 2**63


# -- values ---------------------------------------------------------------------------------------------


def test_numerics_are_exact_decimals(postgres_url: str, execute: Execute) -> None:
    found = values_of(
        postgres_url, execute, "numeric(20,4)", "50000.0001", "-0.00", "9999999999999999.9999", "NULL"
    )
    assert found.type == pa.decimal128(20, 4)
    assert found.to_pylist() == [Decimal("50000.0001"), Decimal(0), Decimal("9999999999999999.9999"), None]


@pytest.mark.parametrize("odd", ["'NaN'", "'Infinity'", "1e39", "0.12345678901234"])
def test_numerics_that_no_decimal_holds_come_as_the_server_writes_them(
    postgres_url: str, execute: Execute, odd: str
) -> None:
    found = values_of(postgres_url, execute, "numeric", "1.50", odd)
    assert found.type == pa.string()
    written = {"1e39": "1" + "0" * 39}.get(odd, odd.strip("'"))
    assert found.to_pylist() == ["1.50", written]


@pytest.mark.parametrize(
    ("kind", "literals", "texts"),
    [
        ("timestamptz", ["'infinity'", "'-infinity'", "NULL", "'2026-03-08 12:00:00.5+00'"],
         ["infinity", "-infinity", None, "2026-03-08 12:00:00.5+00"]),
        ("timestamp", ["'infinity'", "'10000-01-01'", "'294276-12-31 23:59:59.999999'", "'0044-03-15 BC'"],
         ["infinity", "10000-01-01 00:00:00", "294276-12-31 23:59:59.999999", "0044-03-15 00:00:00 BC"]),
        ("date", ["'infinity'", "'-infinity'", "'4713-01-01 BC'", "'5874897-12-31'", "'0001-01-01'"],
         ["infinity", "-infinity", "4713-01-01 BC", "5874897-12-31", "0001-01-01"]),
        ("time", ["'24:00'", "'23:59:59.999999'", "'00:00'"], ["24:00:00", "23:59:59.999999", "00:00:00"]),
    ],
)  # fmt: skip
def test_instants_that_arrow_cannot_hold_come_as_the_server_writes_them(
    postgres_url: str, execute: Execute, kind: str, literals: list[str], texts: list[str | None]
) -> None:
    assert values_of(postgres_url, execute, kind, *literals).to_pylist() == texts


@pytest.mark.parametrize("kind", ["timestamptz", "timestamp", "date"])
def test_odd_instants_are_written_like_the_server_does(
    postgres_url: str, execute: Execute, kind: str
) -> None:
    days = [
        f"'{year:04}-{rest}'"
        for year in (1, 4, 1504, 1900, 2000, 9999, 10000, 10400, 99999)
        for rest in ("02-28", "03-01", "12-31")
    ]
    days += [
        f"'{year:04}-{rest} BC'" for year in (1, 2, 5, 400, 401, 4000) for rest in ("01-01", "02-28", "12-31")
    ]
    found = values_of(postgres_url, execute, kind, *days).to_pylist()
    with psycopg.connect(postgres_url) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        expected = connection.execute("SELECT v::text FROM units ORDER BY id").fetchall()
    assert found == [row[0] for row in expected]


def test_years_1_to_9999_stay_instants(postgres_url: str, execute: Execute) -> None:
    found = values_of(
        postgres_url, execute, "timestamptz", "'0001-01-01 00:00+00'", "'9999-12-31 23:59:59.999999+00'"
    )
    assert found.type == pa.timestamp("us", "UTC")
    assert found.to_pylist()[1] == datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "literal", "value"),
    [
        ("int8", "9223372036854775807", 2**63 - 1),
        ("oid", "4294967295", 2**32 - 1),
        ("float8", "'-Infinity'", float("-inf")),
        ("float8", "1e-300", 1e-300),
        ("money", "'1234.50'::numeric::money", Decimal("1234.50")),
        ("bool", "true", True),
        ("bytea", r"'\x00ff'", b"\x00\xff"),
        ("uuid", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        ("inet", "'192.168.0.1/24'", "192.168.0.1/24"),
        ("interval", "'1 day 2 hours'", "P1DT2H"),
        ("timetz", "'12:00+02'", "12:00:00+02"),
        ("time", "'12:34:56.789'", time_of_day(12, 34, 56, 789000)),
        ("int4range", "'[1,5)'", "[1,5)"),
        ("char(3)", "'x'", "x  "),
        ("text", "E'\\u0001\\t é😀 \\\\ '' \"'", "\x01\t é😀 \\ ' \""),
        ("text", "'01234'", "01234"),
        ("text", "''", ""),
        ("text", "repeat('x', 50000000)", "x" * 50_000_000),
        ("bit(3)", "'101'", "101"),
    ],
)
def test_values_arrive_exactly(
    postgres_url: str, execute: Execute, kind: str, literal: str, value: object
) -> None:
    assert values_of(postgres_url, execute, kind, literal).to_pylist() == [value]


@pytest.mark.parametrize(
    ("kind", "literal", "text"),
    [
        ("jsonb", """'{"b": 1, "a": 50000.0000000000000001}'""", '{"a": 50000.0000000000000001, "b": 1}'),
        ("json", """'{"b":1, "b":2}'""", '{"b":1, "b":2}'),
        ("int4[]", "'{{1,2},{3,NULL}}'", "[[1, 2], [3, null]]"),
        ("numeric[]", "'{1.10,12345678901234567890.5}'", "[1.10, 12345678901234567890.5]"),
        ("timestamptz[]", "ARRAY['2026-03-08 12:00+02'::timestamptz]", '["2026-03-08T10:00:00+00:00"]'),
        ("text[]", "'{}'", "[]"),
    ],
)
def test_nested_values_are_json(
    postgres_url: str, execute: Execute, kind: str, literal: str, text: str
) -> None:
    assert values_of(postgres_url, execute, kind, literal, "NULL").to_pylist() == [text, None]


def test_composites_and_enums_are_json_and_text(postgres_url: str, execute: Execute) -> None:
    execute("CREATE TYPE mood AS ENUM ('calm', 'loud')")
    execute("CREATE TYPE address AS (street text, mood mood)")
    execute("CREATE TABLE units (a address, m mood, ms mood[])")
    execute("INSERT INTO units VALUES (ROW('Main', 'calm'), 'loud', '{calm}')")
    assert read(postgres_url, stream()) == [
        {"a": '{"mood": "calm", "street": "Main"}', "m": "loud", "ms": '["calm"]'}
    ]


def test_a_table_of_1600_columns_is_read(postgres_url: str, execute: Execute) -> None:
    execute(f"CREATE TABLE units ({', '.join(f'c{number} int' for number in range(1600))})")
    execute("INSERT INTO units (c1599) VALUES (7)")
    (record,) = read(postgres_url, stream())
    assert (len(record), record["c1599"]) == (1600, 7)


# -- windows --------------------------------------------------------------------------------------------


def ids(records: Sequence[dict[str, Any]]) -> list[int]:
    return sorted(record["id"] for record in records)


@pytest.mark.parametrize("kind", ["timestamptz", "timestamp"])
def test_a_window_takes_both_of_its_ends_and_every_tie(
    postgres_url: str, execute: Execute, kind: str
) -> None:
    execute(f"CREATE TABLE units (id serial PRIMARY KEY, at {kind})")
    for second in ("11:59:59.999999", "12:00:00", "12:00:00", "12:30:00", "13:00:00", "13:00:00.000001"):
        execute(f"INSERT INTO units (at) VALUES ('2026-03-08 {second}')")
    given = stream(filter=Filter("at"))
    request = Request(NOON, NOON + timedelta(hours=1))
    assert ids(read(postgres_url, given, request=request)) == [2, 3, 4, 5]


def test_open_ends_of_a_request_are_open(postgres_url: str, execute: Execute) -> None:
    execute("CREATE TABLE units (id int, at timestamptz)")
    execute("INSERT INTO units VALUES (1, '2026-03-08 11:00+00'), (2, '2026-03-08 13:00+00')")
    given = stream(filter=Filter("at"))
    assert ids(read(postgres_url, given, request=Request(None, NOON))) == [1]
    assert ids(read(postgres_url, given, request=Request(NOON, None))) == [2]


def test_bounds_of_local_timestamps_are_local(postgres_url: str, execute: Execute) -> None:
    execute("CREATE TABLE units (id int, at timestamp)")
    execute(
        "INSERT INTO units VALUES (1, '2026-03-08 06:59'), (2, '2026-03-08 08:00'), (3, '2026-03-08 12:00')"
    )
    request = Request(NOON, NOON + timedelta(hours=1))
    found = read(postgres_url, stream(filter=Filter("at")), request=request, zone="America/New_York")
    assert ids(found) == [2]


def test_bounds_of_dates_are_days_of_the_zone(postgres_url: str, execute: Execute) -> None:
    execute("CREATE TABLE units (id int, on_day date)")
    execute("INSERT INTO units VALUES (7, '2026-03-07'), (8, '2026-03-08'), (9, '2026-03-09')")
    midnight = datetime(2026, 3, 8, 5, tzinfo=UTC)  # 00:00 in New York
    request = Request(midnight, midnight)
    found = read(postgres_url, stream(filter=Filter("on_day")), request=request, zone="America/New_York")
    assert ids(found) == [8]


def test_a_window_of_numbers_takes_both_of_its_ends(postgres_url: str, execute: Execute) -> None:
    execute("CREATE TABLE units (id int PRIMARY KEY)")
    execute("INSERT INTO units SELECT generate_series(-3, 10)")
    assert ids(read(postgres_url, stream(filter=Filter("id")), request=Request(-2, 1))) == [-2, -1, 0, 1]


def test_records_without_a_filter_value_come_with_full_reads_only(
    postgres_url: str, execute: Execute
) -> None:
    execute("CREATE TABLE units (id int, at timestamptz)")
    execute("INSERT INTO units VALUES (1, NULL), (2, '2026-03-08 12:00+00')")
    given = stream(filter=Filter("at"))
    assert ids(read(postgres_url, given, request=Request(NOON, NOON))) == [2]
    assert ids(read(postgres_url, given)) == [1, 2]


def test_a_transaction_longer_than_the_lag_is_told(postgres_url: str, execute: Execute) -> None:
    execute("CREATE TABLE units (id int, at timestamptz)")
    said: list[str] = []
    given = stream(filter=Filter("at", lag=timedelta(microseconds=1)))
    with psycopg.connect(postgres_url) as writing:
        writing.execute("INSERT INTO units VALUES (1, now())")
        read(postgres_url, given, request=Request(NOON, None), ctx=context(said.append))
    assert len(said) == 1
    assert "longer than the lag" in said[0]
    said.clear()
    read(postgres_url, given, request=Request(NOON, None), ctx=context(said.append))
    assert said == []


def test_a_read_sees_one_moment(postgres_url: str, execute: Execute) -> None:
    execute("CREATE TABLE units (id int, text text)")
    execute("INSERT INTO units SELECT n, repeat('x', 1000) FROM generate_series(1, 5000) n")
    with opened(postgres_url) as source:
        pages = source.read(source.prepare(stream()), WHOLE, None, None, context(step_bytes=256 * 1024))
        first = next(pages)
        execute("UPDATE units SET text = 'changed'")
        rest = [first, *pages]
    assert len(rest) > 2
    texts = {
        record["text"] for page in rest if isinstance(page, ColumnPage) for record in page.records.to_pylist()
    }
    assert texts == {"x" * 1000}


def test_a_read_cannot_write(postgres_url: str, execute: Execute) -> None:
    execute("CREATE TABLE units (id int)")
    writing = "INSERT INTO public.units VALUES (1) RETURNING id"
    execute(f"CREATE FUNCTION public.sly() RETURNS int LANGUAGE sql VOLATILE AS '{writing}'")
    execute("CREATE VIEW trap AS SELECT public.sly() AS id")
    with pytest.raises(ConfigurationError, match="only reads"):
        read(postgres_url, stream("trap"))
    assert read(postgres_url, stream()) == []


def test_functions_of_the_same_name_do_not_come_before_the_servers_own(
    postgres_url: str, execute: Execute
) -> None:
    execute("CREATE TABLE units (id int, tags int[])")
    execute("INSERT INTO units VALUES (1, '{1}')")
    execute(
        "CREATE FUNCTION public.to_jsonb(int[]) RETURNS jsonb LANGUAGE sql AS $$ SELECT '\"taken\"'::jsonb $$"
    )
    assert read(postgres_url, stream()) == [{"id": 1, "tags": "[1]"}]


# -- pages, order, resuming -----------------------------------------------------------------------------


@pytest.fixture
def ordered(execute: Execute) -> None:
    execute("CREATE TABLE units (a int, b text, text text, PRIMARY KEY (a, b))")
    execute(
        "INSERT INTO units SELECT n / 10, 'it''s ' || n % 10, repeat('x', 500) "
        "FROM generate_series(0, 19999) n"
    )
    execute("VACUUM ANALYZE units")


SMALL = 1024 * 1024


@pytest.mark.usefixtures("ordered")
def test_a_whole_read_in_the_order_of_the_key_goes_on_after_any_page(postgres_url: str) -> None:
    pages = pages_of(postgres_url, stream(), ctx=context(step_bytes=SMALL))
    everything = [(record["a"], record["b"]) for record in records_of(pages)]
    assert everything == sorted(set(everything))
    assert len(everything) == 20_000
    assert len(pages) > 10
    for number in (0, 5, len(pages) - 1):
        rest = read(postgres_url, stream(), position=pages[number].position)
        before = sum(page.records.num_rows for page in pages[: number + 1])
        assert [(record["a"], record["b"]) for record in rest] == everything[before:]


@pytest.mark.usefixtures("ordered")
def test_pages_hold_about_a_quarter_of_a_step(postgres_url: str) -> None:
    pages = pages_of(postgres_url, stream(), ctx=context(step_bytes=SMALL))
    assert max(page.size_bytes for page in pages) <= SMALL // 2


@pytest.mark.usefixtures("ordered")
def test_a_windowed_read_has_no_position(postgres_url: str) -> None:
    pages = pages_of(postgres_url, stream(filter=Filter("a")), request=Request(0, 5000))
    assert {page.position for page in pages} == {None}


@pytest.mark.usefixtures("ordered")
def test_the_fields_of_the_key_come_even_when_they_are_not_chosen(postgres_url: str) -> None:
    (page,) = pages_of(postgres_url, stream(), fields=frozenset({"text"}))[:1]
    assert page.records.column_names == ["a", "b", "text"]


def test_a_key_whose_order_is_dear_is_read_without_order(postgres_url: str, execute: Execute) -> None:
    execute("CREATE TABLE units (id uuid PRIMARY KEY, text text)")
    execute("INSERT INTO units SELECT md5(n::text)::uuid, repeat('x', 500) FROM generate_series(1, 20000) n")
    execute("VACUUM ANALYZE units")
    with opened(postgres_url) as source:
        prepared = source.prepare(stream())
        pages = list(source.read(prepared, WHOLE, None, None, context(step_bytes=SMALL)))
    assert not prepared.resumable
    assert {page.position for page in pages} == {None}


def test_an_empty_table_has_no_pages(postgres_url: str, execute: Execute) -> None:
    execute("CREATE TABLE units (id int PRIMARY KEY)")
    assert pages_of(postgres_url, stream()) == []


def test_what_was_read_is_counted(postgres_url: str, execute: Execute) -> None:
    execute("CREATE TABLE units (id int8)")
    execute("INSERT INTO units SELECT generate_series(1, 1000)")
    ctx = context()
    read(postgres_url, stream(), ctx=ctx)
    assert ctx.meter.cost.request_count == 1
    assert ctx.meter.cost.bytes_read >= 8000


# -- errors ---------------------------------------------------------------------------------------------


def with_parts(url: str, **parts: Any) -> str:
    """The URL with user, password, port or database replaced."""
    split = urlsplit(url)
    user, password = parts.get("user", split.username), parts.get("password", split.password)
    login = f"{user}:{password}" if password else user
    path = f"/{parts['database']}" if "database" in parts else split.path
    return split._replace(
        netloc=f"{login}@{split.hostname}:{parts.get('port', split.port)}", path=path
    ).geturl()


def test_a_server_that_does_not_answer_is_unreachable(postgres_url: str) -> None:
    url = with_parts(postgres_url, port=free_port(), password="canary-secret")
    with opened(url) as source, pytest.raises(Unreachable) as caught:
        source.discover()
    assert "canary-secret" not in str(caught.value)
    with opened(url) as source, pytest.raises(Unreachable):
        list(source.read(replace(stream(), fields=()), WHOLE, None, None, context()))


def test_a_host_that_does_not_exist_is_unreachable() -> None:
    with opened("postgresql://u@nohost.invalid/d") as source, pytest.raises(Unreachable):
        source.discover()


def test_a_database_that_is_not_there_is_an_unknown_name(postgres_url: str) -> None:
    with (
        opened(with_parts(postgres_url, database="nowhere")) as source,
        pytest.raises(UnknownName, match="nowhere"),
    ):
        source.discover()


@pytest.mark.parametrize("user", ["postgres", "nobody_here"])
def test_a_wrong_password_or_role_is_refused_credentials_in_either_driver(
    postgres_url: str, user: str
) -> None:
    url = with_parts(postgres_url, user=user, password="canary-secret")
    with opened(url) as source, pytest.raises(CredentialsRefused) as caught:
        source.discover()
    assert "canary-secret" not in f"{caught.value} {caught.value.__cause__!r}"
    session = cast(PostgresDatabase, cast(TableSource, source).database).session
    with pytest.raises(CredentialsRefused) as caught, session.columns(1024):
        pass
    assert "canary-secret" not in f"{caught.value} {caught.value.__cause__!r}"


@pytest.mark.parametrize(
    "url", ["postgresql//u:canary-secret@h/d", "postgresql://u:canary-secret@h:5432/d?x=1"]
)
def test_a_url_that_cannot_be_read_is_not_repeated(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught, opened(url):
        pass
    assert "canary-secret" not in f"{caught.value} {caught.value.__cause__}"
    assert caught.value.__suppress_context__


def test_an_encrypted_connection_that_the_server_lacks_is_a_matter_of_configuration(
    postgres_url: str,
) -> None:
    with (
        opened(postgres_url, sslmode="require") as source,
        pytest.raises(ConfigurationError, match="sslmode"),
    ):
        source.discover()


def test_single_settings_win_over_the_url(postgres_url: str, execute: Execute) -> None:
    execute("CREATE TABLE units (id int)")
    split = urlsplit(postgres_url)
    settings: dict[str, Any] = {"host": split.hostname, "port": split.port, "database": split.path[1:]}
    settings |= {"user": split.username, "password": SecretStr(split.password or "")}
    with opened("postgresql://u:wrong@nohost.invalid:1/x", **settings) as source:
        assert [offered.name for offered in source.discover()] == ["units"]


def test_configuration_never_shows_its_secrets() -> None:
    given = PostgresConfig(
        url=SecretStr("postgresql://u:canary-secret@h/d"), password=SecretStr("canary-secret")
    )
    with connector.open(given, SystemClock()) as source:
        assert "canary-secret" not in f"{given!r} {source!r} {vars(source)}"


@pytest.fixture
def reader_url(postgres_url: str, execute: Execute) -> Iterator[str]:
    """URL of a role that may do nothing yet."""
    role = f"reader_{time.monotonic_ns()}"
    execute(f"CREATE ROLE {role} LOGIN PASSWORD 'canary-secret'")
    try:
        yield with_parts(postgres_url, user=role, password="canary-secret")
    finally:
        execute(f"DROP OWNED BY {role}")
        execute(f"DROP ROLE {role}")


def role_of(url: str) -> str:
    return urlsplit(url).username or ""


def test_a_table_that_may_not_be_read_is_told_by_check_and_stops_no_other(
    reader_url: str, execute: Execute
) -> None:
    execute("CREATE TABLE units (id int)")
    execute("CREATE TABLE leases (id int)")
    execute(f"GRANT SELECT ON leases TO {role_of(reader_url)}")
    with opened(reader_url) as source:
        units, leases, gone = source.check([stream("units"), stream("leases"), stream("gone")])
    assert units.problem is not None
    assert "Grant" in units.problem
    assert leases.is_granted
    assert gone.problem is not None
    with opened(reader_url) as source, pytest.raises(PermissionRefused):
        source.prepare(stream("units"))


def test_columns_that_may_not_be_read_are_left_out(reader_url: str, execute: Execute) -> None:
    execute("CREATE TABLE units (id int PRIMARY KEY, tenant_ssn text)")
    execute("INSERT INTO units VALUES (1, 'x')")
    execute(f"GRANT SELECT (id) ON units TO {role_of(reader_url)}")
    assert read(reader_url, stream()) == [{"id": 1}]


def test_a_table_dropped_since_it_was_prepared_is_an_unknown_name(
    postgres_url: str, execute: Execute
) -> None:
    execute("CREATE TABLE units (id int)")
    with opened(postgres_url) as source:
        prepared = source.prepare(stream())
        execute("DROP TABLE units")
        with pytest.raises(UnknownName, match="units"):
            list(source.read(prepared, WHOLE, None, None, context()))


@pytest.mark.parametrize("count", [1, 50_000])
def test_a_value_that_the_server_cannot_compute_is_a_matter_of_data(
    postgres_url: str, execute: Execute, count: int
) -> None:
    execute(f"CREATE VIEW units AS SELECT n, 1 / ({count} - n) AS x FROM generate_series(1, {count}) n")
    with pytest.raises(DataError, match="could not compute"):
        read(postgres_url, stream(), ctx=context(step_bytes=SMALL))


def test_a_locked_table_is_to_be_tried_again(postgres_url: str, execute: Execute) -> None:
    execute("CREATE TABLE units (id int)")
    with opened(postgres_url, lock_timeout=timedelta(milliseconds=50)) as source:
        prepared = source.prepare(stream())
        with psycopg.connect(postgres_url) as holder:
            holder.execute("LOCK TABLE units IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(VendorFault, match="lock"):
                list(source.read(prepared, WHOLE, None, None, context()))


def test_a_statement_beyond_its_time_is_stalled(postgres_url: str, execute: Execute) -> None:
    execute("CREATE VIEW units AS SELECT pg_sleep(60)::text AS x")
    with pytest.raises(Stalled, match="statement_timeout"):
        read(postgres_url, stream(), statement_timeout=timedelta(milliseconds=100))


def test_a_cancelled_sync_leaves_a_blocked_query_and_ends_it_on_the_server(
    postgres_url: str, execute: Execute
) -> None:
    execute("CREATE VIEW units AS SELECT pg_sleep(60)::text AS x")
    ctx = context()
    with opened(postgres_url) as source:
        prepared = source.prepare(stream())
        threading.Timer(0.3, ctx.stop.set).start()
        started = time.monotonic()
        with pytest.raises(Stalled, match="cancelled"):
            list(source.read(prepared, WHOLE, None, None, ctx))
    assert time.monotonic() - started < 10
    assert busy(postgres_url) == 0


def test_a_read_that_is_given_up_leaves_no_connection(postgres_url: str, execute: Execute) -> None:
    execute("CREATE TABLE units (id int, text text)")
    execute("INSERT INTO units SELECT n, repeat('x', 1000) FROM generate_series(1, 50000) n")
    with opened(postgres_url) as source:
        pages = source.read(source.prepare(stream()), WHOLE, None, None, context(step_bytes=SMALL))
        next(pages)
        pages.close()  # type: ignore[attr-defined]
    assert busy(postgres_url) == 0


def busy(url: str) -> int:
    """Connections of the source that are still in a statement, once the server had a moment to notice."""
    query = (
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE application_name = 'propexo_connect' AND datname = current_database()"
    )
    count = 1
    with psycopg.connect(url, autocommit=True) as connection:
        for _ in range(100):
            count = connection.execute(query).fetchall()[0][0]
            if count == 0:
                break
            connection.execute("SELECT pg_sleep(0.02)")
    return count


@pytest.mark.parametrize("limit", [100, 30_000, 100_000, 1_000_000, 2_500_000])
def test_a_connection_cut_at_any_byte_is_an_error_and_never_a_short_read(
    postgres_url: str, execute: Execute, limit: int
) -> None:
    execute("CREATE TABLE units (id int, text text)")
    execute("INSERT INTO units SELECT n, repeat('x', 1000) FROM generate_series(1, 5000) n")
    with opened(postgres_url) as source:
        prepared = source.prepare(stream())
    with (
        cut_after(urlsplit(postgres_url).port or 0, limit) as port,
        opened(with_parts(postgres_url, port=port)) as source,
        pytest.raises(Unreachable),
    ):
        list(source.read(prepared, WHOLE, None, None, context(step_bytes=SMALL)))


def test_a_server_that_ends_the_connection_is_unreachable(postgres_url: str, execute: Execute) -> None:
    execute("CREATE TABLE units (id int, text text)")
    execute("INSERT INTO units SELECT n, repeat('x', 1000) FROM generate_series(1, 50000) n")
    with opened(postgres_url) as source:
        pages = source.read(source.prepare(stream()), WHOLE, None, None, context(step_bytes=SMALL))
        next(pages)
        execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'propexo_connect' AND datname = current_database()"
        )
        with pytest.raises(Unreachable):
            list(pages)


# -- reading ahead --------------------------------------------------------------------------------------


def test_items_come_in_order_and_errors_after_them() -> None:
    def produce() -> Iterator[int]:
        yield from range(5)
        raise ValueError("at the end")

    items = read_ahead(produce, threading.Event(), lambda: None)
    assert [next(items) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="at the end"):
        next(items)


def test_no_more_than_one_item_is_made_ahead() -> None:
    made: list[int] = []
    waiting = threading.Event()

    def produce() -> Iterator[int]:
        for number in range(10):
            made.append(number)
            if number == 2:
                waiting.set()
            yield number

    items = read_ahead(produce, threading.Event(), lambda: None)
    next(items)
    assert waiting.wait(5)
    assert len(made) == 3  # one taken, one in the queue, one at the door
    items.close()


def test_position_is_json_of_texts(postgres_url: str, execute: Execute) -> None:
    execute("CREATE TABLE units (id int8 PRIMARY KEY, text text)")
    execute("INSERT INTO units SELECT n, repeat('x', 500) FROM generate_series(1, 20000) n")
    execute("VACUUM ANALYZE units")
    pages = pages_of(postgres_url, stream())
    assert json.loads(pages[-1].position or "") == ["20000"]
