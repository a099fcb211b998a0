"""Xero's Accounting API 2.0, as its OpenAPI document and public client definitions tell.

Auth     OAuth: a refresh token is good once, client credentials are taken for a custom connection; access tokens
         last 30 minutes, then 401. Each list wants the id of a connected organisation in Xero-Tenant-Id, else 403.
Pages    page from 1, pageSize 100 by default, over 1,000 refused; lists without pages ignore both. Lines are
         there only where a page was asked for.
Filters  If-Modified-Since, both by seconds and in UTC; archived contacts and deleted transfers only on request.
Dates    /Date(1439434356790+0000)/.
Limits   60 requests a minute, 5 at a time; then 429 with Retry-After.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

from propexo_connect.simulators.api import (
    Allowance,
    ApiSimulator,
    Params,
    Refused,
    Route,
    insert_all,
    inside,
)
from propexo_connect.simulators.fiction import Fiction
from propexo_connect.simulators.population import Population, Record, Version
from propexo_connect.simulators.simulation import Simulation
from propexo_connect.simulators.styles import NumberStyle, WholeStyle
from propexo_connect.simulators.tokens import RotatingRefresh, TokenIssuer
from propexo_connect.simulators.wire import Answer, Request, json_answer

CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN = "xero-demo-client", "xero-demo-secret", "xero-demo-refresh"
TENANTS = ("10000000-0000-4000-8000-000000000001", "10000000-0000-4000-8000-000000000002")
PRACTICE = "10000000-0000-4000-8000-000000000003"
SINCE = "If-Modified-Since"


@dataclass(frozen=True)
class ModifiedSince:
    """Records changed (or created) at or after the instant in the header."""

    names: tuple[str, ...] = (SINCE,)

    def keep(self, params: Params, now: datetime) -> Callable[[Record], bool] | None:  # noqa: ARG002
        text = params.get(SINCE)
        if text is None:
            return None
        try:
            since = datetime.fromisoformat(text)
        except ValueError:
            raise Refused(400, f"{SINCE} is not a valid date.") from None
        since = since if since.tzinfo else since.replace(tzinfo=UTC)
        return lambda record: datetime.fromisoformat(str(record["_changed"])) >= since


@dataclass(frozen=True)
class Hidden:
    """Records in a state are left out unless a parameter is true."""

    param: str
    field: str
    state: str

    @property
    def names(self) -> tuple[str, ...]:
        return (self.param,)

    def keep(self, params: Params, now: datetime) -> Callable[[Record], bool] | None:  # noqa: ARG002
        if params.get(self.param) == "true":
            return None
        return lambda record: record.get(self.field) != self.state


@dataclass(frozen=True)
class OfTenant:
    """The records of the organisation that the header names."""

    names: tuple[str, ...] = ("Xero-Tenant-Id",)

    def keep(self, params: Params, now: datetime) -> Callable[[Record], bool] | None:  # noqa: ARG002
        return lambda record: record["_tenant"] == params["Xero-Tenant-Id"]


def paged(endpoint: str, collection: str, *filters: Any) -> Route:
    """A list with pages."""
    style = NumberStyle("page", "pageSize", default=100, cap=1000, over_cap="refuse", records=endpoint)
    return Route(f"/api.xro/2.0/{endpoint}", collection, (OfTenant(), ModifiedSince(), *filters), style)


def whole(endpoint: str, collection: str, *filters: Any, records: str = "") -> Route:
    """A list without pages."""
    return Route(
        f"/api.xro/2.0/{endpoint}", collection, (OfTenant(), *filters), WholeStyle(records or endpoint)
    )


class Xero(ApiSimulator):
    """Xero on loopback."""

    most_at_once = 5
    allowances = (Allowance(60, 60, only=("/api.xro/",)),)
    routes = (
        Route("/connections", "connections", style=WholeStyle()),
        paged("Invoices", "invoices", Hidden("includeArchived", "Status", "ARCHIVED")),
        paged("Contacts", "contacts", Hidden("includeArchived", "ContactStatus", "ARCHIVED")),
        paged("BankTransactions", "bank_transactions"),
        paged("Payments", "payments"),
        paged("CreditNotes", "credit_notes"),
        paged("ManualJournals", "manual_journals"),
        paged("PurchaseOrders", "purchase_orders"),
        paged("Prepayments", "prepayments"),
        paged("Overpayments", "overpayments"),
        whole("Accounts", "accounts", ModifiedSince()),
        whole("Items", "items", ModifiedSince()),
        whole("Employees", "employees", ModifiedSince()),
        whole("Users", "users", ModifiedSince()),
        whole(
            "BankTransfers", "bank_transfers", ModifiedSince(), Hidden("includeDeleted", "Status", "DELETED")
        ),
        whole("TrackingCategories", "tracking_categories", Hidden("includeArchived", "Status", "ARCHIVED")),
        whole("TaxRates", "tax_rates"),
        whole("Organisation", "organisations", records="Organisations"),
    )

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.tokens = TokenIssuer(self.clock, lifetime=timedelta(minutes=30), prefix="xero")
        self.refresh = RotatingRefresh(self.tokens, REFRESH_TOKEN)

    def operation(self, request: Request) -> str:
        return "tokens" if request.path == "/connect/token" else super().operation(request)

    def special(self, request: Request) -> Answer | None:
        if request.path != "/connect/token":
            return None
        sent = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        if (sent.get("client_id"), sent.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            return json_answer({"error": "invalid_client"}, 400)
        told: dict[str, object] = {"token_type": "Bearer", "expires_in": 1800}
        if sent.get("grant_type") == "client_credentials":
            return json_answer({**told, "access_token": self.tokens.issue().value})
        redeemed = self.refresh.redeem(sent.get("refresh_token"))
        if redeemed is None:
            return json_answer({"error": "invalid_grant"}, 400)
        token, following = redeemed
        return json_answer({**told, "access_token": token.value, "refresh_token": following})

    def refusal(self, request: Request) -> Answer | None:
        if not self.tokens.admits(request.bearer):
            return self.refused(401, "AuthenticationUnsuccessful")
        if request.path.startswith("/api.xro/") and request.header("Xero-Tenant-Id") not in TENANTS:
            return self.refused(403, "AuthenticationUnsuccessful")
        if "json" not in (request.header("Accept") or ""):
            return self.refused(406, "The simulator answers in JSON only")
        return None

    def refused(self, status: int, message: str) -> Answer:
        problem = (("X-Rate-Limit-Problem", "minute"),) if status == 429 else ()
        told = {"Type": None, "Title": message, "Status": status, "Detail": message}
        return json_answer(told, status, headers=problem)

    def params(self, request: Request) -> Params:
        headers = {name: request.header(name) for name in (SINCE, "Xero-Tenant-Id")}
        return {**dict(request.query), **{name: text for name, text in headers.items() if text is not None}}

    def listed(self, route: Route, places: Mapping[str, str], request: Request) -> Answer:
        if "page" not in self.params(request):
            route = replace(route, show=_without_lines)
        return super().listed(route, places, request)

    def rows(self, route: Route, places: Mapping[str, str], params: Params) -> Sequence[Version]:
        rows = list(super().rows(route, places, params))
        field, _, direction = params.get("order", "").partition(" ")
        if field:
            rows.sort(key=lambda version: str(inside(version.content, field)), reverse=direction == "DESC")
        return rows


def _without_lines(record: Record) -> object:
    hidden = {"LineItems", "JournalLines"}
    return {name: value for name, value in record.items() if not name.startswith("_") and name not in hidden}


def dotnet(at: datetime) -> str:
    """/Date(1439434356790+0000)/"""
    return f"/Date({int(at.timestamp() * 1000)}+0000)/"


TRANSACTIONS = (
    ("invoices", "InvoiceID", {"Type": "ACCREC", "InvoiceNumber": "INV-0001"}),
    ("bank_transactions", "BankTransactionID", {"Type": "SPEND", "IsReconciled": True}),
    ("credit_notes", "CreditNoteID", {"Type": "ACCRECCREDIT"}),
    ("purchase_orders", "PurchaseOrderID", {"PurchaseOrderNumber": "PO-0001"}),
    ("prepayments", "PrepaymentID", {"Type": "RECEIVE-PREPAYMENT"}),
    ("overpayments", "OverpaymentID", {"Type": "RECEIVE-OVERPAYMENT"}),
)


def xero_demo_population(seed: int, now: datetime) -> Population:
    """Two organisations with contacts, the transactions of 200 days and the settings; and a practice."""
    made, population = Fiction(seed, now), Population()
    for number, tenant in enumerate((*TENANTS, PRACTICE), start=1):
        kind = "PRACTICE" if tenant == PRACTICE else "ORGANISATION"
        insert_all(population, "connections", [{"id": made.uuid(), "tenantId": tenant, "tenantType": kind,
            "tenantName": f"Elm Court {number}", "createdDateUtc": "2025-12-07T18:46:19.5165400",
            "updatedDateUtc": "2025-12-07T18:46:19.5187840"}], key="id")  # fmt: skip
    for tenant in TENANTS:
        _organisation(made, population, tenant)
    return population


def _organisation(made: Fiction, population: Population, tenant: str) -> None:
    """The books of one organisation."""

    def put(collection: str, key: str, record: Record, changed: str = "UpdatedDateUTC") -> None:
        at = made.ago(200)
        held = {
            key: made.uuid(),
            **record,
            changed: dotnet(at),
            "_changed": at.isoformat(),
            "_tenant": tenant,
        }
        insert_all(population, collection, [{**held, "_key": f"{tenant}/{held[key]}"}], key="_key")

    for number in range(1, 26):
        first, last = made.first(), made.last()
        put("contacts", "ContactID", {"Name": f"{first} {last} {number}", "FirstName": first, "LastName": last,
            "EmailAddress": made.email(first, last), "ContactStatus": "ARCHIVED" if number % 8 == 0 else "ACTIVE",
            "BankAccountDetails": "00-0000-0000000-00", "TaxNumber": "00-000-000"})  # fmt: skip
        for collection, key, own in TRANSACTIONS:
            amount, day = made.money(20, 2400), made.day(200)
            noon = datetime(day.year, day.month, day.day, tzinfo=UTC)
            put(collection, key, {**own, "Status": made.one_of(("AUTHORISED", "PAID", "VOIDED")),
                "Date": dotnet(noon), "DateString": f"{day}T00:00:00", "SubTotal": amount, "TotalTax": 0.0,
                "Total": amount, "CurrencyCode": "USD", "LineItems": [{"Description": "Rent", "LineAmount": amount}],
                "Contact": {"ContactID": made.uuid(), "TaxNumber": "00-000-000"}})  # fmt: skip
        put("payments", "PaymentID", {"Amount": made.money(20, 900), "Status": "AUTHORISED",
            "BankAccountNumber": "00-0000-0000000-00"})  # fmt: skip
        put("manual_journals", "ManualJournalID", {"Narration": "Accrual", "Status": "POSTED",
            "JournalLines": [{"LineAmount": 10.0}]})  # fmt: skip
    for number in range(1, 9):
        put(
            "accounts", "AccountID", {"Code": f"{number:03d}", "Name": f"Account {number}", "Type": "REVENUE"}
        )
        put("items", "ItemID", {"Code": f"I{number}", "Name": f"Item {number}", "IsSold": True})
        put(
            "employees",
            "EmployeeID",
            {"FirstName": made.first(), "LastName": made.last(), "Status": "ACTIVE"},
        )
        put("users", "UserID", {"FirstName": made.first(), "EmailAddress": f"user{number}@example.com"})
        put("bank_transfers", "BankTransferID", {"Amount": made.money(1, 99),
            "Status": "DELETED" if number == 8 else "AUTHORISED"}, "CreatedDateUTC")  # fmt: skip
        put("tracking_categories", "TrackingCategoryID", {"Name": f"Region {number}",
            "Status": "ARCHIVED" if number == 8 else "ACTIVE", "Options": []})  # fmt: skip
    put("tax_rates", "_id", {"TaxType": "OUTPUT", "Name": "Tax on Sales", "EffectiveRate": 8.25})
    put("organisations", "OrganisationID", {"Name": "Elm Court", "BaseCurrency": "USD", "APIKey": "demo-api-key",
        "TaxNumber": "00-0000000"}, "CreatedDateUTC")  # fmt: skip


simulation = Simulation(
    "xero", Xero, xero_demo_population,
    {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "refresh_token": REFRESH_TOKEN},
    addresses={"token_url": "/connect/token"},
)  # fmt: skip
