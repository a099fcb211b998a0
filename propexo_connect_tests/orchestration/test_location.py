"""A folder of connections as one code location."""

import logging
from pathlib import Path

import dagster as dg
import pytest

from propexo_connect.connection.parse import parse_connection
from propexo_connect.definitions import connections_folder
from propexo_connect.orchestration.location import definitions_for, definitions_of
from propexo_connect_tests.orchestration.bench import Bench

GOOD = """\
source: {{connector: acme}}
destination: {{kind: duckdb, path: {folder}/warehouse.duckdb}}
schedule: {{every: 5h}}
streams: [units]
"""


def write(folder: Path, **files: str) -> Path:
    made = folder / "connections"
    made.mkdir(exist_ok=True)
    for name, text in files.items():
        (made / f"{name}.yaml").write_text(text.format(folder=folder))
    return made


def keys(defs: dg.Definitions) -> set[str]:
    return {spec.key.to_user_string() for spec in defs.resolve_all_asset_specs()}


def test_a_folder_brings_its_connections_sensors_and_retention(bench: Bench) -> None:
    folder = write(bench.folder, one=GOOD, other=GOOD)
    defs = definitions_for(folder, connectors=bench.connectors)
    dg.Definitions.validate_loadable(defs)
    repository = defs.get_repository_def()
    assert {"one/units", "other/units"} <= keys(defs)
    assert {sensor.name for sensor in repository.sensor_defs} == {"changed_connections", "interval_syncs"}
    assert {"one_sync", "other_sync", "propexo_retention"} <= {job.name for job in repository.get_all_jobs()}


def test_connections_with_one_destination_share_its_io_manager(bench: Bench) -> None:
    folder = write(bench.folder, one=GOOD, other=GOOD)
    resources = definitions_for(folder, connectors=bench.connectors).resources or {}
    assert len([key for key in resources if key.startswith("duckdb_")]) == 1


def test_a_broken_file_is_an_asset_of_its_own_and_takes_nobody_down(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    folder = write(bench.folder, good=GOOD, bad=GOOD.replace("acme", "acne"))
    with caplog.at_level(logging.WARNING, "propexo_connect"):
        defs = definitions_for(folder, connectors=bench.connectors)
    assert {"good/units", "bad/broken_connection"} <= keys(defs)
    spec = next(one for one in defs.resolve_all_asset_specs() if one.key.path[-1] == "broken_connection")
    assert spec.group_name == "bad"
    assert "unknown connector 'acne'" in (spec.description or "")
    assert "bad.yaml:1" in (spec.description or "")
    assert set(spec.kinds) == {"error"}
    assert "unknown connector 'acne'" in caplog.text


def test_syncing_a_broken_connection_says_what_is_wrong_and_is_not_tried_again(bench: Bench) -> None:
    folder = write(bench.folder, bad="streams: []")
    asset = definitions_for(folder, connectors=bench.connectors).resolve_assets_def(
        dg.AssetKey(["bad", "broken_connection"])
    )
    result = dg.materialize([asset], instance=bench.instance, raise_on_error=False)
    assert not result.success
    data = result.failure_data_for_node(asset.op.name)
    assert data is not None
    assert data.user_failure_data is not None
    assert "`source` is missing" in (data.user_failure_data.description or "")
    run = bench.instance.get_run_by_id(result.run_id)
    assert run is not None
    assert run.tags["dagster/max_retries"] == "0"


def test_a_connection_that_cannot_be_built_takes_nobody_down(bench: Bench) -> None:
    def refuse(spec: dg.AssetSpec, _plan: object) -> dg.AssetSpec:
        if spec.group_name == "bad":
            raise RuntimeError("hunter2")
        return spec

    both = [bench.connection(name="good"), bench.connection(name="bad")]
    defs = definitions_of(both, translate=refuse)
    assert {"good/units", "bad/broken_connection"} <= keys(defs)
    assert "hunter2" not in str([spec.description for spec in defs.resolve_all_asset_specs()])


def test_warnings_of_a_connection_are_told_when_it_is_loaded(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "propexo_connect"):
        definitions_of(
            [bench.connection(streams={"work-orders": {"filter": {"meaning": "created"}, "lookback": "0s"}})]
        )
    assert "later changes of older records are not seen" in caplog.text


def test_a_folder_that_is_not_there_is_said_in_the_asset_graph(tmp_path: Path) -> None:
    defs = definitions_for(tmp_path / "nowhere")
    dg.Definitions.validate_loadable(defs)
    assert keys(defs) == {"connections/broken_connection"}


def test_an_empty_folder_loads(tmp_path: Path) -> None:
    dg.Definitions.validate_loadable(definitions_for(tmp_path))


def test_the_folder_is_the_variables_else_the_one_here_else_the_projects(tmp_path: Path) -> None:
    project = connections_folder({}, tmp_path)
    assert project.name == "connections"
    assert project.parent != tmp_path
    (tmp_path / "connections").mkdir()
    assert connections_folder({}, tmp_path) == tmp_path / "connections"
    assert connections_folder({"PROPEXO_CONNECTIONS": "/srv/c"}, tmp_path) == Path("/srv/c")


def test_the_demos_own_asset_comes_with_the_demo_and_only_with_it(bench: Bench) -> None:
    folder = write(bench.folder, happyco_demo=DEMO)
    assert "demo/open_work_orders_by_property" in keys(definitions_for(folder))
    (folder / "happyco_demo.yaml").rename(folder / "happyco_real.yaml")
    assert "demo/open_work_orders_by_property" not in keys(definitions_for(folder))


def test_the_demos_own_asset_counts_open_work_orders(bench: Bench) -> None:
    folder = write(bench.folder, happyco_demo=DEMO)
    defs = definitions_for(folder)
    plan = parse_connection((folder / "happyco_demo.yaml").read_text(), name="happyco_demo").plans[0]
    assert plan.table.schema == "happyco_demo"
    bench.rows(
        "create schema happyco_demo; create table happyco_demo.work_orders as select * from (values "
        "('OPEN', 'URGENT', now(), 'p1', 'Elm'), ('OPEN', 'NORMAL', now(), 'p1', 'Elm'), "
        "('COMPLETED', 'NORMAL', now(), 'p1', 'Elm')) t(status, priority, created_at, "
        "location_v2_property_id, location_v2_property_name)"
    )
    job = defs.resolve_implicit_global_asset_job_def()
    key = dg.AssetKey(["demo", "open_work_orders_by_property"])
    assert job.execute_in_process(instance=bench.instance, asset_selection=[key]).success
    assert bench.rows(
        "select property_id, property_name, open_work_orders, urgent from demo.open_work_orders_by_property"
    ) == [("p1", "Elm", 2, 1)]


DEMO = """\
source: {{connector: happyco, email: demo@example.com, password: "${{HAPPYCO_PASSWORD}}"}}
destination: {{kind: duckdb, path: {folder}/warehouse.duckdb}}
schedule: {{every: 1h}}
streams: [work_orders]
"""
