"""Rentvine's Manager API, as its OpenAPI document tells and as observed live.

Auth     Basic, else 401 {"code": 401, "error": "Access Denied"}.
Pages    arrays of wrapped rows; page and pageSize (15 by default, cut at 100); totals in Pagination-* headers.
         A page that is no number gives 500 with an empty body.
Filters  dateTimeModifiedMin and -Max, local time without a zone, on exports and searches of the ledger; elsewhere
         they have no effect.
Values   texts; times with a space, without a zone. An unknown path is 404 with the code as text, a missing
         record 400 with an error.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from propexo_connect.simulators.api import ApiSimulator, DateRange, Paged, Params, Route, insert_all
from propexo_connect.simulators.fiction import PLACES, TROUBLES, Fiction
from propexo_connect.simulators.population import Population, Record, Version
from propexo_connect.simulators.simulation import Simulation
from propexo_connect.simulators.styles import NumberStyle
from propexo_connect.simulators.wire import Answer, Request, json_answer

ACCESS_KEY, SECRET = "rentvine-demo-key", "rentvine-demo-secret"
BASE = "/api/manager"

MODIFIED = DateRange("dateTimeModifiedMin", "dateTimeModifiedMax", "dateTimeModified")


PAGES = NumberStyle("page", "pageSize", default=15, cap=100)


@dataclass(frozen=True)
class Headed:
    """Numbered pages whose totals stand in six headers."""

    names: tuple[str, ...] = ("page", "pageSize")

    def page(self, rows: Sequence[Version], params: Params, request: Request) -> Paged:
        paged = PAGES.page(rows, params, request)
        number, size = int(params.get("page", "1")), min(100, int(params.get("pageSize", "15")))
        last = max(1, -(-len(rows) // size))
        told = {"Total-Items": len(rows), "Total-Pages": last, "Current-Page": number, "Page-Size": size,
                "Next-Page": min(last, number + 1), "First-Page": 1}  # fmt: skip
        return Paged(
            paged.rows, paged.body, tuple((f"Pagination-{name}", str(value)) for name, value in told.items())
        )


def listed(path: str, collection: str, wrapped_in: str, *filters: DateRange) -> Route:
    """A list whose rows are wrapped."""
    return Route(f"{BASE}{path}", collection, filters, wrap=lambda row: {wrapped_in: row})


class Rentvine(ApiSimulator):
    """Rentvine on loopback."""

    style = Headed()
    routes = (
        listed("/properties/export", "properties", "property", MODIFIED),
        listed("/properties/units/export", "units", "unit", MODIFIED),
        listed("/leases/export", "leases", "lease", MODIFIED),
        listed("/screening/applications/export", "applications", "application", MODIFIED),
        listed("/accounting/transactions/search", "transactions", "transaction", MODIFIED),
        listed(
            "/accounting/transactions/entries/search", "transaction_entries", "transactionEntry", MODIFIED
        ),
        listed("/accounting/journal-entries/search", "journal_entries", "journalEntry", MODIFIED),
        listed("/tenants", "tenants", "tenant"),
        listed("/owners/search", "owners", "owner"),
        listed("/vendors/search", "vendors", "vendor"),
        listed("/portfolios/search", "portfolios", "portfolio"),
        listed("/maintenance/work-orders", "work_orders", "workOrder"),
        listed("/maintenance/inspections", "inspections", "inspection"),
        Route(f"{BASE}/accounting/bills", "bills"),
        Route(f"{BASE}/accounting/accounts", "accounts"),
    )

    def refusal(self, request: Request) -> Answer | None:
        pair = base64.b64encode(f"{ACCESS_KEY}:{SECRET}".encode()).decode()
        if request.header("authorization") != f"Basic {pair}":
            return json_answer({"code": 401, "error": "Access Denied"}, 401)
        if not dict(request.query).get("page", "1").isdecimal():
            return Answer(500)
        if request.path.startswith(f"{BASE}/properties/") and request.path.rpartition("/")[2].isdecimal():
            return json_answer({"error": f"Property {request.path.rpartition('/')[2]} not found"}, 400)
        return None

    def refused(self, status: int, message: str) -> Answer:
        return json_answer({"code": str(status), "error": "Not Found", "message": message}, status)


def rentvine_demo_population(seed: int, now: datetime) -> Population:
    """Seven portfolios with some 40 leases, their people, work and money, of the last 200 days."""
    made, population = Fiction(seed, now), Population()
    number = 60

    def put(collection: str, key: str, **record: object) -> str:
        nonlocal number
        number += 1
        stamps = {"dateTimeCreated": _spaced(made.ago(400, 200)), "dateTimeModified": _spaced(made.ago(200))}
        row: Record = {key: str(number), **record, **stamps}
        insert_all(population, collection, [row], key=key)
        return str(number)

    for name in PLACES:
        city, state, _ = made.city()
        portfolio = put("portfolios", "portfolioID", name=name)
        put("owners", "contactID", name=made.last())
        put("vendors", "contactID", name=f"{made.last()} & Co.")
        home = put("properties", "propertyID", portfolioID=portfolio, name=name, address=made.street(), city=city,
            stateID=state, isActive="1", isMultiUnit="0", latitude="39.90000000", longitude="-75.10000000")  # fmt: skip
        put("accounts", "accountID", name=f"Account {number}")
        for _ in range(6):
            unit = put(
                "units", "unitID", propertyID=home, rent=f"{made.money(900, 3100):.2f}", beds="4", isActive=1
            )
            lease = put("leases", "leaseID", propertyID=home, unitID=unit, portfolioID=portfolio)
            put("tenants", "contactID", name=f"{made.first()} {made.last()}", leaseID=lease)
            put("applications", "applicationID", unitID=unit)
            entry = put("transactions", "transactionID", amount=f"{made.money(9, 900):.2f}")
            put("transaction_entries", "transactionEntryID", transactionID=entry)
            put("journal_entries", "journalEntryID", transactionID=entry)
            put("work_orders", "workOrderID", primaryWorkOrderStatusID="2", description=made.one_of(TROUBLES))
            put("bills", "billID", amount=f"{made.money(9, 900):.2f}", isVoided="0")
            put("inspections", "inspectionID", unitID=unit)
    return population


def _spaced(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S")


simulation = Simulation(
    "rentvine",
    Rentvine,
    rentvine_demo_population,
    {"account": "example", "access_key": ACCESS_KEY, "secret": SECRET},
    path=BASE,
)
