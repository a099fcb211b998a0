"""Xero: invoices, contacts, bank transactions, payments, accounts, for every organisation of a consent.

API      Accounting API 2.0, as its OpenAPI document tells; JSON is asked for.
Auth     OAuth 2: a refresh token that each use replaces (60 days unused end it), stored before it is used;
         or client credentials of a custom connection. Access tokens last 30 minutes.
Tenants  each request names one organisation in Xero-Tenant-Id; /connections lists them.
Limits   for an organisation 60 requests a minute, 5 at a time, 5,000 a day; 429 with Retry-After, and
         X-Rate-Limit-Problem says which.
Paging   page from 1 and pageSize, at most 1,000; a short page is the last. Only some lists have pages. They
         are asked for in the order of their keys, so that changes move no record past the edge of a page.
Filters  the header If-Modified-Since, a lower bound in UTC; for bank transfers by their creation.
Dates    /Date(1439434356790+0000)/ becomes an instant, or a day.
Deletes  are states: VOIDED, DELETED, ARCHIVED.
"""

from datetime import timedelta

from pydantic import Field as Setting
from pydantic import SecretStr

from propexo_connect.connectors.api import ApiConfig, ApiConnector
from propexo_connect.http.plan import (
    Api,
    ApiStream,
    Between,
    Budget,
    Numbered,
    OAuth,
    OnePage,
    Parent,
    Rate,
)


class XeroConfig(ApiConfig):
    """The organisations that an app was given access to, or the one of a custom connection."""

    url: str = Setting(default="https://api.xero.com", description="Address of the API.")
    client_id: str = Setting(description="Client id of the app.")
    client_secret: SecretStr = Setting(description="The app's client secret.")
    refresh_token: SecretStr | None = Setting(
        default=None,
        description="Refresh token of the consent; later ones take its place by themselves. "
        "Without one the app is a custom connection.",
    )
    scope: str = Setting(default="", description="Scopes that a custom connection asks for, apart by blanks.")
    token_url: str = Setting(
        default="https://identity.xero.com/connect/token", description="Where tokens are issued."
    )
    requests_per_minute: int = Setting(
        default=60, ge=1, description="Requests a minute, for all organisations together."
    )
    requests_at_once: int = Setting(
        default=5, ge=1, description="Requests at a time, for all organisations together."
    )


UPDATED = Between("UpdatedDateUTC", "If-Modified-Since", at="header")
CREATED = Between("CreatedDateUTC", "If-Modified-Since", at="header", meaning="created",
                  lookback=timedelta(days=30), full_every=timedelta(days=30))  # fmt: skip
PAGES = Numbered(1000, limit="pageSize", short_is_last=True)
WHOLE = OnePage()
ARCHIVED, DELETED = {"includeArchived": "true"}, {"includeDeleted": "true"}

# name, endpoint, key, filter, paging, further parameters, what it is
LISTS = (
    ("invoices",            "Invoices",           "InvoiceID",          UPDATED, PAGES, ARCHIVED, "Invoices and bills with their lines."),
    ("contacts",            "Contacts",           "ContactID",          UPDATED, PAGES, ARCHIVED, "Customers and suppliers, also archived ones."),
    ("bank_transactions",   "BankTransactions",   "BankTransactionID",  UPDATED, PAGES, {},       "Money spent and received."),
    ("payments",            "Payments",           "PaymentID",          UPDATED, PAGES, {},       "Payments of invoices and credit notes."),
    ("credit_notes",        "CreditNotes",        "CreditNoteID",       UPDATED, PAGES, {},       "Credit notes."),
    ("manual_journals",     "ManualJournals",     "ManualJournalID",    UPDATED, PAGES, {},       "Journals entered by hand."),
    ("purchase_orders",     "PurchaseOrders",     "PurchaseOrderID",    UPDATED, PAGES, {},       "Purchase orders."),
    ("prepayments",         "Prepayments",        "PrepaymentID",       UPDATED, PAGES, {},       "Prepayments."),
    ("overpayments",        "Overpayments",       "OverpaymentID",      UPDATED, PAGES, {},       "Overpayments."),
    ("accounts",            "Accounts",           "AccountID",          UPDATED, WHOLE, {},       "The chart of accounts."),
    ("items",               "Items",              "ItemID",             UPDATED, WHOLE, {},       "Products and services."),
    ("employees",           "Employees",          "EmployeeID",         UPDATED, WHOLE, {},       "Employees."),
    ("users",               "Users",              "UserID",             UPDATED, WHOLE, {},       "Users of the organisation."),
    ("bank_transfers",      "BankTransfers",      "BankTransferID",     CREATED, WHOLE, DELETED,  "Transfers between bank accounts."),
    ("tracking_categories", "TrackingCategories", "TrackingCategoryID", None,    WHOLE, ARCHIVED, "Categories that lines are sorted into."),
    ("tax_rates",           "TaxRates",           "TaxType",            None,    WHOLE, {},       "Tax rates."),
    ("organisations",       "Organisation",       "OrganisationID",     None,    WHOLE, {},       "The organisation itself."),
)  # fmt: skip

SENSITIVE = {
    "accounts": ("BankAccountNumber",),
    "contacts": ("BankAccountDetails", "TaxNumber", "BatchPayments.BankAccountNumber"),
    "payments": ("BankAccountNumber",),
    "organisations": ("APIKey", "EmployerIdentificationNumber", "TaxNumber"),
    **dict.fromkeys(
        ("invoices", "bank_transactions", "credit_notes", "purchase_orders", "prepayments", "overpayments"),
        ("Contact.BankAccountDetails", "Contact.TaxNumber"),
    ),
}
ENVELOPES = {"Organisation": "Organisations"}
UNCONFIRMED = {"employees": ("That the list is still there: the OpenAPI document no longer has it.",)}

AMOUNTS = "SubTotal:money TotalTax:money Total:money"
UPDATED_AT = "UpdatedDateUTC:timestamp@dotnet"
FIELDS = {
    "connections": """id tenantId authEventId tenantType tenantName createdDateUtc:timestamp@naive
        updatedDateUtc:timestamp@naive""",
    "invoices": f"""InvoiceID Type InvoiceNumber Reference Status Contact:json Date:date@dotnet
        DueDate:date@dotnet ExpectedPaymentDate:date@dotnet PlannedPaymentDate:date@dotnet
        FullyPaidOnDate:date@dotnet LineAmountTypes LineItems:json {AMOUNTS} TotalDiscount:money
        AmountDue:money AmountPaid:money AmountCredited:money CurrencyCode CurrencyRate:money
        BrandingThemeID RepeatingInvoiceID Url SentToContact:bool HasAttachments:bool IsDiscounted:bool
        Payments:json Prepayments:json Overpayments:json CreditNotes:json {UPDATED_AT}""",
    "contacts": f"""ContactID ContactNumber AccountNumber ContactStatus Name FirstName LastName CompanyNumber
        EmailAddress ContactPersons:json Addresses:json Phones:json IsSupplier:bool IsCustomer:bool
        DefaultCurrency PaymentTerms:json ContactGroups:json Website Balances:json MergedToContactID
        BankAccountDetails TaxNumber {UPDATED_AT}""",
    "bank_transactions": f"""BankTransactionID Type Contact:json BankAccount:json IsReconciled:bool
        Date:date@dotnet Reference Status LineAmountTypes LineItems:json {AMOUNTS} CurrencyCode
        CurrencyRate:money Url PrepaymentID OverpaymentID HasAttachments:bool {UPDATED_AT}""",
    "payments": f"""PaymentID Invoice:json CreditNote:json Prepayment:json Overpayment:json Account:json
        Date:date@dotnet Amount:money BankAmount:money CurrencyRate:money Reference IsReconciled:bool Status
        PaymentType BatchPaymentID BatchPayment:json BankAccountNumber Particulars Details {UPDATED_AT}""",
    "credit_notes": f"""CreditNoteID CreditNoteNumber Type Contact:json Date:date@dotnet DueDate:date@dotnet
        FullyPaidOnDate:date@dotnet Status Reference LineAmountTypes LineItems:json {AMOUNTS} CurrencyCode
        CurrencyRate:money RemainingCredit:money AppliedAmount:money Allocations:json Payments:json
        BrandingThemeID SentToContact:bool HasAttachments:bool {UPDATED_AT}""",
    "manual_journals": f"""ManualJournalID Narration JournalLines:json Date:date@dotnet LineAmountTypes Status
        Url ShowOnCashBasisReports:bool HasAttachments:bool {UPDATED_AT}""",
    "purchase_orders": f"""PurchaseOrderID PurchaseOrderNumber Contact:json Date:date@dotnet
        DeliveryDate:date@dotnet ExpectedArrivalDate:date@dotnet Status Reference LineAmountTypes
        LineItems:json {AMOUNTS} TotalDiscount:money CurrencyCode CurrencyRate:money BrandingThemeID
        SentToContact:bool DeliveryAddress AttentionTo Telephone DeliveryInstructions HasAttachments:bool
        {UPDATED_AT}""",
    "prepayments": f"""PrepaymentID Type Contact:json Date:date@dotnet Status Reference InvoiceNumber
        LineAmountTypes LineItems:json {AMOUNTS} CurrencyCode CurrencyRate:money RemainingCredit:money
        AppliedAmount:money Allocations:json Payments:json HasAttachments:bool {UPDATED_AT}""",
    "overpayments": f"""OverpaymentID Type Contact:json Date:date@dotnet Status Reference LineAmountTypes
        LineItems:json {AMOUNTS} CurrencyCode CurrencyRate:money RemainingCredit:money AppliedAmount:money
        Allocations:json Payments:json HasAttachments:bool {UPDATED_AT}""",
    "accounts": f"""AccountID Code Name Type Class Status Description BankAccountType BankAccountNumber
        CurrencyCode TaxType EnablePaymentsToAccount:bool ShowInExpenseClaims:bool SystemAccount
        ReportingCode ReportingCodeName HasAttachments:bool AddToWatchlist:bool {UPDATED_AT}""",
    "items": f"""ItemID Code Name Description PurchaseDescription PurchaseDetails:json SalesDetails:json
        IsSold:bool IsPurchased:bool IsTrackedAsInventory:bool InventoryAssetAccountCode TotalCostPool:money
        QuantityOnHand:money {UPDATED_AT}""",
    "employees": f"EmployeeID {UPDATED_AT}",
    "users": f"UserID EmailAddress FirstName LastName IsSubscriber:bool OrganisationRole {UPDATED_AT}",
    "bank_transfers": """BankTransferID FromBankAccount:json ToBankAccount:json Amount:money Date:date@dotnet
        CurrencyRate:money FromBankTransactionID ToBankTransactionID FromIsReconciled:bool
        ToIsReconciled:bool Reference Status HasAttachments:bool CreatedDateUTC:timestamp@dotnet""",
    "tracking_categories": "TrackingCategoryID Name Status Options:json",
    "tax_rates": """TaxType Name Status ReportTaxType TaxComponents:json DisplayTaxRate:money
        EffectiveRate:money CanApplyToAssets:bool CanApplyToEquity:bool CanApplyToExpenses:bool
        CanApplyToLiabilities:bool CanApplyToRevenue:bool""",
    "organisations": """OrganisationID Name LegalName ShortCode OrganisationType OrganisationEntityType Class
        Edition Version OrganisationStatus IsDemoCompany:bool PaysTax:bool BaseCurrency CountryCode Timezone
        RegistrationNumber FinancialYearEndDay:int FinancialYearEndMonth:int SalesTaxBasis SalesTaxPeriod
        DefaultSalesTax DefaultPurchasesTax PeriodLockDate:date@dotnet EndOfYearLockDate:date@dotnet
        LineOfBusiness Addresses:json Phones:json ExternalLinks:json PaymentTerms:json
        CreatedDateUTC:timestamp@dotnet APIKey EmployerIdentificationNumber TaxNumber""",
}

STREAMS = (
    ApiStream("connections", "/connections", "id", "Organisations that the app may read.", records="",
              paging=WHOLE),
    *(
        ApiStream(name, f"/api.xro/2.0/{endpoint}", ("TenantId", key), description, filter=given, paging=paging,
                  cursor=given.field if given is not None else None, records=ENVELOPES.get(endpoint, endpoint),
                  params={**params, "order": f"{key} ASC"} if paging is PAGES else params,
                  headers={"Xero-Tenant-Id": "{parent.tenantId}"}, add={"TenantId": "{parent.tenantId}"},
                  parent=Parent("connections", key="tenantId", where={"tenantType": ("ORGANISATION",)}),
                  sensitive=SENSITIVE.get(name, ()), unconfirmed=UNCONFIRMED.get(name, ()))
        for name, endpoint, key, given, paging, params, description in LISTS
    ),
)  # fmt: skip


def api(config: XeroConfig) -> Api:
    """The plan: with a consent by its refresh token, without one by the app's own credentials."""
    consent = OAuth("{token_url}", "{client_id}", "{client_secret}", grant="refresh_token",
                    refresh_token="{refresh_token}", rotates=True)  # fmt: skip
    return Api(
        STREAMS,
        consent
        if config.refresh_token is not None
        else OAuth("{token_url}", "{client_id}", "{client_secret}", scope="{scope?}"),
        fields=FIELDS,
        # 304 is what If-Modified-Since asks for where nothing changed.
        no_records=(204, 304),
        budget=Budget(
            (Rate("{requests_per_minute}", 60),), in_flight="{requests_at_once}", shared_by=("client_id",)
        ),
    )


connector = ApiConnector(
    "xero", "Xero", "Accounting", XeroConfig, api,
    cannot=("Later changes of bank transfers: they can be asked for by their creation only.",),
)  # fmt: skip
