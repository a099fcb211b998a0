"""Stripe's API v1, as its documents tell.

Auth     a key as Bearer, or as the user of Basic; else 401. Stripe-Account shows a connected account's objects.
Pages    {"object":"list","url","has_more","data"}; newest first; limit 10 by default, over 100 refused;
         starting_after an id that is not there is refused.
Filters  created[gte|gt|lte|lt] in Unix seconds. Subscriptions hide cancelled ones without status=all. No list
         knows an update. /events takes type and types[], holds 30 days, and shows objects as they were.
Limits   25 requests a second, as in test mode; 429 with the type rate_limit.
Refusals {"error":{"type","message"}}. Unknown parameters are refused, so that a misspelt filter is seen.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from propexo_connect.simulators.api import Allowance, ApiSimulator, DateRange, Equal, Params, Refused, Route
from propexo_connect.simulators.doors import BasicDoor, BearerDoor
from propexo_connect.simulators.fiction import Fiction
from propexo_connect.simulators.population import Population, Record, Version
from propexo_connect.simulators.simulation import Simulation
from propexo_connect.simulators.styles import LastIdStyle
from propexo_connect.simulators.wire import Answer, Request, json_answer

KEY = "rk_test_demo"
OWN, CONNECTED = "acct_demo", "acct_demo_connected"
HELD = timedelta(days=30)

CREATED = (
    DateRange("created[gte]", "created[lte]", "created", reads="epoch"),
    DateRange("created[gt]", "created[lt]", "created", reads="epoch"),
)


@dataclass(frozen=True)
class Types:
    """Events of one type (`charge.*` is a group), or of up to 20 types."""

    names: tuple[str, ...] = ("type", "types[]")

    def keep(self, params: Params, now: datetime) -> Callable[[Record], bool] | None:  # noqa: ARG002
        wanted = params.get("types[]", "").split(",") if "types[]" in params else []
        if len(wanted) > 20:
            raise Refused(400, "types must hold at most 20 types.")
        one = params.get("type")
        if one is not None and one.endswith("*"):
            return lambda record: str(record["type"]).startswith(one[:-1])
        among = {*wanted, *((one,) if one else ())}
        return (lambda record: record["type"] in among) if among else None


@dataclass(frozen=True)
class Statuses:
    """Subscriptions of a status; without one, all but cancelled ones."""

    names: tuple[str, ...] = ("status",)

    def keep(self, params: Params, now: datetime) -> Callable[[Record], bool] | None:  # noqa: ARG002
        wanted = params.get("status")
        if wanted == "all":
            return None
        return lambda record: record["status"] == wanted if wanted else record["status"] != "canceled"


def listed(name: str, *filters: Any, path: str = "", **more: Any) -> Route:
    """A list at the address of its name."""
    return Route(f"/v1/{path or name}", name, (*CREATED, *filters), **more)


class Stripe(ApiSimulator):
    """Stripe on loopback."""

    doors = (BearerDoor(KEY), BasicDoor(KEY))
    style = LastIdStyle(extra={"object": "list"})
    refuses_unknown = True
    always_known = ("_account", "ending_before")
    allowances = (Allowance(25, 1, retry_after=False),)
    routes = (
        *(listed(name) for name in ("charges", "payment_intents", "refunds", "disputes", "payouts", "customers",
                                    "invoices", "products", "prices", "transfers", "application_fees",
                                    "accounts")),
        listed("balance_transactions", Equal("payout", "_payout")),
        listed("invoice_items", path="invoiceitems"),
        listed("subscriptions", Statuses()),
        listed("events", Types()),
        Route("/v1/customers/{customer}/payment_methods", "payment_methods", of={"customer": "customer"},
              parents={"customer": "customers"}),
        Route("/v1/invoices/{invoice}/lines", "invoice_lines", of={"invoice": "_invoice"},
              parents={"invoice": "invoices"}),
    )  # fmt: skip

    def operation(self, request: Request) -> str:
        found = super().operation(request)
        return (
            "payout_lines" if found == "balance_transactions" and "payout=" in request.head.target else found
        )

    def refusal(self, request: Request) -> Answer | None:
        if not any(door.admits(request) for door in self.doors):
            return self.refused(401, "Invalid API Key provided.")
        if request.header("stripe-account") not in {None, OWN, CONNECTED}:
            return self.refused(403, "The key has no access to this account.")
        return None

    def params(self, request: Request) -> Params:
        types = [value for name, value in request.query if name == "types[]"]
        joined = {"types[]": ",".join(types)} if types else {}
        return {**dict(request.query), **joined, "_account": request.header("stripe-account") or OWN}

    def rows(self, route: Route, places: Mapping[str, str], params: Params) -> Sequence[Version]:
        if "payout" in params:
            payout = self.population.view("payouts", self.clock.now()).record(params["payout"])
            if not payout["automatic"]:
                raise Refused(400, "Balance history can only be filtered on automatic payouts.")
        rows = super().rows(route, places, params)
        rows = [row for row in rows if row.content.get("_account", OWN) == params["_account"]]
        if route.collection == "events":
            oldest = int((self.clock.now() - HELD).timestamp())
            rows = [row for row in rows if _created(row.content) >= oldest]
        rows.reverse()
        return sorted(rows, key=lambda row: -_created(row.content))

    def refused(self, status: int, message: str) -> Answer:
        kind = "rate_limit" if status == 429 else "invalid_request_error"
        return json_answer({"error": {"type": kind, "message": message}}, status)


def _created(record: Record) -> int:
    created = record.get("created")
    return created if isinstance(created, int) else 0


def stripe_demo_population(seed: int, now: datetime) -> Population:
    """A year of rents paid by card in one account, and a few in an account connected to it."""
    made, population = Fiction(seed, now), Population()

    def put(collection: str, kind: str, number: int, at: datetime, **more: Any) -> Record:
        record: Record = {"id": f"{kind}_{number:04d}", "object": collection.removesuffix("s"),
            "created": int(at.timestamp()), "livemode": False, "metadata": {}, **more}  # fmt: skip
        population.insert(collection, record, key=str(record["id"]))
        return record

    def tell(kind: str, record: Record, at: datetime, **then: Any) -> None:
        """An event that shows a record as it was then."""
        account = {"_account": record["_account"]} if "_account" in record else {}
        shown = {name: value for name, value in record.items() if not name.startswith("_")}
        put("events", "evt", len(population.truth("events")) + 1, at, type=kind, **account,
            data={"object": {**shown, **then}})  # fmt: skip

    for number in range(1, 13):
        joined, first, last = made.ago(340, 40), made.first(), made.last()
        customer = put(
            "customers", "cus", number, joined, name=f"{first} {last}", email=made.email(first, last)
        )
        put("payment_methods", "pm", number, joined, customer=customer["id"], type="card")
        canceled = number % 4 == 0
        subscription = put("subscriptions", "sub", number, joined, customer=customer["id"],
                           status="canceled" if canceled else "active")  # fmt: skip
        if canceled:
            tell("customer.subscription.deleted", subscription, made.ago(20))
        if number % 3 == 0:
            tell("customer.updated", customer, made.ago(25))
    for number in range(1, 121):
        account = {"_account": CONNECTED} if number > 110 else {}
        at = made.ago(330, 1)
        amount = made.number(90_000, 210_000)
        money = {"amount": amount, "currency": "usd", **account}
        bought = {"customer": f"cus_{made.number(1, 12):04d}", **money}
        intent = put("payment_intents", "pi", number, at, **bought, status="succeeded",
                     client_secret=f"pi_{number:04d}_secret_demo")  # fmt: skip
        is_refunded, is_disputed = number % 10 == 0, number % 15 == 0
        charge = put("charges", "ch", number, at, **bought, paid=True, captured=True, status="succeeded",
                     amount_captured=amount, amount_refunded=amount if is_refunded else 0, refunded=is_refunded,
                     disputed=is_disputed, payment_intent=intent["id"])  # fmt: skip
        tell("payment_intent.succeeded", intent, at)
        tell("charge.succeeded", charge, at, amount_refunded=0, refunded=False, disputed=False)
        later = min(at + timedelta(days=made.number(20, 60)), now - timedelta(hours=1))
        if is_refunded:
            refund = put("refunds", "re", number, later, **money, charge=charge["id"], status="succeeded")
            tell("refund.created", refund, later)
            tell("charge.refunded", charge, later, disputed=False)
        if is_disputed:
            dispute = put(
                "disputes", "dp", number, later, **money, charge=charge["id"], status="needs_response"
            )
            tell("charge.dispute.created", dispute, later)
            tell("charge.updated", charge, later)
        payout = number // 10 + 1
        put("balance_transactions", "txn", number, at, **money, source=charge["id"], type="charge",
            status="pending" if at > now - timedelta(days=5) else "available", _payout=f"po_{payout:04d}")  # fmt: skip
        invoice = put("invoices", "in", number, at, **account, status="paid", amount_paid=amount,
                      customer=bought["customer"])  # fmt: skip
        tell("invoice.paid", invoice, at)
        for line in range(12 if number == 1 else 2):
            population.insert("invoice_lines", {"id": f"il_{number:04d}_{line:02d}", "object": "line_item",
                "amount": amount // 2, "currency": "usd", "_invoice": invoice["id"], **account},
                key=f"il_{number:04d}_{line:02d}")  # fmt: skip
    _other_objects(made, put, tell)
    population.insert("accounts", {"id": CONNECTED, "object": "account", "created": int(made.ago(300).timestamp()),
        "individual": {"first_name": "Pat", "dob": {"year": 1990, "month": 1, "day": 1}}}, key=CONNECTED)  # fmt: skip
    return population


def _other_objects(made: Fiction, put: Callable[..., Record], tell: Callable[..., None]) -> None:
    """Payouts every 25 days, of which one is not automatic; a few of everything else."""
    for number in range(1, 14):
        at = made.now - timedelta(days=number * 25)
        payout = put("payouts", "po", number, at, amount=made.number(1, 9) * 100_000, currency="usd",
                     automatic=number != 2, status="paid")  # fmt: skip
        tell("payout.paid", payout, at)
    for number, name in enumerate(("Rent", "Parking", "Storage"), 1):
        product = put("products", "prod", number, made.ago(300, 200), name=name, active=number != 3)
        put("prices", "price", number, made.ago(199, 100), product=product["id"], unit_amount=9_500)
        put("invoice_items", "ii", number, made.ago(90), amount=9_500, currency="usd", customer="cus_0001")
        put("transfers", "tr", number, made.ago(200), amount=40_000, currency="usd", destination=CONNECTED)
        put("application_fees", "fee", number, made.ago(200), amount=900, currency="usd", account=CONNECTED)


simulation = Simulation("stripe", Stripe, stripe_demo_population, {"api_key": KEY}, path="/v1")
