"""The way into an answer: its records as they came, and the values that paging needs.

    {"data":{"items":[{…},{…}],"meta":{"total":9}}}
    Envelope(("data", "items"), total=("data", "meta", "total"))

A record never becomes a Python object: the array is skipped over, checked to be JSON on the way, and
handed on as a slice of the text. What is not the expected shape is a fault, never "no records".
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, cast

import msgspec

from propexo_connect.http.plan.paths import at
from propexo_connect.model.errors import VendorFault

Path = tuple[str | int, ...]
"""Keys from the outermost object inwards; 0 steps into the first element of an array."""

Scalar = str | int | float | bool | None

_EMPTY_ARRAY = re.compile(rb"\s*\[\s*\]")


@dataclass(frozen=True, slots=True)
class Opened:
    """What an envelope held: the text of the records' array, and the values by name (absent ones None).

    `is_beside`: a list on the way to the records is empty, so whatever they hang on is not there.
    """

    records: bytes = field(repr=False)
    values: Mapping[str, Scalar]
    is_beside: bool = False

    def text(self, name: str) -> str | None:
        """A value that is text; numbers pass as their digits.

        Raises:
            VendorFault: it is a truth value.
        """
        value = self.values[name]
        if isinstance(value, bool):
            raise _unexpected(name, "text")
        return None if value is None else str(value)

    def count(self, name: str) -> int | None:
        """A value that is a whole number from 0 on.

        Raises:
            VendorFault: it is anything else.
        """
        value = self.values[name]
        if value is None:
            return None
        if isinstance(value, str) and value.isascii() and value.isdecimal():
            return int(value[:18])
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise _unexpected(name, "a whole number")
        return value

    def flag(self, name: str) -> bool | None:
        """A truth value; vendors also spell it as text.

        Raises:
            VendorFault: it is anything else.
        """
        value = self.values[name]
        if value is None or isinstance(value, bool):
            return value
        if value in {"true", "false"}:
            return value == "true"
        raise _unexpected(name, "true or false")


class Envelope:
    """Where records and paging values are; made once, used for every page, safe between threads.

    An empty array on the way to the records (a parent that is gone) holds none. A missing key, a null, or
    another type on the way to the records is a fault; missing values are None.

    Args:
        absent_is_empty: a missing key or a null on the way to the records means that there are none.
        takes: an array of records; one record, not in an array; either; or a mapping from keys to records.
    """

    def __init__(
        self,
        records: Path,
        *,
        absent_is_empty: bool = False,
        takes: Literal["array", "one", "either", "keyed"] = "array",
        **values: Path,
    ) -> None:
        self._absent_is_empty = absent_is_empty
        self._takes = takes
        self._is_whole = not records and bool(values)
        """The answer itself is the record, and holds values of paging."""
        leaves: dict[Path, Any] = dict.fromkeys(values.values(), Scalar)
        shape = _shape(leaves if self._is_whole else {records: msgspec.Raw, **leaves})
        self._records = records
        self._values = values
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(shape)

    def open(self, text: bytes) -> Opened:
        """Find records and values in a page.

        Raises:
            VendorFault: not JSON, not UTF-8, or not of this shape.
        """
        answer = decoded(text, self._decoder)
        whole = text.removeprefix(b"\xef\xbb\xbf").strip()
        raw = msgspec.Raw(whole) if self._is_whole else _at(answer, self._records)
        place = ".".join(str(step) for step in self._records)
        text = b"null" if raw is None else b"[]" if raw is _NOTHING_BELOW else bytes(cast("msgspec.Raw", raw))
        records = self._array(text, place)
        values = {name: _at(answer, path) for name, path in self._values.items()}
        return Opened(
            records,
            {name: None if value is _NOTHING_BELOW else value for name, value in values.items()},
            raw is _NOTHING_BELOW,
        )

    def _array(self, text: bytes, place: str) -> bytes:
        """The records as an array, whatever form the vendor gives them."""
        if self._absent_is_empty and text == b"null":
            return b"[]"
        if text.startswith(b"[") and self._takes in {"array", "either"}:
            return text
        if text.startswith(b"{") and self._takes in {"one", "either"}:
            return b"[" + text + b"]"
        if text.startswith(b"{") and self._takes == "keyed":
            return b"[" + b",".join(bytes(part) for part in _keyed.decode(text).values()) + b"]"
        form = {"array": "an array", "one": "an object", "either": "an array or object", "keyed": "an object"}
        where = f"at '{place}'" if place else "as the whole answer"
        found = "no array of records" if self._takes == "array" else "no records"
        raise VendorFault(f"{found} {where}", expected=f"{form[self._takes]} {where}")


_keyed: "msgspec.json.Decoder[dict[str, msgspec.Raw]]" = msgspec.json.Decoder(dict[str, msgspec.Raw])


def decoded(text: bytes, decoder: "msgspec.json.Decoder[Any]") -> Any:
    """JSON text as the decoder's type.

    Raises:
        VendorFault: empty, HTML, not UTF-8, not JSON, or another shape.
    """
    expected = "a JSON answer"
    text = text.removeprefix(b"\xef\xbb\xbf")
    start = text[:64].lstrip()
    if not start:
        raise VendorFault("the answer is empty", expected=expected)
    if start.startswith(b"<"):
        raise VendorFault("the answer is an HTML or XML page", expected=expected)
    try:
        if not text.isascii():
            text.decode()
        return decoder.decode(text)
    except UnicodeDecodeError:
        found = "the answer is not UTF-8"
    except msgspec.ValidationError as error:
        found = f"the answer has another shape: {error}"
    except (msgspec.DecodeError, RecursionError) as error:
        found = "the answer is nested too deeply" if isinstance(error, RecursionError) else str(error)
    raise VendorFault(found, expected=expected)


def glimpse(text: bytes, path: Path) -> Any:
    """What stands at a place of JSON, all else being skipped; None where nothing is, or there is no JSON."""
    try:
        if not path or "*" in path:
            return at(msgspec.json.decode(text), path)
        found = _at(_glimpsing(path).decode(text), path)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return None if found is _NOTHING_BELOW else found


@cache
def _glimpsing(path: Path) -> "msgspec.json.Decoder[Any]":
    return msgspec.json.Decoder(_shape({path: Any}))


def is_empty(records: bytes) -> bool:
    """Whether the text of an array has no elements."""
    return _EMPTY_ARRAY.match(records) is not None


_NOTHING_BELOW = object()
"""An empty array where a path steps into the first element."""


def _shape(leaves: Mapping[Path, Any]) -> Any:
    """A type for msgspec that has the leaves at their paths and skips all else."""
    if () in leaves:
        return leaves[()]
    branches: dict[str | int, dict[Path, Any]] = {}
    for path, leaf in leaves.items():
        branches.setdefault(path[0], {})[path[1:]] = leaf
    if 0 in branches:
        return list[_shape(branches[0])] | None  # type: ignore[misc]
    return (
        msgspec.defstruct(
            "Answer",
            [
                (_attribute(str(key)), _optional(_shape(below)), msgspec.field(name=str(key), default=None))
                for key, below in branches.items()
            ],
        )
        | None
    )


def _optional(shape: Any) -> Any:
    return shape if shape is msgspec.Raw else shape | None


def _attribute(key: str) -> str:
    """A Python name for any key of JSON."""
    return f"f_{key.encode().hex()}"


def _at(node: Any, path: Path) -> Any:
    for step in path:
        if node is None:
            return None
        if isinstance(step, int):
            if not node:
                return _NOTHING_BELOW
            node = node[step]
        else:
            node = getattr(node, _attribute(step))
    return node


def _unexpected(name: str, expected: str) -> VendorFault:
    return VendorFault(f"the value '{name}' for paging is of another type", expected=expected)
