"""Rentvine: properties, units, leases, applications, people, the trust ledger, work orders, inspections.

API      Manager API, as its OpenAPI document tells and as observed live in 2026.
Auth     Basic: access key and secret of a role with the right to view; they do not expire.
Limits   none are published, and no header tells of any: a polite rate, as a setting.
Paging   page and pageSize; the totals are in Pagination-* headers. The largest page is not documented.
Filters  dateTimeModifiedMin and -Max on the exports and searches below, local time without a zone, so a day
         more is asked for on both sides. All else is read whole.
Cursor   dateTimeModified, local time.
Values   texts, also numbers and flags ("0" and "1"); rows come bare or wrapped ({"property": {…}}).
Deletes  what is deleted leaves the lists; bills and deposits are voided.
"""

from datetime import timedelta

from pydantic import Field as Setting
from pydantic import SecretStr

from propexo_connect.connectors.api import ApiConfig, ApiConnector
from propexo_connect.http.plan import Api, ApiStream, Basic, Between, Budget, Numbered, Rate


class RentvineConfig(ApiConfig):
    """A Rentvine account, by an access key with the right to view."""

    url: str = Setting(
        default="https://{account}.rentvine.com/api/manager", description="Address of the API."
    )
    account: str = Setting(description="The account's name, the first part of its address.")
    access_key: str = Setting(description="The access key (Settings, Users, Roles and API).")
    secret: SecretStr = Setting(description="The key's secret.")
    requests_per_second: int = Setting(
        default=5, ge=1, description="How many requests a second are polite; the vendor names no limit."
    )


CHANGED = "dateTimeModified"
UPDATED = Between(CHANGED, "dateTimeModifiedMin", "dateTimeModifiedMax", written="naive",
                  margin=timedelta(days=1))  # fmt: skip


def unsure(key: str) -> tuple[str, ...]:
    """What is not confirmed of a stream whose key was not seen."""
    return (f"That a record is identified by its {key}; another key can be set in the connection.",)


STREAMS = (
    ApiStream("properties",   "/properties/export",             "propertyID",    "Properties.",      filter=UPDATED,
              cursor=CHANGED, unwrap="property"),
    ApiStream("units",        "/properties/units/export",       "unitID",        "Units.",           filter=UPDATED,
              cursor=CHANGED, unwrap="unit"),
    ApiStream("leases",       "/leases/export",                 "leaseID",       "Leases.",          filter=UPDATED,
              cursor=CHANGED, unwrap="lease"),
    ApiStream("applications", "/screening/applications/export", "applicationID", "Applications.",    filter=UPDATED,
              cursor=CHANGED, unwrap="application", unconfirmed=unsure("applicationID")),
    ApiStream("transactions", "/accounting/transactions/search", "transactionID", "Transactions.",   filter=UPDATED,
              cursor=CHANGED, unwrap="transaction", unconfirmed=unsure("transactionID")),
    ApiStream("transaction_entries", "/accounting/transactions/entries/search", "transactionEntryID",
              "Lines of transactions.", filter=UPDATED, cursor=CHANGED, unwrap="transactionEntry",
              unconfirmed=unsure("transactionEntryID")),
    ApiStream("journal_entries", "/accounting/journal-entries/search", "journalEntryID", "Journal entries.",
              filter=UPDATED, cursor=CHANGED, unwrap="journalEntry", unconfirmed=unsure("journalEntryID")),
    ApiStream("tenants",      "/tenants",                       "contactID",     "Tenants.",         unwrap="tenant",
              unconfirmed=unsure("contactID")),
    ApiStream("owners",       "/owners/search",                 "contactID",     "Owners.",          unwrap="owner",
              unconfirmed=unsure("contactID")),
    ApiStream("vendors",      "/vendors/search",                "contactID",     "Vendors.",         unwrap="vendor",
              unconfirmed=unsure("contactID")),
    ApiStream("portfolios",   "/portfolios/search",             "portfolioID",   "Portfolios.",      unwrap="portfolio"),
    ApiStream("work_orders",  "/maintenance/work-orders",       "workOrderID",   "Work orders.",     unwrap="workOrder",
              unconfirmed=unsure("workOrderID")),
    ApiStream("inspections",  "/maintenance/inspections",       "inspectionID",  "Inspections.",     unwrap="inspection",
              unconfirmed=unsure("inspectionID")),
    ApiStream("bills",        "/accounting/bills",              "billID",        "Bills.",           unwrap="bill"),
    ApiStream("accounts",     "/accounting/accounts",           "accountID",     "Accounts.",        unwrap="account",
              unconfirmed=unsure("accountID")),
)  # fmt: skip

STAMPS = " dateTimeCreated:datetime dateTimeModified:datetime"

FIELDS = {
    **{one.name: f"{one.keys[0]}{STAMPS}" for one in STREAMS},
    "properties": """propertyID portfolioID name address city stateID isActive:bool isMultiUnit:bool
        latitude:decimal(12,8) longitude:decimal(12,8) dateTimeDeactivated:datetime"""
    + STAMPS,
    "units": "unitID propertyID rent:money beds:float isActive:bool" + STAMPS,
    "work_orders": "workOrderID primaryWorkOrderStatusID" + STAMPS,
}

API = Api(
    STREAMS,
    Basic("{access_key}", "{secret}"),
    fields=FIELDS,
    paging=Numbered(100, limit="pageSize", total="header:Pagination-Total-Items"),
    budget=Budget((Rate("{requests_per_second}", 1),)),
)

connector = ApiConnector(
    "rentvine", "Rentvine", "Property management", RentvineConfig, API,
    cannot=(
        "Deleted records: they leave the lists; voided bills stay.",
        "Changes of work orders, bills, inspections, accounts and people: they are read whole.",
        "Deposits, invoices, and files, which are listed only for a record at a time.",
        "The order of a list: pages were seen to be disjoint, and nobody promises it.",
    ),
)  # fmt: skip
