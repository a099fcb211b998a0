"""The command `diff`: the versions of one record."""

import json
from pathlib import Path

import pytest

from propexo_connect.cli.opening import connection_named, destination_of
from propexo_connect.model.errors import ConfigurationError, UnknownName
from propexo_connect.model.field import TEXT
from propexo_connect_tests.cli.test_app import CONNECTION, said
from propexo_connect_tests.destinations.kit import HOUR, NOON, Sync, layout_of

LEASES = layout_of(["lease_id"], lease_id=TEXT, unit=TEXT)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a connection that keeps a history."""
    connections = tmp_path / "connections"
    connections.mkdir()
    (connections / "leases.yaml").write_text(CONNECTION.format(root=tmp_path) + "history: true\n")
    return connections


def stored(folder: Path, *units: str) -> None:
    """One sync per unit, an hour apart, each of which brings the lease L-1 with it."""
    connection = connection_named(folder, "leases")
    with destination_of(connection).open() as session:
        for hours, name in enumerate(units):
            sync = Sync(session, connection.plans[0], NOON + hours * HOUR, f"sync-{hours}", LEASES)
            sync.commit([{"lease_id": "L-1", "unit": name}])


def diffed(folder: Path, *words: str) -> str:
    """What `diff` of the stream prints."""
    return said("diff", "leases", "leases", *words, "--connections", str(folder))


def test_each_version_tells_its_sync_and_what_changed(folder: Path) -> None:
    stored(folder, "[7]", "8")
    output = diffed(folder, "--key", "L-1")
    assert "2026-03-01 12:01:00 UTC  new, by a recurring sync (sync-0)" in output
    assert "2026-03-01 13:01:00 UTC  update, by a recurring sync (sync-1)" in output
    assert '"[7]"' in output


def test_json_tells_the_same(folder: Path) -> None:
    stored(folder, "7", "8")
    _, second = json.loads(diffed(folder, "--key", "lease_id=L-1", "--json"))
    assert second["changes"] == {"unit": {"before": "7", "after": "8"}}


def test_the_record_is_told_as_of_an_instant(folder: Path) -> None:
    stored(folder, "7", "8")
    found = json.loads(diffed(folder, "--key", "L-1", "--at", "2026-03-01T12:30", "--json"))
    assert found["record"] == {"lease_id": "L-1", "unit": "7"}
    assert "it still holds" in diffed(folder, "--key", "L-1", "--at", "2026-03-02")


def test_what_was_not_known_yet_is_told_with_when_it_was(folder: Path) -> None:
    stored(folder, "7")
    with pytest.raises(UnknownName, match="was not known") as caught:
        diffed(folder, "--key", "L-1", "--at", "2026-01-01T00:00:00Z")
    assert "begins at 2026-03-01 12:01:00 UTC" in caught.value.remedy


def test_what_is_no_instant_is_told(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="'yesterday' is no instant"):
        diffed(folder, "--key", "L-1", "--at", "yesterday")


def test_an_unknown_key_is_told(folder: Path) -> None:
    stored(folder, "7")
    with pytest.raises(UnknownName, match="no record with the key lease_id=L-2"):
        diffed(folder, "--key", "L-2")


def test_a_stream_that_was_never_stored_is_told(folder: Path) -> None:
    with pytest.raises(UnknownName, match="nothing of the stream has been stored yet"):
        diffed(folder, "--key", "L-1")


def test_a_stream_without_a_history_is_told(folder: Path) -> None:
    file = folder / "leases.yaml"
    file.write_text(file.read_text().replace("history: true\n", ""))
    stored(folder, "7")
    with pytest.raises(ConfigurationError, match="no history of the stream is kept"):
        diffed(folder, "--key", "L-1")


def test_an_unknown_stream_is_told_with_the_nearest(folder: Path) -> None:
    with pytest.raises(UnknownName) as caught:
        said("diff", "leases", "lease", "--key", "1", "--connections", str(folder))
    assert "leases" in caught.value.remedy
