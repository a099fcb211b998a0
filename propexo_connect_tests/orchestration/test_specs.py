"""What the catalogue shows of a connection before anything has run."""

from datetime import timedelta

import dagster as dg

from propexo_connect.model.stream import StreamPlan
from propexo_connect.orchestration.specs import freshness_window
from propexo_connect_tests.orchestration.bench import Bench

WORK_ORDERS = dg.AssetKey(["acme_north", "work_orders"])
UNITS = dg.AssetKey(["acme_north", "units"])
PROPERTIES = dg.AssetKey(["acme_north", "properties"])


def specs(bench: Bench) -> dict[dg.AssetKey, dg.AssetSpec]:
    return {spec.key: spec for spec in bench.definitions().resolve_all_asset_specs()}


def test_each_stream_is_an_asset_in_the_group_of_its_connection(bench: Bench) -> None:
    bench.fields = {"owners": ["team:leasing"], "tags": {"region": "north"}}
    spec = specs(bench)[WORK_ORDERS]
    assert spec.group_name == "acme_north"
    assert set(spec.kinds) == {"acme", "duckdb"}
    assert list(spec.owners) == ["team:leasing"]
    assert spec.tags["region"] == "north"
    assert spec.tags["connection"] == "acme_north"


def test_the_lineage_begins_at_the_source_and_goes_through_the_parent(bench: Bench) -> None:
    all_specs = specs(bench)
    origin = dg.AssetKey(["sources", "acme", "acme_north"])
    assert {dep.asset_key for dep in all_specs[UNITS].deps} == {origin, PROPERTIES}
    assert all_specs[origin].group_name == "sources"


def test_a_stream_says_where_it_comes_from_how_and_where_it_goes(bench: Bench) -> None:
    bench.fields = {"schedule": {"every": "1h"}}
    metadata = specs(bench)[WORK_ORDERS].metadata
    assert metadata["dagster/table_name"] == "acme_north.work_orders"
    assert metadata["source"] == "Acme PMS"
    assert metadata["destination"] == f"duckdb path {bench.file}"
    assert metadata["mode"] == "merge"
    assert metadata["key"] == "id"
    assert metadata["cursor"] == "updatedAt"
    assert metadata["filter"] == "updatedAt (updated); reads 6h again"
    assert metadata["schedule"] == "every 1h"


def test_the_columns_are_known_before_the_first_sync(bench: Bench) -> None:
    bench.fields = {"streams": {"properties": {"fields": ["id", "name"]}}}
    schema = specs(bench)[PROPERTIES].metadata["dagster/column_schema"]
    columns = {column.name: column for column in schema.columns}
    assert list(columns) == ["id", "name", "first_seen", "last_seen", "last_changed"]
    assert columns["name"].description == "What people call it."
    assert not columns["id"].constraints.nullable


def test_no_secret_and_no_reference_to_one_is_shown(bench: Bench) -> None:
    bench.fields = {"source": {"connector": "acme", "account": "n", "password": "${ACME_PASSWORD}"}}
    text = str(list(specs(bench).values()))
    assert "ACME_PASSWORD" not in text
    assert "account n" in text


def test_freshness_is_twice_the_longest_gap_of_the_schedule(bench: Bench) -> None:
    assert freshness_window(bench.connection(schedule={"every": "1h"})) == timedelta(hours=2)
    assert freshness_window(bench.connection(schedule={"every": "1m"})) == timedelta(minutes=10)
    assert freshness_window(bench.connection(schedule="manual")) is None
    bench.fields = {"schedule": {"every": "1h"}}
    policy = specs(bench)[WORK_ORDERS].freshness_policy
    assert policy == dg.FreshnessPolicy.time_window(timedelta(hours=2), timedelta(minutes=90))


def test_a_warning_of_the_connection_stands_at_its_stream(bench: Bench) -> None:
    bench.fields = {
        "streams": {"work-orders": {"filter": {"meaning": "created"}, "lookback": "0s"}, "units": {}}
    }
    found = specs(bench)
    assert "later changes of older records are not seen" in found[WORK_ORDERS].metadata["warnings"]
    assert "warnings" not in found[UNITS].metadata


def test_a_translation_moves_a_stream_and_what_hangs_on_it(bench: Bench) -> None:
    def translate(spec: dg.AssetSpec, plan: StreamPlan) -> dg.AssetSpec:
        return spec.replace_attributes(key=["pms", plan.stream.name], group_name="pms")

    bench.translate = translate
    bench.fields = {"streams": ["properties", "units"]}
    found = specs(bench)
    assert found[dg.AssetKey(["pms", "units"])].group_name == "pms"
    deps = {dep.asset_key for dep in found[dg.AssetKey(["pms", "units"])].deps}
    assert dg.AssetKey(["pms", "properties"]) in deps
    assert bench.sync().success


def test_definitions_need_neither_environment_nor_network(bench: Bench) -> None:
    bench.fields = {"source": {"connector": "acme", "password": "${ACME_IS_NOT_SET}"}}
    dg.Definitions.validate_loadable(bench.definitions())
    assert not bench.vendor.opened_with


def test_runs_without_a_job_stay_in_one_process_too(bench: Bench) -> None:
    executor = bench.definitions().get_repository_def().get_job("__ASSET_JOB").executor_def
    assert executor.name == "in_process"


def test_all_writers_of_one_file_share_a_pool(bench: Bench) -> None:
    one = bench.definitions().resolve_assets_def(UNITS)
    bench.fields = {"name": "other"}
    other = bench.definitions().resolve_assets_def(dg.AssetKey(["other", "units"]))
    assert one.op.pool is not None
    assert one.op.pool == other.op.pool
    bench.fields = {"destination": {"kind": "duckdb", "path": "elsewhere.duckdb"}}
    assert bench.definitions().resolve_assets_def(UNITS).op.pool != one.op.pool
