"""A purge: the only way data leaves (SEMANTICS §8). Values that are asked for never show themselves."""

import base64
import binascii
import json
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, cast

from propexo_connect.model.field import Kind

_UPPER = {ord("A") + place: ord("a") + place for place in range(26)}
_LARGEST = 2**63


class PurgeKind(StrEnum):
    """What says which records leave."""

    KEY = "key"
    IDENTIFIER = "identifier"


@dataclass(frozen=True)
class PurgeRequest:
    """What is to leave a destination, and whether it may come back.

    Args:
        streams: names of streams; empty: all that are stored of the connection.
        key: the value of each field of the key, as text.
        identifier: what names a person (an e-mail address, a telephone number); empty where a key is given.
        fields: where the identifier is looked for; empty: in every text and JSON column.
        ignore_case: the letters A to Z of an identifier match in either case.
        children: streams that are read through the requested ones, whose ledger names their keys.
        requested_by: the person or the run.
    """

    connection: str
    streams: tuple[str, ...] = ()
    key: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    identifier: str = field(default="", repr=False)
    fields: tuple[str, ...] = ()
    ignore_case: bool = False
    is_suppressed: bool = False
    reason: str = ""
    requested_by: str = ""
    children: tuple[str, ...] = ()
    id: str = field(default_factory=lambda: secrets.token_hex(8))

    @property
    def kind(self) -> PurgeKind:
        """What it goes by."""
        return PurgeKind.KEY if self.key else PurgeKind.IDENTIFIER

    @property
    def where(self) -> str:
        """The place that messages name."""
        return f"connection '{self.connection}', purge"

    @property
    def values(self) -> tuple[str, ...]:
        """What must never be shown."""
        return tuple(self.key.values()) if self.key else (self.identifier,)

    @property
    def text(self) -> str:
        """What is hashed for the audit: the identifier, or the key as it was written."""
        if self.kind is PurgeKind.KEY:
            return key_text(self.key)
        return folded(self.identifier) if self.ignore_case else self.identifier

    def matches(self, text: str) -> bool:
        """Whether a text is the identifier."""
        return folded(text) == folded(self.identifier) if self.ignore_case else text == self.identifier


@dataclass(frozen=True, slots=True)
class Finding:
    """How many rows of one table a purge takes out, or only rids of a value.

    Args:
        table: schema and name. is_removed: the rows leave; else one value in each is replaced.
    """

    stream: str
    table: str
    count: int
    is_removed: bool = True


@dataclass(frozen=True, slots=True)
class Purge:
    """One executed request, as the audit keeps it: a keyed hash in the place of the value.

    Args:
        lifted_at, lifted_by: when its suppression ended, and by whom; None while it holds, or had none.
    """

    id: str
    requested_at: datetime
    connection: str
    streams: tuple[str, ...]
    kind: PurgeKind
    keyed_hash: str
    reason: str
    requested_by: str
    counts: tuple[Finding, ...]
    is_suppressed: bool
    lifted_at: datetime | None = None
    lifted_by: str | None = None


def folded(text: str) -> str:
    """A text with A to Z in lower case, other letters as they are: alike in Python and in SQL."""
    return text.translate(_UPPER)


def key_text(parts: Mapping[str, str]) -> str:
    """A key in one text, whatever the order and the types of its fields."""
    return json.dumps(dict(sorted(parts.items())), ensure_ascii=False, separators=(",", ":"))


def canonical(value: object) -> str | None:
    """The text of a stored value, which stays when its column is widened; None of a null."""
    match value:
        case None | str():
            return value
        case bool():
            return "true" if value else "false"
        case Decimal():
            return format(value.normalize(), "f") if value else "0"
        case float():
            return str(int(value)) if value.is_integer() and abs(value) < _LARGEST else repr(value)
        case datetime() if value.tzinfo is not None:
            return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
        case datetime():
            return value.isoformat(timespec="microseconds")
        case date() | time():
            return value.isoformat()
        case bytes():
            return base64.b64encode(value).decode()
        case _:
            return str(value)


def typed(text: str, kind: Kind) -> Any:
    """A value of a column of this kind as it was written by hand; None where it is none."""
    try:
        return _READERS[kind](text)
    except (ValueError, InvalidOperation, binascii.Error):
        return None


def strings_in(value: object) -> Iterator[str]:
    """Every string within a JSON value, the names of members too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, part in cast("dict[str, object]", value).items():
            yield name
            yield from strings_in(part)
    elif isinstance(value, list):
        for part in cast("list[object]", value):
            yield from strings_in(part)


def parsed_raw(text: str) -> Any:
    """A raw record as JSON, its numbers as they were written; None where it is no JSON object."""
    try:
        found: Any = json.loads(text, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return None
    return cast(Any, found) if isinstance(found, dict) else None


def raw_member(record: Mapping[str, Any], name: str) -> Any:
    """A field of a raw record; `a.b` is also found within `a`."""
    if name in record or "." not in name:
        return record.get(name)
    first, _, rest = name.partition(".")
    inner = record.get(first)
    return raw_member(cast("Mapping[str, Any]", inner), rest) if isinstance(inner, dict) else None


def raw_text(value: Any) -> str | None:
    """The text of a scalar of a raw record, None of anything else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else None


def _integer(text: str) -> int | None:
    number = int(text) if re.fullmatch(r"-?\d{1,19}", text) else None
    return number if number is not None and -_LARGEST <= number < _LARGEST else None


def _decimal(text: str) -> Decimal | None:
    number = Decimal(text)
    return number if number.is_finite() else None


def _instant(text: str) -> datetime | None:
    moment = datetime.fromisoformat(text)
    return None if moment.tzinfo is None else moment.astimezone(UTC)


def _local(text: str) -> datetime | None:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is None else None


_READERS: dict[Kind, Callable[[str], Any]] = {
    Kind.TEXT: str,
    Kind.INTEGER: _integer,
    Kind.DECIMAL: _decimal,
    Kind.FLOAT: float,
    Kind.BOOLEAN: {"true": True, "false": False}.get,
    Kind.DATE: date.fromisoformat,
    Kind.TIMESTAMP: _instant,
    Kind.DATETIME: _local,
    Kind.TIME: time.fromisoformat,
    Kind.JSON: lambda text: json.dumps(text, ensure_ascii=False),
    Kind.BINARY: lambda text: base64.b64decode(text, validate=True),
}
