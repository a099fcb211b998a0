"""One sync of the HappyCo simulator in a process of its own, to be killed at any moment."""

import threading
from datetime import timedelta
from multiprocessing.connection import Connection as Pipe

from pydantic import SecretStr

from propexo_connect.connectors.happyco import HappyCoConfig, connector
from propexo_connect.destinations.base import Destination
from propexo_connect.destinations.duckdb import DuckDBConfig
from propexo_connect.destinations.duckdb.writer import DuckDB
from propexo_connect.destinations.postgres import PostgresConfig
from propexo_connect.destinations.postgres.writer import Postgres
from propexo_connect.model.clock import SystemClock
from propexo_connect.model.stream import StreamPlan, SyncSettings, Table
from propexo_connect.sync.result import SyncOrder
from propexo_connect.sync.run import run_sync

STREAMS = ("properties", "inspections", "work_orders", "members")

SETTINGS = SyncSettings(step_span=timedelta(days=3), step_bytes=40_000)
"""Small steps, so that there are many moments between which a kill can fall."""


def destination_of(address: str) -> Destination:
    """A PostgreSQL by its URL, else a DuckDB file by its path."""
    if address.startswith("postgresql://"):
        return Postgres(PostgresConfig(url=SecretStr(address)))
    return DuckDB(DuckDBConfig(path=address, threads=1))


def plans(config: HappyCoConfig) -> tuple[StreamPlan, ...]:
    """The streams that are synced, with a history of their changes."""
    offered = {stream.name: stream for stream in connector.streams(config)}
    return tuple(
        StreamPlan("torture", offered[name], Table("happyco", name), history=True) for name in STREAMS
    )


def config_for(url: str, email: str, password: str) -> HappyCoConfig:
    """The simulator as a source; small pages make more of them."""
    return HappyCoConfig(
        url=url, email=email, password=SecretStr(password), page_size=25, allow_private_addresses=True
    )


def sync_once(address: str, login: tuple[str, str, str], sync_id: str, pipe: Pipe) -> None:
    """Sync everything once; sends `ready` before the first request and the failures, if any, at the end."""
    config = config_for(*login)
    clock = SystemClock()
    pipe.send("ready")
    with destination_of(address).open() as session, connector.open(config, clock) as source:
        results = list(
            run_sync(
                SyncOrder(sync_id, plans(config)),
                source,
                session,
                SETTINGS,
                clock,
                lambda _: None,
                threading.Event(),
            )
        )
    pipe.send([str(result.error) for result in results if result.error is not None])
