"""An API opened for reading: what a plan says, carried out."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, cast

import httpx
import msgspec

from propexo_connect.connectors.api.answers import Fetched
from propexo_connect.connectors.api.clients import Clients
from propexo_connect.connectors.api.config import ApiConfig, names_of, secrets_of, state_folder
from propexo_connect.connectors.api.described import asks_fields, described, filter_of, zone_for
from propexo_connect.connectors.api.fanout import Branching, Skipped, read_parts
from propexo_connect.connectors.api.newest import first_of_each, newer
from propexo_connect.connectors.api.pages import Fetch, TooMany, proven, read_pages
from propexo_connect.connectors.api.proof import Proofs
from propexo_connect.connectors.api.ranges import halves, pieces
from propexo_connect.connectors.api.requests import Added, bounds, call_of, encoded
from propexo_connect.connectors.api.rewrite import fields_of, nested
from propexo_connect.connectors.api.routes import Route, Routes
from propexo_connect.connectors.api.shared import SharedRead
from propexo_connect.connectors.base import Access, JsonPage, Page, ReadContext
from propexo_connect.http.client import Answer
from propexo_connect.http.context import Context
from propexo_connect.http.envelope import decoded, is_empty
from propexo_connect.http.graphql import GraphQL
from propexo_connect.http.plan.api import Api, Lookup
from propexo_connect.http.plan.auth import Login
from propexo_connect.http.plan.filters import AnyFilter, Between, Newest
from propexo_connect.http.plan.instants import write
from propexo_connect.http.plan.paging import AnyPaging, Links
from propexo_connect.http.plan.paths import at, steps
from propexo_connect.http.plan.stream import ApiStream, Asking, Changes, Parent
from propexo_connect.http.plan.template import ENGINE_NAMES, Names, fill_text, names_in, text_of
from propexo_connect.http.tokens import name_from
from propexo_connect.model.clock import Clock
from propexo_connect.model.errors import (
    ConfigurationError,
    ConnectError,
    Defect,
    Stalled,
    TerminalError,
    VendorFault,
)
from propexo_connect.model.stream import RetryPolicy, Stream
from propexo_connect.model.tile import WHOLE, Request

MoreNames = Callable[[ApiConfig, Mapping[str, object]], Mapping[str, object]]
"""Names that a vendor's own function makes of the settings and of what the log-in told."""

_any: "msgspec.json.Decoder[Any]" = msgspec.json.Decoder()

_KEPT_SHARED = 16
"""So many shared reads are kept before those of ranges are forgotten."""

_SHORTLY = RetryPolicy(2, timedelta(seconds=1), timedelta(seconds=5))


class ApiSource:
    """One account of a vendor, open for reading; logs in with the first request.

    Args:
        more_names: makes further names for templates.
        transport: what carries requests, in place of sockets.
    """

    def __init__(
        self,
        api: Api,
        config: ApiConfig,
        clock: Clock,
        *,
        more_names: MoreNames | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._api = api
        self._config = config
        self._clock = clock
        self._more_names = more_names
        self._settings: dict[str, object] = {
            **dict.fromkeys(ENGINE_NAMES),
            "parent": None,
            **names_of(config),
        }
        self._clients = Clients(api, config, clock, self._settings, transport)
        self._address, self._client = self._clients.address, self._clients.main
        self._settings["origin"] = str(httpx.URL(self._address).copy_with(raw_path=b"/")).rstrip("/")
        self._graph = GraphQL(self._client)
        self._routes = Routes(api, self._settings, config.reveal, clock)
        self._route = self._routes.of
        self._lock = threading.Lock()
        self._shared: dict[tuple[str, Request], SharedRead] = {}
        self._learnt: dict[str, object] | None = None
        self._learning = threading.Lock()
        folder = state_folder(config)
        self._proofs = Proofs(folder / "proofs" if folder else None)
        children = [(stream, above) for stream in api.streams if (above := stream.fan_out) is not None]
        self._parents = {above.stream for _, above in children}
        self._windowed_parents = {above.stream for child, above in children if above.changed or child.nested}

    def __repr__(self) -> str:
        return f"ApiSource({httpx.URL(self._address).host})"

    def close(self) -> None:
        """Close the connections and let shared pages go."""
        for shared in self._shared.values():
            shared.close()
        self._clients.close()

    # what the engine asks

    def discover(self) -> Sequence[Stream]:
        return described(self._api, self._config)

    def prepare(self, stream: Stream) -> Stream:
        own = filter_of(self._api, self._api.stream(stream.name), self._settings)
        if stream.filter is not None and (own is None or stream.filter.field != own.field):
            raise ConfigurationError(
                f"the stream '{stream.name}' cannot be asked by '{stream.filter.field}'",
                expected=f"the filter `{own.field}`, or none" if own is not None else "no `filter`",
            )
        return stream

    def upper_bound(self, stream: Stream) -> int:
        raise Defect("this API has no integer filters", where=f"stream '{stream.name}'")

    def check(self, streams: Sequence[Stream]) -> Sequence[Access]:
        context = ReadContext(self._clock, _SHORTLY, log=lambda _: None)
        return [Access(stream.name, self._problem(stream, context)) for stream in streams]

    def read(
        self,
        stream: Stream,
        request: Request,
        fields: frozenset[str] | None,
        position: str | None,
        context: ReadContext,
    ) -> Iterator[Page]:
        spec = self._api.stream(stream.name)
        is_wanted = spec.name in (self._parents if request.is_whole else self._windowed_parents)
        if is_wanted and position is None and (fields is None or not asks_fields(spec)):
            yield from self._shared_pages(spec, request, context, must_be_whole=False)
            return
        yield from self._pages(spec, request, fields, position, context)

    # the way through a stream

    def _pages(
        self,
        spec: ApiStream,
        request: Request,
        fields: frozenset[str] | None,
        position: str | None,
        context: ReadContext,
    ) -> Iterator[JsonPage]:
        asked = {"fields": selection(spec, fields), "narrow": narrowed(spec, fields)}
        names = {**self._known(context), **asked, **self._present()}
        given = self._route(spec, request).filter
        if spec.nested is not None:
            yield from self._nested(spec, request, names, context)
        elif spec.fan_out is not None or spec.each is not None:
            branchings = self._branchings(spec, request, names, context)

            def read(branching: Branching, within: Context) -> Iterator[JsonPage]:
                inner = {**names, **branching.names}
                self._prove(spec, given, request, inner, within)
                return self._listed(spec, request, inner, None, within)

            done = (branching for branching in branchings if branching.key not in context.done)
            yield from read_parts(done, read, context, self._config.in_flight, self._clock)
        else:
            self._prove(spec, given, request, names, context)
            yield from self._listed(spec, request, names, position, context)

    def _listed(
        self,
        spec: ApiStream,
        request: Request,
        names: Names,
        position: str | None,
        context: Context,
        size: int | None = None,
    ) -> Iterator[JsonPage]:
        """The pages of one list, in as many ranges as the vendor wants."""
        route = self._route(spec, request)
        ranges = list(pieces(route.filter, request, names, self._clock.now()))
        is_resumable = spec.resumable and len(ranges) == 1
        for piece in ranges:
            yield from self._ranged(
                spec, route, piece, names, position if is_resumable else None, context, size, is_resumable
            )

    def _ranged(
        self,
        spec: ApiStream,
        route: Route,
        request: Request,
        names: Names,
        position: str | None,
        context: Context,
        size: int | None,
        is_resumable: bool,
    ) -> Iterator[JsonPage]:
        give_up_at = self._clock.monotonic() + self._config.longest_read.total_seconds()
        fetch = self._fetch(spec, route, request, names)
        in_flight = 1 if spec.fan_out or spec.each else self._config.in_flight
        newest = route.filter if isinstance(route.filter, Newest) and not request.is_whole else None
        passed: set[tuple[bytes, ...]] = set()
        try:
            for turned in read_pages(
                route.paging,
                fetch,
                context,
                size=size or self._size(route.paging),
                start=position,
                in_flight=in_flight,
            ):
                if self._clock.monotonic() > give_up_at:
                    raise Stalled(f"the list has no end within {self._config.longest_read}")
                records = route.rewriting.apply(turned.fetched.records, names)
                is_older = False
                if isinstance(route.asking, Changes) and route.asking.newest_first:
                    records = first_of_each(records, spec.keys, passed)
                if newest is not None and isinstance(request.start, datetime):
                    records, is_older = newer(
                        records, newest.field, request.start, newest.written, zone_for(newest, names)
                    )
                if not is_empty(records):
                    reached = turned.position if is_resumable else None
                    yield JsonPage(records, turned.fetched.read_at, unwrap=route.unwrap, position=reached)
                if is_older and newest is not None and newest.ordered:
                    return
        except TooMany as full:
            parts = halves(route.filter, request, names, self._clock.now())
            if parts is None:
                raise TerminalError(
                    full.found,
                    expected="a range that can be split further",
                    remedy="The vendor cannot show all records of this stream in one query",
                ) from None
            context.log(f"{spec.name}: {full.found}; the range is split")
            for part in parts:
                yield from self._ranged(spec, route, part, names, None, context, size, is_resumable=False)

    def _nested(
        self, spec: ApiStream, request: Request, names: Names, context: ReadContext
    ) -> Iterator[JsonPage]:
        """Records that stand within their parents' records."""
        above = cast("Parent", spec.fan_out)
        parent = self._api.stream(above.stream)
        rewriting = self._routes.rewriting(spec, (), spec.add)
        wanted = sorted(_parent_fields(spec))
        for page in self._shared_pages(parent, request, context):
            unwrap = (page.unwrap,) if page.unwrap else ()
            for record, inner in nested(page.records, (*unwrap, *steps(spec.nested or ()))):
                row = fields_of(b"[" + record + b"]", wanted, unwrap)[0]
                records = rewriting.apply(inner, {**names, "parent": row})
                if not is_empty(records):
                    yield JsonPage(records, page.read_at)

    # parents

    def _branchings(
        self, spec: ApiStream, request: Request, names: Names, context: ReadContext
    ) -> Iterator[Branching]:
        if spec.each is not None:
            values = names.get(spec.each.setting)
            many = cast("list[object]", values) if isinstance(values, list | tuple) else [values]
            yield from (Branching(text_of(value), {"each": value}) for value in many if value is not None)
            return
        above = cast("Parent", spec.fan_out)
        parent = self._api.stream(above.stream)
        key = above.key or next(iter(parent.keys), "id")
        wanted = sorted({key, *above.where, *above.having, *_parent_fields(spec)})
        asked = request if above.changed else WHOLE
        batch: list[dict[str, object]] = []
        passed: set[str] = set()
        for page in self._shared_pages(parent, asked, context):
            for row in fields_of(page.records, wanted, (page.unwrap,) if page.unwrap else ()):
                if any(row[name] is None for name in (key, *above.having)) or not all(
                    text_of(row[name]) in among for name, among in above.where.items()
                ):
                    continue
                told = text_of(row[key])
                if told in passed:
                    continue
                passed.add(told)
                batch.append(row)
                if len(batch) >= above.batch:
                    yield _branching(batch, key)
                    batch = []
        if batch:
            yield _branching(batch, key)

    def _shared_pages(
        self, spec: ApiStream, request: Request, context: ReadContext, *, must_be_whole: bool = True
    ) -> Iterator[JsonPage]:
        """The pages of a parent stream, read once for everybody.

        Raises:
            VendorFault: it must be whole, and some of its own parents failed.
        """
        with self._lock:
            shared = self._shared.get((spec.name, request))
            if shared is None or shared.has_failed:
                whole = replace(context, done=frozenset())
                shared = SharedRead(lambda: self._pages(spec, request, None, None, whole))
                self._let_go()
                self._shared[spec.name, request] = shared
            shared.enter()
        for page in shared.pages(context):
            if must_be_whole and page.part is not None and page.part.has_failed:
                raise VendorFault(f"the parents in '{spec.name}' are not complete: {page.part.problem}")
            yield page

    def _let_go(self) -> None:
        """Forget shared reads of ranges that nobody reads any more: a backsync has hundreds of them."""
        idle = [key for key, shared in self._shared.items() if shared.is_idle and not key[1].is_whole]
        for key in idle[: max(0, len(self._shared) - _KEPT_SHARED)]:
            self._shared.pop(key).close()

    # one request

    def _fetch(self, spec: ApiStream, route: Route, request: Request, names: Names) -> Fetch:
        above = spec.fan_out
        skips = frozenset(above.skip) if above is not None and spec.nested is None else frozenset[int]()
        filtered = bounds(route.filter, request, names)
        judge = route.reading.judge(self._client.quote)

        def look(answer: Answer) -> bool:
            if answer.status in skips:
                raise Skipped(f"answered {answer.status}")
            return judge(answer)

        def fetch(added: Added, context: Context) -> Fetched:
            if added.link is not None:
                added = replace(added, link=self._link(route, added.link, names))
            parts = (added,) if added.is_bare or added.link else (filtered, added)
            call = call_of(self._api, route.asking, route.path, {**names, **filtered.names}, parts)
            call = replace(call, judge=look)
            if self._clients.credentials.params:
                joined = encoded(self._clients.credentials.params)
                call = replace(call, encoded_query=f"{call.encoded_query}&{joined}".lstrip("&"))

            def read(answer: Answer) -> Fetched:
                return proven(route.paging, route.reading.read(answer, self._below))

            return self._client.call(call, read, context)

        return fetch

    def _below(self, answer: Answer) -> bytes:
        return self._graph.below_data(answer)

    def _link(self, route: Route, link: str, names: Names) -> str:
        """A link of an answer as a whole address; the client refuses one that leads elsewhere."""
        if "://" in link or not isinstance(route.paging, Links):
            return link
        if route.paging.relative_to == "api":
            return f"{self._address}/{link.lstrip('/')}"
        base = httpx.URL(self._address)
        if route.paging.relative_to == "request":
            base = httpx.URL(self._address + (fill_text(route.path, names) or ""))
        return str(base.join(link))

    def _size(self, paging: AnyPaging) -> int | None:
        """The records a page: the setting, as far as the vendor allows."""
        most = getattr(paging, "size", None)
        chosen = self._config.page_size
        return chosen if chosen is None or most is None else min(chosen, most)

    # what must be known first

    def _known(self, context: Context) -> dict[str, object]:
        """The settings, and what the log-in and the lookups told."""
        with self._learning:
            if self._learnt is None:
                told: dict[str, object] = {}
                token = self._clients.credentials.token
                keeps = any(isinstance(log_in, Login) and log_in.keeps for log_in in self._api.log_ins)
                if token is not None and keeps:
                    token.headers(context)
                    told |= token.values
                if self._more_names is not None:
                    told |= self._more_names(self._config, told)
                for lookup in self._api.lookups:
                    told[lookup.name] = self._looked_up(lookup, {**self._settings, **told}, context)
                self._learnt = told
            return {**self._settings, **self._learnt}

    def _looked_up(self, lookup: Lookup, names: Names, context: Context) -> object:
        asking = Asking(params=lookup.params)
        call = call_of(self._api, asking, lookup.path, names, ())

        def read(answer: Answer) -> object:
            found = at(decoded(answer.body, _any), lookup.at)
            if not isinstance(found, str | int):
                raise VendorFault(f"the answer has no '{lookup.name}'", expected=f"a value at {lookup.at}")
            return found

        return self._client.call(call, read, context)

    def _present(self) -> dict[str, object]:
        """What `{now}` and `{today}` stand for."""
        now, zone = self._clock.now(), fill_text(self._api.zone, self._settings) or "UTC"
        return {"now": write(now, "iso"), "today": write(now, "date", zone)}

    def _prove(
        self, spec: ApiStream, given: AnyFilter | None, request: Request, names: Names, context: Context
    ) -> None:
        """Find out once whether the vendor honours the filter; warn when it does not."""
        if not isinstance(given, Between) or request.is_whole or not self._config.prove_filters:
            return
        if not given.proves or not given.has_lower or spec.nested is not None:
            return
        mark = name_from(self._address, spec.name, str(given), *secrets_of(self._config))
        if not self._proofs.is_due(mark):
            return
        route = self._route(spec, request)
        ahead = self._clock.now() + timedelta(days=400)
        span = min(timedelta(days=1), given.widest or timedelta(days=1))
        future = Request(ahead, ahead + span, request.zone, request.resolution)
        fetch = self._fetch(spec, route, future, names)
        try:
            pages = read_pages(route.paging, fetch, context, size=1)
            came = next(iter(pages)).fetched.count
        except (Stalled, Skipped):
            raise
        except (ConnectError, StopIteration) as error:
            context.log(f"{spec.name}: whether its filter is honoured could not be proven ({error})")
            return
        if came:
            context.log(
                f"{spec.name}: WARNING: the vendor does not honour the filter by {given.field}: asked for "
                "records of a time to come, it sends some. Everything is read each time; nothing is lost"
            )
        else:
            self._proofs.enter(mark, self._clock.now())

    def _problem(self, stream: Stream, context: ReadContext) -> str | None:
        """Why not even one record of a stream can be read."""
        spec = self._api.stream(stream.name)
        now = self._clock.now()
        try:
            names = {**self._known(context), "fields": selection(spec, None), **self._present()}
            asked = WHOLE
            if isinstance(spec.filter, Between) and spec.filter.required:
                asked = Request(now - timedelta(days=1), now)
            while spec.nested is not None:
                spec = self._api.stream(cast("Parent", spec.fan_out).stream)
            first = self._first_branching(spec, names, context)
            if first is not None:
                next(self._listed(spec, asked, {**names, **first.names}, None, context, size=1), None)
        except Skipped:
            return None
        except ConnectError as error:
            return str(error)
        return None

    def _first_branching(self, spec: ApiStream, names: Names, context: ReadContext) -> Branching | None:
        """One parent, asked for with as little as possible; nameless for a stream without any."""
        if spec.each is not None:
            return next(self._branchings(spec, WHOLE, names, context), None)
        above = spec.fan_out
        if above is None:
            return Branching("", {})
        parent = self._api.stream(above.stream)
        outer = self._first_branching(parent, names, context)
        if outer is None:
            return None
        key = above.key or next(iter(parent.keys), "id")
        wanted = sorted({key, *_parent_fields(spec)})
        within = {**names, "fields": selection(parent, None), **outer.names}
        for page in self._listed(parent, WHOLE, within, None, context, size=1):
            for row in fields_of(page.records, wanted, (page.unwrap,) if page.unwrap else ()):
                return _branching([row], key)
        return None


def selection(spec: ApiStream, fields: frozenset[str] | None) -> str:
    """What `{fields}` stands for: the wanted top-level fields, with key and cursor, in declared order."""
    offered = tuple(
        dict.fromkeys(field.name.partition(".")[0] for field in spec.declared if field.name not in spec.add)
    )
    wanted = {name.partition(".")[0] for name in (*(fields or offered), *spec.keys, spec.cursor or "")}
    if spec.filter is not None:
        wanted.add(spec.filter.field)
    chosen = (name for name in offered if name in wanted)
    return spec.field_join.join(f"{name} {spec.selections.get(name, '')}".strip() for name in chosen)


def narrowed(spec: ApiStream, fields: frozenset[str] | None) -> str | None:
    """What `{narrow}` stands for: `{fields}`, or nothing where all is wanted, or what the plan does not know."""
    offered = {field.name.partition(".")[0] for field in spec.declared}
    if fields is None or not {name.partition(".")[0] for name in fields} <= offered:
        return None
    return selection(spec, fields)


def _parent_fields(spec: ApiStream) -> set[str]:
    """The fields of the parent that a stream's templates refer to."""
    templates = (
        spec.path,
        spec.params,
        spec.headers,
        spec.body,
        spec.form,
        spec.xml,
        spec.variables,
        spec.add,
    )
    changes = spec.changes
    if changes is not None:
        templates += (changes.path, changes.params, changes.headers, changes.body)
    return {
        name.removeprefix("parent.")
        for template in templates
        for name in names_in(template)
        if name.startswith("parent.")
    }


def _branching(batch: list[dict[str, object]], key: str) -> Branching:
    if len(batch) == 1:
        return Branching(text_of(batch[0][key]), {"parent": batch[0]})
    joined = {name: ",".join(text_of(row[name]) for row in batch) for name in batch[0]}
    return Branching(joined[key], {"parent": joined})
