"""ResMan: residents, move-ins and move-outs, prospects' sources, employees, marketing. A preview.

API      the older partner API: a POST with a form for each area and method; there is no open specification.
         The newer one (partners-api.myresman.com) is not read.
Auth     partner id, API key and account in every form.
Paging   none: one call for each property.
Filters  StartDate and EndDate of the events.
Deletes  are not shown.
"""

from typing import Any

from pydantic import Field as Setting
from pydantic import SecretStr

from propexo_connect.connectors.api import ApiConfig, ApiConnector
from propexo_connect.connectors.operations import Operation, by_days, stream_of
from propexo_connect.http.plan import Api, ApiStream

OPERATIONS = {
    "current_residents": Operation(call="GetCurrentResidents", of="Leasing"),
    "prospect_sources": Operation(call="GetProspectSources", of="Leasing"),
    "lost_prospect_reasons": Operation(call="GetLostProspectReasons", of="Leasing"),
    "employees": Operation(call="GetEmployees", of="Leasing"),
    "move_ins": Operation(call="GetMoveIns", of="Events", dates=("StartDate", "EndDate")),
    "move_outs": Operation(call="GetMoveOuts", of="Events", dates=("StartDate", "EndDate")),
    "marketing": Operation(call="GetMarketing2_0", of="MITS"),
}


class ResManConfig(ApiConfig):
    """An account in ResMan, through an integration partner's access."""

    url: str = Setting(default="https://api.myresman.com", description="Address of the API.")
    partner_id: str = Setting(description="Id of the integration partner.")
    api_key: SecretStr = Setting(description="The partner's API key.")
    account_id: str = Setting(description="Id of the account.")
    property_ids: tuple[str, ...] = Setting(description="Ids (GUID) of the properties to read.")
    time_zone: str = Setting(default="UTC", description="Zone of the account's days.")
    earliest: str = Setting(default="2020-01-01", description="First day of whole reads by days.")
    operations: dict[str, Operation] = Setting(
        default=OPERATIONS, description="The streams: area and method, and the way into the answers."
    )


CREDENTIALS = {"IntegrationPartnerID": "{partner_id}", "ApiKey": "{api_key}", "AccountID": "{account_id}"}


def called(name: str, operation: Operation) -> ApiStream:
    """The stream of a method: a form for each property."""
    of: dict[str, str] = {} if operation.once else {"PropertyID": "{each}"}
    way: dict[str, Any] = (
        {"records": operation.records, "one_or_many": True} if operation.records else {"single": True}
    )
    return stream_of(
        name, operation, "property_ids", by_days(operation, "form"), path=f"/{operation.of}/{operation.call}",
        form={**CREDENTIALS, **of, **operation.parameters}, **way,
    )  # fmt: skip


def plan(config: ResManConfig) -> Api:
    """The API, of the operations that the settings name."""
    return Api(
        tuple(called(name, operation) for name, operation in config.operations.items()),
        headers={"Accept": "application/json"},
        quotes_answers=False,
    )


connector = ApiConnector(
    "resman", "ResMan", "Property management", ResManConfig, plan, status="preview",
    cannot=(
        "Deleted records, and changes by date of change.",
        "Records one by one, until the settings say where a method's answers hold them.",
        "Work orders and accounting until their methods are named in `operations`.",
    ),
)  # fmt: skip
