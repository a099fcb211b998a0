"""Ways in which vendors hand out long lists, from the vendor's side.

Each takes its own parameters, cuts or refuses a page that is too large, and puts the rows into its envelope:
a bare array where `records` is empty, else an object with the rows under that name (dotted names nest).
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qsl, urlencode

from propexo_connect.simulators.api import Paged, Params, Refused, inside
from propexo_connect.simulators.population import Version
from propexo_connect.simulators.wire import Request

OverCap = Literal["cut", "refuse"]


@dataclass(frozen=True)
class WholeStyle:
    """Everything at once."""

    records: str = ""
    extra: Mapping[str, object] = field(default_factory=dict[str, object])

    @property
    def names(self) -> tuple[str, ...]:
        return ()

    def page(self, rows: Sequence[Version], params: Params, request: Request) -> Paged:  # noqa: ARG002
        return Paged(rows, lambda shown: enveloped(self.records, shown, self.extra))


@dataclass(frozen=True)
class OffsetStyle:
    """Limit and offset.

    Args:
        total: the name of the number of all rows in the envelope; total_header: a header that holds it.
        more: the name of a truth value. next_url: the name of the next page's address.
    """

    limit: str = "limit"
    offset: str = "offset"
    default: int = 100
    cap: int = 1000
    over_cap: OverCap = "cut"
    first: int = 0
    records: str = ""
    total: str = ""
    total_header: str = ""
    more: str = ""
    next_url: str = ""
    extra: Mapping[str, object] = field(default_factory=dict[str, object])

    @property
    def names(self) -> tuple[str, ...]:
        return (self.limit, self.offset)

    def page(self, rows: Sequence[Version], params: Params, request: Request) -> Paged:
        size = size_of(params, self.limit, self.default, self.cap, self.over_cap)
        offset = number_of(params, self.offset, self.first) - self.first
        chosen = rows[offset : offset + size]
        end = offset + len(chosen)
        told: dict[str, object] = dict(self.extra)
        if self.total:
            told[self.total] = len(rows)
        if self.more:
            told[self.more] = end < len(rows)
        if self.next_url:
            following = {self.limit: str(size), self.offset: str(end + self.first)}
            told[self.next_url] = address(request, following) if end < len(rows) else None
        headers = ((self.total_header, str(len(rows))),) if self.total_header else ()
        return Paged(chosen, lambda shown: enveloped(self.records, shown, told), headers)


@dataclass(frozen=True)
class NumberStyle:
    """Numbered pages; `total`, `pages`, `next` are names in the envelope, or of headers behind `header:`."""

    page_name: str = "page"
    size_name: str = "per_page"
    default: int = 25
    cap: int = 100
    over_cap: OverCap = "cut"
    records: str = ""
    total: str = ""
    pages: str = ""
    next: str = ""
    next_url: str = ""
    link_header: bool = False
    extra: Mapping[str, object] = field(default_factory=dict[str, object])

    @property
    def names(self) -> tuple[str, ...]:
        return (self.page_name, self.size_name)

    def page(self, rows: Sequence[Version], params: Params, request: Request) -> Paged:
        size = size_of(params, self.size_name, self.default, self.cap, self.over_cap)
        number = number_of(params, self.page_name, 1)
        page_count = max(1, -(-len(rows) // size))
        chosen = rows[(number - 1) * size : number * size]
        following = number + 1 if number < page_count else None
        told: dict[str, object] = dict(self.extra)
        headers: list[tuple[str, str]] = []
        for name, value in ((self.total, len(rows)), (self.pages, page_count), (self.next, following)):
            if name.startswith("header:"):
                headers.append((name.removeprefix("header:"), "" if value is None else str(value)))
            elif name:
                told[name] = value
        link = address(request, {self.page_name: str(following)}) if following else None
        if self.next_url:
            told[self.next_url] = link
        if self.link_header and link:
            headers.append(("Link", f'<{link}>; rel="next"'))
        return Paged(chosen, lambda shown: enveloped(self.records, shown, told), tuple(headers))


@dataclass(frozen=True)
class TokenStyle:
    """An opaque token, or a link that holds one.

    Args:
        next: the name of the token in the envelope. token: the parameter.
        more: the name of a truth value; end: of one that says the opposite.
        link: `next` holds an address with the token: absolute, or relative to the origin.
        needs_filters: a request with the token but other parameters is refused.
    """

    token: str = "page_token"  # noqa: S105 - a parameter's name
    size_name: str = "page_size"
    default: int = 50
    cap: int = 100
    over_cap: OverCap = "cut"
    records: str = "data"
    next: str = "next_page_token"
    more: str = ""
    end: str = ""
    link: Literal["", "absolute", "relative"] = ""
    says_null: bool = True
    extra: Mapping[str, object] = field(default_factory=dict[str, object])

    @property
    def names(self) -> tuple[str, ...]:
        return (self.token, self.size_name)

    def page(self, rows: Sequence[Version], params: Params, request: Request) -> Paged:
        size = size_of(params, self.size_name, self.default, self.cap, self.over_cap)
        place = 0
        if self.token in params:
            try:
                place = int(
                    base64.urlsafe_b64decode(params[self.token].encode()).decode().removeprefix("at:")
                )
            except ValueError:
                raise Refused(400, "The page token is not valid.") from None
        chosen = rows[place : place + size]
        end = place + len(chosen)
        token = base64.urlsafe_b64encode(f"at:{end}".encode()).decode() if end < len(rows) else None
        told: dict[str, object] = dict(self.extra)
        value: str | None = token
        if token is not None and self.link:
            value = address(request, {self.token: token}, absolute=self.link == "absolute")
        if value is not None or self.says_null:
            told[self.next] = value
        if self.more:
            told[self.more] = token is not None
        if self.end:
            told[self.end] = token is None
        return Paged(chosen, lambda shown: enveloped(self.records, shown, told))


@dataclass(frozen=True)
class LastIdStyle:
    """After the id of the last record; `more` is the name of a truth value."""

    param: str = "starting_after"
    limit: str = "limit"
    id_field: str = "id"
    default: int = 10
    cap: int = 100
    over_cap: OverCap = "refuse"
    records: str = "data"
    more: str = "has_more"
    extra: Mapping[str, object] = field(default_factory=dict[str, object])

    @property
    def names(self) -> tuple[str, ...]:
        return (self.param, self.limit)

    def page(self, rows: Sequence[Version], params: Params, request: Request) -> Paged:  # noqa: ARG002
        size = size_of(params, self.limit, self.default, self.cap, self.over_cap)
        start = 0
        if self.param in params:
            ids = [str(inside(version.content, self.id_field)) for version in rows]
            if params[self.param] not in ids:
                raise Refused(400, f"No such object: {params[self.param]}")
            start = ids.index(params[self.param]) + 1
        chosen = rows[start : start + size]
        told = {**self.extra, self.more: start + size < len(rows)} if self.more else dict(self.extra)
        return Paged(chosen, lambda shown: enveloped(self.records, shown, told))


def size_of(params: Params, name: str, default: int, cap: int, over_cap: OverCap) -> int:
    """The page's size. Raises: Refused."""
    size = number_of(params, name, default)
    if size > cap:
        if over_cap == "refuse":
            raise Refused(400, f"{name} must be at most {cap}.")
        return cap
    return size


def number_of(params: Params, name: str, default: int) -> int:
    """A whole number of a parameter. Raises: Refused."""
    text = params.get(name)
    if text is None:
        return default
    if not text.isdecimal():
        raise Refused(400, f"{name} must be a number.")
    return int(text)


def enveloped(records: str, shown: list[object], told: Mapping[str, object]) -> object:
    """The body of a page: rows and values in their places."""
    if not records and not told:
        return shown
    body: dict[str, object] = {}
    for name, value in ((records, shown), *told.items()):
        place = body
        *way, last = name.split(".") if not name.startswith("@") else [name]
        for step in way:
            inner = place.setdefault(step, {})
            if isinstance(inner, dict):
                place = inner
        place[last] = value
    return body


def address(request: Request, changes: Mapping[str, str], *, absolute: bool = True) -> str:
    """The address of the same list with some parameters changed."""
    query = {**dict(parse_qsl(request.head.target.partition("?")[2])), **changes}
    path = f"{request.path}?{urlencode(query)}"
    return f"http://{request.header('host')}{path}" if absolute else path
