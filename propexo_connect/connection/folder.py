"""All connections of a folder; a broken file never takes another one down."""

import contextlib
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path

from propexo_connect.connection.document import Document, Unreadable, read_document
from propexo_connect.connection.endpoints import ENDPOINTS_FOLDER, load_endpoints
from propexo_connect.connection.parse import (
    Connection,
    Connectors,
    DestinationKinds,
    connection_of,
    name_in,
)
from propexo_connect.connection.problem import (
    BrokenConnection,
    BrokenEndpoint,
    InvalidConnection,
    Problem,
)
from propexo_connect.connection.systems import SUFFIXES
from propexo_connect.model.errors import ConfigurationError, ConnectError
from propexo_connect.model.event import EVERY, Endpoint, Subscription
from propexo_connect.model.stream import Table

SHARED_FOLDERS = ("sources", "destinations", ENDPOINTS_FOLDER)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a folder holds, each part ordered by file name.

    Args:
        warnings: what may surprise about the endpoints, in words.
    """

    connections: tuple[Connection, ...]
    broken: tuple[BrokenConnection, ...]
    endpoints: tuple[Endpoint, ...] = ()
    broken_endpoints: tuple[BrokenEndpoint, ...] = ()
    warnings: tuple[str, ...] = ()


def connection_files(folder: Path) -> list[Path]:
    """The files of a folder, and of folders in it, that are to be connections, ordered by name.

    Neither what begins with `_` or `.`, nor the shared systems in `sources/` and `destinations/`, nor the
    receivers of events in `endpoints/`.
    """
    return sorted(_files(folder, at_top=True), key=lambda file: file.relative_to(folder).as_posix())


def load_connections(
    folder: Path,
    *,
    connectors: Connectors | None = None,
    destinations: DestinationKinds | None = None,
) -> Loaded:
    """Every connection of a folder, and every file that is none, with its problems; so with endpoints.

    Each connection, and each of its plans, is given the subscriptions that are about it. Of two connections
    with one name, or with one table of one destination, the later file is broken.

    Raises:
        ConfigurationError: there is no such folder.
    """
    if not folder.is_dir():
        raise ConfigurationError(
            f"there is no folder '{folder}'",
            expected="the folder of the connection files",
            remedy="Create it, or name another one.",
        )
    loading = _Loading(folder, connectors, destinations)
    for file in connection_files(folder):
        loading.take(file)
    heard = load_endpoints(folder)
    subscriptions = [one for endpoint in heard.endpoints for one in endpoint.subscriptions]
    connections = tuple(subscribed(found, subscriptions) for found in loading.connections)
    warnings = _unknown_names(subscriptions, connections, {one.name for one in loading.broken})
    return Loaded(connections, tuple(loading.broken), heard.endpoints, heard.broken, tuple(warnings))


def subscribed(connection: Connection, subscriptions: Iterable[Subscription]) -> Connection:
    """The connection with those subscriptions that are about it, and its plans with theirs."""
    about = tuple(one for one in subscriptions if one.covers(connection.name))
    of_records = [one for one in about if any(event.is_of_a_record for event in one.events)]
    plans = tuple(
        replace(
            plan,
            subscriptions=tuple(one for one in of_records if one.covers(plan.connection, plan.stream.name)),
        )
        for plan in connection.plans
    )
    return replace(connection, plans=plans, subscriptions=about)


def _unknown_names(
    subscriptions: Iterable[Subscription], connections: Sequence[Connection], broken: Set[str]
) -> Iterator[str]:
    """A warning for each name in a subscription that nothing bears; what is broken may bear any."""
    by_name = {connection.name: connection for connection in connections}
    for one in subscriptions:
        named = [name for name in one.connections if name != EVERY]
        for name in named:
            if name not in by_name and name not in broken:
                yield f"endpoint '{one.endpoint}' subscribes to the connection '{name}', which does not exist"
        about = [found for found in connections if one.covers(found.name)]
        streams = {plan.stream.name for found in about for plan in found.plans}
        for name in one.streams:
            if name != EVERY and name not in streams and not broken:
                yield f"endpoint '{one.endpoint}' subscribes to the stream '{name}', which is not copied"


class _Loading:
    """What has been loaded so far, so that the next file can be compared with it."""

    def __init__(
        self, folder: Path, connectors: Connectors | None, destinations: DestinationKinds | None
    ) -> None:
        self.connections: list[Connection] = []
        self.broken: list[BrokenConnection] = []
        self._folder = folder
        self._connectors = connectors
        self._destinations = destinations
        self._files: dict[str, Path] = {}
        self._writers: dict[tuple[str, Table], Connection] = {}

    def take(self, file: Path) -> None:
        """Load one more file, or note why not."""
        name, document = file.stem, Document({}, file)
        try:
            document = read_document(file)
            name = name_in(document) or name
            self._claim(name, document)
            found = connection_of(document, file.stem, self._folder, self._connectors, self._destinations)
            self._enter(found, document)
        except (Unreadable, InvalidConnection) as error:
            self._files.setdefault(name, file)
            self.broken.append(BrokenConnection(name, file, error.problems))
        except Exception as error:  # noqa: BLE001 - one connector's defect must not take other files down
            # The text of a foreign exception may hold anything, so only its kind is told.
            found_kind = f"reading it failed with {type(error).__name__}"
            problem = document.problem((), found_kind, "", "Please report this.")
            self.broken.append(BrokenConnection(name, file, (problem,)))

    def _claim(self, name: str, document: Document) -> None:
        """Take the name for this file, also when the file turns out broken: its tables may exist."""
        other = self._files.get(name)
        if other is not None:
            problem = document.problem(
                ("name",),
                f"the name '{name}', which {other} has already",
                "one file for each name, because tables and progress are recorded by it",
                "Rename one of the two.",
            )
            raise InvalidConnection(name, (problem,))
        if document.file is not None:
            self._files[name] = document.file

    def _enter(self, found: Connection, document: Document) -> None:
        """Take the connection in, unless it would write where another one writes."""
        places = _places(found)
        tables = {(place, plan.table): plan for plan in found.plans for place in places}
        clashes: dict[str, Problem] = {}
        for spot, plan in tables.items():
            other = self._writers.get(spot)
            if other is not None:
                clashes[plan.stream.name] = document.problem(
                    ("streams", plan.stream.name),
                    f"the table {plan.table}, which the connection '{other.name}' ({other.file}) writes",
                    "a table that no other connection of this destination writes",
                    "Give one of the two another `namespace` or `prefix`.",
                )
        if clashes:
            raise InvalidConnection(found.name, tuple(clashes.values()))
        self.connections.append(found)
        self._writers |= dict.fromkeys(tables, found)


def _files(folder: Path, *, at_top: bool) -> Iterator[Path]:
    for entry in folder.iterdir():
        if entry.name.startswith(("_", ".")):
            continue
        if entry.is_dir():
            if not (at_top and entry.name in SHARED_FOLDERS):
                yield from _files(entry, at_top=False)
        elif entry.suffix in SUFFIXES:
            yield entry


def _places(connection: Connection) -> list[str]:
    """What the destination is known by: what was written, and its address where that can be told.

    Two that are written differently with `${NAME}` may turn out to be one when a sync runs; then the
    destination itself refuses a table that belongs to somebody else.
    """
    places = [connection.destination_fingerprint]
    with contextlib.suppress(ConnectError, ValueError, TypeError):  # the address depends on the environment
        places.append(connection.destination_kind.configure(connection.destination_config).address)
    return places
