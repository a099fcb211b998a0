"""An event as it goes on the wire."""

import json
import secrets
from dataclasses import dataclass, field
from datetime import datetime

from propexo_connect.model.event import Event


@dataclass(frozen=True, slots=True)
class Message:
    """One event for one endpoint.

    Args:
        id: the same through all attempts and replays, so that a receiver knows what it has had.
        data: JSON text as it stands in the outbox; it goes out untouched, since reading it into Python would
            round decimals.
    """

    id: str
    event: str
    occurred_at: datetime
    data: str = field(repr=False)
    connection: str = ""
    stream: str | None = None

    @property
    def body(self) -> bytes:
        """What is posted: `{"type": "data.new", "timestamp": "2026-03-01T12:00:00+00:00", "data": {…}}`."""
        kind, at = json.dumps(self.event), json.dumps(self.occurred_at.isoformat())
        return f'{{"type":{kind},"timestamp":{at},"data":{self.data}}}'.encode()


def trial(now: datetime) -> Message:
    """An event that tells of nothing, by which an endpoint is tried out."""
    message_id = f"evt_test_{secrets.token_hex(12)}"
    return Message(message_id, Event.TEST, now, '{"message":"This is a test; nothing has happened."}')
