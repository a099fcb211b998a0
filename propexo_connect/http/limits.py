"""What one request may cost: time, bytes, and how long a vendor may make us wait."""

import threading
from dataclasses import dataclass
from datetime import timedelta

from propexo_connect.model.clock import Clock
from propexo_connect.model.errors import Unreachable


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of every request of one client."""

    deadline: timedelta = timedelta(minutes=2)
    """From the first byte sent to the last byte read, connecting included."""
    connect: timedelta = timedelta(seconds=10)
    """For connecting to one address."""
    max_body_bytes: int = 64 * 1024 * 1024
    """Of an answer, decoded."""
    max_expansion: int = 250
    """Decoded bytes per byte on the wire, beyond the first megabyte. JSON compresses 10 to 100 times; a
    bomb does 1,000 times."""
    longest_retry_after: timedelta = timedelta(minutes=10)
    """A vendor that asks for a longer wait ends the read as rate limited."""


LIMITS = Limits()
"""The bounds of a client that sets none."""


class Deadline:
    """The instant by which a request must be done, on the clock's monotonic scale."""

    def __init__(self, clock: Clock, span: timedelta) -> None:
        self._clock = clock
        self._span_s = span.total_seconds()
        self._end = clock.monotonic() + self._span_s

    def left(self) -> float:
        """Seconds until the deadline, above zero.

        Raises:
            Unreachable: the deadline has passed.
        """
        left = self._end - self._clock.monotonic()
        if left <= 0:
            raise Unreachable(f"no whole answer within {self._span_s:g} s")
        return left


class Pause:
    """Silence that the vendor asked for, kept by every thread of one client."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._until = clock.monotonic()

    def ask(self, seconds: float) -> None:
        """Send nothing for so long from now; a shorter wish does not shorten a longer one."""
        with self._lock:
            self._until = max(self._until, self._clock.monotonic() + seconds)

    def left(self) -> float:
        """Seconds still to be silent, 0 when there is no pause."""
        return max(0.0, self._until - self._clock.monotonic())
