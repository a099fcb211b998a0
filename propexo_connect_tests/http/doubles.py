"""Stand-ins for time, the sync, and the other end of the wire."""

import socket
import threading
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import httpx

from propexo_connect.connectors.base import ReadContext
from propexo_connect.http.client import HttpClient
from propexo_connect.http.limits import LIMITS, Limits
from propexo_connect.model.stream import RetryPolicy

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
PATIENCE = RetryPolicy(4, timedelta(seconds=1), timedelta(seconds=60))
BASE = "https://api.example.com/v2"

CANARY = "kAnary7secretVALUE4you"
"""A secret that must not be seen anywhere; half of it would be enough to find it."""


class ManualClock:
    """Time that moves when somebody sleeps or a test says so; safe between threads."""

    def __init__(self, now: datetime = NOON, tick_s: float = 0.0) -> None:
        self._start = now
        self._passed_s = 0.0
        self._tick_s = tick_s
        self._lock = threading.Lock()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        with self._lock:
            self._passed_s += self._tick_s
            return self._passed_s

    def sleep(self, seconds: float) -> None:
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Let time go by."""
        with self._lock:
            self._passed_s += seconds


class Sync:
    """A read context with its log and its clock at hand."""

    def __init__(self, clock: ManualClock | None = None, patience: RetryPolicy = PATIENCE) -> None:
        self.clock = clock or ManualClock()
        self.lines: list[str] = []
        self.context = ReadContext(self.clock, patience, self.lines.append)

    @property
    def waited_s(self) -> float:
        """How long requests waited to be repeated."""
        return self.context.meter.cost.waited_s


Reaction = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]


class Vendor(httpx.MockTransport):
    """A scripted API: one reaction per request, the last one for ever; keeps what was asked."""

    def __init__(self, *reactions: Reaction) -> None:
        super().__init__(self._react)
        self._reactions = list(reactions)
        self._lock = threading.Lock()
        self.requests: list[httpx.Request] = []

    def _react(self, request: httpx.Request) -> httpx.Response:
        with self._lock:
            self.requests.append(request)
            reaction = self._reactions.pop(0) if len(self._reactions) > 1 else self._reactions[0]
        if isinstance(reaction, Exception):
            raise reaction
        if isinstance(reaction, httpx.Response):
            return httpx.Response(reaction.status_code, headers=reaction.headers, content=reaction.content)
        return reaction(request)


class Bytes(httpx.SyncByteStream):
    """A body that comes chunk by chunk."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks

    def __iter__(self) -> Generator[bytes]:
        yield from self._chunks


def client(vendor: httpx.BaseTransport, sync: Sync, limits: Limits = LIMITS) -> HttpClient:
    """A client of the scripted vendor."""
    return HttpClient(BASE, clock=sync.clock, transport=vendor, limits=limits)


def everything_said(error: BaseException) -> str:
    """All texts of an error and of the errors behind it."""
    texts: list[str] = []
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        found = waiting.pop()
        if found is None or id(found) in seen:
            continue
        seen.add(id(found))
        texts += [str(found), repr(found), repr(found.args), repr(vars(found))]
        waiting += [found.__cause__, found.__context__]
    return "\n".join(texts)


class RawServer:
    """A loopback server that answers each request with bytes as they are given; the last ones for ever.

    `None` closes the connection without a word. After bytes that end with `CLOSE` it closes, too, and sets
    `has_closed`.
    """

    CLOSE = b"<close>"

    def __init__(self, *answers: bytes | None, listener: socket.socket) -> None:
        self._answers = list(answers)
        self._listener = listener
        self.port: int = listener.getsockname()[1]
        self.received: list[bytes] = []
        self.connection_count = 0
        self.has_closed = threading.Event()
        self.wrap: Callable[[socket.socket], socket.socket] = lambda link: link

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def serve(self) -> None:
        """Accept until the listener is closed, one connection after the other."""
        while True:
            try:
                link = self._listener.accept()[0]
            except OSError:
                return
            self.connection_count += 1
            try:
                with self.wrap(link) as wrapped:
                    wrapped.settimeout(5)
                    self._converse(wrapped)
            except OSError:
                link.close()
            self.has_closed.set()

    def _converse(self, link: socket.socket) -> None:
        while request := self._request(link):
            self.received.append(request)
            answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
            if answer is None:
                return
            link.sendall(answer.removesuffix(self.CLOSE))
            if answer.endswith(self.CLOSE):
                return

    def _request(self, link: socket.socket) -> bytes:
        received = b""
        while b"\r\n\r\n" not in received:
            part = link.recv(65_536)
            if not part:
                return b""
            received += part
        return received


@contextmanager
def raw_server(
    *answers: bytes | None, wrap: Callable[[socket.socket], socket.socket] | None = None
) -> Generator[RawServer]:
    """A `RawServer` in a thread of its own, gone afterwards."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = RawServer(*answers, listener=listener)
    server.wrap = wrap or server.wrap
    thread = threading.Thread(target=server.serve, name="raw server", daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def http(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    """A plain response with its length."""
    head = [b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join(head) + b"\r\n\r\n" + body
