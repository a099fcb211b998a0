"""A loopback REST API that costs as little as a Python process can make it cost.

```
GET /records?offset=500&limit=500   or  /records?page=2        (page counts from 1)
GET /s/00 … /s/49   fifty streams of one page each
→ {"data":[…],"meta":{"total":100000,"offset":500,"next":"http://…/records?offset=1000&limit=500"}}
POST /_control {"records":100000,"latency_ms":50,"generation":1}   → the state, and requests served
```

`next` is null on the last page. One thread per kept-alive connection: `sendmsg` of header and body gives up
the interpreter's lock, so 16 connections wait out their latency side by side. Bodies of up to `CACHED_PAGES`
pages are rendered before the first request and kept; longer streams are rendered as they are asked for (about
0.2 ms a page).

The harness runs it as its own process: `python -m benchmarks.server --page-size 500 --until-input-ends`; the
first line it prints is its port.
"""

import argparse
import json
import os
import socket
import sys
import threading
import time
from urllib.parse import parse_qs, urlsplit

from benchmarks.records import STREAM_PAGES_AT, Pages

CACHED_PAGES = 2_000
STREAMS = 50


class Api:
    """What is served now; changed only by `control`, read by every connection's thread."""

    def __init__(self, page_size: int, share: float, port: int) -> None:
        self.pages = Pages(page_size, share)
        self.page_size = page_size
        self.port = port
        self.records = 0
        self.latency_s = 0.0
        self.generation = 0
        self.requests = 0
        self._lock = threading.Lock()
        self._cache: dict[tuple[int, int], bytes] = {}

    def control(self, wish: dict[str, float]) -> dict[str, float]:
        """Apply the named settings, render what can be kept, tell the state and requests since last told."""
        with self._lock:
            if "records" in wish or "generation" in wish:
                self.records = int(wish.get("records", self.records))
                self.generation = int(wish.get("generation", self.generation))
                self._cache = {}
                page_count = -(-self.records // self.page_size)
                if page_count <= CACHED_PAGES:
                    self._cache = {(0, n): self.body("/records", n, self.records) for n in range(page_count)}
                self._cache |= {
                    (1, n): self.body(f"/s/{n:02d}", STREAM_PAGES_AT + n, self.page_size, STREAM_PAGES_AT + n)
                    for n in range(STREAMS)
                }
            self.latency_s = wish.get("latency_ms", self.latency_s * 1000) / 1000
            served, self.requests = self.requests, 0
        return {"records": self.records, "latency_ms": self.latency_s * 1000, "generation": self.generation,
                "requests": served}  # fmt: skip

    def body(self, path: str, number: int, total: int, first: int = 0) -> bytes:
        """One page in its envelope; `number - first` is its place in the stream."""
        offset = (number - first) * self.page_size
        count = max(0, min(self.page_size, total - offset))
        after = offset + self.page_size
        url = f'"http://127.0.0.1:{self.port}{path}?offset={after}&limit={self.page_size}"'
        meta = f'],"meta":{{"total":{total},"offset":{offset},"next":{url if after < total else "null"}}}}}'
        return b'{"data":[' + self.pages.render(number, self.generation, count) + meta.encode()

    def answer(self, target: str) -> tuple[int, bytes]:
        """Status and body for a GET of `target`."""
        parts = urlsplit(target)
        query = parse_qs(parts.query)
        size = int(query.get("limit", query.get("per_page", [str(self.page_size)]))[0])
        if size != self.page_size:
            return 400, json.dumps({"error": f"limit must be {self.page_size}"}).encode()
        offset = (
            int(query["offset"][0]) if "offset" in query else (int(query.get("page", ["1"])[0]) - 1) * size
        )
        if offset % size:
            return 400, json.dumps({"error": f"offset must be a multiple of {size}"}).encode()
        number = offset // size
        self.requests += 1
        if parts.path == "/records":
            return 200, self._cache.get((0, number)) or self.body("/records", number, self.records)
        if parts.path.startswith("/s/") and parts.path[3:].isdigit() and int(parts.path[3:]) < STREAMS:
            stream = int(parts.path[3:])
            if number == 0:
                return 200, self._cache[1, stream]
            return 200, b'{"data":[],"meta":{"total":%d,"offset":%d,"next":null}}' % (size, offset)
        return 404, b'{"error":"no such path"}'


def serve(api: Api, connection: socket.socket) -> None:
    """Answer one kept-alive connection until its client leaves."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    received = b""
    with connection:
        while True:
            while (end := received.find(b"\r\n\r\n")) < 0:
                try:
                    part = connection.recv(65_536)
                except ConnectionError:
                    return
                if not part:
                    return
                received += part
            head, received = received[:end], received[end + 4 :]
            method, target, _ = head.split(b"\r\n", 1)[0].split(b" ", 2)
            if method == b"POST":
                length = next(
                    int(line[15:]) for line in head.split(b"\r\n") if line[:15].lower() == b"content-length:"
                )
                while len(received) < length:
                    received += connection.recv(65_536)
                wish, received = received[:length], received[length:]
                status, body = 200, json.dumps(api.control(json.loads(wish))).encode()
            else:
                if api.latency_s:
                    time.sleep(api.latency_s)
                status, body = api.answer(target.decode())
            header = b"HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (
                status,
                b"OK" if status == 200 else b"Error",
                len(body),
            )
            try:
                sent = connection.sendmsg([header, body])
                if sent < len(header) + len(body):
                    connection.sendall(memoryview(header + body)[sent:] if sent < len(header) else
                                       memoryview(body)[sent - len(header) :])  # fmt: skip
            except ConnectionError:
                return


def _follow_parent() -> None:
    """End with whoever holds the other end of standard input, however that one ends."""
    sys.stdin.read()
    os._exit(0)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--page-size", type=int, default=500)
    parser.add_argument(
        "--share", type=float, default=0.01, help="share of records the second generation changes"
    )
    parser.add_argument("--until-input-ends", action="store_true", help="stop when standard input is closed")
    options = parser.parse_args()
    if options.until_input_ends:
        threading.Thread(target=_follow_parent, daemon=True).start()
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    api = Api(options.page_size, options.share, listener.getsockname()[1])
    print(api.port, flush=True)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(api, connection), daemon=True).start()


if __name__ == "__main__":
    main()
