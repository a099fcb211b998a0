"""Kisi: places, locks, groups, people and what they may open, apps that are logged in, reports.

API      api.kisi.io, as its OpenAPI document and a public connector tell; docs.kisi.io/api, read 2026-11.
Auth     Authorization: KISI-LOGIN and the key that an owner of the organisation makes.
Limits   none are published.
Paging   limit (10 by default, at most 250) and offset (at most 20,000); bare arrays, a short page is the last.
Filters  none by date: all lists are read whole, although records carry updated_at. Floors and elevators are
         asked for place by place, logins person by person: without a person only those of the key's owner come.
Deletes  are not shown.
"""

from pydantic import Field as Setting
from pydantic import SecretStr

from propexo_connect.connectors.api import ApiConfig, ApiConnector
from propexo_connect.http.plan import Api, ApiStream, Bearer, Offsets


class KisiConfig(ApiConfig):
    """A Kisi organisation."""

    url: str = Setting(default="https://api.kisi.io", description="Address of the API.")
    api_key: SecretStr = Setting(description="Key of an owner of the organisation (My account, API).")


IN_PLACE = {"place_id": "{parent.id}"}

STREAMS = (
    ApiStream("organizations",     "/organizations",     "id", "Organisations."),
    ApiStream("places",            "/places",            "id", "Places."),
    ApiStream("floors",            "/floors",            "id", "Floors.",    parent="places", params=IN_PLACE),
    ApiStream("elevators",         "/elevators",         "id", "Elevators.", parent="places", params=IN_PLACE),
    ApiStream("locks",             "/locks",             "id", "Locks."),
    ApiStream("groups",            "/groups",            "id", "Groups of people and locks."),
    ApiStream("users",             "/users",             "id", "Users."),
    ApiStream("members",           "/members",           "id", "Users as members of the organisation."),
    ApiStream("role_assignments",  "/role_assignments",  "id", "Who has which role where."),
    ApiStream("logins",            "/logins",            "id", "Devices and keys that are logged in.",
              parent="users", params={"user_id": "{parent.id}"}),
    ApiStream("reports",           "/reports",           "id", "Reports that were made."),
    ApiStream("scheduled_reports", "/scheduled_reports", "id", "Reports that are made regularly."),
)  # fmt: skip

DATED = "created_at:timestamp updated_at:timestamp"
FIELDS = {
    "organizations": "id:int name domain user_id:int time_zone places_count:int",
    "places": f"""id:int name address latitude:float longitude:float time_zone organization_id:int
        organization:json locks_count:int members_count:int locked_down:bool {DATED}""",
    "floors": f"id:int name number:int place_id:int description {DATED}",
    "elevators": f"id:int name place_id:int description elevator_stops_count:int {DATED}",
    "locks": f"""id:int name place_id:int place:json open:bool online:bool unlocked:bool configured:bool
        locked_down:bool groups_count:int time_restriction_enabled:bool {DATED}""",
    "groups": f"""id:int name description login_enabled:bool locks_count:int users_count:int
        members_count:int time_restriction_enabled:bool {DATED}""",
    "users": f"""id:int name email organization_id:int confirmed:bool access_enabled:bool groups_count:int
        metadata:json {DATED}""",
    "members": f"""id:int name user_id:int user:json organization_id:int role_id confirmed:bool
        access_enabled:bool metadata:json {DATED}""",
    "role_assignments": f"""id:int type scope role_id user_id:int user:json organization_id:int
        organization:json {DATED}""",
    "logins": f"""id:int type name user_id:int user:json primary:bool expire:bool device_brand device_model
        os_name last_used_at:timestamp {DATED}""",
    "reports": f"""id:int name status start_date:date end_date:date time_zone organization_id:int
        reporter_id:int {DATED}""",
    "scheduled_reports": f"id:int {DATED}",
}

API = Api(
    STREAMS,
    Bearer("{api_key}", scheme="KISI-LOGIN"),
    fields=FIELDS,
    paging=Offsets(100, short_is_last=True, cap=20_100),
)

connector = ApiConnector(
    "kisi", "Kisi", "Access control", KisiConfig, API,
    cannot=(
        "Events (who unlocked what): the vendor hands them out as reports, which must be ordered and fetched.",
        "Deleted records: they leave the lists without a word.",
        "Changes by date: all lists are read whole.",
        "Lists of more than 20,100 records: the vendor knows no larger offset, and the stream fails.",
    ),
)  # fmt: skip
