"""MRI: the APIs of a client's own installation, such as details of leases by property. A preview.

API      one address for all, the API's name in `$api`; there is no open specification, and the list of APIs
         is the client's.
Auth     Basic; the user's name is made of client id, database, user and partner key, with slashes between.
Paging   `$top` and, in the answer, the next page's address.
Scope    one call for each property.
Deletes  are not shown.
"""

from typing import Any

from pydantic import Field as Setting
from pydantic import SecretStr

from propexo_connect.connectors.api import ApiConfig, ApiConnector
from propexo_connect.connectors.operations import Operation, by_days, stream_of
from propexo_connect.http.plan import Api, ApiStream, Basic, Links

OPERATIONS = {"lease_details": Operation(call="MRI_S-PMRM_ResidentialLeaseDetailsByPropertyID")}


class MriConfig(ApiConfig):
    """A client of MRI, through a certified partner's access."""

    url: str = Setting(default="https://{host}/mriapiservices/api.asp", description="Address of the APIs.")
    host: str = Setting(description="Host of the client's installation.")
    client_id: str = Setting(description="Id of the client.")
    database: str = Setting(description="Name of the client's database.")
    user: str = Setting(description="Name of the API's user.")
    partner_key: SecretStr = Setting(description="The partner's key.")
    password: SecretStr = Setting(description="The user's password.")
    property_ids: tuple[str, ...] = Setting(description="Ids of the properties to read.")
    property_parameter: str = Setting(
        default="PropertyID", description="The parameter that names a property."
    )
    next_page: str = Setting(
        default="nextPageLink", description="Where an answer names the next page's address."
    )
    largest_page: int = Setting(default=1000, ge=1, description="Records a page at most (`$top`).")
    time_zone: str = Setting(default="UTC", description="Zone of the client's days.")
    earliest: str = Setting(default="2020-01-01", description="First day of whole reads by days.")
    operations: dict[str, Operation] = Setting(
        default=OPERATIONS, description="The streams: the client's APIs, and the way into their answers."
    )


def called(name: str, operation: Operation, config: MriConfig) -> ApiStream:
    """The stream of an API: its pages for each property."""
    of = {} if operation.once else {config.property_parameter: "{each}"}
    days = dict(zip(operation.dates, ("{start}", "{end}"), strict=False))
    way: dict[str, Any] = (
        {"records": operation.records, "one_or_many": True} if operation.records else {"single": True}
    )
    return stream_of(
        name, operation, "property_ids", by_days(operation), in_parts=True,
        params={"$api": operation.call, "$format": "json", **of, **days, **operation.parameters},
        paging=Links(config.next_page, size=config.largest_page, limit="$top"), **way,
    )  # fmt: skip


def plan(config: MriConfig) -> Api:
    """The APIs that the settings name."""
    return Api(
        tuple(called(name, operation, config) for name, operation in config.operations.items()),
        Basic("{client_id}/{database}/{user}/{partner_key}", "{password}"),
        quotes_answers=False,
    )


connector = ApiConnector(
    "mri", "MRI", "Property management", MriConfig, plan, status="preview",
    cannot=(
        "Deleted records, and changes by date of change.",
        "Records one by one, until the settings say where an API's answers hold them.",
        "APIs of the client's that are not named in `operations`.",
    ),
)  # fmt: skip
