"""The sensors that start a sync because a connection or a folder has changed."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import dagster as dg
import pytest

from propexo_connect.connection.parse import Connection, parse_connection
from propexo_connect.connectors.base import Connector
from propexo_connect.connectors.files import connector as files
from propexo_connect.orchestration.file_drop import file_drop_sensor
from propexo_connect.orchestration.location import definitions_of
from propexo_connect.orchestration.sensors import changed_connections_sensor
from propexo_connect_tests.orchestration.bench import Bench
from propexo_connect_tests.sync.pages import NOON, HandClock


def jobs_of(connections: list[Connection]) -> list[Any]:
    return [job for job in definitions_of(connections).jobs or () if job.name.endswith("_sync")]


class Watch:
    """A sensor that is built anew for each tick, as after a reload, and keeps its cursor."""

    def __init__(self) -> None:
        self.cursor: str | None = None
        self.keys: list[str] = []

    def tick(self, sensor: dg.SensorDefinition | None) -> list[str]:
        """The connections that one tick asks to be synced."""
        assert sensor is not None
        with dg.DagsterInstance.ephemeral() as instance:
            result = sensor(dg.build_sensor_context(instance, cursor=self.cursor))
        assert isinstance(result, dg.SensorResult)
        self.cursor = result.cursor
        requests = result.run_requests or ()
        self.keys += [str(request.run_key) for request in requests]
        return [str(request.job_name).removesuffix("_sync") for request in requests]


def changes(*connections: Connection) -> dg.SensorDefinition:
    return changed_connections_sensor(connections, jobs_of(list(connections)), "changed_connections")


def test_a_new_connection_is_synced_at_once_and_once(bench: Bench) -> None:
    watch = Watch()
    sensor = changes(bench.connection())
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
    assert watch.tick(sensor) == ["acme_north"]
    assert watch.tick(sensor) == []


def test_a_changed_connection_is_synced_and_the_others_are_not(bench: Bench) -> None:
    watch = Watch()
    watch.tick(changes(bench.connection(name="one"), bench.connection(name="other")))
    assert watch.tick(
        changes(bench.connection(name="one", history=True), bench.connection(name="other"))
    ) == ["one"]


def test_a_change_that_is_taken_back_and_made_again_is_synced_each_time(bench: Bench) -> None:
    watch = Watch()
    for history in (False, True, False, True):
        assert watch.tick(changes(bench.connection(history=history))) == ["acme_north"]
    assert len(set(watch.keys)) == 4


def test_a_connection_that_comes_back_is_synced_again(bench: Bench) -> None:
    watch = Watch()
    both = [bench.connection(name="one"), bench.connection(name="other")]
    watch.tick(changes(*both))
    assert watch.tick(changes(both[0])) == []
    assert watch.tick(changes(*both)) == ["other"]
    assert len(set(watch.keys)) == 3


def test_many_new_connections_start_over_several_ticks(bench: Bench) -> None:
    watch = Watch()
    sensor = changes(*(bench.connection(name=f"acme_{number}") for number in range(23)))
    assert [len(watch.tick(sensor)) for _ in range(4)] == [10, 10, 3, 0]


def test_a_tick_that_is_repeated_asks_with_the_same_run_key(bench: Bench) -> None:
    one, again = Watch(), Watch()
    one.tick(changes(bench.connection()))
    again.tick(changes(bench.connection()))
    assert one.keys == again.keys


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "exports"
    made.mkdir()
    return made


def put(folder: Path, name: str, text: str = "id\n1\n", *, age: timedelta = timedelta(hours=1)) -> None:
    (folder / name).write_text(text)
    moment = (NOON - age).timestamp()
    os.utime(folder / name, (moment, moment))


def of_files(folder: Path, name: str = "exports") -> Connection:
    return parse_connection(
        {
            "name": name,
            "source": {
                "connector": "files",
                "root": str(folder),
                "streams": {"leases": {"path": "leases*.csv", "key": ["id"]}},
            },
            "destination": {"kind": "duckdb", "path": f"{name}.duckdb"},
            "streams": "*",
        },
        connectors={"files": cast(Connector, files)},
    )


def drops(clock: HandClock, *connections: Connection) -> dg.SensorDefinition | None:
    return file_drop_sensor(connections, jobs_of(list(connections)), "file_drop", clock)


def test_a_dropped_file_starts_a_sync_once(folder: Path) -> None:
    watch, sensor = Watch(), drops(HandClock(), of_files(folder))
    assert watch.tick(sensor) == []
    put(folder, "leases.csv")
    assert watch.tick(sensor) == ["exports"]
    assert watch.tick(sensor) == []


def test_a_changed_file_starts_a_sync(folder: Path) -> None:
    put(folder, "leases.csv")
    watch, sensor = Watch(), drops(HandClock(), of_files(folder))
    watch.tick(sensor)
    put(folder, "leases.csv", "id\n1\n2\n")
    assert watch.tick(sensor) == ["exports"]


def readings(watch: Watch, sensor: dg.SensorDefinition | None) -> list[str]:
    """How the files are to be read that one tick finds."""
    assert sensor is not None
    with dg.DagsterInstance.ephemeral() as instance:
        result = sensor(dg.build_sensor_context(instance, cursor=watch.cursor))
    assert isinstance(result, dg.SensorResult)
    watch.cursor = result.cursor
    requests = result.run_requests or ()
    return [request.run_config["ops"]["sync_exports"]["config"]["reading"] for request in requests]


def test_a_file_that_is_written_in_place_is_read_by_its_time(folder: Path) -> None:
    clock = HandClock()
    watch, sensor = Watch(), drops(clock, of_files(folder))
    watch.tick(sensor)
    clock.move(timedelta(minutes=5))
    put(folder, "leases.csv", age=-timedelta(minutes=2))
    assert readings(watch, sensor) == ["recurring"]


def test_a_file_that_is_moved_in_with_an_old_time_calls_for_a_full_read(folder: Path) -> None:
    """A recurring sync asks for files that are newer than its watermark, and would pass it over."""
    put(folder, "leases_1.csv", age=timedelta(days=2))
    clock = HandClock()
    watch, sensor = Watch(), drops(clock, of_files(folder))
    watch.tick(sensor)
    clock.move(timedelta(minutes=5))
    put(folder, "leases_2.csv", age=timedelta(days=1))
    assert readings(watch, sensor) == ["full"]
    clock.move(timedelta(minutes=5))
    put(folder, "leases_3.csv", age=-timedelta(minutes=7))
    assert readings(watch, sensor) == ["recurring"]


def test_a_file_that_is_replaced_by_one_with_an_old_time_calls_for_a_full_read(folder: Path) -> None:
    put(folder, "leases.csv", age=timedelta(days=2))
    clock = HandClock()
    watch, sensor = Watch(), drops(clock, of_files(folder))
    watch.tick(sensor)
    clock.move(timedelta(minutes=5))
    put(folder, "leases.csv", "id\n7\n", age=timedelta(days=1))
    assert readings(watch, sensor) == ["full"]


def test_an_old_file_is_not_forgotten_while_a_young_one_comes_to_rest(folder: Path) -> None:
    clock = HandClock()
    watch, sensor = Watch(), drops(clock, of_files(folder))
    watch.tick(sensor)
    put(folder, "leases_1.csv", age=timedelta(days=1))
    put(folder, "leases_2.csv", age=timedelta(0))
    assert readings(watch, sensor) == []
    clock.move(timedelta(minutes=2))
    assert readings(watch, sensor) == ["full"]


def test_files_that_are_taken_away_start_nothing(folder: Path) -> None:
    put(folder, "leases_1.csv")
    put(folder, "leases_2.csv")
    watch, sensor = Watch(), drops(HandClock(), of_files(folder))
    watch.tick(sensor)
    (folder / "leases_1.csv").unlink()
    assert watch.tick(sensor) == []
    assert watch.tick(sensor) == []


def test_a_file_of_no_stream_starts_nothing(folder: Path) -> None:
    watch, sensor = Watch(), drops(HandClock(), of_files(folder))
    watch.tick(sensor)
    put(folder, "notes.csv")
    assert watch.tick(sensor) == []


def test_a_file_must_rest_as_long_as_the_sync_leaves_it_out(folder: Path) -> None:
    clock = HandClock()
    watch, sensor = Watch(), drops(clock, of_files(folder))
    watch.tick(sensor)
    put(folder, "leases.csv", age=timedelta(0))
    assert watch.tick(sensor) == []
    clock.move(timedelta(seconds=62))
    assert watch.tick(sensor) == ["exports"]


def test_a_folder_that_never_rests_does_not_wait_for_ever(folder: Path) -> None:
    clock = HandClock()
    watch, sensor = Watch(), drops(clock, of_files(folder))
    watch.tick(sensor)
    asked = 0
    for minute in range(25):
        put(folder, "leases.csv", f"id\n{minute}\n", age=-timedelta(minutes=minute))
        asked += len(watch.tick(sensor))
        clock.move(timedelta(minutes=1))
    assert asked == 2


def test_a_file_that_was_too_young_for_the_first_sync_is_not_forgotten(folder: Path) -> None:
    clock = HandClock()
    put(folder, "leases.csv", age=timedelta(0))
    watch, sensor = Watch(), drops(clock, of_files(folder))
    assert watch.tick(sensor) == []
    clock.move(timedelta(minutes=2))
    assert watch.tick(sensor) == ["exports"]


def test_a_folder_that_is_gone_stops_no_other(folder: Path, tmp_path: Path) -> None:
    watch = Watch()
    sensor = drops(HandClock(), of_files(tmp_path / "gone", "gone"), of_files(folder))
    watch.tick(sensor)
    put(folder, "leases.csv")
    assert watch.tick(sensor) == ["exports"]


def test_where_no_connection_reads_files_there_is_no_sensor(bench: Bench) -> None:
    assert file_drop_sensor([bench.connection()], [], "file_drop") is None
