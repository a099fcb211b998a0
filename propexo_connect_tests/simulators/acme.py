"""A vendor small enough to test the kit with, and a clock moved by hand."""

from datetime import UTC, datetime, timedelta

import httpx

from propexo_connect.simulators.kit import Simulator
from propexo_connect.simulators.population import Population
from propexo_connect.simulators.wire import Answer, Request, json_answer

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


class HandClock:
    """Time that stands still until a test moves it."""

    def __init__(self, start: datetime = NOON) -> None:
        self._start = start
        self._gone = timedelta(0)

    def now(self) -> datetime:
        return self._start + self._gone

    def monotonic(self) -> float:
        return self._gone.total_seconds()

    def sleep(self, seconds: float) -> None:
        self.advance(timedelta(seconds=seconds))

    def advance(self, by: timedelta) -> None:
        self._gone += by


class Acme(Simulator):
    """GET /<collection> answers all its visible records as a bare array; POST /echo answers the body."""

    def operation(self, request: Request) -> str:
        return request.path.strip("/") or "root"

    def answer(self, request: Request) -> Answer:
        if request.path == "/echo":
            return Answer(200, request.body)
        if request.path == "/defect":
            raise ZeroDivisionError("a defect of the simulator")
        collection = request.path.strip("/")
        versions = self.population.view(collection, self.clock.now()).versions
        return json_answer([one.content for one in versions], served={collection: versions})


def two_units() -> Population:
    """Units 1 and 2, visible from the start."""
    population = Population()
    population.insert("units", {"id": "1", "name": "1A"})
    population.insert("units", {"id": "2", "name": "1B"})
    return population


def client(url: str) -> httpx.Client:
    """A client for plain HTTP: reading the system's certificates would cost each test 30 ms."""
    return httpx.Client(base_url=url, timeout=5, verify=False)


def once(
    method: str, url: str, path: str, *, content: bytes | None = None, json: object = None, timeout: float = 5
) -> httpx.Response:
    """One request on a connection of its own."""
    with client(url) as talking:
        return talking.request(method, path, content=content, json=json, timeout=timeout)
