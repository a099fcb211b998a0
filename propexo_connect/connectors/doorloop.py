"""DoorLoop: properties, units, leases, tenants, owners, vendors, money, tasks, communications.

API      app.doorloop.com/api, as a client generated from the vendor's Swagger tells; paging is not in it.
Auth     Authorization: Bearer and the API key (Premium plan); it does not run out.
Limits   not public; 429 is expected and waited out.
Paging   {total, data}. The names of the page's number and size are settings: a wrong name brings page 1 again,
         which is noticed and refused.
Filters  business dates only: money by its date, communications by when they were sent. Lists of other records
         are read whole, and what changed is kept by updatedAt.
Deletes  are not shown.
"""

from datetime import timedelta
from typing import Literal

from pydantic import Field as Setting
from pydantic import SecretStr

from propexo_connect.connectors.api import ApiConfig, ApiConnector
from propexo_connect.http.plan import Api, ApiStream, Bearer, Between, Newest, Numbered


class DoorLoopConfig(ApiConfig):
    """A DoorLoop company, by an API key."""

    url: str = Setting(default="https://app.doorloop.com/api", description="Address of the API.")
    api_key: SecretStr = Setting(description="The API key (Settings, API).")
    page_parameter: str = Setting(
        default="page_number", description="What the vendor calls the page's number."
    )
    size_parameter: str = Setting(default="page_size", description="What the vendor calls the page's size.")
    largest_page: int = Setting(default=100, ge=1, description="Records a page at most.")


DAY = timedelta(days=1)
CHANGED = Newest("updatedAt")


def dated(field: str, lower: str, upper: str, meaning: Literal["created", "business"]) -> Between:
    """A filter by days of the books or of sending: late entries are looked for, and now and then all."""
    return Between(field, lower, upper, written="date", grain="day", meaning=meaning, margin=DAY,
                   lookback=60 * DAY, full_every=30 * DAY)  # fmt: skip


BOOKED = dated("date", "filter_date_from", "filter_date_to", "business")
SENT = dated("sentAt", "filter_sent_at_from", "filter_sent_at_to", "created")
SEEN = ("That records carry updatedAt; those without it are brought each time.",)
BORN = ("dateOfBirth",)


def changing(name: str, path: str, description: str, sensitive: tuple[str, ...] = ()) -> ApiStream:
    """A list that is read whole, of which what changed is kept."""
    return ApiStream(name, path, "id", description, filter=CHANGED, sensitive=sensitive, unconfirmed=SEEN)


STREAMS = (
    changing("properties",     "/properties",       "Properties."),
    changing("portfolios",     "/property-groups",  "Portfolios of properties."),
    changing("units",          "/units",            "Units."),
    changing("leases",         "/leases",           "Leases."),
    changing("lease_tenants",  "/leases/tenants",   "Tenants, once for each of their leases."),
    changing("tenants",        "/tenants",          "Tenants.", BORN),
    changing("owners",         "/owners",           "Owners.", BORN),
    changing("vendors",        "/vendors",          "Vendors.", BORN),
    changing("users",          "/users",            "Users."),
    changing("accounts",       "/accounts",         "Accounts."),
    changing("tasks",          "/tasks",            "Tasks: requests, work orders."),
    changing("notes",          "/notes",            "Notes."),
    changing("files",          "/files",            "Files, without their contents."),
    changing("lease_reversed_payments", "/lease-reversed-payments", "Payments that were returned."),
    ApiStream("lease_payments", "/lease-payments", "id", "Payments of leases.",    filter=BOOKED),
    ApiStream("lease_charges",  "/lease-charges",  "id", "Charges of leases.",     filter=BOOKED),
    ApiStream("lease_credits",  "/lease-credits",  "id", "Credits of leases.",     filter=BOOKED),
    ApiStream("expenses",       "/expenses",       "id", "Expenses.",              filter=BOOKED),
    ApiStream("vendor_bills",   "/vendor-bills",   "id", "Bills of vendors.",      filter=BOOKED),
    ApiStream("communications", "/communications", "id", "Messages that were sent.", filter=SENT),
)  # fmt: skip

STAMPS = " createdAt:timestamp updatedAt:timestamp"

FIELDS = {
    **{one.name: f"id{STAMPS}" for one in STREAMS},
    "leases": """id property name reference start:date end:date term rolloverToAtWill:bool units:json status
        totalBalanceDue:money totalDepositsHeld:money totalRecurringRent:money
        totalRecurringCharges:money"""
    + STAMPS,
    "units": """id active:bool address:json name beds:float baths:float size:float marketRent:money property
        pictures:json listing:json amenities:json"""
    + STAMPS,
    "lease_payments": """id reference amountReceived:money paymentMethod lease receivedFromTenant
        depositToAccount autoDeposit:bool depositStatus reversedPayment"""
    + STAMPS,
    "communications": """id subject bodyPreview from:json to:json cc:json bcc:json sentAt:timestamp type threadId
        externalId openedAt:timestamp clickedAt:timestamp bouncedAt:timestamp status"""
    + STAMPS,
}


def plan(config: DoorLoopConfig) -> Api:
    """The API, with what its paging is called."""
    return Api(
        STREAMS,
        Bearer("{api_key}"),
        fields=FIELDS,
        records="data",
        paging=Numbered(config.largest_page, page=config.page_parameter, limit=config.size_parameter, total="total"),
    )  # fmt: skip


connector = ApiConnector(
    "doorloop", "DoorLoop", "Property management", DoorLoopConfig, plan, status="preview",
    cannot=(
        "Deleted records: they leave the lists without a word.",
        "Changes of money by date of change: only by the date of the entry.",
        "Reports (rent roll, profit and loss, balance sheet, cash flow): their shape is not public.",
    ),
)  # fmt: skip
