"""A plan and a vendor in one process: what was asked, and what came of it."""

import json
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx
from pydantic import SecretStr

from propexo_connect.connectors.api.config import ApiConfig
from propexo_connect.connectors.api.described import described
from propexo_connect.connectors.api.source import ApiSource
from propexo_connect.connectors.base import JsonPage
from propexo_connect.http.plan import Api, ApiStream
from propexo_connect.model.tile import WHOLE, Request
from propexo_connect_tests.http.doubles import CANARY, ManualClock, Sync


class Config(ApiConfig):
    """Settings of a made-up vendor."""

    url: str = "https://api.example.com/v2"
    api_key: SecretStr = SecretStr(CANARY)
    user: str = "pat"
    tenants: tuple[str, ...] = ()
    zone: str = "America/Denver"
    prove_filters: bool = False


Handler = Callable[[httpx.Request], httpx.Response]


class Recorder(httpx.MockTransport):
    """A vendor as a function, and everything that it was asked."""

    def __init__(self, handler: Handler) -> None:
        super().__init__(self._take)
        self._handler = handler
        self._lock = threading.Lock()
        self.requests: list[httpx.Request] = []

    def _take(self, request: httpx.Request) -> httpx.Response:
        with self._lock:
            self.requests.append(request)
        return self._handler(request)

    @property
    def queries(self) -> list[dict[str, str]]:
        """The parameters of each request, decoded."""
        return [query(request) for request in self.requests]

    @property
    def bodies(self) -> list[Any]:
        """The JSON bodies."""
        return [json.loads(request.content) for request in self.requests]


class Bench:
    """A source on a recorded vendor."""

    def __init__(self, source: ApiSource, vendor: Recorder, sync: Sync, api: Api, config: Config) -> None:
        self.source = source
        self.vendor = vendor
        self.sync = sync
        self.api = api
        self.config = config

    def pages(
        self, name: str = "things", request: Request = WHOLE, position: str | None = None
    ) -> Generator[JsonPage]:
        stream = next(one for one in described(self.api, self.config) if one.name == name)
        for page in self.source.read(stream, request, None, position, self.sync.context):
            assert isinstance(page, JsonPage)
            yield page

    def records(self, name: str = "things", request: Request = WHOLE) -> list[Any]:
        found: list[Any] = []
        for page in self.pages(name, request):
            found += [row[page.unwrap] if page.unwrap else row for row in json.loads(page.records)]
        return found

    def ids(self, name: str = "things", request: Request = WHOLE) -> list[Any]:
        return [record["id"] for record in self.records(name, request)]


@contextmanager
def bench(
    handler: Handler,
    *streams: ApiStream,
    clock: ManualClock | None = None,
    state_dir: Path | None = None,
    settings: Mapping[str, Any] | None = None,
    **api: Any,
) -> Generator[Bench]:
    """A source of some streams; `things` at /things when there are none."""
    clock = clock or ManualClock()
    plan = Api(streams or (ApiStream("things", "/things", "id"),), **api)
    config = Config(state_dir=state_dir, **(settings or {}))
    vendor = Recorder(handler)
    sync = Sync(clock)
    source = ApiSource(plan, config, clock, transport=vendor)
    try:
        yield Bench(source, vendor, sync, plan, config)
    finally:
        source.close()


def query(request: httpx.Request) -> dict[str, str]:
    """The parameters of a request."""
    return dict(parse_qsl(request.url.query.decode(), keep_blank_values=True))


def rows(*ids: int, **more: Any) -> list[dict[str, Any]]:
    """Records with these ids."""
    return [{"id": number, **more} for number in ids]


def answered(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> httpx.Response:
    """JSON."""
    return httpx.Response(status, json=value, headers=headers or {})


def cut(all_rows: list[Any], start: int, size: int) -> list[Any]:
    """A page of some rows."""
    return all_rows[start : start + size]
