"""A vendor with lists of records, told in values: routes, filters, pages, what is refused.

    class Acme(ApiSimulator):
        routes = (Route("/v1/leases", "leases", filters=(DateRange("from", "to", "updatedAt"),)),)
        style = OffsetStyle(default=50, cap=1000, total_header="X-Total-Count")
        def refusal(self, request): ...      # a bad key, in the vendor's words

The values state the vendor's rules as its documentation does, not as a connector reads them. Fields
whose name begins with `_` are never shown: `{"Id": 1, "_updated": "2026-03-01T12:00:00Z"}` can be filtered by
and not read. Records are held as the vendor would send them.
"""

import re
import threading
from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from propexo_connect.simulators.kit import Simulator
from propexo_connect.simulators.population import Record, Version
from propexo_connect.simulators.wire import Answer, Request, json_answer

Params = Mapping[str, str]
"""What a request asks for by name: the query, or a body's top level."""


class Refused(Exception):
    """The vendor refuses a request; it says so in its own shape."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Asked(Protocol):
    """One filter of a list."""

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters that it knows."""
        ...

    def keep(self, params: Params, now: datetime) -> Callable[[Record], bool] | None:
        """Which records are wanted; None when nothing was asked. Raises: Refused."""
        ...


@dataclass(frozen=True)
class DateRange:
    """Records whose field lies between two parameters, both ends included.

    Args:
        field: dotted; a record without it passes when `keeps_undated`.
        grain: days are counted in `zone`. reads: how parameters are written: iso, day, us_day, epoch, spaced.
        required: either bound, or both, must be there. widest: the longest range.
    """

    lower: str
    upper: str
    field: str
    grain: timedelta = timedelta(seconds=1)
    zone: str = "UTC"
    reads: str = "iso"
    requires: tuple[str, ...] = ()
    widest: timedelta | None = None
    keeps_undated: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name in (self.lower, self.upper) if name)

    def keep(self, params: Params, now: datetime) -> Callable[[Record], bool] | None:  # noqa: ARG002
        missing = [name for name in self.requires if not params.get(name)]
        if missing:
            raise Refused(400, f"{missing[0]} is required.")
        start, end = (self._bound(params, name) for name in (self.lower, self.upper))
        if start is None and end is None:
            return None
        if end is not None and self.grain >= timedelta(days=1):
            end += timedelta(days=1) - timedelta(microseconds=1)
        elif end is not None:
            end += self.grain - timedelta(microseconds=1)
        if self.widest is not None and start is not None:
            reach = (end or datetime.max.replace(tzinfo=UTC)) - start
            if reach > self.widest + self.grain:
                raise Refused(400, f"The range is longer than {self.widest.days} days.")

        def wanted(record: Record) -> bool:
            at = instant_of(inside(record, self.field), self.zone)
            if at is None:
                return self.keeps_undated
            return (start is None or at >= start) and (end is None or at <= end)

        return wanted

    def _bound(self, params: Params, name: str) -> datetime | None:
        text = params.get(name) if name else None
        if not text:
            return None
        try:
            return read_bound(text, self.reads, self.zone)
        except ValueError:
            raise Refused(400, f"{name} is not a valid date.") from None


@dataclass(frozen=True)
class Equal:
    """Records whose field is one of the comma-separated values of a parameter."""

    name: str
    field: str
    is_required: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name,)

    def keep(self, params: Params, now: datetime) -> Callable[[Record], bool] | None:  # noqa: ARG002
        text = params.get(self.name)
        if text is None:
            if self.is_required:
                raise Refused(400, f"{self.name} is required.")
            return None
        wanted = set(text.split(","))
        return lambda record: str(inside(record, self.field)) in wanted


@dataclass(frozen=True)
class Paged:
    """One page as a vendor sends it: what of the rows, in what body, with which headers."""

    rows: Sequence[Version]
    body: Callable[[list[object]], object]
    headers: tuple[tuple[str, str], ...] = ()


class Style(Protocol):
    """A way of paging."""

    @property
    def names(self) -> tuple[str, ...]: ...

    def page(self, rows: Sequence[Version], params: Params, request: Request) -> Paged:
        """Raises: Refused."""
        ...


@dataclass(frozen=True)
class Route:
    """One list (or one record) of the API.

    Args:
        path: with `{name}` for what stands in its place; letter case counts.
        collection: of the population.
        of: by placeholder the record's field (perhaps a hidden one) that must have its value.
        parents: by placeholder the collection that must hold a record of this key, else 404.
        also: parameters that are known and change nothing here.
        wrap: how a row is wrapped. show: what of a record is shown; None shows all but hidden fields.
        finds: another way to the rows than a collection: search bodies, computed lists.
    """

    path: str
    collection: str
    filters: tuple[Asked, ...] = ()
    style: Style | None = None
    method: str = "GET"
    name: str = ""
    of: Mapping[str, str] = field(default_factory=dict[str, str])
    parents: Mapping[str, str] = field(default_factory=dict[str, str])
    also: tuple[str, ...] = ()
    wrap: Callable[[object], object] | None = None
    show: Callable[[Record], object] | None = None
    order: Callable[[Record], Any] | None = None

    def match(self, path: str) -> dict[str, str] | None:
        """What stands in the placeholders of a path; None for another path."""
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(self.path))
        found = re.fullmatch(pattern, path)
        return None if found is None else found.groupdict()


@dataclass(frozen=True)
class Allowance:
    """So many requests in so many seconds; more are refused with 429.

    `retry_after` sends the header. `only`: the paths that count.
    """

    count: int
    seconds: float
    retry_after: bool = True
    only: tuple[str, ...] = ()


class ApiSimulator(Simulator):
    """A vendor whose lists are `routes`; a subclass says who is let in and how refusals look."""

    routes: tuple[Route, ...] = ()
    style: Style
    refuses_unknown: bool = False
    """Whether a parameter that no filter knows is refused (400), or has no effect."""
    always_known: tuple[str, ...] = ()
    allowances: tuple[Allowance, ...] = ()
    most_at_once: int | None = None

    @abstractmethod
    def refusal(self, request: Request) -> Answer | None:
        """Why this request is not let in, None when it is."""

    def refused(self, status: int, message: str) -> Answer:
        """A refusal in the vendor's shape."""
        return json_answer({"message": message}, status)

    def special(self, request: Request) -> Answer | None:  # noqa: ARG002 - for subclasses
        """Answers beside the lists: log-ins, single objects; None for a list."""
        return None

    def params(self, request: Request) -> Params:
        """What a request asks for by name."""
        return dict(request.query)

    def operation(self, request: Request) -> str:
        found = self._route(request)
        return (found[0].name or found[0].collection) if found else "other"

    def answer(self, request: Request) -> Answer:
        over = self._over_limits(request)
        if over is not None:
            return over
        special = self.special(request)
        if special is not None:
            return special
        refusal = self.refusal(request)
        if refusal is not None:
            return refusal
        found = self._route(request)
        if found is None:
            return self.refused(404, "No such resource.")
        try:
            return self.listed(found[0], found[1], request)
        except Refused as refused:
            return self.refused(refused.status, refused.message)

    def listed(self, route: Route, places: Mapping[str, str], request: Request) -> Answer:
        """The answer of one list. Raises: Refused."""
        params = self.params(request)
        style = route.style or self.style
        known = {
            *style.names,
            *route.also,
            *self.always_known,
            *(n for one in route.filters for n in one.names),
        }
        if self.refuses_unknown and (unknown := sorted(set(params) - known)):
            raise Refused(400, f"Unknown parameter {unknown[0]}.")
        rows = self.rows(route, places, params)
        paged = style.page(rows, params, request)
        shown = [self.shown(route, version.content) for version in paged.rows]
        body = paged.body([route.wrap(one) for one in shown] if route.wrap else shown)
        served = {route.collection: tuple(paged.rows)}
        return json_answer(body, headers=paged.headers, served=served)

    def rows(self, route: Route, places: Mapping[str, str], params: Params) -> Sequence[Version]:
        """The records that a list has for its filters, in order. Raises: Refused."""
        now = self.clock.now()
        for place, collection in route.parents.items():
            if places[place] not in self.population.view(collection, now):
                raise Refused(404, "No such resource.")
        tests = [test for one in route.filters if (test := one.keep(params, now)) is not None]
        rows = [
            version
            for version in self.population.view(route.collection, now).versions
            if all(str(inside(version.content, name)) == places[place] for place, name in route.of.items())
            and all(test(version.content) for test in tests)
        ]
        if route.order is not None:
            order = route.order
            rows.sort(key=lambda version: order(version.content))
        return rows

    def shown(self, route: Route, record: Record) -> object:
        """A record as it is sent."""
        if route.show is not None:
            return route.show(record)
        return {name: value for name, value in record.items() if not name.startswith("_")}

    def _route(self, request: Request) -> tuple[Route, dict[str, str]] | None:
        for route in self.routes:
            if route.method != request.method:
                continue
            places = route.match(request.path)
            if places is not None:
                return route, places
        return None

    def _over_limits(self, request: Request) -> Answer | None:
        # The request under way is counted by the kit already.
        if self.most_at_once is not None and self.in_flight > self.most_at_once:
            return self.refused(429, "Too many requests at once.")
        now = self.clock.monotonic()
        with self._allowing:
            for number, allowance in enumerate(self.allowances):
                if allowance.only and not request.path.startswith(allowance.only):
                    continue
                passed = self._passed.setdefault(number, deque())
                while passed and passed[0] <= now - allowance.seconds:
                    passed.popleft()
                if len(passed) >= allowance.count:
                    wait = max(1, round(passed[0] + allowance.seconds - now + 0.499))
                    answer = self.refused(429, "Too many requests.")
                    extra = (("Retry-After", str(wait)),) if allowance.retry_after else ()
                    return Answer(answer.status, answer.body, (*answer.headers, *extra))
                passed.append(now)
        return None

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._passed: dict[int, deque[float]] = {}
        self._allowing = threading.Lock()


def inside(record: Record, name: str) -> object:
    """A value of a record by its dotted name; None where there is none."""
    found: object = record
    for step in name.split("."):
        found = found.get(step) if isinstance(found, Mapping) else None  # pyright: ignore[reportUnknownMemberType]
    return found


def instant_of(value: object, zone: str = "UTC") -> datetime | None:
    """A record's value as an instant: text with or without zone, a day, or a number since 1970."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return datetime.fromtimestamp(value / 1000 if value > 10**11 else value, UTC)
    if not isinstance(value, str) or not value:
        return None
    at = datetime.fromisoformat(value)
    return at if at.tzinfo else at.replace(tzinfo=ZoneInfo(zone))


def read_bound(text: str, reads: str, zone: str = "UTC") -> datetime:
    """A parameter as an instant. Raises: ValueError when it is written in another way."""
    local = ZoneInfo(zone)
    match reads:
        case "iso":
            at = datetime.fromisoformat(text)
            return at if at.tzinfo else at.replace(tzinfo=local)
        case "day":
            at = datetime.combine(date.fromisoformat(text), datetime.min.time())
        case "us_day":
            at = datetime.strptime(text, "%m/%d/%Y")  # noqa: DTZ007 - the zone follows
        case "spaced":
            at = datetime.strptime(text, "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007
        case "epoch":
            return datetime.fromtimestamp(int(text), UTC)
        case _:
            raise ValueError(f"no such way to write an instant: {reads}")
    return at.replace(tzinfo=local)


def insert_all(population: Any, collection: str, records: Iterable[Record], key: str = "Id") -> list[Record]:
    """Put records in, each under the text of its key; returns them."""
    held = list(records)
    for record in held:
        population.insert(collection, record, key=str(record[key]))
    return held
