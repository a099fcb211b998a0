"""A look into a destination's own tables, short enough not to be in a sync's way."""

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_random_exponential

from propexo_connect.destinations.base import Destination, Session
from propexo_connect.destinations.dialect import Link
from propexo_connect.model.clock import Clock
from propexo_connect.model.errors import RetryableError

T = TypeVar("T")

NO_PATIENCE = timedelta(0)

PATIENCE = timedelta(seconds=5)
"""How long a file that a sync holds is asked for again; then it is the next tick's business."""


def stored(destination: Destination, work: Callable[[Link], T], clock: Clock, patience: timedelta) -> T:
    """What `work` makes of one transaction; the destination is opened for it alone, and closed again.

    Raises:
        RetryableError: still busy or out of reach when the patience is over. ConnectError: anything else.
    """

    def in_transaction(session: Session) -> T:
        with session.transaction() as link:
            return work(link)

    return opened(destination, in_transaction, clock, patience)


def opened(destination: Destination, work: Callable[[Session], T], clock: Clock, patience: timedelta) -> T:
    """What `work` makes of an opened destination; all of it is repeated while the destination is busy.

    Raises:
        RetryableError, ConnectError: as above.
    """
    ends_at = clock.monotonic() + patience.total_seconds()

    def once() -> T:
        with destination.open() as session:
            return work(session)

    def is_over(_: RetryCallState) -> bool:
        return clock.monotonic() >= ends_at

    return Retrying(
        retry=retry_if_exception_type(RetryableError),
        stop=is_over,
        wait=wait_random_exponential(multiplier=0.1, max=2),
        sleep=clock.sleep,
        reraise=True,
    )(once)
