"""An event in a few words, for people."""

import json
from typing import Any, cast

from propexo_connect.events.message import Message
from propexo_connect.model.event import Event

_LONGEST = 1_000
"""Letters of a detail; a failed sync of fifty streams has much to say."""

_HEADS = {
    Event.DATA_NEW: "a new record",
    Event.DATA_UPDATE: "a changed record",
    Event.SYNC_COMPLETED: "a sync is complete",
    Event.FIRST_SYNC_COMPLETED: "the first sync is complete",
    Event.SYNC_FAILED: "a sync has failed",
    Event.FRESHNESS_OVERDUE: "the data is older than it should be",
    Event.TEST: "a test of this endpoint; nothing has happened",
}

_DETAILS = ("error", "message", "completed_at", "limit", "schedule")
"""What is told of an event's data, where it has it; never a record."""


def headline(message: Message) -> str:
    """One line: `happyco.units: a sync has failed`."""
    about = f"{message.connection}.{message.stream}" if message.stream else message.connection
    words = _HEADS.get(cast("Event", message.event), message.event)
    return f"{about}: {words}" if about else words


def details(message: Message) -> str:
    """What more there is to say, a line each; may be empty."""
    loaded: object = json.loads(message.data)
    data = cast("dict[str, Any]", loaded) if isinstance(loaded, dict) else {}
    lines = [f"{name}: {_line(data[name])}" for name in _DETAILS if data.get(name) not in (None, "", [], {})]
    if message.event == Event.SYNC_FAILED:
        lines += [_line(f"{one.get('stream')}: {one.get('error')}") for one in data.get("streams") or ()]
    return "\n".join([*lines, f"event {message.id}, {message.occurred_at:%Y-%m-%d %H:%M:%S} UTC"])


def _line(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
