"""HappyCo: account, properties, units, inspections, work orders, members.

API      external GraphQL API, one address, as the vendor's partner pages show it and its published
         client does (github.com/findingsimple/hppy-connect). The older gRPC API is not used.
Auth     log-in mutation (e-mail and password, or client id and secret of a plugin) gives a bearer token; its
         expiry is text of epoch milliseconds. No refresh: log in again. Accounts with SSO need a plugin.
Limits   no number is published; 429 with Retry-After in seconds. At most 100 records a page.
Paging   Relay: first, after → pageInfo {hasNextPage endCursor}; the cursor of an empty list is "".
Errors   401, 403; or 200 with `errors`, of which the gateway tells an authentication fault twice.
Cursor   updatedAt on work orders and members; nothing on inspections, units and properties.
Filters  createdAfter and createdBefore (RFC 3339, seconds) on inspections and work orders, nothing else:
         later changes are found by reading `lookback` again with each sync, all of it every `full_every`.
         Whether the bounds are included is not documented: one second more is asked for at both ends.
Deletes  are not shown. Archived inspections leave the list; members turn inactive and stay.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Self

from pydantic import Field as Setting
from pydantic import SecretStr, model_validator

from propexo_connect.connectors.api import ApiConfig, ApiConnector
from propexo_connect.http.plan import (
    Api,
    ApiField,
    ApiStream,
    Between,
    Hides,
    Login,
    OnePage,
    Parent,
    Relay,
    fields_of,
)
from propexo_connect.model.duration import Duration, DurationOrNever
from propexo_connect.model.errors import ConfigurationError

ENDPOINT = "https://externalgraph.happyco.com"
MAX_PAGE = 100
"""The server's largest page."""

USER_LOGIN = """mutation Login($id: String!, $secret: String!) {
  login(input: {email: $id, password: $secret}) { token expiresAt accessibleBusinessIds }
}"""
PLUGIN_LOGIN = """mutation PluginLogin($id: String!, $secret: String!) {
  pluginLogin(input: {clientID: $id, clientSecret: $secret}) { token expiresAt accessibleBusinessIds }
}"""


class HappyCoConfig(ApiConfig):
    """A HappyCo account, by a user's or a plugin's log-in."""

    url: str = Setting(default=ENDPOINT, description="Address of the API.")
    email: str | None = Setting(
        default=None, description="E-mail address of a user that logs in without SSO."
    )
    password: SecretStr | None = Setting(default=None, description="The user's password.")
    client_id: str | None = Setting(
        default=None, description="Client id of a plugin (Admin Center, Plugins)."
    )
    client_secret: SecretStr | None = Setting(default=None, description="The plugin's client secret.")
    account_id: str | None = Setting(
        default=None, description="The account to read; needed only when the log-in can reach several."
    )
    lookback: Duration = Setting(
        default=timedelta(days=30),
        description="How long after their creation inspections and work orders are expected to change.",
    )
    full_every: DurationOrNever = Setting(
        default=timedelta(days=7),
        description="How often inspections and work orders are read whole; or `never`.",
    )
    page_size: int | None = Setting(default=MAX_PAGE, ge=1, le=MAX_PAGE, description="Records a request.")
    plugin_login: str = Setting(
        default=PLUGIN_LOGIN,
        description="The log-in of plugins with its variables $id and $secret; its exact form is not public.",
    )

    @model_validator(mode="after")
    def _one_login(self) -> Self:
        user, plugin = (self.email, self.password), (self.client_id, self.client_secret)
        if any(user) == any(plugin) or not (all(user) or all(plugin)):
            raise ValueError("give either email and password, or client_id and client_secret")
        return self


CREATED = Between(
    "createdAt", "filter.createdAfter", "filter.createdBefore", at="variables", meaning="created",
    margin=timedelta(seconds=1),
)  # fmt: skip
"""What can be asked for; `lookback` and `full_every` come from the settings."""

ASSIGNEE = "... on {kind} {{ __typename id name email type }}"
"""`assignedTo` is an interface: its fields are reached through the concrete types only."""

NESTED = {
    "address": "{ line1 line2 city state country postalCode }",
    "locationV2": "{ id name property { id name } }",
    "templateV2": "{ id name }",
    "inspectionDetails": "{ inspection { id name status } }",
    "account": "{ id name }",
    "user": "{ id email name shortName createdAt updatedAt }",
    "roles": "(first: 100) { nodes { id name } }",
}
"""What is asked of a nested field; whole, also when only a part of it is selected."""


def assigned(*kinds: str) -> dict[str, str]:
    """What is asked of nested fields, for the types that an assignee may have."""
    return {**NESTED, "assignedTo": f"{{ {' '.join(ASSIGNEE.format(kind=kind) for kind in kinds)} }}"}


def listing(name: str, filter_type: str, order: str = "") -> str:
    """The query for one page of a Relay connection below `account`."""
    by = f", orderBy: [{order}]" if order else ""
    return f"""query List($account: ID!, $first: Int, $after: String, $filter: {filter_type}) {{
  account(accountId: $account) {{
    {name}(first: $first, after: $after, filter: $filter{by}) {{
      pageInfo {{ hasNextPage endCursor }}
      edges {{ node {{ {{fields}} }} }}
    }}
  }}
}}"""


UNITS = """query Units($account: ID!, $property: ID!, $first: Int, $after: String) {
  account(accountId: $account) { properties(filter: {propertyId: [$property]}, first: 1) { edges { node {
    units(first: $first, after: $after) { pageInfo { hasNextPage endCursor } edges { node { {fields} } } }
  } } } }
}"""

ACCOUNT = {"account": "{account}", "filter": {}}
FORMER = {"account": "{account}", "filter": {"includeInactive": True}}


def listed(connection: str) -> Relay:
    """Pages of a connection below `account`."""
    return Relay(MAX_PAGE, f"account.{connection}")


STREAMS = (
    ApiStream("account", key="id", description="The account itself: one record.",
              query="query Account($account: ID!) { account(accountId: $account) { id name } }",
              variables={"account": "{account}"}, records="account", single=True, paging=OnePage()),
    ApiStream("properties", key="id", description="Managed properties.",
              query=listing("properties", "AccountPropertiesFilter", "NAME_ASC"), variables=ACCOUNT,
              paging=listed("properties"), selections=NESTED),
    ApiStream("units", key="id", description="Units of the properties.", query=UNITS,
              variables={"account": "{account}", "property": "{parent.id}"},
              paging=Relay(MAX_PAGE, ("account", "properties", "edges", 0, "node", "units")),
              parent=Parent("properties"), add={"propertyId": "{parent.id}"}),
    ApiStream("inspections", key="id", filter=CREATED, resumable=True,
              description="Inspections. Their createdAt can be filtered by and not be read.",
              query=listing("inspections", "AccountInspectionFilter", "CREATED_AT_DESC"), variables=ACCOUNT,
              paging=listed("inspections"), selections=assigned("InspectionAssigneeUser"),
              hides=(Hides("archived inspections leave the list", "archived"),)),
    ApiStream("work_orders", key="id", cursor="updatedAt", filter=CREATED, resumable=True,
              description="Work orders.",
              query=listing("workOrders", "AccountWorkOrderFilter", "CREATED_AT_DESC"), variables=ACCOUNT,
              paging=listed("workOrders"),
              selections=assigned("WorkOrderAssigneeUser", "WorkOrderAssigneeVendor")),
    ApiStream("members", key=("account.id", "user.id"), cursor="updatedAt",
              description="Who belongs to the account, inactive members included.",
              query=listing("memberships", "AccountMembershipFilter"), variables=FORMER,
              paging=listed("memberships"), selections=NESTED),
)  # fmt: skip

ASSIGNED = (
    ApiField("assignedTo", "json", None, "Who is to do it."),
    *fields_of("assignedTo.id assignedTo.name assignedTo.email assignedTo.type"),
)
LOCATED = (
    ApiField("locationV2", "json", None, "Unit or other place, with its property."),
    *fields_of("locationV2.id locationV2.name locationV2.property.id locationV2.property.name"),
)
FIELDS = {
    "account": "id name",
    "properties": """id name createdAt:timestamp address:json address.line1 address.line2 address.city
        address.state address.country address.postalCode""",
    "units": (
        *fields_of("id name"),
        ApiField("propertyId", "text", None, "The property it was read through; the API does not show it."),
    ),
    "inspections": (
        *fields_of("id name"),
        ApiField("status", "text", None, "COMPLETE, EXPIRED, INCOMPLETE or SCHEDULED."),
        *fields_of("startedAt:timestamp endedAt:timestamp scheduledFor:date dueBy:date score:float"),
        *fields_of("potentialScore:float"),
        *ASSIGNED,
        *LOCATED,
        *fields_of("templateV2:json templateV2.id templateV2.name"),
    ),
    "work_orders": (
        *fields_of("id"),
        ApiField("status", "text", None, "OPEN, ON_HOLD or COMPLETED."),
        ApiField("subStatus", "text", None, "CANCELLED or UNKNOWN."),
        *fields_of("description summary"),
        ApiField("priority", "text", None, "NORMAL or URGENT."),
        *fields_of("createdAt:timestamp updatedAt:timestamp scheduledFor:date"),
        *ASSIGNED,
        *LOCATED,
        ApiField("inspectionDetails", "json", None, "The inspection that it came from."),
        *fields_of("inspectionDetails.inspection.id inspectionDetails.inspection.name"),
        *fields_of("inspectionDetails.inspection.status"),
    ),
    "members": (
        *fields_of("account.id user.id user.email user.name isActive:bool createdAt:timestamp"),
        *fields_of("updatedAt:timestamp inactivatedAt:timestamp account:json user:json"),
        ApiField("roles", "json", None, "The first 100 roles, under `nodes`."),
    ),
}
"""Nothing comes that was not asked for, so the fields are all there are."""


def plan(config: HappyCoConfig) -> Api:
    """The plan, with the spans that the settings give and the log-in that they name."""
    created = replace(CREATED, lookback=config.lookback, full_every=config.full_every)
    is_user = bool(config.email)
    log_in = Login(
        "",
        token="*.token",
        query=USER_LOGIN if is_user else "{plugin_login}",
        variables={
            "id": "{email}" if is_user else "{client_id}",
            "secret": "{password}" if is_user else "{client_secret}",
        },
        expires_at="*.expiresAt",
        expires_written="epoch_ms",
        keeps={"businesses": "*.accessibleBusinessIds"},
    )
    streams = tuple(
        replace(
            stream,
            fields=FIELDS[stream.name],
            fixed=True,
            field_join=" ",
            filter=created if stream.filter is not None else None,
        )
        for stream in STREAMS
    )
    return Api(streams, log_in)


def account(config: ApiConfig, told: Mapping[str, object]) -> dict[str, object]:
    """The account to read: the configured one, or the only one that the log-in can reach.

    Raises:
        ConfigurationError: there is none, or a choice is needed.
    """
    chosen = getattr(config, "account_id", None)
    if chosen is not None:
        return {"account": chosen}
    found = [str(one) for one in json.loads(str(told.get("businesses") or "null")) or ()]
    if len(found) == 1:
        return {"account": found[0]}
    raise ConfigurationError(
        f"this log-in can reach {len(found)} accounts" + (f" ({', '.join(found[:20])})" if found else ""),
        expected="account_id, the one to read",
    )


connector = ApiConnector(
    "happyco", "HappyCo", "Inspections", HappyCoConfig, plan, names=account,
    cannot=(
        "Later changes of inspections and work orders, but by reading them again.",
        "Deleted records: archived inspections leave the list, members turn inactive and stay.",
    ),
)  # fmt: skip
