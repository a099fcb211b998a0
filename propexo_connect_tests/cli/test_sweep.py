"""`propexo-connect sweep`: what it reads and tells."""

import json
import threading
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner, Result

from propexo_connect.cli.app import app
from propexo_connect.cli.opening import connection_named, destination_of, source_of
from propexo_connect.model.clock import SystemClock
from propexo_connect.model.errors import UnknownName
from propexo_connect.sync.result import SyncOrder
from propexo_connect.sync.run import run_sync

CONNECTION = """
source:
  connector: files
  root: {root}
  lag: 0s
  streams:
    leases: {{path: "leases-*.csv", key: [lease_id]}}
    notes: {{path: "notes-*.csv"}}
destination: {{kind: duckdb, path: {root}/warehouse.duckdb}}
streams: {{leases: {{}}, notes: {{mode: append}}}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one connection that reads two kinds of files, synced once."""
    (tmp_path / "leases-1.csv").write_text("lease_id,unit\nL-1,7\nL-2,8\n")
    (tmp_path / "notes-1.csv").write_text("text\nhello\n")
    connections = tmp_path / "connections"
    connections.mkdir()
    (connections / "leases.yaml").write_text(CONNECTION.format(root=tmp_path))
    connection, clock = connection_named(connections, "leases"), SystemClock()
    with destination_of(connection).open() as session, source_of(connection) as source:
        order = SyncOrder("sync-1", connection.plans)
        results = list(
            run_sync(order, source, session, connection.settings, clock, lambda _: None, threading.Event())
        )
    assert all(result.is_ok for result in results)
    return connections


def run(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(
        app, ["sweep", "leases", *words, "--connections", str(folder)], catch_exceptions=False
    )


def test_a_sweep_sights_what_is_still_there_and_tells_the_counts(folder: Path) -> None:
    (folder.parent / "leases-1.csv").write_text("lease_id,unit\nL-2,9\nL-3,7\n")
    result = run(folder, "leases", "--json")
    assert result.exit_code == 0
    (facts,) = json.loads(result.stdout)
    assert facts.pop("requests") >= 1
    assert facts == {
        "stream": "leases",
        "is_complete": True,
        "keys": 2,
        "seen": 1,
        "unknown": 1,
        "rejected": 0,
        "error": None,
    }
    with duckdb.connect(str(folder.parent / "warehouse.duckdb")) as connection:
        rows = connection.sql("select lease_id, unit, last_seen > first_seen from leases.leases order by 1")
        assert [(key, str(unit), seen) for key, unit, seen in rows.fetchall()] == [
            ("L-1", "7", False),
            ("L-2", "8", True),
        ]


def test_streams_without_a_key_are_left_out_unless_they_are_named(folder: Path) -> None:
    result = run(folder)
    assert result.exit_code == 0
    assert "notes" not in result.stdout
    result = run(folder, "notes")
    assert result.exit_code == 1
    assert "no key" in " ".join(result.stderr.split())


def test_progress_stands_beside_the_counts(folder: Path) -> None:
    result = run(folder, "leases", "--json")
    assert "sweep tile" in result.stderr
    assert "sweep tile" not in result.stdout


def test_an_unknown_stream_is_told_with_the_nearest(folder: Path) -> None:
    with pytest.raises(UnknownName, match="Did you mean 'leases'"):
        run(folder, "lease")
