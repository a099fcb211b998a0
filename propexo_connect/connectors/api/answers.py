"""From an answer to its records, still encoded, and the values that paging needs."""

import csv
import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

import httpx
import msgspec

from propexo_connect.connectors.api.walk import STAR, Walk
from propexo_connect.connectors.api.xml import rows_of
from propexo_connect.http.client import Answer
from propexo_connect.http.envelope import Envelope, Opened, Scalar, is_empty
from propexo_connect.http.judging import found_in, judge_by
from propexo_connect.http.plan.api import Api
from propexo_connect.http.plan.paging import AnyPaging, Relay
from propexo_connect.http.plan.paths import Path, header_of, steps
from propexo_connect.http.plan.stream import Asking
from propexo_connect.model.errors import VendorFault


class _Any(msgspec.Struct):
    """Any object: counted, not looked into."""


_count: "msgspec.json.Decoder[list[Any]]" = msgspec.json.Decoder(list[_Any | None])
_raws: "msgspec.json.Decoder[list[msgspec.Raw]]" = msgspec.json.Decoder(list[msgspec.Raw])


@dataclass(frozen=True)
class Fetched:
    """One page as it came; `where` is the address it came from, without its query."""

    opened: Opened
    headers: httpx.Headers = field(repr=False)
    read_at: datetime
    where: str = ""

    @property
    def records(self) -> bytes:
        """The text of the records' array."""
        return self.opened.records

    @cached_property
    def count(self) -> int:
        """How many records there are."""
        return count_of(self.records)


def count_of(records: bytes) -> int:
    """The number of elements of an array, whose insides are skipped over."""
    if is_empty(records):
        return 0
    try:
        return len(_count.decode(records))
    except msgspec.ValidationError:  # elements that are no objects
        return len(_raws.decode(records))


class Reading:
    """How the answers to one kind of request are taken apart; made once, safe between threads."""

    def __init__(self, api: Api, asking: Asking, values: Mapping[str, Path]) -> None:
        self._format = asking.format or api.format
        self._faults = (*asking.faults, *api.faults)
        self._no_records = frozenset(api.no_records)
        self._in_headers = {name: found for name, path in values.items() if (found := header_of(path))}
        self._is_graphql = bool(asking.query)
        in_body = {name: steps(path) for name, path in values.items() if header_of(path) is None}
        self._names = tuple(values)
        records = asking.records if asking.records is not None else api.records
        self._records = records
        takes = "one" if asking.single else "either" if asking.one_or_many else "array"
        self._walk: Walk | None = None
        if STAR in steps(records) and self._format == "json":
            self._walk = Walk(records, asking.carry)
            records, takes = self._walk.outer, "either"
        self._envelope = Envelope(
            steps(records), absent_is_empty=asking.absent == "empty", takes=takes, **in_body
        )
        self._absent_is_empty = asking.absent == "empty"

    def judge(self, quote: Callable[[str], str]) -> Callable[[Answer], bool]:
        """The look at every answer: raises what it means, or says whether it is taken without success."""

        judge = judge_by(self._faults, quote)
        return lambda answer: judge(answer) or answer.status in self._no_records

    def read(self, answer: Answer, below: Callable[[Answer], bytes]) -> Fetched:
        """The page that an answer holds.

        Args:
            below: takes the data out of an answer in GraphQL.

        Raises:
            VendorFault: it holds none.
        """
        if answer.status in self._no_records or any(
            fault.means == "empty" and found_in(fault, answer) is not None for fault in self._faults
        ):
            opened = Opened(b"[]", self._with_headers({}, answer))
            return Fetched(opened, answer.headers, answer.read_at, answer.where)
        if not 200 <= answer.status < 300:
            raise VendorFault(f"answered {answer.status} where records were expected")
        opened = self._opened(answer, below)
        return Fetched(
            Opened(opened.records, self._with_headers(opened.values, answer), opened.is_beside),
            answer.headers,
            answer.read_at,
            answer.where,
        )

    def _opened(self, answer: Answer, below: Callable[[Answer], bytes]) -> Opened:
        if self._format == "jsonl":
            return Opened(_joined(answer.body), {})
        if self._format == "csv":
            return Opened(_from_csv(answer.body), {})
        if self._format == "xml":
            path = steps(self._records)
            return Opened(rows_of(answer.body, path, absent_is_empty=self._absent_is_empty), {})
        opened = self._envelope.open(below(answer) if self._is_graphql else answer.body)
        if self._walk is None:
            return opened
        return Opened(self._walk.records(opened.records), opened.values)

    def _with_headers(self, values: Mapping[str, Scalar], answer: Answer) -> dict[str, Scalar]:
        told: dict[str, Scalar] = dict.fromkeys(self._names)
        told |= values
        for name, header in self._in_headers.items():
            told[name] = _linked(answer.headers) if header == "Link" else _bare(answer.headers.get(header))
        return told


def values_of(paging: AnyPaging) -> dict[str, Path]:
    """The values that a way of paging needs, by name, with their places."""
    if isinstance(paging, Relay):
        info, has_next, cursor = paging.page_info
        base = steps(paging.connection)
        return {"has_next": (*base, info, has_next), "cursor": (*base, info, cursor)}
    names = ("total", "pages", "next", "has_more", "end")
    found = {name: getattr(paging, name, None) for name in names}
    return {name: path for name, path in found.items() if path is not None}


def _bare(value: str | None) -> str | None:
    """A header's value; of a range (`0-99/250`) the number of all."""
    found = re.fullmatch(r"\s*(?:items )?(?:\d+-\d+|\*)/(\d+)\s*", value or "")
    return found[1] if found else value


def _linked(headers: httpx.Headers) -> str | None:
    """The address in a header `Link` whose relation is `next`."""
    for part in headers.get("link", "").split(","):
        address, *marks = part.split(";")
        if any(mark.strip().replace('"', "").lower() == "rel=next" for mark in marks):
            return address.strip().removeprefix("<").removesuffix(">")
    return None


def _joined(text: bytes) -> bytes:
    """JSON Lines as one array; the lines are checked where they are decoded."""
    lines = [line for line in text.removeprefix(b"\xef\xbb\xbf").splitlines() if line.strip()]
    if lines and not lines[0].lstrip().startswith(b"{"):
        raise VendorFault("the answer is not JSON Lines", expected="an object on each line")
    return b"[" + b",".join(lines) + b"]"


def _from_csv(text: bytes) -> bytes:
    """CSV with a header row as records of texts; an empty cell is absent."""
    try:
        rows = list(csv.DictReader(io.StringIO(text.decode("utf-8-sig")), restkey=None, strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise VendorFault(f"the answer cannot be read as CSV ({type(error).__name__})") from None
    if any(None in row or None in row.values() for row in rows):
        raise VendorFault("a row of the answer has another number of cells than its header")
    return msgspec.json.encode([{name: cell for name, cell in row.items() if cell != ""} for row in rows])
