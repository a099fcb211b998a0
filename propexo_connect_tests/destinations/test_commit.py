"""Commits as a whole: several at once, and killed between any two statements."""

import signal
import threading
from dataclasses import replace

import pytest

from propexo_connect.destinations import failpoints
from propexo_connect.model.errors import ConfigurationError, Defect
from propexo_connect.model.stream import Table
from propexo_connect_tests.destinations import killed
from propexo_connect_tests.destinations.kit import Bench, Sync, facts_of, unit, units_plan


def test_streams_commit_at_once_from_several_threads(bench: Bench) -> None:
    plans = [
        replace(units_plan(), stream=replace(units_plan().stream, name=name), table=Table("pms", name))
        for name in ("leases", "units", "tenants")
    ]
    failures: list[BaseException] = []

    def work(sync: Sync, begin: threading.Barrier) -> None:
        try:
            begin.wait()
            for number in range(5):
                sync.commit([unit(number * 100 + row, "a") for row in range(100)])
                facts_of(bench.session, sync.plan)
        except BaseException as error:  # noqa: BLE001 - told by the test's own thread
            failures.append(error)

    begin = threading.Barrier(len(plans))
    threads = [threading.Thread(target=work, args=(bench.sync(plan), begin)) for plan in plans]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    for plan in plans:
        assert bench.table("count(*)", str(plan.table)) == [(500,)]
        assert len(bench.session.windows(plan)) == 5


def test_two_lanes_of_one_stream_take_turns(bench: Bench) -> None:
    from propexo_connect.model.ledger import Reading

    bench.sync().commit([])
    syncs = [bench.sync(reading=reading) for reading in (Reading.RECURRING, Reading.BACKSYNC, Reading.REPULL)]
    failures: list[BaseException] = []

    def work(sync: Sync) -> None:
        try:
            for number in range(5):
                sync.commit([unit(row, f"{sync.reading}", number) for row in range(50)])
        except BaseException as error:  # noqa: BLE001 - told by the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=work, args=(sync,)) for sync in syncs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert bench.table("count(*)") == [(50,)]
    numbers = bench.query("select number from _propexo.windows order by number")
    assert [row[0] for row in numbers] == list(range(1, 17))


def test_an_unknown_failpoint_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(failpoints.VARIABLE, "somewhere")
    with pytest.raises(ConfigurationError, match="names no failpoint: 'somewhere'"):
        failpoints.armed()


def test_a_failpoint_that_is_not_in_the_list_is_a_defect() -> None:
    with pytest.raises(Defect):
        failpoints.armed()("nowhere")


def test_every_failpoint_of_the_list_is_passed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    passed: set[str] = set()
    monkeypatch.setattr(failpoints, "armed", lambda: passed.add)
    for scene in killed.SCENES:
        killed.prepare(bench.session, scene)
        killed.play(bench.session, scene)
    assert passed == set(failpoints.FAILPOINTS) - killed.FOREIGN[bench.name]


@pytest.mark.parametrize(
    ("options", "failpoint"),
    [
        (name, failpoint)
        for name, foreign in killed.FOREIGN.items()
        for failpoint in failpoints.FAILPOINTS
        if failpoint not in foreign
    ],
    indirect=["options"],
)
def test_a_killed_commit_leaves_nothing_and_its_retry_lands_once(
    options: dict[str, str], failpoint: str
) -> None:
    """Each step is stored whole or not at all, wherever the process dies."""
    settings = {key: value for key, value in options.items() if key != "name"}
    scene = killed.scene_of(failpoint)
    process = killed.FORKS.Process(target=killed.die, args=(options["name"], settings, scene, failpoint))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    from propexo_connect_tests.destinations.conftest import ask, configured

    def look() -> killed.Look:
        return killed.look(lambda sql: ask(options["name"], settings, sql), scene)

    before, after = killed.expected(scene)
    assert look() == (after if failpoint == "committed" else before)
    with configured(options["name"], settings).open() as session:
        killed.play(session, scene)
    assert look() == (killed.again(after) if failpoint == "committed" else after)
