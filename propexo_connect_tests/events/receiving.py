"""A receiver on loopback that answers as it is told, and keeps what came."""

import threading
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Reaction:
    """One answer; silent for so long before it."""

    status: int = 204
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""
    silence_s: float = 0.0


@dataclass(frozen=True)
class Received:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiving:
    """One reaction per request, the last one for ever."""

    port: int
    reactions: list[Reaction]
    requests: list[Received] = field(default_factory=list[Received])
    most_at_once: int = 0
    at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        """Where it listens; the query is secret."""
        return f"http://127.0.0.1:{self.port}/hook?code=hush-hush"

    @property
    def ids(self) -> list[str]:
        """The ids that came, in order."""
        return [one.headers["webhook-id"] for one in self.requests]

    def reaction(self, received: Received) -> Reaction:
        """The next one."""
        with self.lock:
            self.requests.append(received)
            return self.reactions.pop(0) if len(self.reactions) > 1 else self.reactions[0]

    def count(self, by: int) -> None:
        """Keep how many are served at once."""
        with self.lock:
            self.at_once += by
            self.most_at_once = max(self.most_at_once, self.at_once)


@contextmanager
def receiving(*reactions: Reaction) -> Generator[Receiving]:
    """A receiver that is gone afterwards."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            told.count(1)
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            reaction = told.reaction(Received(self.path, headers, body))
            time.sleep(reaction.silence_s)
            told.count(-1)
            self.send_response(reaction.status)
            for name, value in reaction.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reaction.body)))
            self.end_headers()
            self.wfile.write(reaction.body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

        def handle_error(self, request: object, client_address: object) -> None:
            """Whoever hangs up has done so."""

    server = Server(("127.0.0.1", 0), Handler)
    told = Receiving(server.server_address[1], list(reactions or (Reaction(),)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
