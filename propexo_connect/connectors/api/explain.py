"""A plan in words: how one logs in, what is asked, how pages go on, what is never told."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from propexo_connect.connectors.api.config import ApiConfig, names_of
from propexo_connect.connectors.api.described import filter_of
from propexo_connect.connectors.api.ranges import pieces
from propexo_connect.connectors.api.requests import Added, bounds, call_of
from propexo_connect.http.plan.api import Api
from propexo_connect.http.plan.auth import AnyLogIn, Basic, Bearer, Headers, Login, OAuth, Query, Signed
from propexo_connect.http.plan.filters import AnyFilter, Newest
from propexo_connect.http.plan.paging import (
    AnyPaging,
    LastId,
    Links,
    Numbered,
    Offsets,
    OnePage,
    Relay,
    Tokens,
)
from propexo_connect.http.plan.paths import said
from propexo_connect.http.plan.stream import ApiStream, Asking
from propexo_connect.http.plan.template import ENGINE_NAMES, Names, fill_text, names_in
from propexo_connect.model.duration import duration_text
from propexo_connect.model.tile import WHOLE, Request, Tile, widen


def explain(api: Api, config: ApiConfig, name: str, tile: Tile | None, now: datetime) -> list[str]:
    """The plan of a stream in lines of words.

    Args:
        tile: what is to be proven; None for a whole read.
    """
    spec = api.stream(name)
    names = shown_names(config)
    lines = [f"{spec.name}: {spec.description or 'records'}"]
    lines.append(f"  key: {', '.join(spec.keys) or 'none'}; cursor: {spec.cursor or 'none'}")
    lines += [f"  logs in {line}" for line in (log_in_text(one) for one in api.log_ins)]
    given = filter_of(api, spec, names)
    request = WHOLE if tile is None or given is None else widen(tile, given)
    if tile is not None and given is not None:
        lines.append(f"  tile [{tile.start or 'the beginning'}, {tile.end}) is proven by asking for")
        lines.append(f"    {request.start or 'the beginning'} to {request.end or 'now'}, both included")
    elif given is None:
        lines.append("  is read whole each time: the vendor filters nothing")
    else:
        lines.append("  is read whole")
    lines += _reading(api, spec, request, names, now)
    lines += [f"  keeps to {limit}" for limit in budget_text(api, names)]
    lines += [f"  hides: {hides.note}" for hides in spec.hides]
    lines += [f"  not confirmed: {fact}" for fact in spec.unconfirmed]
    if spec.sensitive:
        lines.append(f"  leaves out unless revealed: {', '.join(spec.sensitive)}")
    return lines


def _reading(api: Api, spec: ApiStream, request: Request, names: Names, now: datetime) -> Iterator[str]:
    above = spec.fan_out
    if spec.nested is not None and above is not None:
        yield f"  takes its records out of {said(spec.nested)} in each record of '{above.stream}':"
        yield from _reading(api, api.stream(above.stream), request, names, now)
        return
    if above is not None:
        which = "that changed within the request" if above.changed else "of them all"
        many = f", {above.batch} in a request" if above.batch > 1 else ""
        yield f"  for each record of '{above.stream}', {which}{many}; those with status {_listed(above.skip)} are left out:"
    if spec.each is not None:
        yield f"  for each of the setting '{spec.each.setting}':"
    is_changes = spec.changes is not None and not request.is_whole and _reaches(spec, request, now)
    asking: Asking = spec.changes if is_changes and spec.changes is not None else spec
    path = spec.changes.path if is_changes and spec.changes is not None else spec.path
    given: AnyFilter | None = spec.changes.filter if is_changes and spec.changes is not None else spec.filter
    paging = api.paging_of(asking)
    ranges = list(pieces(given, request, names, now))
    for piece in ranges[:3]:
        yield f"    {request_text(api, asking, path, given, paging, piece, names)}"
    if len(ranges) > 3:
        yield f"    … {len(ranges)} ranges in all"
    yield f"  pages: {paging_text(paging)}"
    if isinstance(given, Newest):
        until = "up to the first older page" if given.ordered else "all pages"
        yield f"  the vendor filters nothing: {until} are read, and what is older by {given.field} is left out"
    elif given is not None and given.meaning != "updated":
        yield f"  later changes of older records are not shown: {_caught(given)}"
    for fault in (*asking.faults, *api.faults):
        where = f"status {_listed(fault.status)}" if fault.status else "any status"
        what = f" with {said(fault.at)}" if fault.at is not None else ""
        among = f" of {_listed(fault.among)}" if fault.among else ""
        yield f"  {where}{what}{among} means: {fault.means.replace('_', ' ')}"


def _caught(given: AnyFilter) -> str:
    parts = [f"each sync reads {duration_text(given.lookback)} again"] if given.lookback else []
    parts += [f"all is read every {duration_text(given.full_every)}"] if given.full_every else []
    return "; ".join(parts) or "set `lookback` or `full_every`"


def _reaches(spec: ApiStream, request: Request, now: datetime) -> bool:
    reach = spec.changes.reach if spec.changes is not None else None
    return reach is None or not isinstance(request.start, datetime) or request.start >= now - reach


def request_text(
    api: Api,
    asking: Asking,
    path: str,
    given: AnyFilter | None,
    paging: AnyPaging,
    request: Request,
    names: Names,
) -> str:
    """The first request of a range, in one line; secrets are shown as the names of their settings."""
    filtered = bounds(given, request, names)
    known = {**names, **filtered.names, "size": getattr(paging, "size", None)}
    known |= dict.fromkeys(("offset", "page"), getattr(paging, "first", None))
    templates = (path, asking.params, asking.headers, asking.body, asking.form, asking.xml, asking.variables)
    for name in (name for template in (*templates, api.params) for name in names_in(template)):
        known.setdefault(name, f"{{{name}}}")
    call = call_of(replace(api, headers={}), asking, path, known, (filtered, _first_page(paging)))
    query = f"?{call.encoded_query}" if call.encoded_query else ""
    body = f"  body {call.body.decode('utf-8', 'replace')[:300]}" if call.body else ""
    headers = {name: text for name, text in call.headers.items() if name != "Content-Type"}
    told = f"  with {', '.join(f'{name}: {text}' for name, text in headers.items())}" if headers else ""
    return f"{call.method} {call.path}{query}{told}{body}".replace("%7B", "{").replace("%7D", "}")


def _first_page(paging: AnyPaging) -> Added:
    match paging:
        case Offsets():
            values = {paging.limit: paging.size, paging.offset: paging.first}
        case Numbered():
            values = {paging.page: paging.first, paging.limit: paging.size}
        case Relay():
            values = {paging.first: paging.size}
        case Links() | Tokens():
            values = {paging.limit: paging.size} if paging.size else {}
        case LastId():
            values = {paging.limit: paging.size}
        case OnePage():
            values = {}
    sent: dict[str, object] = {name: value for name, value in values.items() if name}
    return Added(sent, getattr(paging, "at", "query"))


def paging_text(paging: AnyPaging) -> str:
    """How pages go on, in words."""
    match paging:
        case OnePage():
            return "everything comes at once"
        case Offsets():
            end = _end(paging.total, paging.has_more, None, short_is_last=paging.short_is_last)
            return f"{paging.size} records from an offset; the end is {end}{_cap(paging.cap)}"
        case Numbered():
            end = _end(
                paging.total or paging.pages, paging.has_more, paging.next, short_is_last=paging.short_is_last
            )
            return f"{paging.size} records a numbered page; the end is {end}{_cap(paging.cap)}"
        case Links():
            return f"the next address stands in {said(paging.next)}, asked for by {paging.method}{_cap(paging.cap)}"
        case Tokens():
            alone = " alone" if paging.alone else " with the same parameters"
            return f"a token in {said(paging.next)}, sent as {paging.token}{alone}{_cap(paging.cap)}"
        case LastId():
            return f"{paging.size} records after the last one's {said(paging.field)}, sent as {paging.param}{_cap(paging.cap)}"
        case Relay():
            return f"{paging.size} edges of {said(paging.connection)} after a cursor{_cap(paging.cap)}"


def _end(total: object, has_more: object, following: object, *, short_is_last: bool) -> str:
    if has_more is not None:
        return f"told by {said(has_more)}"  # type: ignore[arg-type]
    if following is not None:
        return f"told by {said(following)}"  # type: ignore[arg-type]
    if total is not None:
        return f"told by {said(total)}"  # type: ignore[arg-type]
    return "a short page" if short_is_last else "an empty page"


def _cap(cap: int | None) -> str:
    return f"; one query reaches {cap:,} records, more is split by time" if cap else ""


def log_in_text(log_in: AnyLogIn) -> str:
    """How one logs in, in words."""
    match log_in:
        case Headers():
            return f"by the headers {', '.join(log_in.headers)}"
        case Basic():
            return f"by Basic, as {log_in.user or 'nobody'} with {log_in.password or 'an empty password'}"
        case Bearer():
            return f"by the header {log_in.header}: {log_in.scheme} {log_in.token}".replace("  ", " ")
        case Query():
            return f"by the parameters {', '.join(log_in.params)}"
        case Login():
            kept = ", kept for later syncs" if log_in.stored else ""
            return f"by a token from {log_in.method} {log_in.path}{kept}"
        case OAuth():
            kept = ", kept for later syncs" if log_in.stored else ""
            return f"by OAuth ({log_in.grant.replace('_', ' ')}) at {log_in.url}{kept}"
        case Signed():
            return f"by an HMAC of each request in {', '.join(log_in.headers)}"


def budget_text(api: Api, names: Names) -> list[str]:
    """What the vendor allows, a line each, by the settings of the connection."""
    lines = [
        f"{fill_text(str(rate.count), names) or rate.count} requests in {rate.seconds:g} s"
        + (f" for {', '.join(rate.only)}" if rate.only else "")
        + (" for each path" if rate.per_path else "")
        for rate in api.budget.rates
    ]
    if api.budget.in_flight is not None:
        most = api.budget.in_flight
        lines.append(f"{fill_text(str(most), names) or most} requests at once")
    return lines


def filter_text(given: AnyFilter | None) -> str:
    """What can be asked for, in a few words."""
    if given is None:
        return "whole"
    if isinstance(given, Newest):
        return f"{given.meaning} ({given.field}), picked out here"
    grain = "days" if given.grain == "day" else f"{given.grain}s"
    zone = f" in {given.zone}" if given.zone != "UTC" else ""
    ends = (
        "both bounds"
        if given.has_lower and given.has_upper
        else "lower bound only"
        if given.has_lower
        else "upper bound only"
    )
    widest = f", at most {duration_text(given.widest)}" if given.widest else ""
    return f"{given.meaning} ({given.field}): {ends}, {grain}{zone}{widest}"


def shown_names(config: ApiConfig) -> dict[str, object]:
    """The settings, with secrets and what is not known yet shown by name."""
    names: dict[str, object] = {}
    names |= dict.fromkeys(ENGINE_NAMES - {"each", "fields", "now", "today"})
    hidden = {"token_key", "secrets"}
    for name, value in names_of(config).items():
        field = type(config).model_fields.get(name)
        is_secret = name in hidden or field is None or "Secret" in str(field.annotation)
        names[name] = f"{{{name}}}" if is_secret and value is not None else value
    return names


def _listed(values: Sequence[object]) -> str:
    return ", ".join(map(str, values)) or "none"
