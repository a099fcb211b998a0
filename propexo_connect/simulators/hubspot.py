"""HubSpot's CRM API v3, as its OpenAPI documents tell.

Auth     Bearer, else 401; OAuth apps get tokens of 30 minutes at /oauth/v1/token.
Lists    limit 10 by default, over 100 refused; `after` comes in paging.next.after, absent at the end.
         archived=true shows archived records and no others; `properties` chooses what is shown.
Searches POST with filterGroups, sorts, limit (at most 200) and after; values are texts; more than 10,000
         results cannot be reached: 400. The total is told. Archived records are not found.
Limits   100 requests in 10 seconds, 5 searches a second: 429 without Retry-After.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, cast
from urllib.parse import parse_qs

from propexo_connect.simulators.api import (
    Allowance,
    ApiSimulator,
    Params,
    Refused,
    Route,
    insert_all,
    instant_of,
)
from propexo_connect.simulators.fiction import Fiction, iso
from propexo_connect.simulators.population import Population, Record, Version, View
from propexo_connect.simulators.simulation import Simulation
from propexo_connect.simulators.styles import TokenStyle, WholeStyle
from propexo_connect.simulators.tokens import TokenIssuer
from propexo_connect.simulators.wire import Answer, Request, json_answer

ACCESS_TOKEN, CLIENT_ID, CLIENT_SECRET = "pat-na1-hubspot-demo", "hubspot-demo-client", "hubspot-demo-secret"
REFRESH_TOKEN = "hubspot-demo-refresh"  # noqa: S105 - fictional

KINDS = {
    "contacts": "contacts", "companies": "companies", "deals": "deals", "tickets": "tickets", "leads": "leads",
    "products": "products", "line_items": "line_items", "quotes": "quotes", "orders": "orders", "carts": "carts",
    "invoices": "invoices", "commerce_payments": "commerce_payments", "subscriptions": "subscriptions",
    "discounts": "discounts", "fees": "fees", "taxes": "taxes", "calls": "calls", "emails": "emails",
    "meetings": "meetings", "notes": "notes", "tasks": "tasks", "communications": "communications",
    "postal_mail": "postal_mail", "feedback_submissions": "feedback_submissions", "goal_targets": "goal_targets",
    "users": "users", "0-420": "listings", "0-162": "services", "0-410": "courses", "p_pets": "p_pets",
}  # fmt: skip
"""Object types as paths name them, with their collections; p_pets is a custom one."""

REACH = 10_000
DEFAULT_PROPERTIES = ("createdate", "hs_object_id", "hs_lastmodifieddate", "lastmodifieddate")
LISTS = TokenStyle("after", "limit", default=10, cap=100, over_cap="refuse", records="results",
                   next="paging.next.after", says_null=False)  # fmt: skip


@dataclass(frozen=True)
class Archived:
    """Archived records where they are asked for, all others where not."""

    names: tuple[str, ...] = ("archived",)

    def keep(self, params: Params, now: datetime) -> Callable[[Record], bool] | None:  # noqa: ARG002
        wanted = params.get("archived", "false") == "true"
        return lambda record: record.get("archived", False) is wanted


class Hubspot(ApiSimulator):
    """One HubSpot account on loopback."""

    allowances = (
        Allowance(100, 10, retry_after=False),
        *(Allowance(5, 1, retry_after=False, only=(f"/crm/v3/objects/{kind}/search",)) for kind in KINDS),
    )
    routes = (
        *(
            Route(
                f"/crm/v3/objects/{kind}",
                collection,
                (Archived(),),
                LISTS,
                also=("properties", "associations"),
            )
            for kind, collection in KINDS.items()
        ),
        *(
            Route(f"/crm/v3/objects/{kind}/search", collection, method="POST", name=f"{collection} search")
            for kind, collection in KINDS.items()
        ),
        Route("/crm/v3/owners", "owners", (Archived(),), replace(LISTS, default=100)),
        Route("/crm/v3/pipelines/{kind}", "pipelines", style=WholeStyle("results"), of={"kind": "_kind"}),
        Route("/crm/v3/properties/{kind}", "properties", style=WholeStyle("results"), of={"kind": "_kind"}),
    )

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.tokens = TokenIssuer(self.clock, lifetime=timedelta(minutes=30), prefix="hubspot")

    def special(self, request: Request) -> Answer | None:
        if request.path != "/oauth/v1/token":
            return None
        sent = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        if (sent.get("client_id"), sent.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            return self.refused(400, "missing or invalid client id")
        if (sent.get("grant_type"), sent.get("refresh_token")) != ("refresh_token", REFRESH_TOKEN):
            return self.refused(400, "missing or invalid refresh token")
        return json_answer({"access_token": self.tokens.issue().value, "refresh_token": REFRESH_TOKEN,
                            "expires_in": 1800, "token_type": "bearer"})  # fmt: skip

    def refusal(self, request: Request) -> Answer | None:
        if request.bearer == ACCESS_TOKEN or self.tokens.admits(request.bearer):
            return None
        return self.refused(401, "Authentication credentials not found.")

    def refused(self, status: int, message: str) -> Answer:
        category = {401: "INVALID_AUTHENTICATION", 404: "OBJECT_NOT_FOUND", 429: "RATE_LIMITS"}.get(status)
        told = {"status": "error", "message": message, "category": category or "VALIDATION_ERROR",
                "correlationId": "00000000-0000-4000-8000-000000000000"}  # fmt: skip
        return json_answer(told, status)

    def listed(self, route: Route, places: Mapping[str, str], request: Request) -> Answer:
        if route.method == "POST":
            return self.searched(route, request)
        wanted = [one for name, text in request.query if name == "properties" for one in text.split(",")]
        if route.style is LISTS:
            route = replace(route, show=partial(_shown, wanted=wanted))
        return super().listed(route, places, request)

    def searched(self, route: Route, request: Request) -> Answer:
        """The answer of a search. Raises: Refused."""
        try:
            body = cast("dict[str, Any]", request.json)
            (given,) = body["filterGroups"][0]["filters"]
            field, low, high = given["propertyName"], given["value"], given["highValue"]
            size, after = body.get("limit", 10), int(body.get("after", 0))
            (order,) = body.get("sorts", [{"propertyName": field, "direction": "ASCENDING"}])
        except (ValueError, KeyError, TypeError, IndexError):
            raise Refused(400, "Invalid input JSON") from None
        own = "lastmodifieddate" if route.collection == "contacts" else "hs_lastmodifieddate"
        if (
            given["operator"] != "BETWEEN"
            or field != own
            or order != {"propertyName": own, "direction": "ASCENDING"}
        ):
            raise Refused(400, f"There was a problem with the request: {field}")
        if not (isinstance(low, str) and isinstance(high, str) and low.isdecimal() and high.isdecimal()):
            raise Refused(400, "Invalid input JSON: values are texts of milliseconds")
        if not 1 <= size <= 200:
            raise Refused(400, "limit must be at most 200")
        if after + size > REACH:
            raise Refused(400, f"paging past {REACH} results is not supported")
        view = self.population.view(route.collection, self.clock.now())
        found = view.derive((field, low, high), partial(_between, field=own, low=int(low), high=int(high)))
        chosen = found[after : after + size]
        wanted = body.get("properties") or []
        told: dict[str, object] = {"total": len(found),
                                   "results": [_shown(one.content, wanted=wanted) for one in chosen]}  # fmt: skip
        if after + size < len(found):
            told["paging"] = {"next": {"after": str(after + size), "link": f"?after={after + size}"}}
        return json_answer(told, served={route.collection: tuple(chosen)})


def _between(view: View, field: str, low: int, high: int) -> list[Version]:
    """The living records whose field lies in a range of milliseconds, in its order."""

    def at(version: Version) -> float:
        found = instant_of(cast("Record", version.content["properties"])[field])
        return 0.0 if found is None else found.timestamp() * 1000

    rows = [one for one in view.versions if not one.content["archived"] and low <= at(one) <= high]
    return sorted(rows, key=at)


def _shown(record: Record, wanted: Sequence[str]) -> object:
    """A record with the properties that were asked for, or those that HubSpot chooses."""
    held = cast("Record", record.get("properties", {}))
    chosen = (*DEFAULT_PROPERTIES, *(wanted or ("email", "firstname", "lastname")))
    shown = {name: value for name, value in record.items() if not name.startswith("_")}
    if "properties" in record:
        shown["properties"] = {name: held[name] for name in chosen if name in held}
    return shown


def record_of(number: int, kind: str, created: datetime, updated: datetime, **properties: str) -> Record:
    """A record in HubSpot's shape."""
    changed = "lastmodifieddate" if kind == "contacts" else "hs_lastmodifieddate"
    held = {"hs_object_id": str(number), "createdate": iso(created), changed: iso(updated), **properties}
    return {"id": str(number), "properties": held, "createdAt": iso(created), "updatedAt": iso(updated),
            "archived": False}  # fmt: skip


def hubspot_demo_population(seed: int, now: datetime) -> Population:
    """The account of a leasing team: people, deals and what was said, of the last 200 days."""
    made, population = Fiction(seed, now), Population()
    number = 50_000
    for kind, collection in KINDS.items():
        for place in range(130 if kind == "contacts" else 12):
            number += 1
            first, last = made.first(), made.last()
            record = record_of(number, kind, made.ago(300, 200), made.ago(199), firstname=first, lastname=last,
                               email=made.email(first, last), phone=made.phone())  # fmt: skip
            if place % 6 == 5:
                record = {**record, "archived": True, "archivedAt": iso(made.ago(30))}
            insert_all(population, collection, [record], key="id")
    for number in range(1, 6):
        first, last = made.first(), made.last()
        insert_all(population, "owners", [{"id": str(number), "email": made.email(first, last), "type": "PERSON",
            "firstName": first, "lastName": last, "userId": number + 900, "createdAt": iso(made.ago(400)),
            "updatedAt": iso(made.ago(100)), "archived": False}], key="id")  # fmt: skip
    for kind, names in (("deals", ("Toured", "Applied", "Leased")), ("tickets", ("New", "Closed"))):
        for name in ("default", "second"):
            stages = [{"id": str(order), "label": label, "displayOrder": order, "metadata": {}, "archived": False}
                      for order, label in enumerate(names)]  # fmt: skip
            insert_all(population, "pipelines", [{"id": name, "label": name.title(), "displayOrder": 0,
                "stages": stages, "archived": False, "_kind": kind, "_key": f"{kind}/{name}"}], key="_key")  # fmt: skip
    for kind in ("contacts", "companies", "deals", "tickets"):
        for name in ("hs_object_id", "phone", "unit_number"):
            insert_all(population, "properties", [{"name": name, "label": name, "type": "string",
                "fieldType": "text", "groupName": kind, "hubspotDefined": name != "unit_number", "options": [],
                "_kind": kind, "_key": f"{kind}/{name}"}], key="_key")  # fmt: skip
    return population


simulation = Simulation("hubspot", Hubspot, hubspot_demo_population, {"access_token": ACCESS_TOKEN})
