"""A small vendor and a small warehouse, so that connections can be tested without any real one."""

# ruff: noqa: ARG002 - what is never called needs no arguments

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from propexo_connect.connection.parse import Connection, parse_connection
from propexo_connect.connectors.base import Connector, Source
from propexo_connect.destinations.base import Destination, DestinationKind, Session
from propexo_connect.model import field as types
from propexo_connect.model.clock import Clock
from propexo_connect.model.duration import Duration
from propexo_connect.model.errors import ConfigurationError
from propexo_connect.model.stream import Filter, FilterDeclaration, FilterKind, Meaning, Stream


class AcmeLogin(BaseModel):
    """How to log in."""

    model_config = ConfigDict(extra="forbid")

    user: str = Field(description="The user.")
    token: SecretStr = Field(description="The user's token.")


class AcmeConfig(BaseModel):
    """An account at Acme."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    email: str = Field(description="E-mail address of the log-in.")
    password: SecretStr = Field(description="Its password.")
    keys: tuple[SecretStr, ...] = Field((), description="Further keys.")
    login: AcmeLogin | None = Field(None, description="Another log-in.")
    region: Literal["us", "eu"] = Field("us", description="Where the account is.")
    url: str = Field("https://acme.test", pattern="^https?://", description="Address of the API.")
    port: int = Field(443, ge=1, le=65535, description="Its port.")
    zip_code: str = Field("", description="The office.")
    lag: Duration = Field(timedelta(0), description="How late records appear.")


FIELDS = (
    types.Field("id", types.INTEGER),
    types.Field("updatedAt", types.TIMESTAMP),
    types.Field("amount", types.FLOAT),
    types.Field("note", types.TEXT),
)

STREAMS = (
    Stream(
        "work_orders",
        key=("id",),
        fields=FIELDS,
        open_ended=False,
        cursor="updatedAt",
        filter=Filter("updatedAt", lag=timedelta(minutes=1)),
    ),
    Stream("members", key=("id",), fields=FIELDS[:1]),
    Stream("visits", fields=FIELDS[1:]),
    Stream("reports", is_keyless=True),
    Stream(
        "calls",
        key=("id",),
        fields=FIELDS,
        filter=Filter("createdAt", Meaning.CREATED, horizon=timedelta(days=2), lookback=timedelta(hours=6)),
    ),
    Stream(
        "alerts",
        key=("id",),
        fields=FIELDS[:1],
        hides=(FilterDeclaration(FilterKind.IMPLICIT, rolling=timedelta(days=30)),),
    ),
)


@dataclass
class Acme:
    """A vendor with constant streams."""

    name: str = "acme"
    title: str = "Acme"
    category: str = "testing"
    kind: str = "acme"
    config: type[BaseModel] = AcmeConfig

    def streams(self, config: BaseModel) -> Sequence[Stream]:
        """All of them."""
        assert isinstance(config, AcmeConfig)
        return STREAMS

    def stream(self, config: BaseModel, name: str) -> Stream | None:
        """The one of this name."""
        return next((stream for stream in self.streams(config) if stream.name == name), None)

    def open(self, config: BaseModel, clock: Clock) -> AbstractContextManager[Source]:
        """Never: loading a connection opens nothing."""
        raise AssertionError("a connection was opened while it was loaded")


@dataclass
class Tables(Acme):
    """A database, whose tables are learned later."""

    name: str = "tables"

    def streams(self, config: BaseModel) -> Sequence[Stream]:
        """None that are known without asking."""
        return ()

    def stream(self, config: BaseModel, name: str) -> Stream | None:
        """Whatever is asked for."""
        schema, _, table = name.rpartition(".")
        return Stream(name, table=(schema or "public", table))


@dataclass
class Faulty(Acme):
    """A connector with a defect."""

    name: str = "faulty"

    def streams(self, config: BaseModel) -> Sequence[Stream]:
        """Never."""
        raise KeyError("hunter2")


class WarehouseConfig(BaseModel):
    """A warehouse."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str = Field(description="Where it is.")
    password: SecretStr | None = Field(None, description="Its password.")
    url: SecretStr | None = Field(None, description="Where it is, in another manner.")


@dataclass
class Warehouse:
    """A destination that is never opened."""

    config: WarehouseConfig
    kind: str = "warehouse"

    @property
    def address(self) -> str:
        """The path; a URL that only the environment tells cannot be read."""
        if self.config.url is not None:
            raise ConfigurationError("the URL cannot be read")
        return f"warehouse {self.config.path}"

    @property
    def files(self) -> tuple[Path, ...]:
        """None."""
        return ()

    def check(self) -> None:
        """Never."""
        raise AssertionError

    def open(self) -> AbstractContextManager[Session]:
        """Never: loading a connection opens nothing."""
        raise AssertionError

    def rewrite(self) -> str:
        """Never."""
        raise AssertionError

    def read_table(self, schema: str, table: str, columns: list[str] | None) -> pa.RecordBatchReader:
        """Never."""
        raise AssertionError

    def write_table(self, schema: str, table: str, records: pa.RecordBatchReader) -> int:
        """Never."""
        raise AssertionError


@dataclass
class WarehouseKind:
    """The code behind the destination `warehouse`."""

    name: str = "warehouse"
    config: type[BaseModel] = WarehouseConfig

    def configure(self, config: BaseModel) -> Destination:
        """The warehouse."""
        assert isinstance(config, WarehouseConfig)
        return Warehouse(config)


CONNECTORS: dict[str, Connector] = {connector.name: connector for connector in (Acme(), Tables(), Faulty())}
DESTINATIONS: dict[str, DestinationKind] = {"warehouse": WarehouseKind()}

SOURCE: Mapping[str, Any] = {"connector": "acme", "email": "a@example.com", "password": "${ACME_PASSWORD}"}
DATABASE: Mapping[str, Any] = {**SOURCE, "connector": "tables"}
DESTINATION: Mapping[str, Any] = {"kind": "warehouse", "path": "w.db"}

GOOD = """\
source:
  connector: acme
  email: a@example.com
  password: ${ACME_PASSWORD}
destination:
  kind: warehouse
  path: w.db
streams: [work_orders]
"""


def parsed(**fields: Any) -> Connection:
    """A connection with a good source and destination, unless the fields say otherwise."""
    content = {"name": "demo", "source": SOURCE, "destination": DESTINATION, "streams": "*", **fields}
    return parse_connection(content, connectors=CONNECTORS, destinations=DESTINATIONS)


def parsed_text(text: str) -> Connection:
    """A connection of the name `demo` from a file's text."""
    return parse_connection(text, name="demo", connectors=CONNECTORS, destinations=DESTINATIONS)
