"""The bytes of a file: decompressed, capped, and looked at before anybody believes its name."""

import codecs
import io
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import IO, Any, cast

import pyarrow as pa

from propexo_connect.model.errors import FileMismatch

_GRACE_BYTES = 64 * 1024 * 1024
"""Below so many decoded bytes the ratio is not looked at: small files compress extremely well."""

_SIGNS: tuple[tuple[bytes, str], ...] = (
    (b"\x1f\x8b", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"PAR1", "Parquet"),
    (b"PK\x03\x04", "a ZIP archive or an Excel workbook"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"%PDF", "a PDF"),
    (b"ORC", "ORC"),
    (b"Obj\x01", "Avro"),
)

_LONGEST_SIGN = 512

TAIL_BYTES = 4096


class Format(StrEnum):
    """How records are written in a file."""

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"


class Compression(StrEnum):
    """How a file is packed; `auto` goes by its name, and by its first bytes where the name says nothing."""

    AUTO = "auto"
    NONE = "none"
    GZIP = "gzip"
    ZSTD = "zstd"


_FORMATS = {
    ".csv": Format.CSV,
    ".tsv": Format.CSV,
    ".jsonl": Format.JSONL,
    ".ndjson": Format.JSONL,
    ".parquet": Format.PARQUET,
    ".pq": Format.PARQUET,
}
_PACKINGS = {
    ".gz": Compression.GZIP,
    ".gzip": Compression.GZIP,
    ".zst": Compression.ZSTD,
    ".zstd": Compression.ZSTD,
}


@dataclass(frozen=True, slots=True)
class Caps:
    """What one file may unpack to.

    Args:
        decoded_bytes: in all.
        ratio: decoded bytes for one byte of the file, looked at beyond the first 64 MiB.
        record_bytes: one line of JSON or one record of CSV.
    """

    decoded_bytes: int
    ratio: int
    record_bytes: int


_NOTHING = Caps(0, 1, 0)


def named_format(name: str) -> tuple[Format | None, Compression | None]:
    """What the endings of a file's name promise."""
    stem, packing = name.lower(), None
    for ending, kind in _PACKINGS.items():
        if stem.endswith(ending):
            stem, packing = stem.removesuffix(ending), kind
            break
    return next((kind for ending, kind in _FORMATS.items() if stem.endswith(ending)), None), packing


def sign_of(head: bytes) -> str | None:
    """What the first bytes of a file give it away as; None for text."""
    for sign, kind in _SIGNS:
        if head.startswith(sign):
            return kind
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "text in UTF-16"
    if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:14].lower().startswith((b"<!doctype html", b"<html", b"<?xml")):
        return "HTML or XML"
    # A stray NUL is a value; binary files and UTF-16 hold many.
    return "binary" if head.count(0) * 20 > len(head) else None


def refuse(where: str, expected: str, found: str, remedy: str) -> FileMismatch:
    """A file that is not what its name says."""
    return FileMismatch(
        f"the file is not what its name says: it is {found}", where=where, expected=expected, remedy=remedy
    )


class _Lent:
    """A handle that whoever borrows it cannot close; Arrow's streams close what they read from."""

    closed = False

    def __init__(self, handle: IO[bytes]) -> None:
        self._handle = handle

    def read(self, size: int = -1) -> bytes:
        return self._handle.read(size)

    def close(self) -> None:
        """Leave the handle to its owner."""


class CappedReader(io.RawIOBase):
    """Decoded bytes of one file, counted, and refused beyond the caps."""

    def __init__(self, source: Any, compressed_bytes: int | None, caps: Caps, where: str) -> None:
        super().__init__()
        self._source = source
        self._compressed_bytes = compressed_bytes
        self._caps = caps
        self._where = where
        self.decoded_bytes = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes; empty at the end.

        Raises:
            FileMismatch: cut off, corrupt, or beyond a cap.
        """
        wanted = size if size >= 0 else self._caps.decoded_bytes + 1
        try:
            piece = cast(bytes, self._source.read(wanted))
        except OSError as error:
            if self._compressed_bytes is None:
                raise
            found = "cut off" if "Truncated" in str(error) else "corrupt, or no compressed file at all"
            raise refuse(
                self._where,
                "a whole compressed file",
                found,
                "Copy it again; write files under another name and rename them when they are whole.",
            ) from error
        self.decoded_bytes += len(piece)
        self._check()
        return piece

    def _check(self) -> None:
        if self.decoded_bytes > self._caps.decoded_bytes:
            raise FileMismatch(
                f"the file unpacks to more than {self._caps.decoded_bytes} bytes",
                where=self._where,
                remedy="Split it, or raise max_decoded if it is meant to be so large.",
            )
        if self._compressed_bytes is None or self.decoded_bytes <= _GRACE_BYTES:
            return
        if self.decoded_bytes > self._caps.ratio * max(self._compressed_bytes, 1):
            raise FileMismatch(
                f"the file unpacks to more than {self._caps.ratio} times its size",
                where=self._where,
                remedy="If it is no archive bomb, raise max_ratio.",
            )


class Utf8Reader:
    """The text of a stream in UTF-8, whatever its encoding; safe to shut while another thread reads.

    Text that is UTF-8 already is passed on as it is, byte order mark included.
    """

    def __init__(self, stream: CappedReader, codec: str) -> None:
        self._stream = stream
        self._decoder = None if codec == "utf-8-sig" else codecs.getincrementaldecoder(codec)()
        self._waiting = b""
        self._is_over = False
        self._lock = threading.Lock()
        self.tail = b""
        """The last bytes that were read, at most `TAIL_BYTES`."""
        self.fault: Exception | None = None
        """What reading raised where it could not be raised on."""

    def prove(self) -> None:
        """Raise the fault, if there is one: what was read since then is cut short."""
        if self.fault is not None:
            raise self.fault

    def read(self, size: int) -> bytes:
        """At most `size` bytes; empty at the end, and once it is shut.

        Raises:
            UnicodeError: bytes that are not in the encoding. FileMismatch: as `CappedReader`.
        """
        with self._lock:
            piece = self._stream.read(size) if self._decoder is None else self._decoded(size, self._decoder)
            self.tail = (self.tail + piece[-TAIL_BYTES:])[-TAIL_BYTES:]
            return piece

    def _decoded(self, size: int, decoder: codecs.IncrementalDecoder) -> bytes:
        while not self._waiting and not self._is_over:
            piece = self._stream.read(size)
            self._is_over = not piece
            self._waiting = decoder.decode(piece, self._is_over).encode()
        piece, self._waiting = self._waiting[:size], self._waiting[size:]
        return piece

    def shut(self) -> None:
        """Let nobody read on; returns when nobody does."""
        with self._lock:
            self._stream = CappedReader(io.BytesIO(), None, _NOTHING, "")
            self._waiting, self._is_over = b"", True


def packing_of(handle: IO[bytes], name: str, given: Compression, where: str) -> Compression:
    """How the file is packed, proven by its first bytes; the handle is back at its start afterwards.

    Raises:
        FileMismatch: name, setting and first bytes contradict each other.
    """
    head = handle.read(8)
    handle.seek(0)
    found = {"gzip": Compression.GZIP, "zstd": Compression.ZSTD}.get(sign_of(head) or "", Compression.NONE)
    kind, named = named_format(name)
    expected = given
    if given is Compression.AUTO:
        expected = named or (Compression.NONE if kind else found)
    if found is expected:
        return found
    remedy = "Give the file its right ending, or set compression for the stream."
    if expected is Compression.NONE:
        raise refuse(where, f"{kind or 'a file'} without compression", f"compressed with {found}", remedy)
    raise refuse(where, f"a file compressed with {expected}", sign_of(head) or "plain text", remedy)


def decoded(handle: IO[bytes], size_bytes: int, packing: Compression, caps: Caps, where: str) -> CappedReader:
    """The decoded bytes of an open file."""
    if packing is Compression.NONE:
        return CappedReader(handle, None, caps, where)
    # Arrow's stream unpacks no more than it is asked for, goes on over several members, and notices a cut.
    unpacked = pa.CompressedInputStream(pa.PythonFile(_Lent(handle), mode="r"), str(packing))
    return CappedReader(unpacked, size_bytes, caps, where)


def refuse_if_not_text(reopen: Callable[[], CappedReader], kind: Format, encoding: str, where: str) -> bool:
    """Whether there is anything in the file; its first bytes must be text.

    Raises:
        FileMismatch: they are of another kind.
    """
    head = reopen().read(_LONGEST_SIGN)
    found = sign_of(head)
    if found is not None and not (encoding.startswith(("utf-16", "utf-32")) and found in _WIDE):
        remedy = (
            "Set encoding: utf-16 for the stream."
            if found == "text in UTF-16"
            else ("Give the file its right ending, or narrow the pattern.")
        )
        raise refuse(where, f"{kind} text", found, remedy)
    return bool(head)


_WIDE = frozenset({"text in UTF-16", "binary"})
