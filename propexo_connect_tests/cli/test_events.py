"""The commands over events: each as a person types it, against a DuckDB outbox and a receiver on loopback."""

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from propexo_connect.cli.app import app
from propexo_connect.model.errors import ConfigurationError, UnknownName
from propexo_connect_tests.destinations.conftest import ask, configured
from propexo_connect_tests.events.kit import SECRET, Outbox
from propexo_connect_tests.events.receiving import Reaction, Receiving, receiving

CONNECTION = """
source:
  connector: files
  root: {root}
  streams:
    leases: {{path: "leases-*.csv", key: [lease_id]}}
destination: {{kind: duckdb, path: {root}/warehouse.duckdb}}
streams: "*"
"""

ENDPOINT = """
url: {url}
secret: ${{HOOK_SECRET}}
allow_private_addresses: true
paused: {paused}
subscribe:
  - events: [data.new]
"""


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Receiving]:
    """A receiver, and a folder with a connection and the endpoint `hook` that leads to it."""
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    monkeypatch.setenv("PROPEXO_STATE_DIR", str(tmp_path / "state"))
    endpoints = tmp_path / "connections" / "endpoints"
    endpoints.mkdir(parents=True)
    (tmp_path / "connections" / "leases.yaml").write_text(CONNECTION.format(root=tmp_path))
    with receiving(Reaction(204)) as receiver:
        (endpoints / "hook.yaml").write_text(ENDPOINT.format(url=receiver.url, paused="false"))
        yield receiver


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    """The connection's destination."""
    options = {"path": str(tmp_path / "warehouse.duckdb")}
    return Outbox("duckdb", configured("duckdb", options), lambda sql: ask("duckdb", options, sql), options)


def run(tmp_path: Path, *words: str) -> Result:
    folder = str(tmp_path / "connections")
    return CliRunner().invoke(app, ["events", *words, "--connections", folder], catch_exceptions=False)


def told(tmp_path: Path, *words: str) -> Any:
    result = run(tmp_path, *words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_list_tells_what_waits_before_anything_was_tried(
    tmp_path: Path, there: Receiving, outbox: Outbox
) -> None:
    outbox.write(1, 2)
    outbox.write(3, to=["former"])
    rows = {row["endpoint"]: row for row in told(tmp_path, "list")}
    assert rows["hook"]["pending"] == 2
    assert rows["hook"]["state"] == "active"
    assert rows["former"]["state"] == "without a file"
    assert "hook" in run(tmp_path, "list").stdout
    assert there.requests == []


def test_deliver_sends_what_is_due_and_log_tells_of_it(
    tmp_path: Path, there: Receiving, outbox: Outbox
) -> None:
    there.reactions[:] = [Reaction(500), Reaction(204)]
    outbox.write(1, 2)
    assert told(tmp_path, "deliver") == {"delivered": 1, "failed": 1, "dead": 0}
    lines = told(tmp_path, "log", "--endpoint", "hook")
    # The two are sent at once, so either may meet the failing answer.
    assert {line["event_id"] for line in lines} == {"evt_1", "evt_2"}
    assert {(line["status"], line["problem"]) for line in lines} == {(500, "answered 500"), (204, None)}
    assert [line["event_id"] for line in told(tmp_path, "log", "--event", "evt_2")] == ["evt_2"]
    row = told(tmp_path, "list")[0]
    assert (row["pending"], row["delivered"], row["last_problem"]) == (1, 1, "answered 500")
    assert "hush" not in run(tmp_path, "log").stdout


def test_replay_sends_again_under_the_old_id(tmp_path: Path, there: Receiving, outbox: Outbox) -> None:
    outbox.write(1, 2)
    told(tmp_path, "deliver")
    assert told(tmp_path, "replay", "--id", "evt_2") == {"replayed": 1}
    told(tmp_path, "deliver")
    assert sorted(there.ids) == ["evt_1", "evt_2", "evt_2"]
    assert told(tmp_path, "replay", "--since", "2026-03-02T12:00:02Z") == {"replayed": 1}
    assert told(tmp_path, "replay", "--since", "2026-03-02T12:00:00Z", "--dead") == {"replayed": 0}


def test_replay_wants_to_know_what(tmp_path: Path, there: Receiving) -> None:  # noqa: ARG001
    with pytest.raises(ConfigurationError, match="--id or --since"):
        run(tmp_path, "replay", "--dead")
    with pytest.raises(ConfigurationError, match="no instant"):
        run(tmp_path, "replay", "--since", "yesterday")


def test_a_test_event_is_sent_now_and_its_answer_told(tmp_path: Path, there: Receiving) -> None:
    assert told(tmp_path, "test", "hook")["status"] == 204
    assert json.loads(there.requests[0].body)["type"] == "test"
    there.reactions[:] = [Reaction(404)]
    result = run(tmp_path, "test", "hook")
    assert result.exit_code == 1
    assert "answered 404" in result.stderr


def test_an_unknown_endpoint_is_told_with_the_nearest(tmp_path: Path, there: Receiving) -> None:  # noqa: ARG001
    with pytest.raises(UnknownName, match="Did you mean 'hook'"):
        run(tmp_path, "test", "hok")


def test_a_paused_endpoint_waits_and_the_commands_say_how(
    tmp_path: Path, there: Receiving, outbox: Outbox
) -> None:
    file = tmp_path / "connections" / "endpoints" / "hook.yaml"
    file.write_text(ENDPOINT.format(url=there.url, paused="true"))
    outbox.write(1)
    assert told(tmp_path, "deliver")["delivered"] == 0
    assert told(tmp_path, "pause")["paused"] == ["hook"]
    assert "paused: true" in run(tmp_path, "resume").stdout
    file.write_text(ENDPOINT.format(url=there.url, paused="false"))
    assert told(tmp_path, "deliver")["delivered"] == 1


def test_a_destination_that_cannot_be_asked_is_told_and_the_others_are_answered(
    tmp_path: Path, there: Receiving, outbox: Outbox
) -> None:
    outbox.write(1)
    text = (tmp_path / "connections" / "leases.yaml").read_text()
    other = text.replace(f"duckdb, path: {tmp_path}/warehouse.duckdb", 'postgres, url: "${NOT_SET_ANYWHERE}"')
    (tmp_path / "connections" / "others.yaml").write_text(other)
    result = run(tmp_path, "deliver")
    assert result.exit_code == 1
    assert "NOT_SET_ANYWHERE" in result.stderr
    assert there.ids == ["evt_1"]
