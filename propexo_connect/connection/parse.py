"""One connection, from a file's text, a component's attributes or plain Python: one code path for all."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel, SecretStr, ValidationError

from propexo_connect.connection.document import Document, Unreadable, parse_document
from propexo_connect.connection.explain import explain
from propexo_connect.connection.file import NAME_PATTERN, WrittenConnection
from propexo_connect.connection.problem import InvalidConnection, Problem, quoted
from propexo_connect.connection.schedule import Schedule
from propexo_connect.connection.secret import has_reference, resolve_secrets
from propexo_connect.connection.settings import schedule_of, settings_of
from propexo_connect.connection.streams import Resolution
from propexo_connect.connection.systems import DESTINATION, SOURCE, configure
from propexo_connect.connectors.base import Connector
from propexo_connect.connectors.catalogue import CONNECTORS
from propexo_connect.destinations import DESTINATIONS
from propexo_connect.destinations.base import DestinationKind
from propexo_connect.model.duration import duration_text
from propexo_connect.model.event import Subscription
from propexo_connect.model.names import snake_case
from propexo_connect.model.stream import StreamPlan, SyncSettings

Connectors = Mapping[str, Connector]
DestinationKinds = Mapping[str, DestinationKind]

_RESERVED_SCHEMAS = ("_propexo", "information_schema")
_READ_AT_RUN_TIME = ("source", "destination", "description")


@dataclass(frozen=True)
class Connection:
    """One source, one destination, and what is copied when and how. Secrets are still `${NAME}`.

    Args:
        file: None when it did not come from a file.
        fingerprint: of everything that was written, shared files included; the same content, however
            it is laid out, has the same one. destination_fingerprint: of the destination alone.
        warnings: what may surprise, in words.
        subscriptions: of those endpoints that want to hear of it.
    """

    name: str
    connector: Connector
    destination_kind: DestinationKind
    plans: tuple[StreamPlan, ...]
    source_config: BaseModel = field(repr=False)
    destination_config: BaseModel = field(repr=False)
    schedule: Schedule = field(default_factory=Schedule.manual)
    settings: SyncSettings = field(default_factory=SyncSettings)
    run_retries: int = 2
    description: str = ""
    owners: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    file: Path | None = None
    fingerprint: str = ""
    destination_fingerprint: str = ""
    warnings: tuple[str, ...] = ()
    subscriptions: tuple[Subscription, ...] = ()

    @property
    def where(self) -> str:
        """The place that messages name."""
        return f"connection '{self.name}'"

    def source_settings(self, environ: Mapping[str, str]) -> BaseModel:
        """The source's configuration with the values of the environment, for the time of a sync.

        Raises:
            MissingSecret, ConfigurationError: as in `resolve_secrets`.
        """
        return resolve_secrets(self.source_config, environ, where=f"{self.where}, source")

    def destination_settings(self, environ: Mapping[str, str]) -> BaseModel:
        """The destination's configuration with the values of the environment, for the time of a sync.

        Raises:
            MissingSecret, ConfigurationError: as in `resolve_secrets`.
        """
        return resolve_secrets(self.destination_config, environ, where=f"{self.where}, destination")


def parse_connection(
    content: Mapping[str, Any] | str,
    *,
    name: str | None = None,
    file: Path | None = None,
    folder: Path | None = None,
    connectors: Connectors | None = None,
    destinations: DestinationKinds | None = None,
) -> Connection:
    """A connection from a file's text or from a mapping of the same shape.

    Nothing is read from the environment or the network; shared systems are read from `folder`.

    Args:
        name: used when the content names none. file: where the content comes from, for messages.
        folder: where `sources/` and `destinations/` are.
        connectors, destinations: what may be named; by default all that the product has.

    Raises:
        InvalidConnection: with every problem that was found.
    """
    try:
        document = (
            parse_document(content, file) if isinstance(content, str) else Document(_plain(content), file)
        )
    except Unreadable as error:
        raise InvalidConnection(name or "", error.problems) from None
    return connection_of(document, name, folder, connectors, destinations)


def connection(
    *, connectors: Connectors | None = None, destinations: DestinationKinds | None = None, **fields: Any
) -> Connection:
    """A connection in plain Python: the fields of the file as arguments, durations also as timedelta.

    Raises:
        InvalidConnection: with every problem that was found.
    """
    return parse_connection(fields, connectors=connectors, destinations=destinations)


def connection_of(
    document: Document,
    name: str | None,
    folder: Path | None,
    connectors: Connectors | None,
    destinations: DestinationKinds | None,
) -> Connection:
    """A connection from a document that has been read (see `parse_connection`)."""
    content = document.content
    name = name_in(document) or name or ""
    problems = list(_name_problems(document, name))
    known = CONNECTORS if connectors is None else connectors
    kinds = DESTINATIONS if destinations is None else destinations
    source = configure(document, SOURCE, known, folder)
    target = configure(document, DESTINATION, kinds, folder)
    problems += [problem for side in (source, target) if isinstance(side, list) for problem in side]
    # Both sides have had their say; what they found must not be said again as a missing field.
    rest = {"source": "", "destination": "", **content}
    try:
        written = WrittenConnection.model_validate(rest)
    except ValidationError as error:
        problems += explain(error.errors(include_url=False), document, WrittenConnection)
        written = None
    problems += _references_too_early(document)
    if written is None or isinstance(source, list):
        raise InvalidConnection(name, tuple(problems))
    schedule = schedule_of(written.schedule, name)
    settings, faults = settings_of(written, document)
    namespace = snake_case(written.namespace or name)
    if namespace in _RESERVED_SCHEMAS or namespace.startswith("pg_"):
        found = f"the namespace {quoted(namespace)}, which is taken"
        faults.append(document.problem(("namespace",), found, "a schema of your own"))
    resolution = Resolution(document, written, name, namespace, schedule)
    plans = resolution.plans(source.code, source.config)
    problems += [*faults, *resolution.problems]
    if problems or isinstance(target, list):
        raise InvalidConnection(name, tuple(problems))
    return Connection(
        name=name,
        connector=source.code,
        destination_kind=target.code,
        plans=plans,
        source_config=source.config,
        destination_config=target.config,
        schedule=schedule,
        settings=settings,
        run_retries=written.retry.run.max_retries,
        description=written.description,
        owners=tuple(written.owners),
        tags=dict(written.tags),
        file=document.file,
        fingerprint=_fingerprint(
            {**content, "name": name, "source": source.written, "destination": target.written}
        ),
        destination_fingerprint=_fingerprint(target.written),
        warnings=tuple(dict.fromkeys(resolution.warnings)),
    )


def name_in(document: Document) -> str | None:
    """The name that a document gives its connection, None when it gives none."""
    name = document.content.get("name")
    return name if isinstance(name, str) and name else None


def _name_problems(document: Document, name: str) -> Iterator[Problem]:
    """A name from the file is checked with the other fields; here the one that it has by default."""
    if name_in(document) is None and not re.fullmatch(NAME_PATTERN, name):
        like = re.sub(r"^[^a-z]+", "", snake_case(name))[:63] if name else ""
        yield document.problem(
            ("name",),
            f"{quoted(name)}, taken from the file's name" if name else "`name` is missing",
            "a name of lower-case letters, digits and underscores",
            f"Rename the file, or write `name: {like or 'my_connection'}`.",
        )


def _references_too_early(document: Document) -> Iterator[Problem]:
    for name, value in document.content.items():
        if name not in _READ_AT_RUN_TIME and has_reference(value):
            yield document.problem(
                (name,),
                "a reference to the environment",
                "the value itself: only `source` and `destination` may refer to the environment",
            )


def _fingerprint(written: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(_canonical(written), sort_keys=True).encode()).hexdigest()


def _canonical(value: Any) -> Any:
    """Text, as a file has it, whatever the value was in Python."""
    if isinstance(value, Mapping):
        return {str(key): _canonical(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_canonical(part) for part in value]
    return value if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _plain(content: Mapping[str, Any]) -> dict[str, Any]:
    """A mapping from Python in the shape that a file has: no models, enumerations, tuples or durations.

    Secrets given as `SecretStr` are taken out, so that they are checked like any other.
    """
    return {str(key): _plain_value(value) for key, value in content.items() if value is not None}


def _plain_value(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain_value(part) for key, part in cast(Mapping[Any, Any], value).items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain_value(part) for part in cast(list[Any], value)]
    if isinstance(value, BaseModel):
        return _plain(value.model_dump(exclude_unset=True, by_alias=True))
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, timedelta):
        return duration_text(value)
    if isinstance(value, Enum):
        return value.value
    return str(value) if isinstance(value, Path) else value
