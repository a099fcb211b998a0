"""The catalogue on the command line, in the docs, and as simulators."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from propexo_connect.cli import pages
from propexo_connect.cli.app import app
from propexo_connect.cli.facts import plan_of
from propexo_connect.cli.simulate import connection_text, simulation_of, simulations
from propexo_connect.connection.parse import parse_connection
from propexo_connect.connectors.api import ApiConnector
from propexo_connect.connectors.api.config import names_of
from propexo_connect.connectors.catalogue import CONNECTORS
from propexo_connect.model.errors import ConfigurationError, UnknownName
from propexo_connect.simulators.buildium import CLIENT_SECRET

CONNECTION = """
source: {connector: buildium, client_id: demo, client_secret: "${BUILDIUM_SECRET}"}
destination: {kind: duckdb, path: warehouse.duckdb}
streams: [leases, task_history]
"""
VENDORS = [name for name in CONNECTORS if isinstance(CONNECTORS[name], ApiConnector)]


def said(*words: str) -> str:
    result = CliRunner().invoke(app, list(words), catch_exceptions=False, env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pms.yaml").write_text(CONNECTION)
    return tmp_path


def test_connectors_are_listed_and_found_by_what_they_bring() -> None:
    assert "Buildium" in said("connectors")
    assert "Buildium" in said("connectors", "--find", "work_orders")
    assert "Buildium" not in said("connectors", "--find", "parquet")


def test_a_connector_shows_settings_streams_limits_and_what_it_cannot_tell() -> None:
    output = said("connectors", "show", "buildium")
    for words in ("client_secret", "lease_transactions", "10 requests at once", "Deleted records"):
        assert words in output


def test_an_unknown_connector_is_told_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'buildium'"):
        said("connectors", "show", "buildum")


def test_a_plan_is_explained_without_its_secrets(folder: Path) -> None:
    output = said("explain", "pms", "leases", "--connections", str(folder))
    assert "GET /leases?orderby=Id&lastupdatedfrom=" in output
    assert "x-buildium-client-secret" in output
    assert "task_history" not in output
    whole = said("explain", "pms", "--whole", "--connections", str(folder))
    assert "GET /tasks/{parent.Id}/history" in whole


def test_only_plans_are_explained(tmp_path: Path) -> None:
    (tmp_path / "files.yaml").write_text(
        "source: {connector: files, root: ., streams: {a: {path: a.csv, key: [id]}}}\n"
        "destination: {kind: duckdb, path: w.duckdb}\nstreams: '*'\n"
    )
    with pytest.raises(ConfigurationError, match="not read by a plan"):
        said("explain", "files", "--connections", str(tmp_path))


def test_the_pages_in_the_repository_are_up_to_date() -> None:
    """`make docs` writes them."""
    folder = Path(__file__).parents[2] / "docs" / "connectors"
    for path, text in pages.pages(folder).items():
        assert path.read_text(encoding="utf-8") == text, path.name


@pytest.mark.parametrize("name", VENDORS)
def test_every_name_in_a_plan_stands_for_something(name: str) -> None:
    connector = CONNECTORS[name]
    assert isinstance(connector, ApiConnector)
    if connector.names is None:
        config = connector.config.model_construct()
        known = frozenset(connector.config.model_fields) | frozenset(names_of(config))
        assert plan_of(connector).unknown_names(known) == []


@pytest.mark.parametrize("name", VENDORS)
def test_cursor_and_key_of_every_stream_are_declared(name: str) -> None:
    connector = CONNECTORS[name]
    assert isinstance(connector, ApiConnector)
    for stream in connector.streams(connector.config.model_construct()):
        declared = {field.name for field in stream.fields}
        if declared:
            assert {*stream.key, *([stream.cursor] if stream.cursor else [])} <= declared, stream.name


@pytest.mark.parametrize("name", simulations())
def test_a_simulator_prints_a_connection_that_holds(name: str) -> None:
    simulation = simulation_of(name)
    text = connection_text(simulation, "http://127.0.0.1:8901")
    connection = parse_connection(text.partition("\nexport ")[0], name=name)
    assert connection.connector.name == name


def test_a_simulators_secrets_stand_in_the_environment_only() -> None:
    document, _, exports = connection_text(simulation_of("buildium"), "http://x").partition("\nexport ")
    assert CLIENT_SECRET not in document
    assert CLIENT_SECRET in exports


def test_an_unknown_simulator_is_told() -> None:
    with pytest.raises(UnknownName, match="there is no simulator 'nowhere'"):
        simulation_of("nowhere")
