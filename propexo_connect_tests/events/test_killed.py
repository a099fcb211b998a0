"""Deliverers that are killed or meet each other, in processes of their own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from propexo_connect.destinations import failpoints
from propexo_connect.events.deliver import Pace, Tally, deliver
from propexo_connect.events.post import Posting
from propexo_connect.model.clock import SystemClock
from propexo_connect.model.errors import DestinationBusy
from propexo_connect_tests.events.kit import PACE, Outbox, answers, webhook
from propexo_connect_tests.events.receiving import receiving
from propexo_connect_tests.http.doubles import ManualClock

PROGRAM = [sys.executable, "-m", "propexo_connect_tests.events.killed"]


def options(outbox: Outbox) -> str:
    return json.dumps({"name": outbox.name, **outbox.options})


def delivered_by_another_process(outbox: Outbox, url: str, failpoint: str | None = None) -> int:
    environ = dict(os.environ) if failpoint is None else {**os.environ, failpoints.VARIABLE: failpoint}
    command = [*PROGRAM, "deliver", options(outbox), url]
    return subprocess.run(command, env=environ, timeout=60, check=False).returncode


def test_a_process_killed_between_answer_and_note_sends_again_under_the_same_id(outbox: Outbox) -> None:
    outbox.write(1)
    with receiving() as there:
        assert delivered_by_another_process(outbox, there.url, "events sent") == -signal.SIGKILL
        assert there.ids == ["evt_1"]
        assert outbox.state() == ("pending", 0)
        outbox.clock = ManualNow()
        with Posting(outbox.clock) as posting:
            hook = webhook(there.url, posting)
            assert outbox.deliver({"hook": hook}) == Tally()
            outbox.clock.advance(PACE.lease.total_seconds() + 60)
            assert outbox.deliver({"hook": hook}) == Tally(delivered=1)
    assert there.ids == ["evt_1", "evt_1"]
    assert outbox.state() == ("delivered", 1)


def test_a_process_killed_before_it_sent_leaves_nothing_behind_but_a_wait(outbox: Outbox) -> None:
    outbox.write(1)
    with receiving() as there:
        assert delivered_by_another_process(outbox, there.url, "events claimed") == -signal.SIGKILL
        assert there.ids == []
    assert outbox.state() == ("pending", 0)


def test_deliverers_side_by_side_send_each_event_once(outbox: Outbox) -> None:
    numbers = range(1, 61)
    outbox.write(*numbers)
    with receiving() as there:
        command = [*PROGRAM, "deliver", options(outbox), there.url]
        with subprocess.Popen(command) as one, subprocess.Popen(command) as other:
            assert (one.wait(60), other.wait(60)) == (0, 0)
    assert sorted(there.ids) == sorted(f"evt_{number}" for number in numbers)
    assert set(outbox.states().values()) == {("delivered", 1)}


def test_a_file_that_a_sync_holds_is_left_to_the_next_round(outbox: Outbox) -> None:
    if outbox.name != "duckdb":
        pytest.skip("a server is held by nobody")
    outbox.write(1)
    hook = answers(204)
    with held(outbox), pytest.raises(DestinationBusy):
        outbox.deliver({"hook": hook})
    assert hook.sent == []
    assert outbox.deliver({"hook": hook}) == Tally(delivered=1)


def test_the_file_is_free_while_an_answer_is_waited_for(outbox: Outbox) -> None:
    outbox.write(1)
    hook = answers(204)

    def use_it() -> None:
        with held(outbox):
            pass

    hook.meanwhile = use_it
    assert outbox.deliver({"hook": hook}) == Tally(delivered=1)


def test_notes_wait_for_a_file_that_a_sync_took_meanwhile(outbox: Outbox) -> None:
    if outbox.name != "duckdb":
        pytest.skip("a server is held by nobody")
    outbox.write(1)
    hook = answers(204)
    holding = held(outbox)
    hook.meanwhile = holding.__enter__

    class Letting(SystemClock):
        def sleep(self, seconds: float) -> None:
            """The first wait for the file is what the sync needed to end."""
            holding.__exit__(None, None, None)
            super().sleep(seconds)

    pace = Pace(note_patience=timedelta(seconds=20))
    assert deliver(outbox.destination, {"hook": hook}, Letting(), pace) == Tally(delivered=1)
    assert outbox.state() == ("delivered", 1)


class ManualNow(ManualClock):
    """A clock that begins at the machine's present, where a process of its own has left its claims."""

    def __init__(self) -> None:
        super().__init__(SystemClock().now())


@contextmanager
def held(outbox: Outbox) -> Generator[None]:
    """The destination, opened by another process."""
    command = [*PROGRAM, "hold", options(outbox)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == b"held\n"
        yield
        process.stdin.close()
        process.wait(20)
