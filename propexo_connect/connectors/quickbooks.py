"""QuickBooks Online: accounts, customers, vendors, invoices, bills, payments, journal entries.

API      Accounting API v3, one company a connection, asked in a language like SQL.
Auth     OAuth 2; an access token lasts an hour. A refresh may bring another refresh token, which takes the
         place of the one before, about 100 days at the longest: it is stored before it is used.
Limits   500 requests a minute and 10 at a time for a company, whoever asks.
Paging   STARTPOSITION (from 1) and MAXRESULTS (at most 1,000); a short page is the last. The key with the
         records is absent where there are none.
Filters  Metadata.LastUpdatedTime, to the second, with a zone; MetaData in the records. Inactive names are
         hidden unless they are asked for.
Cursor   MetaData.LastUpdatedTime. A record that changes while it is read leaves its range and moves others
         up, so that one may slip past the edge of a page: each sync reads the day before again.
Deletes  are shown in a change feed of 30 days only, which is not read. Inactive names stay.
"""

from datetime import timedelta

from pydantic import Field as Setting
from pydantic import SecretStr

from propexo_connect.connectors.api import ApiConfig, ApiConnector
from propexo_connect.http.plan import Api, ApiStream, Between, Budget, Fault, OAuth, Offsets, Rate


class QuickbooksConfig(ApiConfig):
    """A company in QuickBooks Online, by an app that was given access to its accounting."""

    url: str = Setting(
        default="https://quickbooks.api.intuit.com",
        description="Address of the API; a sandbox company's is https://sandbox-quickbooks.api.intuit.com.",
    )
    realm_id: str = Setting(description="Id of the company.")
    client_id: str = Setting(description="Client id of the app (Keys & credentials).")
    client_secret: SecretStr = Setting(description="The app's client secret.")
    refresh_token: SecretStr = Setting(
        description="Refresh token of the consent; later ones take its place by themselves."
    )
    token_url: str = Setting(
        default="https://oauth.platform.intuit.com/oauth2/v1/tokens/bearer",
        description="Where tokens are refreshed.",
    )
    minor_version: int | None = Setting(default=None, description="Minor version of the API to ask for.")
    requests_per_minute: int = Setting(default=500, ge=1, description="Requests a minute for the company.")
    requests_at_once: int = Setting(default=10, ge=1, description="Requests at a time for the company.")


CHANGED = "MetaData.LastUpdatedTime"
IN_RANGE = ("Metadata.LastUpdatedTime > '{start}'", "Metadata.LastUpdatedTime <= '{end}'")
EVERY_NAME = "Active IN (true,false)"
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)

# The lower bound is not included, so it is asked for a second earlier.
UPDATED = Between(CHANGED, terms=IN_RANGE, join=" AND ", wrap=" WHERE {terms}", written="offset",
                  margin=SECOND, lookback=DAY)  # fmt: skip
UPDATED_NAMES = Between(CHANGED, terms=(*IN_RANGE, EVERY_NAME), join=" AND ", wrap=" WHERE {terms}",
                        written="offset", margin=SECOND, lookback=DAY)  # fmt: skip

QUERY = (
    "SELECT * FROM %s{filter?} ORDER BY Metadata.LastUpdatedTime ASC STARTPOSITION {offset} MAXRESULTS {size}"
)

ENTITIES = (
    ("accounts",        "Account",       UPDATED_NAMES, "The chart of accounts."),
    ("bills",           "Bill",          UPDATED,       "What vendors are owed."),
    ("bill_payments",   "BillPayment",   UPDATED,       "Payments of bills."),
    ("classes",         "Class",         UPDATED_NAMES, "Classes that transactions are sorted into."),
    ("credit_memos",    "CreditMemo",    UPDATED,       "Credits given to customers."),
    ("customers",       "Customer",      UPDATED_NAMES, "Customers, and what stands below them."),
    ("departments",     "Department",    UPDATED_NAMES, "Departments (locations)."),
    ("deposits",        "Deposit",       UPDATED,       "Deposits into accounts."),
    ("employees",       "Employee",      UPDATED_NAMES, "Employees."),
    ("estimates",       "Estimate",      UPDATED,       "Estimates."),
    ("invoices",        "Invoice",       UPDATED,       "Invoices with their lines."),
    ("items",           "Item",          UPDATED_NAMES, "Products and services."),
    ("journal_entries", "JournalEntry",  UPDATED,       "Journal entries with their lines."),
    ("payments",        "Payment",       UPDATED,       "Payments received."),
    ("payment_methods", "PaymentMethod", UPDATED_NAMES, "Ways of paying."),
    ("purchases",       "Purchase",      UPDATED,       "Purchases: cash, cheque, card."),
    ("purchase_orders", "PurchaseOrder", UPDATED,       "Purchase orders."),
    ("refund_receipts", "RefundReceipt", UPDATED,       "Refunds to customers."),
    ("sales_receipts",  "SalesReceipt",  UPDATED,       "Sales paid at once."),
    ("tax_agencies",    "TaxAgency",     UPDATED,       "Tax agencies."),
    ("tax_codes",       "TaxCode",       UPDATED_NAMES, "Tax codes."),
    ("tax_rates",       "TaxRate",       UPDATED_NAMES, "Tax rates."),
    ("terms",           "Term",          UPDATED_NAMES, "Terms of payment."),
    ("time_activities", "TimeActivity",  UPDATED,       "Time worked."),
    ("transfers",       "Transfer",      UPDATED,       "Transfers between accounts."),
    ("vendors",         "Vendor",        UPDATED_NAMES, "Vendors."),
    ("vendor_credits",  "VendorCredit",  UPDATED,       "Credits from vendors."),
)  # fmt: skip

SENSITIVE = {
    "customers": ("PrimaryTaxIdentifier", "SecondaryTaxIdentifier"),
    "employees": ("SSN", "BirthDate"),
    "vendors": ("TaxIdentifier", "AcctNum"),
}

SHARED = f"Id SyncToken MetaData.CreateTime:timestamp {CHANGED}:timestamp"
FIELDS = {
    **{name: f"{SHARED} Active:bool" if given is UPDATED_NAMES else SHARED for name, _, given, _ in ENTITIES},
    "invoices": f"""{SHARED} DocNumber TxnDate:date DueDate:date CustomerRef:json CurrencyRef:json
        ExchangeRate:money TotalAmt:money HomeTotalAmt:money Balance:money Line:json LinkedTxn:json
        TxnTaxDetail:json SalesTermRef:json BillAddr:json ShipAddr:json BillEmail:json CustomerMemo:json
        CustomField:json PrivateNote EmailStatus PrintStatus""",
    "vendors": f"{SHARED} DisplayName Active:bool",
}

STREAMS = tuple(
    ApiStream(name, "/v3/company/{realm_id}/query", "Id", description, cursor=CHANGED, filter=given,
              params={"query": QUERY % entity}, records=("QueryResponse", entity), absent="empty",
              sensitive=SENSITIVE.get(name, ()))
    for name, entity, given, description in ENTITIES
)  # fmt: skip

API = Api(
    STREAMS,
    OAuth("{token_url}", "{client_id}", "{client_secret}", grant="refresh_token",
          refresh_token="{refresh_token}", rotates=True),
    fields=FIELDS,
    params={"minorversion": "{minor_version}"},
    paging=Offsets(1000, limit="", offset="", first=1, short_is_last=True),
    # An answer with a fault and without records must not pass for an empty one.
    faults=(Fault("stop", status=(200,), at="Fault", message="Error.0.Message"),),
    budget=Budget(
        (Rate("{requests_per_minute}", 60),), in_flight="{requests_at_once}", shared_by=("realm_id",)
    ),
)  # fmt: skip

connector = ApiConnector(
    "quickbooks", "QuickBooks Online", "Accounting", QuickbooksConfig, API,
    cannot=("Hard deletions: they are shown in a change feed of 30 days only, which is not read.",),
)  # fmt: skip
