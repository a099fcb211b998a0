"""A purge whose process dies: everything went, or nothing."""

import os
import signal
from pathlib import Path

import pytest

from propexo_connect.destinations import failpoints
from propexo_connect.http.durable import STATE_VARIABLE
from propexo_connect.model.purge import PurgeRequest
from propexo_connect_tests.destinations import killed
from propexo_connect_tests.destinations.conftest import ask, configured
from propexo_connect_tests.destinations.kit import NOON, Bench
from propexo_connect_tests.destinations.test_purge import CANARY, fill, places, tenants_plan


def die(name: str, settings: dict[str, str], folder: str, failpoint: str) -> None:
    """Fill, arm, purge; the process does not return from it."""
    os.environ[STATE_VARIABLE] = folder
    destination = configured(name, settings)
    with destination.open() as session:
        fill(
            Bench(name, destination, session, lambda sql: ask(name, settings, sql), settings), tenants_plan()
        )
        os.environ[failpoints.VARIABLE] = failpoint
        session.purge(PurgeRequest("acme", identifier=CANARY, is_suppressed=True), NOON)


@pytest.mark.parametrize("failpoint", failpoints.PURGE_FAILPOINTS)
def test_a_killed_purge_is_all_or_nothing(
    options: dict[str, str], tmp_path: Path, failpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {key: value for key, value in options.items() if key != "name"}
    folder = str(tmp_path / "state")
    process = killed.FORKS.Process(target=die, args=(options["name"], settings, folder, failpoint))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    monkeypatch.setenv(STATE_VARIABLE, folder)
    destination = configured(options["name"], settings)
    with destination.open() as session:
        bench = Bench(options["name"], destination, session, lambda sql: ask(options["name"], settings, sql))
        is_done = failpoint == "purge committed"
        assert bool(places(bench, CANARY)) is not is_done
        assert len(session.purges("acme")) == is_done
        assert bench.query("select count(*) from _propexo.suppressed") == [(int(is_done),)]
        session.purge(PurgeRequest("acme", identifier=CANARY), NOON)
        assert places(bench, CANARY) == set()
