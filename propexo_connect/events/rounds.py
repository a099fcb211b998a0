"""One round over all outboxes: each is delivered from, and none waits for another one."""

import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from propexo_connect.destinations.base import Destination
from propexo_connect.events.deliver import PACE, Pace, Tally, Turns, deliver
from propexo_connect.events.opened import PATIENCE, opened
from propexo_connect.events.outboxes import Outboxes, is_there
from propexo_connect.events.post import Posting
from propexo_connect.events.receivers import Receiver, receivers_of
from propexo_connect.model.clock import Clock
from propexo_connect.model.errors import ConnectError, DestinationBusy
from propexo_connect.model.event import Endpoint

_AT_ONCE = 4
"""Outboxes that are delivered from side by side."""


@dataclass(frozen=True)
class Round:
    """What a round came to: attempts, and what kept outboxes from being asked.

    Args:
        busy: outboxes that a sync holds; the next round comes to them.
    """

    tally: Tally
    busy: tuple[ConnectError, ...] = ()
    problems: tuple[ConnectError, ...] = ()


def deliver_all(
    outboxes: Outboxes,
    endpoints: Iterable[Endpoint],
    environ: Mapping[str, str],
    clock: Clock,
    pace: Pace = PACE,
) -> Round:
    """Deliver what is due in every outbox; what goes wrong with one is told, and the others go on."""
    stop = threading.Event()
    busy: list[ConnectError] = []
    problems = list(outboxes.problems)
    tally = Tally()
    with Posting(clock) as posting, ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="outbox") as pool:
        receivers = receivers_of(endpoints, environ, posting)
        # An endpoint takes so many at once in all, not so many from each outbox.
        turns = {name: threading.Semaphore(one.max_in_flight) for name, one in receivers.items()}
        running = {
            address: pool.submit(_served, destination, receivers, clock, pace, stop, turns)
            for address, destination in outboxes.found.items()
        }
        try:
            for address, work in running.items():
                try:
                    tally += work.result()
                except DestinationBusy as error:
                    busy.append(error.at(address))
                except ConnectError as error:
                    problems.append(error.at(address))
        finally:
            stop.set()
    return Round(tally, tuple(busy), tuple(problems))


def _served(
    destination: Destination,
    receivers: Mapping[str, Receiver],
    clock: Clock,
    pace: Pace,
    stop: threading.Event,
    turns: Turns,
) -> Tally:
    if not is_there(destination):
        return Tally()
    tally = deliver(destination, receivers, clock, pace, stop=stop, turns=turns)
    if tally.delivered:
        opened(destination, lambda session: session.prune_outbox(clock.now()), clock, PATIENCE)
    return tally
