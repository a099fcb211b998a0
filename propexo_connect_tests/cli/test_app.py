"""The command line: what it tells, and how it ends."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from propexo_connect.cli.app import app
from propexo_connect.model.errors import MissingSecret, UnknownName

CONNECTION = """
source:
  connector: files
  root: {root}
  streams:
    leases: {{path: "leases-*.csv", key: [lease_id], description: One lease}}
destination: {{kind: duckdb, path: {root}/warehouse.duckdb}}
streams: "*"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one connection that reads one file."""
    (tmp_path / "leases-1.csv").write_text("lease_id,unit\nL-1,7\n")
    connections = tmp_path / "connections"
    connections.mkdir()
    (connections / "leases.yaml").write_text(CONNECTION.format(root=tmp_path))
    return connections


def said(*words: str) -> str:
    """What a command that ends well prints."""
    result = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_check_tells_access_for_each_stream_and_the_destination(folder: Path) -> None:
    output = said("check", "leases", "--connections", str(folder))
    assert "leases" in output
    assert "yes" in output
    assert "can be written" in output


def test_discover_lists_streams_with_their_keys(folder: Path) -> None:
    output = said("discover", "leases", "--connections", str(folder))
    assert "lease_id" in output
    assert "One lease" in output


def test_an_unknown_connection_is_told_with_the_nearest(folder: Path) -> None:
    with pytest.raises(UnknownName, match="Did you mean 'leases'"):
        said("check", "lease", "--connections", str(folder))


def test_a_broken_connection_is_told_with_its_line(folder: Path) -> None:
    (folder / "units.yaml").write_text("source: {connector: nowhere}\n")
    with pytest.raises(UnknownName, match=r"units\.yaml:1"):
        said("check", "units", "--connections", str(folder))


def test_a_missing_variable_is_told_by_its_name(folder: Path) -> None:
    text = (
        (folder / "leases.yaml")
        .read_text()
        .replace("duckdb, path:", 'postgres, url: "${NOT_SET_ANYWHERE}", #')
    )
    (folder / "leases.yaml").write_text(text.split("#")[0] + '}\nstreams: "*"\n')
    with pytest.raises(MissingSecret, match="NOT_SET_ANYWHERE"):
        said("check", "leases", "--connections", str(folder))
