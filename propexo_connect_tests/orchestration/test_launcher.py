"""When a run counts as lost."""

import json
import os
import subprocess
import sys
from collections.abc import Generator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.events import EngineEventData
from dagster._core.launcher import WorkerStatus
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._serdes import ConfigurableClassData

from propexo_connect.orchestration.launcher import (
    HealthCheckedRunLauncher,
    alive_on_this_machine,
    held_by_code_server,
    process_lives,
)

HERE = {"host": "localhost", "socket": "/nowhere/code-server"}
RUNNING, LOST = WorkerStatus.RUNNING, WorkerStatus.NOT_FOUND


class Pulse:
    """A sign of life that the test switches on and off."""

    def __init__(self) -> None:
        self.living: set[str] = set()

    def __call__(self, instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:  # noqa: ARG002 a SignOfLife
        return run.run_id in self.living


@pytest.fixture
def instance() -> Generator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as opened:
        yield opened


@pytest.fixture
def pulse() -> Pulse:
    return Pulse()


@pytest.fixture
def launcher(instance: dg.DagsterInstance, pulse: Pulse) -> HealthCheckedRunLauncher:
    made = HealthCheckedRunLauncher(polls_until_lost=3, signs_of_life=[pulse])
    made.register_instance(instance)
    return made


def run(run_id: str = "r1", endpoint: Mapping[str, object] | None = HERE) -> dg.DagsterRun:
    tags = {} if endpoint is None else {GRPC_INFO_TAG: json.dumps(endpoint)}
    return dg.DagsterRun("sync", run_id=run_id, status=dg.DagsterRunStatus.STARTED, tags=tags)


def polls(launcher: HealthCheckedRunLauncher, count: int, run_id: str = "r1") -> list[WorkerStatus]:
    return [launcher.check_run_worker_health(run(run_id)).status for _ in range(count)]


def test_a_run_with_a_sign_of_life_runs(launcher: HealthCheckedRunLauncher, pulse: Pulse) -> None:
    pulse.living.add("r1")
    assert polls(launcher, 5) == [RUNNING] * 5


def test_a_run_is_lost_at_the_third_poll_without_a_sign_of_life(launcher: HealthCheckedRunLauncher) -> None:
    assert polls(launcher, 3) == [RUNNING, RUNNING, LOST]


def test_one_sign_of_life_starts_the_count_over(launcher: HealthCheckedRunLauncher, pulse: Pulse) -> None:
    polls(launcher, 2)
    pulse.living.add("r1")
    polls(launcher, 1)
    pulse.living.clear()
    assert polls(launcher, 3) == [RUNNING, RUNNING, LOST]


def test_each_run_is_counted_by_itself(launcher: HealthCheckedRunLauncher) -> None:
    polls(launcher, 2, "r1")
    assert polls(launcher, 2, "r2") == [RUNNING, RUNNING]


def test_any_one_sign_of_life_is_enough(instance: dg.DagsterInstance, pulse: Pulse) -> None:
    pulse.living.add("r1")
    launcher = HealthCheckedRunLauncher(polls_until_lost=1, signs_of_life=[Pulse(), pulse])
    launcher.register_instance(instance)
    assert polls(launcher, 1) == [RUNNING]


def test_a_run_in_the_process_of_its_caller_is_never_lost(launcher: HealthCheckedRunLauncher) -> None:
    """`dg launch` writes to the same instance and has no code server that could know the run."""
    found = [launcher.check_run_worker_health(run(endpoint=None)).status for _ in range(4)]
    assert found == [RUNNING] * 4


def test_the_number_of_polls_comes_from_the_settings(instance: dg.DagsterInstance) -> None:
    data = dg_class_data("polls_until_lost: 1")
    launcher = data.rehydrate(as_type=HealthCheckedRunLauncher)
    launcher.register_instance(instance)
    assert polls(launcher, 1) == [LOST]


def dg_class_data(config: str):

    return ConfigurableClassData(HealthCheckedRunLauncher.__module__, "HealthCheckedRunLauncher", config)


def test_a_code_server_that_is_gone_holds_no_run(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    assert not held_by_code_server(
        instance, run(endpoint={"host": "localhost", "socket": str(tmp_path / "s")})
    )


def reported_worker(instance: dg.DagsterInstance, pid: int) -> None:
    """What Dagster writes first: an event of the daemon, then one of the worker with its process id."""
    instance.report_engine_event("Creating a new run", run(), EngineEventData({}))
    instance.report_engine_event("Started process for run", run(), EngineEventData.in_process(pid))


def test_a_worker_whose_process_lives_here_shows_it(instance: dg.DagsterInstance) -> None:
    """Also when the code server has forgotten it, as its proxy does at each reload."""
    reported_worker(instance, os.getpid())
    assert alive_on_this_machine(instance, run())


def test_a_worker_whose_process_ended_does_not(instance: dg.DagsterInstance) -> None:
    reported_worker(instance, ended_process())
    assert not alive_on_this_machine(instance, run())


def test_a_worker_that_never_reported_itself_does_not(instance: dg.DagsterInstance) -> None:
    assert not alive_on_this_machine(instance, run())


def test_the_process_id_of_another_machine_says_nothing(instance: dg.DagsterInstance) -> None:
    reported_worker(instance, os.getpid())
    assert not alive_on_this_machine(instance, run(endpoint={"host": "code-server", "port": 4000}))


def test_a_younger_process_with_the_same_id_is_another_process() -> None:
    """After a restart of the machine the numbers are given out again."""
    now = datetime.now(UTC)
    assert process_lives(os.getpid(), now)
    assert not process_lives(os.getpid(), now - timedelta(days=1))


def ended_process() -> int:
    with subprocess.Popen([sys.executable, "-S", "-c", ""]) as process:
        return process.pid
