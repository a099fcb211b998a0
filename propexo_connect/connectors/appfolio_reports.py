"""AppFolio reports: rent roll, directories, general ledger, receivables, work orders, statements.

API      Reports API v2, one POST a report. Its reference stands behind a log-in; what is here is what
         integrations of 2023 to 2026 do. Rows, not entities: `appfolio` reads those by date of change.
Auth     Basic, with the credentials of the Reports API, which are not those of the Database API.
Limits   7 requests in 15 seconds, by a community file: a setting.
Paging   5,000 rows, then a POST without a body to next_page_url, which lives 30 minutes.
Filters  business dates, whole days; several reports want both. Nothing is filtered by date of change: the last
         90 days are read again each time. Hidden properties come only with property_visibility "all".
Cursor   none. Most rows have no key: they are appended when they are new or changed.
Deletes  are not shown; a snapshot without a row says it.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

from pydantic import Field as Setting
from pydantic import SecretStr

from propexo_connect.connectors.api import ApiConfig, ApiConnector
from propexo_connect.http.plan import Api, ApiStream, Basic, Between, Budget, Links, Rate


class AppFolioReportsConfig(ApiConfig):
    """The reports of an AppFolio database."""

    url: str = Setting(default="https://{database}.appfolio.com/api/v2", description="Address of the API.")
    database: str = Setting(description="Name of the database: `example` of example.appfolio.com.")
    client_id: str = Setting(description="Client id of the Reports API credentials.")
    client_secret: SecretStr = Setting(description="Their secret.")
    property_visibility: str = Setting(
        default="all", description="Which properties reports show: active, or all with the hidden ones."
    )
    accounting_basis: str | None = Setting(
        default=None, description="Basis of ledger and statements; by default the vendor's own."
    )
    earliest: str = Setting(
        default="2010-01-01", description="First day of whole reads of reports that want dates."
    )
    filters: dict[str, dict[str, Any]] = Setting(
        default={},
        description="Further filters by report, as in `balance_sheet: {posted_on_to: 2026-01-31}`.",
    )
    more_reports: tuple[str, ...] = Setting(
        default=(), description="Names of further reports to offer; they are read whole."
    )
    requests_per_15_seconds: int = Setting(
        default=7, ge=1, description="The vendor's limit, as a community file tells it."
    )


DAY = timedelta(days=1)


def dated(field: str, lower: str, upper: str) -> Between:
    """A range of days that must be given; a year at most, so that its pages are read within 30 minutes."""
    return Between(field, lower, upper, at="body", written="date", grain="day", meaning="business",
                   required=True, earliest="{earliest}", widest=365 * DAY, lookback=90 * DAY,
                   full_every=90 * DAY)  # fmt: skip


POSTED, DATED = dated("posted_on", "posted_on_from", "posted_on_to"), dated("date", "from_date", "to_date")
VISIBLE = {"property_visibility": "{property_visibility}"}
BASIS = {"accounting_basis": "{accounting_basis}"}
OF_THE_DAY = {"as_of": "{today}"}
WHOLE = ("That the report is answered without dates.",)
PERIOD = ("How the period is named: give it in `filters`.",)


def report(name: str, description: str, body: dict[str, str] | None = None, **more: Any) -> ApiStream:
    """A report as a stream."""
    return ApiStream(name, f"/reports/{name}.json", description=description, method="POST",
                     body={"paginate_results": True, **(body or {})}, **more)  # fmt: skip


REPORTS = (
    report("rent_roll",               "Rent roll, a snapshot a day.",          VISIBLE, add=OF_THE_DAY),
    report("rent_roll_itemized",      "Rent roll by charge, a snapshot a day.", VISIBLE, add=OF_THE_DAY),
    report("tenant_directory",        "Tenants."),
    report("unit_directory",          "Units."),
    report("property_directory",      "Properties.",                           VISIBLE),
    report("owner_directory",         "Owners."),
    report("vendor_directory",        "Vendors."),
    report("property_group_directory", "Groups of properties."),
    report("general_ledger",          "Lines of the ledger.",                  VISIBLE | BASIS, filter=POSTED),
    report("work_order",              "Work orders.",                          VISIBLE, key="work_order_id",
           unconfirmed=("That a row is identified by its work_order_id.", *WHOLE)),
    report("aged_receivables_detail", "What is owed, by age, a snapshot a day.",
           {"occurred_on_to": "{today}"}, add=OF_THE_DAY),
    report("delinquency_as_of",       "Who owes, a snapshot a day.",           add=OF_THE_DAY, unconfirmed=WHOLE),
    report("bill_detail",             "Bills.",                                filter=DATED),
    report("receivables_activity",    "What was charged and received.",        filter=DATED),
    report("deposit_register",        "Deposits.",                             filter=DATED),
    report("check_register_detail",   "Checks.",                               filter=DATED),
    report("rental_applications",     "Rental applications.",                  filter=DATED),
    report("unit_vacancy",            "Vacant units.",                         unconfirmed=WHOLE),
    report("lease_expiration_detail", "Leases that end.",                      unconfirmed=WHOLE),
    report("guest_card_inquiries",    "Inquiries.",                            unconfirmed=WHOLE),
    report("screening_assessment",    "Results of screening.",                 unconfirmed=WHOLE),
    report("unit_inspection",         "Inspections of units.",                 unconfirmed=WHOLE),
    report("renewal_summary",         "Renewals.",                             unconfirmed=WHOLE),
    report("income_statement",        "Totals of income.",                     BASIS, unconfirmed=PERIOD),
    report("balance_sheet",           "Totals of the balance sheet.",          BASIS, unconfirmed=PERIOD),
    report("cash_flow",               "Totals of cash flow.",                  BASIS, unconfirmed=PERIOD),
    report("property_budget",         "Budgets of properties; months are YYYY-MM.", BASIS, unconfirmed=PERIOD),
    report("chart_of_accounts",       "Accounts of the ledger."),
)  # fmt: skip

FIELDS = {
    "work_order": """work_order_id work_order_number service_request_id work_order_type priority status
        property_id unit_id occupancy_id vendor_id vendor job_description created_at created_by assigned_user
        scheduled_start scheduled_end completed_on work_completed_on canceled_on amount:money invoice
        submitted_by_tenant inspection_id unit_turn_id""",
}


def api(config: AppFolioReportsConfig) -> Api:
    """The reports, with the filters and the further names that the settings hold."""
    asked = (*REPORTS, *(report(name, "A report of the settings.") for name in config.more_reports))
    streams = tuple(
        replace(one, body=cast("dict[str, Any]", one.body) | config.filters.get(one.name, {}))
        for one in asked
    )
    return Api(
        streams,
        Basic("{client_id}", "{client_secret}"),
        fields=FIELDS,
        records="results",
        paging=Links("next_page_url", method="POST"),
        budget=Budget((Rate("{requests_per_15_seconds}", 15),)),
    )


connector = ApiConnector(
    "appfolio_reports", "AppFolio Reports", "Property management", AppFolioReportsConfig, api, status="preview",
    cannot=(
        "Changes by date of change: no report knows it.",
        "Hidden records of the directories of units, tenants, owners and vendors, unless `filters` names the "
        "report's own visibility.",
        "Which row took the place of which: most rows have no key, and a changed one is appended. Where the "
        "present state is wanted, write `mode: overwrite`, or a `key` of your own.",
        "Two rows of a report that are alike in every column: they count as one.",
    ),
)  # fmt: skip
