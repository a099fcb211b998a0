"""Ours as a contestant: the engine as a sync runs it, with merge, hash, last_seen, ledger and fence.

`python -m benchmarks.ours WORKLOAD --json-args '{…}'`; see `benchmarks.job`. The REST source is a connector
made here, of the parts that every connector of the catalogue is made of, with its fields declared.
"""

import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from benchmarks.peers.program import read_job, report
from benchmarks.records import FIELDS
from propexo_connect.connectors.base import Access, JsonPage, ReadContext
from propexo_connect.destinations.base import Destination
from propexo_connect.model.clock import SystemClock
from propexo_connect.model.field import Field, FieldType, Kind
from propexo_connect.model.stream import Filter, Stream, StreamPlan, SyncSettings, Table
from propexo_connect.sync.result import StreamResult, SyncOrder

_KINDS = {
    "BIGINT": FieldType(Kind.INTEGER),
    "VARCHAR": FieldType(Kind.TEXT),
    "DECIMAL(18,2)": FieldType(Kind.DECIMAL, 18, 2),
    "DOUBLE": FieldType(Kind.FLOAT),
    "BOOLEAN": FieldType(Kind.BOOLEAN),
    "TIMESTAMPTZ": FieldType(Kind.TIMESTAMP),
}


class RestConfig(BaseModel):
    """The benchmark's API."""

    url: str
    paths: dict[str, str]
    page_size: int
    concurrency: int
    key: tuple[str, ...]


class RestConnector:
    """Offset pages of `{"data": […], "meta": {"next": …, "total": …}}`."""

    name = "bench"
    title = "Benchmark API"
    category = "benchmark"
    kind = "rest"
    config = RestConfig

    def streams(self, config: BaseModel) -> Sequence[Stream]:
        assert isinstance(config, RestConfig)
        fields = tuple(Field(name, _KINDS.get(kind, FieldType(Kind.JSON))) for name, kind in FIELDS.items())
        return [Stream(name, key=config.key, fields=fields, cursor="updated_at") for name in config.paths]

    def stream(self, config: BaseModel, name: str) -> Stream | None:
        return next((stream for stream in self.streams(config) if stream.name == name), None)

    @contextmanager
    def open(self, config: BaseModel, clock: SystemClock) -> Iterator["RestSource"]:
        from propexo_connect.http.client import HttpClient

        assert isinstance(config, RestConfig)
        client = HttpClient(config.url, clock=clock, allow_private_addresses=True)
        yield RestSource(config, client)


class RestSource:
    """The benchmark's API, opened."""

    def __init__(self, config: RestConfig, client: Any) -> None:
        from propexo_connect.http.envelope import Envelope

        self._config = config
        self._client = client
        self._envelope = Envelope(("data",), total=("meta", "total"), next=("meta", "next"))

    def discover(self) -> Sequence[Stream]:
        return RestConnector().streams(self._config)

    def check(self, streams: Sequence[Stream]) -> Sequence[Access]:
        return [Access(stream.name) for stream in streams]

    def prepare(self, stream: Stream) -> Stream:
        return stream

    def upper_bound(self, stream: Stream) -> int:
        return 0

    def read(
        self, stream: Stream, request: Any, fields: Any, position: str | None, context: ReadContext
    ) -> Iterator[JsonPage]:
        from propexo_connect.http.client import Call
        from propexo_connect.http.paging import OffsetPage, offset_pages

        size = self._config.page_size

        def fetch(offset: int, within: Any) -> OffsetPage:
            call = Call(
                path=self._config.paths[stream.name], query=(("limit", str(size)), ("offset", str(offset)))
            )

            def opened(answer: Any) -> OffsetPage:
                page = self._envelope.open(answer.body)
                return OffsetPage(
                    page.records, answer.read_at, page.count("total"), page.text("next") is not None
                )

            return self._client.call(call, opened, within)

        for page in offset_pages(fetch, context, size=size, in_flight=self._config.concurrency):
            yield JsonPage(page.records, page.read_at)


@dataclass
class JobClock(SystemClock):
    """Instants as the job says, so that every record lies before the sync; durations are real."""

    instant: datetime

    def now(self) -> datetime:
        return self.instant


class TimedSession:
    """A session that adds up the time inside its commits."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._lock = threading.Lock()
        self.write_s = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def commit(self, *step: Any) -> Any:
        began = time.perf_counter()
        try:
            return self._session.commit(*step)
        finally:
            with self._lock:
                self.write_s += time.perf_counter() - began


def destination_of(job: dict[str, Any]) -> Destination:
    """The destination that the job names."""
    given = job["destination"]
    if given["kind"] == "postgres":
        from propexo_connect.destinations.postgres import PostgresConfig
        from propexo_connect.destinations.postgres.writer import Postgres

        return Postgres(PostgresConfig(url=SecretStr(given["dsn"])))
    from propexo_connect.destinations.duckdb import DuckDBConfig
    from propexo_connect.destinations.duckdb.writer import DuckDB

    return DuckDB(DuckDBConfig(path=given["path"]))


def connector_of(job: dict[str, Any]) -> tuple[Any, BaseModel]:
    """The source that the job names, as a connector and its configuration."""
    source = job["source"]
    if source["kind"] == "postgres":
        from propexo_connect.connectors.postgres import PostgresConfig, connector

        return connector, PostgresConfig(url=SecretStr(source["dsn"]), lag=timedelta(0))
    config = RestConfig(
        url=source["url"], paths=source["paths"], page_size=source["page_size"],
        concurrency=source["concurrency"], key=tuple(job["key"]),
    )  # fmt: skip
    return RestConnector(), config


def run(job: dict[str, Any]) -> None:
    """One sync of the engine."""
    from propexo_connect.sync.run import run_sync

    connector, config = connector_of(job)
    now = datetime.fromisoformat(job["now"]).astimezone(UTC)
    clock = JobClock(now)
    schema = job["source"].get("schema")
    plans: list[StreamPlan] = []
    for name in job["streams"]:
        stream = connector.stream(config, f"{schema}.{name}" if schema else name)
        if job["cursor"]:
            stream = _windowed(stream, job["cursor"])
        table = Table(job["destination"]["schema"], name)
        plans.append(StreamPlan("bench", stream, table, initial_window=timedelta(days=3650)))
    with destination_of(job).open() as opened, connector.open(config, clock) as source:
        session = TimedSession(opened)
        order = SyncOrder(f"{job['workload']}-{job['step']}", tuple(plans))
        results = list(
            run_sync(order, source, session, SyncSettings(), clock, lambda _: None, threading.Event())
        )
    _finish(results, session.write_s)


def _windowed(stream: Stream, cursor: str) -> Stream:
    from dataclasses import replace

    return replace(stream, cursor=cursor, filter=Filter(cursor))


def run_in_dagster(job: dict[str, Any]) -> None:
    """The same through Dagster: a connection's job, in this process, with storage in SQLite."""
    import os

    os.environ["DAGSTER_HOME"] = job["directory"]
    import dagster as dg

    from propexo_connect.connection.parse import connection
    from propexo_connect.orchestration.assets import connection_definitions

    _, config = connector_of(job)
    given = job["destination"]
    if given["kind"] == "postgres":
        os.environ["BENCH_DESTINATION"] = given["dsn"]
        destination = {"kind": "postgres", "url": "${BENCH_DESTINATION}"}
    else:
        destination = {"kind": "duckdb", "path": given["path"]}
    made = connection(
        connectors={"bench": RestConnector()},
        name="bench",
        namespace=given["schema"],
        source={"connector": "bench", **config.model_dump(mode="json")},
        destination=destination,
        streams="*",
    )
    quiet = {"loggers": {"console": {"config": {"log_level": "WARNING"}}}}
    storage = "{module: propexo_connect.orchestration.storage, class: ConnectStorage, config: {}}"
    Path(job["directory"], "dagster.yaml").write_text(
        f"telemetry: {{enabled: false}}\nstorage: {{custom: {storage}}}\n"
    )
    with dg.DagsterInstance.get() as instance:
        result = (
            connection_definitions(made)
            .resolve_job_def("bench_sync")
            .execute_in_process(instance=instance, run_config=quiet)
        )
    rows = sum(
        event.step_materialization_data.materialization.metadata["records_read"].value
        for event in result.get_asset_materialization_events()
    )
    report(rows)


def _finish(results: Sequence[StreamResult], write_s: float) -> None:
    for result in results:
        if result.error is not None:
            print(result.error, file=sys.stderr)
            raise SystemExit(1)
    report(sum(result.counts.read for result in results), write=write_s)


if __name__ == "__main__":
    given = read_job()
    (run_in_dagster if given["is_orchestrated"] else run)(given)
