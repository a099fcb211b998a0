"""Rent Manager: properties, units, tenants, leases, money in and out, service issues, notes, inspections.

API      Web API 12 of each company, as observed live in 2026; there is no open specification, and the public
         PDF is wrong about limits.
Auth     a log-in answers a token as a JSON text; it lasts 24 hours, and 15 minutes without use. The address
         that calls must be registered. A location is named at the log-in, or with each request.
Limits   500 requests in a minute for the whole company, with whatever else it has connected; five headers tell.
Paging   PageSize (1,000) and PageNumber; the total is in x-total-results. The order cannot be chosen.
Filters  a language: `UpdateDate,gte,…;UpdateDate,lte,…`. Its time zone is not documented, so a day more is
         asked for on both sides. Nothing found is 204.
Cursor   UpdateDate, local time; null fields are left out of records.
Deletes  are not shown; IsActive and the tenant's Status tell of what is over.
"""

from datetime import timedelta

from pydantic import Field as Setting
from pydantic import SecretStr

from propexo_connect.connectors.api import ApiConfig, ApiConnector
from propexo_connect.http.plan import Api, ApiStream, Between, Budget, Fault, Login, Numbered, Rate


class RentManagerConfig(ApiConfig):
    """A Rent Manager company, by a user with API Access and the right to view."""

    url: str = Setting(default="https://{corp_id}.api.rentmanager.com", description="Address of the API.")
    corp_id: str = Setting(description="The company's id, the first part of its address.")
    user: str = Setting(description="Name of a user with API Access.")
    password: SecretStr = Setting(description="The user's password; it must not wait to be reset.")
    location_id: int | None = Setting(default=None, description="The location to log in to.")
    header_location_id: int | None = Setting(
        default=None, description="The location sent with each request, where the log-in takes none."
    )
    requests_per_minute: int = Setting(
        default=500, ge=1, description="Of the company's limit, what this connection may use."
    )


CHANGED = "UpdateDate"
UPDATED = Between(CHANGED, into="filters", join=";", terms=(f"{CHANGED},gte,{{start}}", f"{CHANGED},lte,{{end}}"),
                  margin=timedelta(days=1))  # fmt: skip

NARROW = {"fields": "{narrow}"}
"""Without it all fields come, also those that nobody has declared."""


def listed(
    name: str, path: str, key: str, description: str, params: dict[str, str] | None = None
) -> ApiStream:
    """A resource, as all are: with a date of change."""
    return ApiStream(name, path, key, description, cursor=CHANGED, filter=UPDATED, params=params or NARROW)


# An embed comes only when `fields` names it, too; then nothing else comes that is not named.
RENEWALS = {"embeds": "LeaseRenewals", "fields": "LeaseID,LeaseRenewals,UpdateDate,CreateDate"}

STREAMS = (
    listed("properties",          "/Properties",           "PropertyID",            "Properties."),
    listed("units",               "/Units",                "UnitID",                "Units, without rent and occupancy."),
    listed("tenants",             "/Tenants",              "TenantID",              "Tenants."),
    listed("leases",              "/Leases",               "LeaseID",               "Leases; their terms are lease_renewals."),
    listed("lease_renewals",      "/Leases",               "LeaseID",               "Start and end of leases.", RENEWALS),
    listed("charges",             "/Charges",              "ChargeID",              "Charges."),
    listed("payments",            "/Payments",             "PaymentID",             "Payments."),
    listed("credits",             "/Credits",              "CreditID",              "Credits."),
    listed("journals",            "/Journals",             "JournalID",             "Journal entries."),
    listed("bills",               "/Bills",                "BillID",                "Bills."),
    listed("gl_accounts",         "/GLAccounts",           "GLAccountID",           "Accounts of the ledger."),
    listed("owners",              "/Owners",               "OwnerID",               "Owners."),
    listed("vendors",             "/Vendors",              "VendorID",              "Vendors."),
    listed("contacts",            "/Contacts",             "ContactID",             "Contacts."),
    listed("prospects",           "/Prospects",            "ProspectID",            "Prospects."),
    listed("service_issues",      "/ServiceManagerIssues", "ServiceManagerIssueID", "Work orders."),
    listed("recurring_charges",   "/RecurringCharges",     "RecurringChargeID",     "Charges that repeat."),
    listed("history_notes",       "/HistoryNotes",         "HistoryNoteID",         "Notes; the longest list."),
    listed("inspections",         "/Inspections",          "InspectionID",          "Inspections."),
    listed("user_defined_fields", "/UserDefinedFields",    "UserDefinedFieldID",    "Fields of the company's own."),
    listed("user_defined_values", "/UserDefinedValues",    "UserDefinedValueID",    "Their values."),
    listed("banks",               "/Banks",                "BankID",                "Banks."),
    listed("deposits",            "/Deposits",             "DepositID",             "Deposits."),
    listed("reconciliations",     "/Reconciliations",      "ReconciliationID",      "Reconciliations."),
    listed("applications",        "/Applications",         "ApplicationID",         "Applications."),
    listed("tasks",               "/Tasks",                "TaskID",                "Tasks."),
    listed("violations",          "/Violations",           "ViolationID",           "Violations."),
)  # fmt: skip

STAMPS = " CreateDate:datetime UpdateDate:datetime"

FIELDS = {
    **{one.name: f"{one.keys[0]}:int{STAMPS}" for one in STREAMS},
    "properties": "PropertyID:int Name IsActive:bool ConcurrencyID:int" + STAMPS,
    "units": "UnitID:int PropertyID:int Name UnitTypeID:int Bedrooms:float Bathrooms:float" + STAMPS,
    "tenants": "TenantID:int FirstName LastName Name PropertyID:int Status RentDueDay:int RentPeriod"
    + STAMPS,
    "leases": """LeaseID:int TenantID:int UnitID:int PropertyID:int MoveInDate:datetime MoveOutDate:datetime
        ExpectedMoveOutDate:datetime NoticeDate:datetime IsMoveOutConfirmed:bool ArrivalDate:datetime
        DepartureDate:datetime"""
    + STAMPS,
    "lease_renewals": "LeaseID:int LeaseRenewals:json" + STAMPS,
    "journals": "JournalID:int ConcurrencyID:int" + STAMPS,
    "service_issues": "ServiceManagerIssueID:int IsClosed:bool CloseDate:datetime StatusID:int" + STAMPS,
    "recurring_charges": "RecurringChargeID:int EntityType EntityKeyID:int UnitID:int Amount:money" + STAMPS,
}
API = Api(
    STREAMS,
    Login(
        "/Authentication/AuthorizeUser", token="",
        body={"Username": "{user}", "Password": "{password}", "LocationID": "{location_id}"},
        header="X-RM12Api-ApiToken", scheme="", lifetime=timedelta(hours=24), idle=timedelta(minutes=15),
        faults=(Fault("credentials", text="AuthenticationForcePasswordResetException",
                      says="the user must reset the password first"),),
    ),
    fields=FIELDS,
    headers={"X-RM12Api-LocationId": "{header_location_id}"},
    paging=Numbered(1000, page="PageNumber", limit="PageSize", total="header:x-total-results"),
    budget=Budget(
        (Rate("{requests_per_minute}", 60),),
        remaining="x-ratelimit-remaining", reset="x-ratelimit-reset", reset_is="epoch", shared_by=("url",),
    ),
)  # fmt: skip

connector = ApiConnector(
    "rent_manager", "Rent Manager", "Property management", RentManagerConfig, API,
    cannot=(
        "Deleted records: they leave the lists without a word.",
        "Phone, e-mail, balance and unit of tenants, allocations of payments: the vendor keeps them behind embeds.",
        "Whether an empty list is empty, or hidden from this user: both are 204.",
        "All of the 369 resources: those that hold the business are here.",
    ),
)  # fmt: skip
