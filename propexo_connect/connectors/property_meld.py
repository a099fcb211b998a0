"""Property Meld: melds (work orders), units, properties, residents, vendors, invoices, estimates, files.

API      Nexus API v2; what it does live was written up in September 2026. v0.0.1 ends on 31 December 2026.
Auth     OAuth client credentials (Nexus API Keys page, Ops plan), tokens of ten hours, and X-Multitenant-Id.
Limits   50 reads a second; 429 without a word on when.
Paging   limit and offset, {count, next, previous, results}; more than 500 rows are cut in silence. No order
         is promised; one is asked for.
Filters  two names for one thing: updated__gte on melds (also updated__lte), units and properties;
         last_updated_gte on residents, vendors, invoices and estimates. All else is read whole. A parameter that
         the vendor does not know is ignored with 200.
Cursor   updated on melds. What was just written may not be seen for a moment.
Types    differ from the published schema: lists where texts are announced, numbers where texts are, nulls.
Deletes  are not shown: records leave the lists and answer 404.
"""

from datetime import timedelta

from pydantic import Field as Setting
from pydantic import SecretStr

from propexo_connect.connectors.api import ApiConfig, ApiConnector
from propexo_connect.http.plan import Api, ApiStream, Between, Budget, Headers, OAuth, Offsets, Parent, Rate


class PropertyMeldConfig(ApiConfig):
    """A company at Property Meld, by an API key pair."""

    url: str = Setting(default="https://api.propertymeld.com/api/v2", description="Address of the API.")
    token_url: str = Setting(
        description="Address of the token, as the vendor's first-request guide names it."
    )
    client_id: str = Setting(description="Client id of the API key (Nexus API Keys page).")
    client_secret: SecretStr = Setting(description="The key's secret.")
    multitenant_id: str = Setting(description="Id of the company, for X-Multitenant-Id.")
    ordering: str | None = Setting(
        default="id", description="Order of all lists; the vendor ignores one that it does not know."
    )
    more_lists: dict[str, str] = Setting(
        default={}, description="Further lists, as `expenditures: /expenditure/`; they are read whole."
    )


LAG = timedelta(seconds=5)
UPDATED = Between("updated", "updated__gte", "updated__lte", lag=LAG)
UPDATED_SINCE = Between("updated", "updated__gte", lag=LAG)
LAST_UPDATED = Between("last_updated", "last_updated_gte", lag=LAG)


def files(name: str, of: str) -> ApiStream:
    """Files of the melds that changed, by whose they are."""
    return ApiStream(name, f"/meld/{{parent.id}}/{of}-files/", ("meld", "id"), f"Files of melds: the {of}'s.",
                     parent=Parent("melds", changed=True), add={"meld": "{parent.id}"},
                     unconfirmed=("That v2 lists the files of a meld as v0.0.1 does.",))  # fmt: skip


STREAMS = (
    ApiStream("melds",      "/meld/",      "id", "Melds: what is to be mended.", filter=UPDATED, cursor="updated"),
    ApiStream("units",      "/unit/",      "id", "Units.",                       filter=UPDATED_SINCE),
    ApiStream("properties", "/property/",  "id", "Properties.",                  filter=UPDATED_SINCE),
    ApiStream("residents",  "/resident/",  "id", "Residents.",                   filter=LAST_UPDATED),
    ApiStream("vendors",    "/vendor/",    "id", "Vendors.",                     filter=LAST_UPDATED),
    ApiStream("invoices",   "/invoice/",   "id", "Invoices.",                    filter=LAST_UPDATED),
    ApiStream("estimates",  "/estimates/", "id", "Estimates.",                   filter=LAST_UPDATED),
    ApiStream("owners",     "/owner/",     "id", "Owners; read whole."),
    ApiStream("tags",       "/tag/",       "id", "Tags; read whole."),
    ApiStream("projects",   "/project/",   "id", "Projects; read whole."),
    files("meld_manager_files", "manager"),
    files("meld_tenant_files",  "tenant"),
    files("meld_vendor_files",  "vendor"),
)  # fmt: skip

FIELDS = {
    "melds": """id:int management:int unit:int brief_description description maintenance_notes status priority
        work_category created:timestamp updated:timestamp marked_complete:timestamp assigned due_date
        completion_date completion_notes is_active:bool has_pets:bool has_registered_tenant:bool
        notify_owner:bool open_work_entry:bool manager_cancelled manager_cancellation_reason
        owner_approval_status owner_approval_dollar_amount:money owner_approval_request_date creator:json
        assigner:json assigned_technicians:json in_house_servicers:json invite_assignments:json
        managementappointment:json manager_canceller:json management_agent_closer:json meld_expenditures:json
        merged_meld:json""",
    "estimates": "id:int total:money pm_fee:money",
}


def api(config: PropertyMeldConfig) -> Api:
    """The API, with the further lists of the settings."""
    more = (
        ApiStream(name, path, "id", "A list of the settings.") for name, path in config.more_lists.items()
    )
    streams = (*STREAMS, *more)
    return Api(
        streams,
        (
            OAuth("{token_url}", "{client_id}", "{client_secret}", lifetime=timedelta(hours=10)),
            Headers({"X-Multitenant-Id": "{multitenant_id}"}),
        ),
        fields={stream.name: "id:int" for stream in streams} | FIELDS,
        params={"ordering": "{ordering}"},
        records="results",
        paging=Offsets(500, total="count"),
        budget=Budget((Rate(50, 1),)),
    )


connector = ApiConnector(
    "property_meld", "Property Meld", "Maintenance", PropertyMeldConfig, api,
    cannot=(
        "Deleted records: they leave the lists without a word.",
        "Changes of owners, tags and projects by date: they are read whole.",
        "Expenditures, work logs, management agents, buildings, floors and property groups, unless `more_lists` "
        "names their paths.",
    ),
)  # fmt: skip
