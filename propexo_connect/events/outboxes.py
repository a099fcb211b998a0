"""All outboxes of an installation: one in each destination, and a spare one for what none could take."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from propexo_connect.connection.parse import Connection
from propexo_connect.connectors.api.config import STATE_VARIABLE
from propexo_connect.destinations.base import Destination
from propexo_connect.destinations.duckdb import DUCKDB, DuckDBConfig
from propexo_connect.model.errors import ConnectError

SPARE_FILE = "events.duckdb"


@dataclass(frozen=True)
class Outboxes:
    """The outboxes by their addresses, and what is wrong with the destinations that cannot be spoken to."""

    found: dict[str, Destination] = field(default_factory=dict[str, Destination])
    problems: tuple[ConnectError, ...] = ()


def stamp_of(destination: Destination) -> str | None:
    """What changes whenever a destination's file is written; None for a server, which must be asked."""
    files = destination.files
    return " ".join(str(file.stat().st_mtime_ns) if file.exists() else "-" for file in files) or None


def is_there(destination: Destination) -> bool:
    """Whether there is something to open; opening would make what is missing."""
    return not destination.files or destination.files[0].exists()


def outboxes_of(connections: Iterable[Connection], environ: Mapping[str, str], cwd: Path) -> Outboxes:
    """The destinations of the connections, each once, and the spare outbox last; nothing is opened."""
    found: dict[str, Destination] = {}
    problems: list[ConnectError] = []
    for connection in connections:
        try:
            destination = destination_of(connection, environ)
            found.setdefault(destination.address, destination)
        except ConnectError as error:
            problems.append(error.at(connection.where))
    spare = spare_outbox(environ, cwd)
    found.setdefault(spare.address, spare)
    return Outboxes(found, tuple(problems))


def destination_of(connection: Connection, environ: Mapping[str, str]) -> Destination:
    """The destination of a connection, with the values of the environment.

    Raises:
        MissingSecret, ConfigurationError: a variable is not set, or its value does not fit.
    """
    return connection.destination_kind.configure(connection.destination_settings(environ))


def spare_outbox(environ: Mapping[str, str], cwd: Path) -> Destination:
    """A DuckDB file of the installation itself, for events whose destination cannot be reached.

    It lies in the folder that PROPEXO_STATE_DIR names, else in `.dagster/` in DAGSTER_HOME or here. It is
    made when it is needed, and delivered from like any other outbox.
    """
    named, home = environ.get(STATE_VARIABLE, ""), environ.get("DAGSTER_HOME", "")
    folder = Path(named) if named else (Path(home) if home else cwd) / ".dagster"
    return DUCKDB.configure(DuckDBConfig(path=str(folder.expanduser() / SPARE_FILE)))
