"""Stripe: charges, refunds, disputes, payouts and their lines, customers, invoices, subscriptions, events.

API      v1, as docs.stripe.com/api and a public connector tell; events by type as read 2026-11.
Auth     a secret key or, better, a restricted one (read only, per resource), as Bearer. Stripe-Account names
         a connected account. Stripe-Version is the account's own unless set.
Limits   about 100 operations a second live, 25 in test mode; 429 with lock_timeout or rate_limit.
Paging   starting_after the last id, limit at most 100, has_more; newest first.
Filters  created[gte], created[lte] in Unix seconds, both included. No list knows a filter by update and no
         record shows when it was updated: changes are read from /events, which holds 30 days and shows each
         object as it was at the event, in the account's own API version. What was missed in a longer gap
         comes with the full read every 29 days.
Cursor   none on what changes; created on events and balance transactions.
Deletes  are events (product.deleted); lists leave deleted objects out without a word.
Money    whole numbers of the currency's smallest unit.
"""

from dataclasses import replace
from datetime import timedelta

from pydantic import Field as Setting
from pydantic import SecretStr

from propexo_connect.connectors.api import ApiConfig, ApiConnector
from propexo_connect.http.plan import (
    Api,
    ApiStream,
    Bearer,
    Between,
    Budget,
    Changes,
    Each,
    LastId,
    Parent,
    Rate,
)


class StripeConfig(ApiConfig):
    """A Stripe account, or the accounts that are connected to it."""

    url: str = Setting(default="https://api.stripe.com/v1", description="Address of the API.")
    api_key: SecretStr = Setting(description="Restricted key with the right to read (Developers, API keys).")
    accounts: tuple[str, ...] = Setting(
        default=(), description="Connected accounts (acct_…) to read in place of the account itself."
    )
    version: str | None = Setting(
        default=None,
        description="Version (Stripe-Version) to ask in; by default the account's own, which events are written in.",
    )
    requests_per_second: int = Setting(default=25, ge=1, description="25 in test mode; about 100 live.")


MONTH = timedelta(days=30)
CREATED = Between("created", "created[gte]", "created[lte]", written="epoch", meaning="created")
EVENTS = replace(CREATED, horizon=MONTH)
# A balance transaction changes once, from pending to available.
PENDING = replace(CREATED, lookback=MONTH, full_every=3 * MONTH)
# A full read comes due before a pause is too long for the events.
SINCE = Between("created", "created[gte]", written="epoch", lookback=timedelta(hours=1),
                full_every=timedelta(days=29))  # fmt: skip


def told(kind: str, what: str, *more: str) -> Changes:
    """The events that show an object as it then was: `told("price", "created deleted")`."""
    types = [*(f"{kind}.{word}" for word in what.split()), *more]
    return Changes("/events", SINCE, reach=MONTH, params={"types[]": types}, unwrap="data.object",
                   newest_first=True)  # fmt: skip


CHARGED = told("charge", "captured expired failed pending refunded succeeded updated")
INTENDED = told("payment_intent", "amount_capturable_updated canceled created partially_funded "
                "payment_failed processing requires_action succeeded")  # fmt: skip
REFUNDED = told("refund", "created failed updated", "charge.refund.updated")
DISPUTED = told("charge.dispute", "closed created funds_reinstated funds_withdrawn updated")
PAID_OUT = told("payout", "canceled created failed paid reconciliation_completed updated")
CUSTOMER = told("customer", "created deleted updated")
INVOICED = told("invoice", "created deleted finalization_failed finalized marked_uncollectible overdue paid "
                "payment_action_required payment_failed payment_succeeded sent updated voided will_be_due")  # fmt: skip
PLANNED = told("invoiceitem", "created deleted updated")
SUBSCRIBED = told("customer.subscription", "created deleted paused pending_update_applied "
                  "pending_update_expired resumed trial_will_end updated")  # fmt: skip
PRODUCT = told("product", "created deleted updated")
PRICE = told("price", "created deleted updated")
MOVED = told("transfer", "created reversed updated")
EARNED = told("application_fee", "created refunded")

STREAMS = (
    ApiStream("charges",          "/charges",          "id", "Payments.",     filter=CREATED, changes=CHARGED),
    ApiStream("payment_intents",  "/payment_intents",  "id", "Payments intended, and how far they got.",
              filter=CREATED, changes=INTENDED, sensitive=("client_secret",)),
    ApiStream("refunds",          "/refunds",          "id", "Refunds.",      filter=CREATED, changes=REFUNDED),
    ApiStream("disputes",         "/disputes",         "id", "Disputes.",     filter=CREATED, changes=DISPUTED),
    ApiStream("payouts",          "/payouts",          "id", "To the bank.",  filter=CREATED, changes=PAID_OUT),
    ApiStream("payout_lines",     "/balance_transactions", ("payout_id", "id"), "What automatic payouts hold.",
              params={"payout": "{parent.id}"}, add={"payout_id": "{parent.id}"},
              parent=Parent("payouts", changed=True, where={"automatic": ("true",)})),
    ApiStream("balance_transactions", "/balance_transactions", "id", "What moved the balance.",
              filter=PENDING, cursor="created"),
    ApiStream("customers",        "/customers",        "id", "Customers.",    filter=CREATED, changes=CUSTOMER),
    ApiStream("payment_methods",  "/customers/{parent.id}/payment_methods", "id", "Cards and accounts on file.",
              parent="customers"),
    ApiStream("invoices",         "/invoices",         "id", "Invoices.",     filter=CREATED, changes=INVOICED),
    ApiStream("invoice_lines",    "/invoices/{parent.id}/lines", ("invoice_id", "id"),
              "All lines of invoices that changed; an invoice itself shows ten.",
              parent=Parent("invoices", changed=True), add={"invoice_id": "{parent.id}"}),
    ApiStream("invoice_items",    "/invoiceitems",     "id", "To be billed.", filter=CREATED, changes=PLANNED),
    ApiStream("subscriptions",    "/subscriptions",    "id", "Subscriptions, also cancelled ones.",
              params={"status": "all"}, filter=CREATED, changes=SUBSCRIBED),
    ApiStream("products",         "/products",         "id", "Products.",     filter=CREATED, changes=PRODUCT),
    ApiStream("prices",           "/prices",           "id", "Prices.",       filter=CREATED, changes=PRICE),
    ApiStream("transfers",        "/transfers",        "id", "To accounts.",  filter=CREATED, changes=MOVED),
    ApiStream("application_fees", "/application_fees", "id", "Platform fees.", filter=CREATED, changes=EARNED),
    ApiStream("accounts",         "/accounts",         "id", "Connected accounts; read whole.",
              sensitive=("individual.dob",)),
    ApiStream("events",           "/events",           "id", "What happened in the last 30 days.",
              filter=EVENTS, cursor="created", sensitive=("data.object.client_secret", "data.object.individual.dob")),
)  # fmt: skip

COMMON = "id object created:timestamp@epoch"
FIELDS = {
    "charges": f"""{COMMON} amount:int amount_captured:int amount_refunded:int currency balance_transaction
        captured:bool customer description disputed:bool failure_code invoice livemode:bool metadata:json
        outcome:json paid:bool payment_intent payment_method_details:json receipt_email refunded:bool status
        transfer_group""",
    **dict.fromkeys(("payment_intents", "refunds", "disputes", "balance_transactions", "payouts",
                     "payout_lines", "transfers", "application_fees"), f"{COMMON} amount:int currency"),
    **dict.fromkeys(("customers", "payment_methods", "invoices", "subscriptions", "products", "prices",
                     "accounts"), COMMON),
    "invoice_lines": "id object amount:int currency",
    "invoice_items": "id object amount:int currency",
    "events": f"{COMMON} type data:json",
}  # fmt: skip


def api(config: StripeConfig) -> Api:
    """The streams of the account, or of each connected account, whose id the records then carry."""
    return Api(
        tuple(_connected(stream) for stream in STREAMS) if config.accounts else STREAMS,
        Bearer("{api_key}"),
        fields=FIELDS,
        headers={"Stripe-Account": "{each}", "Stripe-Version": "{version}"},
        records="data",
        paging=LastId(100, "starting_after", has_more="has_more"),
        budget=Budget((Rate("{requests_per_second}", 1),)),
    )


def _connected(stream: ApiStream) -> ApiStream:
    if stream.name == "accounts":
        return stream
    if stream.fan_out is not None:
        return replace(stream, headers={"Stripe-Account": "{parent.stripe_account}"},
                       add={**stream.add, "stripe_account": "{parent.stripe_account}"})  # fmt: skip
    return replace(stream, each=Each("accounts"), add={"stripe_account": "{each}"})


connector = ApiConnector(
    "stripe", "Stripe", "Payments", StripeConfig, api,
    cannot=(
        "Deleted objects: they leave the lists; that they were deleted is told by the stream events.",
        "Events older than 30 days: after a longer pause all is read again.",
        "Lines of manual payouts: the vendor does not know them.",
        "Which payment methods changed: those of all customers are read.",
    ),
)  # fmt: skip
