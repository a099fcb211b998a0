"""Tables for assets of one's own, in the types that people work with."""

from decimal import Decimal
from typing import Any

import dagster as dg
import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from dagster_duckdb import DuckDBResource

from propexo_connect.connection.parse import parse_connection
from propexo_connect.model.errors import ConfigurationError
from propexo_connect.orchestration.frames import received
from propexo_connect.orchestration.io_managers import (
    DestinationIOManager,
    DuckDBIOManager,
    PostgresIOManager,
    io_manager,
    table_of,
)
from propexo_connect_tests.orchestration.bench import Acme, Bench, materialized

WORK_ORDERS = [
    {"id": 1, "name": "Roof", "rent": 1200.5, "units": 9_007_199_254_740_993},
    {"id": 2, "name": "Stairs", "rent": None, "units": None},
]


def ids(obj: Any) -> list[int]:
    """The ids of whatever an asset was given."""
    if isinstance(obj, pl.LazyFrame):
        obj = obj.collect()
    if isinstance(obj, pa.RecordBatchReader):
        obj = obj.read_all()
    if isinstance(obj, pa.Table):
        return sorted(obj["id"].to_pylist())
    if isinstance(obj, duckdb.DuckDBPyRelation):
        return sorted(row[0] for row in obj.project("id").fetchall())
    return sorted(obj["id"].to_list() if isinstance(obj, pl.DataFrame) else obj["id"].tolist())


def take(
    manager: DestinationIOManager, annotation: Any, upstream: dg.AssetKey, columns: list[str] | None = None
) -> Any:
    """What an asset gets that takes a table by this annotation."""
    got: list[Any] = []

    def compute(rows: Any) -> None:
        got.append((type(rows), ids(rows), getattr(rows, "schema", None)))

    compute.__annotations__["rows"] = annotation
    metadata = {"columns": columns} if columns else None
    asset = dg.asset(
        name="down", ins={"rows": dg.AssetIn(upstream, metadata=metadata, input_manager_key="io")}
    )(compute)
    spec = dg.AssetSpec(upstream, metadata={"dagster/table_name": "acme_north.work_orders"})
    job = dg.Definitions(
        assets=[spec, asset], resources={"io": manager}
    ).resolve_implicit_global_asset_job_def()
    job.execute_in_process()
    return got[0]


@pytest.fixture
def synced(bench: Bench) -> DestinationIOManager:
    """The I/O manager of a file in which work orders stand."""
    bench.vendor.records["work-orders"] = WORK_ORDERS
    assert bench.sync("work_orders").success
    return io_manager(bench.connection())[1]


@pytest.mark.parametrize(
    "annotation",
    [pa.Table, pa.RecordBatchReader, pd.DataFrame, pl.DataFrame, pl.LazyFrame, duckdb.DuckDBPyRelation, Any],
)
def test_a_streams_table_comes_in_the_type_it_is_asked_for(
    synced: DestinationIOManager, annotation: Any
) -> None:
    kind, found, _ = take(synced, annotation, dg.AssetKey(["acme_north", "work_orders"]))
    assert found == [1, 2]
    assert kind is (pa.Table if annotation is Any else annotation)


def test_only_the_columns_that_are_named_are_read(synced: DestinationIOManager) -> None:
    _, _, schema = take(synced, pa.Table, dg.AssetKey(["acme_north", "work_orders"]), ["name", "id"])
    assert schema.names == ["name", "id"]


def test_an_unknown_annotation_names_those_that_are_known(synced: DestinationIOManager) -> None:
    with pytest.raises(dg.Failure) as told:
        take(synced, dict, dg.AssetKey(["acme_north", "work_orders"]))
    assert "tables do not come as builtins.dict" in (told.value.description or "")
    assert "pl.LazyFrame" in (told.value.description or "")


def test_a_column_that_does_not_exist_is_told_without_a_traceback_of_ours(
    synced: DestinationIOManager,
) -> None:
    with pytest.raises(dg.Failure) as told:
        take(synced, pa.Table, dg.AssetKey(["acme_north", "work_orders"]), ["nmae"])
    assert "nmae" in (told.value.description or "")
    assert told.value.__cause__ is None


def test_pandas_rounds_no_large_integer_next_to_a_null(synced: DestinationIOManager, bench: Bench) -> None:
    table = bench.rows("select units from acme_north.work_orders where id = 1")
    assert table == [(9_007_199_254_740_993,)]
    destination = synced.destination()
    frame = received(pd.DataFrame, destination.read_table("acme_north", "work_orders", ["id", "units"]))
    assert frame.set_index("id")["units"][1] == 9_007_199_254_740_993


ROWS = pa.table(
    {"id": [1, 2], "rent": pa.array([Decimal("1.10"), None], pa.decimal128(10, 2)), "name": ["a", "b"]}
)


def returned(name: str) -> Any:
    return {
        "pa.Table": lambda: ROWS,
        "pa.RecordBatchReader": ROWS.to_reader,
        "pd.DataFrame": lambda: ROWS.to_pandas(types_mapper=pd.ArrowDtype),
        "pl.DataFrame": lambda: pl.from_arrow(ROWS),
        "pl.LazyFrame": lambda: pl.from_arrow(ROWS).lazy(),  # type: ignore[union-attr]
        "relation": lambda: duckdb.connect().from_arrow(ROWS),
    }[name]()


FRAMES = ("pa.Table", "pa.RecordBatchReader", "pd.DataFrame", "pl.DataFrame", "pl.LazyFrame", "relation")


def write(
    manager: DestinationIOManager, value: Any, key: tuple[str, ...] = ("reports", "rents")
) -> dg.ExecuteInProcessResult:
    """A run of an asset of one's own that returns this."""

    @dg.asset(io_manager_key="io", key=list(key))
    def rents() -> Any:
        return dg.MaterializeResult(value=value)

    return dg.materialize([rents], resources={"io": manager})


@pytest.mark.parametrize("name", FRAMES)
def test_an_asset_of_ones_own_writes_its_table(bench: Bench, name: str) -> None:
    manager = io_manager(bench.connection())[1]
    labels = materialized(write(manager, returned(name)))["rents"]
    assert labels["dagster/row_count"] == dg.MetadataValue.int(2)
    assert labels["dagster/table_name"] == dg.MetadataValue.text("reports.rents")
    assert bench.rows("select id, rent, name from reports.rents order by id") == [
        (1, Decimal("1.10"), "a"),
        (2, None, "b"),
    ]


def test_the_table_is_replaced_and_not_added_to(bench: Bench) -> None:
    manager = io_manager(bench.connection())[1]
    write(manager, ROWS)
    write(manager, ROWS.slice(0, 1))
    assert bench.rows("select count(*) from reports.rents") == [(1,)]


def test_a_relation_of_the_file_can_become_a_table_of_it(synced: DestinationIOManager, bench: Bench) -> None:
    """Read and write go to one file in one process, which DuckDB allows with equal settings only."""

    @dg.asset(
        key=["reports", "names"],
        ins={"rows": dg.AssetIn(["acme_north", "work_orders"], input_manager_key="io")},
        io_manager_key="io",
    )
    def names(rows: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
        return rows.project("name").order("name")

    spec = dg.AssetSpec(
        ["acme_north", "work_orders"], metadata={"dagster/table_name": "acme_north.work_orders"}
    )
    defs = dg.Definitions(assets=[spec, names], resources={"io": synced})
    assert defs.resolve_implicit_global_asset_job_def().execute_in_process().success
    assert bench.rows("select name from reports.names") == [("Roof",), ("Stairs",)]


def test_an_asset_cannot_write_over_a_stream(synced: DestinationIOManager) -> None:
    with pytest.raises(dg.Failure, match="is written by a connection"):
        write(synced, ROWS, key=("acme_north", "work_orders"))


def test_a_stream_and_an_asset_on_it_run_in_one_job(bench: Bench) -> None:
    bench.vendor.records["work-orders"] = WORK_ORDERS
    key, _ = io_manager(bench.connection())

    @dg.asset(
        key=["reports", "names"],
        ins={"rows": dg.AssetIn(["acme_north", "work_orders"])},
        io_manager_key=key,
    )
    def names(rows: pl.DataFrame) -> pl.DataFrame:
        return rows.select("name")

    defs = dg.Definitions.merge(bench.definitions(), dg.Definitions(assets=[names]))
    job = defs.resolve_implicit_global_asset_job_def()
    wanted = [dg.AssetKey(["acme_north", "work_orders"]), dg.AssetKey(["reports", "names"])]
    assert job.execute_in_process(instance=bench.instance, asset_selection=wanted).success
    assert bench.rows("select count(*) from reports.names") == [(2,)]


def test_the_io_manager_stands_on_a_duckdb_resource(bench: Bench) -> None:
    resource = DuckDBResource(database=str(bench.file), connection_config={"threads": 1})
    manager = DuckDBIOManager(duckdb=resource)
    manager.destination().check()
    with manager.destination().open():
        pass
    assert manager.destination().address == f"duckdb:{bench.file.resolve()}"


def test_the_path_may_come_from_the_environment(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAREHOUSE_FILE", str(bench.file))
    manager = DuckDBIOManager(duckdb=DuckDBResource(database="${WAREHOUSE_FILE}"))
    assert manager.destination().address == f"duckdb:{bench.file.resolve()}"


@pytest.mark.parametrize(
    ("key", "metadata", "table"),
    [
        (["rents"], {}, "main.rents"),
        (["reports", "rents"], {}, "reports.rents"),
        (["a", "b", "Rents 2026"], {}, "b.rents_2026"),
        (["a"], {"dagster/table_name": "x.y"}, "x.y"),
        (["a"], {"dagster/table_name": dg.MetadataValue.text("x.y")}, "x.y"),
    ],
)
def test_the_table_is_named_by_the_metadata_or_by_the_key(key: list[str], metadata: Any, table: str) -> None:
    assert str(table_of(dg.AssetKey(key), metadata)) == table


def test_metadata_that_name_no_table_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"schema\.table"):
        table_of(dg.AssetKey("a"), {"dagster/table_name": "rents"})


def destination_key(**destination: Any) -> str:
    content = {
        "name": "acme",
        "source": {"connector": "acme"},
        "destination": destination,
        "streams": "*",
    }
    return io_manager(parse_connection(content, connectors={"acme": Acme()}))[0]


def test_plain_destinations_have_keys_that_people_can_type() -> None:
    assert destination_key(kind="duckdb", path="warehouse.duckdb") == "duckdb_warehouse"
    assert destination_key(kind="duckdb", path="data/warehouse.duckdb") == "duckdb_data__warehouse"
    assert destination_key(kind="postgres", url="${WAREHOUSE_URL}") == "postgres_warehouse_url"


def test_destinations_that_differ_have_keys_that_differ() -> None:
    parts = {"kind": "postgres", "host": "db", "database": "w", "user": "u"}
    keys = [
        destination_key(kind="duckdb", path="warehouse.duckdb"),
        destination_key(kind="duckdb", path="/warehouse.duckdb"),
        destination_key(kind="duckdb", path="warehouse.db"),
        destination_key(kind="duckdb", path="warehouse.duckdb", threads=1),
        destination_key(**parts, password="${A}"),
        destination_key(**parts, password="${B}"),
        destination_key(**{**parts, "host": "db2"}, password="${B}"),
    ]
    assert len(set(keys)) == len(keys)


def test_what_dagster_shows_of_postgres_holds_no_secret() -> None:
    content = {
        "name": "acme",
        "source": {"connector": "acme"},
        "destination": {
            "kind": "postgres",
            "host": "db",
            "database": "w",
            "user": "u",
            "password": "${PG_PASSWORD}",
        },
        "streams": "*",
    }
    _, manager = io_manager(parse_connection(content, connectors={"acme": Acme()}))
    assert isinstance(manager, PostgresIOManager)
    assert manager.config == {"host": "db", "database": "w", "user": "u", "password": "${PG_PASSWORD}"}
    with pytest.raises(ConfigurationError, match="secret"):
        PostgresIOManager(config={**manager.config, "password": "hunter2"}).destination()


@pytest.fixture
def postgres(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> PostgresIOManager:
    """A PostgreSQL database as an I/O manager."""
    monkeypatch.setenv("WAREHOUSE_URL", postgres_url)
    return PostgresIOManager(config={"url": "${WAREHOUSE_URL}"})


@pytest.mark.parametrize("name", FRAMES)
def test_postgres_takes_and_gives_the_same_types(postgres: PostgresIOManager, name: str) -> None:
    assert write(postgres, returned(name)).success
    for annotation in (pa.Table, pd.DataFrame, pl.LazyFrame, duckdb.DuckDBPyRelation):
        reader = postgres.destination().read_table("reports", "rents", None)
        assert ids(received(annotation, reader)) == [1, 2]


def test_a_connection_into_postgres_runs_as_one_into_duckdb(
    bench: Bench, postgres: PostgresIOManager
) -> None:
    bench.fields = {"destination": {"kind": "postgres", "url": "${WAREHOUSE_URL}"}}
    bench.vendor.records["work-orders"] = WORK_ORDERS
    result = bench.sync()
    assert result.success
    assert all(one.passed for one in result.get_asset_check_evaluations())
    reader = postgres.destination().read_table("acme_north", "work_orders", ["id"])
    assert sorted(reader.read_all()["id"].to_pylist()) == [1, 2]
