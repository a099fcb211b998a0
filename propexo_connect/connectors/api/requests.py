"""From a request as a template to a call: parameters, bodies, and what paging and filters add."""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from urllib.parse import quote
from xml.sax.saxutils import escape

import msgspec

from propexo_connect.http.client import Call
from propexo_connect.http.plan.api import Api
from propexo_connect.http.plan.filters import AnyFilter, Between
from propexo_connect.http.plan.instants import write
from propexo_connect.http.plan.stream import Asking
from propexo_connect.http.plan.template import ABSENT, Names, fill, fill_text, text_of
from propexo_connect.model.errors import ConfigurationError
from propexo_connect.model.tile import Request


@dataclass(frozen=True)
class Added:
    """What paging or a filter adds to a request: values by name, and where they go.

    `names` are for placeholders. A `link` takes the place of the whole address; `is_bare` leaves the
    stream's own parameters and body out.
    """

    values: Mapping[str, object] = field(default_factory=dict[str, object])
    at: str = "query"
    names: Names = field(default_factory=dict[str, object])
    link: str | None = None
    link_method: str | None = None
    is_bare: bool = False


def bounds(given: AnyFilter | None, request: Request, names: Names) -> Added:
    """What a filter adds for a request; nothing for a whole read, unless the vendor demands bounds."""
    if not isinstance(given, Between):
        return Added(names={"start": None, "end": None, "filter": None})
    zone = zone_of(given, names)
    start = _bound(request.start, -given.margin, given, zone)
    end = _bound(request.end, given.margin, given, zone)
    if start is None and given.required and given.has_lower:
        earliest = datetime.fromisoformat(fill_text(given.earliest, names) or "1970-01-01")
        start = write(earliest.replace(tzinfo=UTC), given.written, zone)
    start = start if given.has_lower else None
    end = end if given.has_upper else None
    own = {**names, "start": start, "end": end, "filter": None}
    values: dict[str, object] = {}
    if given.lower and start is not None:
        values[given.lower] = start
    if given.upper and end is not None:
        values[given.upper] = end
    terms = [text for term in given.terms if (text := fill_text(term, own)) is not None]
    told = given.wrap.replace("{terms}", given.join.join(terms)) if terms else None
    if given.into and told is not None:
        values[given.into] = told
    return Added(values, given.at, {"start": start, "end": end, "filter": told})


def zone_of(given: AnyFilter, names: Names) -> str:
    """The filter's time zone, which may be a setting."""
    return fill_text(given.zone, names) or "UTC"


def _bound(bound: datetime | int | None, margin: timedelta, given: Between, zone: str) -> str | int | None:
    if bound is None:
        return None
    if isinstance(bound, int):
        return bound
    return write(bound + margin, given.written, zone)


def call_of(api: Api, asking: Asking, path: str, names: Names, added: Iterable[Added]) -> Call:
    """One request.

    Args:
        path: a template, below the API's address.
        names: what placeholders stand for, beside those of `added`.
    """
    parts = list(added)
    known = dict(names)
    for part in parts:
        known |= part.names
    linked = next((part for part in parts if part.link is not None), None)
    is_bare = any(part.is_bare for part in parts)
    headers = _texts({**api.headers, **asking.headers}, known)
    for part in parts:
        if part.at == "header":
            headers |= {name: text_of(value) for name, value in part.values.items()}
    if linked is not None:
        method = linked.link_method or "GET"
        if method == "POST":
            return Call(method, linked.link or "", body=b"", headers=headers)
        return Call(method, linked.link or "", headers=headers)
    params: dict[str, object] = {} if is_bare else _mapping({**api.params, **asking.params}, known)
    params |= _placed(parts, "query")
    body, kind = _body(asking, known, parts)
    if kind:
        headers = {"Content-Type": kind, **headers}
    is_beside = path.startswith("{origin}")
    filled = fill_text(_escaped(path.removeprefix("{origin}")), known, _for_path)
    if filled is None:
        raise ConfigurationError(f"the path {path} refers to something without a value")
    filled = f"{known['origin']}{filled}" if is_beside else filled
    method = asking.method or ("GET" if body is None else "POST")
    return Call(method, filled, body=body, headers=headers, encoded_query=encoded(params, api.literal))


def encoded(params: Mapping[str, object], literal: str = "") -> str:
    """A query; a list makes its parameter come several times, and some characters stay in names."""
    pairs: list[str] = []
    for name, value in params.items():
        many = cast("list[object]", value) if isinstance(value, list | tuple) else [value]
        label = quote(name, safe=f"$-._~{literal}")
        pairs += [f"{label}={quote(text_of(one), safe=':,-._~/')}" for one in many]
    return "&".join(pairs)


def _for_path(text: str) -> str:
    return quote(text, safe="-._~:,@")


def _escaped(path: str) -> str:
    return path.replace(" ", "%20")


def _mapping(template: Mapping[str, Any], names: Names) -> dict[str, object]:
    found = fill(template, names)
    return {} if found is ABSENT else dict(cast("Mapping[str, object]", found))


def _texts(template: Mapping[str, str], names: Names) -> dict[str, str]:
    return {name: text_of(value) for name, value in _mapping(template, names).items()}


def _placed(parts: Iterable[Added], at: str) -> dict[str, object]:
    return {name: value for part in parts if part.at == at for name, value in part.values.items()}


def _body(asking: Asking, names: Names, parts: Iterable[Added]) -> tuple[bytes | None, str]:
    """The body and its content type; None and "" when there is none."""
    parts = list(parts)
    if asking.query:
        variables = fill(asking.variables, names)
        sent = _stepped(cast("Mapping[str, object]", variables), _placed(parts, "variables"))
        query = asking.query.replace("{fields}", text_of(names.get("fields") or ""))
        return msgspec.json.encode({"query": query, "variables": sent}), "application/json"
    if asking.xml is not None:
        escaped = {name: _xml(value) for name, value in names.items()}
        return (fill_text(asking.xml, escaped) or "").encode(), "text/xml; charset=utf-8"
    if asking.form is not None:
        form = {**_mapping(asking.form, names), **_placed(parts, "form")}
        return encoded(form).encode(), "application/x-www-form-urlencoded"
    extra = _placed(parts, "body")
    if asking.body is None and not extra:
        return None, ""
    template: object = asking.body or {}
    if isinstance(template, str):
        template = msgspec.json.decode(template)
    filled = fill(template, names)
    return msgspec.json.encode(_stepped(cast("Mapping[str, object]", filled), extra)), "application/json"


def _xml(value: object) -> object:
    if isinstance(value, str):
        return escape(value, {'"': "&quot;"})
    if isinstance(value, Mapping):
        return {name: _xml(part) for name, part in cast("Names", value).items()}
    return value


def _stepped(body: Mapping[str, object], extra: Mapping[str, object]) -> dict[str, object]:
    """A body with values put in at dotted places."""
    made: dict[str, object] = deepcopy(dict(body))
    for name, value in extra.items():
        *way, last = name.split(".")
        place = made
        for step in way:
            place = cast("dict[str, object]", place.setdefault(step, {}))
        place[last] = value
    return made
