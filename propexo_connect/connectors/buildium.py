"""Buildium: properties, units, leases, people, tasks, work orders, bills, ledgers.

API      Open API v1, as its OpenAPI document and live observations of 2026 tell.
Auth     two headers, x-buildium-client-id and x-buildium-client-secret; keys belong to one environment.
Limits   10 requests at a time; beyond it 429 without Retry-After.
Paging   limit (at most 1,000; more is cut in silence) and offset; the total is in X-Total-Count. Pages are
         stable only in the order of a unique field, so all lists are asked for by Id.
Filters  differ by list: seconds in UTC, or whole days (tasks, work orders); both ends included. Some lists
         know no updated filter (bills, bank accounts), some refuse ranges over 90 or 365 days.
Cursor   LastUpdatedDateTime on leases, tasks, applicants and ledger entries; other records do not show it.
Deletes  are not shown. IsUnitListed and IsUnitOccupied change without the unit being "updated".
"""

from datetime import timedelta

from pydantic import Field as Setting
from pydantic import SecretStr

from propexo_connect.connectors.api import ApiConfig, ApiConnector
from propexo_connect.http.plan import Api, ApiStream, Between, Budget, Headers, Offsets, Parent


class BuildiumConfig(ApiConfig):
    """A Buildium account, by an API key with the right to view."""

    url: str = Setting(default="https://api.buildium.com/v1", description="Address of the API.")
    client_id: str = Setting(description="Client id of the API key (Settings, API settings).")
    client_secret: SecretStr = Setting(description="The key's secret, shown once when it is made.")


CHANGED = "LastUpdatedDateTime"
DAY = timedelta(days=1)
YEAR = timedelta(days=365)

UPDATED = Between("lastupdated", "lastupdatedfrom", "lastupdatedto")
UPDATED_DAY = Between("lastupdated", "lastupdatedfrom", "lastupdatedto", written="date", grain="day")
UPDATED_IN_YEAR = Between("lastupdated", "lastupdatedfrom", "lastupdatedto", widest=YEAR)
SPACED_IN_YEAR = Between("lastupdated", "lastupdatedfrom", "lastupdatedto", written="spaced", widest=YEAR)
SENT = Between("SentDateTime", "sentdatetimefrom", "sentdatetimeto", meaning="created", required=True,
               earliest="2010-01-01", widest=90 * DAY)  # fmt: skip
BY_ENTRY_DATE = Between("Date", "transactiondatefrom", "transactiondateto", written="date", grain="day",
                        meaning="business", lookback=60 * DAY, full_every=30 * DAY)  # fmt: skip
PAID_IN_YEAR = Between("Date", "transactiondatefrom", "transactiondateto", written="date", grain="day",
                       meaning="business", required=True, earliest="2010-01-01", widest=YEAR,
                       lookback=60 * DAY, full_every=90 * DAY)  # fmt: skip

STREAMS = (
    ApiStream("rentals",       "/rentals",        "Id", "Rental properties.",                filter=UPDATED),
    ApiStream("units",         "/rentals/units",  "Id", "Units of the rental properties.",   filter=UPDATED),
    ApiStream("rental_owners", "/rentals/owners", "Id", "Owners.",                           filter=UPDATED,
              sensitive=("TaxInformation",)),
    ApiStream("leases",        "/leases",         "Id", "Leases: past, active and future.",  filter=UPDATED,
              cursor=CHANGED),
    ApiStream("tenants",       "/leases/tenants", "Id", "Tenants of the leases.",            filter=UPDATED,
              sensitive=("TaxId", "DateOfBirth")),
    ApiStream("applicants",    "/applicants",     "Id", "Applicants.",                       filter=UPDATED,
              cursor=CHANGED),
    ApiStream("vendors",       "/vendors",        "Id", "Vendors.",                          filter=UPDATED),
    ApiStream("tasks",         "/tasks",          "Id", "Tasks, with the fields all share.", filter=UPDATED_DAY,
              cursor=CHANGED),
    ApiStream("task_history",  "/tasks/{parent.Id}/history", ("TaskId", "Id"), "What happened to changed tasks.",
              cursor=CHANGED, parent=Parent("tasks", changed=True), add={"TaskId": "{parent.Id}"}),
    ApiStream("work_orders",   "/workorders",     "Id", "Work orders.",                      filter=UPDATED_DAY),
    ApiStream("bills",         "/bills",          "Id", "Bills; read whole."),
    ApiStream("gl_accounts",   "/glaccounts",     "Id", "Accounts of the general ledger."),
    ApiStream("gl_transactions", "/generalledger/transactions", "Id", "Entries of the ledger.", filter=UPDATED,
              cursor=CHANGED),
    ApiStream("lease_transactions", "/leases/{parent.Id}/transactions", ("LeaseId", "Id"), "Ledgers of leases.",
              filter=BY_ENTRY_DATE, parent="leases", add={"LeaseId": "{parent.Id}"}),
    ApiStream("vendor_transactions", "/vendors/{parent.Id}/transactions", ("VendorId", "Id"),
              "What vendors were paid and owed.",
              filter=PAID_IN_YEAR, parent="vendors", add={"VendorId": "{parent.Id}"}),
    ApiStream("lease_recurring_transactions", "/leases/recurringtransactions", "Id",
              "Charges and payments that repeat.", filter=SPACED_IN_YEAR),
    ApiStream("lease_renewals", "/leases/renewalhistory", "Id", "Renewals.",            filter=UPDATED_IN_YEAR),
    ApiStream("rent_schedules", "/leases/rent",           "Id", "Rent of the leases.",  filter=UPDATED_IN_YEAR),
    ApiStream("emails",         "/communications/emails", "Id", "Sent e-mails, without those of the system.",
              cursor="SentDateTime", filter=SENT),
    ApiStream("lease_outstanding_balances", "/leases/outstandingbalances", "LeaseId", "What is owed now.",
              unconfirmed=("That a row is identified by its LeaseId.",)),
)  # fmt: skip

FIELDS = {
    "rentals": """Id:int Name StructureDescription NumberUnits:int IsActive:bool OperatingBankAccountId:int
        Reserve:float Address:json YearBuilt:int RentalType RentalSubType RentalManager:json""",
    "units": """Id:int PropertyId:int BuildingName UnitNumber Description MarketRent:float Address:json
        UnitBedrooms UnitBathrooms UnitSize:int IsUnitListed:bool IsUnitOccupied:bool""",
    "rental_owners": """Id:int IsCompany:bool IsActive:bool FirstName LastName Email PropertyIds:json
        ManagementAgreementStartDate:date ManagementAgreementEndDate:date TaxInformation:json""",
    "leases": """Id:int PropertyId:int UnitId:int UnitNumber LeaseFromDate:date LeaseToDate:date LeaseType
        LeaseStatus IsEvictionPending:bool TermType RenewalOfferStatus CurrentNumberOfOccupants:int
        PaymentDueDay:int CurrentTenants:json Tenants:json AccountDetails:json Cosigners:json MoveOutData:json
        CreatedDateTime:timestamp LastUpdatedDateTime:timestamp""",
    "tenants": """Id:int FirstName LastName Email AlternateEmail PhoneNumbers:json CreatedDateTime:timestamp
        EmergencyContact:json DateOfBirth:date SMSOptInStatus Address:json MailingPreference Leases:json TaxId""",
    "applicants": """Id:int ApplicantGroupId:int PropertyId:int UnitId:int TenantId:int Status
        Applications:json UnsubmittedApplications:json LastUpdatedDateTime:timestamp""",
    "vendors": """Id:int IsCompany:bool IsActive:bool FirstName LastName PrimaryEmail CompanyName Category:json
        VendorInsurance:json AccountNumber ExpenseGLAccountId:int""",
    "tasks": """Id:int TaskType Category:json Title Description Property:json UnitId:int UnitAgreement:json
        RequestedByUserEntity:json AssignedToUserId:int TaskStatus Priority DueDate:date
        CreatedDateTime:timestamp LastUpdatedDateTime:timestamp""",
    "task_history": "Id:int CreatedDateTIme:timestamp LastUpdatedDateTime:timestamp",
    "work_orders": """Id:int Task:json Title DueDate:date Priority Status WorkDetails VendorId:int VendorNotes
        EntryAllowed BillTransactionIds:json Amount:float LineItems:json""",
    "bills": """Id:int Date:date DueDate:date PaidDate:date Memo VendorId:int WorkOrderId:int ReferenceNumber
        ApprovalStatus Lines:json""",
    "gl_transactions": """Id:int Date:date TransactionType TotalAmount:float UnitAgreement:json UnitId:int
        PaymentDetail:json DepositDetails:json Application:json Journal:json LastUpdatedDateTime:timestamp""",
    "lease_transactions": """Id:int Date:date TransactionType TransactionTypeEnum TotalAmount:float
        PayeeTenantId:int PaymentMethod Journal:json""",
    "emails": "Id:int Subject Sender:json SentDateTime:timestamp",
}

API = Api(
    STREAMS,
    Headers({"x-buildium-client-id": "{client_id}", "x-buildium-client-secret": "{client_secret}"}),
    fields=FIELDS,
    params={"orderby": "Id"},
    paging=Offsets(1000, total="header:X-Total-Count"),
    budget=Budget(in_flight=10),
)

connector = ApiConnector(
    "buildium", "Buildium", "Property management", BuildiumConfig, API,
    cannot=(
        "Deleted records: they leave the lists without a word.",
        "Changes of bills and ledgers of accounts by date of change: bills are read whole.",
        "Whether a unit became listed or occupied: that does not count as an update of the unit.",
    ),
)  # fmt: skip
