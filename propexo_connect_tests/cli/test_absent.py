"""The command `absent`: missing records, and one of them explained."""

import json
from pathlib import Path

import pytest

from propexo_connect.cli.opening import connection_named, destination_of
from propexo_connect.model.errors import ConfigurationError, UnknownName
from propexo_connect.model.field import TEXT
from propexo_connect.model.ledger import Reading
from propexo_connect_tests.cli.test_app import CONNECTION, said
from propexo_connect_tests.destinations.kit import HOUR, NOON, Sync, layout_of

LEASES = layout_of(["lease_id"], lease_id=TEXT, unit=TEXT)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a connection."""
    connections = tmp_path / "connections"
    connections.mkdir()
    (connections / "leases.yaml").write_text(CONNECTION.format(root=tmp_path))
    return connections


def read(folder: Path, *syncs: tuple[str, ...], is_complete: bool = True) -> None:
    """Whole reads, an hour apart, each of which returns these leases."""
    connection = connection_named(folder, "leases")
    with destination_of(connection).open() as session:
        first = len(session.windows(connection.plans[0]))
        for number, keys in enumerate(syncs, first):
            sync = Sync(
                session, connection.plans[0], NOON + number * HOUR, f"sync-{number}", LEASES, Reading.FULL
            )
            records = [{"lease_id": key, "unit": "7"} for key in keys]
            sync.commit(records, is_complete=is_complete)


def absent(folder: Path, *words: str) -> str:
    """What the command prints."""
    return said("absent", "leases", "leases", *words, "--connections", str(folder))


def test_missing_records_are_counted_and_listed(folder: Path) -> None:
    read(folder, ("L-1", "L-2"), ("L-1",), ("L-1",))
    output = absent(folder)
    assert "2 records: 1 present, 0 not covered, 1 absent, 0 presumed deleted." in output
    assert "Policy: presumed deleted after 3 complete reads that covered it and 30d from its last" in output
    assert "L-2" in output
    assert "L-1" not in output


def test_a_record_is_explained_by_each_read_that_covered_it(folder: Path) -> None:
    read(folder, ("L-1", "L-2"), ("L-1",))
    read(folder, ("L-1",), is_complete=False)
    output = absent(folder, "--key", "L-2")
    assert "lease_id L-2 is absent: reads that would have had to return it did not." in output
    assert "Last seen by the sync of 2026-03-01 12:00:00 UTC." in output
    assert "everything" in output
    assert "1 full read does not count: not read to the end." in output


def test_json_tells_the_same(folder: Path) -> None:
    read(folder, ("L-1", "L-2"), ("L-1",))
    found = json.loads(absent(folder, "--key", "lease_id=L-2", "--json"))
    assert (found["verdict"], found["covered_absences"]) == ("absent", 1)
    assert [one["sync_id"] for one in found["covering_reads"]] == ["sync-1"]
    summary = json.loads(absent(folder, "--json"))
    assert [one["key"] for one in summary["missing"]] == [{"lease_id": "L-2"}]
    assert summary["verdicts"]["absent"] == 1


def test_a_key_that_the_table_does_not_hold_is_told(folder: Path) -> None:
    read(folder, ("L-1",))
    with pytest.raises(UnknownName, match="holds no record with the key lease_id=L-9"):
        absent(folder, "--key", "L-9")


def test_a_key_with_parts_that_are_none_is_told(folder: Path) -> None:
    read(folder, ("L-1",))
    with pytest.raises(ConfigurationError, match="comes twice"):
        absent(folder, "--key", "L-1", "--key", "L-2")


def test_a_stream_that_was_never_synced_is_told(folder: Path) -> None:
    with pytest.raises(UnknownName, match="nothing of the stream has been stored yet"):
        absent(folder)
