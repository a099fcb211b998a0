"""Zendesk Support: tickets, their events, users, organizations, groups, and how tickets are handled.

API      Support API v2.
Auth     Basic as EMAIL/token with an API token, or the Bearer token of an OAuth client.
Limits   10 requests a minute to incremental exports; 429 with Retry-After.
Exports  start_time in seconds since 1970, at least a minute old; what changed within the last minute is left out,
         so tiles end two minutes before the sync. Tickets and users go on with a cursor, all others with end_time,
         which repeats records at the edges of pages; end_of_stream ends both.
Paging   other lists: page[size], at most 100, links.next while meta.has_more.
Cursor   updated_at; exports of tickets go by generated_timestamp, which moves with changes of the system, too.
Deletes  deleted tickets come with the status `deleted`; other deletions are not shown.
"""

from datetime import timedelta

from pydantic import Field as Setting
from pydantic import SecretStr

from propexo_connect.connectors.api import ApiConfig, ApiConnector
from propexo_connect.http.plan import Api, ApiStream, Basic, Bearer, Between, Budget, Links, Rate, Tokens


class ZendeskConfig(ApiConfig):
    """A Zendesk account, by an API token of an agent or by an OAuth client."""

    url: str = Setting(description="Address of the API: https://SUBDOMAIN.zendesk.com/api/v2.")
    email: str | None = Setting(
        default=None, description="E-mail address of the agent whose API token it is."
    )
    api_token: SecretStr | None = Setting(
        default=None, description="API token (Apps and integrations, APIs)."
    )
    access_token: SecretStr | None = Setting(
        default=None, description="Token of an OAuth client, in place of e-mail address and API token."
    )
    exports_per_minute: int = Setting(
        default=10, ge=1, description="Requests a minute to incremental exports."
    )


def since(field: str) -> Between:
    """Exports know a lower bound only, and refuse one that lies in the time to come: it is not proven."""
    return Between(
        field, "start_time", written="epoch", required=True, lag=timedelta(minutes=2), proves=False
    )


BY_CURSOR = Tokens("after_cursor", "cursor", end="end_of_stream", alone=True)
BY_TIME = Tokens("end_time", "start_time", end="end_of_stream")

# stream, filter, paging, cursor, what it is
EXPORTS = (
    ("tickets",              since("generated_timestamp"), BY_CURSOR, "updated_at", "Tickets, also deleted ones."),
    ("users",                since("updated_at"),          BY_CURSOR, "updated_at", "End users and agents."),
    ("organizations",        since("updated_at"),          BY_TIME,   "updated_at", "Organizations."),
    ("ticket_events",        since("created_at"),          BY_TIME,   None,         "What happened to tickets."),
    ("ticket_metric_events", since("time"),                BY_TIME,   None,         "Times of replies and solutions as they passed."),
)  # fmt: skip

# stream, what it is
LISTS = (
    ("groups",                   "Groups of agents."),
    ("group_memberships",        "Which agent is in which group."),
    ("organization_memberships", "Which user is in which organization."),
    ("ticket_fields",            "Fields of tickets."),
    ("ticket_metrics",           "Times and counts of each ticket."),
    ("satisfaction_ratings",     "How users rated what was done."),
    ("brands",                   "Brands."),
    ("macros",                   "Macros."),
    ("triggers",                 "Triggers."),
    ("automations",              "Automations."),
    ("views",                    "Views."),
)  # fmt: skip

SHARED = "id:int created_at:timestamp updated_at:timestamp"
FIELDS = {
    "tickets": f"{SHARED} status generated_timestamp:int",
    "users": SHARED,
    "organizations": SHARED,
    "ticket_events": "id:int",
    "ticket_metric_events": "id:int time:timestamp",
    **{name: SHARED for name, _ in LISTS},
    "groups": f"{SHARED} name description default:bool deleted:bool is_public:bool url",
}

STREAMS = (
    *(
        ApiStream(name, f"/incremental/{name}{'/cursor' if paging is BY_CURSOR else ''}.json", "id", description,
                  filter=given, cursor=cursor, records=name, paging=paging)
        for name, given, paging, cursor, description in EXPORTS
    ),
    *(
        ApiStream(name, f"/{name}.json", "id", description, cursor="updated_at", records=name)
        for name, description in LISTS
    ),
)  # fmt: skip


def api(config: ZendeskConfig) -> Api:
    """The plan, with the way to log in that the settings choose."""
    return Api(
        STREAMS,
        Basic("{email}/token", "{api_token}") if config.access_token is None else Bearer("{access_token}"),
        fields=FIELDS,
        paging=Links("links.next", size=100, limit="page[size]", has_more="meta.has_more"),
        budget=Budget((Rate("{exports_per_minute}", 60, only=("/api/v2/incremental/",)),)),
    )


connector = ApiConnector(
    "zendesk", "Zendesk Support", "Support", ZendeskConfig, api,
    cannot=(
        "Deletions, but for those of tickets.",
        "Changes of groups, fields and rules by themselves: those lists are read whole.",
    ),
)  # fmt: skip
