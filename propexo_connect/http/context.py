"""What a request needs to know of the sync that sends it."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from propexo_connect.model.clock import Clock
from propexo_connect.model.stream import RetryPolicy


class Tally(Protocol):
    """Where the cost of reading is counted; safe between threads."""

    def add(self, *, requests: int = 0, retries: int = 0, bytes_read: int = 0, waited_s: float = 0.0) -> None:
        """Count requests answered, requests repeated, decoded bytes, and seconds waited."""
        ...


class Context(Protocol):
    """The engine's read context, as far as this room uses it."""

    @property
    def clock(self) -> Clock: ...
    @property
    def retry(self) -> RetryPolicy: ...
    @property
    def log(self) -> Callable[[str], None]: ...
    @property
    def stop(self) -> threading.Event: ...
    @property
    def meter(self) -> Tally: ...


@dataclass(frozen=True)
class Branch:
    """A context of its own for requests that are given up together; the parent's stop reaches it."""

    clock: Clock
    retry: RetryPolicy
    log: Callable[[str], None]
    stop: threading.Event
    meter: Tally

    @classmethod
    def off(cls, parent: Context) -> "Branch":
        """A branch that can be stopped without stopping the parent."""
        return cls(parent.clock, parent.retry, parent.log, _LinkedEvent(parent.stop), parent.meter)


class _LinkedEvent(threading.Event):
    """Set when it or the event it hangs on is set; waiting on it does not see the other."""

    def __init__(self, parent: threading.Event) -> None:
        super().__init__()
        self._parent = parent

    def is_set(self) -> bool:
        return super().is_set() or self._parent.is_set()
