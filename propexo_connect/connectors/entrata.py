"""Entrata: properties, units, residents, leases, leads, ledgers, invoices, work orders, inspections.

API      gateway of 2025 (apis.entrata.com): a POST for each service, the method and its version in the body.
Auth     X-Api-Key; the key is granted single methods, runs out on a date, and works from listed addresses only.
Limits   by method and key in a minute, an hour and a day; the figures differ by client: settings.
Paging   page_no and per_page for some methods (marked below); all others answer everything at once.
Filters  whole days of Mountain Time, MM/DD/YYYY. Work orders know a date of change, leads one of creation,
         money its posting dates; all else is read whole. Nearly everything is asked for property by property.
         A work order counts as updated only by location, category, problem, description, priority, status.
Values   mostly text, also numbers and dates; lists stand under a singular name, a list of one may be an object.
Deletes  work orders tell them in isDeleted; nothing else does.
"""

from datetime import timedelta
from typing import Any

from pydantic import Field as Setting
from pydantic import SecretStr

from propexo_connect.connectors.api import ApiConfig, ApiConnector
from propexo_connect.http.plan import (
    Api,
    ApiStream,
    Between,
    Budget,
    Fault,
    Headers,
    Numbered,
    OnePage,
    Parent,
    Rate,
)


class EntrataConfig(ApiConfig):
    """A client company of Entrata, by an API key that is granted the methods below."""

    url: str = Setting(
        default="https://apis.entrata.com/ext/orgs/{organization}/v1", description="Address of the gateway."
    )
    organization: str = Setting(description="The client's subdomain: `acme` of acme.entrata.com.")
    api_key: SecretStr = Setting(description="The API key.")
    lead_event_types: str | None = Setting(
        default=None,
        description="Ids of the event types of `lead_events`, joined by commas; needed for that stream.",
    )
    earliest: str = Setting(
        default="2010-01-01", description="First day of whole reads of what is refused or cut without dates."
    )
    requests_per_minute: int = Setting(
        default=60, ge=1, description="Your limit for each service in a minute."
    )
    requests_per_hour: int = Setting(
        default=1000, ge=1, description="Your limit for each service in an hour."
    )
    requests_per_day: int = Setting(default=2500, ge=1, description="Your limit for each service in a day.")
    throttled_codes: tuple[str, ...] = Setting(
        default=("429",), description="Codes of faults in answers that mean that a limit is reached."
    )


DAY = timedelta(days=1)
YEAR = timedelta(days=365)
MOUNTAIN = "America/Denver"


def days(field: str, lower: str, upper: str, written: str = "us_date", **more: Any) -> Between:
    """A filter by days of Mountain Time, within the method's parameters."""
    bounds = (f"method.params.{lower}", f"method.params.{upper}")
    return Between(field, *bounds, at="body", written=written, grain="day", zone=MOUNTAIN, **more)


def business(field: str, lower: str, upper: str, **more: Any) -> Between:
    """A filter by a date of the books: late entries and corrections are looked for, and now and then all."""
    return days(field, lower, upper, meaning="business", lookback=60 * DAY, full_every=30 * DAY, **more)


# Changes of other fields than six are not seen: everything is read once a week.
WORK_UPDATED = days("lastUpdatedOn", "lastUpdatedOnFromDate", "lastUpdatedOnToDate", full_every=7 * DAY)
LEAD_CREATED = days("createdOn", "createdOnDateFrom", "createdOnDateTo", meaning="created", required=True,
                    earliest="{earliest}", lookback=60 * DAY, full_every=30 * DAY)  # fmt: skip
LEAD_EVENTS = days("date", "eventDateFrom", "eventDateTo", meaning="created", required=True, earliest="{earliest}",
                   lookback=7 * DAY, full_every=30 * DAY)  # fmt: skip
POSTED = business("postDate", "fromDate", "toDate")
PAID = business("PaymentDate", "fromDate", "toDate")
INVOICED = business("invoiceDate", "fromDate", "toDate")
TRANSACTED = business("transactionDate", "transactionFromDate", "transactionToDate")
# Without post months the property's own current one is meant: they are always given.
POST_MONTH = business("postMonth", "postMonthFrom", "postMonthTo", written="%m/%Y", required=True,
                      earliest="{earliest}", widest=YEAR)  # fmt: skip
INSPECTED = business("scheduledDate", "fromDate", "toDate")
CALLED = days("startDate", "startDate", "endDate", meaning="created", lookback=7 * DAY, full_every=30 * DAY)

PAGES = Numbered(500, page="page_no", limit="per_page", least=5)
ONE = "propertyId"
MANY = "propertyIds"


def method(name: str, service: str, key: str | tuple[str, ...], records: str, description: str, of: str = "",
           version: str = "r1", params: dict[str, str] | None = None, **more: Any) -> ApiStream:  # fmt: skip
    """A stream of one method; `of` is the parameter that names the property, where there is one."""
    path, _, called = service.partition("/")
    asked = {**({of: "{parent.PropertyID}"} if of else {}), **(params or {})}
    body = {
        "auth": {"type": "apikey"},
        "requestId": "15",
        "method": {"name": called, "version": version, "params": asked},
    }
    by_property: dict[str, Any] = {"parent": Parent("properties")}
    if "propertyId" in key:  # the records do not say it themselves
        by_property["add"] = {"propertyId": "{parent.PropertyID}"}
    return ApiStream(name, f"/{path}", key, description, method="POST", body=body, one_or_many=True,
                     absent="empty", records=f"response.result.{records}",
                     **(by_property if of else {}), **more)  # fmt: skip


STREAMS = (
    method("properties", "properties/getProperties", "PropertyID", "PhysicalProperty.Property", "Properties."),
    method("units", "propertyunits/getPropertyUnits", ("propertyId", "id"), "properties.property.*.units.unit",
           "Units, disabled ones included.", MANY, params={"includeDisabledUnits": "1"}),
    method("floor_plans", "properties/getFloorPlans", ("propertyId", "Identification.IDValue"), "FloorPlans.FloorPlan",
           "Floor plans.", ONE, params={"includeDisabledFloorplans": "1"}),
    method("unit_availability", "propertyunits/getUnitsAvailabilityAndPricing", (), "PropertyUnits.PropertyUnit",
           "What is to let now, and for how much; a snapshot without a key.", ONE, add={"propertyId": "{parent.PropertyID}"}),
    method("customers", "customers/getCustomers", ("propertyId", "@attributes.Id"), "Customers.Customer",
           "Residents.", ONE),
    method("leases", "leases/getLeases", ("propertyId", "id"), "leases.lease", "Leases with their intervals.", ONE,
           params={"includeOtherIncomeLeases": "1"}, paging=PAGES),
    method("leads", "leads/getLeads", ("propertyId", "applicationId"), "prospects.*.prospect", "Leads.", ONE,
           filter=LEAD_CREATED, paging=PAGES),
    method("lead_events", "leads/getLeadEvents", ("propertyId", "eventId"), "prospects.*.prospect.*.events.event",
           "What happened with leads, of the types in `lead_event_types`.", ONE, carry={"applicationId": "2.applicationId"},
           params={"eventTypeIds": "{lead_event_types}"}, filter=LEAD_EVENTS, paging=PAGES),
    method("ar_transactions", "artransactions/getLeaseArTransactions", ("propertyId", "id"),
           "leases.lease.*.customers.*.ledgers.*.ledger.*.transactions.transaction", "Ledgers of leases, whole and with reversals.",
           ONE, params={"showFullLedger": "1", "includeReversals": "1"}, carry={"leaseId": "1.id", "ledgerId": "4.id"},
           filter=TRANSACTED, paging=PAGES),
    method("ar_payments", "arpayments/getArPayments", "ArPaymentId", "ArPayments.ArPayment", "Payments.", filter=PAID),
    method("ar_invoices", "artransactions/getArInvoices", "id", "arInvoices.arInvoice",
           "Invoices to residents.", ONE, filter=INVOICED, paging=PAGES),
    method("gl_transactions", "financial/getGlTransactions", ("propertyId", "@attributes.id"),
           "properties.property.*.transactions.transaction.*.glDetails.glDetail", "Details of the ledger.", MANY,
           params={"isDetailed": "1"}, filter=POST_MONTH, carry={
               "accountId": "2.@attributes.accountId", "accountNumber": "2.@attributes.accountNumber",
               "accountName": "2.@attributes.accountName"}),
    method("vendor_invoices", "vendors/getInvoices", "id", "invoices.invoice", "Invoices of vendors.", version="r2",
           filter=POSTED, paging=PAGES),
    method("work_orders", "maintenance/getWorkOrders", "maintenanceRequestId", "workOrders.workOrder",
           "Work orders, deleted ones included.", ONE, params={"includeDeletedWorkOrders": "1"}, filter=WORK_UPDATED),
    method("inspections", "maintenance/getInspections", "id", "inspections.inspection", "Inspections.",
           filter=INSPECTED, paging=PAGES),
    method("insurance_policies", "leases/getRentersInsurancePolicies", ("propertyId", "id"),
           "LeaseApplication.LA_Lease.*.InsurancePolicies.InsurancePolicy", "Insurance of renters.", ONE),
    method("call_logs", "leasingcenter/getCallLogs", "id", "calls.call", "Calls.", MANY,
           filter=CALLED, paging=PAGES),
)  # fmt: skip

FIELDS = {
    "properties": """PropertyID ParentPropertyID MarketingName Type General_ID YearBuilt ShortDescription:json
        LongDescription:json webSite Address:json PostMonths:json IsDisabled IsFeaturedProperty
        CustomKeysData:json PropertyHours:json""",
    "units": """id unitNumber buildingId buildingName floorplanId floorplanName unitTypeId unitTypeName
        noOfBedrooms noOfBathrooms squareFeet isFurnished isCorportateRented numberOccupants maxPets
        unitAvailabilityURL unitAddress:json unitSpaces:json""",
    "floor_plans": """Identification.IDValue Identification.@attributes:json Name PropertyId FloorplanGroups:json
        Comment UnitCount UnitsAvailable UnitTypes:json IsDisabled Room:json SquareFeet:json MarketRent:json
        Deposit:json Amenity:json File:json""",
    "customers": """@attributes.Id @attributes.ExternalId LeaseId:json FirstName LastName UnitNumber BuildingName
        Address City State PostalCode Email PhoneNumber TermsApprovedDate CustomerAddresses:json pointsEarned
        Vehicles:json CustomerIdentificationValues:json isActiveBankruptcy bankruptcyDate bankruptcyNote""",
    "leases": """id leaseStatusTypeId leaseSubStatus leaseType transferLeaseId transferLeasePropertyId
        leaseIntervalStatus occupancyTypeId occupancyType isMonthToMonth leaseIntervalId buildingId buildingName
        floorPlanId floorPlanName unitId unitNumberSpace unitSpaceId spaceConfiguration terminationStartDate
        leaseIntervals:json""",
    "leads": """applicationId status statusId leadSourceId leadSource leasingAgentId leasingAgent psProductId
        internetListingServiceId internetListingService lastUpdatedDate createdOn screeningResultStatus
        spaceConfiguration lease:json customers:json customerPreferences:json events:json""",
    "lead_events": """eventId applicationId typeId leaseId leaseIntervalId applicantId date type appointmentDate
        timeFrom timeTo eventResultId eventResult eventReason""",
    "ar_transactions": """id leaseId ledgerId transactionTypeId arCodeId arCodeName leaseIntervalId description
        transactionDate postDate postMonth isTemporary balanceDue amount amountPaid scheduledChargeId
        creditArTransactionIds arPaymentId""",
    "ar_payments": """ArPaymentId PropertyName CustomerId CustomerFirstName CustomerLastName UnitNumber
        EmailAddress PaymentAmount PaymentDate PaymentType PaymentStatus ExternalId StreetLine1 StreetLine2
        StreetLine3 City StateCode PostalCode PhoneNumber CurrencyCode CapturedOn DistributeOn ReturnedOn
        ArAllocations:json""",
    "gl_transactions": """@attributes.id @attributes.transactionType accountId accountNumber accountName
        transactionDate postMonth postDate debit credit balance reference memo""",
    "vendor_invoices": """id isOnHold invoiceNumber invoiceType date postMonth postStatus reversalInvoiceId dueDate
        postDate invoiceNote routingTagId routingTagName remittance:json vendor:json account:json
        invoicePayments:json subTotal taxAmount shippingAmount discountAmount amount amountDue note isPosted
        retention lineItems:json""",
    "work_orders": """maintenanceRequestId propertyId buildingName unitNumber customerId nameFirst nameLast
        primaryPhoneNumber alternatePhoneNumber emailAddress createdOn assignedTo maintenanceStatus
        maintenancePriority maintenanceCategoryName maintenanceProblem maintenanceDescription labors:json
        scheduledStartDate scheduledEndDate dueDate isFloating permissionToEnter petInfo alarmInfo
        maintenanceRequestFrom maintenanceRequestBy isDeleted childWorkOrders:json""",
    "inspections": """id propertyId inspectionTypeId inspectionStatusTypeId inspectionStatusType inspectionFormId
        scheduledDate dueDate leaseId unitSpaceId note locations:json""",
    "insurance_policies": """id name unitNumber leaseId customerId policyNumber startDate liability deductible
        personalContents policyTypeId policyTypeName""",
}


def plan(config: EntrataConfig) -> Api:
    """The API, with the codes that mean a limit."""
    return Api(
        STREAMS,
        Headers({"X-Api-Key": "{api_key}"}),
        fields=FIELDS,
        paging=OnePage(),
        faults=(
            Fault("limit", at="response.error.code", among=config.throttled_codes),
            Fault("stop", status=(200, 400), at="response.error"),
        ),
        budget=Budget((
            Rate("{requests_per_minute}", 60, per_path=True),
            Rate("{requests_per_hour}", 3600, per_path=True),
            Rate("{requests_per_day}", 86_400, per_path=True),
        )),
    )  # fmt: skip


connector = ApiConnector(
    "entrata", "Entrata", "Property management", EntrataConfig, plan,
    cannot=(
        "Deletions, except of work orders (isDeleted).",
        "Work orders by changes of other fields than location, category, problem, description, priority and "
        "status: everything is read once a week.",
        "Changes of leases, residents, units and insurance policies: they are read whole.",
        "Methods that the key was not granted: the vendor refuses them one by one.",
        "The variants in MITS shape (getMitsLeads, getMitsLeases and others).",
        "The older interface with Basic (https://CLIENT.entrata.com/api/v1).",
    ),
)  # fmt: skip
