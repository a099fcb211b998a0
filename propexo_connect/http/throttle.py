"""Keeping to a vendor's limits: several windows at once, per credential, across a whole process.

Windows are exact (the instants of the last requests), so a limit of 8 a second and 4,096 an hour holds
at any moment. After a 429 requests are also spread apart, twice as far each time, and closer again with each
success.
"""

import threading
from collections import deque
from collections.abc import Generator, Hashable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from propexo_connect.http.context import Context
from propexo_connect.http.retry import heed_stop, wait_out
from propexo_connect.model.clock import Clock, SystemClock

_FIRST_GAP_S = 0.2
_LONGEST_GAP_S = 30.0
_CLOSER = 0.8
"""What a success makes of the gap between requests."""
_LOOK_EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class Window:
    """So many requests in any stretch of so many seconds, for the paths that begin so."""

    count: int
    seconds: float
    only: tuple[str, ...] = ()
    per_path: bool = False

    def label(self, path: str) -> str | None:
        """Under what name a path is counted; None when it is not."""
        if self.only and not path.startswith(self.only):
            return None
        return path if self.per_path else ""


class Throttle:
    """The limits of one credential; safe between threads."""

    def __init__(self, windows: tuple[Window, ...], in_flight: int | None, clock: Clock) -> None:
        self._windows = windows
        self._in_flight = in_flight
        self._clock = clock
        self._sent: dict[tuple[int, str], deque[float]] = {}
        self._gap_s = 0.0
        self._next_at = 0.0
        self._busy = 0
        self._changed = threading.Condition()

    @contextmanager
    def turn(self, path: str, context: Context) -> Generator[None]:
        """Wait until one more request to a path is allowed, and count it.

        Raises:
            Stalled: the sync was cancelled meanwhile.
        """
        self._enter(context)
        try:
            while wait_s := self._take(path):
                wait_out(wait_s, context)
            yield
        finally:
            self._leave()

    def refused(self) -> None:
        """The vendor asked to slow down."""
        with self._changed:
            self._gap_s = min(_LONGEST_GAP_S, max(_FIRST_GAP_S, self._gap_s * 2))

    def accepted(self) -> None:
        """The vendor answered; requests may come a little closer again."""
        if self._gap_s:
            with self._changed:
                closer = self._gap_s * _CLOSER
                self._gap_s = closer if closer >= _FIRST_GAP_S / 4 else 0.0

    @property
    def gap_s(self) -> float:
        """How far apart requests are kept beyond the windows, in seconds; 0 when the vendor is content."""
        return self._gap_s

    def _enter(self, context: Context) -> None:
        if self._in_flight is None:
            return
        with self._changed:
            while self._busy >= self._in_flight:
                heed_stop(context)
                self._changed.wait(_LOOK_EVERY_S)
            self._busy += 1

    def _leave(self) -> None:
        if self._in_flight is not None:
            with self._changed:
                self._busy -= 1
                self._changed.notify()

    def _take(self, path: str) -> float:
        """Count a request and return 0, or return how many seconds it must wait."""
        with self._changed:
            now = self._clock.monotonic()
            wait_s = max(0.0, self._next_at - now)
            counted: list[deque[float]] = []
            for number, window in enumerate(self._windows):
                label = window.label(path)
                if label is None:
                    continue
                sent = self._sent.setdefault((number, label), deque())
                while sent and sent[0] <= now - window.seconds:
                    sent.popleft()
                if len(sent) >= window.count:
                    wait_s = max(wait_s, sent[0] + window.seconds - now)
                counted.append(sent)
            if wait_s > 0:
                return wait_s
            for sent in counted:
                sent.append(now)
            if self._gap_s:
                self._next_at = now + self._gap_s
            return 0.0


class Throttles:
    """The throttles of a process, one per credential."""

    def __init__(self) -> None:
        self._known: dict[Hashable, Throttle] = {}
        self._lock = threading.Lock()

    def of(
        self, credential: Hashable, windows: tuple[Window, ...], in_flight: int | None, clock: Clock
    ) -> Throttle:
        """The throttle of a credential; its limits are those that were named first."""
        time = "system" if isinstance(clock, SystemClock) else id(clock)
        with self._lock:
            known = self._known.get((time, credential, windows, in_flight))
            if known is None:
                known = self._known[time, credential, windows, in_flight] = Throttle(
                    windows, in_flight, clock
                )
            return known


PROCESS = Throttles()
"""Those of this process."""


def seconds_until_reset(
    headers: Mapping[str, str], remaining: str, reset: str, reset_is: str, now: float
) -> float:
    """How long to be silent because a header says that nothing is left; 0 when there is something left."""
    left, when = headers.get(remaining, "") if remaining else "", headers.get(reset, "") if reset else ""
    try:
        if not left or float(left) > 0 or not when:
            return 0.0
        seconds = float(when) - (now if reset_is == "epoch" else 0.0)
    except ValueError:
        return 0.0
    return max(0.0, seconds)
