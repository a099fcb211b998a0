"""A worker that is killed, with everything real: daemon, queue, code server, run worker, PostgreSQL."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import dagster as dg
import pytest
import yaml

from propexo_connect.orchestration.storage import POSTGRES_URL_VARIABLE
from propexo_connect_tests.orchestration.killed_workspace import HUNG_AT

ROOT = Path(__file__).parents[2]
LEASES, TENANTS, UNITS = (dg.AssetKey(["acme", stream]) for stream in ("leases", "tenants", "units"))

DEADLINE_S = 120.0
"""For each thing that is waited for; four processes start one after another on a busy machine."""

Found = TypeVar("Found")


@pytest.fixture
def hung_at(tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A DAGSTER_HOME with the shipped settings, polled more often; gives where the worker leaves its id."""
    settings = yaml.safe_load((ROOT / "dagster.yaml").read_text())
    settings["run_monitoring"]["poll_interval_seconds"] = 1
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(settings))
    workspace = {
        "load_from": [{"python_file": str(ROOT / "propexo_connect_tests/orchestration/killed_workspace.py")}]
    }
    (tmp_path / "workspace.yaml").write_text(yaml.safe_dump(workspace))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setenv(POSTGRES_URL_VARIABLE, postgres_url)
    monkeypatch.setenv("DAGSTER_EVENT_LOG_CONSUMER_DAEMON_INTERVAL_SECONDS", "1")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv(HUNG_AT, str(tmp_path / "hung"))
    return tmp_path / "hung"


class Daemon:
    """A real `dagster-daemon run`, which also starts the code server."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log

    def wait_for(self, what: str, look: Callable[[], Found | None]) -> Found:
        """What `look` finds at last; fails with the daemon's log when that takes too long."""
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline and self._process.poll() is None:
            if (found := look()) is not None:
                return found
            time.sleep(0.1)
        raise AssertionError(f"no {what}; the daemon wrote:\n{self._log.read_text()[-4000:]}")


@contextmanager
def daemon(home: Path) -> Generator[Daemon]:
    log = home / "daemon.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [Path(sys.executable).with_name("dagster-daemon"), "run", "-w", home / "workspace.yaml"],
            cwd=home,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield Daemon(process, log)
    finally:
        # Its code server and a run worker that still hangs are of the same group.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def process_id(path: Path) -> int | None:
    return int(path.read_text()) if path.exists() else None


def finished(instance: dg.DagsterInstance, number: int) -> dg.DagsterRun | None:
    """The run of that number, counted from 0 in the order of creation, once it is finished."""
    runs = sorted(instance.get_run_records(), key=lambda record: record.storage_id)
    run = runs[number].dagster_run if len(runs) > number else None
    return run if run and run.is_finished else None


def read_by(instance: dg.DagsterInstance, run: dg.DagsterRun) -> set[dg.AssetKey | None]:
    entries = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    return {entry.asset_materialization.asset_key for entry in entries if entry.asset_materialization}


def test_after_a_kill_the_retry_reads_only_the_streams_that_were_not_finished(hung_at: Path) -> None:
    with daemon(hung_at.parent) as running, dg.DagsterInstance.get() as instance:
        worker = running.wait_for("hanging worker", lambda: process_id(hung_at))
        os.kill(worker, signal.SIGKILL)

        killed = running.wait_for("end of the killed run", lambda: finished(instance, 0))
        assert killed.status is dg.DagsterRunStatus.FAILURE
        assert read_by(instance, killed) == {LEASES}

        retry = running.wait_for("end of its retry", lambda: finished(instance, 1))
        assert retry.status is dg.DagsterRunStatus.SUCCESS
        assert retry.parent_run_id == killed.run_id
        assert retry.asset_selection == {TENANTS, UNITS}
        assert read_by(instance, retry) == {TENANTS, UNITS}
