"""Connectors whose streams only the system knows: any name is taken, `Source.prepare` learns the rest."""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from propexo_connect.connectors.base import Source
from propexo_connect.connectors.table_name import parse_name
from propexo_connect.model.clock import Clock
from propexo_connect.model.stream import Stream


def stream_of_table(default_schema: str) -> Callable[[str], Stream | None]:
    """How names of tables become streams, in a database where names without a schema lie in this one."""

    def stream(name: str) -> Stream | None:
        table = parse_name(name, default_schema)
        return None if table is None else Stream(name, table=table, selects_fields=True)

    return stream


def stream_of_name(name: str) -> Stream | None:
    """A stream that is nothing but its name."""
    return Stream(name) if name else None


@dataclass(frozen=True)
class AskingConnector:
    """A kind of source that has to be asked for its streams; the asset's kind is its name.

    Args:
        named: a name as a stream, None when it can be none.
        source: the system of a configuration; connects with the first question.
        status: `preview` where it was never run against the real system.
    """

    name: str
    title: str
    category: str
    config: type[BaseModel]
    named: Callable[[str], Stream | None]
    source: Callable[[Any, Clock], Source]
    status: str = "stable"

    @property
    def kind(self) -> str:
        return self.name

    def streams(self, config: BaseModel) -> Sequence[Stream]:  # noqa: ARG002 - each system has its own
        return ()

    def stream(self, config: BaseModel, name: str) -> Stream | None:  # noqa: ARG002
        return self.named(name)

    @contextmanager
    def open(self, config: BaseModel, clock: Clock) -> Generator[Source]:
        yield self.source(config, clock)


DATABASES = "Databases and files"
OTHER_TOOLS = "Other tools"
