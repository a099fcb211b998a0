"""The kit that simulated vendors are built on: a threaded HTTP/1.1 server whose whole state a test scripts.

    class Acme(Simulator):
        def operation(self, request: Request) -> str: ...   # what a fault or a count is about
        def answer(self, request: Request) -> Answer: ...   # the vendor's truth

    with Acme(population, clock=clock, faults=[Fault(too_many_requests(2), first=3)]) as acme:
        ...                       # talk to acme.url
    acme.requests, acme.counts()  # what came
    acme.served("units")          # what was truthfully and completely answered
    acme.truth("units")           # what the vendor holds

It listens on loopback, keeps connections alive, and logs nothing. Silence and drips take real seconds (they
happen on a real wire); all else follows the clock that is passed in.
"""

import socket
import struct
import threading
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import TracebackType
from typing import BinaryIO, Self, cast

from propexo_connect.model.clock import Clock, SystemClock
from propexo_connect.simulators.faults import Delay, Effect, Fault, FaultScript, Mutation, Reply
from propexo_connect.simulators.population import Key, Population, Record, Version
from propexo_connect.simulators.served import ServedLedger, Serving
from propexo_connect.simulators.wire import (
    Answer,
    BadRequest,
    Request,
    Transmission,
    read_body,
    read_head,
    transmission,
)

LOOPBACK = "127.0.0.1"

KEPT_REQUESTS = 100_000
"""How many received requests the log keeps; counts go on beyond it."""

JOIN_S = 5.0
"""How long closing waits for a connection's thread."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One received request with what was done to it: its operation, the effects on it, the status meant."""

    request: Request
    operation: str
    effects: tuple[Effect, ...]
    status: int


class Simulator(ABC):
    """One vendor's API on loopback; a context manager, or `start` and `close`.

    `latency` is added to every answer (also while others wait: connections are independent); `port` 0 takes
    a free one. Faults come from `faults` and, at any later time, from `script`.
    """

    def __init__(
        self,
        population: Population,
        *,
        clock: Clock | None = None,
        faults: Iterable[Fault] = (),
        latency: timedelta = timedelta(0),
        host: str = LOOPBACK,
        port: int = 0,
    ) -> None:
        self.population = population
        self.clock: Clock = clock or SystemClock()
        self.faults = FaultScript(faults)
        self.ledger = ServedLedger()
        self.latency = latency
        self._host, self._port = host, port
        self._listener: socket.socket | None = None
        self._accepting: threading.Thread | None = None
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._open: dict[socket.socket, threading.Thread] = {}
        self._received_count = 0
        self._in_flight = 0
        self._most_in_flight = 0
        self._counts: Counter[str] = Counter()
        self._exchanges: deque[Exchange] = deque(maxlen=KEPT_REQUESTS)

    # what a vendor says

    @abstractmethod
    def operation(self, request: Request) -> str:
        """The name under which faults match this request and counts count it."""

    @abstractmethod
    def answer(self, request: Request) -> Answer:
        """The truth at this moment; called in the connection's thread."""

    # what a test asks

    @property
    def url(self) -> str:
        """Scheme, host and port, without a trailing slash. Raises: RuntimeError before the start."""
        if self._listener is None:
            raise RuntimeError("the simulator has not been started")
        return f"http://{self._host}:{self._port}"

    def script(self, *faults: Fault) -> None:
        """Add faults; each counts matching requests from now on."""
        self.faults.add(*faults)

    @property
    def exchanges(self) -> list[Exchange]:
        """What came and what was done to it, oldest first."""
        with self._lock:
            return list(self._exchanges)

    @property
    def requests(self) -> list[Request]:
        """Every received request, oldest first."""
        return [exchange.request for exchange in self.exchanges]

    def requests_for(self, operation: str) -> list[Request]:
        """The received requests of one operation, oldest first."""
        return [exchange.request for exchange in self.exchanges if exchange.operation == operation]

    def counts(self) -> Counter[str]:
        """How many requests came, by operation; `.total()` for all."""
        with self._lock:
            return Counter(self._counts)

    @property
    def in_flight(self) -> int:
        """How many requests are being answered now, the caller's own included."""
        with self._lock:
            return self._in_flight

    @property
    def most_in_flight(self) -> int:
        """The largest number of requests that were under way at once."""
        return self._most_in_flight

    def served(self, collection: str) -> dict[Key, Record]:
        """Per key the newest version that a complete, true answer ever carried."""
        return self.ledger.newest(collection)

    def servings(self, collection: str | None = None) -> list[Serving]:
        """Every complete, true answer that carried records of this collection, oldest first."""
        return self.ledger.servings(collection)

    def served_versions(self, collection: str, key: Key) -> list[Version]:
        """The distinct versions of one record that were served, in order of first serving."""
        return self.ledger.versions(collection, key)

    def truth(self, collection: str) -> dict[Key, Record]:
        """Per key what the vendor holds, visible yet or not, without what vanished."""
        return self.population.truth(collection)

    # life

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Listen. Raises: RuntimeError when started before, OSError when the port is taken."""
        if self._listener is not None:
            raise RuntimeError("a simulator is started once")
        self._listener = socket.create_server((self._host, self._port), backlog=128)
        self._port = cast("tuple[str, int]", self._listener.getsockname())[1]
        self._accepting = threading.Thread(
            target=self._accept, args=(self._listener,), name="simulator", daemon=True
        )
        self._accepting.start()

    def close(self) -> None:
        """Stop listening, end every connection and pause under way, and wait for the threads."""
        if self._listener is None or self._accepting is None or self._closing.is_set():
            return
        self._closing.set()
        with self._lock:
            connections = dict(self._open)
        for connection in connections:
            _shut(connection)
        # accept() does not notice that its socket was closed elsewhere: one last connection wakes it
        socket.create_connection((self._host, self._port), timeout=JOIN_S).close()
        self._accepting.join(JOIN_S)
        self._listener.close()
        for thread in connections.values():
            if thread is not threading.current_thread():  # a mutation may take its own simulator down
                thread.join(JOIN_S)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            connection = listener.accept()[0]
            if self._closing.is_set():
                connection.close()
                return
            thread = threading.Thread(
                target=self._converse, args=(connection,), name="simulator connection", daemon=True
            )
            with self._lock:
                self._open[connection] = thread
            thread.start()

    def _converse(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream = cast("BinaryIO", connection.makefile("rb"))
        try:
            while not self._closing.is_set() and self._exchange(connection, stream):
                pass
        except OSError:
            pass  # the client left, or the simulator is closing
        finally:
            with self._lock:
                self._open.pop(connection, None)
            _shut(connection)
            stream.close()
            connection.close()

    # one request

    def _exchange(self, connection: socket.socket, stream: BinaryIO) -> bool:
        """Serve one request; whether the connection goes on."""
        try:
            head = read_head(stream)
            if head is None:
                return False
            body = read_body(stream, head)
        except BadRequest as error:
            connection.sendall(_only(Answer(400, str(error).encode()), self.clock.now()))
            return False
        with self._lock:
            self._received_count += 1
            number = self._received_count
            self._in_flight += 1
            self._most_in_flight = max(self._most_in_flight, self._in_flight)
        try:
            return self._serve(connection, Request(number, self.clock.now(), head, body))
        finally:
            with self._lock:
                self._in_flight -= 1

    def _serve(self, connection: socket.socket, request: Request) -> bool:
        try:
            operation = self.operation(request)
            effects = self.faults.take(operation, request.path)
            for effect in effects:
                if isinstance(effect, Mutation):
                    effect.change()
            reply = next((effect for effect in effects if isinstance(effect, Reply)), None)
            answer = self.answer(request) if reply is None else _replaced(reply)
        except Exception as error:
            # a defect in a simulator or in a test's mutation: the client hears of it, and so does the test,
            # from the thread's own traceback
            connection.sendall(_only(Answer(500, b"the simulator failed"), self.clock.now()))
            raise RuntimeError("a simulator could not answer") from error
        with self._lock:
            self._counts[operation] += 1
            self._exchanges.append(Exchange(request, operation, effects, answer.status))
        at = self.clock.now()
        sent = transmission(answer, effects, at=at, keeps_alive=request.head.keeps_alive)
        if not self._pause(self.latency.total_seconds() + _silence(effects)):
            return False
        self._send(connection, request, answer, sent, at)
        if sent.resets:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return not sent.ends

    def _send(
        self, connection: socket.socket, request: Request, answer: Answer, sent: Transmission, at: datetime
    ) -> None:
        last = len(sent.pieces) - 1
        for index, (pause, piece) in enumerate(sent.pieces):
            if not self._pause(pause):
                return
            if index == last and sent.is_whole and answer.served:
                # entered before the last byte leaves: whoever has read the answer finds it in the ledger
                self.ledger.enter(request.number, at, answer.served)
            try:
                connection.sendall(piece)
            except OSError:
                self.ledger.withdraw(request.number)
                raise

    def _pause(self, seconds: float) -> bool:
        """Wait; False when the simulator closes meanwhile."""
        return not (self._closing.wait(seconds) if seconds > 0 else self._closing.is_set())


def _silence(effects: Sequence[Effect]) -> float:
    return sum(effect.seconds for effect in effects if isinstance(effect, Delay) and effect.before == "head")


def _replaced(reply: Reply) -> Answer:
    return Answer(reply.status, reply.body, reply.headers)


def _only(answer: Answer, at: datetime) -> bytes:
    return b"".join(piece for _, piece in transmission(answer, (), at=at, keeps_alive=False).pieces)


def _shut(connection: socket.socket) -> None:
    with suppress(OSError):  # the other side may have been faster
        connection.shutdown(socket.SHUT_RDWR)
