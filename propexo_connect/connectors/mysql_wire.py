"""Rows of the MySQL text protocol, taken off the wire and made into columns without an object per value.

A row is one packet; a value in it is a length and so many bytes of text, or the byte 0xfb for null:

    07 00 00 05  02 34 32  03 61 62 63        → '42', 'abc'

PyMySQL makes a Python object of each value, which costs 12 µs for a row of 16 columns. Here the packets of
a batch lie in one buffer, and each column's places in it are found for all rows at once.
"""

import contextlib
import socket
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pymysql
from numpy.typing import NDArray
from pymysql.connections import Connection
from pymysql.err import raise_mysql_exception

from propexo_connect.connectors.relation import TableColumn
from propexo_connect.model.field import Kind

_NULL, _TWO, _THREE, _EIGHT = 0xFB, 0xFC, 0xFD, 0xFE
"""What the first byte of a value says when it is not its length: null, or how many bytes hold the length."""

_LARGEST_PACKET = 0xFFFFFF
_BUFFER_BYTES = 256 * 1024
_LONG_BYTES = 64
"""Values longer than this on average are copied one by one, shorter ones all at once."""


class RowStream(Connection):
    """A connection whose answers can be taken as they come."""

    _sock: socket.socket
    _rfile: Any
    _result: Any

    def row_packets(self, query: str, batch_bytes: int) -> Iterator[list[bytes]]:
        """The rows of an answer, still encoded, about so many bytes at a time.

        The connection can be used for nothing else until the last row was taken; `abandon` it before.

        Raises:
            pymysql.Error: the server refuses, breaks off, or is gone.
        """
        self._rfile = self._sock.makefile("rb", buffering=_BUFFER_BYTES)
        self.query(query, unbuffered=True)
        # The rows are taken here: nobody else must wait for those that were not.
        self._result.unbuffered_active = False
        gathered: list[bytes] = []
        size_bytes = 0
        while (packet := self._packet()) is not None:
            gathered.append(packet)
            size_bytes += len(packet)
            if size_bytes >= batch_bytes:
                yield gathered
                gathered, size_bytes = [], 0
        if gathered:
            yield gathered

    def _packet(self) -> bytes | None:
        """The next row; None after the last."""
        head = self._rfile.read(4)
        length = int.from_bytes(head[:3], "little")
        packet = self._rfile.read(length) if len(head) == 4 else b""
        if len(packet) < max(length, 1):
            raise pymysql.OperationalError(2013, "the connection was lost while rows were read")
        if packet[0] == 0xFF:
            raise_mysql_exception(packet)
        if packet[0] == 0xFE and length < 9:
            return None
        if length == _LARGEST_PACKET:
            return packet + self._rest()
        return packet

    def _rest(self) -> bytes:
        """What follows a packet of the largest size, to the first that is shorter."""
        parts: list[bytes] = []
        length = _LARGEST_PACKET
        while length == _LARGEST_PACKET:
            head = self._rfile.read(4)
            length = int.from_bytes(head[:3], "little")
            parts.append(self._rfile.read(length))
            if len(head) < 4 or len(parts[-1]) < length:
                raise pymysql.OperationalError(2013, "the connection was lost while rows were read")
        return b"".join(parts)

    def abandon(self) -> None:
        """Hang up without a word; wakes a thread that waits for rows."""
        with contextlib.suppress(OSError, AttributeError):
            self._sock.shutdown(socket.SHUT_RDWR)


def table_of(packets: Sequence[bytes], columns: Sequence[TableColumn]) -> pa.Table:
    """The rows in columns of their kinds; a column with a value that has no place there stays text."""
    content = b"".join(packets)
    # Eight bytes more, so that a length can be read wherever a value starts.
    buffer = np.frombuffer(content + bytes(9), np.uint8)
    lengths = np.fromiter(map(len, packets), np.int64, len(packets))
    places = np.cumsum(lengths) - lengths
    arrays: list[pa.Array] = []
    for column in columns:
        starts, sizes, is_null = _values(buffer, places)
        places = starts + sizes
        arrays.append(_typed(_text(buffer, content, starts, sizes, is_null), column))
    return pa.Table.from_arrays(arrays, [column.name for column in columns])


Numbers = NDArray[np.int64]


def _values(buffer: NDArray[np.uint8], places: Numbers) -> tuple[Numbers, Numbers, NDArray[np.bool_]]:
    """Where the value of each row begins, how long it is, and whether it is null."""
    first = buffer[places]
    is_null = first == _NULL
    sizes = first.astype(np.int64)
    heads = np.ones(len(places), np.int64)
    sizes[is_null] = 0
    for mark, width in ((_TWO, 2), (_THREE, 3), (_EIGHT, 8)):
        found = np.flatnonzero(first == mark)
        if len(found):
            at = places[found]
            sizes[found] = sum(
                buffer[at + 1 + number].astype(np.int64) << (8 * number) for number in range(width)
            )
            heads[found] = 1 + width
    return places + heads, sizes, is_null


def _text(
    buffer: NDArray[np.uint8], content: bytes, starts: Numbers, sizes: Numbers, is_null: NDArray[np.bool_]
) -> pa.Array:
    ends = np.cumsum(sizes)
    total = int(ends[-1])
    if total > _LONG_BYTES * len(sizes):
        view = memoryview(content)
        spans = zip(starts.tolist(), (starts + sizes).tolist(), strict=True)
        copied: Any = b"".join([view[start:end] for start, end in spans])
    else:
        shift = np.repeat(starts - (ends - sizes), sizes)
        copied = buffer[shift + np.arange(total)]
    offsets = np.zeros(len(sizes) + 1, np.int64)
    offsets[1:] = ends
    valid = np.packbits(~is_null, bitorder="little") if is_null.any() else None
    buffers = [None if valid is None else pa.py_buffer(valid), pa.py_buffer(offsets), pa.py_buffer(copied)]
    return pa.Array.from_buffers(pa.large_binary(), len(sizes), buffers)


_KINDS = {
    Kind.INTEGER: pa.int64(),
    Kind.FLOAT: pa.float64(),
    Kind.BOOLEAN: pa.bool_(),
    Kind.DATE: pa.date32(),
    Kind.DATETIME: pa.timestamp("us"),
    Kind.TIMESTAMP: pa.timestamp("us"),
}


def _typed(values: pa.Array, column: TableColumn) -> pa.Array:
    kind = column.type.kind
    if kind is Kind.BINARY:
        return values.cast(pa.binary())
    texts = values.cast(pa.string())
    wanted = (
        pa.decimal128(column.type.precision, column.type.scale) if kind is Kind.DECIMAL else _KINDS.get(kind)
    )
    if wanted is None:
        return texts
    try:
        typed = texts.cast(wanted)
    except pa.ArrowInvalid:
        return texts
    return typed.cast(pa.timestamp("us", "UTC")) if kind is Kind.TIMESTAMP else typed
