"""Calendly: scheduled events with their invitees, event types, members and groups of an organization.

API      v2.
Auth     Bearer: a personal access token, or a token of an OAuth app.
Scope    /users/me tells the organization, an address that all lists are asked with.
Paging   count, at most 100, and page_token from pagination.next_page_token, null at the end.
Filters  events by the time at which they start, not by their changes: each sync reads from 30 days before its
         start on, and all that is still to come. Event types come newest first, memberships in no set order; what
         is older is left out here.
Keys     are addresses: https://api.calendly.com/scheduled_events/…
Deletes  events are canceled; their status says so. Other deletions are not shown.
"""

from datetime import timedelta

from pydantic import Field as Setting
from pydantic import SecretStr

from propexo_connect.connectors.api import ApiConfig, ApiConnector
from propexo_connect.http.plan import (
    Api,
    ApiStream,
    Bearer,
    Between,
    Lookup,
    Newest,
    OnePage,
    Parent,
    Tokens,
)


class CalendlyConfig(ApiConfig):
    """A Calendly organization, by a token of one of its members."""

    url: str = Setting(default="https://api.calendly.com", description="Address of the API.")
    token: SecretStr = Setting(description="Personal access token, or a token of an OAuth app.")


# No upper bound: an event that was booked today may start in months.
STARTING = Between("start_time", "min_start_time", meaning="business", lookback=timedelta(days=30))
NEWEST = Newest("updated_at", ordered=True)
NEWER = Newest("updated_at")

OURS = {"organization": "{organization}"}
BY_START, BY_UPDATE = {**OURS, "sort": "start_time:asc"}, {**OURS, "sort": "updated_at:desc"}

STREAMS = (
    ApiStream("scheduled_events", "/scheduled_events", "uri", "Events, past and to come, also canceled ones.",
              filter=STARTING, cursor="updated_at", params=BY_START, sensitive=("location.join_url",)),
    ApiStream("invitees", "/scheduled_events/{parent.uri/}/invitees", "uri", "Who was invited to each event.",
              cursor="updated_at", parent=Parent("scheduled_events", changed=True),
              sensitive=("cancel_url", "reschedule_url")),
    ApiStream("event_types", "/event_types", "uri", "What can be booked.",
              filter=NEWEST, cursor="updated_at", params=BY_UPDATE),
    ApiStream("organization_memberships", "/organization_memberships", "uri", "Members of the organization.",
              filter=NEWER, cursor="updated_at", params=OURS),
    ApiStream("groups", "/groups", "uri", "Groups of members.", cursor="updated_at", params=OURS),
    ApiStream("current_user", "/users/me", "uri", "The member whose token it is.", cursor="updated_at",
              records="resource", single=True, paging=OnePage()),
)  # fmt: skip

FIELDS = {
    "scheduled_events": """uri name status start_time:timestamp end_time:timestamp event_type location:json
        invitees_counter:json event_memberships:json event_guests:json calendar_event:json cancellation:json
        meeting_notes_plain meeting_notes_html created_at:timestamp updated_at:timestamp""",
    "invitees": """uri event name email status timezone text_reminder_number questions_and_answers:json
        tracking:json rescheduled:bool old_invitee cancellation:json cancel_url reschedule_url
        created_at:timestamp updated_at:timestamp""",
    "event_types": """uri name slug active:bool type kind pooling_type booking_method duration:int
        duration_options:json locations:json color position:int secret:bool admin_managed:bool profile:json
        custom_questions:json description_plain description_html scheduling_url created_at:timestamp
        updated_at:timestamp""",
    "organization_memberships": "uri organization role user:json created_at:timestamp updated_at:timestamp",
    "groups": "uri organization name member_count:int created_at:timestamp updated_at:timestamp",
    "current_user": """uri name email slug timezone locale scheduling_url current_organization resource_type
        created_at:timestamp updated_at:timestamp""",
}

API = Api(
    STREAMS,
    Bearer("{token}"),
    fields=FIELDS,
    records="collection",
    paging=Tokens("pagination.next_page_token", "page_token", size=100, limit="count"),
    lookups=(Lookup("organization", "/users/me", "resource.current_organization"),),
)

connector = ApiConnector(
    "calendly", "Calendly", "Scheduling", CalendlyConfig, API,
    cannot=(
        "Changes of events that started more than 30 days before: they can be asked for by their start only.",
        "Removed event types, members and groups.",
    ),
)  # fmt: skip
