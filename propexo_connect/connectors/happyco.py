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

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Self, cast

import msgspec
from pydantic import BaseModel, ConfigDict, SecretStr, model_validator
from pydantic import Field as Setting

from propexo_connect.connection.duration import Duration, DurationOrNever
from propexo_connect.connectors.base import Access, JsonPage, Page, ReadContext, Source
from propexo_connect.http.auth import BearerLogin, Token
from propexo_connect.http.client import HttpClient
from propexo_connect.http.context import Context
from propexo_connect.http.envelope import Envelope, Opened, decoded, is_empty
from propexo_connect.http.graphql import GraphQL
from propexo_connect.http.paging import CursorPage, cursor_pages, pages_in_flight, relay_page
from propexo_connect.model.clock import Clock
from propexo_connect.model.errors import ConfigurationError, ConnectError, Defect, UnknownName, VendorFault
from propexo_connect.model.field import BOOLEAN, DATE, FLOAT, JSON, TEXT, TIMESTAMP, Field
from propexo_connect.model.stream import Filter, FilterDeclaration, FilterKind, Meaning, RetryPolicy, Stream
from propexo_connect.model.tile import WHOLE, Request

ENDPOINT = "https://externalgraph.happyco.com"
MAX_PAGE = 100
"""The server's largest page."""

ONE_MORE_SECOND = timedelta(seconds=1)
"""At both ends of a date filter, because nobody says whether they are included."""

USER_LOGIN = """mutation Login($id: String!, $secret: String!) {
  login(input: {email: $id, password: $secret}) { token expiresAt accessibleBusinessIds }
}"""
PLUGIN_LOGIN = """mutation PluginLogin($id: String!, $secret: String!) {
  pluginLogin(input: {clientID: $id, clientSecret: $secret}) { token expiresAt accessibleBusinessIds }
}"""


class HappyCoConfig(BaseModel):
    """A HappyCo account, by a user's or a plugin's log-in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

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
    page_size: int = Setting(default=MAX_PAGE, ge=1, le=MAX_PAGE, description="Records a request.")
    units_in_flight: int = Setting(
        default=4, ge=1, le=16, description="How many properties are asked for their units at once."
    )
    url: str = Setting(default=ENDPOINT, description="Address of the API.")
    allow_private_addresses: bool = Setting(
        default=False, description="Allow an address in a private network, also without encryption."
    )
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


CREATED = Filter("createdAt", Meaning.CREATED)
"""What can be asked for; `lookback` and `full_every` come from the settings."""

ARCHIVED = FilterDeclaration(FilterKind.IMPLICIT, "archived", note="archived inspections leave the list")


def _flat(root: str, *names: str) -> tuple[Field, ...]:
    """A field for each text within a nested one."""
    return tuple(Field(f"{root}.{name}", TEXT) for name in names)


_ASSIGNED = (
    Field("assignedTo", JSON, "Who is to do it."),
    *_flat("assignedTo", "id", "name", "email", "type"),
)
_LOCATED = (
    Field("locationV2", JSON, "Unit or other place, with its property."),
    *_flat("locationV2", "id", "name", "property.id", "property.name"),
)

STREAMS = (
    Stream(
        "account",
        "The account itself: one record.",
        key=("id",),
        fields=(Field("id", TEXT), Field("name", TEXT)),
    ),
    Stream(
        "properties",
        "Managed properties.",
        key=("id",),
        fields=(
            Field("id", TEXT),
            Field("name", TEXT),
            Field("createdAt", TIMESTAMP),
            Field("address", JSON),
            *_flat("address", "line1", "line2", "city", "state", "country", "postalCode"),
        ),
    ),
    Stream(
        "units",
        "Units of the properties.",
        key=("id",),
        fields=(
            Field("id", TEXT),
            Field("name", TEXT),
            Field("propertyId", TEXT, "The property it was read through; the API does not show it."),
        ),
        parent="properties",
    ),
    Stream(
        "inspections",
        "Inspections. Their createdAt can be filtered by and not be read.",
        key=("id",),
        fields=(
            Field("id", TEXT),
            Field("name", TEXT),
            Field("status", TEXT, "COMPLETE, EXPIRED, INCOMPLETE or SCHEDULED."),
            Field("startedAt", TIMESTAMP),
            Field("endedAt", TIMESTAMP),
            Field("scheduledFor", DATE),
            Field("dueBy", DATE),
            Field("score", FLOAT),
            Field("potentialScore", FLOAT),
            *_ASSIGNED,
            *_LOCATED,
            Field("templateV2", JSON),
            *_flat("templateV2", "id", "name"),
        ),
        filter=CREATED,
        hides=(ARCHIVED,),
        resumable=True,
    ),
    Stream(
        "work_orders",
        "Work orders.",
        key=("id",),
        fields=(
            Field("id", TEXT),
            Field("status", TEXT, "OPEN, ON_HOLD or COMPLETED."),
            Field("subStatus", TEXT, "CANCELLED or UNKNOWN."),
            Field("description", TEXT),
            Field("summary", TEXT),
            Field("priority", TEXT, "NORMAL or URGENT."),
            Field("createdAt", TIMESTAMP),
            Field("updatedAt", TIMESTAMP),
            Field("scheduledFor", DATE),
            *_ASSIGNED,
            *_LOCATED,
            Field("inspectionDetails", JSON, "The inspection that it came from."),
            *_flat("inspectionDetails", "inspection.id", "inspection.name", "inspection.status"),
        ),
        cursor="updatedAt",
        filter=CREATED,
        resumable=True,
    ),
    Stream(
        "members",
        "Who belongs to the account, inactive members included.",
        key=("account.id", "user.id"),
        fields=(
            *_flat("account", "id"),
            *_flat("user", "id", "email", "name"),
            Field("isActive", BOOLEAN),
            Field("createdAt", TIMESTAMP),
            Field("updatedAt", TIMESTAMP),
            Field("inactivatedAt", TIMESTAMP),
            Field("account", JSON),
            Field("user", JSON),
            Field("roles", JSON, "The first 100 roles, under `nodes`."),
        ),
        cursor="updatedAt",
    ),
)
"""Nothing comes that was not asked for, so the fields are all there are."""

SELECTIONS: Mapping[str, str] = {
    "address": "{ line1 line2 city state country postalCode }",
    "locationV2": "{ id name property { id name } }",
    "templateV2": "{ id name }",
    "inspectionDetails": "{ inspection { id name status } }",
    "account": "{ id name }",
    "user": "{ id email name shortName createdAt updatedAt }",
    "roles": "(first: 100) { nodes { id name } }",
}
"""What is asked of a nested field; whole, also when only a part of it is selected."""

_ASSIGNEES = {
    "inspections": ("InspectionAssigneeUser",),
    "work_orders": ("WorkOrderAssigneeUser", "WorkOrderAssigneeVendor"),
}
"""`assignedTo` is an interface: its fields are reached through the concrete types only."""


@dataclass(frozen=True, slots=True)
class Listing:
    """How the records of a stream are asked for: a Relay connection below `account`."""

    name: str
    filter_type: str
    order: str = ""
    constant: Mapping[str, object] = field(default_factory=dict[str, object])
    """Filter values of every request."""


LISTINGS = {
    "properties": Listing("properties", "AccountPropertiesFilter", "NAME_ASC"),
    "inspections": Listing("inspections", "AccountInspectionFilter", "CREATED_AT_DESC"),
    "work_orders": Listing("workOrders", "AccountWorkOrderFilter", "CREATED_AT_DESC"),
    "members": Listing("memberships", "AccountMembershipFilter", constant={"includeInactive": True}),
}

ACCOUNT_QUERY = "query Account($account: ID!) { account(accountId: $account) { id name } }"

UNITS_QUERY = """query Units($account: ID!, $property: ID!, $first: Int, $after: String) {
  account(accountId: $account) { properties(filter: {propertyId: [$property]}, first: 1) { edges { node {
    units(first: $first, after: $after) { pageInfo { hasNextPage endCursor } edges { node { id name } } }
  } } } }
}"""

_UNITS_PATH = ("account", "properties", "edges", 0, "node", "units")
_UNITS = Envelope(
    (*_UNITS_PATH, "edges"),
    has_next=(*_UNITS_PATH, "pageInfo", "hasNextPage"),
    cursor=(*_UNITS_PATH, "pageInfo", "endCursor"),
)
_LISTED = {
    name: Envelope(
        ("account", listing.name, "edges"),
        has_next=("account", listing.name, "pageInfo", "hasNextPage"),
        cursor=("account", listing.name, "pageInfo", "endCursor"),
    )
    for name, listing in LISTINGS.items()
}


class _Login(msgspec.Struct):
    token: str
    expiresAt: str | int | None = None  # noqa: N815 - the vendor's spelling
    accessibleBusinessIds: list[str | int] | None = None  # noqa: N815


class _Account(msgspec.Struct):
    account: msgspec.Raw


class _Node(msgspec.Struct):
    id: str


class _IdEdge(msgspec.Struct):
    node: _Node


class _RawEdge(msgspec.Struct):
    node: msgspec.Raw


_id_edges: "msgspec.json.Decoder[list[_IdEdge]]" = msgspec.json.Decoder(list[_IdEdge])
_raw_edges: "msgspec.json.Decoder[list[_RawEdge]]" = msgspec.json.Decoder(list[_RawEdge])


def selection(stream: Stream, fields: frozenset[str] | None) -> str:
    """What a query asks of each record: the wanted fields, and always key, cursor and filter field."""
    offered = tuple(dict.fromkeys(_root(known.name) for known in stream.fields))
    wanted = {_root(name) for name in (*(fields or offered), *stream.key, stream.cursor or "")}
    if stream.filter is not None:
        wanted.add(stream.filter.field)
    return " ".join(f"{name} {_within(stream.name, name)}".strip() for name in offered if name in wanted)


def listing_query(stream: Stream, fields: frozenset[str] | None) -> str:
    """The query for one page of a stream."""
    listing = LISTINGS[stream.name]
    order = f", orderBy: [{listing.order}]" if listing.order else ""
    return f"""query List($account: ID!, $first: Int, $after: String, $filter: {listing.filter_type}) {{
  account(accountId: $account) {{
    {listing.name}(first: $first, after: $after, filter: $filter{order}) {{
      pageInfo {{ hasNextPage endCursor }}
      edges {{ node {{ {selection(stream, fields)} }} }}
    }}
  }}
}}"""


def created_between(request: Request) -> dict[str, str]:
    """The date filter of a request, a second wider than it."""
    bounds: dict[str, str] = {}
    if isinstance(request.start, datetime):
        bounds["createdAfter"] = _rfc3339(request.start - ONE_MORE_SECOND)
    if isinstance(request.end, datetime):
        bounds["createdBefore"] = _rfc3339(request.end + ONE_MORE_SECOND)
    return bounds


def with_property(edges: bytes, property_id: str) -> bytes:
    """Edges of units as an array of units that name their property.

    [{"node":{"id":"5501"}}] → [{"propertyId":"120","id":"5501"}]
    """
    lead = b'{"propertyId":' + msgspec.json.encode(property_id) + b","
    found: list[_RawEdge] = decoded(edges, _raw_edges)
    nodes = (bytes(edge.node) for edge in found)
    return b"[" + b",".join(lead + node[1:] if node.startswith(b"{") else node for node in nodes) + b"]"


class HappyCoSource:
    """One account, open for reading; logs in with the first request."""

    def __init__(self, config: HappyCoConfig, clock: Clock) -> None:
        secret = config.password or config.client_secret
        if secret is None:
            raise ConfigurationError("there is neither a password nor a client secret")
        self._config = config
        self._clock = clock
        self._credentials = {
            "id": config.email or config.client_id or "",
            "secret": secret.get_secret_value(),
        }
        self._auth = BearerLogin(self._log_in, clock)
        self._businesses: tuple[str, ...] = ()
        self._client = HttpClient(
            config.url,
            clock=clock,
            allow_private_addresses=config.allow_private_addresses,
            auth=self._auth,
            secrets=tuple(self._credentials.values()),
            quotes_answers=True,
        )
        self._graph = GraphQL(self._client)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def discover(self) -> Sequence[Stream]:
        return streams(self._config)

    def check(self, streams: Sequence[Stream]) -> Sequence[Access]:
        patience = RetryPolicy(2, timedelta(seconds=1), timedelta(seconds=5))
        context = ReadContext(self._clock, patience, log=lambda _: None)
        return [Access(stream.name, self._problem(stream, context)) for stream in streams]

    def prepare(self, stream: Stream) -> Stream:
        return stream

    def upper_bound(self, stream: Stream) -> int:
        raise Defect("HappyCo has no integer filters", where=f"stream '{stream.name}'")

    def read(
        self,
        stream: Stream,
        request: Request,
        fields: frozenset[str] | None,
        position: str | None,
        context: ReadContext,
    ) -> Iterator[Page]:
        if stream.name == "account":
            yield self._account_record(context)
        elif stream.name == "units":
            yield from self._units(context)
        else:
            size = self._config.page_size
            for page in self._listed(stream, request, fields, position, size, context):
                reached = page.cursor if stream.resumable else None
                yield JsonPage(page.records, page.read_at, unwrap="node", position=reached)

    def _problem(self, stream: Stream, context: ReadContext) -> str | None:
        """Why not even one record of a stream can be read."""
        try:
            if stream.name == "account":
                self._account_record(context)
            elif stream.name == "units":
                properties = replace(stream, name="properties")
                page = next(self._listed(properties, WHOLE, frozenset({"id"}), None, 1, context))
                for edge in decoded(page.records, _id_edges):
                    self._units_of(edge.node.id, context)
            else:
                next(self._listed(stream, WHOLE, None, None, 1, context))
        except ConnectError as error:
            return str(error)
        return None

    def _listed(
        self,
        stream: Stream,
        request: Request,
        fields: frozenset[str] | None,
        position: str | None,
        size: int,
        context: Context,
    ) -> Iterator[CursorPage]:
        listing = LISTINGS.get(stream.name)
        if listing is None:
            raise UnknownName(f"HappyCo has no stream '{stream.name}'", expected=", ".join(BY_NAME))
        query = listing_query(stream, fields)
        asked = {**listing.constant, **created_between(request)}

        def fetch(cursor: str | None) -> CursorPage:
            variables = {"account": self._account(context), "first": size, "after": cursor, "filter": asked}
            return self._graph.records(query, variables, _LISTED[stream.name], relay_page, context)

        yield from cursor_pages(fetch, context, start=position)

    def _account_record(self, context: Context) -> JsonPage:
        variables = {"account": self._account(context)}
        found: _Account = self._graph.value(ACCOUNT_QUERY, variables, _Account, context)
        if not bytes(found.account).startswith(b"{"):
            raise UnknownName(f"there is no account '{variables['account']}' for this log-in")
        return JsonPage(b"[" + bytes(found.account) + b"]", self._clock.now())

    def _units(self, context: Context) -> Iterator[JsonPage]:
        """Property by property, several at once; the order of the properties is kept."""
        properties: dict[str, None] = {}
        for page in self._listed(
            BY_NAME["properties"], WHOLE, frozenset({"id"}), None, self._config.page_size, context
        ):
            properties.update((edge.node.id, None) for edge in decoded(page.records, _id_edges))
        for pages in pages_in_flight(properties, self._units_of, context, self._config.units_in_flight):
            yield from pages

    def _units_of(self, property_id: str, context: Context) -> list[JsonPage]:
        """The units of one property; none when it has gone meanwhile."""

        def fetch(cursor: str | None) -> CursorPage:
            variables = {
                "account": self._account(context),
                "property": property_id,
                "first": self._config.page_size,
                "after": cursor,
            }
            return self._graph.records(UNITS_QUERY, variables, _UNITS, _page_of_units, context)

        return [
            JsonPage(with_property(page.records, property_id), page.read_at)
            for page in cursor_pages(fetch, context)
            if not is_empty(page.records)
        ]

    def _account(self, context: Context) -> str:
        """The account to read: the configured one, or the only one that the log-in can reach.

        Raises:
            ConfigurationError: there is none, or a choice is needed.
        """
        if self._config.account_id is not None:
            return self._config.account_id
        self._auth.headers(context)
        if len(self._businesses) == 1:
            return self._businesses[0]
        raise ConfigurationError(
            f"this log-in can reach {len(self._businesses)} accounts"
            + (f" ({', '.join(self._businesses[:20])})" if self._businesses else ""),
            expected="account_id, the one to read",
        )

    def _log_in(self, context: Context) -> Token:
        mutation = USER_LOGIN if self._config.email else self._config.plugin_login
        answer: dict[str, _Login | None] = self._graph.value(
            mutation, self._credentials, dict[str, _Login | None], context, is_log_in=True
        )
        login = next(iter(answer.values()), None)
        if login is None or not login.token:
            raise VendorFault("the log-in was answered without a token", expected="a token")
        self._businesses = tuple(str(account) for account in login.accessibleBusinessIds or ())
        return Token(login.token, _expiry(login.expiresAt))


def streams(config: HappyCoConfig) -> tuple[Stream, ...]:
    """All streams, with the spans that the settings give."""
    created = replace(CREATED, lookback=config.lookback, full_every=config.full_every)
    return tuple(replace(stream, filter=created) if stream.filter else stream for stream in STREAMS)


BY_NAME = {stream.name: stream for stream in STREAMS}


def _page_of_units(opened: Opened, read_at: datetime) -> CursorPage:
    """A page of units, also of a property that is no longer there."""
    if opened.values["has_next"] is None and is_empty(opened.records):
        return CursorPage(opened.records, None, read_at)
    return relay_page(opened, read_at)


def _root(name: str) -> str:
    return name.partition(".")[0]


def _within(stream: str, name: str) -> str:
    if name != "assignedTo":
        return SELECTIONS.get(name, "")
    fragments = (f"... on {kind} {{ __typename id name email type }}" for kind in _ASSIGNEES[stream])
    return f"{{ {' '.join(fragments)} }}"


def _rfc3339(instant: datetime) -> str:
    return instant.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def _expiry(written: str | int | None) -> datetime | None:
    """Epoch milliseconds, as text; None for anything else, and the token is used until it is refused."""
    try:
        return datetime.fromtimestamp(int(written or "") / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None


class HappyCoConnector:
    """HappyCo as a kind of source."""

    name: str = "happyco"
    title: str = "HappyCo"
    category: str = "Inspections"
    kind: str = "happyco"
    config: type[BaseModel] = HappyCoConfig

    def streams(self, config: BaseModel) -> Sequence[Stream]:
        return streams(cast("HappyCoConfig", config))

    def stream(self, config: BaseModel, name: str) -> Stream | None:
        return next((stream for stream in self.streams(config) if stream.name == name), None)

    @contextmanager
    def open(self, config: BaseModel, clock: Clock) -> Generator[Source]:
        source = HappyCoSource(cast("HappyCoConfig", config), clock)
        try:
            yield source
        finally:
            source.close()


connector = HappyCoConnector()
