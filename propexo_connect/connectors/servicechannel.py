"""ServiceChannel: work orders with their notes and activities, invoices, requests for proposals, locations.

API      Service Automation API v3, as its OpenAPI document tells. The sandbox is sb2api.servicechannel.com/v3
         with sb2login.servicechannel.com.
Auth     OAuth 2: the refresh token of a consent (authorization code), kept anew with each use; or a user's name
         and password, which we have not seen confirmed. Rights follow the user.
Limits   429 with Retry-After; no figure is published.
Paging   OData: $top, $skip, $count, {"@odata.count", "value"}; else page and pageSize, a bare array.
Filters  OData on work orders by UpdatedDate_DTO; on invoices by PostedDate, which later changes do not move:
         the last 60 days are read again, and all of them once a month.
Cursor   UpdatedDate_DTO, with its offset; its twin UpdatedDate is in the subscriber's local time.
Deletes  are not shown.
"""

from datetime import timedelta
from typing import Any, Literal, Self

from pydantic import Field as Setting
from pydantic import SecretStr, model_validator

from propexo_connect.connectors.api import ApiConfig, ApiConnector
from propexo_connect.http.plan import Api, ApiStream, Between, Fault, Numbered, OAuth, Offsets, Parent


class ServiceChannelConfig(ApiConfig):
    """A ServiceChannel subscriber, by an application and either a refresh token or a user."""

    url: str = Setting(default="https://api.servicechannel.com/v3", description="Address of the API.")
    token_url: str = Setting(
        default="https://login.servicechannel.com/oauth/token", description="Address of the token."
    )
    client_id: str = Setting(description="Id of the application.")
    client_secret: SecretStr = Setting(description="Its secret.")
    client_style: Literal["basic", "form"] = Setting(
        default="basic", description="How id and secret are shown: in a header, or in the form."
    )
    refresh_token: SecretStr | None = Setting(default=None, description="First refresh token of a consent.")
    user: str | None = Setting(default=None, description="Name of the user, where there is no refresh token.")
    password: SecretStr | None = Setting(default=None, description="The user's password.")
    updated_field: str = Setting(
        default="UpdatedDate_DTO", description="Field by which OData filters changed work orders."
    )
    more_lists: dict[str, str] = Setting(
        default={}, description="Further lists, as `trades: /trades`, from the specification; read whole."
    )

    @model_validator(mode="after")
    def _has_one_way_in(self) -> Self:
        if (self.refresh_token is None) == (self.user is None or self.password is None):
            raise ValueError("the log-in needs `refresh_token`, or `user` and `password`")
        return self


UPDATED = Between("UpdatedDate_DTO", into="$filter", join=" and ",
                  terms=("{updated_field} ge {start}", "{updated_field} le {end}"))  # fmt: skip
POSTED = Between("PostedDate", into="$filter", join=" and ",
                 terms=("PostedDate ge {start}", "PostedDate le {end}"), meaning="business",
                 lookback=timedelta(days=60), full_every=timedelta(days=30))  # fmt: skip

ODATA = Offsets(50, limit="$top", offset="$skip", total=("@odata.count",))
PAGES = Numbered(50, limit="pageSize")


def listed(name: str, path: str, key: str | tuple[str, ...], description: str, **more: Any) -> ApiStream:
    """A list in OData, in the order of ids."""
    return ApiStream(name, f"/odata{path}", key, description, params={"$count": "true", "$orderby": "Id"},
                     records="value", paging=ODATA, **more)  # fmt: skip


def of_work_orders(name: str, path: str, description: str) -> ApiStream:
    """What hangs on the work orders that changed."""
    return listed(name, f"/workorders({{parent.Id}}){path}", ("WorkOrderId", "Id"), description,
                  parent=Parent("work_orders", changed=True), add={"WorkOrderId": "{parent.Id}"})  # fmt: skip


STREAMS = (
    listed("work_orders", "/workorders", "Id", "Work orders.", filter=UPDATED, cursor="UpdatedDate_DTO"),
    of_work_orders("work_order_notes", "/notes",          "Notes of the work orders that changed."),
    of_work_orders("work_activities",  "/workactivities", "Activities of the work orders that changed."),
    listed("invoices",    "/invoices",   "Id", "Invoices.", filter=POSTED),
    listed("rfps",        "/rfps",       "Id", "Requests for proposals; read whole.",
           unconfirmed=("That a request for proposals is identified by its Id.",)),
    ApiStream("locations", "/locations", "Id", "Locations; read whole.", paging=PAGES),
)  # fmt: skip

FIELDS = {
    "work_orders": """Id:int Number PurchaseNumber Status:json Caller CreatedBy Priority PriorityId:int Trade
        TradeId:int Category CategoryId:int Description Nte:float Tax:float LocationId:int Location:json
        Provider:json Subscriber:json CallDate:datetime CallDate_DTO:timestamp ScheduledDate:datetime
        CompletedDate:datetime ExpirationDate:datetime CreatedDate:datetime CreatedDate_DTO:timestamp
        UpdatedDate:datetime UpdatedDate_DTO:timestamp""",
    "work_order_notes": "Id:int",
    "work_activities": "Id:int",
    "invoices": """Id:int Number Status InvoiceTotal:money InvoiceTax:money InvoiceBalance:money Currency:json
        ApprovedDate:datetime PostedDate:datetime Labors:json Materials:json Travels:json Others:json""",
    "rfps": "Id:int",
    "locations": "Id:int",
}


def api(config: ServiceChannelConfig) -> Api:
    """The API, with the log-in and the further lists of the settings."""
    more = (
        ApiStream(name, path, "Id", "A list of the settings.", paging=PAGES)
        for name, path in config.more_lists.items()
    )
    way: dict[str, Any] = (
        {"grant": "password", "user": "{user}", "password": "{password}"}
        if config.refresh_token is None
        else {"grant": "refresh_token", "refresh_token": "{refresh_token}", "rotates": True}
    )
    return Api(
        (*STREAMS, *more),
        OAuth("{token_url}", "{client_id}", "{client_secret}", style=config.client_style, **way),
        fields=FIELDS,
        faults=(Fault("permission", at="ErrorCode", among=("504",), message="ErrorMessage"),),
    )


connector = ApiConnector(
    "servicechannel", "ServiceChannel", "Maintenance", ServiceChannelConfig, api,
    cannot=(
        "Deleted records.",
        "Changes of invoices by date: by PostedDate alone; the monthly full read catches the rest.",
        "Assets, trades and providers, unless `more_lists` names their paths.",
        "The queue of notifications, which is asked for by provider.",
    ),
)  # fmt: skip
