"""Buildium's Open API v1, as its OpenAPI document and live observations tell.

Auth     both headers, else 401; `ErrorCode` is null and `Errors` empty in live refusals.
Pages    bare arrays, X-Total-Count; limit 50 by default, over 1,000 cut in silence; letter case counts: a
         wrong path, `Limit` or `OFFSET` gives 404.
Filters  as the document says for each list; seconds or days, both ends included; 400 where a required range
         is missing or one is wider than 90 or 365 days. Rental records do not show when they were updated.
Limits   more than 10 requests at once are refused with 429, without Retry-After; a query over 4,096
         characters gives 500.
"""

from datetime import datetime, timedelta

from propexo_connect.simulators.api import ApiSimulator, DateRange, Equal, Route, insert_all
from propexo_connect.simulators.fiction import PLACES, TROUBLES, Fiction, iso
from propexo_connect.simulators.population import Population, Record
from propexo_connect.simulators.simulation import Simulation
from propexo_connect.simulators.styles import OffsetStyle
from propexo_connect.simulators.wire import Answer, Request, json_answer

CLIENT_ID, CLIENT_SECRET = "buildium-demo-client", "buildium-demo-secret"

DAY, YEAR = timedelta(days=1), timedelta(days=365)

SECONDS = DateRange("lastupdatedfrom", "lastupdatedto", "_updated")
SHOWN_SECONDS = DateRange("lastupdatedfrom", "lastupdatedto", "LastUpdatedDateTime")
DAYS = DateRange("lastupdatedfrom", "lastupdatedto", "LastUpdatedDateTime", DAY, reads="day")
HIDDEN_DAYS = DateRange("lastupdatedfrom", "lastupdatedto", "_updated", DAY, reads="day")
IN_YEAR = DateRange("lastupdatedfrom", "lastupdatedto", "_updated", widest=YEAR)
RENTS = DateRange("lastupdatedfrom", "lastupdatedto", "LastUpdatedDateTime", widest=YEAR)
SPACED = DateRange("lastupdatedfrom", "lastupdatedto", "_updated", reads="spaced", widest=YEAR)
ENTRIES = DateRange("transactiondatefrom", "transactiondateto", "Date", DAY, reads="day")
VENDOR_ENTRIES = DateRange("transactiondatefrom", "transactiondateto", "Date", DAY, reads="day",
                           requires=("transactiondatefrom", "transactiondateto"), widest=YEAR)  # fmt: skip
SENT = DateRange("sentdatetimefrom", "sentdatetimeto", "SentDateTime",
                 requires=("sentdatetimefrom", "sentdatetimeto"), widest=90 * DAY)  # fmt: skip


def by_id(record: Record) -> int:
    """The order of `orderby=Id`."""
    number = record.get("Id")
    return number if isinstance(number, int) else 0


class Buildium(ApiSimulator):
    """Buildium on loopback."""

    style = OffsetStyle(default=50, cap=1000, total_header="X-Total-Count")
    always_known = ("orderby",)
    most_at_once = 10
    routes = (
        Route("/v1/rentals", "rentals", (SECONDS,), order=by_id),
        Route("/v1/rentals/units", "units", (SECONDS, Equal("propertyids", "PropertyId")), order=by_id),
        Route("/v1/rentals/owners", "rental_owners", (SECONDS,), order=by_id),
        Route("/v1/leases", "leases", (SHOWN_SECONDS, Equal("leasestatuses", "LeaseStatus")), order=by_id),
        Route("/v1/leases/tenants", "tenants", (SECONDS,), order=by_id),
        Route("/v1/leases/recurringtransactions", "lease_recurring_transactions", (SPACED,), order=by_id),
        Route("/v1/leases/renewalhistory", "lease_renewals", (IN_YEAR,), order=by_id),
        Route("/v1/leases/rent", "rent_schedules", (RENTS,), order=by_id),
        Route("/v1/leases/outstandingbalances", "lease_outstanding_balances", order=by_id),
        Route("/v1/leases/{lease}/transactions", "lease_transactions", (ENTRIES,), of={"lease": "_lease"},
              parents={"lease": "leases"}, order=by_id),
        Route("/v1/applicants", "applicants", (SHOWN_SECONDS,), order=by_id),
        Route("/v1/vendors", "vendors", (SECONDS,), order=by_id),
        Route("/v1/vendors/{vendor}/transactions", "vendor_transactions", (VENDOR_ENTRIES,),
              of={"vendor": "_vendor"}, parents={"vendor": "vendors"}, order=by_id),
        Route("/v1/tasks", "tasks", (DAYS,), order=by_id),
        Route("/v1/tasks/{task}/history", "task_history", of={"task": "_task"}, parents={"task": "tasks"},
              order=by_id),
        Route("/v1/workorders", "work_orders", (HIDDEN_DAYS,), order=by_id),
        Route("/v1/bills", "bills", order=by_id),
        Route("/v1/glaccounts", "gl_accounts", order=by_id),
        Route("/v1/generalledger/transactions", "gl_transactions", (SHOWN_SECONDS,), order=by_id),
        Route("/v1/communications/emails", "emails", (SENT,), order=by_id),
    )  # fmt: skip

    def refusal(self, request: Request) -> Answer | None:
        pair = request.header("x-buildium-client-id"), request.header("x-buildium-client-secret")
        if pair != (CLIENT_ID, CLIENT_SECRET):
            return self.refused(401, "The client id or secret is not valid.")
        if len(request.head.target.partition("?")[2]) > 4096:
            return self.refused(500, "An error occurred.")
        if any(name.lower() in {"limit", "offset"} and name != name.lower() for name, _ in request.query):
            return self.refused(404, "The resource does not exist.")
        return None

    def refused(self, status: int, message: str) -> Answer:
        return json_answer({"UserMessage": message, "ErrorCode": None, "Errors": []}, status)


def buildium_demo_population(seed: int, now: datetime) -> Population:
    """Seven properties with some 80 leases, their people, tasks and money, of the last 200 days."""
    made, population = Fiction(seed, now), Population()

    def put(collection: str, *records: Record) -> None:
        insert_all(population, collection, records)

    for number, name in enumerate(PLACES, start=411):
        city, state, code = made.city()
        address = {"AddressLine1": made.street(), "City": city, "State": state, "PostalCode": code}
        put("rentals", {"Id": number, "Name": name, "StructureDescription": None, "NumberUnits": 12,
            "IsActive": made.chance(0.9), "OperatingBankAccountId": 1, "Reserve": made.money(0, 500),
            "Address": address, "YearBuilt": made.number(1920, 2020), "RentalType": "Residential",
            "RentalSubType": "MultiFamily", "RentalManager": {"Id": 3, "FirstName": made.first()},
            "_updated": iso(made.ago(200))})  # fmt: skip
        first, last = made.first(), made.last()
        put("rental_owners", {"Id": number + 2000, "IsCompany": False, "IsActive": True, "FirstName": first,
            "LastName": last, "Email": made.email(first, last), "PropertyIds": [number],
            "TaxInformation": {"TaxPayerId": f"00-000{number}"}, "_updated": iso(made.ago(200))})  # fmt: skip
        for place in range(12):
            unit = number * 100 + place
            put("units", {"Id": unit, "PropertyId": number, "BuildingName": name,
                "UnitNumber": f"{place:02d}",
                "MarketRent": made.money(900, 3000), "Address": address, "UnitBedrooms": "TwoBed",
                "UnitBathrooms": "OneBath", "UnitSize": None if made.chance(0.3) else 640,
                "IsUnitListed": made.chance(0.2), "IsUnitOccupied": made.chance(0.8),
                "_updated": iso(made.ago(200))})  # fmt: skip
            _lease(made, population, unit, number)
    for number in range(1, 9):
        put("vendors", {"Id": number, "IsCompany": True, "IsActive": True,
            "CompanyName": f"{made.last()} & Co.", "PrimaryEmail": f"office{number}@example.com",
            "_updated": iso(made.ago(200))})  # fmt: skip
        for entry in range(3):
            put("vendor_transactions", {"Id": number * 10 + entry, "Date": str(made.day(150)),
                "TransactionType": "Bill", "TotalAmount": made.money(10, 900),
                "_vendor": number})  # fmt: skip
    for number in range(7001, 7041):
        created, updated = made.ago(180, 100), made.ago(99)
        task: dict[str, object] = {"Id": number, "TaskType": "ResidentRequest",
            "Title": made.one_of(TROUBLES), "TaskStatus": made.one_of(("New", "InProgress", "Completed")),
            "Priority": "Normal",
            "DueDate": str(made.day(30, 30)), "CreatedDateTime": iso(created),
            "LastUpdatedDateTime": iso(updated)}  # fmt: skip
        put("tasks", task)
        put("task_history", {"Id": number * 10, "CreatedDateTIme": iso(created),
            "LastUpdatedDateTime": iso(updated), "_task": number})  # fmt: skip
        put("work_orders", {"Id": number + 1000, "Task": {"Id": number}, "Title": task["Title"],
            "Status": "New", "Amount": made.money(0, 800), "BillTransactionIds": [], "LineItems": [],
            "_updated": iso(updated)})  # fmt: skip
        put("bills", {"Id": number + 2000, "Date": str(made.day(100)), "DueDate": str(made.day(0, 30)),
            "PaidDate": None, "VendorId": made.number(1, 8), "ApprovalStatus": "Approved",
            "Lines": []})  # fmt: skip
        put("gl_transactions", {"Id": number + 3000, "Date": str(made.day(100)), "TransactionType": "Bill",
            "TotalAmount": made.money(10, 900), "Journal": {"Lines": []},
            "LastUpdatedDateTime": iso(made.ago(120))})  # fmt: skip
        put("emails", {"Id": number + 4000, "Subject": "Your request", "Sender": {"Id": 3},
            "SentDateTime": iso(made.ago(200))})  # fmt: skip
    for number in range(9001, 9013):
        put("applicants", {"Id": number, "ApplicantGroupId": None, "PropertyId": 411, "UnitId": 41100,
            "TenantId": None, "Status": made.one_of(("Undecided", "Approved", "Rejected")), "Applications": [],
            "UnsubmittedApplications": [], "LastUpdatedDateTime": iso(made.ago(150))})  # fmt: skip
    put("gl_accounts", *({"Id": number, "AccountNumber": f"{number:04d}", "Name": f"Account {number}",
        "Type": "Income", "IsActive": True} for number in range(1, 13)))  # fmt: skip
    return population


def _lease(made: Fiction, population: Population, unit: int, rental: int) -> None:
    """A lease with its tenant, its ledger and what hangs on it."""
    first, last = made.first(), made.last()
    created, updated = made.ago(300, 200), made.ago(199)
    lease = unit + 90_000
    tenant: Record = {"Id": lease + 1, "FirstName": first, "LastName": last, "Email": made.email(first, last),
        "PhoneNumbers": [{"Number": made.phone(), "Type": "Cell"}], "CreatedDateTime": iso(created),
        "TaxId": "000-00-0000", "DateOfBirth": "1990-01-01", "_updated": iso(updated)}  # fmt: skip
    insert_all(population, "tenants", [tenant])
    insert_all(population, "leases", [{"Id": lease, "PropertyId": rental, "UnitId": unit,
        "UnitNumber": str(unit), "LeaseFromDate": str(made.day(300)), "LeaseToDate": str(made.day(0, 300)),
        "LeaseType": "Fixed",
        "LeaseStatus": made.one_of(("Active", "Past", "Future")), "IsEvictionPending": False,
        "TermType": "Standard", "RenewalOfferStatus": "NotSet", "CurrentNumberOfOccupants": 2,
        "PaymentDueDay": 1, "CreatedDateTime": iso(created), "LastUpdatedDateTime": iso(updated),
        "Tenants": [{"Id": lease + 1, "Status": "Active"}]}])  # fmt: skip
    insert_all(population, "lease_transactions", ({"Id": lease * 10 + entry, "Date": str(made.day(150)),
        "TransactionType": "Charge", "TransactionTypeEnum": "Charge", "TotalAmount": made.money(900, 2000),
        "Journal": {}, "_lease": lease} for entry in range(2)))  # fmt: skip
    for collection in ("lease_recurring_transactions", "lease_renewals"):
        insert_all(population, collection, [{"Id": lease, "_updated": iso(updated)}])
    rent = {"Id": lease, "LastUpdatedDateTime": iso(updated) if made.chance(0.7) else None}
    insert_all(population, "rent_schedules", [rent])
    balance = {"LeaseId": lease, "TotalBalance": made.money(0, 900)}
    insert_all(population, "lease_outstanding_balances", [balance], key="LeaseId")


simulation = Simulation(
    "buildium", Buildium, buildium_demo_population,
    {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}, path="/v1",
)  # fmt: skip
