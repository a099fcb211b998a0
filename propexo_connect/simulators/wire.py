"""HTTP/1.1 by hand: one request off a socket, one answer as the bytes a fault script makes of it.

Written out because a fault needs every byte under control, and because a simulator must cost a benchmark
little: a request is parsed in some 20 µs.
"""

import gzip
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from functools import cached_property
from http import HTTPStatus
from typing import BinaryIO
from urllib.parse import parse_qsl

import orjson

from propexo_connect.simulators.faults import (
    Cut,
    Delay,
    Drip,
    Effect,
    Framing,
    Headers,
    TruncatedGzip,
    WrongEncoding,
    WrongLength,
)
from propexo_connect.simulators.served import Offer

LONGEST_LINE_BYTES = 65_536


class BadRequest(Exception):
    """What came is not a request that these servers read."""


@dataclass(frozen=True)
class Head:
    """The first lines of a request; header names as sent."""

    method: str
    target: str
    version: str
    headers: Headers

    def header(self, name: str) -> str | None:
        """The first header of this name, whatever its letter case."""
        wanted = name.lower()
        return next((value for known, value in self.headers if known.lower() == wanted), None)

    @property
    def keeps_alive(self) -> bool:
        """Whether the client expects the connection to stay open."""
        return self.version == "HTTP/1.1" and (self.header("connection") or "").lower() != "close"


@dataclass(frozen=True)
class Request:
    """One received request, as the log keeps it; what may hold secrets stays out of its repr."""

    number: int
    at: datetime
    head: Head
    body: bytes

    def __repr__(self) -> str:
        return f"Request({self.number}, {self.method} {self.path}, {len(self.body)} bytes)"

    @property
    def method(self) -> str:
        return self.head.method

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.head.target.partition("?")[0]

    @cached_property
    def query(self) -> tuple[tuple[str, str], ...]:
        """The decoded query parameters in order; repeated and empty ones are kept."""
        return tuple(parse_qsl(self.head.target.partition("?")[2], keep_blank_values=True))

    @property
    def headers(self) -> Headers:
        return self.head.headers

    def header(self, name: str) -> str | None:
        """The first header of this name, whatever its letter case."""
        return self.head.header(name)

    @cached_property
    def json(self) -> object:
        """The body read as JSON. Raises: ValueError when it is not."""
        return orjson.loads(self.body)

    @property
    def bearer(self) -> str | None:
        """The token of `Authorization: Bearer …`, None without one."""
        scheme, _, token = (self.header("authorization") or "").partition(" ")
        return token if scheme.lower() == "bearer" and token else None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a vendor answers, and which versions of which records that tells the client."""

    status: int = 200
    body: bytes = b""
    headers: Headers = ()
    served: Offer | None = None


def json_answer(
    value: object, status: int = 200, *, headers: Headers = (), served: Offer | None = None
) -> Answer:
    """An answer whose body is this value as JSON."""
    return Answer(status, orjson.dumps(value), (("Content-Type", "application/json"), *headers), served)


@dataclass(frozen=True, slots=True)
class Transmission:
    """The bytes of one answer in pieces, each with the pause in seconds before it.

    `is_whole` says that a client can read the answer as it was meant; `ends` that the connection ends after
    it; `resets` that it ends with RST.
    """

    pieces: tuple[tuple[float, bytes], ...]
    is_whole: bool
    ends: bool
    resets: bool


def read_head(stream: BinaryIO) -> Head | None:
    """The next request's head, None when the client closed the connection before it.

    Raises: BadRequest for anything that is not HTTP/1.x.
    """
    line = stream.readline(LONGEST_LINE_BYTES)
    if not line:
        return None
    parts = line.decode("latin-1").split()
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise BadRequest("not an HTTP/1 request line")
    headers: list[tuple[str, str]] = []
    while (line := stream.readline(LONGEST_LINE_BYTES)) not in (b"\r\n", b"\n"):
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon:
            raise BadRequest("a header line without a colon, or the head was cut short")
        headers.append((name.strip(), value.strip()))
    return Head(parts[0], parts[1], parts[2], tuple(headers))


def read_body(stream: BinaryIO, head: Head) -> bytes:
    """The body that the head announces, by length or in chunks; empty when it announces none.

    Raises: BadRequest when the length is no number or the body ends too early.
    """
    try:
        if (head.header("transfer-encoding") or "").lower() == "chunked":
            return b"".join(_chunks(stream))
        return _exactly(stream, int(head.header("content-length") or "0"))
    except ValueError as error:
        raise BadRequest("a body length that is no number") from error


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    while size := int(stream.readline(LONGEST_LINE_BYTES).partition(b";")[0], 16):
        yield _exactly(stream, size)
        stream.readline(LONGEST_LINE_BYTES)
    while stream.readline(LONGEST_LINE_BYTES) not in (b"\r\n", b"\n", b""):
        pass


def _exactly(stream: BinaryIO, size: int) -> bytes:
    body = stream.read(size)
    if len(body) != size:
        raise BadRequest("the body ended before its announced length")
    return body


def transmission(
    answer: Answer, effects: Sequence[Effect], *, at: datetime, keeps_alive: bool
) -> Transmission:
    """The answer as bytes after every effect on its transfer; `at` becomes the Date header."""
    body = answer.body
    headers: list[tuple[str, str]] = [("Date", format_datetime(at, usegmt=True)), *answer.headers]
    is_whole = True
    for effect in effects:
        if isinstance(effect, TruncatedGzip):
            packed = gzip.compress(body, mtime=0)
            body = packed[: max(0, len(packed) - effect.missing_bytes)]
            is_whole = is_whole and effect.missing_bytes <= 0
            headers.append(("Content-Encoding", "gzip"))
        elif isinstance(effect, WrongEncoding):
            is_whole = False
            headers.append(("Content-Encoding", "gzip"))
    length_error = sum(effect.by for effect in effects if isinstance(effect, WrongLength))
    framing = next((effect.kind for effect in effects if isinstance(effect, Framing)), "length")
    ends = not keeps_alive or framing == "close" or (framing == "length" and length_error != 0)
    if framing == "chunked":
        headers.append(("Transfer-Encoding", "chunked"))
        body = (b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)) if body else b"0\r\n\r\n"
    elif framing == "length":
        headers.append(("Content-Length", str(max(0, len(body) + length_error))))
        is_whole = is_whole and length_error == 0
    if ends:
        headers.append(("Connection", "close"))
    head = _head(answer.status, headers)
    kept, resets = _kept_bytes(effects, len(head), len(body))
    if kept is not None:
        ends = True
        is_whole = is_whole and kept >= len(head) + len(body) and not resets
    pieces = tuple(_within(_pieces(head, body, effects), kept))
    return Transmission(pieces, is_whole, ends, resets)


def _head(status: int, headers: Sequence[tuple[str, str]]) -> bytes:
    known = {one.value: one.phrase for one in HTTPStatus}
    lines = [f"HTTP/1.1 {status} {known.get(status, 'Unnamed')}"]
    lines.extend(f"{name}: {value}" for name, value in headers)
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _kept_bytes(effects: Sequence[Effect], head_bytes: int, body_bytes: int) -> tuple[int | None, bool]:
    cuts = [effect for effect in effects if isinstance(effect, Cut)]
    if not cuts:
        return None, False
    ends = [(max(0, cut.at_byte) + (head_bytes if cut.of == "body" else 0), cut.reset) for cut in cuts]
    kept, resets = min(ends)
    return min(kept, head_bytes + body_bytes), resets


def _pieces(head: bytes, body: bytes, effects: Sequence[Effect]) -> Iterator[tuple[float, bytes]]:
    pause = sum(e.seconds for e in effects if isinstance(e, Delay) and e.before == "body")
    drip = next((effect for effect in effects if isinstance(effect, Drip)), None)
    if drip is not None:
        yield 0.0, head
        step = max(1, drip.chunk_bytes)
        for start in range(0, len(body), step):
            yield (pause if start == 0 else 0.0) + drip.pause_s, body[start : start + step]
    elif pause:
        yield 0.0, head
        yield pause, body
    else:
        yield 0.0, head + body


def _within(pieces: Iterator[tuple[float, bytes]], kept: int | None) -> Iterator[tuple[float, bytes]]:
    left = kept
    for pause, piece in pieces:
        if left is None:
            yield pause, piece
            continue
        if left <= 0:
            return
        yield pause, piece[:left]
        left -= len(piece)
