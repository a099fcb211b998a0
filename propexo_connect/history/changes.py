"""Versions told by what changed in each: from what to what.

JSON is kept with the digits it was stored with: a decimal never becomes a double on its way to the reader.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from propexo_connect.model.version import PastRecord, Version


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One column of a version; both values as JSON text, `before` None where the record was new."""

    column: str
    before: str | None
    after: str


def changes_of(version: Version) -> list[FieldChange]:
    """What a version changed, in the order of the columns; all columns where the record was new."""
    after = _fields(version.after)
    if version.before is None:
        return [FieldChange(column, None, value) for column, value in after.items()]
    return [
        FieldChange(column, value, after.get(column, "null"))
        for column, value in _fields(version.before).items()
    ]


def sentence(version: Version) -> str:
    """When and by whom a version came: `2026-03-01 12:01:00 UTC  new, by a recurring sync (sync-1)`."""
    by = (
        f"stood in the table when its history began (read by {version.sync_id})"
        if version.reading == "baseline"
        else f"{version.event}, by a {version.reading} sync ({version.sync_id})"
    )
    return f"{moment(version.valid_from)}  {by}"


def endings(versions: Iterable[Version]) -> Iterator[tuple[Version, datetime | None]]:
    """Each version, and when the record left thereafter; None where the next version follows at once."""
    known = list(versions)
    for version, following in zip(known, [*known[1:], None], strict=True):
        follows = following is not None and following.event == "update"
        yield version, None if follows else version.valid_to


def as_json(versions: Iterable[Version]) -> str:
    """Versions as a JSON array, with exact numbers."""
    told = [
        {
            "valid_from": moment(version.valid_from, "T", "Z"),
            "valid_to": version.valid_to and moment(version.valid_to, "T", "Z"),
            "event": version.event,
            "reading": version.reading,
            "sync_id": version.sync_id,
            "changes": {
                change.column: {
                    "before": None if change.before is None else orjson.Fragment(change.before),
                    "after": orjson.Fragment(change.after),
                }
                for change in changes_of(version)
            },
        }
        for version in versions
    ]
    return orjson.dumps(told).decode()


def record_as_json(found: PastRecord) -> str:
    """A record of the past as a JSON object: its columns in `record`, and the bounds of its version."""
    told = {
        "valid_from": moment(found.valid_from, "T", "Z"),
        "valid_to": found.valid_to and moment(found.valid_to, "T", "Z"),
        "record": orjson.Fragment(found.record),
    }
    return orjson.dumps(told).decode()


def fields_of(found: PastRecord) -> dict[str, str]:
    """A record's columns, their values as JSON text."""
    return _fields(found.record)


def moment(at: datetime, separator: str = " ", zone: str = " UTC") -> str:
    """An instant in UTC, with the digits of its second that it has."""
    return at.replace(tzinfo=None).isoformat(separator) + zone


def _fields(text: str | None) -> dict[str, str]:
    """The fields of a JSON object, each value as the JSON text it was stored as."""
    exact: Any = json.loads(text or "{}", parse_float=_Number, parse_int=_Number)
    return {name: _text(value) for name, value in exact.items()}


class _Number(str):
    """A number's own digits."""

    __slots__ = ()


def _text(value: Any) -> str:
    match value:
        case _Number():
            return str(value)
        case dict():
            pairs = (f"{json.dumps(name, ensure_ascii=False)}:{_text(one)}" for name, one in value.items())
            return f"{{{','.join(pairs)}}}"
        case list():
            return f"[{','.join(map(_text, value))}]"
        case _:
            return json.dumps(value, ensure_ascii=False)
