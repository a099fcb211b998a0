"""Answers arrive whole and within bounds, or not at all."""

import gzip
import os
import zlib
from collections.abc import Iterable
from datetime import timedelta

import httpx
import pytest

from propexo_connect.http.body import read_body
from propexo_connect.http.limits import Deadline, Limits
from propexo_connect.model.errors import TerminalError, Unreachable, VendorFault
from propexo_connect_tests.http.doubles import Bytes, ManualClock

PAGE = b'{"data":[' + b",".join(b'{"id":%d}' % number for number in range(5000)) + b"]}"
SMALL = Limits(max_body_bytes=100_000, max_expansion=250)


def answer(chunks: Iterable[bytes], **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(200, headers=named, stream=Bytes(chunks))


def read(response: httpx.Response, limits: Limits = SMALL, clock: ManualClock | None = None) -> bytes:
    return read_body(response, Deadline(clock or ManualClock(), timedelta(seconds=10)), limits)


def pieces(text: bytes, size: int = 1000) -> list[bytes]:
    return [text[start : start + size] for start in range(0, len(text), size)]


def test_a_plain_body_is_read_as_it_is() -> None:
    assert read(answer(pieces(PAGE), content_length=str(len(PAGE)))) == PAGE


def test_gzip_is_undone_in_pieces() -> None:
    assert read(answer(pieces(gzip.compress(PAGE)), content_encoding="gzip")) == PAGE


def test_gzip_in_several_members_is_one_text() -> None:
    assert (
        read(answer([gzip.compress(PAGE[:999]) + gzip.compress(PAGE[999:])], content_encoding="gzip")) == PAGE
    )


@pytest.mark.parametrize("missing", [1, 4, 8, 9, 500])
def test_a_truncated_gzip_is_a_fault(missing: int) -> None:
    """zlib by itself hands out a shorter text in silence."""
    cut = gzip.compress(PAGE)[:-missing]
    with pytest.raises(VendorFault, match="has no end"):
        read(answer([cut], content_encoding="gzip", content_length=str(len(cut))))


def test_an_empty_body_that_says_gzip_is_a_fault() -> None:
    with pytest.raises(VendorFault, match="has no end"):
        read(answer([], content_encoding="gzip"))


def test_a_plain_body_that_says_gzip_is_a_fault() -> None:
    with pytest.raises(VendorFault, match="says gzip and is not"):
        read(answer([PAGE], content_encoding="gzip"))


def test_gzip_with_something_behind_it_is_a_fault() -> None:
    with pytest.raises(VendorFault, match="says gzip and is not"):
        read(answer([gzip.compress(PAGE) + b"and more"], content_encoding="gzip"))


def test_an_encoding_that_was_not_asked_for_is_a_fault() -> None:
    with pytest.raises(VendorFault, match="not asked for"):
        read(answer([zlib.compress(PAGE)], content_encoding="deflate"))


@pytest.mark.parametrize("announced", [len(PAGE) + 1, len(PAGE) - 1, "many"])
def test_a_length_that_does_not_hold_is_a_fault(announced: object) -> None:
    with pytest.raises(VendorFault, match="not as long"):
        read(answer([PAGE], content_length=str(announced)))


def test_the_announced_length_counts_bytes_on_the_wire() -> None:
    zipped = gzip.compress(PAGE)
    assert read(answer([zipped], content_encoding="gzip", content_length=str(len(zipped)))) == PAGE


def test_a_chunked_body_needs_no_length() -> None:
    assert read(answer(pieces(PAGE), transfer_encoding="chunked", content_length="7")) == PAGE


def test_a_body_over_the_limit_is_refused_before_it_is_read_whole() -> None:
    taken = 0

    def endless() -> Iterable[bytes]:
        nonlocal taken
        while True:
            taken += 1
            yield b"x" * 10_000

    with pytest.raises(TerminalError, match="larger than"):
        read(answer(endless()))
    assert taken == 11


def test_a_body_that_expands_over_the_limit_is_refused() -> None:
    zipped = gzip.compress(os.urandom(100_000).hex().encode())
    with pytest.raises(TerminalError, match="larger than"):
        read(answer([zipped], content_encoding="gzip"), Limits(max_body_bytes=150_000))


def test_a_gzip_bomb_is_refused_by_its_ratio() -> None:
    bomb = gzip.compress(b"\0" * 20_000_000)
    with pytest.raises(TerminalError, match="expands more than 250 times"):
        read(answer(pieces(bomb), content_encoding="gzip"), Limits(max_body_bytes=100_000_000))


def test_a_drip_past_the_deadline_is_given_up() -> None:
    """A time-out per chunk would wait for ever."""
    clock = ManualClock()

    def drip() -> Iterable[bytes]:
        while True:
            clock.advance(0.5)
            yield b"x"

    with pytest.raises(Unreachable, match="no whole answer within 10 s"):
        read(answer(drip()), clock=clock)
    assert clock.monotonic() == 10.0
