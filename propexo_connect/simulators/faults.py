"""Faults as plain values: which requests they hit, and what goes wrong with the answer.

    script = [
        Fault(too_many_requests(2), operation="inspections", first=3),   # the third read of inspections
        Fault(Reply(503), times=4),                                      # the next four, whatever they ask
        Fault(Framing("chunked"), Cut(100), path="/units"),              # two effects on one answer
    ]

An effect changes one thing about an answer, so effects combine; a script is data, so it can be generated and
replayed.
"""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Literal

import orjson

Headers = tuple[tuple[str, str], ...]
"""Header names and values in the order in which they are sent."""


@dataclass(frozen=True, slots=True)
class Reply:
    """This is answered instead of the truth."""

    status: int = 200
    headers: Headers = ()
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Delay:
    """Seconds of silence, before the first byte or between the head and the body."""

    seconds: float
    before: Literal["head", "body"] = "head"


@dataclass(frozen=True, slots=True)
class Drip:
    """The body comes in small chunks with a pause, in seconds, before each."""

    chunk_bytes: int
    pause_s: float


@dataclass(frozen=True, slots=True)
class Cut:
    """The connection ends after `at_byte` bytes of the body (or of the whole response).

    A cut at or past the last byte leaves the answer whole. `reset` ends it with RST, otherwise FIN.
    """

    at_byte: int
    of: Literal["body", "response"] = "body"
    reset: bool = False


@dataclass(frozen=True, slots=True)
class Framing:
    """How the end of the body is told: by Content-Length, by chunks, or by closing the connection.

    With "close" a reader cannot tell a cut body from a whole one.
    """

    kind: Literal["length", "chunked", "close"]


@dataclass(frozen=True, slots=True)
class WrongLength:
    """Content-Length is off by this many bytes; more than there is, or (negative) less."""

    by: int


@dataclass(frozen=True, slots=True)
class TruncatedGzip:
    """The body is compressed and its last bytes are missing, with a Content-Length that fits what is sent."""

    missing_bytes: int


@dataclass(frozen=True, slots=True)
class WrongEncoding:
    """The head says gzip, the body is plain."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """The vendor's records change just before this request is answered."""

    change: Callable[[], object]


Effect = Reply | Delay | Drip | Cut | Framing | WrongLength | TruncatedGzip | WrongEncoding | Mutation
"""One thing that goes wrong with one answer."""


@dataclass(frozen=True, slots=True, init=False)
class Fault:
    """Effects on the requests that match, counted from the moment the fault is scripted.

    `operation` and `path` match exactly, None matches all. Of the matching requests the fault hits number
    `first` (from 1) and those after it, `times` in all; `times=None` never stops.
    """

    effects: tuple[Effect, ...]
    operation: str | None
    path: str | None
    first: int
    times: int | None

    def __init__(
        self,
        *effects: Effect,
        operation: str | None = None,
        path: str | None = None,
        first: int = 1,
        times: int | None = 1,
    ) -> None:
        if first < 1 or (times is not None and times < 1):
            raise ValueError("a fault counts requests from 1 and hits at least one")
        object.__setattr__(self, "effects", effects)
        object.__setattr__(self, "operation", operation)
        object.__setattr__(self, "path", path)
        object.__setattr__(self, "first", first)
        object.__setattr__(self, "times", times)


class FaultScript:
    """The faults still to come, and how often each has met a matching request; safe between threads."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._met: list[tuple[Fault, int]] = [(fault, 0) for fault in faults]
        self._lock = threading.Lock()

    def add(self, *faults: Fault) -> None:
        """Script more faults; their counting begins now."""
        with self._lock:
            self._met.extend((fault, 0) for fault in faults)

    def clear(self) -> None:
        """From now on nothing goes wrong."""
        with self._lock:
            self._met.clear()

    def pending(self) -> tuple[Fault, ...]:
        """The faults that have not yet hit as often as they say (an endless one always is)."""
        with self._lock:
            return tuple(fault for fault, met in self._met if not _is_spent(fault, met))

    def take(self, operation: str, path: str) -> tuple[Effect, ...]:
        """Count one request and return what goes wrong with its answer, in the order of the script."""
        effects: list[Effect] = []
        with self._lock:
            for index, (fault, met) in enumerate(self._met):
                if fault.operation not in (None, operation) or fault.path not in (None, path):
                    continue
                self._met[index] = (fault, met + 1)
                if met + 1 >= fault.first and not _is_spent(fault, met):
                    effects.extend(fault.effects)
        return tuple(effects)


def _is_spent(fault: Fault, met: int) -> bool:
    return fault.times is not None and met >= fault.first + fault.times - 1


def too_many_requests(retry_after: float | str | datetime | None = None) -> Reply:
    """429, with Retry-After as seconds, as an HTTP date, as the given text, or without it."""
    if isinstance(retry_after, datetime):
        retry_after = format_datetime(retry_after.astimezone(UTC), usegmt=True)
    headers: Headers = () if retry_after is None else (("Retry-After", str(retry_after)),)
    return Reply(429, headers)


def redirect(location: str, status: int = 302) -> Reply:
    """A redirect to any place, on this host or another."""
    return Reply(status, (("Location", location),))


def html_page(status: int = 200) -> Reply:
    """What a proxy or a maintenance page answers where JSON was expected."""
    page = b"<!doctype html><html><body><h1>We will be right back</h1></body></html>"
    return Reply(status, (("Content-Type", "text/html; charset=utf-8"),), page)


def json_body(value: object, status: int = 200) -> Reply:
    """Any JSON value instead of the expected one."""
    return Reply(status, (("Content-Type", "application/json"),), orjson.dumps(value))


def graphql_errors(*messages: str, code: str | None = None) -> Reply:
    """GraphQL's way to fail: 200, `data` null, and one error object per message."""
    extra: dict[str, object] = {} if code is None else {"extensions": {"code": code}}
    return json_body({"data": None, "errors": [{"message": message, **extra} for message in messages]})


EMPTY_BODY = Reply(200, (("Content-Type", "application/json"),), b"")
"""200, and nothing in it."""
