"""Funnel Leasing (formerly Nestio): listings, communities, and what else your API key may read.

API      v2 (developer.funnelleasing.com). Log-in, errors and names of resources are public; paging, filters by
         date and most paths are not: give them under `paging`, `records` and `streams`, as for `rest`. The older
         host is nestiolistings.com/api/v2.
Auth     Basic, the key as user, without a password; partners also as Bearer; public keys of listing feeds as
         `key` in the query.
Limits   none published; 429 with Retry-After. Heavy polling is unwelcome.
Cursor   none known: everything is read whole.
Deletes  are not shown.
"""

from dataclasses import replace
from typing import Literal

from pydantic import Field as Setting
from pydantic import SecretStr

from propexo_connect.connectors.api import ApiConnector
from propexo_connect.connectors.generic_api import GenericConfig, generic_plan
from propexo_connect.http.plan import Api, ApiStream, Basic, Bearer, Each, Query


class FunnelConfig(GenericConfig):
    """A Funnel account, by an API key."""

    url: str = Setting(
        default="https://api.funnelleasing.com/api/v2", min_length=1, description="Address of the API."
    )
    api_key: SecretStr = Setting(default=SecretStr(""), description="The API key, private or public.")
    key_as: Literal["basic", "bearer", "query"] = Setting(
        default="basic", description="How the key is shown: customers, partners, public listing feeds."
    )
    community_ids: tuple[str, ...] = Setting(default=(), description="Ids of communities to read.")


UNKNOWN = ("How the list is paged: without `paging` only what one answer holds is read.",
           "What identifies a listing: name a `key` when you know.")  # fmt: skip
LISTING = "unit_number layout status bedrooms:int bathrooms:float price:money date_available:date"

STREAMS = (
    ApiStream("listings",    "/listings/all/",                 description="Listings.",        fields=LISTING,
              unconfirmed=UNKNOWN),
    ApiStream("rentals",     "/listings/residential/rentals/", description="Rental listings.", fields=LISTING,
              unconfirmed=UNKNOWN),
    ApiStream("communities", "/group/{each}/", "communityId",  "The communities of `community_ids`.",
              each=Each("community_ids"), add={"communityId": "{each}"}, single=True, records=""),
)  # fmt: skip

WAYS = {"basic": Basic("{api_key}"), "bearer": Bearer("{api_key}"), "query": Query({"key": "{api_key}"})}


def api(config: FunnelConfig) -> Api:
    """What is known, and what the connection adds or puts in its place."""
    plan = generic_plan(config, auth=(WAYS[config.key_as],))
    own = {stream.name for stream in plan.streams}
    return replace(plan, streams=(*(stream for stream in STREAMS if stream.name not in own), *plan.streams))


connector = ApiConnector(
    "funnel", "Funnel", "Leasing CRM", FunnelConfig, api, status="preview",
    cannot=(
        "Changes by date, and deleted records.",
        "Appointments, prospects, leases and their transactions, quotes, pricing, tasks and messages, until "
        "`streams` gives their paths: they are not public.",
        "Times for appointments, which are asked for by community and days.",
    ),
)  # fmt: skip
