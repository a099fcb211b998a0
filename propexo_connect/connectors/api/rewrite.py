"""Records repaired on the page, in Python, only for streams that need it; numbers keep every digit.

In this order: unwrap, turn vendors' instants into ISO 8601, take sensitive values out, put fields in.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import cast

import msgspec

from propexo_connect.http.envelope import decoded
from propexo_connect.http.plan.instants import read
from propexo_connect.http.plan.template import ABSENT, Names, fill

Record = dict[str, msgspec.Raw]

Change = Callable[[msgspec.Raw], msgspec.Raw | None]
"""A change of one value; None takes it out."""

_elements: "msgspec.json.Decoder[list[msgspec.Raw]]" = msgspec.json.Decoder(list[msgspec.Raw])
_record: "msgspec.json.Decoder[dict[str, msgspec.Raw]]" = msgspec.json.Decoder(dict[str, msgspec.Raw])
_scalar: "msgspec.json.Decoder[str | int | float | bool | None]" = msgspec.json.Decoder(
    str | int | float | bool | None
)
_NULL = msgspec.Raw(b"null")


class Rewriting:
    """What is to be done to each record of a stream; made once.

    Args:
        unwrap: keys from the element inwards to its record; an element without the first one is bare.
        instants: by field (dotted into objects and lists) how the vendor writes it, and its zone.
        dropped: places that must not leave this room.
        added: templates of fields to put in.
    """

    def __init__(
        self,
        unwrap: tuple[str, ...] = (),
        instants: Mapping[str, tuple[str, str]] | None = None,
        dropped: Sequence[str] = (),
        added: Mapping[str, str] | None = None,
    ) -> None:
        self._unwrap = unwrap
        self._instants = {tuple(name.split(".")): way for name, way in (instants or {}).items()}
        self._dropped = [tuple(place.split(".")) for place in dropped]
        self._added = added or {}

    @property
    def is_needed(self) -> bool:
        """Whether there is anything to do."""
        return bool(self._unwrap or self._instants or self._dropped or self._added)

    def apply(self, records: bytes, names: Names) -> bytes:
        """The records as they are to land.

        Raises:
            VendorFault: the text is no array of JSON.
        """
        lead = self._lead(names)
        if not (self._unwrap or self._instants or self._dropped):
            return _with_lead(records, lead) if lead else records
        made: list[bytes] = []
        for element in decoded(records, _elements):
            text = unwrapped(bytes(element), self._unwrap)
            if not text.startswith(b"{"):
                made.append(text)
                continue
            record = _record.decode(text)
            for path, way in self._instants.items():
                _at(record, path, partial(_iso, written=way[0], zone=way[1]))
            for path in self._dropped:
                _at(record, path, _gone)
            made.append(_joined(lead, msgspec.json.encode(record)))
        return b"[" + b",".join(made) + b"]"

    def _lead(self, names: Names) -> bytes:
        """The added fields as the beginning of an object: `"propertyId":"120",`."""
        lead = b""
        for name, template in self._added.items():
            value = fill(template, names)
            encoded = b"null" if value is ABSENT else msgspec.json.encode(value)
            lead += msgspec.json.encode(name) + b":" + encoded + b","
        return lead


def unwrapped(text: bytes, way: Sequence[str]) -> bytes:
    """The record within an element; an element without the key is the record itself."""
    for step in way:
        inner = _record.decode(text).get(step) if text.startswith(b"{") else None
        if inner is None:
            return text
        text = bytes(inner)
    return text


def _with_lead(records: bytes, lead: bytes) -> bytes:
    """[{"id":"5501"}] → [{"propertyId":"120","id":"5501"}]"""
    return b"[" + b",".join(_joined(lead, bytes(raw)) for raw in decoded(records, _elements)) + b"]"


def _joined(lead: bytes, text: bytes) -> bytes:
    if not lead or not text.startswith(b"{"):
        return text
    rest = text[1:].lstrip()
    return b"{" + (lead[:-1] if rest.startswith(b"}") else lead) + rest


def _at(record: Record, path: tuple[str, ...], change: Change) -> None:
    """Change the value at a path, through lists; `change` returns None to take it out."""
    name, rest = path[0], path[1:]
    raw = record.get(name)
    if raw is None:
        return
    if not rest:
        changed = change(raw)
        if changed is None:
            del record[name]
        else:
            record[name] = changed
        return
    text = bytes(raw)
    if text.startswith(b"{"):
        inner = _record.decode(text)
        _at(inner, rest, change)
        record[name] = msgspec.Raw(msgspec.json.encode(inner))
    elif text.startswith(b"["):
        parts: list[bytes] = []
        for element in _elements.decode(text):
            if bytes(element).startswith(b"{"):
                inner = _record.decode(element)
                _at(inner, rest, change)
                parts.append(msgspec.json.encode(inner))
            else:
                parts.append(bytes(element))
        record[name] = msgspec.Raw(b"[" + b",".join(parts) + b"]")


def _gone(_: msgspec.Raw) -> None:
    return None


def _iso(raw: msgspec.Raw, written: str, zone: str) -> msgspec.Raw:
    """A vendor's instant in ISO 8601; what cannot be read stays, and ends as a misfit with its reason."""
    try:
        value = _scalar.decode(raw)
    except msgspec.DecodeError:
        return raw
    if value is None or value == "" or isinstance(value, bool):
        return _NULL
    text = read(value, written, zone)
    return raw if text is None else msgspec.Raw(msgspec.json.encode(text))


def nested(records: bytes, path: tuple[str | int, ...]) -> list[tuple[bytes, bytes]]:
    """For each record its text and the array that it holds at a path; records without one are left out.

    A bare value of the array becomes a record with the one field `value`: a list of ids can be a parent.
    """
    found: list[tuple[bytes, bytes]] = []
    for element in decoded(records, _elements):
        text = bytes(element)
        inner: bytes | None = text
        for step in path:
            if inner is None or not inner.startswith(b"{"):
                inner = None
                break
            raw = _record.decode(inner).get(str(step))
            inner = None if raw is None else bytes(raw)
        if inner is not None and inner.startswith(b"["):
            found.append((text, _objects(inner)))
        elif inner is not None and inner.startswith(b"{"):
            found.append((text, b"[" + inner + b"]"))
    return found


def _objects(array: bytes) -> bytes:
    elements = [bytes(raw) for raw in decoded(array, _elements)]
    if all(element.startswith(b"{") for element in elements):
        return array
    made = (part if part.startswith(b"{") else b'{"value":%b}' % part for part in elements if part != b"null")
    return b"[" + b",".join(made) + b"]"


def fields_of(records: bytes, wanted: Sequence[str], unwrap: tuple[str, ...]) -> list[dict[str, object]]:
    """For each record the values of some fields (dotted), by name; absent ones are None."""
    rows: list[dict[str, object]] = []
    for element in decoded(records, _elements):
        text = unwrapped(bytes(element), unwrap)
        row: dict[str, object] = {}
        for name in wanted:
            inner: bytes | None = text
            for step in name.split("."):
                raw = (
                    _record.decode(inner).get(step) if inner is not None and inner.startswith(b"{") else None
                )
                inner = None if raw is None else bytes(raw)
            row[name] = None if inner is None else cast("object", msgspec.json.decode(inner))
        rows.append(row)
    return rows
