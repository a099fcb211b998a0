"""JSON Lines: one object a line, handed on as they are, thousands a page."""

import codecs
import json
from collections.abc import Iterator

import msgspec

from propexo_connect.connectors.files_content import CappedReader, Caps
from propexo_connect.model.errors import FileMismatch

_PIECE_BYTES = 1024 * 1024


def read_jsonl(
    stream: CappedReader, encoding: str, prefix: bytes, page_bytes: int, caps: Caps, where: str
) -> Iterator[bytes]:
    """The text of one JSON array for each page.

    Args:
        prefix: members that every object gets in front, `"a":1,"b":2`, without braces.

    Raises:
        FileMismatch: a line is not an object, not text in the encoding, or larger than the cap.
    """
    line_number = 1
    for block in _line_blocks(stream, page_bytes, caps, where, _decoder(encoding)):
        lines = block.split(b"\n")
        objects = [stripped for line in lines if (stripped := line.strip(b" \t\r"))]
        if objects:
            if not _are_objects(objects):
                _refuse_first_odd(lines, line_number, where)
            _refuse_own_names(objects, where)
            yield b"[" + b",".join([_with_prefix(text, prefix) for text in objects]) + b"]"
        line_number += len(lines)


def _decoder(encoding: str) -> codecs.IncrementalDecoder:
    name = codecs.lookup(encoding).name
    return codecs.getincrementaldecoder("utf-8-sig" if name == "utf-8" else name)()


def _line_blocks(
    stream: CappedReader, page_bytes: int, caps: Caps, where: str, decoder: codecs.IncrementalDecoder
) -> Iterator[bytes]:
    """Whole lines in UTF-8, about a page of them at a time, without the line break behind the last."""
    waiting = bytearray()
    while piece := stream.read(min(_PIECE_BYTES, page_bytes)):
        waiting += _utf8(decoder, piece, where)
        end = waiting.rfind(b"\n")
        if end < 0 and len(waiting) > caps.record_bytes:
            raise _mismatch(
                where, "lines of a sensible size", f"one with more than {caps.record_bytes} bytes"
            )
        if end >= 0 and len(waiting) >= page_bytes:
            yield bytes(waiting[:end])
            del waiting[: end + 1]
    waiting += _utf8(decoder, b"", where, is_last=True)
    if waiting:
        yield bytes(waiting)


def _utf8(decoder: codecs.IncrementalDecoder, piece: bytes, where: str, *, is_last: bool = False) -> bytes:
    try:
        return decoder.decode(piece, is_last).encode()
    except UnicodeError as error:
        raise _mismatch(
            where, "text in the stream's encoding", "bytes that are none", "Set encoding for the stream."
        ) from error


def _are_objects(objects: list[bytes]) -> bool:
    """Whether each of the lines is one JSON object, told by one pass over all of them."""
    try:
        found = msgspec.json.decode(b"[" + b",".join(objects) + b"]", type=list[msgspec.Raw])
    except (msgspec.DecodeError, RecursionError):
        return False
    return len(found) == len(objects) and all(text[:1] == b"{" for text in objects)


def _refuse_first_odd(lines: list[bytes], first: int, where: str) -> None:
    for number, line in enumerate(lines, start=first):
        if text := line.strip(b" \t\r"):
            found = _fault(text)
            if found:
                raise _mismatch(f"{where}, line {number}", "one JSON object in each line", found)


def _fault(text: bytes) -> str | None:
    """Why a line is no JSON object; half surrogates and NaN pass, which later stages keep as text."""
    try:
        value = json.loads(text)
    except RecursionError:
        return "nesting that never seems to end"
    except ValueError:
        return "text that is not JSON"
    return None if isinstance(value, dict) else "a value that is not an object"


def _refuse_own_names(objects: list[bytes], where: str) -> None:
    """Objects must not bring the names that we add; looked at closely only where the bytes occur."""
    for text in objects:
        if b'"_file' in text and json.loads(text).keys() & {"_file", "_file_modified"}:
            raise _mismatch(where, "objects without the fields _file and _file_modified", "one that has them")


def _with_prefix(text: bytes, prefix: bytes) -> bytes:
    rest = text[1:]
    return b"{" + prefix + (b"}" if rest.lstrip()[:1] == b"}" else b"," + rest)


def _mismatch(where: str, expected: str, found: str, remedy: str = "") -> FileMismatch:
    return FileMismatch(
        f"the file is not the JSON Lines that its name says: found {found}",
        where=where,
        expected=expected,
        remedy=remedy or "Correct the file, or set the stream's format.",
    )
