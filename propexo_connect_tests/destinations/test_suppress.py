"""What a purge keeps from coming back, and what syncs that go on meanwhile do."""

import json
import threading
from collections.abc import Callable
from contextlib import suppress as suppressing
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from propexo_connect.destinations.commit import store
from propexo_connect.destinations.duckdb.faults import fault
from propexo_connect.destinations.hash_key import HashKey
from propexo_connect.destinations.state import READ_FENCE
from propexo_connect.http.durable import STATE_VARIABLE
from propexo_connect.model.errors import ConfigurationError, DestinationBusy, UnknownName
from propexo_connect.model.field import INTEGER, TEXT
from propexo_connect.model.purge import PurgeRequest
from propexo_connect.model.stream import Mode
from propexo_connect_tests.destinations.conftest import configured
from propexo_connect_tests.destinations.kit import HOUR, NOON, Bench, Sync, keyed_plan, layout_of
from propexo_connect_tests.destinations.test_destination import a_link, bench_on
from propexo_connect_tests.destinations.test_purge import (
    CANARY,
    OTHER,
    TENANTS,
    places,
    rejected,
    tenant,
    tenants_plan,
)


@pytest.fixture(autouse=True)
def state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the key of hashes is kept."""
    folder = tmp_path / "state"
    monkeypatch.setenv(STATE_VARIABLE, str(folder))
    return folder


def suppress(bench: Bench, **request: Any) -> str:
    """Purge and suppress; the purge's number."""
    asked = PurgeRequest("acme", is_suppressed=True, **request)
    bench.session.purge(asked, NOON)
    return asked.id


def synced(bench: Bench, hours: float = 1, **changes: Any) -> Sync:
    """A sync of the people."""
    return bench.sync(tenants_plan(**changes), hours=hours, layout=TENANTS)


def test_a_suppressed_key_does_not_come_back(bench: Bench) -> None:
    synced(bench, 0).commit([tenant(1, CANARY), tenant(2, OTHER)])
    suppress(bench, key={"id": "1"}, streams=("tenants",))
    window = synced(bench).commit([tenant(1, CANARY), tenant(2, OTHER), tenant(3, OTHER)])
    counts = window.counts
    assert (counts.read, counts.new, counts.unchanged, counts.rejected) == (3, 1, 1, 1)
    assert window.suppressed == 1
    assert places(bench, CANARY) == set()
    assert bench.session.equation_faults(tenants_plan()) == 0
    assert bench.query("select count(*) from _propexo.rejected_records") == [(0,)]


def test_a_suppressed_identifier_does_not_come_back_in_any_place(bench: Bench) -> None:
    synced(bench, 0).commit([tenant(1, CANARY)])
    suppress(bench, identifier=CANARY, ignore_case=True)
    misfit = json.dumps({"misfits": {"age": {"value": CANARY, "reason": "no number"}}})
    window = synced(bench).commit(
        [
            tenant(1, CANARY.upper()),
            tenant(2, OTHER, profile={"friends": [{"mail": CANARY}]}),
            {**tenant(3, OTHER), "_propexo_meta": misfit},
            tenant(4, OTHER),
        ],
        rejected=[rejected({"email": CANARY}), rejected({"email": OTHER})],
    )
    assert window.suppressed == 4
    assert window.counts.rejected == 5
    assert bench.table("id", "pms.tenants") == [(4,)]
    assert places(bench, CANARY) == places(bench, CANARY.upper()) == set()


def test_an_identifier_in_named_fields_is_suppressed_there_alone(bench: Bench) -> None:
    synced(bench, 0).commit([tenant(1, CANARY)])
    suppress(bench, identifier=CANARY, fields=("email",))
    window = synced(bench).commit([tenant(1, CANARY), {**tenant(2, OTHER), "name": CANARY}])
    assert window.suppressed == 1
    assert bench.table("id", "pms.tenants") == [(2,)]


def test_a_suppressed_key_is_known_after_its_column_was_widened(bench: Bench) -> None:
    narrow, wide = (layout_of(["id"], id=given, name=TEXT) for given in (INTEGER, TEXT))
    plan = keyed_plan(narrow)
    bench.sync(plan, layout=narrow).commit([{"id": 1, "name": "a"}])
    suppress(bench, key={"id": "1"})
    assert bench.sync(plan, hours=1, layout=wide).commit([{"id": "1", "name": "b"}]).suppressed == 1


def test_a_whole_read_that_swaps_leaves_it_out(bench: Bench) -> None:
    """The records that were put aside before the purge are no longer all there: the read starts anew."""
    synced(bench, 0, mode=Mode.OVERWRITE).commit([tenant(1, CANARY), tenant(2, OTHER)])
    reading = synced(bench, 1, mode=Mode.OVERWRITE)
    reading.commit([tenant(1, CANARY), tenant(2, OTHER)], is_complete=False)
    suppress(bench, identifier=CANARY)
    with pytest.raises(DestinationBusy, match="read again from its beginning"):
        reading.commit([tenant(3, OTHER)])
    again = synced(bench, 2, mode=Mode.OVERWRITE)
    again.commit([tenant(1, CANARY), tenant(2, OTHER)], is_complete=False)
    window = again.commit([tenant(3, OTHER)])
    assert (window.counts.read, window.counts.rejected) == (2, 0)
    assert bench.table("id", "pms.tenants") == [(2,), (3,)]
    assert bench.session.equation_faults(tenants_plan()) == 0


def test_without_suppression_a_record_may_come_back(bench: Bench) -> None:
    synced(bench, 0).commit([tenant(1, CANARY)])
    bench.session.purge(PurgeRequest("acme", identifier=CANARY), NOON)
    assert synced(bench).commit([tenant(1, CANARY)]).counts.new == 1


def test_a_lifted_suppression_holds_no_more_and_is_told(bench: Bench) -> None:
    synced(bench, 0).commit([tenant(1, CANARY)])
    number = suppress(bench, identifier=CANARY)
    assert bench.session.lift("acme", number, "eve", NOON + HOUR) == 1
    assert synced(bench).commit([tenant(1, CANARY)]).counts.new == 1
    (row,) = bench.session.purges("acme")
    assert (row.lifted_at, row.lifted_by) == (NOON + HOUR, "eve")
    with pytest.raises(UnknownName, match="no purge"):
        bench.session.lift("acme", number, "eve", NOON)


def test_a_stream_without_suppressions_asks_for_no_key(bench: Bench, state_folder: Path) -> None:
    synced(bench, 0).commit([tenant(1, CANARY)])
    assert not state_folder.exists()


def test_without_the_key_nothing_is_stored_and_the_remedy_told(bench: Bench, state_folder: Path) -> None:
    synced(bench, 0).commit([tenant(1, CANARY)])
    suppress(bench, identifier=CANARY)
    (state_folder / "purge.key").unlink()
    with pytest.raises(ConfigurationError, match=r"purge\.key, is missing .* lift") as caught:
        synced(bench).commit([tenant(1, CANARY)])
    assert not caught.value.retryable
    assert places(bench, CANARY) == set()


def test_another_key_is_told_from_the_right_one(bench: Bench, state_folder: Path) -> None:
    synced(bench, 0).commit([tenant(1, CANARY)])
    suppress(bench, identifier=CANARY)
    (state_folder / "purge.key").write_bytes(b"x" * 32)
    with pytest.raises(ConfigurationError, match="another key"):
        synced(bench).commit([tenant(1, CANARY)])
    with pytest.raises(ConfigurationError, match="another key"):
        suppress(bench, identifier=OTHER)


def test_the_key_is_the_owners_alone_and_stays(state_folder: Path) -> None:
    first = HashKey.made()
    assert (state_folder / "purge.key").stat().st_mode & 0o777 == 0o600
    assert HashKey.made() == HashKey.stored() == first
    assert first.secret.hex() not in repr(first)


def test_a_hash_tells_kinds_and_keys_apart() -> None:
    one, other = HashKey(b"1" * 32), HashKey(b"2" * 32)
    assert len({one.hash("key", "a"), one.hash("identifier", "a"), other.hash("key", "a"), one.id}) == 4


def store_with(
    bench: Bench, sync: Sync, records: list[dict[str, Any]], meanwhile: Callable[[str], None]
) -> None:
    """Commit a step on a connection of its own; `meanwhile` is called behind each of its statements."""
    link: Any = a_link(bench)
    try:
        store(link, sync.step(records), lambda: sync.started_at, meanwhile)
        link.connection.commit()
    except Exception as error:
        raise translated(bench, error) from error
    finally:
        link.connection.close()


def translated(bench: Bench, error: Exception) -> Exception:
    """An error of a driver in our words."""
    if bench.name == "duckdb" and isinstance(error, duckdb.Error):
        return fault(error, "the file")
    return error


@pytest.mark.parametrize("is_first", [True, False])
def test_a_commit_that_a_purge_came_in_between_of_stores_nothing(bench: Bench, is_first: bool) -> None:
    """Also where the stream is stored for the first time, so that nothing of it can be locked."""
    layout = replace(TENANTS, columns=()) if is_first else TENANTS
    bench.sync(tenants_plan(), layout=layout).commit([], rejected=[rejected({"email": CANARY})])
    sync = synced(bench, 1)

    def meanwhile(point: str) -> None:
        if point == "fence checked":
            suppress(bench, identifier=CANARY)

    with pytest.raises(DestinationBusy):
        store_with(bench, sync, [tenant(1, CANARY)], meanwhile)
    assert places(bench, CANARY) == set()
    assert sync.commit([tenant(1, CANARY), tenant(2, OTHER)]).suppressed == 1
    assert places(bench, CANARY) == set()


@pytest.mark.parametrize("at", ["records staged", "ledger written", "fence held"])
def test_a_purge_waits_for_a_commit_that_has_the_stream(postgres_url: str, at: str) -> None:
    """And takes out what that stored."""
    with configured("postgres", {"url": postgres_url}).open() as session:
        settings = {"url": postgres_url}
        turns(replace(bench_on(session, settings), options=settings), at)


def turns(bench: Bench, at: str) -> None:
    """Begin a purge while a step is being stored."""
    synced(bench, 0).commit([tenant(1, CANARY), tenant(2, OTHER)])
    sync = synced(bench, 1)
    failures: list[Exception] = []

    def work() -> None:
        try:
            suppress(bench, identifier=CANARY)
        except DestinationBusy as error:
            failures.append(error)

    purging = threading.Thread(target=work)

    def meanwhile(point: str) -> None:
        if point == at:
            purging.start()

    records = [tenant(1, CANARY, name="changed"), tenant(3, CANARY), tenant(2, OTHER)]
    with suppressing(DestinationBusy):
        store_with(bench, sync, records, meanwhile)
    purging.join()
    if failures:
        suppress(bench, identifier=CANARY)
    synced(bench, 2).commit(records)
    assert places(bench, CANARY) == set()
    assert bench.table("id", "pms.tenants") == [(2,)]
    assert bench.session.equation_faults(tenants_plan()) == 0


def test_purges_and_commits_of_several_sessions_take_turns(bench: Bench) -> None:
    """In no order does the record come back."""
    records = [tenant(1, CANARY), tenant(3, CANARY), tenant(2, OTHER)]
    synced(bench, 0).commit(records)
    failures: list[Exception] = []

    def work() -> None:
        with bench.destination.open() as session:
            syncing = Sync(session, tenants_plan(), NOON, layout=TENANTS)
            ready.wait()
            for number in range(8):
                try:
                    syncing.commit([{**record, "name": f"{number}"} for record in records])
                except DestinationBusy as error:
                    failures.append(error)

    ready = threading.Barrier(2)
    thread = threading.Thread(target=work)
    thread.start()
    ready.wait()
    suppress(bench, identifier=CANARY)
    thread.join()
    assert places(bench, CANARY) == set()
    assert bench.session.equation_faults(tenants_plan()) == 0


def test_the_lanes_fences_stay_with_their_holders(bench: Bench) -> None:
    """A purge does not take a lane over: the sync that holds it goes on."""
    sync = synced(bench, 0)
    sync.commit([tenant(1, CANARY)])
    suppress(bench, identifier=CANARY)
    assert sync.commit([tenant(2, OTHER)]).counts.new == 1
    assert bench.query("select number from _propexo.fences where lane = 'recurring'") == [(1,)]


def test_a_stream_without_suppressions_pays_with_no_statement(bench: Bench) -> None:
    """The fence's own query tells; no other statement names the suppressed."""
    synced(bench, 0).commit([tenant(1, OTHER)])
    link: Any = a_link(bench)
    asked: list[str] = []
    rows = link.rows

    def noted(sql: str, parameters: Any = ()) -> Any:
        asked.append(sql)
        return rows(sql, parameters)

    link.rows = noted
    store(link, synced(bench).step([tenant(2, OTHER)]), lambda: NOON, lambda _: None)
    link.connection.close()
    assert [sql for sql in asked if "suppressed" in sql] == [READ_FENCE]
