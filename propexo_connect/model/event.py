"""What the product tells others: events, who wants which of them, and where they are brought to."""

from dataclasses import dataclass
from enum import StrEnum

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


def _holds(names: tuple[str, ...], name: str) -> bool:
    return EVERY in names or name in names
