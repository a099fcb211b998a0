"""A folder of connections as one set of Dagster definitions."""

import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import dagster as dg

from propexo_connect.connection.folder import load_connections
from propexo_connect.connection.parse import Connection, Connectors, DestinationKinds
from propexo_connect.connection.problem import BrokenConnection
from propexo_connect.model.errors import ConfigurationError, ConnectError
from propexo_connect.orchestration.assets import EXECUTOR, connection_definitions
from propexo_connect.orchestration.broken import broken_asset
from propexo_connect.orchestration.delivery import delivery_definitions
from propexo_connect.orchestration.demo_assets import demo_definitions
from propexo_connect.orchestration.file_drop import file_drop_sensor
from propexo_connect.orchestration.jobs import Job, sweep_job_name, sync_job_name
from propexo_connect.orchestration.naming import slugs
from propexo_connect.orchestration.retention import retention_definitions
from propexo_connect.orchestration.schedules import interval_sensor
from propexo_connect.orchestration.sensors import changed_connections_sensor
from propexo_connect.orchestration.specs import Translate
from propexo_connect.orchestration.sweeps import sweep_sensor

log = logging.getLogger("propexo_connect")


def definitions_for(
    folder: Path,
    *,
    connectors: Connectors | None = None,
    destinations: DestinationKinds | None = None,
) -> dg.Definitions:
    """Everything that the connections of a folder bring, with sensors and retention.

    A file that is no usable connection becomes an asset that says why; so does a folder that is not
    there. Needs neither network nor environment.
    """
    try:
        loaded = load_connections(folder, connectors=connectors, destinations=destinations)
        connections, broken = loaded.connections, loaded.broken
        for warning in loaded.warnings:
            log.warning("%s", warning)
    except ConfigurationError as error:
        log.warning("%s", error)
        return dg.Definitions.merge(
            dg.Definitions(assets=[broken_asset("connections", str(error))], executor=EXECUTOR),
            retention_definitions(),
        )
    return dg.Definitions.merge(
        definitions_of(connections, broken),
        demo_definitions(connections),
        delivery_definitions(connections, folder),
        retention_definitions(),
    )


def definitions_of(
    connections: Sequence[Connection],
    broken: Iterable[BrokenConnection] = (),
    *,
    prefix: str = "",
    translate: Translate | None = None,
) -> dg.Definitions:
    """Connections with the sensors that watch them; one that cannot be built becomes an asset that says why.

    Args:
        prefix: of the sensors' names, where several such sets are merged.
    """
    problems: dict[str, list[str]] = {}
    for one in broken:
        problems.setdefault(one.name or one.file.stem, []).append(str(one))
    parts: list[dg.Definitions] = []
    built: list[Connection] = []
    for connection in connections:
        try:
            parts.append(connection_definitions(connection, translate))
        except Exception as error:  # noqa: BLE001 (one connection must not take the others down)
            problems.setdefault(connection.name, []).append(_reason(error))
        else:
            built.append(connection)
            for warning in connection.warnings:
                log.warning("connection '%s': %s", connection.name, warning)
    for name, reasons in problems.items():
        log.warning("The connection '%s' cannot be used. %s", name, " ".join(reasons))
    names = slugs(problems)
    watching = dg.Definitions(
        assets=[broken_asset(names[name], "\n".join(reasons)) for name, reasons in problems.items()],
        sensors=_sensors(built, _jobs(built, parts, sync_job_name), prefix)
        + _sweep_sensors(built, _jobs(built, parts, sweep_job_name), prefix),
        executor=EXECUTOR,
    )
    return dg.Definitions.merge(*parts, watching)


def _jobs(
    connections: Iterable[Connection], parts: Iterable[dg.Definitions], name_of: Callable[[str], str]
) -> list[Job]:
    names = {name_of(connection.name) for connection in connections}
    jobs = [job for part in parts for job in part.jobs or ()]
    return [job for job in jobs if isinstance(job, Job) and job.name in names]


def _sensors(
    connections: Sequence[Connection], jobs: Sequence[Job], prefix: str
) -> list[dg.SensorDefinition]:
    if not connections:
        return []
    found = (
        changed_connections_sensor(connections, jobs, f"{prefix}changed_connections"),
        interval_sensor(connections, jobs, f"{prefix}interval_syncs"),
        file_drop_sensor(connections, jobs, f"{prefix}file_drop"),
    )
    return [sensor for sensor in found if sensor is not None]


def _sweep_sensors(
    connections: Sequence[Connection], jobs: Sequence[Job], prefix: str
) -> list[dg.SensorDefinition]:
    found = sweep_sensor(connections, jobs, f"{prefix}due_sweeps")
    return [] if found is None else [found]


def _reason(error: Exception) -> str:
    # The text of a foreign exception may hold anything, so only its kind is told.
    return (
        str(error) if isinstance(error, ConnectError) else f"Building it failed with {type(error).__name__}."
    )
