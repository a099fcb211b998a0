"""The source of a connection as a Dagster resource."""

import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from pydantic import BaseModel

from propexo_connect.connection.parse import Connection
from propexo_connect.connection.secret import is_secret, resolve_secrets
from propexo_connect.connectors.base import Access, Connector, Source
from propexo_connect.model.clock import Clock, SystemClock
from propexo_connect.model.stream import Stream


@dataclass(frozen=True)
class SourceResource:
    """A configured system to read from; an asset of one's own takes it as `dg.ResourceParam[SourceResource]`.

    Args:
        config: of the connector; `${NAME}` in it is read from the environment when the source is opened.
    """

    connector: Connector
    config: BaseModel = field(repr=False)
    clock: Clock = field(default_factory=SystemClock, repr=False)

    @classmethod
    def of(cls, connection: Connection) -> "SourceResource":
        """The source of a connection."""
        return cls(connection.connector, connection.source_config)

    def open(self, environ: Mapping[str, str] | None = None) -> AbstractContextManager[Source]:
        """The system, ready to be read until the context ends.

        Raises:
            MissingSecret, ConfigurationError: a variable is not set, or its value does not fit.
        """
        given = os.environ if environ is None else environ
        config = resolve_secrets(self.config, given, where=f"source '{self.connector.name}'")
        return self.connector.open(config, self.clock)

    def discover(self) -> Sequence[Stream]:
        """The streams that the system offers.

        Raises:
            ConnectError: it cannot be reached or refuses.
        """
        with self.open() as source:
            return source.discover()

    def check(self, streams: Sequence[Stream]) -> Sequence[Access]:
        """Whether each of the streams can be read with these settings."""
        with self.open() as source:
            return source.check(streams)

    @property
    def description(self) -> str:
        """What it is, in words and without secrets."""
        return ", ".join(part for part in (self.connector.title, in_words(self.config)) if part)


def in_words(config: BaseModel) -> str:
    """What may be shown of a configuration in one line: plain values that are no secrets and no URLs."""
    parts: list[str] = []
    for name, declared in type(config).model_fields.items():
        value = getattr(config, name)
        if name not in config.model_fields_set or is_secret(declared.annotation) or isinstance(value, bool):
            continue
        if isinstance(value, str | int) and "://" not in str(value) and "@" not in str(value):
            parts.append(f"{name} {value}")
    return ", ".join(parts)
