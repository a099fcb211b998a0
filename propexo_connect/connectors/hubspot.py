"""HubSpot: contacts, companies, deals, tickets, products, activities, commerce, owners and pipelines.

API      CRM v3, as its OpenAPI documents tell.
Auth     the token of a private app, or a refresh token of an OAuth app whose access tokens last 30 minutes.
Limits   a burst in 10 seconds, 100 to 200 by plan; searches have a limit of their own of about 5 a second.
Paging   after, from paging.next.after; 100 records a page in lists, 200 in searches.
Filters  lists know none; changes come by search on hs_lastmodifieddate (contacts: lastmodifieddate). A search
         reaches 10,000 records, so a range with more is split.
Cursor   updatedAt. Searches lag behind by seconds to a minute: five minutes are read again.
Deletes  archived records have streams of their own, read whole.
"""

from collections.abc import Mapping
from datetime import timedelta

from pydantic import Field as Setting
from pydantic import SecretStr

from propexo_connect.connectors.api import ApiConfig, ApiConnector
from propexo_connect.http.plan import (
    Api,
    ApiStream,
    Bearer,
    Between,
    Budget,
    Changes,
    Each,
    OAuth,
    OnePage,
    Rate,
    Tokens,
)


class HubspotConfig(ApiConfig):
    """A HubSpot account, by a private app or an OAuth app."""

    url: str = Setting(default="https://api.hubapi.com", description="Address of the API.")
    access_token: SecretStr | None = Setting(default=None, description="Access token of a private app.")
    client_id: str | None = Setting(default=None, description="Client id of an OAuth app.")
    client_secret: SecretStr | None = Setting(default=None, description="The OAuth app's client secret.")
    refresh_token: SecretStr | None = Setting(
        default=None,
        description="Refresh token of the consent to the OAuth app, in place of an access token.",
    )
    properties: Mapping[str, tuple[str, ...]] = Setting(
        default={},
        description="Properties to bring, by the object type as paths name it; "
        "without them HubSpot sends a few of its choice.",
    )
    custom_objects: tuple[str, ...] = Setting(
        default=(), description="Custom object types to read, each a stream of that name."
    )
    described_objects: tuple[str, ...] = Setting(
        default=("contacts", "companies", "deals", "tickets"),
        description="Object types whose properties the stream `properties` describes.",
    )
    requests_per_10_s: int = Setting(default=100, ge=1, description="Requests in 10 seconds.")
    searches_per_second: int = Setting(default=5, ge=1, description="Searches a second.")


# stream, object type in paths, the property that changes are searched by, what it is
OBJECTS = (
    ("contacts",             "contacts",             "lastmodifieddate",    "People."),
    ("companies",            "companies",            "hs_lastmodifieddate", "Companies."),
    ("deals",                "deals",                "hs_lastmodifieddate", "Deals."),
    ("tickets",              "tickets",              "hs_lastmodifieddate", "Tickets."),
    ("leads",                "leads",                "hs_lastmodifieddate", "Leads."),
    ("products",             "products",             "hs_lastmodifieddate", "Products."),
    ("line_items",           "line_items",           "hs_lastmodifieddate", "Lines of deals, quotes and invoices."),
    ("quotes",               "quotes",               "hs_lastmodifieddate", "Quotes."),
    ("orders",               "orders",               "hs_lastmodifieddate", "Orders."),
    ("carts",                "carts",                "hs_lastmodifieddate", "Carts."),
    ("invoices",             "invoices",             "hs_lastmodifieddate", "Invoices."),
    ("commerce_payments",    "commerce_payments",    "hs_lastmodifieddate", "Payments."),
    ("subscriptions",        "subscriptions",        "hs_lastmodifieddate", "Subscriptions."),
    ("discounts",            "discounts",            "hs_lastmodifieddate", "Discounts."),
    ("fees",                 "fees",                 "hs_lastmodifieddate", "Fees."),
    ("taxes",                "taxes",                "hs_lastmodifieddate", "Taxes."),
    ("calls",                "calls",                "hs_lastmodifieddate", "Calls."),
    ("emails",               "emails",               "hs_lastmodifieddate", "E-mails."),
    ("meetings",             "meetings",             "hs_lastmodifieddate", "Meetings."),
    ("notes",                "notes",                "hs_lastmodifieddate", "Notes."),
    ("tasks",                "tasks",                "hs_lastmodifieddate", "Tasks."),
    ("communications",       "communications",       "hs_lastmodifieddate", "Messages by other channels."),
    ("postal_mail",          "postal_mail",          "hs_lastmodifieddate", "Letters."),
    ("feedback_submissions", "feedback_submissions", "hs_lastmodifieddate", "Answers to surveys."),
    ("goal_targets",         "goal_targets",         "hs_lastmodifieddate", "Goals."),
    ("users",                "users",                "hs_lastmodifieddate", "Users of the account."),
    ("listings",             "0-420",                "hs_lastmodifieddate", "Properties for sale or rent."),
    ("services",             "0-162",                "hs_lastmodifieddate", "Services."),
    ("courses",              "0-410",                "hs_lastmodifieddate", "Courses."),
)  # fmt: skip
ARCHIVED = ("contacts", "companies", "deals", "tickets", "products", "line_items", "quotes", "calls", "emails",
            "meetings", "notes", "tasks")  # fmt: skip

LISTED = Tokens("paging.next.after", "after", size=100, limit="limit")
SEARCHED = Tokens("paging.next.after", "after", size=200, limit="limit", total="total", cap=10_000, at="body")

RECORD = "id properties:json createdAt:timestamp updatedAt:timestamp archived:bool archivedAt:timestamp"


def changes(kind: str, field: str) -> Changes:
    """The search for records of a type that changed within a range."""
    between = {"propertyName": field, "operator": "BETWEEN", "value": "{start}", "highValue": "{end}"}
    return Changes(
        f"/crm/v3/objects/{kind}/search",
        Between(field, terms=("{start}", "{end}"), written="epoch_ms_text", required=True,
                lookback=timedelta(minutes=5)),
        method="POST", paging=SEARCHED,
        body={"filterGroups": [{"filters": [between]}], "properties": f"{{properties.{kind}}}",
              "sorts": [{"propertyName": field, "direction": "ASCENDING"}]},
    )  # fmt: skip


def objects(name: str, kind: str, field: str, description: str) -> ApiStream:
    """The records of one type: listed whole, searched for changes."""
    return ApiStream(name, f"/crm/v3/objects/{kind}", "id", description, fields=RECORD, cursor="updatedAt",
                     params=asked(kind), paging=LISTED, changes=changes(kind, field))  # fmt: skip


def archived(name: str) -> ApiStream:
    """The deleted records of one type, as long as HubSpot keeps them."""
    return ApiStream(f"archived_{name}", f"/crm/v3/objects/{name}", "id", f"Deleted {name.replace('_', ' ')}.",
                     fields=RECORD, cursor="updatedAt", params={**asked(name), "archived": "true"},
                     paging=LISTED)  # fmt: skip


def asked(kind: str) -> dict[str, str]:
    """The properties that are asked for in a list, each by a parameter of its own."""
    return {"properties": f"{{properties.{kind}}}"}


STREAMS = (
    *(objects(*row) for row in OBJECTS),
    *(archived(name) for name in ARCHIVED),
    ApiStream("owners", "/crm/v3/owners", "id", "Users that records can be assigned to.", paging=LISTED),
    ApiStream("deal_pipelines", "/crm/v3/pipelines/deals", "id", "Pipelines of deals."),
    ApiStream("deal_stages", key=("pipelineId", "id"), description="Stages of the pipelines of deals.",
              parent="deal_pipelines", nested="stages", add={"pipelineId": "{parent.id}"}),
    ApiStream("ticket_pipelines", "/crm/v3/pipelines/tickets", "id", "Pipelines of tickets."),
    ApiStream("ticket_stages", key=("pipelineId", "id"), description="Stages of the pipelines of tickets.",
              parent="ticket_pipelines", nested="stages", add={"pipelineId": "{parent.id}"}),
    ApiStream("properties", "/crm/v3/properties/{each}", ("objectType", "name"), "What properties there are.",
              each=Each("described_objects"), add={"objectType": "{each}"}),
)  # fmt: skip

PIPELINE = """id label displayOrder:int stages:json createdAt:timestamp updatedAt:timestamp archived:bool
    archivedAt:timestamp"""
STAGE = """id label displayOrder:int metadata:json writePermissions createdAt:timestamp updatedAt:timestamp
    archived:bool archivedAt:timestamp"""
FIELDS = {
    "owners": """id email type firstName lastName userId:int userIdIncludingInactive:int teams:json
        createdAt:timestamp updatedAt:timestamp archived:bool""",
    "deal_pipelines": PIPELINE,
    "deal_stages": STAGE,
    "ticket_pipelines": PIPELINE,
    "ticket_stages": STAGE,
    "properties": """name label type fieldType groupName description options:json displayOrder:int
        calculated:bool calculationFormula externalOptions:bool hasUniqueValue:bool hidden:bool
        hubspotDefined:bool formField:bool referencedObjectType dataSensitivity archived:bool
        archivedAt:timestamp createdAt:timestamp createdUserId updatedAt:timestamp updatedUserId""",
}


def api(config: HubspotConfig) -> Api:
    """The plan, with the account's own object types and its way to log in."""
    own = (objects(kind, kind, "hs_lastmodifieddate", "A custom object.") for kind in config.custom_objects)
    streams = (*STREAMS, *own)
    searches = tuple(stream.changes.path for stream in streams if stream.changes is not None)
    consent = OAuth("{url}/oauth/v1/token", "{client_id}", "{client_secret}", grant="refresh_token",
                    refresh_token="{refresh_token}")  # fmt: skip
    return Api(
        streams,
        Bearer("{access_token}") if config.refresh_token is None else consent,
        fields=FIELDS,
        records="results",
        paging=OnePage(),
        budget=Budget(
            (Rate("{requests_per_10_s}", 10), Rate("{searches_per_second}", 1, only=searches)),
        ),
    )


connector = ApiConnector(
    "hubspot", "HubSpot", "CRM", HubspotConfig, api,
    cannot=(
        "Properties beyond a few of HubSpot's choice, unless the connection names them in `properties`.",
        "Associations between records: searches do not bring them.",
        "Deletions among the changes: archived records are lists of their own.",
    ),
)  # fmt: skip
