"""`propexo-connect purge`: told first, done with --yes, audited, and without the value."""

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner

from propexo_connect.cli.app import app
from propexo_connect.destinations import DESTINATIONS
from propexo_connect.http.durable import STATE_VARIABLE
from propexo_connect.model.errors import ConfigurationError, UnknownName
from propexo_connect_tests.destinations.kit import NOON, Sync, keyed_plan
from propexo_connect_tests.destinations.test_purge import CANARY, OTHER, TENANTS, tenant

CONNECTION = """
source:
  connector: files
  root: {root}
  streams:
    units: {{path: "units-*.csv", key: [id]}}
destination: {{kind: duckdb, path: {root}/warehouse.duckdb}}
streams: "*"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A connection `acme` whose destination holds two people."""
    monkeypatch.setenv(STATE_VARIABLE, str(tmp_path / "state"))
    connections = tmp_path / "connections"
    connections.mkdir()
    (connections / "acme.yaml").write_text(CONNECTION.format(root=tmp_path))
    kind = DESTINATIONS["duckdb"]
    with kind.configure(
        kind.config.model_validate({"path": str(tmp_path / "warehouse.duckdb")})
    ).open() as session:
        sync = Sync(session, keyed_plan(TENANTS, history=True), NOON, layout=TENANTS)
        sync.commit([tenant(1, CANARY), tenant(2, OTHER)])
    return connections


def said(folder: Path, *words: str, given: str | None = None) -> str:
    """What a purge prints."""
    result = CliRunner().invoke(
        app,
        ["purge", "acme", *words, "--connections", str(folder)],
        input=given,
        catch_exceptions=False,
        env={"COLUMNS": "200"},
    )
    assert result.exit_code == 0, result.output
    assert CANARY not in result.output
    return result.output


def answer(folder: Path, *words: str) -> Any:
    """The same for programs."""
    return json.loads(said(folder, *words, "--json"))


def stored(folder: Path) -> int:
    """How many people the destination holds."""
    with duckdb.connect(str(folder.parent / "warehouse.duckdb")) as connection:
        return connection.execute("select count(*) from pms.units").fetchall()[0][0]


def test_without_yes_it_is_only_told(folder: Path) -> None:
    output = said(folder, "--identifier", CANARY)
    assert "Nothing was done yet" in output
    assert "2 rows in 2 tables" in output
    assert "pms.units__history" in output
    assert stored(folder) == 2


def test_with_yes_it_is_done_and_listed(folder: Path) -> None:
    found = answer(folder, "--identifier", CANARY, "--yes", "--reason", "ticket 7", "--suppress")
    assert found["is_executed"]
    assert [one["count"] for one in found["found"]] == [1, 1]
    assert stored(folder) == 1
    (row,) = answer(folder, "--list")["purges"]
    assert (row["id"], row["reason"], row["is_suppressed"]) == (found["purge"], "ticket 7", True)
    assert "1 stream" in said(folder, "--lift", found["purge"])
    (row,) = answer(folder, "--list")["purges"]
    assert (row["is_suppressed"], row["lifted_at"] is None) == (True, False)


def test_a_key_of_one_field_needs_no_name(folder: Path) -> None:
    assert answer(folder, "--key", "1")["found"] == answer(folder, "--key", "id=1")["found"] != []


def test_the_value_may_come_from_standard_input(folder: Path) -> None:
    assert "2 rows" in said(folder, "--identifier", "-", given=f"{CANARY}\n")


def test_nothing_found_is_told(folder: Path) -> None:
    assert "Nothing was found" in said(folder, "--identifier", "nobody@example.com")


def test_a_file_is_written_anew(folder: Path) -> None:
    output = said(folder, "--identifier", CANARY, "--yes", "--rewrite")
    assert "was written anew" in output
    assert CANARY.encode() not in (folder.parent / "warehouse.duckdb").read_bytes()


@pytest.mark.parametrize(
    ("words", "error", "match"),
    [
        ((), ConfigurationError, "not said what"),
        (("--key", "1", "--identifier", "x"), ConfigurationError, "a key and an identifier"),
        (("--key", "1", "--key", "2"), ConfigurationError, "two values"),
        (("--key", "1", "--ignore-case"), ConfigurationError, "belong to an identifier"),
        (("--key", "1", "--stream", "unit"), UnknownName, "stream 'unit'.*Expected: one of units"),
        (("--lift", "7"), UnknownName, "no purge '7'"),
    ],
)
def test_what_cannot_be_done_is_told(
    folder: Path, words: tuple[str, ...], error: type[ConfigurationError], match: str
) -> None:
    with pytest.raises(error, match=match):
        said(folder, *words)
