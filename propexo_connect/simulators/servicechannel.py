"""ServiceChannel's Service Automation API v3, as its OpenAPI document and notes on response codes tell.

Auth     OAuth for a bearer token, by a user's password or by a refresh token that is replaced with each use;
         the client shows itself by Basic. A user without a right gets ErrorCode 504.
Pages    OData: $top, $skip, "@odata.count" if $count=true, "value"; else page and pageSize (50 at most: 922), bare.
Filters  $filter with ge, gt, le, lt over the typed fields, joined by and; 400 for another field.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from propexo_connect.simulators.api import (
    ApiSimulator,
    Paged,
    Params,
    Refused,
    Route,
    insert_all,
    inside,
    instant_of,
    read_bound,
)
from propexo_connect.simulators.doors import OAuthDoor
from propexo_connect.simulators.fiction import PLACES, TROUBLES, Fiction, iso
from propexo_connect.simulators.population import Population, Record, Version
from propexo_connect.simulators.simulation import Simulation
from propexo_connect.simulators.styles import NumberStyle, number_of
from propexo_connect.simulators.tokens import TokenIssuer
from propexo_connect.simulators.wire import Answer, Request, json_answer

CLIENT_ID, CLIENT_SECRET, USER, PASSWORD = "sc-demo-client", "sc-demo-secret", "pat", "sc-demo-password"
FIRST_REFRESH = "sc-demo-refresh"

TERM = re.compile(r"(\w+) (ge|gt|le|lt) (\S+)")


@dataclass(frozen=True)
class ODataFilter:
    """Records whose fields keep to every term of $filter."""

    fields: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return ("$filter",)

    def keep(self, params: Params, now: datetime) -> Callable[[Record], bool] | None:  # noqa: ARG002
        if "$filter" not in params:
            return None
        tests = [self._test(term) for term in params["$filter"].split(" and ")]
        return lambda record: all(test(record) for test in tests)

    def _test(self, term: str) -> Callable[[Record], bool]:
        found = TERM.fullmatch(term)
        if found is None or found[1] not in self.fields:
            raise Refused(400, f"The query is not valid: {term}")
        bound = read_bound(found[3], "iso")
        field, operator = found[1], found[2]

        def holds(record: Record) -> bool:
            at = instant_of(inside(record, field))
            if at is None:
                return False
            return {"ge": at >= bound, "gt": at > bound, "le": at <= bound, "lt": at < bound}[operator]

        return holds


@dataclass(frozen=True)
class ODataStyle:
    """$top and $skip; the number of all rows only if it is asked for."""

    @property
    def names(self) -> tuple[str, ...]:
        return ("$top", "$skip", "$count", "$orderby")

    def page(self, rows: Sequence[Version], params: Params, request: Request) -> Paged:
        skip, top = number_of(params, "$skip", 0), number_of(params, "$top", 50)
        told: dict[str, object] = {"@odata.context": f"{request.path}#$metadata"}
        if params.get("$count") == "true":
            told["@odata.count"] = len(rows)
        return Paged(rows[skip : skip + top], lambda shown: {**told, "value": shown})


ODATA, PAGES = ODataStyle(), NumberStyle(size_name="pageSize", default=50, cap=50, over_cap="refuse")


def of_work_order(path: str, collection: str) -> Route:
    """A list that hangs on a work order."""
    return Route(f"/v3/odata/workorders({{order}}){path}", collection, style=ODATA, of={"order": "_order"},
                 parents={"order": "work_orders"})  # fmt: skip


class ServiceChannel(ApiSimulator):
    """ServiceChannel on loopback; the user may read all but what `forbidden` names."""

    style = PAGES
    refuses_unknown = True
    forbidden: tuple[str, ...] = ()
    routes = (
        Route("/v3/odata/workorders", "work_orders",
              (ODataFilter(("UpdatedDate_DTO", "CreatedDate_DTO", "CallDate_DTO")),), style=ODATA),
        of_work_order("/notes", "work_order_notes"),
        of_work_order("/workactivities", "work_activities"),
        Route("/v3/odata/invoices", "invoices", (ODataFilter(("PostedDate",)),), style=ODATA),
        Route("/v3/odata/rfps", "rfps", style=ODATA),
        Route("/v3/locations", "locations"),
        Route("/v3/trades", "trades"),
    )  # fmt: skip

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.tokens = TokenIssuer(self.clock, lifetime=timedelta(minutes=10))
        self.door = OAuthDoor("/oauth/token", CLIENT_ID, CLIENT_SECRET, self.tokens,
                              grants=("password", "refresh_token"), style="basic", refresh=FIRST_REFRESH,
                              rotates=True, user=(USER, PASSWORD), lifetime_s=599)  # fmt: skip

    def operation(self, request: Request) -> str:
        return "token" if request.path == "/oauth/token" else super().operation(request)

    def special(self, request: Request) -> Answer | None:
        return self.door.issues(request)

    def refusal(self, request: Request) -> Answer | None:
        if not self.door.admits(request):
            return self.refused(401, "Authorization has been denied for this request.")
        if self.operation(request) in self.forbidden:
            return self._error(400, 504, "The user is not permitted to do this.")
        return None

    def refused(self, status: int, message: str) -> Answer:
        return self._error(status, 922 if "pageSize" in message else status, message)

    def _error(self, status: int, code: int, message: str) -> Answer:
        return json_answer(
            {"ErrorCodes": [code], "ErrorCode": code, "ErrorMessage": message, "Data": None}, status
        )


def servicechannel_demo_population(seed: int, now: datetime) -> Population:
    """120 work orders at seven locations, of the last 200 days."""
    made, population = Fiction(seed, now), Population()

    def local(at: datetime) -> str:
        """The time as the subscriber's clock shows it, five hours behind."""
        return iso(at - timedelta(hours=5)).removesuffix("Z")

    for number, name in enumerate(PLACES, start=31):
        insert_all(population, "locations", [{"Id": number, "Name": name, "StoreId": f"{number:04d}"}])
        insert_all(population, "trades", [{"Id": number, "Name": f"Trade {number}"}])
    for number in range(50_001, 50_121):
        created, updated = made.ago(200, 100), made.ago(100)
        insert_all(population, "work_orders", [{"Id": number, "Number": str(number), "PurchaseNumber": None,
            "Status": {"Primary": "OPEN", "Extended": "DISPATCHED"}, "Caller": made.first(), "CreatedBy": "pat",
            "Priority": "P2", "PriorityId": 2, "Trade": "PLUMBING", "TradeId": 5, "Category": "REPAIR",
            "CategoryId": 3, "Description": made.one_of(TROUBLES), "Nte": made.money(100, 900), "Tax": 0.0,
            "LocationId": made.number(31, 37), "Location": {"Id": 31}, "Provider": {"Id": 8, "Name": "Example"},
            "Subscriber": {"Id": 1}, "CallDate": local(created), "CallDate_DTO": iso(created),
            "ScheduledDate": local(created), "CompletedDate": None, "ExpirationDate": None,
            "CreatedDate": local(created), "CreatedDate_DTO": iso(created), "UpdatedDate": local(updated),
            "UpdatedDate_DTO": f"{local(updated)}-05:00"}])  # fmt: skip
        insert_all(population, "work_order_notes", [{"Id": number * 10 + place, "NoteData": "Called.",
            "_order": number} for place in range(2)])  # fmt: skip
        insert_all(population, "work_activities", [{"Id": number * 10 + 5, "_order": number}])
        posted = made.ago(150) if made.chance(0.8) else None
        insert_all(population, "invoices", [{"Id": number + 40_000, "Number": f"I-{number}", "Status": "Open",
            "InvoiceTotal": made.money(50, 900), "InvoiceTax": 0.0, "InvoiceBalance": 0.0,
            "Currency": {"AlphabeticalCode": "USD"}, "ApprovedDate": None,
            "PostedDate": iso(posted).removesuffix("Z") if posted else None, "Labors": [], "Materials": [],
            "Travels": [], "Others": []}])  # fmt: skip
    insert_all(population, "rfps", [{"Id": number} for number in range(1, 9)])
    return population


simulation = Simulation(
    "servicechannel", ServiceChannel, servicechannel_demo_population,
    {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "user": USER, "password": PASSWORD}, path="/v3",
    addresses={"token_url": "/oauth/token"},
)  # fmt: skip
