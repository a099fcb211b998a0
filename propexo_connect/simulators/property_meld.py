"""Property Meld's Nexus API v2, as it was seen to act.

Auth     client credentials for a bearer token of 36,000 s, else 401 {"detail": …}; X-Multitenant-Id, else 400
         {"error": "X-Multitenant-Id is missing"}.
Pages    {count, next, previous, results}; more than 500 rows are cut in silence; a limit, offset or order that
         makes no sense is ignored, as every unknown parameter is. Paths end with a slash, else 404.
Filters  updated__gte or last_updated_gte, by list; the other name has no effect.
Limits   50 reads a second are documented, and not enforced.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from propexo_connect.simulators.api import ApiSimulator, DateRange, Params, Route, insert_all
from propexo_connect.simulators.doors import OAuthDoor
from propexo_connect.simulators.fiction import PLACES, TROUBLES, Fiction, iso
from propexo_connect.simulators.population import Population, Version
from propexo_connect.simulators.simulation import Simulation
from propexo_connect.simulators.styles import OffsetStyle
from propexo_connect.simulators.tokens import TokenIssuer
from propexo_connect.simulators.wire import Answer, Request, json_answer

CLIENT_ID, CLIENT_SECRET, TENANT = "meld-demo-client", "meld-demo-secret", "42"

UPDATED = DateRange("updated__gte", "updated__lte", "updated")
UPDATED_SINCE = DateRange("updated__gte", "", "updated")
LAST_UPDATED = DateRange("last_updated_gte", "", "_last_updated")

ENVELOPE = OffsetStyle(
    default=100, cap=500, records="results", total="count", next_url="next", extra={"previous": None}
)


class PropertyMeld(ApiSimulator):
    """Property Meld on loopback."""

    style = ENVELOPE
    routes = (
        Route("/api/v2/meld/", "melds", (UPDATED, DateRange("created__gte", "created__lte", "created"))),
        Route("/api/v2/unit/", "units", (UPDATED_SINCE,)),
        Route("/api/v2/property/", "properties", (UPDATED_SINCE,)),
        Route("/api/v2/resident/", "residents", (LAST_UPDATED,)),
        Route("/api/v2/vendor/", "vendors", (LAST_UPDATED,)),
        Route("/api/v2/invoice/", "invoices", (LAST_UPDATED,)),
        Route("/api/v2/estimates/", "estimates", (LAST_UPDATED,)),
        Route("/api/v2/owner/", "owners"),
        Route("/api/v2/tag/", "tags"),
        Route("/api/v2/project/", "projects"),
        Route("/api/v2/expenditure/", "expenditures"),
        *(
            Route(f"/api/v2/meld/{{meld}}/{whose}-files/", f"meld_{whose}_files", of={"meld": "_meld"},
                  parents={"meld": "melds"})
            for whose in ("manager", "tenant", "vendor")
        ),
    )  # fmt: skip

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.tokens = TokenIssuer(self.clock, lifetime=timedelta(seconds=36_000))
        self.door = OAuthDoor("/oauth/token/", CLIENT_ID, CLIENT_SECRET, self.tokens, lifetime_s=36_000)

    def operation(self, request: Request) -> str:
        return "token" if request.path == "/oauth/token/" else super().operation(request)

    def special(self, request: Request) -> Answer | None:
        return self.door.issues(request)

    def refusal(self, request: Request) -> Answer | None:
        if not self.door.admits(request):
            return json_answer({"detail": "Authentication credentials were not provided."}, 401)
        if not request.header("x-multitenant-id"):
            return json_answer({"error": "X-Multitenant-Id is missing"}, 400)
        if request.header("x-multitenant-id") != TENANT:
            return json_answer({"error": "No such tenant"}, 400)
        return None

    def refused(self, status: int, message: str) -> Answer:
        return json_answer({"detail": message}, status)

    def params(self, request: Request) -> Params:
        known = super().params(request)
        return {n: v for n, v in known.items() if n not in ENVELOPE.names or v.isdecimal()}

    def rows(self, route: Route, places: Mapping[str, str], params: Params) -> Sequence[Version]:
        found = list(super().rows(route, places, params))
        # Without an order rows come in whatever order they were changed.
        return (
            sorted(found, key=lambda version: str(version.key))
            if params.get("ordering") == "id"
            else found[::-1]
        )


def property_meld_demo_population(seed: int, now: datetime) -> Population:
    """A company with seven properties, some 80 units and 120 melds of the last 200 days."""
    made, population = Fiction(seed, now), Population()

    def put(collection: str, **record: object) -> None:
        insert_all(population, collection, [{**record, "_last_updated": iso(made.ago(200))}], key="id")

    for number, name in enumerate(PLACES, start=501):
        put("properties", id=number, property_name=name, updated=iso(made.ago(200)))
        put("owners", id=number + 100, first_name=made.first(), last_name=made.last())
        put("projects", id=number + 200, name=f"Roof of {name}")
        put("tags", id=number + 300, name=f"tag {number}")
        put("vendors", id=number + 400, name=f"{made.last()} & Co.", email=f"office{number}@example.com")
        for door in range(12):
            unit = number * 100 + door
            put("units", id=unit, apartment=f"{door:02d}", prop=number, updated=iso(made.ago(200)))
            first, last = made.first(), made.last()
            put(
                "residents",
                id=unit + 1_000_000,
                first_name=first,
                last_name=last,
                email=made.email(first, last),
            )
    for number in range(13_750_001, 13_750_121):
        created = made.ago(200, 100)
        is_done = made.chance(0.6)
        put("melds", id=number, management=42, brief_description=made.one_of(TROUBLES), priority="MEDIUM",
            status="COMPLETED" if is_done else made.one_of(("PENDING_ASSIGNMENT", "MANAGER_CANCELED")),
            unit=made.number(501, 507) * 100 + made.number(0, 11), created=iso(created),
            updated=iso(made.ago(100)), marked_complete=iso(made.ago(90)) if is_done else None,
            assigned_technicians=[{"id": 7}] if is_done else [], merged_meld={"id": 1} if number % 40 == 0 else None,
            owner_approval_dollar_amount="150.00", is_active=not is_done)  # fmt: skip
        put("meld_tenant_files", id=number * 10, filename="tap.jpg", _meld=number)
        put("expenditures", id=number * 10 + 1, amount=made.money(10, 300))
        if is_done:
            put("meld_vendor_files", id=number * 10 + 2, filename="invoice.pdf", _meld=number)
            put("meld_manager_files", id=number * 10 + 3, filename="note.pdf", _meld=number)
            put("invoices", id=number * 10 + 4, meld=number, amount=f"{made.money(10, 300):.2f}")
            put("estimates", id=number * 10 + 5, meld=number, total=made.money(10, 300), pm_fee="10.00")
    return population


simulation = Simulation(
    "property_meld", PropertyMeld, property_meld_demo_population,
    {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "multitenant_id": TENANT}, path="/api/v2",
    addresses={"token_url": "/oauth/token/"},
)  # fmt: skip
