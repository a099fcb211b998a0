"""The page of events: its examples are what is written, its tables are those of the models."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from propexo_connect.connection.reference import EVENTS_PAGE, with_tables
from propexo_connect.destinations.duckdb import DuckDBConfig
from propexo_connect.destinations.duckdb.writer import DuckDB
from propexo_connect.events.of_sync import SyncEnd, notices_of
from propexo_connect.model.counts import Counts
from propexo_connect.model.errors import Unreachable
from propexo_connect.model.event import Event, Subscription
from propexo_connect.model.ledger import Reading
from propexo_connect.sync.result import StreamResult
from propexo_connect_tests.destinations.conftest import ask
from propexo_connect_tests.destinations.kit import HOUR, NOON, Sync, unit, units_plan

PAGE = (Path(__file__).parents[2] / EVENTS_PAGE).read_text(encoding="utf-8")
ALL = Subscription("crm", tuple(event for event in Event if event is not Event.TEST))

Body = dict[str, Any]


def body(event: str, at: datetime, payload: Any) -> Body:
    """The frame of an event."""
    return {"type": event, "timestamp": at.astimezone(UTC).isoformat(), "data": payload}


def of_records(folder: Path) -> dict[str, Body]:
    """A record that comes, and changes."""
    settings = {"path": str(folder / "warehouse.duckdb")}
    plan = units_plan(subscriptions=(ALL,))
    with DuckDB(DuckDBConfig(path=settings["path"])).open() as session:
        Sync(session, plan).commit([unit(1, "Elm 4")])
        Sync(session, plan, NOON + HOUR, "sync-2").commit([unit(1, "Elm 4a", 1)])
        rows = ask("duckdb", settings, "select event, occurred_at, payload from _propexo.outbox")
    return {event: body(event, at, json.loads(payload)) for event, at, payload in rows}


def of_syncs() -> dict[str, Body]:
    """A sync that completes, the first of one of its streams, and one that fails."""
    units = StreamResult(units_plan(), (), 1, 1.0, counts=Counts(read=3, new=2, unchanged=1), is_first=True)
    cut = Unreachable("the connection was cut", where=units.plan.where)
    failed = replace(units, error=cut, attempts=3, counts=Counts(), is_first=False)
    ends = (
        SyncEnd("acme", "sync-1", Reading.RECURRING, NOON, NOON + HOUR, (units,)),
        SyncEnd("acme", "sync-2", Reading.RECURRING, NOON + HOUR, NOON + 2 * HOUR, (failed,)),
    )
    notices = [notice for end in ends for notice in notices_of(end, [ALL])]
    return {
        str(notice.event): body(str(notice.event), notice.occurred_at, notice.payload) for notice in notices
    }


def examples() -> dict[str, Body]:
    """The bodies on the page."""
    found = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]
    return {one["type"]: one for one in found}


def test_the_page_s_examples_are_what_is_written(tmp_path: Path) -> None:
    assert examples() == of_records(tmp_path) | of_syncs()


@pytest.mark.parametrize("event", [event for event in Event if event is not Event.TEST])
def test_every_event_is_on_the_page(event: Event) -> None:
    assert f"**`{event}`**" in PAGE


def test_the_tables_of_the_page_are_up_to_date() -> None:
    """Otherwise: python -m propexo_connect.connection.reference"""
    assert with_tables(PAGE) == PAGE
    assert PAGE.count("<!-- fields:") == 5
