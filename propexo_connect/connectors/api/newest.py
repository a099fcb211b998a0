"""Newest records: newer than a bound where the vendor cannot be asked for them alone; first of each key."""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from propexo_connect.http.envelope import decoded
from propexo_connect.http.plan.instants import read

_elements: "msgspec.json.Decoder[list[msgspec.Raw]]" = msgspec.json.Decoder(list[msgspec.Raw])
_record: "msgspec.json.Decoder[dict[str, msgspec.Raw]]" = msgspec.json.Decoder(dict[str, msgspec.Raw])


def newer(records: bytes, field: str, start: datetime, written: str, zone: str) -> tuple[bytes, bool]:
    """The records at or after an instant, and whether all others are older; those without one are kept.

    The second value is true only for a page that has records and of which none is kept.
    """
    elements = [bytes(raw) for raw in decoded(records, _elements)]
    kept = [text for text in elements if _is_newer(text, field, start, written, zone)]
    return b"[" + b",".join(kept) + b"]", bool(elements) and not kept


def _is_newer(text: bytes, field: str, start: datetime, written: str, zone: str) -> bool:
    inner: bytes | None = text
    for step in field.split("."):
        if inner is None or not inner.startswith(b"{"):
            return True
        raw = _record.decode(inner).get(step)
        inner = None if raw is None else bytes(raw)
    value: object = None if inner is None else msgspec.json.decode(inner)
    told = read(value, written, zone) if isinstance(value, str | int | float) else None
    if told is None:
        return True
    at = datetime.fromisoformat(told.removesuffix("Z"))
    return at.replace(tzinfo=UTC) >= start


def first_of_each(records: bytes, key: Sequence[str], passed: set[tuple[bytes, ...]]) -> bytes:
    """The records whose key did not pass before; those without a whole key stay, for others to judge.

    Args:
        passed: the keys of earlier pages; those of this one are put in.
    """
    kept: list[bytes] = []
    for raw in decoded(records, _elements):
        held = _record.decode(raw) if bytes(raw).startswith(b"{") else {}
        mark = tuple(bytes(held[name]) for name in key if name in held)
        if len(mark) == len(key):
            if mark in passed:
                continue
            passed.add(mark)
        kept.append(bytes(raw))
    return b"[" + b",".join(kept) + b"]"
