"""An answer's bytes: read whole and decoded, within bounds, or not at all."""

import zlib
from collections.abc import Iterable, Iterator

import httpx

from propexo_connect.http.limits import Deadline, Limits
from propexo_connect.model.errors import TerminalError, VendorFault

_FREE_BYTES = 1024 * 1024
"""Up to here any expansion passes: small answers of one repeated letter are no bomb."""

_GZIP = 16 + zlib.MAX_WBITS
_PIECE_BYTES = 256 * 1024


def read_body(response: httpx.Response, deadline: Deadline, limits: Limits) -> bytes:
    """Everything the answer carries, with gzip undone.

    Raises:
        VendorFault: fewer bytes than announced, a broken or truncated encoding, one that we did not ask for.
        Unreachable: the connection broke, or the deadline passed.
        TerminalError: more than the limits allow.
    """
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    raw = _whole(_timed(response, deadline, limits), response.headers)
    if encoding in {"identity", ""}:
        return b"".join(raw)
    if encoding not in {"gzip", "x-gzip"}:
        raise VendorFault("the answer is encoded in a way that was not asked for", expected="gzip or plain")
    return b"".join(_unzipped(raw, limits))


def _timed(response: httpx.Response, deadline: Deadline, limits: Limits) -> Iterator[bytes]:
    """The raw chunks, as long as there is time and room for them."""
    count = 0
    for chunk in response.stream:  # type: ignore[union-attr]
        deadline.left()
        count += len(chunk)
        if count > limits.max_body_bytes:
            raise _too_large(limits)
        yield chunk


def _whole(chunks: Iterable[bytes], headers: httpx.Headers) -> Iterator[bytes]:
    """The raw chunks, proven to be as many bytes as announced."""
    announced = None if "transfer-encoding" in headers else headers.get("content-length")
    count = 0
    for chunk in chunks:
        count += len(chunk)
        yield chunk
    if announced is not None and announced != str(count):
        raise VendorFault("the answer is not as long as its head says", expected="the announced length")


def _unzipped(chunks: Iterable[bytes], limits: Limits) -> Iterator[bytes]:
    """The decoded pieces; zlib by itself would pass over a missing end in silence."""
    member = zlib.decompressobj(_GZIP)
    raw_count = decoded_count = 0
    for chunk in chunks:
        raw_count += len(chunk)
        rest = chunk
        while rest:
            if member.eof:
                member = zlib.decompressobj(_GZIP)
            try:
                piece = member.decompress(rest, _PIECE_BYTES)
            except zlib.error as error:
                raise VendorFault("the answer says gzip and is not") from error
            decoded_count += len(piece)
            if decoded_count > limits.max_body_bytes:
                raise _too_large(limits)
            if decoded_count > _FREE_BYTES and decoded_count > raw_count * limits.max_expansion:
                raise TerminalError(
                    f"the answer expands more than {limits.max_expansion} times",
                    remedy="Nothing real compresses so well; check what answers at this address",
                )
            yield piece
            rest = member.unused_data if member.eof else member.unconsumed_tail
    while not member.eof and (piece := member.decompress(b"", _PIECE_BYTES)):
        yield piece
    if not member.eof:
        raise VendorFault("the compressed answer has no end")


def _too_large(limits: Limits) -> TerminalError:
    return TerminalError(
        f"the answer is larger than {limits.max_body_bytes // 1024**2} MiB", remedy="Ask for smaller pages"
    )
