"""QuickBooks Online's Accounting API, as its public client definitions and documents tell.

Auth     OAuth: the token address takes each refresh token once; access tokens last an hour, then 401.
Queries  SELECT * FROM Entity [WHERE …] [ORDER BY …] STARTPOSITION n MAXRESULTS m; positions count from 1, more
         than 1,000 results or another language are refused with 400; times need an offset with a colon.
         `Active IN (true,false)` shows inactive names, which are hidden otherwise.
Answers  the entity's key is absent where nothing was found; refusals are a Fault.
Limits   500 requests a minute and 10 at a time for a company; then 429.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

from propexo_connect.simulators.api import (
    Allowance,
    ApiSimulator,
    Refused,
    Route,
    insert_all,
    inside,
    instant_of,
)
from propexo_connect.simulators.fiction import Fiction
from propexo_connect.simulators.population import Population, Record, Version
from propexo_connect.simulators.simulation import Simulation
from propexo_connect.simulators.tokens import RotatingRefresh, TokenIssuer
from propexo_connect.simulators.wire import Answer, Request, json_answer

REALM, CLIENT_ID, CLIENT_SECRET = "9130000000000001", "quickbooks-demo-client", "quickbooks-demo-secret"
REFRESH_TOKEN = "quickbooks-demo-refresh"  # noqa: S105 - fictional

HAVE_ACTIVE = {
    "Account": "accounts", "Class": "classes", "Customer": "customers", "Department": "departments",
    "Employee": "employees", "Item": "items", "PaymentMethod": "payment_methods", "TaxCode": "tax_codes",
    "TaxRate": "tax_rates", "Term": "terms", "Vendor": "vendors",
}  # fmt: skip
OTHERS = {
    "Bill": "bills", "BillPayment": "bill_payments", "CreditMemo": "credit_memos", "Deposit": "deposits",
    "Estimate": "estimates", "Invoice": "invoices", "JournalEntry": "journal_entries", "Payment": "payments",
    "Purchase": "purchases", "PurchaseOrder": "purchase_orders", "RefundReceipt": "refund_receipts",
    "SalesReceipt": "sales_receipts", "TaxAgency": "tax_agencies", "TimeActivity": "time_activities",
    "Transfer": "transfers", "VendorCredit": "vendor_credits",
}  # fmt: skip
ENTITIES = {**HAVE_ACTIVE, **OTHERS}

QUERY = re.compile(
    r"select \* from (?P<entity>\w+)(?: where (?P<where>.+?))?(?: order ?by (?P<order>\S+) asc)?"
    r"(?: startposition (?P<start>\d+))?(?: maxresults (?P<size>\d+))?",
    re.IGNORECASE,
)
TERM = re.compile(r"Metadata\.LastUpdatedTime (?P<operator>>=|<=|>|<) '(?P<bound>[^']*)'", re.IGNORECASE)
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
UPDATED = "MetaData.LastUpdatedTime"


def updated(record: Record) -> datetime:
    """When a record was last updated."""
    at = instant_of(inside(record, UPDATED))
    if at is None:
        raise LookupError("a record without the time of its last update")
    return at


class Quickbooks(ApiSimulator):
    """One company of QuickBooks Online on loopback."""

    most_at_once = 10
    allowances = (Allowance(500, 60, retry_after=False, only=("/v3/",)),)
    routes = (Route("/v3/company/{realm}/query", "query"),)

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.tokens = TokenIssuer(self.clock, lifetime=timedelta(hours=1), prefix="quickbooks")
        self.refresh = RotatingRefresh(self.tokens, REFRESH_TOKEN)

    def operation(self, request: Request) -> str:
        if request.path == "/oauth2/v1/tokens/bearer":
            return "tokens"
        found = QUERY.fullmatch(dict(request.query).get("query", ""))
        return ENTITIES.get(found["entity"], "other") if found else "other"

    def special(self, request: Request) -> Answer | None:
        if request.path != "/oauth2/v1/tokens/bearer":
            return None
        sent = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        if (sent.get("client_id"), sent.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            return json_answer({"error": "invalid_client"}, 401)
        is_refresh = request.method == "POST" and sent.get("grant_type") == "refresh_token"
        redeemed = self.refresh.redeem(sent.get("refresh_token")) if is_refresh else None
        if redeemed is None:
            return json_answer({"error": "invalid_grant"}, 400)
        token, following = redeemed
        return json_answer({"access_token": token.value, "refresh_token": following, "token_type": "bearer",
                            "expires_in": 3600, "x_refresh_token_expires_in": 8_640_000})  # fmt: skip

    def refusal(self, request: Request) -> Answer | None:
        if not self.tokens.admits(request.bearer):
            return self.refused(401, "message=AuthenticationFailed")
        if not request.path.startswith(f"/v3/company/{REALM}/"):
            return self.refused(403, "message=ApplicationAuthorizationFailed")
        return None

    def refused(self, status: int, message: str) -> Answer:
        kind = {401: "AUTHENTICATION", 403: "AUTHORIZATION", 429: "THROTTLED"}.get(status, "ValidationFault")
        error = {"Message": message, "Detail": message, "code": str(status)}
        told = {"Fault": {"Error": [error], "type": kind}, "time": self.clock.now().isoformat()}
        return json_answer(told, status)

    def listed(self, route: Route, places: Mapping[str, str], request: Request) -> Answer:  # noqa: ARG002
        found = QUERY.fullmatch(dict(request.query).get("query", ""))
        if found is None or found["entity"] not in ENTITIES:
            raise Refused(400, "Error parsing query")
        start, size = int(found["start"] or 1), int(found["size"] or 100)
        if start < 1 or not 1 <= size <= 1000:
            raise Refused(400, "STARTPOSITION counts from 1, MAXRESULTS reaches 1000")
        rows = self.found(found["entity"], found["where"] or "")
        if found["order"] is not None and found["order"].lower() != UPDATED.lower():
            raise Refused(400, f"Property {found['order']} cannot be sorted by")
        chosen = rows[start - 1 : start - 1 + size]
        body: dict[str, object] = {}
        if chosen:
            body = {found["entity"]: [self.shown(route, version.content) for version in chosen],
                    "startPosition": start, "maxResults": len(chosen)}  # fmt: skip
        told = {"QueryResponse": body, "time": self.clock.now().isoformat()}
        return json_answer(told, served={ENTITIES[found["entity"]]: tuple(chosen)})

    def found(self, entity: str, where: str) -> Sequence[Version]:
        """What a condition asks for, by the time of the last update. Raises: Refused."""
        rows = list(self.population.view(ENTITIES[entity], self.clock.now()).versions)
        hides_inactive = entity in HAVE_ACTIVE
        for term in where.split(" AND ") if where else ():
            if term.replace(" ", "").lower() == "activein(true,false)":
                if entity not in HAVE_ACTIVE:
                    raise Refused(400, "Property Active not found for Entity " + entity)
                hides_inactive = False
                continue
            found = TERM.fullmatch(term)
            if found is None or not INSTANT.fullmatch(found["bound"]):
                raise Refused(400, f"Error parsing query at {term}")
            bound = datetime.fromisoformat(found["bound"])
            rows = [row for row in rows if _is_so(updated(row.content), found["operator"], bound)]
        if hides_inactive:
            rows = [row for row in rows if row.content.get("Active") is not False]
        return sorted(rows, key=lambda version: updated(version.content))


def _is_so(at: datetime, operator: str, bound: datetime) -> bool:
    match operator:
        case ">":
            return at > bound
        case ">=":
            return at >= bound
        case "<":
            return at < bound
        case _:
            return at <= bound


def quickbooks_demo_population(seed: int, now: datetime) -> Population:
    """The books of a small manager: names, some of them inactive, and the transactions of 200 days."""
    made, population = Fiction(seed, now), Population()
    zone = ZoneInfo("America/Los_Angeles")

    def told(at: datetime) -> str:
        return at.astimezone(zone).isoformat(timespec="seconds")

    def shared(number: int) -> dict[str, object]:
        at = made.ago(200)
        return {"Id": str(number), "SyncToken": "0", "domain": "QBO", "sparse": False,
                "MetaData": {"CreateTime": told(at - timedelta(days=9)), "LastUpdatedTime": told(at)}}  # fmt: skip

    for entity, collection in HAVE_ACTIVE.items():
        for number in range(1, 13):
            record = {**shared(number), "Active": number % 6 != 0}
            if entity in {"Customer", "Vendor", "Employee"}:
                first, last = made.first(), made.last()
                record |= {"DisplayName": f"{first} {last} {number}", "GivenName": first, "FamilyName": last,
                           "PrimaryEmailAddr": {"Address": made.email(first, last)}}  # fmt: skip
            else:
                record["Name"] = f"{entity} {number}"
            if entity == "Employee":
                record |= {"SSN": "000-00-0000", "BirthDate": "1990-01-01"}
            if entity == "Vendor":
                record["TaxIdentifier"] = "00-0000000"
            insert_all(population, collection, [record])
    for collection in OTHERS.values():
        for number in range(101, 141):
            day, amount = str(made.day(200)), made.money(20, 2400)
            record = {**shared(number), "DocNumber": str(number), "TxnDate": day, "TotalAmt": amount,
                      "CurrencyRef": {"value": "USD", "name": "United States Dollar"},
                      "Line": [{"Id": "1", "LineNum": 1, "Amount": amount, "DetailType": "SalesItemLineDetail"}]}  # fmt: skip
            if collection == "invoices":
                record |= {
                    "DueDate": day,
                    "Balance": amount,
                    "CustomerRef": {"value": "1", "name": "Customer 1"},
                }
            insert_all(population, collection, [record])
    return population


simulation = Simulation(
    "quickbooks", Quickbooks, quickbooks_demo_population,
    {"realm_id": REALM, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "refresh_token": REFRESH_TOKEN},
    addresses={"token_url": "/oauth2/v1/tokens/bearer"},
)  # fmt: skip
