"""DOOR, formerly Latch: buildings, doors, keys, who holds them, residents.

API      OpenDOOR Partner API v1, as its OpenAPI document tells; developers.door.com, read 2026-11.
Auth     OAuth 2 client credentials at a host of their own, auth.prod.latch.com; 403 for a wrong client.
Limits   "reasonable usage"; no figures and no headers.
Paging   pageToken, nextPageToken; absent or empty at the end. Buildings and the accesses of a key are not paged.
Filters  none by date, and no record shows when it was changed: all lists are read whole.
Deletes  are seen only by absence: an access that was revoked is not listed any more.
"""

from pydantic import Field as Setting
from pydantic import SecretStr

from propexo_connect.connectors.api import ApiConfig, ApiConnector
from propexo_connect.http.plan import Api, ApiStream, OAuth, OnePage, Tokens


class DoorConfig(ApiConfig):
    """A DOOR partner, by its machine credentials."""

    url: str = Setting(default="https://rest.latchaccess.com/access/sdk", description="Address of the API.")
    token_url: str = Setting(
        default="https://auth.prod.latch.com/oauth/token", description="Address that issues tokens."
    )
    client_id: str = Setting(description="Id of the partner's client.")
    client_secret: SecretStr = Setting(description="Secret of the partner's client.")


STREAMS = (
    ApiStream("buildings",    "/v1/buildings", "uuid", "Buildings.", records="buildings", paging=OnePage()),
    ApiStream("doors",        "/v1/doors",     "uuid", "Doors and elevators.",     records="doors"),
    ApiStream("keys",         "/v1/keys",      "uuid", "Keys, with what they open.", records="keys",
              params={"includeDoors": "true"}),
    ApiStream("key_accesses", "/v1/keys/{parent.uuid}/accesses", ("keyUuid", "userUuid"), "Who holds a key.",
              records="accesses", paging=OnePage(), parent="keys", sensitive=("doors.doorcode",),
              unconfirmed=("That a user has one access to a key.",)),
    ApiStream("users",        "/v1/users",     "userUuid", "Users, with their accesses.", records="users",
              sensitive=("accesses.doorcode",)),
    ApiStream("residents",    "/v1/buildings/{parent.uuid}/residents", ("buildingUuid", "userUuid"),
              "Residents, by the keys that they hold.", records="residents", parent="buildings",
              add={"buildingUuid": "{parent.uuid}"}),
)  # fmt: skip

FIELDS = {
    "buildings": "uuid name timezone address:json portfolio:json",
    "doors": "uuid sdkDoorUuid name type accessibilityType buildingUuid isConnected:bool device:json",
    "keys": """uuid name accountUuid buildingUuid keyType doorsType startTime:timestamp endTime:timestamp
        doors:json""",
    "key_accesses": """userUuid keyUuid role shareable:bool startTime:timestamp endTime:timestamp passcodeType
        granter:json doors:json""",
    "users": "userUuid firstName lastName email phone accesses:json",
    "residents": "userUuid firstName lastName email phone",
}

API = Api(
    STREAMS,
    OAuth("{token_url}", "{client_id}", "{client_secret}"),
    fields=FIELDS,
    paging=Tokens("nextPageToken", "pageToken", limit="pageSize"),
)

connector = ApiConnector(
    "door", "DOOR (Latch)", "Access control", DoorConfig, API,
    cannot=(
        "Deleted records and revoked accesses: they leave the lists without a word.",
        "Changes by date: all lists are read whole.",
        "Which door was opened when, and by whom: no list of the partner API tells.",
    ),
)  # fmt: skip
