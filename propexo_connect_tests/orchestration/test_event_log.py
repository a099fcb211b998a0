"""The event log on SQLite, with connections that stay open."""

import threading
from collections.abc import Generator
from multiprocessing import get_context
from pathlib import Path

import pytest
from dagster import EventLogEntry
from sqlalchemy import text

from propexo_connect.orchestration.event_log import PooledSqliteEventLogStorage

RUN = "run-0"
EACH = 20


@pytest.fixture
def storage(tmp_path: Path) -> Generator[PooledSqliteEventLogStorage]:
    """An event log of its own that keeps three files open."""
    opened = PooledSqliteEventLogStorage(str(tmp_path), max_open=3)
    try:
        yield opened
    finally:
        opened.dispose()


def tell(storage: PooledSqliteEventLogStorage, *messages: str, run_id: str = RUN) -> None:
    for message in messages:
        storage.store_event(EventLogEntry(None, 20, message, run_id, timestamp=0.0))


def told(storage: PooledSqliteEventLogStorage, run_id: str = RUN) -> list[str]:
    return [entry.user_message for entry in storage.get_logs_for_run(run_id)]


def open_files(folder: Path) -> int:
    """SQLite removes a journal when the last connection to its database is closed."""
    return len(list(folder.glob("*.db-wal")))


def tell_from_elsewhere(folder: str, messages: list[str]) -> None:
    opened = PooledSqliteEventLogStorage(folder)
    tell(opened, *messages)
    opened.dispose()


def connection_of(storage: PooledSqliteEventLogStorage) -> object:
    with storage.index_connection() as connection:
        return connection.connection.dbapi_connection


def test_events_share_one_connection(storage: PooledSqliteEventLogStorage) -> None:
    assert connection_of(storage) is connection_of(storage)


def test_what_fails_is_rolled_back_and_leaves_the_connection_usable(
    storage: PooledSqliteEventLogStorage,
) -> None:
    def forget_and_fail() -> None:
        with storage.run_connection(RUN) as connection:
            connection.execute(text("delete from event_logs"))
            raise RuntimeError("no")

    tell(storage, "first")
    with pytest.raises(RuntimeError, match="no"):
        forget_and_fail()
    tell(storage, "second")
    assert told(storage) == ["first", "second"]


def test_threads_write_at_once_and_lose_nothing(storage: PooledSqliteEventLogStorage) -> None:
    begin = threading.Barrier(4)

    def write(number: int) -> None:
        begin.wait()
        tell(storage, *(f"{number}-{event}" for event in range(EACH)))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told(storage)) == sorted(f"{one}-{event}" for one in range(4) for event in range(EACH))


def test_another_process_writes_at_once_and_loses_nothing(
    storage: PooledSqliteEventLogStorage, tmp_path: Path
) -> None:
    theirs, ours = ([f"{who}-{event}" for event in range(EACH)] for who in ("theirs", "ours"))
    tell(storage, *ours[: EACH // 2])
    other = get_context("spawn").Process(target=tell_from_elsewhere, args=(str(tmp_path), theirs))
    other.start()
    tell(storage, *ours[EACH // 2 :])
    other.join(60)
    assert other.exitcode == 0
    assert sorted(told(storage)) == sorted(ours + theirs)


def test_only_the_files_used_last_stay_open(storage: PooledSqliteEventLogStorage, tmp_path: Path) -> None:
    for number in range(5):
        tell(storage, "done", run_id=f"run-{number}")
        assert open_files(tmp_path) <= 3
    assert [told(storage, f"run-{number}") for number in range(5)] == [["done"]] * 5
    assert open_files(tmp_path) == 3


def test_disposing_closes_every_file_and_a_later_event_opens_its_own(
    storage: PooledSqliteEventLogStorage, tmp_path: Path
) -> None:
    tell(storage, "before")
    assert open_files(tmp_path) > 0
    storage.dispose()
    assert open_files(tmp_path) == 0
    tell(storage, "after")
    assert told(storage) == ["before", "after"]


def test_a_run_that_was_purged_elsewhere_is_not_remembered(
    storage: PooledSqliteEventLogStorage, tmp_path: Path
) -> None:
    """The retention job of another process deletes the file of a run that is still open here."""
    tell(storage, "old")
    for file in tmp_path.glob(f"{RUN}.db*"):
        file.unlink()
    assert told(storage) == []
    tell(storage, "new")
    assert told(storage) == ["new"]
