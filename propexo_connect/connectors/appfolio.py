"""AppFolio Property Manager: properties, units, tenants, leases, work orders, bills, charges, ledgers.

API      Database API v0 ("Stack"). Its reference stands behind a log-in; what is here is what integrations of
         2023 to 2026 do and report. Read-only from the plan Plus on; fields are agreed for each customer, and
         those that were not agreed are left out.
Auth     Basic, client id and secret of one customer's database, and X-AppFolio-Developer-ID, whose letter
         case counts.
Limits   8 requests a second, 256 a minute, 4,096 an hour, all at once; 429 with Retry-After.
Paging   page[size] (1,000), then next_page_path as it comes; brackets stay as they are. No order is promised.
Filters  filters[LastUpdatedAtFrom], UTC; a list without it answers 400. No upper bound is known.
Cursor   LastUpdatedAt.
Nights   533 "Data Unavailable" during maintenance (21:00 to 04:00 Pacific), mostly over in 5 minutes.
Deletes  are not shown. Hidden properties come because they are asked for.
"""

from pydantic import Field as Setting
from pydantic import SecretStr

from propexo_connect.connectors.api import ApiConfig, ApiConnector
from propexo_connect.http.plan import (
    Api,
    ApiStream,
    Basic,
    Between,
    Budget,
    Fault,
    Headers,
    Links,
    Parent,
    Rate,
)


class AppFolioConfig(ApiConfig):
    """An AppFolio database, by its key pair and a developer id."""

    url: str = Setting(default="https://api.appfolio.com/api/v0", description="Address of the API.")
    client_id: str = Setting(description="Client id of the database's API credentials.")
    client_secret: SecretStr = Setting(description="Their secret.")
    developer_id: str = Setting(description="Id of the developer or partner, for X-AppFolio-Developer-ID.")
    include_hidden: bool = Setting(default=True, description="Whether hidden properties are read, too.")


CHANGED = "LastUpdatedAt"
UPDATED = Between(CHANGED, "filters[LastUpdatedAtFrom]", required=True)


def changing(name: str, path: str, description: str, params: dict[str, str] | None = None) -> ApiStream:
    """A list as most are: asked for by its date of change."""
    return ApiStream(name, path, "Id", description, cursor=CHANGED, filter=UPDATED, params=params or {})


STREAMS = (
    changing("portfolios",      "/portfolios",      "Portfolios."),
    changing("properties",      "/properties",      "Properties.", {"filters[IncludeHidden]": "{include_hidden}"}),
    changing("units",           "/units",           "Units."),
    changing("tenants",         "/tenants",         "Tenants: current, past, future."),
    changing("leases",          "/leases",          "Leases."),
    changing("listings",        "/listings",        "Listings; about a fifth name no property."),
    changing("work_orders",     "/work_orders",     "Work orders."),
    ApiStream("work_order_notes", "/work_orders/{parent.Id}/notes", ("WorkOrderId", "Id"),
              "Notes of the work orders that changed.", parent=Parent("work_orders", changed=True),
              add={"WorkOrderId": "{parent.Id}"},
              unconfirmed=("That a note has an Id, and that notes are listed without a filter.",)),
    changing("unit_turns",      "/unit_turns",      "Unit turns."),
    changing("bills",           "/bills",           "Bills."),
    changing("journal_entries", "/journal_entries", "Journal entries."),
    changing("charges",         "/charges",         "Charges to occupancies."),
    ApiStream("gl_accounts",    "/gl_accounts",     "Id", "Accounts of the general ledger; read whole."),
    changing("vendors",         "/vendors",         "Vendors."),
    changing("owners",          "/owners",          "Owners."),
    changing("users",           "/users",           "Users of the database."),
    changing("tenant_ledgers",  "/tenant_ledgers",  "Ledgers of tenants."),
)  # fmt: skip

STAMP = " LastUpdatedAt:timestamp"
SEEN = {
    "units": "PropertyId CurrentOccupancyId RentReady:bool",
    "tenants": """PropertyId UnitId OccupancyId Status FirstName LastName Email MoveInOn:date MoveOutOn:date
        Addresses:json""",
    "listings": "PropertyId",
    "work_orders": "Link",
    "bills": """Reference Description VendorId TotalAmount:money InvoiceDate:date DueDate:date
        ApprovalStatus""",
    "charges": "OccupancyId GlAccountId AmountDue:money ChargedOn:date Description ReferenceId",
    "users": "FirstName LastName UserRole Active:bool",
}
FIELDS = {stream.name: f"Id {SEEN.get(stream.name, '')}{STAMP}" for stream in STREAMS if stream.cursor}
FIELDS["gl_accounts"] = "Id Number AccountType"
FIELDS["work_order_notes"] = "Id"

API = Api(
    STREAMS,
    (Basic("{client_id}", "{client_secret}"), Headers({"X-AppFolio-Developer-ID": "{developer_id}"})),
    fields=FIELDS,
    records="data",
    paging=Links("next_page_path", size=1000, limit="page[size]"),
    literal="[]",
    # Besides 401 and 403; 701 would pass for a fault of the server.
    faults=(Fault("credentials", status=(701,)),),
    retry=(409,),
    budget=Budget((Rate(8, 1), Rate(256, 60), Rate(4096, 3600))),
)

connector = ApiConnector(
    "appfolio", "AppFolio", "Property management", AppFolioConfig, API, status="preview",
    cannot=(
        "Deleted records: they leave the lists without a word; only the vendor's webhooks tell.",
        "A range with an end: the vendor knows no upper bound, so a backsync reads from its start to now.",
        "Fields and lists that AppFolio has not agreed with the customer.",
        "`/gl_details` and `/jobs`; the general ledger is a report (`appfolio_reports`).",
        "The log-in of partners that have a bearer token in place of the key pair.",
    ),
)  # fmt: skip
