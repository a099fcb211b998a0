"""A small vendor, a DuckDB file and a Dagster instance: all that a connection needs to run in a test."""

import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import orjson
from dagster import DagsterInstance
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from propexo_connect.connection.parse import Connection, parse_connection
from propexo_connect.connectors.base import Access, Connector, JsonPage, Page, ReadContext, Source
from propexo_connect.model import field as types
from propexo_connect.model.clock import Clock
from propexo_connect.model.errors import ConnectError
from propexo_connect.model.stream import Filter, Stream
from propexo_connect.model.tile import Request
from propexo_connect.orchestration.assets import connection_definitions
from propexo_connect.orchestration.specs import Translate

MORNING = datetime(2026, 1, 31, 6, tzinfo=UTC)


class AcmeConfig(BaseModel):
    """An account at Acme."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    account: str = Field("north", description="The account.")
    password: SecretStr | None = Field(None, description="Its password.")


FIELDS = (
    types.Field("id", types.INTEGER),
    types.Field("name", types.TEXT, "What people call it."),
    types.Field("updatedAt", types.TIMESTAMP),
    types.Field("rent", types.DECIMAL),
)

STREAMS = (
    Stream("properties", "Managed properties.", key=("id",), fields=FIELDS),
    Stream("units", key=("id",), fields=FIELDS, parent="properties"),
    Stream(
        "work-orders",
        key=("id",),
        fields=FIELDS,
        cursor="updatedAt",
        filter=Filter("updatedAt", lookback=timedelta(hours=6)),
    ),
    Stream("visits", fields=FIELDS[1:]),
)


@dataclass
class Acme:
    """A vendor that serves `records` and fails where `failures` says so."""

    name: str = "acme"
    title: str = "Acme PMS"
    category: str = "testing"
    kind: str = "acme"
    config: type[BaseModel] = AcmeConfig
    records: dict[str, list[dict[str, Any]]] = field(default_factory=dict[str, list[dict[str, Any]]])
    failures: dict[str, ConnectError] = field(default_factory=dict[str, ConnectError])
    offers: tuple[Stream, ...] = STREAMS
    keys: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """What a stream's key turns out to be when the account is opened."""
    waits: bool = False
    """Whether a read lasts until the sync is stopped."""
    was_stopped: threading.Event = field(default_factory=threading.Event)
    read: list[tuple[str, Request]] = field(default_factory=list[tuple[str, Request]])
    opened_with: list[AcmeConfig] = field(default_factory=list[AcmeConfig])

    def streams(self, config: BaseModel) -> Sequence[Stream]:  # noqa: ARG002
        """All of them."""
        return self.offers

    def stream(self, config: BaseModel, name: str) -> Stream | None:
        """The one of this name."""
        return next((stream for stream in self.streams(config) if stream.name == name), None)

    @contextmanager
    def open(self, config: BaseModel, clock: Clock) -> Generator[Source]:
        """The account."""
        assert isinstance(config, AcmeConfig)
        self.opened_with.append(config)
        yield AcmeSource(self, clock)


@dataclass
class AcmeSource:
    """The account, opened."""

    vendor: Acme
    clock: Clock

    def discover(self) -> Sequence[Stream]:
        """All streams."""
        return self.vendor.offers

    def check(self, streams: Sequence[Stream]) -> Sequence[Access]:
        """Granted where nothing fails."""
        return [
            Access(
                one.name, str(self.vendor.failures[one.name]) if one.name in self.vendor.failures else None
            )
            for one in streams
        ]

    def prepare(self, stream: Stream) -> Stream:
        """The same, with the key that only the account tells."""
        return replace(stream, key=self.vendor.keys.get(stream.name, stream.key))

    def upper_bound(self, stream: Stream) -> int:  # noqa: ARG002
        """No stream has an integer axis."""
        return 0

    def read(
        self,
        stream: Stream,
        request: Request,
        fields: frozenset[str] | None,  # noqa: ARG002
        position: str | None,  # noqa: ARG002
        context: ReadContext,
    ) -> Iterator[Page]:
        """One page with everything there is, or the failure."""
        self.vendor.read.append((stream.name, request))
        context.log("asks for a page")
        if self.vendor.waits and context.stop.wait(20):
            self.vendor.was_stopped.set()
        if stream.name in self.vendor.failures:
            raise self.vendor.failures[stream.name]
        page = orjson.dumps(self.vendor.records.get(stream.name, [{"id": 1, "name": "One"}]))
        context.meter.add(requests=1, bytes_read=len(page))
        yield JsonPage(page, self.clock.now())


@dataclass
class Bench:
    """One connection on a bench."""

    folder: Path
    instance: DagsterInstance
    vendor: Acme = field(default_factory=Acme)
    translate: Translate | None = None
    fields: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def connectors(self) -> Mapping[str, Connector]:
        """The one vendor."""
        return {"acme": self.vendor}

    @property
    def file(self) -> Path:
        """The DuckDB file."""
        return self.folder / "warehouse.duckdb"

    def connection(self, **fields: Any) -> Connection:
        """A connection; nothing is tried twice, so that no test waits."""
        content = {
            "name": "acme_north",
            "source": {"connector": "acme"},
            "destination": {"kind": "duckdb", "path": str(self.file)},
            "streams": "*",
            "retry": {"stream": {"attempts": 1}},
            **self.fields,
            **fields,
        }
        return parse_connection(content, connectors=self.connectors)

    def definitions(self) -> dg.Definitions:
        """The connection's definitions."""
        return connection_definitions(self.connection(), self.translate)

    def sync(
        self,
        *streams: str,
        config: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        job: str = "acme_north_sync",
    ) -> dg.ExecuteInProcessResult:
        """A run of the connection's job, of all streams or of some."""
        return (
            self.definitions()
            .resolve_job_def(job)
            .execute_in_process(
                instance=self.instance,
                raise_on_error=False,
                asset_selection=[dg.AssetKey(["acme_north", stream]) for stream in streams] or None,
                run_config={"ops": {"sync_acme_north": {"config": dict(config)}}} if config else None,
                tags=dict(tags or {}),
            )
        )

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """What a query of the file yields."""
        with duckdb.connect(str(self.file)) as connection:
            return connection.execute(sql).fetchall()


def materialized(result: dg.ExecuteInProcessResult) -> dict[str, Mapping[str, dg.MetadataValue]]:
    """The metadata of each stream that a run materialized, in the order of the run."""
    return {
        event.step_materialization_data.materialization.asset_key.path[-1]: (
            event.step_materialization_data.materialization.metadata
        )
        for event in result.get_asset_materialization_events()
    }


def failure(result: dg.ExecuteInProcessResult) -> Any:
    """What a run's multi-asset raised: `description` and `metadata`."""
    data = result.failure_data_for_node("sync_acme_north")
    assert data is not None
    assert data.user_failure_data is not None
    return data.user_failure_data
