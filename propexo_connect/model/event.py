"""What the product tells others: events, who wants which of them, and where they are brought to."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel

EVERY = "*"
"""The name that stands for all connections, or for all streams."""


class Event(StrEnum):
    """What happened, by the names that subscribers know."""

    DATA_NEW = "data.new"
    DATA_UPDATE = "data.update"
    SYNC_COMPLETED = "sync.completed"
    FIRST_SYNC_COMPLETED = "first_sync.completed"
    SYNC_FAILED = "sync.failed"
    FRESHNESS_OVERDUE = "freshness.overdue"
    TEST = "test"

    @property
    def is_of_a_record(self) -> bool:
        """Whether it tells of one record, and not of a connection."""
        return self in (Event.DATA_NEW, Event.DATA_UPDATE)


@dataclass(frozen=True, slots=True)
class Subscription:
    """Which events an endpoint wants, of which connections and streams.

    Args:
        connections, streams: names, or `*` for all.
        with_first_sync, with_backsync: whether records that come with a stream's first sync, or with a
            backsync (or another read of old records), are events, too.
    """

    endpoint: str
    events: tuple[Event, ...]
    connections: tuple[str, ...] = (EVERY,)
    streams: tuple[str, ...] = (EVERY,)
    with_first_sync: bool = False
    with_backsync: bool = False

    def covers(self, connection: str, stream: str | None = None) -> bool:
        """Whether it is about the connection, and about the stream where one is given."""
        return _holds(self.connections, connection) and (stream is None or _holds(self.streams, stream))

    def wants(self, event: Event, *, is_first: bool = False, is_old: bool = False) -> bool:
        """Whether the event goes to the endpoint.

        Args:
            is_first: it tells of a record that came with its stream's first sync.
            is_old: it tells of a record that came with a read of old records.
        """
        return (
            event in self.events
            and (self.with_first_sync or not is_first)
            and (self.with_backsync or not is_old)
        )


class EndpointKind(StrEnum):
    """How an endpoint is spoken to."""

    WEBHOOK = "webhook"
    SLACK = "slack"
    EMAIL = "email"


class Signature(StrEnum):
    """How a webhook's body is signed: as Standard Webhooks say, or as a plain hexadecimal HMAC-SHA256."""

    STANDARD = "standard"
    HEX_HMAC = "hex_hmac"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One receiver of events.

    Args:
        config: the settings of its kind, `${NAME}` still in them (see `connection/endpoints.py`).
        is_paused: events are still written for it, and wait.
    """

    name: str
    kind: EndpointKind
    config: BaseModel
    subscriptions: tuple[Subscription, ...] = ()
    is_paused: bool = False


@dataclass(frozen=True, slots=True)
class Notice:
    """One event as it goes into the outbox, where it is not about a record.

    Args:
        endpoints: the names of those who want it, at least one.
        payload: the `data` of the body that is sent.
    """

    id: str
    event: Event
    connection: str
    occurred_at: datetime
    sync_id: str
    endpoints: tuple[str, ...]
    payload: Mapping[str, Any]
    stream: str | None = None


ID_PREFIX = "evt_"
ID_LENGTH = 32
"""Hexadecimal digits behind the prefix."""


def event_id(*parts: str | int) -> str:
    """The id of what these parts tell apart: the same parts, the same id."""
    text = json.dumps(parts, ensure_ascii=False)
    return ID_PREFIX + hashlib.sha256(text.encode()).hexdigest()[:ID_LENGTH]


def _holds(names: tuple[str, ...], name: str) -> bool:
    return EVERY in names or name in names
