"""Events in Dagster: the job, the sensor that starts it, and what is told that no sync could tell."""

import json
import os
from collections.abc import Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from propexo_connect.connection.parse import Connection
from propexo_connect.destinations.state import OUTBOX, insert
from propexo_connect.events.opened import stored
from propexo_connect.events.outboxes import destination_of, spare_outbox
from propexo_connect.model.clock import SystemClock
from propexo_connect.model.errors import ConnectError, CredentialsRefused
from propexo_connect.orchestration.alerts import failed_syncs_sensor, overdue_sensor
from propexo_connect.orchestration.delivery import JOB, delivery_definitions, delivery_job, due_events_sensor
from propexo_connect.orchestration.location import definitions_for
from propexo_connect_tests.events.kit import SECRET, message
from propexo_connect_tests.events.receiving import Receiving, receiving
from propexo_connect_tests.orchestration.bench import Bench
from propexo_connect_tests.sync.pages import HandClock

ENDPOINT = """
url: {url}
secret: ${{HOOK_SECRET}}
allow_private_addresses: true
paused: {paused}
subscribe:
  - events: [data.new, sync.failed, freshness.overdue]
"""


@dataclass
class Yard:
    """A connection, a folder with the endpoint `hook`, and its receiver."""

    folder: Path
    there: Receiving
    connection: Connection
    cursor: str | None = None
    clock: HandClock = field(default_factory=lambda: HandClock(datetime.now(UTC)))

    def ask(self, *, paused: bool = False) -> None:
        """Write the endpoint's file."""
        (self.folder / "endpoints").mkdir(exist_ok=True)
        text = ENDPOINT.format(url=self.there.url, paused=str(paused).lower())
        (self.folder / "endpoints" / "hook.yaml").write_text(text)

    def write(self, number: int = 1) -> None:
        """An event into the connection's outbox."""
        one = message(number)
        row = (
            one.id,
            "acme_north",
            None,
            one.event,
            None,
            one.occurred_at,
            "s",
            json.dumps(["hook"]),
            one.data,
        )
        destination = destination_of(self.connection, {})
        stored(destination, lambda link: link.run(insert(OUTBOX), row), SystemClock(), timedelta(seconds=5))

    def tick(self, instance: dg.DagsterInstance) -> list[str | None]:
        """The run keys that one tick of `due_events` asks with."""
        job = delivery_job([self.connection], self.folder)
        sensor = due_events_sensor([self.connection], self.folder, job, "due_events", self.clock)
        result = sensor(dg.build_sensor_context(instance, cursor=self.cursor))
        if isinstance(result, dg.SkipReason):
            return []
        assert isinstance(result, dg.SensorResult)
        self.cursor = result.cursor
        return [request.run_key for request in result.run_requests or ()]

    def deliver(self, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
        """A run of the job."""
        job = delivery_job([self.connection], self.folder)
        return job.execute_in_process(instance=instance, raise_on_error=False)

    def events(self, *, spare: bool = False) -> list[tuple[Any, ...]]:
        """Event, stream and payload of each event in the destination's outbox or in the spare one."""
        given = spare_outbox(os.environ, Path.cwd()) if spare else destination_of(self.connection, {})
        if not given.files[0].exists():
            return []
        query = f"select event, stream, cast(payload as text) from {OUTBOX.sql} order by id"
        rows = stored(given, lambda link: link.rows(query), SystemClock(), timedelta(seconds=5))
        return [(event, stream, json.loads(payload)) for event, stream, payload in rows]


@pytest.fixture
def yard(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Yard]:
    """The yard, with the endpoint's file written."""
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    monkeypatch.setenv("PROPEXO_STATE_DIR", str(tmp_path / "state"))
    folder = tmp_path / "connections"
    folder.mkdir()
    with receiving() as there:
        made = Yard(folder, there, bench.connection(schedule={"every": "1h"}))
        made.ask()
        yield made


def test_without_endpoints_there_is_neither_job_nor_sensor(yard: Yard) -> None:
    (yard.folder / "endpoints" / "hook.yaml").unlink()
    made = delivery_definitions([yard.connection], yard.folder)
    assert not list(made.jobs or ())
    assert not list(made.sensors or ())


def test_with_endpoints_the_sensors_run_from_the_start(yard: Yard) -> None:
    made = delivery_definitions([yard.connection], yard.folder)
    sensors = {sensor.name: sensor for sensor in made.sensors or ()}
    assert set(sensors) == {"due_events", "failed_syncs", "overdue_streams"}
    assert {sensor.default_status for sensor in sensors.values()} == {dg.DefaultSensorStatus.RUNNING}


def test_a_folder_with_an_endpoint_loads_with_its_job(yard: Yard) -> None:
    made = definitions_for(yard.folder)
    dg.Definitions.validate_loadable(made)
    assert made.resolve_job_def(JOB).tags["dagster/max_retries"] == "0"


def test_an_event_that_is_due_starts_one_run_and_the_run_delivers_it(bench: Bench, yard: Yard) -> None:
    assert yard.tick(bench.instance) == []
    yard.write()
    assert yard.tick(bench.instance) == [f"{JOB}:1"]
    result = yard.deliver(bench.instance)
    assert result.success
    assert yard.there.ids == ["evt_1"]
    assert yard.tick(bench.instance) == []


def test_while_a_run_is_under_way_no_other_is_asked_for(bench: Bench, yard: Yard) -> None:
    yard.write()
    waiting = dg.DagsterRun(job_name=JOB, run_id="a" * 8, status=dg.DagsterRunStatus.STARTED)
    bench.instance.add_run(waiting)
    assert yard.tick(bench.instance) == []


def test_what_failed_starts_a_run_when_its_wait_is_over(bench: Bench, yard: Yard) -> None:
    yard.write()
    yard.there.reactions[:] = [type(yard.there.reactions[0])(500)]
    yard.deliver(bench.instance)
    assert yard.tick(bench.instance) == []
    yard.clock.move(timedelta(minutes=1))
    assert yard.tick(bench.instance) == [f"{JOB}:1"]


def test_a_paused_endpoint_starts_nothing_until_it_is_resumed(bench: Bench, yard: Yard) -> None:
    yard.ask(paused=True)
    yard.write()
    assert yard.tick(bench.instance) == []
    yard.ask()
    assert yard.tick(bench.instance) == [f"{JOB}:1"]


def test_a_file_that_was_not_written_since_is_not_opened(bench: Bench, yard: Yard) -> None:
    yard.write()
    yard.deliver(bench.instance)
    yard.tick(bench.instance)
    looked = json.loads(str(yard.cursor))["looked"]
    assert [one["due"] for one in looked.values()] == [None]
    # Were it opened, this would be an error: it is no database any more.
    file = Path(next(iter(looked)).removeprefix("duckdb:"))
    before = file.stat()
    file.write_bytes(b"nothing")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert yard.tick(bench.instance) == []
    assert json.loads(str(yard.cursor))["looked"] == looked


def test_a_destination_that_cannot_be_asked_fails_the_run_once(bench: Bench, yard: Yard) -> None:
    yard.write()
    destination_of(yard.connection, {}).files[0].write_bytes(b"nothing" * 1000)
    result = yard.deliver(bench.instance)
    assert not result.success
    assert result.dagster_run.tags["dagster/max_retries"] == "0"
    assert yard.tick(bench.instance) == []


def fail(bench: Bench, yard: Yard, error: ConnectError | None, **tags: str) -> dg.SkipReason | None:
    """A sync that fails so, and what the sensor makes of it; None: it was killed."""
    if error is not None:
        bench.vendor.failures = {"properties": error}
    result = bench.sync("properties", tags=tags)
    event = next(event for event in result.all_events if event.event_type is dg.DagsterEventType.RUN_FAILURE)
    sensor = failed_syncs_sensor([yard.connection], yard.folder, "failed_syncs")
    context = dg.build_run_status_sensor_context(
        "failed_syncs", event, bench.instance, result.dagster_run
    ).for_run_failure()
    return sensor(context)  # pyright: ignore[reportReturnType]


def told(yard: Yard, *, spare: bool = False) -> list[str]:
    """What the events of failed syncs say."""
    return [payload["error"] for event, _, payload in yard.events(spare=spare) if event == "sync.failed"]


def test_a_sync_that_could_not_reach_its_destination_is_told_of_by_the_spare_outbox(
    bench: Bench, yard: Yard
) -> None:
    bench.file.mkdir()  # no file can be opened there
    fail(bench, yard, None)
    said = told(yard, spare=True)
    assert len(said) == 1
    bench.file.rmdir()
    yard.clock.move(timedelta(minutes=1))
    assert yard.tick(bench.instance) == [f"{JOB}:1"]
    assert yard.deliver(bench.instance).success
    assert json.loads(yard.there.requests[0].body)["type"] == "sync.failed"


def test_a_failed_sync_is_told_of_once(bench: Bench, yard: Yard) -> None:
    fail(bench, yard, CredentialsRefused("the key was refused"))
    assert len(told(yard)) == 1
    assert "the key was refused" in told(yard)[0]
    assert told(yard, spare=True) == []


def test_a_run_that_dagster_starts_again_is_not_told_of_yet(bench: Bench, yard: Yard) -> None:
    bench.file.mkdir()
    skipped = fail(bench, yard, None, **{"dagster/will_retry": "true"})
    assert isinstance(skipped, dg.SkipReason)
    assert told(yard, spare=True) == []


def overdue(bench: Bench, yard: Yard, cursor: str | None) -> str | None:
    """One tick of the sensor over the age of data."""
    sensor = overdue_sensor([yard.connection], yard.folder, "overdue_streams", yard.clock)
    result = sensor(dg.build_sensor_context(bench.instance, cursor=cursor))
    assert isinstance(result, dg.SensorResult)
    return result.cursor


def test_data_that_is_too_old_is_told_of_once_until_the_next_sync(bench: Bench, yard: Yard) -> None:
    bench.sync("properties")
    cursor = overdue(bench, yard, None)
    assert [event for event, *_ in yard.events() if event == "freshness.overdue"] == []
    yard.clock.move(timedelta(hours=2, minutes=5))
    for _ in range(2):
        cursor = overdue(bench, yard, cursor)
    overdue(bench, yard, None)  # a cursor that was lost tells nothing twice
    found = [(stream, data["limit"]) for event, stream, data in yard.events() if event == "freshness.overdue"]
    assert found == [("properties", "2h")]
