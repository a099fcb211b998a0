"""Rent Manager's Web API, as observed live.

Auth     AuthorizeUser answers the token as a JSON text; 24 hours, 15 minutes without use, then 401. A user who
         must reset the password gets 500. The location is in the log-in or in X-RM12Api-LocationId, else 400.
Pages    bare arrays; PageSize (1,000 by default, at most 5,000) and PageNumber in any letter case; x-total-results,
         x-results and Link. Whatever asks for an order is ignored, except orderingOptions: 404.
Filters  `Field,op,value;…` in `filters`; a field that the model lacks is 400 with ModelState. Nothing found is 204.
Fields   `fields` chooses; `embeds` works for names that are in `fields`, too; `embed` answers an empty array.
Records  null fields are left out. An unknown route is 404 with a message, a missing record 404 with nothing.
Limits   500 requests in a minute for the company, five headers on every answer, then 429.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any, cast

import orjson

from propexo_connect.simulators.api import ApiSimulator, Params, Refused, Route, insert_all
from propexo_connect.simulators.fiction import PLACES, TROUBLES, Fiction
from propexo_connect.simulators.population import Population, Record
from propexo_connect.simulators.simulation import Simulation
from propexo_connect.simulators.styles import NumberStyle, address
from propexo_connect.simulators.wire import Answer, Request, json_answer

USER, PASSWORD, LOCATION = "propexo", "rent-manager-demo-password", 1
API_TOKEN, PLACE = "X-RM12Api-ApiToken", "X-RM12Api-LocationId"

RESOURCES = {
    "Properties": "PropertyID", "Units": "UnitID", "Tenants": "TenantID", "Leases": "LeaseID", "Charges": "ChargeID",
    "Payments": "PaymentID", "Credits": "CreditID", "Journals": "JournalID", "Bills": "BillID",
    "GLAccounts": "GLAccountID", "Owners": "OwnerID", "Vendors": "VendorID", "Contacts": "ContactID",
    "Prospects": "ProspectID", "ServiceManagerIssues": "ServiceManagerIssueID",
    "RecurringCharges": "RecurringChargeID", "HistoryNotes": "HistoryNoteID", "Inspections": "InspectionID",
    "UserDefinedFields": "UserDefinedFieldID", "UserDefinedValues": "UserDefinedValueID", "Banks": "BankID",
    "Deposits": "DepositID", "Reconciliations": "ReconciliationID", "Applications": "ApplicationID",
    "Tasks": "TaskID", "Violations": "ViolationID",
}  # fmt: skip
"""Resources and their keys."""

EMBEDS = ("LeaseRenewals",)

COMPARES: dict[str, Callable[[str, str], bool]] = {
    "eq": lambda held, asked: held == asked,
    "ne": lambda held, asked: held != asked,
    "gt": lambda held, asked: held > asked,
    "gte": lambda held, asked: held >= asked,
    "ge": lambda held, asked: held >= asked,
    "lt": lambda held, asked: held < asked,
    "lte": lambda held, asked: held <= asked,
    "ct": lambda held, asked: asked in held,
}


@dataclass(frozen=True)
class Language:
    """`filters=Field,op,value;…`: all terms must hold. `known` are the fields of the resource."""

    known: frozenset[str]
    names: tuple[str, ...] = ("filters",)

    def keep(self, params: Params, now: datetime) -> Callable[[Record], bool] | None:  # noqa: ARG002
        terms = [tuple(term.split(",", 2)) for term in params.get("filters", "").split(";") if term]
        for term in terms:
            if len(term) != 3 or term[0] not in self.known or term[1] not in COMPARES:
                raise Refused(400, "filters")
        return lambda record: all(
            COMPARES[op](str(record.get(name, "")), value.removesuffix("Z")) for name, op, value in terms
        )


def route(resource: str, key: str) -> Route:
    """A resource with its fields; any of them can be filtered by."""
    known = frozenset({key, "CreateDate", "UpdateDate", "IsActive", "PropertyID", "Name", "Status"})
    return Route(
        f"/{resource}", resource, (Language(known),), also=("fields", "embeds", "orderby", "Orderings")
    )


class RentManager(ApiSimulator):
    """Rent Manager on loopback."""

    style = NumberStyle("pagenumber", "pagesize", default=1000, cap=5000, total="header:x-total-results")
    routes = tuple(route(resource, key) for resource, key in RESOURCES.items())
    per_minute = 500
    must_reset_password = False
    cannot_list: frozenset[str] = frozenset()

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._issued: dict[str, datetime] = {}
        self._used: dict[str, datetime] = {}
        self._located: set[str] = set()
        self._passes: deque[float] = deque()

    def answer(self, request: Request) -> Answer:
        answer = super().answer(request) if self._count() else self.refused(429, "Too many requests.")
        return Answer(answer.status, answer.body, (*answer.headers, *self._limits()), answer.served)

    def params(self, request: Request) -> Params:
        """The query; the names of paging in any letter case."""
        paging = {"pagenumber", "pagesize"}
        return {(name.lower() if name.lower() in paging else name): value for name, value in request.query}

    def special(self, request: Request) -> Answer | None:
        if request.path == "/Authentication/AuthorizeUser" and request.method == "POST":
            return self._log_in(request)
        return None

    def operation(self, request: Request) -> str:
        return "log_in" if request.path.startswith("/Authentication") else super().operation(request)

    def refusal(self, request: Request) -> Answer | None:
        token, now = request.header(API_TOKEN) or "", self.clock.now()
        is_old = token not in self._issued or now >= self._issued[token] + timedelta(hours=24)
        if is_old or now >= self._used[token] + timedelta(minutes=15):
            return self.refused(401, "The token is not valid.")
        self._used[token] = now
        if token not in self._located and request.header(PLACE) != str(LOCATION):
            return self.refused(400, "A location is needed.")
        resource, _, key = request.path.strip("/").partition("/")
        if key and resource in RESOURCES:
            return Answer(404)
        if resource in self.cannot_list:
            return self.refused(403, "The privilege is missing.")
        if "orderingOptions" in dict(request.query):
            return json_answer({"Message": "No resource was found."}, 404)
        if "embed" in dict(request.query):
            return json_answer([])
        return None

    def refused(self, status: int, message: str) -> Answer:
        if status == 404:
            return json_answer({"Message": message}, 404)
        if message == "filters":
            state = {"filters": ["The field or operation is not valid."]}
            return json_answer({"Message": "The request is invalid.", "ModelState": state}, 400)
        told = {
            "DeveloperMessage": message,
            "UserMessage": message,
            "ErrorCode": -2146233088,
            "Exception": "",
        }
        return json_answer({**told, "MoreInfoUri": ""}, status)

    def listed(self, route: Route, places: Any, request: Request) -> Answer:
        chosen = set(filter(None, self.params(request).get("fields", "").split(",")))
        embedded = chosen & set(self.params(request).get("embeds", "").split(","))
        answer = super().listed(route, places, request)
        total = int(dict(answer.headers)["x-total-results"])
        if total == 0:
            return Answer(204, headers=(("x-total-results", "0"),))
        rows = [
            _chosen(row, chosen, embedded)
            for row in cast("list[dict[str, object]]", orjson.loads(answer.body))
        ]
        told = json_answer(rows)
        number, size = (int(self.params(request).get(name, "1000")) for name in ("pagenumber", "pagesize"))
        links: tuple[tuple[str, str], ...] = ()
        if number * size < total:
            links = (("Link", f'<{address(request, {"PageNumber": str(number + 1)})}>; rel="next"'),)
        return Answer(200, told.body, (*answer.headers, ("x-results", str(len(rows))), *links), answer.served)

    def _log_in(self, request: Request) -> Answer:
        told = cast("dict[str, object]", request.json)
        if self.must_reset_password:
            body = {"UserMessage": "", "Exception": "AuthenticationForcePasswordResetException"}
            return json_answer(body, 500)
        if (told.get("Username"), told.get("Password")) != (USER, PASSWORD):
            return self.refused(401, "The name or password is wrong.")
        token = f"{len(self._issued):04d}".rjust(108, "t")
        self._issued[token] = self._used[token] = self.clock.now()
        if told.get("LocationID") == LOCATION:
            self._located.add(token)
        return json_answer(token)

    def _count(self) -> bool:
        """Whether the company has a request left in this minute."""
        now = self.clock.monotonic()
        with self._allowing:
            while self._passes and self._passes[0] <= now - 60:
                self._passes.popleft()
            if len(self._passes) >= self.per_minute:
                return False
            self._passes.append(now)
            return True

    def _limits(self) -> tuple[tuple[str, str], ...]:
        seen, reset = len(self._passes), self.clock.now() + timedelta(seconds=60)
        return (
            ("x-api-version", "12.1"),
            ("x-ratelimit-limit", str(self.per_minute)),
            ("x-ratelimit-observed", str(seen)),
            ("x-ratelimit-remaining", str(max(0, self.per_minute - seen))),
            ("x-ratelimit-reset", str(int(reset.timestamp()))),
            ("x-ratelimit-resettime", format_datetime(reset, usegmt=True)),
        )


def _chosen(row: dict[str, object], fields: set[str], embedded: set[str]) -> dict[str, object]:
    """A record without null fields and embeds, unless an embed is chosen twice."""
    return {
        name: value
        for name, value in row.items()
        if value is not None and (name in embedded if name in EMBEDS else not fields or name in fields)
    }


def rent_manager_demo_population(seed: int, now: datetime) -> Population:
    """Seven properties with some 40 leases, their people, work and money, of the last 200 days."""
    made, population = Fiction(seed, now), Population()
    number = 0

    def put(resource: str, **record: object) -> int:
        nonlocal number
        number += 1
        key = RESOURCES[resource]
        stamps = {"CreateDate": _naive(made.ago(400, 200)), "UpdateDate": _naive(made.ago(200))}
        insert_all(population, resource, [{key: number, **record, **stamps}], key=key)
        return number

    for name in PLACES:
        home = put("Properties", Name=name, IsActive=made.chance(0.9), ConcurrencyID=1)
        owner = put("Owners", Name=made.last(), IsActive=True)
        for place in range(6):
            first, last = made.first(), made.last()
            unit = put("Units", PropertyID=home, Name=f"{place}", UnitTypeID=1, Bedrooms=2, Bathrooms=1.5)
            tenant = put("Tenants", FirstName=first, LastName=last, Name=f"{last}, {first}", PropertyID=home,
                Status=made.one_of(("Current", "Past")), RentDueDay=1, RentPeriod="Monthly")  # fmt: skip
            put("Leases", TenantID=tenant, UnitID=unit, PropertyID=home, MoveInDate="2025-06-01T00:00:00",
                MoveOutDate=None, IsMoveOutConfirmed=False,
                LeaseRenewals=[{"StartDate": "2025-06-01T00:00:00", "EndDate": "2026-05-31T00:00:00"}])  # fmt: skip
            for kind in ("Charges", "Payments", "Credits"):
                put(
                    kind,
                    AccountID=tenant,
                    Amount=made.money(10, 2000),
                    TransactionDate=f"{made.day(90)}T00:00:00",
                )
            put(
                "RecurringCharges",
                EntityType="Tenant",
                EntityKeyID=tenant,
                UnitID=unit,
                Amount=made.money(900, 2000),
            )
            put(
                "ServiceManagerIssues",
                Title=made.one_of(TROUBLES),
                IsClosed=False,
                CloseDate=None,
                StatusID=2,
            )
            put("HistoryNotes", Note="Called back.", EntityKeyID=tenant)
        for kind in ("Journals", "Bills", "Contacts", "Prospects", "Vendors", "Inspections", "Deposits", "Applications",
                     "Reconciliations", "Tasks", "Violations", "UserDefinedValues"):  # fmt: skip
            put(kind, PropertyID=home, OwnerID=owner)
        put("GLAccounts", Name=f"Account {number}")
        put("Banks", Name=f"Bank {number}")
        put("UserDefinedFields", Name="Parking")
    return population


def _naive(at: datetime) -> str:
    return at.replace(tzinfo=None).isoformat()


simulation = Simulation(
    "rent_manager", RentManager, rent_manager_demo_population,
    {"corp_id": "example", "user": USER, "password": PASSWORD, "location_id": LOCATION},
)  # fmt: skip
