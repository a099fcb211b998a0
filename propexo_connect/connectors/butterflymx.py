"""ButterflyMX: buildings, units, tenants, access points, keys, door openings, calls.

API      v4, as apidocs.butterflymx.com tells. A sandbox has the same API at addresses of its own.
Auth     OAuth 2 with a client that the vendor gives out: a refresh token that does not expire is exchanged
         for access tokens of 24 hours. What a list holds depends on the user: a building's admin sees the
         buildings that he manages, a tenant his own units.
Limits   none are published.
Paging   page and per (at most 100); page_info tells the pages; older answers lack it and end with a short page.
Filters  logs only: q[logged_at_gteq] and q[logged_at_lteq], in days; nobody says in whose zone they are
         counted, so a day more is asked for on either side. Other lists know no filter by date and are read
         whole, although their records carry updated_at.
Cursor   logged_at of door openings and calls, UTC; the building's own zone is in its time_zone.
Deletes  are not shown; inactive_after tells when a tenant leaves.
"""

from datetime import timedelta

from pydantic import Field as Setting
from pydantic import SecretStr

from propexo_connect.connectors.api import ApiConfig, ApiConnector
from propexo_connect.http.plan import Api, ApiStream, Between, Numbered, OAuth


class ButterflyConfig(ApiConfig):
    """What a ButterflyMX user sees, by an OAuth client of the vendor."""

    url: str = Setting(default="https://api.butterflymx.com/v4", description="Address of the API.")
    token_url: str = Setting(
        default="https://accounts.butterflymx.com/oauth/token", description="Address that issues tokens."
    )
    client_id: str = Setting(description="Id of the OAuth client.")
    client_secret: SecretStr = Setting(description="Secret of the OAuth client.")
    refresh_token: SecretStr = Setting(description="Refresh token of a user's consent; it does not expire.")


DAY = timedelta(days=1)
LOGGED = Between("logged_at", "q[logged_at_gteq]", "q[logged_at_lteq]", written="date", grain="day",
                 meaning="created", margin=DAY, lookback=DAY)  # fmt: skip

STREAMS = (
    ApiStream("buildings",     "/buildings",     "id", "Buildings."),
    ApiStream("units",         "/units",         "id", "Units."),
    ApiStream("tenants",       "/tenants",       "id", "Tenants."),
    ApiStream("access_points", "/access_points", "id", "Doors, gates and elevators."),
    ApiStream("devices",       "/devices",       "id", "Intercoms and locks."),
    ApiStream("access_groups", "/access_groups", "id", "Who may go where."),
    ApiStream("access_tools",  "/access_tools",  "id", "PINs, cards and fobs of tenants.", sensitive=("code",)),
    ApiStream("keychains",     "/keychains",     "id", "Passes for visitors and deliveries."),
    ApiStream("virtual_keys",  "/virtual_keys",  "id", "Keys of the passes.",
              sensitive=("pin_code", "qr_code_url")),
    ApiStream("access_logs",   "/buildings/{parent.id}/access_logs", "id", "Doors opened, and by whom.",
              filter=LOGGED, cursor="logged_at", parent="buildings", add={"building_id": "{parent.id}"}),
    ApiStream("calls",         "/buildings/{parent.id}/calls", "id", "Calls at the intercoms.",
              filter=LOGGED, cursor="logged_at", parent="buildings", add={"building_id": "{parent.id}"}),
)  # fmt: skip

DATED = "created_at:timestamp updated_at:timestamp"
FIELDS = {
    "buildings": f"id:int name address:json time_zone {DATED}",
    "units": f"id:int label floor building_id:int {DATED}",
    "tenants": f"""id:int first_name last_name full_name email building_id:int building_name building_timezone
        unit:json contact_preference notification_preference:json registration_status invitation:json
        inactive_after:timestamp {DATED}""",
    "access_points": "id:int name building_id:int device_ids:json open_hours:json",
    "devices": "id:int name type model serial_number building_id:int",
    "access_groups": "id:int name building_id:int tenants_ids:json units_ids:json",
    "access_tools": "id:int type code tenant_id:int building_id:int",
    "keychains": """id:int name type tenant_id:int unit_id:int building_id:int access_point_ids:json
        virtual_key_ids:json starts_at:timestamp ends_at:timestamp""",
    "virtual_keys": """id:int name keychain_id:int email sms_number pin_code qr_code_url
        first_used_at:timestamp last_used_at:timestamp usage_count:int""",
    # entry_method is a text in most records and an object, such as {"keychain": 254}, in others.
    "access_logs": """id:int logged_at:timestamp access_point:int unit:int tenant_id:int name entry_method:json
        release_status release_type image_url""",
    "calls": """id:int logged_at:timestamp device:json unit:json recipient:json notification_type status
        image_url""",
}

API = Api(
    STREAMS,
    OAuth("{token_url}", "{client_id}", "{client_secret}", grant="refresh_token",
          refresh_token="{refresh_token}"),
    fields=FIELDS,
    records="data",
    paging=Numbered(100, limit="per", next="page_info.next_page", pages="page_info.total_pages",
                    short_is_last=True),
)  # fmt: skip

connector = ApiConnector(
    "butterflymx", "ButterflyMX", "Access control", ButterflyConfig, API,
    cannot=(
        "Deleted records: they leave the lists without a word.",
        "Changes by date of anything but logs: those lists are read whole.",
    ),
)  # fmt: skip
