"""Brings what is due in one destination's outbox to those who asked for it.

    expand → claim → send → note          again, until nothing is due or the time is up

Nothing of the destination is open while HTTP is waited for: a DuckDB file belongs to the syncs. An endpoint
that fails rests for the remainder of the run, so that it costs the others a few seconds at the most.
"""

import threading
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import zip_longest

from propexo_connect.destinations import failpoints
from propexo_connect.destinations.base import Destination
from propexo_connect.destinations.dialect import Link
from propexo_connect.events.backoff import STEPS, Chance, by_chance, next_try
from propexo_connect.events.due import Due, Place, Tried, claim, expand, note, put_back
from propexo_connect.events.opened import PATIENCE, stored
from propexo_connect.events.outboxes import is_there
from propexo_connect.events.outcome import Verdict, failed
from propexo_connect.events.receivers import Receiver
from propexo_connect.model.clock import Clock
from propexo_connect.model.errors import Defect

Turns = Mapping[str, AbstractContextManager[object]]
"""By endpoint, what is held while a message is on its way."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast and how long a run delivers.

    Args:
        budget: no batch begins after it. batch: nothing is begun to be sent after it.
        lease: for how long a claim holds; what was not noted until then is sent again.
        at_once: messages on their way in all; for one endpoint its own `max_in_flight` holds.
        each, most: claimed in a batch for one endpoint, and in all.
        failures: so many in a row, and the endpoint rests.
        note_patience: how long a destination that is held by a sync is asked again to take the notes.
    """

    budget: timedelta = timedelta(minutes=5)
    batch: timedelta = timedelta(seconds=30)
    lease: timedelta = timedelta(minutes=15)
    at_once: int = 32
    each: int = 200
    most: int = 2_000
    failures: int = 3
    note_patience: timedelta = timedelta(minutes=5)


PACE = Pace()


@dataclass(frozen=True, slots=True)
class Tally:
    """What a run came to, in attempts; `dead` are those that were the last ones."""

    delivered: int = 0
    failed: int = 0
    dead: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(self.delivered + other.delivered, self.failed + other.failed, self.dead + other.dead)


def deliver(
    destination: Destination,
    receivers: Mapping[str, Receiver],
    clock: Clock,
    pace: Pace = PACE,
    chance: Chance = by_chance,
    stop: threading.Event | None = None,
    turns: Turns | None = None,
) -> Tally:
    """Deliver until nothing is due or the time is up.

    Args:
        receivers: by the names of their endpoints; what is due for others waits, without an attempt.
        stop: once it is set, nothing more is sent; what was sent is noted.
        turns: by endpoint, what an attempt waits for where several outboxes are delivered from at once.

    Raises:
        DestinationBusy: a sync holds the destination; nothing was sent that is not noted, unless the sync
            came in between: then it is sent again.
        ConnectError: the destination cannot be asked.
    """
    tally = Tally()
    if not is_there(destination):
        return tally
    ends_at = clock.monotonic() + pace.budget.total_seconds()
    waiting = set(receivers)
    failpoint = failpoints.armed()

    def claimed(link: Link) -> list[Due]:
        now = clock.now()
        expand(link, now)
        return claim(link, sorted(waiting), now, now + pace.lease, pace.each, pace.most)

    halt = stop or threading.Event()
    while waiting and not halt.is_set() and clock.monotonic() < ends_at:
        due = stored(destination, claimed, clock, PATIENCE)
        failpoint("events claimed")
        if not due:
            break
        batch = _Batch(due, receivers, clock, pace, chance, halt, turns or {})
        try:
            batch.send()
        finally:
            failpoint("events sent")
            stored(destination, batch.note, clock, pace.note_patience)
        waiting -= batch.resting
        tally += batch.tally
    return tally


class _Line:
    """What one endpoint gets in this batch, in order; several threads take from it."""

    def __init__(self, failures: int) -> None:
        self.waiting: deque[Due] = deque()
        self.rests_until: datetime | None = None
        self._allowed = failures
        self._failures = 0
        self._lock = threading.Lock()

    def next(self) -> Due | None:
        """The next delivery; None when there is none, or the endpoint rests."""
        with self._lock:
            return self.waiting.popleft() if self.waiting and self.rests_until is None else None

    def heard(self, tried: Tried) -> None:
        """Let an endpoint rest that fails again and again, or asks for a pause."""
        with self._lock:
            if tried.outcome.verdict is not Verdict.AGAIN:
                self._failures = 0
                return
            self._failures += 1
            if self._failures >= self._allowed or tried.outcome.asked_s:
                until = tried.next_at or tried.tried_at + STEPS[-1]
                self.rests_until = max(self.rests_until or until, until)


class _Batch:
    """The sending of what was claimed together."""

    def __init__(
        self,
        due: Sequence[Due],
        receivers: Mapping[str, Receiver],
        clock: Clock,
        pace: Pace,
        chance: Chance,
        stop: threading.Event,
        turns: Turns,
    ) -> None:
        self._turns = turns
        self._receivers = receivers
        self._clock = clock
        self._chance = chance
        self._ends_at = clock.monotonic() + pace.batch.total_seconds()
        self._at_once = pace.at_once
        self._stop = stop
        self._tried: deque[Tried] = deque()
        self._lines: defaultdict[str, _Line] = defaultdict(lambda: _Line(pace.failures))
        for one in due:
            self._lines[one.endpoint].waiting.append(one)

    @property
    def resting(self) -> set[str]:
        """Endpoints that get nothing more in this run."""
        return {name for name, line in self._lines.items() if line.rests_until is not None}

    @property
    def tally(self) -> Tally:
        """What the attempts came to."""
        states = [one.state for one in self._tried]
        delivered = states.count(Verdict.DELIVERED)
        return Tally(delivered, len(states) - delivered, states.count(Verdict.DEAD))

    def send(self) -> None:
        """Send all, the lines side by side; whoever interrupts waits for what is on its way."""
        lanes = [
            [name] * min(self._receivers[name].max_in_flight, len(line.waiting))
            for name, line in self._lines.items()
        ]
        # The first lane of each endpoint goes before the second of any.
        turns = [name for turn in zip_longest(*lanes) for name in turn if name is not None]
        with ThreadPoolExecutor(self._at_once, thread_name_prefix="deliver") as pool:
            try:
                for lane in [pool.submit(self._lane, name) for name in turns]:
                    lane.result()
            except BaseException:
                self._stop.set()
                raise

    def note(self, link: Link) -> None:
        """Write down what was tried, and let the rest come due again."""
        note(link, list(self._tried))
        now = self._clock.now()
        left: defaultdict[datetime, list[Place]] = defaultdict(list)
        for line in self._lines.values():
            left[line.rests_until or now] += [due.place for due in line.waiting]
        for due_at, places in left.items():
            put_back(link, places, due_at)

    def _lane(self, endpoint: str) -> None:
        line, receiver = self._lines[endpoint], self._receivers[endpoint]
        while not self._stop.is_set() and self._clock.monotonic() < self._ends_at:
            due = line.next()
            if due is None:
                return
            with self._turns.get(endpoint, nullcontext()):
                tried = attempt(due, receiver, self._clock, self._chance)
            self._tried.append(tried)
            line.heard(tried)


def attempt(due: Due, receiver: Receiver, clock: Clock, chance: Chance) -> Tried:
    """Send once, whatever comes of it."""
    tried_at, began = clock.now(), clock.monotonic()
    try:
        outcome = receiver.send(due.message, tried_at)
    except Exception as error:  # noqa: BLE001 (one receiver must not take the others down)
        # The text of a foreign exception may hold anything, so only its kind is told.
        outcome = failed(Defect(f"sending failed with {type(error).__name__}"))
    took_ms = round((clock.monotonic() - began) * 1000)
    tried = Tried(due, outcome, tried_at, took_ms, None)
    if outcome.verdict is not Verdict.AGAIN:
        return tried
    return replace(tried, next_at=next_try(due.attempts + 1, clock.now(), outcome.asked_s, chance))
