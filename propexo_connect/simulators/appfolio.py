"""AppFolio's Database API v0, as integrations report it.

Auth     Basic, else 401; X-AppFolio-Developer-ID in exactly this letter case, else 400 "required header
         missing".
Pages    {"data": […], "next_page_path": "/api/v0/…" | null}; page[number] from 1, page[size] 1,000. Brackets
         that are encoded are not understood. No total.
Filters  filters[LastUpdatedAtFrom] (an instant or a day) or filters[Id] on every list but gl_accounts and
         notes, else 400; hidden properties only with filters[IncludeHidden].
Limits   8 a second, 256 a minute, 4,096 an hour: 429 with Retry-After. In maintenance 533.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from propexo_connect.simulators.api import (
    Allowance,
    ApiSimulator,
    DateRange,
    Equal,
    Paged,
    Params,
    Refused,
    Route,
    insert_all,
)
from propexo_connect.simulators.doors import basic_pair
from propexo_connect.simulators.fiction import PLACES, TROUBLES, Fiction, iso
from propexo_connect.simulators.population import Population, Version
from propexo_connect.simulators.simulation import Simulation
from propexo_connect.simulators.styles import number_of, size_of
from propexo_connect.simulators.wire import Answer, Request, json_answer

CLIENT_ID, CLIENT_SECRET, DEVELOPER_ID = "appfolio-demo-client", "appfolio-demo-secret", "appfolio-demo-dev"

UPDATED = DateRange("filters[LastUpdatedAtFrom]", "", "LastUpdatedAt")
BY_ID = Equal("filters[Id]", "Id")
BY_UPDATE = (UPDATED, BY_ID)
PROPERTY_IDS = Equal("filters[PropertyIds]", "PropertyId")


@dataclass(frozen=True)
class PathStyle:
    """Numbered pages whose next one is told as a path with plain brackets."""

    @property
    def names(self) -> tuple[str, ...]:
        return ("page[number]", "page[size]")

    def page(self, rows: Sequence[Version], params: Params, request: Request) -> Paged:
        size = size_of(params, "page[size]", 1000, 1000, "cut")
        number = number_of(params, "page[number]", 1)
        end = number * size
        following = {**params, "page[number]": str(number + 1), "page[size]": str(size)}
        query = "&".join(f"{name}={quote(value)}" for name, value in following.items())
        path = f"{request.path}?{query}" if end < len(rows) else None
        return Paged(rows[end - size : end], lambda shown: {"data": shown, "next_page_path": path})


class AppFolio(ApiSimulator):
    """AppFolio's Database API on loopback; `is_in_maintenance` closes it for the night."""

    style = PathStyle()
    allowances = (Allowance(8, 1), Allowance(256, 60), Allowance(4096, 3600))
    is_in_maintenance = False
    routes = (
        Route("/api/v0/portfolios", "portfolios", BY_UPDATE),
        Route("/api/v0/properties", "properties", (*BY_UPDATE, PROPERTY_IDS),
              also=("filters[IncludeHidden]",)),
        Route("/api/v0/units", "units", (*BY_UPDATE, PROPERTY_IDS)),
        Route("/api/v0/tenants", "tenants", BY_UPDATE),
        Route("/api/v0/leases", "leases", BY_UPDATE),
        Route("/api/v0/listings", "listings", BY_UPDATE),
        Route("/api/v0/work_orders", "work_orders",
              (*BY_UPDATE, Equal("filters[PropertyId]", "PropertyId"), Equal("filters[Statuses]", "Status"))),
        Route("/api/v0/work_orders/{order}/notes", "work_order_notes", of={"order": "_work_order"},
              parents={"order": "work_orders"}),
        Route("/api/v0/unit_turns", "unit_turns", BY_UPDATE),
        Route("/api/v0/bills", "bills", BY_UPDATE),
        Route("/api/v0/journal_entries", "journal_entries", BY_UPDATE),
        Route("/api/v0/charges", "charges", BY_UPDATE),
        Route("/api/v0/gl_accounts", "gl_accounts"),
        Route("/api/v0/vendors", "vendors", BY_UPDATE),
        Route("/api/v0/owners", "owners", BY_UPDATE),
        Route("/api/v0/users", "users", BY_UPDATE),
        Route("/api/v0/tenant_ledgers", "tenant_ledgers", BY_UPDATE),
    )  # fmt: skip

    def refusal(self, request: Request) -> Answer | None:
        if self.is_in_maintenance:
            return self.refused(533, "Data Unavailable")
        if basic_pair(request) != (CLIENT_ID, CLIENT_SECRET):
            return self.refused(401, "Unauthorized")
        if ("X-AppFolio-Developer-ID", DEVELOPER_ID) not in request.headers:
            return self.refused(400, "required header missing")
        if "%5B" in request.head.target.upper():
            return self.refused(400, "The query cannot be read.")
        return None

    def refused(self, status: int, message: str) -> Answer:
        if status == 404:
            return json_answer({"status": 404, "error": "Not Found"}, 404)
        return json_answer({"code": status, "message": message}, status)

    def rows(self, route: Route, places: Mapping[str, str], params: Params) -> Sequence[Version]:
        if UPDATED in route.filters and not params.keys() & {UPDATED.lower, BY_ID.name}:
            raise Refused(400, "filters[LastUpdatedAtFrom] or filters[Id] is required.")
        found = super().rows(route, places, params)
        if route.collection == "properties" and params.get("filters[IncludeHidden]") != "true":
            return [version for version in found if not version.content["_hidden"]]
        return found


def appfolio_demo_population(seed: int, now: datetime) -> Population:
    """Seven properties, one of them hidden, of some 80 units with their people, work and money."""
    made, population = Fiction(seed, now), Population()

    def put(collection: str, **record: object) -> str:
        stamped = {"Id": made.uuid(), **record, "LastUpdatedAt": iso(made.ago(200))}
        return str(insert_all(population, collection, [stamped])[0]["Id"])

    accounts = [made.uuid() for _ in range(12)]
    insert_all(population, "gl_accounts", ({"Id": account, "Number": f"{4000 + place}", "AccountType": "Income"}
        for place, account in enumerate(accounts)))  # fmt: skip
    portfolio = put("portfolios", Name="Example portfolio")
    vendors = [put("vendors", CompanyName=f"{made.last()} & Co.") for _ in range(5)]
    put("users", FirstName=made.first(), LastName=made.last(), UserRole="Property Manager", Active=True)
    for number, name in enumerate(PLACES):
        put("owners", FirstName=made.first(), LastName=made.last())
        city, state, code = made.city()
        address = {"Address1": made.street(), "City": city, "State": state, "Zip": code}
        place = put("properties", Name=name, PortfolioId=portfolio, **address, _hidden=number == 3)
        for door in range(12):
            occupancy = made.uuid()
            unit = put("units", PropertyId=place, CurrentOccupancyId=occupancy, Name=f"{door:02d}",
                RentReady=made.chance(0.5))  # fmt: skip
            first, last = made.first(), made.last()
            tenant = put("tenants", PropertyId=place, UnitId=unit, OccupancyId=occupancy,
                Status=made.one_of(("Current", "Past", "Notice")), FirstName=first, LastName=last,
                Email=made.email(first, last), MoveInOn=str(made.day(300)), MoveOutOn=None,
                Addresses=[address])  # fmt: skip
            put("leases", UnitId=unit, TenantId=tenant)
            put("tenant_ledgers", OccupancyId=occupancy)
            put("listings", PropertyId=None if made.chance(0.2) else place, UnitId=unit, **address)
            put("charges", OccupancyId=occupancy, GlAccountId=made.one_of(accounts),
                AmountDue=f"{made.money(900, 2000):.2f}", ChargedOn=str(made.day(200)), Description="Rent",
                ReferenceId=None)  # fmt: skip
            order = put("work_orders", PropertyId=place, UnitId=unit, Status=made.one_of(("New", "Done")),
                JobDescription=made.one_of(TROUBLES), Link="https://example.com/work_orders")  # fmt: skip
            insert_all(population, "work_order_notes", [{"Id": made.uuid(), "Note": "Called the resident.",
                "_work_order": order}])  # fmt: skip
            if made.chance(0.3):
                put("unit_turns", UnitId=unit)
            put("bills", Reference=f"B-{made.number(1000, 9999)}", Description="Repair",
                VendorId=made.one_of(vendors), TotalAmount=f"{made.money(10, 900):.2f}",
                InvoiceDate=str(made.day(100)), DueDate=str(made.day(0, 30)),
                ApprovalStatus="Approved")  # fmt: skip
        put("journal_entries", Description="Correction")
    return population


simulation = Simulation(
    "appfolio", AppFolio, appfolio_demo_population,
    {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "developer_id": DEVELOPER_ID}, path="/api/v0",
)  # fmt: skip
