"""AppFolio's Reports API v2, as integrations report it.

Auth     Basic, else 401.
Asking   POST only (405), a JSON body of filters; 400 where a range of dates is missing.
Pages    {"results": […], "next_page_url": … | null}, 5,000 rows; the next page by POST without a body, within 30
         minutes. With "paginate_results": false a bare array of all rows.
Limits   7 requests in 15 seconds; further pages do not count. Hidden properties only with
         property_visibility "all".
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from propexo_connect.simulators.api import Allowance, ApiSimulator, DateRange, Params, Refused, Route
from propexo_connect.simulators.doors import basic_pair
from propexo_connect.simulators.fiction import PLACES, TROUBLES, Fiction, iso
from propexo_connect.simulators.population import Population, Record, Version
from propexo_connect.simulators.simulation import Simulation
from propexo_connect.simulators.wire import Answer, Request, json_answer

CLIENT_ID, CLIENT_SECRET = "appfolio-reports-client", "appfolio-reports-secret"

DAY, LIFE = timedelta(days=1), timedelta(minutes=30)


def days(lower: str, upper: str, field: str) -> DateRange:
    """A range of whole days that must be given."""
    return DateRange(lower, upper, field, DAY, reads="day", requires=(lower, upper))


REPORTS = {
    "general_ledger": (days("posted_on_from", "posted_on_to", "posted_on"),),
    "aged_receivables_detail": (DateRange("", "occurred_on_to", "occurred_on", DAY, reads="day"),),
    **dict.fromkeys(
        ("bill_detail", "receivables_activity", "deposit_register", "check_register_detail",
         "rental_applications"),
        (days("from_date", "to_date", "date"),),
    ),
    **dict.fromkeys(
        ("rent_roll", "rent_roll_itemized", "tenant_directory", "unit_directory", "property_directory",
         "owner_directory", "vendor_directory", "property_group_directory", "work_order", "delinquency_as_of",
         "unit_vacancy", "lease_expiration_detail", "guest_card_inquiries", "screening_assessment",
         "unit_inspection", "renewal_summary", "income_statement", "balance_sheet", "cash_flow",
         "property_budget", "chart_of_accounts"),
        (),
    ),
}  # fmt: skip


class AppFolioReports(ApiSimulator):
    """AppFolio's reports on loopback; `page_rows` is the number of rows a page."""

    allowances = (Allowance(7, 15, only=("/api/v2/reports/",)),)
    page_rows = 5000
    routes = tuple(
        Route(f"/api/v2/reports/{name}.json", name, filters, method="POST")
        for name, filters in REPORTS.items()
    )

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._held: dict[str, tuple[str, Sequence[Version], datetime]] = {}

    def operation(self, request: Request) -> str:
        return "page" if request.path.startswith("/api/v2/pages/") else super().operation(request)

    def refusal(self, request: Request) -> Answer | None:
        if basic_pair(request) != (CLIENT_ID, CLIENT_SECRET):
            return self.refused(401, "Unauthorized")
        return None if request.method == "POST" else self.refused(405, "Method not allowed")

    def special(self, request: Request) -> Answer | None:
        if not request.path.startswith("/api/v2/pages/"):
            return None
        refusal = self.refusal(request)
        if refusal is not None:
            return refusal
        held = self._held.get(request.path)
        if held is None or self.clock.now() - held[2] > LIFE:
            return self.refused(404, "The page is not available any more.")
        if request.body:
            return self.refused(400, "A page takes no filters.")
        return self._page(held[0], held[1])

    def params(self, request: Request) -> Params:
        try:
            told = request.json if request.body else {}
        except ValueError:
            raise Refused(400, "The body is not JSON.") from None
        return {name: str(value) for name, value in cast("Mapping[str, object]", told).items()}

    def listed(self, route: Route, places: Mapping[str, str], request: Request) -> Answer:
        params = self.params(request)
        rows = self.rows(route, places, params)
        if params.get("property_visibility", "active") != "all":
            rows = [version for version in rows if not version.content.get("_hidden")]
        if params.get("paginate_results") == "False":
            shown = [self.shown(route, version.content) for version in rows]
            return json_answer(shown, served={route.collection: tuple(rows)})
        return self._page(route.collection, rows)

    def _page(self, collection: str, rows: Sequence[Version]) -> Answer:
        """One page; what is left waits under an address of its own."""
        page, rest = rows[: self.page_rows], rows[self.page_rows :]
        link = None
        if rest:
            path = f"/api/v2/pages/{collection}-{len(self._held)}"
            self._held[path] = (collection, rest, self.clock.now())
            link = f"{self.url}{path}"
        route = next(one for one in self.routes if one.collection == collection)
        shown = [self.shown(route, version.content) for version in page]
        return json_answer({"results": shown, "next_page_url": link}, served={collection: tuple(page)})


def appfolio_reports_demo_population(seed: int, now: datetime) -> Population:
    """Reports over seven properties, one of them hidden, of the last 300 days."""
    made, population = Fiction(seed, now), Population()

    def put(name: str, row: Record, number: int) -> None:
        population.insert(name, row, key=str(number))

    for number in range(84):
        place = number % len(PLACES)
        about: Record = {"property": PLACES[place], "property_id": str(place + 1), "_hidden": place == 3}
        put("rent_roll", {**about, "unit": f"{number:02d}", "status": "Current", "rent": f"{1000 + number}.00",
            "tenant": f"{made.first()} {made.last()}"}, number)  # fmt: skip
        put("general_ledger", {**about, "posted_on": str(made.day(300)), "description": "Rent",
            "amount": f"{made.money(10, 900):.2f}"}, number)  # fmt: skip
        put("work_order", {**about, "work_order_id": str(9000 + number), "status": made.one_of(("New", "Done")),
            "work_order_number": f"{9000 + number}-1", "job_description": made.one_of(TROUBLES),
            "created_at": iso(made.ago(200)), "amount": f"{made.money(10, 900):.2f}"}, number)  # fmt: skip
        put("aged_receivables_detail", {**about, "occurred_on": str(made.day(90)),
            "amount": f"{made.money(10, 900):.2f}", "number": number}, number)  # fmt: skip
    for name in REPORTS.keys() - set(population.collections()):
        for number in range(7):
            put(name, {"name": f"{name} {number}", "date": str(made.day(200))}, number)
    return population


simulation = Simulation(
    "appfolio_reports", AppFolioReports, appfolio_reports_demo_population,
    {"database": "example", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}, path="/api/v2",
)  # fmt: skip
