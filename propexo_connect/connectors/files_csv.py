"""CSV files into columns of text, exactly as written: 01234 stays 01234, NA stays NA.

An empty cell without quotes is absent (null); `""` is an empty text. Blank lines are no records.
"""

import codecs
import csv
import io
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count

import pyarrow as pa
import pyarrow.csv as arrow_csv

from propexo_connect.connectors.files_content import TAIL_BYTES, CappedReader, Caps, Utf8Reader
from propexo_connect.model.errors import FileMismatch

_HEADER_BYTES = 1024 * 1024
_BLOCK_BYTES = 1024 * 1024
"""What Arrow parses at once; it reads some blocks ahead, so that small ones keep memory flat."""
_RELEASE_WITHIN_S = 10.0


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a CSV file is written."""

    delimiter: str = ","
    quote: str = '"'
    encoding: str = "utf-8"

    @property
    def codec(self) -> str:
        """The encoding under Python's own name; a byte order mark is never part of UTF-8 text."""
        name = codecs.lookup(self.encoding).name
        return "utf-8-sig" if name == "utf-8" else name


def read_csv(
    reopen: Callable[[], CappedReader],
    dialect: Dialect,
    fields: frozenset[str] | None,
    page_bytes: int,
    caps: Caps,
    where: str,
) -> Iterator[pa.Table]:
    """The records of one file; columns are those of its header that are wanted.

    Args:
        reopen: gives the decoded bytes from the start, each time it is called.

    Raises:
        FileMismatch: duplicate or blank names, a record with too few or too many cells, bytes that are not
            text in the encoding, a record larger than the cap.
    """
    names = header(reopen, dialect, where)
    if not names:
        return
    wanted = [name for name in names if fields is None or name in fields] or names[:1]
    # The last column is read in any case: it shows whether the file ends within a quote.
    columns = list(dict.fromkeys([*wanted, names[-1]]))
    done = 0
    # A record larger than a block is met with larger blocks, up to the cap; nothing is given twice.
    for power in count():
        block_bytes = min(min(_BLOCK_BYTES, page_bytes) * 8**power, max(caps.record_bytes, 64 * 1024))
        stream, last = Utf8Reader(reopen(), dialect.codec), None
        try:
            blocks = _blocks(stream, dialect, names, columns, block_bytes)
            for table in _pages(blocks, page_bytes, skipped=done):
                yield table.select(wanted)
                done += table.num_rows
                last = table.column(names[-1])[-1].as_py()
        except pa.ArrowInvalid as error:
            text = str(error)
            if "straddl" in text and block_bytes < caps.record_bytes:
                continue
            if "Empty CSV file" in text:
                return
            raise _mismatch(text, reopen, dialect, len(names), caps, where) from error
        except UnicodeError as error:
            raise _not_in(dialect, where) from error
        if last is not None and _ends_in_quote(last, len(names), stream, reopen, dialect):
            raise _mismatched(where, "every quote closed", "one that is still open at the end")
        return


def header(reopen: Callable[[], CappedReader], dialect: Dialect, where: str) -> list[str]:
    """The names in the first row that is not blank; empty when there is no such row.

    Raises:
        FileMismatch: a name is blank or stands twice.
    """
    head = reopen().read(_HEADER_BYTES)
    decoder = codecs.getincrementaldecoder(dialect.codec)()
    try:
        text = decoder.decode(head, final=len(head) < _HEADER_BYTES)
    except UnicodeDecodeError as error:
        raise _not_in(dialect, where) from error
    rows = csv.reader(
        io.StringIO(text, newline=""), delimiter=dialect.delimiter, quotechar=dialect.quote, doublequote=True
    )
    try:
        names = next((row for row in rows if row), [])
    except csv.Error as error:
        raise _mismatched(where, "a first row with names", "a first row that is not CSV") from error
    if any(not name.strip() for name in names):
        place = next(number for number, name in enumerate(names, start=1) if not name.strip())
        raise _mismatched(where, "a name for each column in the first row", f"none for column {place}")
    if len(set(names)) < len(names):
        twice = next(name for number, name in enumerate(names) if name in names[:number])
        raise _mismatched(where, "each name once in the first row", f"'{twice[:100]}' twice")
    return names


def _pages(blocks: Iterator[pa.Table], page_bytes: int, skipped: int) -> Iterator[pa.Table]:
    """The blocks gathered into pages, without the first `skipped` records.

    What was gathered when an error comes is given before the error.
    """
    gathered: list[pa.Table] = []
    try:
        for block in blocks:
            if block.num_rows > skipped:
                gathered.append(block.slice(skipped))
            skipped = max(skipped - block.num_rows, 0)
            if sum(part.nbytes for part in gathered) >= page_bytes:
                yield pa.concat_tables(gathered)
                gathered = []
    except pa.ArrowInvalid:
        if gathered:
            yield pa.concat_tables(gathered)
        raise
    if gathered:
        yield pa.concat_tables(gathered)


class _Door:
    """What Arrow's threads hold of a stream, and nobody else: when it is gone, they are done with it."""

    closed = False

    def __init__(self, stream: Utf8Reader) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        try:
            return self._stream.read(size)
        except Exception as error:  # noqa: BLE001 - raised again by whoever owns the stream
            # An error that went through Arrow would hold on to this object by its traceback.
            self._stream.fault = error.with_traceback(None)
            return b""

    def close(self) -> None:
        """Leave the stream to its owner."""


def _blocks(
    stream: Utf8Reader, dialect: Dialect, names: Sequence[str], wanted: Sequence[str], block_bytes: int
) -> Iterator[pa.Table]:
    """Tables as Arrow parses them.

    Arrow reads ahead in threads of its own. They are waited for at the end, because the file may be read
    again from its start, and because a process that ends while they let go of Python objects is aborted.
    """
    released = threading.Event()
    try:
        for batch in _open(stream, dialect, names, wanted, block_bytes, released):
            stream.prove()
            yield pa.Table.from_batches([batch])
        stream.prove()
    except pa.ArrowInvalid:
        # What was cut short by a fault of the stream is no fault of the file's CSV.
        stream.prove()
        raise
    finally:
        stream.shut()
        released.wait(_RELEASE_WITHIN_S)


def _door(stream: Utf8Reader, released: threading.Event) -> _Door:
    door = _Door(stream)
    weakref.finalize(door, released.set).atexit = False
    return door


def _open(
    stream: Utf8Reader,
    dialect: Dialect,
    names: Sequence[str],
    wanted: Sequence[str],
    block_bytes: int,
    released: threading.Event,
) -> arrow_csv.CSVStreamingReader:
    return arrow_csv.open_csv(
        # No local name: the frame of an error would hold on to it.
        pa.PythonFile(_door(stream, released), mode="r"),
        read_options=arrow_csv.ReadOptions(use_threads=False, block_size=block_bytes),
        parse_options=arrow_csv.ParseOptions(
            delimiter=dialect.delimiter, quote_char=dialect.quote, double_quote=True, newlines_in_values=True
        ),
        convert_options=arrow_csv.ConvertOptions(
            column_types={name: pa.string() for name in names},
            include_columns=list(wanted),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )


def _ends_in_quote(
    last: str, width: int, stream: Utf8Reader, reopen: Callable[[], CappedReader], dialect: Dialect
) -> bool:
    """Whether the file's last cell begins with a quote that nothing closes; Arrow's reader lets it pass.

    Such a cell reaches, as written, to the very end of the file. A closed one never does, but for a file
    of one column whose last cell is nothing but line breaks: that is refused, too.
    """
    written = dialect.quote + last.replace(dialect.quote, dialect.quote * 2)
    before = (dialect.delimiter,) if width > 1 else ("\n", "\r")
    ends = [f"{sign}{written}".encode() for sign in before]
    tail = stream.tail
    if len(ends[0]) > TAIL_BYTES:
        tail = _last_bytes(Utf8Reader(reopen(), dialect.codec), len(ends[0]))
    return tail.endswith(tuple(ends))


def _last_bytes(stream: Utf8Reader, size: int) -> bytes:
    tail = b""
    while piece := stream.read(max(size, _HEADER_BYTES)):
        tail = (tail + piece)[-size:]
    return tail


def _mismatch(
    text: str, reopen: Callable[[], CappedReader], dialect: Dialect, width: int, caps: Caps, where: str
) -> FileMismatch:
    """What Arrow's reader refused, with the line it begins in."""
    if "UTF8" in text:
        return _not_in(dialect, where)
    if "straddl" in text:
        found = f"one with more than {caps.record_bytes} bytes, or a quote that is never closed"
        return _mismatched(where, "records of a sensible size", found)
    line, cells = _first_ragged_line(reopen, dialect, width)
    place = f"{where}, line {line}" if line else where
    found = f"{cells} cells" if cells else "another number of cells"
    return _mismatched(place, f"{width} cells in each record, as in the first row", found)


def _first_ragged_line(
    reopen: Callable[[], CappedReader], dialect: Dialect, width: int
) -> tuple[int | None, int | None]:
    """The line in which the first record of another width begins, and its width."""
    text = io.TextIOWrapper(io.BufferedReader(reopen()), encoding=dialect.codec, newline="")
    rows = csv.reader(text, delimiter=dialect.delimiter, quotechar=dialect.quote, doublequote=True)
    line = 1
    try:
        for row in rows:
            if row and len(row) != width:
                return line, len(row)
            line = rows.line_num + 1
    except csv.Error:
        return line, None
    return None, None


def _not_in(dialect: Dialect, where: str) -> FileMismatch:
    return _mismatched(
        where,
        f"text in {dialect.encoding}",
        "bytes that are none",
        "Set encoding for the stream, for instance to windows-1252 or latin-1.",
    )


def _mismatched(where: str, expected: str, found: str, remedy: str = "") -> FileMismatch:
    return FileMismatch(
        f"the file is not the CSV that its name says: found {found}",
        where=where,
        expected=expected,
        remedy=remedy or "Correct the file, or the stream's delimiter, quote and encoding.",
    )
