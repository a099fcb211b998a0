"""Guesty's Open API v1, as its documentation and integrations tell.

Auth     client credentials with the scope open-api for a bearer token of a day; the sixth in 24 hours gets 429.
Pages    {results, limit, skip, count}; limit 25 by default, over 100 cut.
Filters  `filters`, a JSON list of {field, operator, value} with $eq, $gte, $lte, $between, $contains; else 400.
Fields   without `fields` a short projection: _id and what names the record.
Limits   15 a second, 120 a minute, 5,000 an hour.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast
from urllib.parse import parse_qs

import orjson

from propexo_connect.simulators.api import (
    Allowance,
    ApiSimulator,
    Paged,
    Params,
    Refused,
    Route,
    insert_all,
    inside,
    instant_of,
)
from propexo_connect.simulators.fiction import PLACES, Fiction
from propexo_connect.simulators.population import Population, Record, Version
from propexo_connect.simulators.simulation import Simulation
from propexo_connect.simulators.styles import OffsetStyle
from propexo_connect.simulators.tokens import TokenIssuer
from propexo_connect.simulators.wire import Answer, Request, json_answer

CLIENT_ID, CLIENT_SECRET = "guesty-demo-client", "guesty-demo-secret"

DAY = timedelta(days=1)

PAGES = OffsetStyle(offset="skip", default=25, cap=100, records="results", total="count")

SHORT = {
    "reservations": ("_id", "confirmationCode", "listingId", "guest", "checkIn", "checkOut"),
    "listings": ("_id", "title", "nickname"),
    "guests": ("_id", "fullName"),
    "conversations": ("_id", "subject"),
}


@dataclass(frozen=True)
class Conditions:
    """Records that meet every condition of a JSON list."""

    @property
    def names(self) -> tuple[str, ...]:
        return ("filters",)

    def keep(self, params: Params, now: datetime) -> Callable[[Record], bool] | None:  # noqa: ARG002
        if "filters" not in params:
            return None
        try:
            told = cast("list[dict[str, Any]]", orjson.loads(params["filters"]))
            tests = [self._test(one["field"], one["operator"], one["value"]) for one in told]
        except (ValueError, KeyError, TypeError):
            raise Refused(400, "The filters are not valid.") from None
        return lambda record: all(test(record) for test in tests)

    def _test(self, field: str, operator: str, value: Any) -> Callable[[Record], bool]:
        low, high = {
            "$gte": (value, None),
            "$lte": (None, value),
            "$between": (value, value) if isinstance(value, str) else tuple(value),
            "$eq": (value, value),
        }[operator]
        start, end = instant_of(low), instant_of(high)

        def holds(record: Record) -> bool:
            at = instant_of(inside(record, field))
            return at is not None and (start is None or at >= start) and (end is None or at <= end)

        return holds


@dataclass(frozen=True)
class ProjectedStyle:
    """limit and skip, of the fields that are asked for."""

    short: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return (*PAGES.names, "fields", "sort")

    def page(self, rows: Sequence[Version], params: Params, request: Request) -> Paged:
        if params.get("sort") == "_id":
            rows = sorted(rows, key=lambda version: str(version.key))
        found = PAGES.page(rows, params, request)
        wanted = {"_id", *(params["fields"].split(" ") if "fields" in params else self.short)}

        def body(shown: list[object]) -> object:
            records = [cast("dict[str, object]", one) for one in shown]
            return found.body([{n: v for n, v in one.items() if n in wanted} for one in records])

        return Paged(found.rows, body)


def listed(path: str, collection: str) -> Route:
    """A list as all are."""
    return Route(
        f"/v1{path}", collection, (Conditions(),), style=ProjectedStyle(SHORT[collection]), show=dict
    )


class Guesty(ApiSimulator):
    """Guesty on loopback."""

    allowances = tuple(
        Allowance(count, seconds, only=("/v1/",)) for count, seconds in ((15, 1), (120, 60), (5000, 3600))
    )
    routes = (
        listed("/reservations", "reservations"),
        listed("/listings", "listings"),
        listed("/guests-crud", "guests"),
        listed("/communication/conversations", "conversations"),
    )

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.tokens = TokenIssuer(self.clock, lifetime=DAY)
        self._issued_at: list[datetime] = []

    def operation(self, request: Request) -> str:
        return "token" if request.path == "/oauth2/token" else super().operation(request)

    def special(self, request: Request) -> Answer | None:
        if request.path != "/oauth2/token":
            return None
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        wanted = {"grant_type": "client_credentials", "scope": "open-api", "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET}  # fmt: skip
        if form != wanted:
            return json_answer({"error": "invalid_client"}, 401)
        now = self.clock.now()
        self._issued_at = [at for at in self._issued_at if at > now - DAY]
        if len(self._issued_at) >= 5:
            return json_answer({"error": "Too many requests"}, 429)
        self._issued_at.append(now)
        return json_answer({"access_token": self.tokens.issue().value, "token_type": "Bearer",
            "expires_in": 86_400, "scope": "open-api"})  # fmt: skip

    def refusal(self, request: Request) -> Answer | None:
        return None if self.tokens.admits(request.bearer) else self.refused(401, "Unauthorized")

    def refused(self, status: int, message: str) -> Answer:
        return json_answer({"error": {"message": message}}, status)


def guesty_demo_population(seed: int, now: datetime) -> Population:
    """Seven listings with 250 reservations of the last 200 days."""
    made, population = Fiction(seed, now), Population()

    def stamped(at: datetime) -> str:
        return at.strftime("%Y-%m-%dT%H:%M:%S.000Z")

    def put(collection: str, number: int, **record: object) -> str:
        own = f"65f{number:021x}"
        insert_all(population, collection, [{"_id": own, **record, "createdAt": stamped(made.ago(200, 100)),
            "lastUpdatedAt": stamped(made.ago(100))}], key="_id")  # fmt: skip
        return own

    listings = [put("listings", number, title=name, nickname=name[:4], bedrooms=2)
        for number, name in enumerate(PLACES, start=1)]  # fmt: skip
    for number in range(250, 0, -1):
        first, last = made.first(), made.last()
        person = {"fullName": f"{first} {last}", "email": made.email(first, last)}
        guest = put("guests", number, **person)
        arrival = made.ago(100)
        put("reservations", number, confirmationCode=f"HM{number:04d}", status="confirmed",
            listingId=made.one_of(listings), guestId=guest, checkIn=stamped(arrival),
            checkOut=stamped(arrival + 3 * DAY), checkInDateLocalized=str(arrival.date()), nightsCount=3,
            money={"fareAccommodation": made.money(90, 900), "hostPayout": 812.5, "balanceDue": 0,
                "currency": "USD"}, source="direct", guest=person)  # fmt: skip
        if number % 5 == 0:
            put("conversations", number, subject="Arrival")
    return population


simulation = Simulation(
    "guesty", Guesty, guesty_demo_population, {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET},
    path="/v1", addresses={"token_url": "/oauth2/token"},
)  # fmt: skip
