"""Seam: locks and other devices of many brands, access codes, access systems, events.

API      connect.getseam.com, as the vendor's OpenAPI document (seamapi/types 1.1038) tells; read 2026-11.
Auth     Authorization: Bearer and a key of one workspace; a token of several needs the header Seam-Workspace.
Limits   none are published; 429.
Paging   page_cursor, with the filters sent again beside it. Systems come at once. Events have no cursor: 500
         at most for a range, so that a range that brings so many is asked for in halves.
Filters  events by the time that they were made, `between` two moments that are themselves excluded; everything
         else is read whole. Access codes are asked for device by device.
Cursor   created_at of events.
Deletes  are not shown, but events tell of them.
"""

from datetime import timedelta

from pydantic import Field as Setting
from pydantic import SecretStr

from propexo_connect.connectors.api import ApiConfig, ApiConnector
from propexo_connect.http.plan import Api, ApiStream, Bearer, Between, OnePage, Tokens


class SeamConfig(ApiConfig):
    """A Seam workspace."""

    url: str = Setting(default="https://connect.getseam.com", description="Address of the API.")
    api_key: SecretStr = Setting(description="API key of the workspace, or a personal access token.")
    workspace: str | None = Setting(
        default=None, description="Id of the workspace; a personal access token needs it."
    )


MOST_EVENTS = 500
MADE = Between("created_at", terms=("{start}", "{end}"), meaning="created", required=True,
               earliest="2015-01-01", margin=timedelta(seconds=1), lookback=timedelta(hours=1))  # fmt: skip
# A change of a code shows the code before and after.
CODES = ("code", "from.code", "to.code")

STREAMS = (
    ApiStream("connected_accounts", "/connected_accounts/list", "connected_account_id", "Accounts at brands.",
              method="POST", records="connected_accounts"),
    ApiStream("devices", "/devices/list", "device_id", "Locks, thermostats and other devices.",
              method="POST", records="devices"),
    ApiStream("access_codes", "/access_codes/list", "access_code_id", "Codes of the devices.",
              method="POST", records="access_codes", parent="devices", body={"device_id": "{parent.device_id}"},
              sensitive=("code", "pending_mutations.from.code", "pending_mutations.to.code")),
    ApiStream("acs_systems", "/acs/systems/list", "acs_system_id", "Access systems of buildings.",
              method="POST", records="acs_systems", paging=OnePage()),
    ApiStream("acs_users", "/acs/users/list", "acs_user_id", "Their users.",
              method="POST", records="acs_users"),
    ApiStream("acs_entrances", "/acs/entrances/list", "acs_entrance_id", "Their entrances.",
              method="POST", records="acs_entrances"),
    ApiStream("events", "/events/list", "event_id", "What happened to devices, codes and systems.",
              method="POST", records="events", filter=MADE, cursor="created_at", paging=OnePage(full_at=MOST_EVENTS),
              body={"between": ["{start}", "{end}"], "limit": MOST_EVENTS},
              sensitive=(*CODES, *(f"requested_mutations.{place}" for place in CODES))),
)  # fmt: skip

FIELDS = {
    "connected_accounts": """connected_account_id account_type display_name user_identifier:json
        custom_metadata:json errors:json warnings:json created_at:timestamp""",
    "devices": """device_id device_type display_name connected_account_id workspace_id is_managed:bool
        capabilities_supported:json properties:json location:json errors:json warnings:json
        created_at:timestamp""",
    "access_codes": """access_code_id device_id code name type status starts_at:timestamp ends_at:timestamp
        is_managed:bool is_backup:bool pending_mutations:json errors:json warnings:json workspace_id
        created_at:timestamp""",
    "acs_systems": """acs_system_id name external_type system_type connected_account_id workspace_id
        location:json errors:json warnings:json created_at:timestamp""",
    "acs_users": """acs_user_id acs_system_id display_name full_name email_address phone_number
        is_suspended:bool access_schedule:json user_identity_id errors:json warnings:json workspace_id
        created_at:timestamp""",
    "acs_entrances": """acs_entrance_id acs_system_id display_name connected_account_id is_locked:bool
        errors:json created_at:timestamp""",
    "events": """event_id event_type device_id access_code_id connected_account_id workspace_id
        occurred_at:timestamp created_at:timestamp""",
}

API = Api(
    STREAMS,
    Bearer("{api_key}"),
    fields=FIELDS,
    headers={"Seam-Workspace": "{workspace}"},
    paging=Tokens("pagination.next_page_cursor", "page_cursor", limit="limit", at="body",
                  has_more="pagination.has_next_page"),
)  # fmt: skip

connector = ApiConnector(
    "seam", "Seam", "Access control", SeamConfig, API,
    cannot=(
        "Deleted records: they leave the lists; that they were deleted is told by the stream events.",
        "Changes by date of anything but events: those lists are read whole.",
        "More than 499 events within three seconds: the vendor shows no more, and the stream fails.",
        "Devices, codes and users that Seam does not manage.",
    ),
)  # fmt: skip
