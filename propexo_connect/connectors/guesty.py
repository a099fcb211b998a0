"""Guesty: reservations, listings, guests, conversations of short-term rentals.

API      Open API v1 (open-api-docs.guesty.com), as its documentation and integrations tell.
Auth     OAuth client credentials, tokens of about a day. Only a handful a day are issued (5, unconfirmed): they
         are kept for the syncs to come, so name a `state_dir`.
Limits   15 requests a second, 120 a minute, 5,000 an hour: unconfirmed, settings. 429.
Paging   limit (at most 100, unconfirmed: `page_size`) and skip, {results, limit, skip, count}.
Filters  `filters`, a JSON list of conditions: lastUpdatedAt $gte, $lte, in UTC.
Cursor   lastUpdatedAt.
Fields   a list shows few unless they are asked for by name: reservations ask for the declared ones, other
         lists for what `projections` names.
Deletes  are not shown.
"""

from dataclasses import replace
from datetime import timedelta

from pydantic import Field as Setting
from pydantic import SecretStr

from propexo_connect.connectors.api import ApiConfig, ApiConnector
from propexo_connect.http.plan import Api, ApiStream, Between, Budget, OAuth, Offsets, Rate


class GuestyConfig(ApiConfig):
    """A Guesty account, by an application of the Open API."""

    url: str = Setting(default="https://open-api.guesty.com/v1", description="Address of the API.")
    token_url: str = Setting(
        default="https://open-api.guesty.com/oauth2/token", description="Address of the token."
    )
    client_id: str = Setting(description="Client id of the application.")
    client_secret: SecretStr = Setting(description="Its secret.")
    projections: dict[str, str] = Setting(
        default={}, description="Fields to ask for by list, apart by blanks, as `listings: _id title`."
    )
    filtered: tuple[str, ...] = Setting(
        default=("reservations", "listings", "guests", "conversations"),
        description="Lists that are asked for by lastUpdatedAt; the others are read whole.",
    )
    sort: str | None = Setting(default="_id", description="Order of all lists, so that pages do not overlap.")
    requests_per_second: int = Setting(default=15, ge=1, description="The vendor's limit in a second.")
    requests_per_minute: int = Setting(default=120, ge=1, description="The vendor's limit in a minute.")
    requests_per_hour: int = Setting(default=5000, ge=1, description="The vendor's limit in an hour.")


CHANGED = "lastUpdatedAt"
UPDATED = Between(
    CHANGED,
    into="filters",
    wrap="[{terms}]",
    terms=(
        '{"field":"lastUpdatedAt","operator":"$gte","value":"{start}"}',
        '{"field":"lastUpdatedAt","operator":"$lte","value":"{end}"}',
    ),
)
SEEN = ("That the list is filtered by lastUpdatedAt: else leave it out of `filtered`.",)

STREAMS = (
    ApiStream("reservations", "/reservations", "_id", "Reservations.", cursor=CHANGED, filter=UPDATED,
              params={"fields": "{fields}"}, field_join=" "),
    ApiStream("listings",     "/listings",     "_id", "Listings.",     filter=UPDATED, unconfirmed=SEEN),
    ApiStream("guests",       "/guests-crud",  "_id", "Guests.",       filter=UPDATED, unconfirmed=SEEN),
    ApiStream("conversations", "/communication/conversations", "_id", "Conversations.", filter=UPDATED,
              unconfirmed=(*SEEN, "That the list has the shape of the others.")),
)  # fmt: skip

FIELDS = {
    "reservations": """_id confirmationCode status listingId guestId checkIn:timestamp checkOut:timestamp
        checkInDateLocalized:date nightsCount:int money:json guest:json source createdAt:timestamp
        lastUpdatedAt:timestamp""",
    **dict.fromkeys(("listings", "guests", "conversations"), "_id"),
}


def api(config: GuestyConfig) -> Api:
    """The API, with the projections and filters of the settings."""

    def as_set(stream: ApiStream) -> ApiStream:
        named = config.projections.get(stream.name)
        return replace(
            stream,
            params={"fields": named} if named else stream.params,
            filter=stream.filter if stream.name in config.filtered else None,
        )

    return Api(
        tuple(map(as_set, STREAMS)),
        OAuth("{token_url}", "{client_id}", "{client_secret}", scope="open-api",
              lifetime=timedelta(hours=23), stored=True),
        fields=FIELDS,
        params={"sort": "{sort}"},
        records="results",
        paging=Offsets(100, offset="skip", total="count"),
        budget=Budget((Rate("{requests_per_second}", 1), Rate("{requests_per_minute}", 60),
                       Rate("{requests_per_hour}", 3600))),
    )  # fmt: skip


connector = ApiConnector(
    "guesty", "Guesty", "Short-term rental", GuestyConfig, api,
    cannot=("Deleted records.", "Fields that are not asked for by name.", "Calendars, reviews and accounting."),
)  # fmt: skip
