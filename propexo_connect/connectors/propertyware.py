"""Propertyware: portfolios, buildings, units, leases and their money, work orders, bills, the ledger.

API      Open API v1, as its OpenAPI document of 2026 tells. That and the guide spell the address differently
         (/pw/api/rest/v1 and /pw/api/v1/rest): set `url` if the first one answers 404.
Auth     three headers, x-propertyware-client-id, -client-secret and -system-id; keys do not expire, and
         have rights by kind of record.
Limits   ten requests a second are announced and not enforced yet: a setting.
Paging   limit (100 by default, at most 500, more is cut in silence) and offset; the total is in
         X-Total-Count. Pages are stable only in the order of a unique field, so lists are asked for by id.
Filters  lastModifiedDateTimeStart and -End on every list, both ends included.
Cursor   lastModifiedDateTime.
Deletes  are not shown. Deactivated records and custom fields come because they are asked for.
"""

from pydantic import Field as Setting
from pydantic import SecretStr

from propexo_connect.connectors.api import ApiConfig, ApiConnector
from propexo_connect.http.plan import Api, ApiStream, Between, Budget, Each, Headers, Offsets, OnePage, Rate


class PropertywareConfig(ApiConfig):
    """A Propertyware organisation, by an API key with the right to read."""

    url: str = Setting(
        default="https://api.propertyware.com/pw/api/rest/v1", description="Address of the API."
    )
    client_id: str = Setting(description="Client id of the API key (Administration Setup, API Keys).")
    client_secret: SecretStr = Setting(description="The key's secret.")
    system_id: str = Setting(description="Id of the organisation that the key belongs to.")
    document_entities: tuple[str, ...] = Setting(
        default=("PORTFOLIO", "BUILDING", "UNIT", "LEASE", "CONTACT", "PROSPECT", "VENDOR", "WORK_ORDER"),
        description="Kinds of record whose documents are listed; the vendor wants one kind a request.",
    )
    requests_per_second: int = Setting(
        default=10, ge=1, description="The limit that the vendor has announced and does not enforce yet."
    )


CHANGED = "lastModifiedDateTime"
UPDATED = Between(CHANGED, "lastModifiedDateTimeStart", "lastModifiedDateTimeEnd")

BY_ID = {"orderby": "id"}
CUSTOM = {**BY_ID, "includeCustomFields": "true"}
INACTIVE = {**BY_ID, "includeDeactivated": "true"}
ALL = {**CUSTOM, **INACTIVE}


def changing(name: str, path: str, description: str, params: dict[str, str] = BY_ID,
             sensitive: tuple[str, ...] = ()) -> ApiStream:  # fmt: skip
    """A list as most are: with a date of change to filter and order by."""
    return ApiStream(name, path, "id", description, cursor=CHANGED, filter=UPDATED, params=params,
                     sensitive=sensitive)  # fmt: skip


BANK = ("bankAccountNumber", "bankRoutingNumber")

STREAMS = (
    changing("portfolios",            "/portfolios",                     "Portfolios.",                 ALL,
             ("defaultBankAccountNumberAndDescription", "defaultSecurityDepositBankAccountNumberAndDescription")),
    changing("buildings",             "/buildings",                      "Buildings.",                  ALL),
    changing("units",                 "/units",                          "Units.",                      ALL),
    changing("leases",                "/leases",                         "Leases.",                     CUSTOM),
    changing("lease_charges",         "/leases/charges",                 "Charges of leases."),
    changing("lease_payments",        "/leases/payments",                "Payments of leases."),
    changing("lease_adjustments",     "/leases/adjustments",             "Adjustments of leases."),
    changing("lease_credit_memos",    "/leases/creditmemos",             "Credit memos of leases."),
    changing("lease_refunds",         "/leases/refunds",                 "Refunds of leases."),
    changing("lease_discounts",       "/leases/discounts",               "Discounts of leases."),
    changing("lease_journal_entries", "/leases/journalentries",          "Journal entries of leases."),
    changing("lease_auto_charges",    "/leases/autocharges",             "Charges that repeat."),
    changing("contacts",              "/contacts",                       "Tenants, owners, others.",    CUSTOM,
             ("birthDate",)),
    changing("prospects",             "/prospects",                      "Prospects.",                  CUSTOM),
    changing("vendors",               "/vendors",                        "Vendors.",                    CUSTOM,
             ("taxId",)),
    changing("work_orders",           "/workorders",                     "Work orders.",                CUSTOM),
    changing("inspections",           "/inspections",                    "Inspections."),
    changing("bills",                 "/bills",                          "Bills."),
    changing("bill_payments",         "/bills/payments",                 "Payments of bills."),
    changing("vendor_checks",         "/bills/vendorchecks",             "Checks to vendors."),
    changing("general_ledger",        "/accounting/generalledger",       "Entries of the ledger (beta).", {}),
    changing("gl_accounts",           "/accounting/glaccounts",          "Accounts of the ledger.",     INACTIVE,
             BANK),
    changing("owner_draws",           "/accounting/ownerdraws",          "Draws of owners."),
    changing("owner_contributions",   "/accounting/ownercontributions",  "Contributions of owners."),
    ApiStream("documents",            "/docs",              "id",        "Documents, by kind of record.",
              cursor=CHANGED, filter=UPDATED, params={**BY_ID, "entityType": "{each}"},
              each=Each("document_entities")),
    ApiStream("lease_statuses",       "/leases/statuses",   "id", "Names of lease states (beta).", paging=OnePage()),
    ApiStream("prospect_statuses",    "/prospects/statuses", "id", "Names of prospect states.",    paging=OnePage()),
    ApiStream("contact_categories",   "/contacts/categories", "id", "Categories of contacts.",     paging=OnePage()),
)  # fmt: skip

STAMPS = " createdBy createdDateTime:timestamp lastModifiedBy lastModifiedDateTime:timestamp"

FIELDS = {
    "portfolios": """id:int abbreviation active:bool cashAccrual closingDate:date customFields:json
        defaultBankAccountID:int defaultBankAccountNumberAndDescription
        defaultSecurityDepositBankAccountID:int defaultSecurityDepositBankAccountNumberAndDescription
        doNotPayOwnerDraw:bool maintenanceSpendingLimit:money maintenanceSpendingLimitTime modifiedBy name
        ownerStatementReportID:int owners:json stickyNote targetOperatingReserve:money"""
    + STAMPS,
    "buildings": """id:int abbreviation active:bool address:json amenities:json applicationFeeRule
        areaUnits baseYear:int baseYearOperatingExpenses baseYearPropertyInsurance baseYearPropertyTaxes
        category countUnit:int county customFields:json featuredForRent:bool floorNumber:int
        ftbDeductable:float ftbWithholdingPercentage:float ftbWithholdingType idNumber:int leaseID:int
        maintenanceLaborSurchargeAmount:money maintenanceLaborSurchargeType maintenanceNotice
        maintenanceSpendingLimitAmount:money maintenanceSpendingLimitTime management:json marketing:json
        moveInDays:int multiUnit name neighborhood numberFloors:int numberOfBathrooms:float
        numberOfBedrooms:int portfolioID:int propertyManagerList:json propertyType ready:bool
        reasonForPropertyLost rentable:bool searchTag status syndicate:bool targetDeposit targetRent:money
        targetRentUnits totalArea:float type website yearBuilt:int"""
    + STAMPS,
    "units": """id:int abbreviation active:bool address:json amenities:json areaUnits buildingID:int
        category county customFields:json floorNumber:int idNumber:int leaseID:int maintenanceNotice
        maintenanceSpendingLimitTime management:json marketing:json name neighborhood numberFloors:int
        numberOfBathrooms:float numberOfBedrooms:int portfolioID:int propertyManagerList:json ready:bool
        rentable:bool searchTag status syndicate:bool targetDeposit targetRent:money targetRentUnits
        totalArea:float type website yearBuilt:int"""
    + STAMPS,
    "leases": """id:int active:bool addendums:json arBalance:money baseRent:money buildingID:int comments
        contacts:json customFields:json endDate:date idNumber:int lateFeeRule leaseBalance:money leaseName
        location moveInDate:date moveOutDate:date noticeGivenDate:date paymentRestriction portfolioID:int
        publicAssistanceProgram reasonForLeaving scheduleMoveOutDate:date searchTag signedDate:date
        startDate:date status tenantsOptsIntoAssetProtectionPlan terminatedDate:date unitID:int"""
    + STAMPS,
    "lease_charges": """id:int amount:money amountDue:money amountPaid:money comments date:date
        glAccountID:int leaseID:int parentTxID:int payments:json portfolioID:int refNo"""
    + STAMPS,
    "lease_payments": """id:int amount:money comments contactID:int date:date depositDate:date
        destinationAccountID:int glAccountID:int isDeposited:bool leaseID:int lines:json paymentType
        portfolioID:int refNo status"""
    + STAMPS,
    "lease_adjustments": """id:int amount:money comments date:date glAccountID:int leaseID:int
        portfolioID:int refNo"""
    + STAMPS,
    "lease_credit_memos": """id:int amount:money comments date:date glAccountID:int leaseID:int
        parentTxID:int portfolioID:int refNo"""
    + STAMPS,
    "lease_refunds": """id:int amount:money date:date destinationAccountID:int glAccountID:int leaseID:int
        payeePayer portfolioID:int refNo toBePrinted:bool"""
    + STAMPS,
    "lease_discounts": """id:int amount:money comments date:date glAccountID:int leaseID:int
        portfolioID:int refNo"""
    + STAMPS,
    "lease_journal_entries": "id:int comments date journalEntrySplit:json leaseID:int refNo" + STAMPS,
    "lease_auto_charges": """id:int amount:money description dueDay:int endDate:date frequency
        glAccountID:int lastPostDate:date leaseID:int referenceNumber startDate:date"""
    + STAMPS,
    "contacts": """id:int address:json allowESignature:bool altEmail birthDate:date category comments
        company customFields:json email fax firstName gender homePhone jobTitle lastName middleName
        mobilePhone nameOnCheck namedOnLease:bool otherPhone salutation suffix type workPhone"""
    + STAMPS,
    "prospects": """id:int applicationFeePaid:bool assigneFullName buildingID:int cityDesired comments
        contacts:json currentHomeType currentRentMortgage:money customFields:json hasPets:bool
        leaseEndDate:date leaseStartDate:date moveInDate:date neighborhoodDesired numberBathrooms:float
        numberBedrooms:int numberOfPets:int petType petWeights portfolioID:int preferredContactMethod
        propertyAddress propertyAddress2 propertyArea:float propertyAreaUnits propertyCity propertyCountry
        propertyNumberBathrooms:float propertyNumberBedrooms:int propertyState propertyZip reasonForMoving
        rent:money rentMax:money rentMin:money securityDeposit:money source stateDesired status
        timeAtCurrentResidence type typeOfInquiry unitDesired unitID:int unitTypeDesired zipDesired"""
    + STAMPS,
    "vendors": """id:int accountNumber active:bool address address2 alertEmail city comments companyName
        country creditLimit:money customFields:json defaultBillSplitAccountId:int
        defaultMarkupDiscountPercentage:float description eligible1099:bool email fax
        includeCompanyNameOn1099:bool markupAccountId:int name nameOnCheck otherPhone
        paymentTermDaysToPay:int paymentTerms phone searchTag state syncToVMM:bool taxId taxPayerName
        timeTracking type website zip"""
    + STAMPS,
    "work_orders": """id:int age:int approved:bool approvedDate:date assignedVendors:json authorizeEnter
        buildingID:int category completedDate:date contractNumber costEstimate:money customFields:json
        dateToEnter:timestamp description hourEstimate:float lease location maintenanceNotice managedBy
        number:int portfolioID:int priority publishToOwnerPortal:bool publishToTenantPortal:bool requestedBy
        requiredMaterials scheduledEndDate:date searchTag source specificLocation startDate:date status type
        unitID:int unitIDs:json"""
    + STAMPS,
    "inspections": """id:int buildingID:int closedDateAndTime:timestamp comment
        inspectedDateAndTime:timestamp inspectionAreas:json inspectorID:int leaseID:int notesToInspector
        number:int portfolioID:int scheduledDateAndTime:timestamp status templateName type"""
    + STAMPS,
    "bills": """id:int amount:money billDate:date billNumber:int billSplits:json comments credit:bool
        dueDate:date expenseRecoveries:json markupGLAccountID:int markupPercentage:float paymentDate:date
        refNo terms vendorID:int workOrderID:int"""
    + STAMPS,
    "bill_payments": """id:int amount:money bills:json checkNumber lines:json memo nameOnCheck
        paymentAccountID:int paymentDate:date paymentMethod toBePrinted:bool vendorID:int"""
    + STAMPS,
    "vendor_checks": """id:int amount:money checkSplits:json comments date:date destinationAccountID:int
        payeePayer paymentType portfolioID:int refNo toBePrinted:bool vendorID:int"""
    + STAMPS,
    "general_ledger": """id:int comment glentries:json leaseID:int ownerID:int transactionType txDate:date
        vendorID:int"""
    + STAMPS,
    "gl_accounts": """id:int accountCode accountNumber accountType active:bool autoApplyPrepayment:bool
        bankAccountHolder bankAccountNumber bankAddress bankAddress2 bankCity bankInstitution
        bankRoutingNumber bankState bankZip camRecoveryAccount:bool description discountAccount:bool
        escrowAccount:bool excludeFrom1099:bool excludeFromPayInFull:bool excludeLateFee:bool
        lateFeeApplicable:bool name parentGLAccountId:int parentRef paymentPriority:int rentAccount:bool
        section8:bool securityDepositAccount:bool taxAccount:bool transferBalanceToRetainedEarnings:bool"""
    + STAMPS,
    "owner_draws": """id:int amount:money comments contactID:int date:date destinationAccountId:int
        glAccountID:int lines:json paymentType portfolioID:int refNo"""
    + STAMPS,
    "owner_contributions": """id:int amount:money comments contactID:int date:date destinationAccountID:int
        glAccountID:int lines:json paymentType portfolioID:int refNo"""
    + STAMPS,
    "documents": """id:int description entityId:int entityType fileName fileType publishToOwnerPortal:bool
        publishToTenantPortal:bool"""
    + STAMPS,
    "lease_statuses": "id:int defineActive:bool orderIndex:int portalLoginEnabled:bool readonly:bool status",
    "prospect_statuses": "id:int readonly:bool status visibleOnPortal:bool",
    "contact_categories": "id:int categoryName",
}

API = Api(
    STREAMS,
    Headers({
        "x-propertyware-client-id": "{client_id}",
        "x-propertyware-client-secret": "{client_secret}",
        "x-propertyware-system-id": "{system_id}",
    }),
    fields=FIELDS,
    paging=Offsets(500, total="header:X-Total-Count"),
    budget=Budget((Rate("{requests_per_second}", 1),)),
)  # fmt: skip

connector = ApiConnector(
    "propertyware", "Propertyware", "Property management", PropertywareConfig, API,
    cannot=(
        "Deleted records: they leave the lists without a word; `active` tells of deactivated ones.",
        "Documents of kinds of record that `document_entities` does not name.",
        "The order of the general ledger: the vendor names no field to sort it by.",
    ),
)  # fmt: skip
