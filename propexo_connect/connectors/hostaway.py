"""Hostaway: reservations with their finance, listings with their calendars, conversations, reviews.

API      v1 (api.hostaway.com/documentation). What is here comes from summaries of it: hence a preview.
Auth     OAuth client credentials at /accessTokens (client id is the account's id); a token lives 24 months and is
         kept for the syncs to come; a fresh one is used after a second.
Limits   15 requests in 10 seconds by address, 20 by account; 429.
Paging   limit and offset, {"status", "result", "count", "limit", "offset"}.
Filters  reservations by latestActivityStart and -End, whole days (unconfirmed: `by_activity`). All else whole.
Cursor   latestActivityOn. Times are UTC without saying so: 2026-03-01 12:00:00.
Deletes  are not shown.
"""

from dataclasses import replace
from datetime import timedelta

from pydantic import Field as Setting
from pydantic import SecretStr

from propexo_connect.connectors.api import ApiConfig, ApiConnector
from propexo_connect.http.plan import (
    Api,
    ApiStream,
    Between,
    Budget,
    OAuth,
    Offsets,
    OnePage,
    Parent,
    Rate,
)


class HostawayConfig(ApiConfig):
    """A Hostaway account, by an API key."""

    url: str = Setting(default="https://api.hostaway.com/v1", description="Address of the API.")
    token_url: str = Setting(
        default="https://api.hostaway.com/v1/accessTokens", description="Address of the token."
    )
    account_id: str = Setting(description="Id of the account.")
    api_key: SecretStr = Setting(description="Secret of the API key.")
    by_activity: bool = Setting(
        default=True,
        description="Whether reservations are asked for by their latest activity, or read whole.",
    )


ACTIVE = Between("latestActivityOn", "latestActivityStart", "latestActivityEnd", written="date", grain="day")

STREAMS = (
    ApiStream("reservations",  "/reservations",  "id", "Reservations.", filter=ACTIVE, cursor="latestActivityOn",
              unconfirmed=("That latestActivityStart and -End filter by day, both included.",)),
    ApiStream("reservation_finance", "/financeStandardField/reservation/{parent.id}", description=
              "Finance of the reservations that changed.", parent=Parent("reservations", changed=True),
              add={"reservationId": "{parent.id}"}, paging=OnePage(), one_or_many=True,
              unconfirmed=("Whether it is one record a reservation, or several: name a `key` when you know.",)),
    ApiStream("listings",      "/listings",      "id", "Listings; read whole."),
    ApiStream("calendars",     "/calendar/{parent.id}", description="Days of each listing.", parent="listings",
              add={"listingId": "{parent.id}"}, paging=OnePage(), one_or_many=True,
              unconfirmed=("That a calendar comes whole, and which days it covers: name a `key` when you know.",)),
    ApiStream("conversations", "/conversations", "id", "Conversations; read whole."),
    ApiStream("reviews",       "/reviews",       "id", "Reviews; read whole."),
)  # fmt: skip

FIELDS = {
    "reservations": """id:int hostawayReservationId listingMapId:int channelId:int channelName status
        arrivalDate:date departureDate:date guestName guestEmail numberOfGuests:int totalPrice:money currency
        insertedOn:timestamp@spaced latestActivityOn:timestamp@spaced""",
    "reservation_finance": "reservationId:int",
    "calendars": "listingId:int",
    **dict.fromkeys(("listings", "conversations", "reviews"), "id:int"),
}


def api(config: HostawayConfig) -> Api:
    """The API, with reservations filtered or not."""
    streams = STREAMS if config.by_activity else (replace(STREAMS[0], filter=None), *STREAMS[1:])
    return Api(
        streams,
        OAuth("{token_url}", "{account_id}", "{api_key}", scope="general", stored=True,
              lifetime=timedelta(days=700), settle=timedelta(seconds=1)),
        fields=FIELDS,
        records="result",
        paging=Offsets(100, total="count"),
        # The address has the narrower of the two limits; one request of it is left for the log-in.
        budget=Budget((Rate(14, 10),)),
    )  # fmt: skip


connector = ApiConnector(
    "hostaway", "Hostaway", "Short-term rental", HostawayConfig, api, status="preview",
    cannot=(
        "Deleted records.",
        "Changes of listings, conversations and reviews by date: they are read whole.",
    ),
)  # fmt: skip
