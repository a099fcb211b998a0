"""Reading tables through a database connector, the same for each kind of database."""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel

from propexo_connect.connectors.base import ColumnPage, Connector, ReadContext, Source
from propexo_connect.model.clock import SystemClock
from propexo_connect.model.stream import REQUEST_RETRY, Stream
from propexo_connect.model.tile import WHOLE, Request

SMALL = 1024 * 1024
"""Bytes of a small step."""


def context(log: Callable[[str], None] = lambda _: None, step_bytes: int = 32 * 1024 * 1024) -> ReadContext:
    return ReadContext(SystemClock(), REQUEST_RETRY, log=log, step_bytes=step_bytes)


@dataclass(frozen=True)
class Tables:
    """One database, and the shortest way to what its tables give."""

    connector: Connector
    config: BaseModel

    @contextmanager
    def opened(self, **settings: Any) -> Generator[Source]:
        given = self.config.model_copy(update=settings)
        with self.connector.open(given, SystemClock()) as source:
            yield source

    def stream(self, name: str = "units", **given: Any) -> Stream:
        made = self.connector.stream(self.config, name)
        assert made is not None
        return replace(made, **given)

    def prepared(self, name: str = "units", **given: Any) -> Stream:
        with self.opened() as source:
            return source.prepare(self.stream(name, **given))

    def pages(
        self,
        stream: Stream | str = "units",
        request: Request = WHOLE,
        fields: frozenset[str] | None = None,
        position: str | None = None,
        ctx: ReadContext | None = None,
        **settings: Any,
    ) -> list[ColumnPage]:
        given = self.stream(stream) if isinstance(stream, str) else stream
        with self.opened(**settings) as source:
            pages = source.read(source.prepare(given), request, fields, position, ctx or context())
            return [page for page in pages if isinstance(page, ColumnPage)]

    def read(self, stream: Stream | str = "units", **how: Any) -> list[dict[str, Any]]:
        return records_of(self.pages(stream, **how))


def records_of(pages: Sequence[ColumnPage]) -> list[dict[str, Any]]:
    return [record for page in pages for record in page.records.to_pylist()]


def ids(records: Sequence[dict[str, Any]]) -> list[int]:
    return sorted(record["id"] for record in records)
