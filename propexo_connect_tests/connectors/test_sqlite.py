"""SQLite as a source: what is read of a file, and that nothing else is."""

import sqlite3
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from propexo_connect.connectors.database import TableSource
from propexo_connect.connectors.sqlite import SqliteConfig, connector
from propexo_connect.connectors.sqlite_file import SqliteDatabase
from propexo_connect.model.errors import (
    ConfigurationError,
    DataError,
    FileMismatch,
    Stalled,
    UnknownName,
    VendorFault,
)
from propexo_connect.model.field import Field, FieldType, Kind
from propexo_connect.model.stream import Axis, Filter, Meaning
from propexo_connect.model.tile import Request
from propexo_connect_tests.connectors.synced import landed
from propexo_connect_tests.connectors.tables import SMALL, Tables, context, ids, records_of

NOON = datetime(2026, 3, 8, 12, tzinfo=UTC)
Execute = Callable[..., None]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "app.db"


@pytest.fixture
def execute(file: Path) -> Execute:
    def run(*statements: str) -> None:
        with sqlite3.connect(file) as connection:
            for statement in statements:
                connection.execute(statement)
        connection.close()

    run("CREATE TABLE first (id INTEGER PRIMARY KEY)")
    return run


@pytest.fixture
def tables(file: Path) -> Tables:
    return Tables(connector, SqliteConfig(path=str(file)))


# -- catalog --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("declared", "literal", "kind"),
    [
        ("INTEGER", "1", "integer"),
        ("bigint", "1", "integer"),
        ("TINYINT(1)", "1", "boolean"),
        ("BOOLEAN", "1", "boolean"),
        ("DOUBLE PRECISION", "1.5", "float"),
        ("DECIMAL(12,2)", "1.5", "decimal(12,2)"),
        ("NUMERIC", "1.5", "decimal(38,9)"),
        ("VARCHAR(20)", "'x'", "text"),
        ("BLOB", "x'00'", "binary"),
        ("DATE", "'2026-03-08'", "date"),
        ("TIME", "'12:00'", "time"),
        ("JSON", "'{}'", "json"),
        ("DATETIME", "'2026-03-08 12:00:00'", "datetime"),
        ("DATETIME", "'2026-03-08T12:00:00Z'", "timestamp"),
        ("TIMESTAMP", "1772971200", "integer"),
        ("DATETIME", "NULL", "datetime"),
        ("DATETIME", "'yesterday'", "text"),
        ("", "1", "integer"),
        ("", "1.5", "float"),
        ("", "x'00'", "binary"),
        ("", "NULL", "text"),
        ("POINT", "'1 2'", "text"),
    ],
)
def test_a_column_is_what_it_declares_or_what_its_first_value_is(
    tables: Tables, execute: Execute, declared: str, literal: str, kind: str
) -> None:
    execute(f"CREATE TABLE units (v {declared})", f"INSERT INTO units VALUES (NULL), ({literal})")
    assert [str(field.type) for field in tables.prepared().fields] == [kind]


@pytest.mark.parametrize(
    ("definition", "key"),
    [
        ("id INTEGER PRIMARY KEY, b", ("id",)),
        ("a TEXT, b TEXT, PRIMARY KEY (b, a)", ("b", "a")),
        ("a TEXT NOT NULL UNIQUE, b", ("a",)),
        ("a TEXT UNIQUE, b", ()),
        ("a TEXT NOT NULL, b TEXT NOT NULL, c TEXT NOT NULL, UNIQUE (a, b), UNIQUE (c)", ("c",)),
        ("a, b", ()),
    ],
)
def test_the_key_is_the_primary_key_or_a_unique_index_without_nulls(
    tables: Tables, execute: Execute, definition: str, key: tuple[str, ...]
) -> None:
    execute(f"CREATE TABLE units ({definition})")
    assert tables.prepared().key == key


def test_an_index_over_a_part_or_an_expression_is_no_key(tables: Tables, execute: Execute) -> None:
    execute(
        "CREATE TABLE units (a INT NOT NULL, b TEXT NOT NULL)",
        "CREATE UNIQUE INDEX part ON units (a) WHERE a > 0",
        "CREATE UNIQUE INDEX expression ON units (lower(b))",
    )
    assert tables.prepared().key == ()


def test_discovery_offers_tables_and_views_and_names_possible_filters(
    tables: Tables, execute: Execute
) -> None:
    execute("CREATE TABLE units (id INTEGER PRIMARY KEY, updated_at DATETIME)")
    execute("CREATE VIEW let AS SELECT id FROM units", 'CREATE TABLE "odd.na""me" (x)')
    with tables.opened() as source:
        found = {offered.name: offered for offered in source.discover()}
    assert set(found) == {"first", "units", "let", '"main"."odd.na""me"'}
    assert found["units"].description == "Possible filters: id (created), updated_at (updated)"
    assert found["let"].key == ()


def test_odd_names_are_names_and_never_sql(tables: Tables, execute: Execute) -> None:
    execute(
        'CREATE TABLE "Se""lect; DROP TABLE first; --" ("%s ?1 ""x""" INTEGER, "[y]" TEXT)',
        'INSERT INTO "Se""lect; DROP TABLE first; --" VALUES (1, \'z\')',
    )
    assert tables.read('"main"."Se""lect; DROP TABLE first; --"') == [{'%s ?1 "x"': 1, "[y]": "z"}]


def test_a_name_that_is_not_there_names_its_neighbours(tables: Tables, execute: Execute) -> None:
    execute("CREATE TABLE units (id INTEGER PRIMARY KEY, rent REAL)")
    with pytest.raises(UnknownName, match="Did you mean 'units'"):
        tables.prepared("unit")
    with pytest.raises(UnknownName, match="Did you mean 'rent'"):
        tables.read(fields=frozenset({"rents"}))


def test_overrides_of_key_and_types_stay(tables: Tables, execute: Execute) -> None:
    execute("CREATE TABLE units (id INTEGER PRIMARY KEY, code TEXT)")
    prepared = tables.prepared(key=("code",), fields=(Field("code", FieldType(Kind.INTEGER)),))
    assert prepared.key == ("code",)
    assert [str(field.type) for field in prepared.fields] == ["integer", "integer"]


# -- values ---------------------------------------------------------------------------------------------


def test_values_arrive_exactly(tables: Tables, execute: Execute) -> None:
    execute(
        "CREATE TABLE units (i INTEGER, f REAL, t TEXT, d DECIMAL(20,4))",
        "INSERT INTO units VALUES (9223372036854775807, 1e-300, 'é😀 \\ '' \"', 50000.0001), "
        "(-9223372036854775808, 0.1, '01234', 7), (NULL, NULL, NULL, NULL)",
    )
    assert tables.read() == [
        {"i": 2**63 - 1, "f": 1e-300, "t": "é😀 \\ ' \"", "d": "50000.0001"},
        {"i": -(2**63), "f": 0.1, "t": "01234", "d": "7"},
        {"i": None, "f": None, "t": None, "d": None},
    ]


def test_a_value_of_another_kind_comes_as_text_and_nothing_is_cut(tables: Tables, execute: Execute) -> None:
    execute(
        "CREATE TABLE units (i INTEGER, t TEXT, b BLOB)",
        "INSERT INTO units VALUES (1, 'x', x'00ff'), (2.5, x'00ff', 'abcd'), ('many', 'y', 1234)",
    )
    assert tables.read() == [
        {"i": "1", "t": "x", "b": "AP8="},
        {"i": "2.5", "t": "x'00ff'", "b": "'abcd'"},
        {"i": "many", "t": "y", "b": "'1234'"},
    ]


def test_misfits_land_in_meta_and_the_rest_in_its_column(tables: Tables, execute: Execute) -> None:
    execute(
        "CREATE TABLE units (id INTEGER PRIMARY KEY, rooms INTEGER, plan BLOB, seen DATETIME, let BOOLEAN)",
        "INSERT INTO units VALUES (1, 3, x'00ff', '2026-03-08 12:00:00', 1), "
        "(2, 'many', 'abcd', 'soon', 'perhaps')",
    )
    first, second = landed(
        tables, "units", "SELECT rooms, plan, seen, let, _propexo_meta FROM units ORDER BY id"
    )
    assert first == (3, b"\x00\xff", datetime(2026, 3, 8, 12), True, None)  # noqa: DTZ001 - it has no zone
    assert second[:4] == (None, None, None, None)
    assert all(text in second[4] for text in ("many", "'abcd'", "soon", "perhaps"))


def test_kinds_that_change_between_batches_are_one_column(tables: Tables, execute: Execute) -> None:
    execute("CREATE TABLE units (id INTEGER PRIMARY KEY, v INTEGER)")
    execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) "
        "INSERT INTO units SELECT i, CASE i WHEN 2999 THEN 'odd' ELSE i END FROM n"
    )
    (page,) = tables.pages()
    assert page.records.column("v").to_pylist()[2997:] == ["2998", "odd", "3000"]


def test_text_that_is_not_utf8_is_a_matter_of_data(tables: Tables, execute: Execute) -> None:
    execute("CREATE TABLE units (t TEXT)", "INSERT INTO units VALUES (CAST(x'ff' AS TEXT))")
    with pytest.raises(DataError, match="not UTF-8"):
        tables.read()


# -- windows --------------------------------------------------------------------------------------------


def test_a_filter_takes_axis_grain_and_zone_of_its_column(tables: Tables, execute: Execute) -> None:
    execute(
        "CREATE TABLE units (id INTEGER PRIMARY KEY, n INTEGER, l DATETIME, z DATETIME, d DATE, t TEXT)",
        "INSERT INTO units VALUES (1, 1, '2026-03-08 12:00', '2026-03-08T12:00:00Z', '2026-03-08', 'x')",
    )

    def filter_of(column: str) -> Filter:
        with tables.opened(zone="America/New_York", lookback_values=7) as source:
            given = source.prepare(tables.stream(filter=Filter(column))).filter
        assert given is not None
        return given

    assert (filter_of("l").zone, filter_of("l").resolution) == ("America/New_York", timedelta(milliseconds=1))
    assert filter_of("z").zone == "UTC"
    assert filter_of("d").resolution == timedelta(days=1)
    assert (filter_of("n").axis, filter_of("n").lookback_values) == (Axis.INTEGER, 7)
    assert filter_of("id").meaning is Meaning.CREATED
    with pytest.raises(ConfigurationError, match="cannot be filtered"):
        filter_of("t")


@pytest.mark.parametrize("form", ["{} {}", "{}T{}", "{}T{}Z", "{} {}+00:00"])
def test_a_window_takes_both_of_its_ends_however_instants_are_written(
    tables: Tables, execute: Execute, form: str
) -> None:
    execute("CREATE TABLE units (id INTEGER PRIMARY KEY, at DATETIME)")
    for clock in ("11:59:59.999", "12:00:00", "12:30:00.5", "13:00:00.000", "13:00:00.001"):
        execute(f"INSERT INTO units (at) VALUES ('{form.format('2026-03-08', clock)}')")
    given = tables.stream(filter=Filter("at"))
    assert ids(tables.read(given, request=Request(NOON, NOON + timedelta(hours=1)))) == [2, 3, 4]
    assert ids(tables.read(given, request=Request(None, NOON))) == [1, 2]
    assert ids(tables.read(given, request=Request(NOON + timedelta(hours=1), None))) == [4, 5]


def test_bounds_of_local_times_are_local_and_offsets_are_heeded(tables: Tables, execute: Execute) -> None:
    execute(
        "CREATE TABLE units (id INTEGER PRIMARY KEY, l DATETIME, z DATETIME)",
        "INSERT INTO units VALUES (1, '2026-03-08 08:00', '2026-03-08T14:00:00+02:00'), "
        "(2, '2026-03-08 12:00', '2026-03-08T12:00:00+02:00')",
    )
    for column in ("l", "z"):
        given = tables.stream(filter=Filter(column))
        assert ids(tables.read(given, request=Request(NOON, NOON), zone="America/New_York")) == [1]


def test_a_window_of_numbers_takes_both_of_its_ends(tables: Tables, execute: Execute) -> None:
    execute("CREATE TABLE units (id INTEGER PRIMARY KEY)", "INSERT INTO units VALUES (-3), (-2), (1), (2)")
    assert ids(tables.read(tables.stream(filter=Filter("id")), request=Request(-2, 1))) == [-2, 1]


def test_records_without_a_filter_value_come_with_full_reads_only(tables: Tables, execute: Execute) -> None:
    execute(
        "CREATE TABLE units (id INTEGER PRIMARY KEY, at DATETIME)",
        "INSERT INTO units VALUES (1, NULL), (2, '2026-03-08 12:00'), (3, 'nonsense')",
    )
    given = tables.stream(filter=Filter("at"))
    assert ids(tables.read(given, request=Request(NOON, NOON))) == [2]
    assert ids(tables.read(given)) == [1, 2, 3]


def test_the_upper_bound_is_one_more_than_the_largest_number(tables: Tables, execute: Execute) -> None:
    execute("CREATE TABLE units (n INTEGER)")
    with tables.opened() as source:
        given = source.prepare(tables.stream(filter=Filter("n")))
        assert source.upper_bound(given) == 0
        execute("INSERT INTO units VALUES (5), (9223372036854775807), (NULL)")
        assert source.upper_bound(given) == 2**63
        execute("INSERT INTO units VALUES ('many')")
        with pytest.raises(ConfigurationError, match="no numbers"):
            source.upper_bound(given)


# -- pages, order, resuming, one moment -------------------------------------------------------------------


@pytest.fixture
def many(execute: Execute) -> None:
    execute("CREATE TABLE units (id INTEGER PRIMARY KEY, text TEXT)")
    execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) "
        "INSERT INTO units SELECT i * 3 - 30000, hex(zeroblob(250)) FROM n"
    )


@pytest.mark.usefixtures("many")
def test_a_whole_read_in_the_order_of_the_key_goes_on_after_any_page(tables: Tables) -> None:
    pages = tables.pages(ctx=context(step_bytes=SMALL))
    everything = [record["id"] for record in records_of(pages)]
    assert everything == sorted(set(everything))
    assert (len(everything), len(pages) > 10) == (20_000, True)
    assert max(page.size_bytes for page in pages) < SMALL
    for number in (0, 5, len(pages) - 1):
        rest = tables.read(position=pages[number].position)
        before = sum(page.records.num_rows for page in pages[: number + 1])
        assert [record["id"] for record in rest] == everything[before:]


def test_a_key_that_is_not_the_rowid_is_read_without_order(tables: Tables, execute: Execute) -> None:
    execute("CREATE TABLE units (id TEXT PRIMARY KEY)", "INSERT INTO units VALUES ('a')")
    assert not tables.prepared().resumable
    assert [page.position for page in tables.pages()] == [None]


@pytest.mark.usefixtures("many")
def test_a_read_sees_one_moment(tables: Tables, file: Path) -> None:
    with sqlite3.connect(file) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        with tables.opened() as source:
            pages = source.read(
                source.prepare(tables.stream()), Request(None, None), None, None, context(step_bytes=SMALL)
            )
            first = next(pages)
            writer.execute("UPDATE units SET text = 'changed'")
            writer.commit()
            rest = records_of([first, *pages])  # type: ignore[list-item]
    assert {record["text"] for record in rest} == {"00" * 250}


def test_large_values_come_one_by_one(tables: Tables, execute: Execute) -> None:
    execute("CREATE TABLE units (id INTEGER PRIMARY KEY, text TEXT)")
    execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200) "
        "INSERT INTO units SELECT i, hex(zeroblob(CASE WHEN i > 130 THEN 500000 ELSE 5 END)) FROM n"
    )
    pages = tables.pages(ctx=context(step_bytes=SMALL))
    assert len(records_of(pages)) == 200
    assert len(pages) > 5


# -- what is refused ---------------------------------------------------------------------------------------


def test_nothing_is_written_and_the_file_stays_as_it_is(tables: Tables, execute: Execute, file: Path) -> None:
    execute("CREATE TABLE units (id INTEGER PRIMARY KEY)", "INSERT INTO units VALUES (1)")
    before = file.read_bytes()
    assert tables.read() == [{"id": 1}]
    assert file.read_bytes() == before


def test_no_other_file_can_be_attached_and_no_pragma_set(tables: Tables, execute: Execute) -> None:
    execute("CREATE TABLE units (id INTEGER PRIMARY KEY)")
    with tables.opened() as source:
        assert isinstance(source, TableSource)
        assert isinstance(source.database, SqliteDatabase)
        with source.database.connected() as connection:
            for statement in (
                "ATTACH '/etc/passwd' AS other",
                "PRAGMA writable_schema = 1",
                "DELETE FROM units",
            ):
                with pytest.raises(sqlite3.DatabaseError, match="not authorized"):
                    connection.execute(statement)


@pytest.mark.parametrize("path", ["missing.db", ":memory:", "app.db?mode=rwc", "file:app.db"])
def test_a_path_is_a_path_and_makes_no_file(tmp_path: Path, path: str) -> None:
    given = Tables(connector, SqliteConfig(path=str(tmp_path / path)))
    with given.opened() as source, pytest.raises(UnknownName, match="no such file"):
        source.discover()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    given = Tables(connector, SqliteConfig(path=str(tmp_path)))
    with given.opened() as source, pytest.raises(ConfigurationError, match="folder"):
        source.discover()


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("these are notes, and no database at all. " * 100)
    given = Tables(connector, SqliteConfig(path=str(tmp_path / "notes.db")))
    with given.opened() as source, pytest.raises(FileMismatch, match="no SQLite database"):
        source.discover()


def test_a_damaged_file_is_told(tables: Tables, file: Path, many: None) -> None:
    del many
    content = bytearray(file.read_bytes())
    content[40960:409600] = b"\xff" * (409600 - 40960)
    file.write_bytes(bytes(content))
    with pytest.raises(FileMismatch, match="damaged"):
        tables.read()


def test_a_locked_file_is_to_be_tried_again(tables: Tables, execute: Execute, file: Path) -> None:
    execute("CREATE TABLE units (id INTEGER PRIMARY KEY)")
    with sqlite3.connect(file, isolation_level=None) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(VendorFault, match="locked"):
            tables.read(lock_timeout=timedelta(milliseconds=20))
    holder.close()


def test_check_tells_each_stream_by_itself(tables: Tables, execute: Execute) -> None:
    execute("CREATE TABLE units (id INTEGER PRIMARY KEY)", "CREATE VIEW broken AS SELECT x FROM nowhere")
    with tables.opened() as source:
        units, broken, gone = source.check([tables.stream(name) for name in ("units", "broken", "gone")])
    assert units.is_granted
    assert "nowhere" in (broken.problem or "")
    assert gone.problem is not None


def test_a_cancelled_sync_leaves_a_blocked_query(tables: Tables, execute: Execute) -> None:
    execute(
        "INSERT INTO first VALUES (1)",
        "CREATE VIEW units AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
        "SELECT id FROM first, n WHERE i < 0",
    )
    ctx = context()
    with tables.opened() as source:
        threading.Timer(0.2, ctx.stop.set).start()
        started = time.monotonic()
        with pytest.raises(Stalled):
            list(source.read(tables.stream(), Request(None, None), None, None, ctx))
    assert time.monotonic() - started < 10
