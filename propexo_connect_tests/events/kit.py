"""What tests of deliveries share: an outbox on both destinations, endpoints, and a look at what stands."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx

from propexo_connect.connection.document import Document
from propexo_connect.connection.endpoints import endpoint_of
from propexo_connect.destinations.base import Destination
from propexo_connect.destinations.state import OUTBOX, insert
from propexo_connect.events.deliver import Pace, Tally, deliver
from propexo_connect.events.due import next_due
from propexo_connect.events.message import Message
from propexo_connect.events.opened import stored
from propexo_connect.events.outcome import Outcome, Verdict
from propexo_connect.events.post import Posting
from propexo_connect.events.receivers import Receiver, receiver_of
from propexo_connect.model.event import Endpoint
from propexo_connect_tests.http.doubles import NOON, ManualClock

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OLD_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
ENVIRON = {"SECRET": SECRET, "OLD_SECRET": OLD_SECRET}

PACE = Pace(budget=timedelta(minutes=1), note_patience=timedelta(seconds=5))


def message(number: int = 1, event: str = "data.new", data: str = '{"rent": 1200.10}') -> Message:
    """An event that occurred so many seconds after noon."""
    return Message(f"evt_{number}", event, NOON + timedelta(seconds=number), data, "acme", "units")


def endpoint(name: str = "hook", **content: Any) -> Endpoint:
    """An endpoint as its file would give it."""
    written = {
        "url": "https://example.org/hook",
        "secret": "${SECRET}",
        "subscribe": [{"events": ["data.new"]}],
    }
    if content.get("kind", "webhook") != "webhook":
        written = {"subscribe": written["subscribe"]}
    found = endpoint_of(Document({**written, **content}), name)  # pyright: ignore[reportArgumentType]
    assert isinstance(found, Endpoint), [str(problem) for problem in found]
    return found


def webhook(url: str, posting: Posting, **content: Any) -> Receiver:
    """The receiver behind a webhook on loopback."""
    given = {"url": url, "allow_private_addresses": "true", **content}
    return receiver_of(endpoint(**given), ENVIRON, posting)


@dataclass
class Scripted:
    """A receiver of any kind: one outcome a message, the last one for ever.

    `meanwhile` happens on the way.
    """

    outcomes: list[Outcome]
    max_in_flight: int = 1
    meanwhile: Callable[[], object] = lambda: None
    sent: list[tuple[str, datetime]] = field(default_factory=list[tuple[str, datetime]])

    def send(self, message: Message, sent_at: datetime) -> Outcome:
        """The next outcome."""
        self.meanwhile()
        self.sent.append((message.id, sent_at))
        return self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]

    @property
    def ids(self) -> list[str]:
        """What was sent, in order."""
        return [one for one, _ in self.sent]


def answers(*statuses: int) -> Scripted:
    """A receiver that answers so."""
    said = [
        Outcome(Verdict.DELIVERED, status)
        if status < 300
        else Outcome(Verdict.AGAIN, status, f"answered {status}")
        for status in statuses
    ]
    return Scripted(said)


@dataclass
class Outbox:
    """One destination with an outbox in it."""

    name: str
    destination: Destination
    query: Callable[[str], list[tuple[Any, ...]]]
    options: dict[str, str]
    clock: ManualClock = field(default_factory=ManualClock)

    def write(self, *numbers: int, to: Sequence[str] = ("hook",), event: str = "data.new") -> None:
        """Events that occurred so many seconds after noon."""
        rows = [
            (
                one.id, one.connection, one.stream, one.event, None,
                one.occurred_at, "sync-1", json.dumps(list(to)), one.data,
            )
            for one in (message(number, event) for number in numbers)
        ]  # fmt: skip
        flat = [value for row in rows for value in row]
        stored(
            self.destination,
            lambda link: link.run(insert(OUTBOX, len(rows)), flat),
            self.clock,
            timedelta(seconds=5),
        )

    def deliver(self, receivers: Mapping[str, Receiver], pace: Pace = PACE) -> Tally:
        """One run, without chance."""
        return deliver(self.destination, receivers, self.clock, pace, lambda: 0.5)

    def next_due(self, *endpoints: str) -> datetime | None:
        """When something is due for one of them."""
        return stored(self.destination, lambda link: next_due(link, endpoints), self.clock, timedelta(0))

    def states(self) -> dict[tuple[str, str, int], tuple[str, int]]:
        """State and attempts of each delivery, by event, endpoint and number."""
        rows = self.query("select event_id, endpoint, number, state, attempts from _propexo.deliveries")
        return {(event, name, number): (state, tries) for event, name, number, state, tries in rows}

    def state(self, number: int = 1, name: str = "hook", replay: int = 0) -> tuple[str, int]:
        """State and attempts of one delivery."""
        return self.states()[f"evt_{number}", name, replay]

    def log(self) -> list[tuple[Any, ...]]:
        """Endpoint, attempt, status and problem of each attempt, in order."""
        return self.query(
            "select endpoint, attempt, status, problem from _propexo.delivery_log "
            "order by tried_at, event_id, attempt"
        )

    def everything(self) -> str:
        """All that the tables of deliveries hold, as one text."""
        return str(
            [self.query(f"select * from _propexo.{table}") for table in ("deliveries", "delivery_log")]
        )


def handler(*statuses: int, **headers: str) -> httpx.MockTransport:
    """A transport that answers with these statuses, the last one for ever."""
    left = list(statuses)

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(left.pop(0) if len(left) > 1 else left[0], headers=headers)

    return httpx.MockTransport(answer)
