"""A vendor as a kind of source, made of values: the line that publishes a connector."""

from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from pydantic import BaseModel

from propexo_connect.connectors.api.config import ApiConfig
from propexo_connect.connectors.api.described import described
from propexo_connect.connectors.api.source import ApiSource, MoreNames
from propexo_connect.connectors.base import Source
from propexo_connect.http.plan.api import Api
from propexo_connect.model.clock import Clock
from propexo_connect.model.stream import Stream

Status = Literal["stable", "preview"]
"""`preview`: facts of the vendor are unconfirmed, and each of them is a setting."""


@dataclass(frozen=True)
class ApiConnector:
    """One vendor.

    Args:
        name: as a connection file names it. title, category: for people.
        config: the settings, with a `url`.
        api: the plan, or a function that makes it of the settings.
        tested: against what: simulator, specification, recorded, live.
        cannot: what the vendor never tells or we do not read, a sentence each.
        names: makes further names for templates, of the settings and of what the log-in told.
    """

    name: str
    title: str
    category: str
    config: type[ApiConfig]
    api: Api | Callable[[Any], Api]
    status: Status = "stable"
    tested: tuple[str, ...] = ("simulator",)
    cannot: tuple[str, ...] = ()
    names: MoreNames | None = field(default=None, repr=False)

    @property
    def kind(self) -> str:
        """The asset's kind in Dagster."""
        return self.name

    def plan(self, config: BaseModel) -> Api:
        """The plan for some settings."""
        return self.api if isinstance(self.api, Api) else self.api(config)

    def streams(self, config: BaseModel) -> Sequence[Stream]:
        """All streams; no network access."""
        return described(self.plan(config), cast("ApiConfig", config))

    def stream(self, config: BaseModel, name: str) -> Stream | None:
        """The stream of this name, None when there is none."""
        return next((stream for stream in self.streams(config) if stream.name == name), None)

    def open(self, config: BaseModel, clock: Clock) -> AbstractContextManager[Source]:
        """The vendor, ready to be read until the context ends; logs in with the first request."""
        return self._opened(cast("ApiConfig", config), clock)

    @contextmanager
    def _opened(self, config: ApiConfig, clock: Clock) -> Generator[Source]:
        source = ApiSource(self.plan(config), config, clock, more_names=self.names)
        try:
            yield source
        finally:
            source.close()
