"""Opening, checking, and what goes wrong outside of a step."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from propexo_connect.destinations import DESTINATIONS, state
from propexo_connect.destinations.base import Session
from propexo_connect.destinations.dialect import Link
from propexo_connect.destinations.duckdb.writer import DuckDB, DuckDBConfig, DuckDBLink
from propexo_connect.destinations.postgres import PostgresConfig
from propexo_connect.destinations.postgres.writer import Postgres, PostgresLink
from propexo_connect.destinations.schema import prepare, stored_version
from propexo_connect.model.errors import (
    ConfigurationError,
    ConnectError,
    CredentialsRefused,
    DestinationBusy,
    FileMismatch,
    PermissionRefused,
    SpaceExhausted,
    UnknownName,
    Unreachable,
)
from propexo_connect_tests.destinations.conftest import ask, configured, duckdb_settings
from propexo_connect_tests.destinations.kit import (
    Bench,
    facts_of,
    progress_of,
    stored_layout,
    take_fence,
    unit,
    units_plan,
)
from propexo_connect_tests.destinations.proxy import CutAtCommit

SECRET = "hunter2-canary"


def bench_on(session: Session, settings: dict[str, Any]) -> Bench:
    """A bench on a session that was opened by other settings than the fixture's."""
    destination = configured("postgres", settings)
    return Bench("postgres", destination, session, lambda sql: ask("postgres", settings, sql))


def a_link(bench: Bench) -> Link:
    """A transaction of one's own."""
    if bench.name == "duckdb":
        import duckdb

        path = bench.options["path"]
        return DuckDBLink(duckdb.connect(path, config=duckdb_settings(path)).begin())
    import psycopg

    return PostgresLink(psycopg.connect(bench.options["url"], cursor_factory=psycopg.RawCursor))


def test_each_kind_is_registered_under_its_name() -> None:
    assert {name: kind.name for name, kind in DESTINATIONS.items()} == {
        "duckdb": "duckdb",
        "postgres": "postgres",
    }


def test_a_check_leaves_nothing_behind(options: dict[str, str]) -> None:
    settings = {key: value for key, value in options.items() if key != "name"}
    configured(options["name"], settings).check()
    found = ask(
        options["name"],
        settings,
        "select table_name from information_schema.tables where table_schema = '_propexo'",
    )
    assert found == []


def test_opening_twice_keeps_what_is_there(bench: Bench) -> None:
    bench.sync().commit([unit(1, "a")])
    with bench.destination.open() as again:
        assert len(again.windows(units_plan())) == 1
        take_fence(bench.session, units_plan(), "recurring")
        assert take_fence(again, units_plan(), "recurring") == 3


def test_an_older_version_of_our_schema_is_migrated(bench: Bench) -> None:
    link = a_link(bench)
    migrations = {state.VERSION: ("alter table _propexo.streams add column note text",)}
    prepare(link, state.VERSION + 1, migrations)
    assert stored_version(link) == state.VERSION + 1
    assert link.rows("select note from _propexo.streams") == []


def test_the_first_version_of_our_schema_gains_what_it_lacks(bench: Bench) -> None:
    """What migrations make is what a fresh schema has."""
    link = a_link(bench)
    columns = columns_of_ours(link)
    steps = [part for step in state.MIGRATIONS.values() for part in step]
    for part in steps:
        if isinstance(part, tuple):
            link.run(f"alter table {part[0].sql} drop column {part[1]}")
        elif isinstance(part, state.StateTable):
            link.run(f"drop table {part.sql}")
    link.run("update _propexo.version set version = 1")
    prepare(link)
    assert stored_version(link) == state.VERSION
    assert columns_of_ours(link) == columns


def columns_of_ours(link: Link) -> set[tuple[Any, ...]]:
    """Every column of `_propexo`, with its type."""
    return set(
        link.rows(
            "select table_name, column_name, data_type, is_nullable from information_schema.columns "
            "where table_schema = '_propexo'"
        )
    )


def test_a_newer_version_of_our_schema_is_refused(bench: Bench) -> None:
    bench.query(f"update _propexo.version set version = {state.VERSION + 1}")
    with pytest.raises(ConfigurationError, match="written by a newer release"), bench.destination.open():
        pass


def test_the_address_tells_the_place_and_no_secret(tmp_path: Path) -> None:
    duck = configured("duckdb", {"path": str(tmp_path / "x" / ".." / "a.duckdb")})
    assert duck.address == f"duckdb:{tmp_path / 'a.duckdb'}"
    by_url = configured(
        "postgres", {"url": f"postgresql://me:{SECRET}@db.example.com/warehouse?sslmode=disable"}
    )
    by_parts = configured(
        "postgres", {"host": "db.example.com", "database": "warehouse", "user": "you", "password": SECRET}
    )
    assert by_url.address == by_parts.address == "postgresql://db.example.com:5432/warehouse"


@pytest.mark.parametrize("settings", [{}, {"host": "h"}, {"url": "postgresql://h/d", "user": "u"}])
def test_a_database_is_named_in_one_way(settings: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="give"):
        PostgresConfig.model_validate(settings)


@pytest.mark.parametrize(
    "url", [f"postgresql://me:{SECRET}@h/d?what=1", f"host=h password={SECRET} {SECRET}"]
)
def test_a_url_that_cannot_be_read_is_not_repeated(url: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read") as caught:
        configured("postgres", {"url": url})
    assert SECRET not in repr(caught.getrepr(chain=True, showlocals=False))
    assert caught.value.__cause__ is None


def postgres_fault(url: str) -> ConnectError:
    """What opening a database under this URL raises."""
    with pytest.raises(ConnectError) as caught:
        configured("postgres", {"url": url}).check()
    assert SECRET not in str(caught.value)
    assert SECRET not in str(caught.value.__cause__)
    return caught.value


def test_each_way_not_to_connect_has_its_error(postgres_url: str) -> None:
    host, _, name = postgres_url.rpartition("/")
    address = host.rpartition("@")[2]
    assert isinstance(postgres_fault(f"{host}/nowhere"), UnknownName)
    assert isinstance(postgres_fault(f"postgresql://postgres:{SECRET}@{address}/{name}"), CredentialsRefused)
    assert isinstance(postgres_fault(f"postgresql://nobody:{SECRET}@{address}/{name}"), CredentialsRefused)
    assert isinstance(postgres_fault(f"postgresql://me:{SECRET}@127.0.0.1:1/{name}"), Unreachable)


def test_a_role_without_rights_is_told_so(postgres_url: str) -> None:
    ask("postgres", {"url": postgres_url}, "create role weak login password 'weak'")
    try:
        error = postgres_fault(f"postgresql://weak:weak@{postgres_url.rpartition('@')[2]}")
        assert isinstance(error, PermissionRefused)
    finally:
        ask("postgres", {"url": postgres_url}, "drop role weak")


def test_a_cut_connection_is_retryable_and_the_next_commit_has_a_new_one(postgres_url: str) -> None:
    settings = {"url": postgres_url}
    with configured("postgres", settings).open() as session:
        bench = bench_on(session, settings)
        sync = bench.sync()
        sync.commit([unit(1, "a")])
        ask(
            "postgres",
            settings,
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where application_name = 'propexo-connect'",
        )
        with pytest.raises(Unreachable):
            sync.commit([unit(2, "b")])
        sync.commit([unit(2, "b")])
        assert bench.table() == [(1, "a"), (2, "b")]


@pytest.mark.parametrize("reaches", [True, False])
def test_when_the_reply_to_a_commit_is_lost_the_ledger_tells(postgres_url: str, reaches: bool) -> None:
    """The commit reached the server, or it did not: in both cases the next look at the ledger is right."""
    settings = {"url": postgres_url}
    with (
        CutAtCommit(postgres_url, reaches=reaches) as proxy,
        configured("postgres", {"url": proxy.url}).open() as session,
    ):
        bench = bench_on(session, settings)
        sync = bench.sync()
        proxy.arm()
        with pytest.raises(Unreachable):
            sync.commit([unit(1, "a")])
        assert bool(progress_of(session, units_plan(), "recurring").watermark) is reaches
        assert (stored_layout(session, units_plan()) is not None) is reaches
        sync.commit([unit(1, "a")])
        assert bench.table() == [(1, "a")]


def test_a_lock_that_is_not_given_up_in_time_is_a_busy_destination(postgres_url: str) -> None:
    import psycopg

    settings: dict[str, Any] = {"url": postgres_url, "lock_timeout": timedelta(seconds=0.05)}
    with configured("postgres", settings).open() as session, psycopg.connect(postgres_url) as other:
        bench = bench_on(session, settings)
        sync = bench.sync()
        sync.commit([unit(1, "a")])
        other.execute("lock table pms.units in exclusive mode")
        with pytest.raises(DestinationBusy, match="lock"):
            sync.commit([unit(2, "b")])
        other.rollback()
        sync.commit([unit(2, "b")])


def test_a_file_that_another_process_holds_is_busy_and_names_it(tmp_path: Path) -> None:
    path = str(tmp_path / "held.duckdb")
    hold = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(DestinationBusy, match=rf"{path} is held by the process {holder.pid}"):
            configured("duckdb", {"path": path}).check()
        assert holder.stdin is not None
        holder.stdin.close()
    configured("duckdb", {"path": path}).check()


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "letter.duckdb"
    path.write_text("Dear sir, " * 1000)
    with pytest.raises(FileMismatch, match="no DuckDB database"):
        configured("duckdb", {"path": str(path)}).check()


def test_a_file_may_not_be_named_like_our_schema(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be named _propexo"):
        DuckDBConfig(path=str(tmp_path / "_Propexo.duckdb"))


def test_one_file_with_two_settings_is_refused(tmp_path: Path) -> None:
    path = str(tmp_path / "a.duckdb")
    with (
        configured("duckdb", {"path": path}).open(),
        pytest.raises(ConfigurationError, match="other settings"),
        DuckDB(DuckDBConfig(path=path, threads=1)).open(),
    ):
        pass


def test_a_full_disk_is_told_and_harms_nothing(tmp_path: Path) -> None:
    """The limit on a file's size stands in for the disk's end."""
    path = str(tmp_path / "a.duckdb")
    program = """
import resource, signal, sys
from propexo_connect.destinations import DESTINATIONS
from propexo_connect.model.errors import SpaceExhausted
from propexo_connect_tests.destinations.kit import Sync, unit, units_plan
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
kind = DESTINATIONS["duckdb"]
with kind.configure(kind.config(path=sys.argv[1])).open() as session:
    sync = Sync(session, units_plan())
    sync.commit([unit(1, "a")])
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))
    try:
        sync.commit([unit(number, f"{number}" * 60) for number in range(2, 20_000)])
    except SpaceExhausted as error:
        print(error)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
"""
    ran = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=False)
    assert "is full" in ran.stdout, ran.stderr
    with configured("duckdb", {"path": path}).open() as session:
        assert facts_of(session, units_plan()).row_count == 1


def test_two_sessions_of_one_file_work_in_one_process(tmp_path: Path) -> None:
    destination = configured("duckdb", {"path": str(tmp_path / "a.duckdb")})
    with destination.open() as one, destination.open() as other:
        fence = take_fence(one, units_plan(), "recurring")
        assert take_fence(other, units_plan(), "recurring") == fence + 1


ASSET = pa.table(
    {
        "id": pa.array([1, 2, None], pa.int32()),
        "name": pa.array(["a", None, "é"]),
        "rent": pa.array([Decimal("1.50"), None, Decimal("-2.00")], pa.decimal128(12, 2)),
        "at": pa.array([datetime(2026, 1, 1, tzinfo=UTC)] * 3, pa.timestamp("us", "UTC")),
        "kind": pa.array(["x", "y", "x"]).dictionary_encode(),
    }
)


def test_an_assets_table_is_written_replaced_and_read(bench: Bench) -> None:
    write, read = bench.destination.write_table, bench.destination.read_table
    assert write("marts", "rents", ASSET.to_reader()) == 3
    assert sorted(read("marts", "rents", ["id", "rent", "kind"]).read_all().to_pylist(), key=str) == sorted(
        ASSET.select(["id", "rent", "kind"]).to_pylist(), key=str
    )
    assert write("marts", "rents", pa.table({"other": [1.5]}).to_reader()) == 1
    assert read("marts", "rents", None).read_all().to_pylist() == [{"other": 1.5}]


def test_a_failing_write_leaves_the_old_table(bench: Bench) -> None:
    bench.destination.write_table("marts", "rents", pa.table({"a": [1]}).to_reader())

    def batches() -> Any:
        yield pa.record_batch({"a": [2]})
        raise RuntimeError("the asset failed")

    with pytest.raises(Exception, match="the asset failed"):
        bench.destination.write_table(
            "marts", "rents", pa.RecordBatchReader.from_batches(pa.schema([("a", pa.int64())]), batches())
        )
    assert bench.destination.read_table("marts", "rents", None).read_all().to_pylist() == [{"a": 1}]


@pytest.mark.parametrize("table", ["units", "units__history"])
def test_an_asset_may_not_write_over_a_streams_table(bench: Bench, table: str) -> None:
    bench.sync(units_plan(history=True)).commit([unit(1, "a")])
    with pytest.raises(ConfigurationError, match="written by a connection"):
        bench.destination.write_table("pms", table, ASSET.to_reader())
    assert bench.table() == [(1, "a")]


def test_a_table_that_is_not_there_cannot_be_read(bench: Bench) -> None:
    bench.sync().commit([unit(1, "a")])
    for table, columns in (("nothing", None), ("units", ["nothing"])):
        with pytest.raises(UnknownName, match="nothing"):
            bench.destination.read_table("pms", table, columns).read_all()


def test_a_table_is_read_in_batches_while_it_is_written_on(bench: Bench) -> None:
    sync = bench.sync()
    sync.commit([unit(number, "a") for number in range(1_000)])
    reader = bench.destination.read_table("pms", "units", ["id"])
    first = reader.read_next_batch().num_rows
    sync.commit([unit(5_000, "b")])
    assert first + sum(batch.num_rows for batch in reader) == 1_000


def test_a_memory_limit_that_is_too_small_is_told(tmp_path: Path) -> None:
    destination = configured("duckdb", {"path": str(tmp_path / "a.duckdb"), "memory_limit": "1MB"})
    with pytest.raises(SpaceExhausted, match="memory_limit"), destination.open() as session:
        take_fence(session, units_plan(), "recurring")


def test_postgres_writes_with_nothing_on_its_search_path(postgres_url: str) -> None:
    """A function or operator of the same name in a user's schema is never taken for the server's own."""
    settings = {"url": postgres_url}
    for statement in (
        "create function public.trap(text, text) returns boolean language sql as 'select null::boolean'",
        "create operator public.= (leftarg = text, rightarg = text, function = public.trap)",
        "create table public.windows (id int)",
        "create table public.verdicts (id int)",
    ):
        ask("postgres", settings, statement)
    destination = Postgres(PostgresConfig.model_validate(settings))
    with destination.open() as session:
        bench = bench_on(session, settings)
        bench.sync().commit([unit(1, "a")])
        bench.sync(hours=1).commit([unit(1, "b", 1)])
        assert bench.table() == [(1, "b")]
    assert ask("postgres", settings, "select count(*) from public.windows") == [(0,)]
