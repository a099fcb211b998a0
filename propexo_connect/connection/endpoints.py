"""The receivers of events: one file for each in `connections/endpoints/`, named by the file.

    kind: webhook                       kind: slack               kind: email
    url: https://example.org/hook       url: ${SLACK_URL}         host: smtp.example.org
    secret: ${HOOK_SECRET}              subscribe: …              from: connect@example.org
    subscribe:                                                    to: ops@example.org
      - events: [data.new, data.update]                           subscribe: …
        connections: [leases]

A broken file takes nobody else down: nothing is written for its endpoint until it is mended.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)

from propexo_connect.connection.document import Document, Unreadable, read_document
from propexo_connect.connection.explain import explain
from propexo_connect.connection.file import NAME_PATTERN, Written
from propexo_connect.connection.problem import BrokenEndpoint, Problem, quoted
from propexo_connect.connection.scalars import Names, Span
from propexo_connect.connection.secret import has_reference, resolve_secrets
from propexo_connect.connection.systems import SUFFIXES, read_config
from propexo_connect.model.duration import fault
from propexo_connect.model.errors import Defect
from propexo_connect.model.event import EVERY, Endpoint, EndpointKind, Event, Signature, Subscription

ENDPOINTS_FOLDER = "endpoints"

_HEADER = r"[A-Za-z0-9-]{1,64}"
_EMAIL = r"[^@\s<>]+@[^@\s<>]+"


def _one_or_more(value: object) -> object:
    return [value] if isinstance(value, str | SecretStr) else value


def _read_event(value: object) -> object:
    if value == Event.TEST:
        raise fault("'test'", "an event that happens by itself", "Test events are sent by the command alone.")
    return value


def _read_url(value: str) -> str:
    if has_reference(value):
        return value
    try:
        parts = urlsplit(value)
        is_whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise fault("an address that cannot be read", "an address that begins with https://") from None
    if not is_whole:
        raise fault("an address that is none", "an address that begins with https://")
    if parts.username or parts.password:
        remedy = "Receivers recognise the sender by the signature."
        raise fault("an address with a user or a password", "an address without them", remedy)
    return value


def _read_mailbox(value: str) -> str:
    if not has_reference(value) and not re.fullmatch(_EMAIL, value):
        raise fault(quoted(value), "an e-mail address")
    return value


Url = Annotated[str, AfterValidator(_read_url)]
Mailbox = Annotated[str, AfterValidator(_read_mailbox)]
WantedEvent = Annotated[Event, BeforeValidator(_read_event)]


class Security(StrEnum):
    """How a mail server is spoken to."""

    TLS = "tls"
    STARTTLS = "starttls"
    NONE = "none"


class WebhookConfig(Written):
    """An HTTP address that takes signed events."""

    url: Url = Field(description="Where events are sent, by POST; https, or http to a private address.")
    secret: Annotated[list[SecretStr], BeforeValidator(_one_or_more), Field(min_length=1, max_length=2)] = (
        Field(
            description="The secret that signs, as ${NAME}; for a rotation a list of two, the newer one "
            "first: every event is signed with both."
        )
    )
    signature: Signature = Field(
        Signature.STANDARD,
        description="`standard` (Standard Webhooks), or `hex_hmac`: the hexadecimal HMAC-SHA256 of the "
        "body in `header`.",
    )
    header: str | None = Field(
        None, pattern=f"^{_HEADER}$", description="The header of a `hex_hmac`. Default: X-Signature-256."
    )
    allow_private_addresses: bool = Field(
        False, description="Whether the address may lie in a private network, and be plain http."
    )
    max_in_flight: int = Field(4, ge=1, le=64, description="How many events are sent at once.")
    timeout: Span = Field(timedelta(seconds=15), description="How long an answer may take.")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.header is not None and self.signature is Signature.STANDARD:
            remedy = "Remove `header`, or write `signature: hex_hmac`."
            raise fault("`header` beside the standard signature", "`header` with `hex_hmac` alone", remedy)
        if self.url.startswith("http://") and not self.allow_private_addresses:
            remedy = "Use https, or write `allow_private_addresses: true` for a network of your own."
            raise fault("an address without encryption", "an address that begins with https://", remedy)
        return self


class SlackConfig(Written):
    """A channel of Slack, by the address of an incoming webhook."""

    url: SecretStr = Field(description="The address of the incoming webhook as ${NAME}: it is a secret.")
    allow_private_addresses: bool = Field(
        False,
        description="Whether the address may lie in a private network, and be plain http: for servers of "
        "one's own that speak like Slack.",
    )
    max_in_flight: int = Field(1, ge=1, le=64, description="How many messages are sent at once.")
    timeout: Span = Field(timedelta(seconds=15), description="How long an answer may take.")


class EmailConfig(Written):
    """Mailboxes, reached through a mail server."""

    host: str = Field(min_length=1, description="The mail server.")
    port: int = Field(587, ge=1, le=65_535, description="Its port.")
    security: Security = Field(
        Security.STARTTLS, description="`starttls` (default), `tls` from the start, or `none`."
    )
    user: str | None = Field(None, description="Who signs in; nobody when it is left out.")
    password: SecretStr | None = Field(None, description="The password as ${NAME}.")
    sender: Mailbox = Field(alias="from", description="The address that mails come from.")
    allow_private_addresses: bool = Field(
        False, description="Whether the mail server may lie in a private network."
    )
    to: Annotated[list[Mailbox], BeforeValidator(_one_or_more), Field(min_length=1)] = Field(
        description="One address, or a list of them."
    )
    max_in_flight: int = Field(1, ge=1, le=64, description="How many mails are sent at once.")
    timeout: Span = Field(timedelta(seconds=30), description="How long the server may take.")

    @model_validator(mode="after")
    def _signs_in_whole(self) -> Self:
        if (self.user is None) != (self.password is None):
            raise fault("`user` without `password`, or `password` without `user`", "both or neither")
        if self.user is not None and self.security is Security.NONE:
            remedy = "Write `security: starttls` or `tls`."
            raise fault("a password over an open line", "an encrypted connection to sign in", remedy)
        return self


EndpointConfig = WebhookConfig | SlackConfig | EmailConfig

CONFIGS: Mapping[EndpointKind, type[BaseModel]] = {
    EndpointKind.WEBHOOK: WebhookConfig,
    EndpointKind.SLACK: SlackConfig,
    EndpointKind.EMAIL: EmailConfig,
}


class WrittenSubscription(Written):
    """Which events of which connections and streams an endpoint gets."""

    events: Annotated[list[WantedEvent], BeforeValidator(_one_or_more), Field(min_length=1)] = Field(
        description="The events: data.new, data.update, sync.completed, first_sync.completed, "
        "sync.failed, freshness.overdue."
    )
    connections: Annotated[Names, Field(min_length=1)] = Field(
        [EVERY], description='Names of connections. Default: "*", all of them.'
    )
    streams: Annotated[Names, Field(min_length=1)] = Field(
        [EVERY],
        description='Names of streams, for events of records and of freshness. Default: "*", all of them.',
    )
    first_sync: bool = Field(
        False, description="Whether records of a stream's first sync are events, too. Default: false."
    )
    backsync: bool = Field(
        False,
        description="Whether records of a backsync, and of other reads of old records, are events, too. "
        "Default: false.",
    )


class WrittenEndpoint(Written):
    """What every endpoint has, whatever its kind."""

    kind: EndpointKind = Field(EndpointKind.WEBHOOK, description="`webhook` (default), `slack` or `email`.")
    description: str = Field("", description="For the people who read the file.")
    paused: bool = Field(
        False, description="While true, events are written and wait; none is sent. Default: false."
    )
    subscribe: Annotated[list[WrittenSubscription], Field(min_length=1)] = Field(
        description="What the endpoint gets: a list of subscriptions."
    )


@dataclass(frozen=True, slots=True)
class LoadedEndpoints:
    """What the folder holds, each part ordered by file name."""

    endpoints: tuple[Endpoint, ...] = ()
    broken: tuple[BrokenEndpoint, ...] = ()


def load_endpoints(folder: Path) -> LoadedEndpoints:
    """Every endpoint of a folder of connections, and every file that is none, with its problems.

    Nothing is read from the environment. A folder without `endpoints/` has none.
    """
    endpoints: list[Endpoint] = []
    broken: list[BrokenEndpoint] = []
    taken: dict[str, Path] = {}
    for file in endpoint_files(folder):
        document = Document({}, file)
        try:
            document = read_document(file)
            other = taken.setdefault(file.stem, file)
            found = endpoint_of(document, file.stem)
            problems = found if isinstance(found, list) else []
            if other is not file:
                expected = "one file for each name"
                problems.append(
                    document.problem((), f"the name of {other}", expected, "Rename one of the two.")
                )
        except Unreadable as error:
            found, problems = None, list(error.problems)
        if isinstance(found, Endpoint) and not problems:
            endpoints.append(found)
        else:
            broken.append(BrokenEndpoint(file.stem, file, tuple(problems)))
    return LoadedEndpoints(tuple(endpoints), tuple(broken))


def endpoint_files(folder: Path) -> list[Path]:
    """The files in `endpoints/` that are to be endpoints, ordered by name."""
    found = (folder / ENDPOINTS_FOLDER).glob("*")
    return sorted(file for file in found if file.suffix in SUFFIXES and file.name[0] not in "_.")


def endpoint_of(document: Document, name: str) -> Endpoint | list[Problem]:
    """The endpoint in a document, or everything that is wrong with it."""
    problems = list(_name_problems(document, name))
    own = {key: value for key, value in document.content.items() if key in WrittenEndpoint.model_fields}
    rest = {key: value for key, value in document.content.items() if key not in own}
    written = None
    try:
        written = WrittenEndpoint.model_validate(own)
    except ValidationError as error:
        problems += explain(error.errors(include_url=False), document, WrittenEndpoint)
    problems += [
        document.problem((key,), "a reference to the environment", "the value itself")
        for key, value in own.items()
        if has_reference(value)
    ]
    kind = _kind_in(own)
    if kind is None:
        return problems
    config, faults = read_config(document, (), CONFIGS[kind], rest, also=WrittenEndpoint.model_fields)
    problems += faults
    if problems or written is None or config is None:
        return problems
    subscriptions = tuple(_subscription(name, one) for one in written.subscribe)
    return Endpoint(name, kind, config, subscriptions, written.paused)


def endpoint_config(endpoint: Endpoint, environ: Mapping[str, str]) -> EndpointConfig:
    """The settings of an endpoint with the values of the environment, for the time of a delivery.

    Raises:
        MissingSecret, ConfigurationError: as in `resolve_secrets`.
    """
    config = endpoint.config
    if not isinstance(config, WebhookConfig | SlackConfig | EmailConfig):
        raise Defect(f"an endpoint with settings of the type {type(config).__name__}", where=endpoint.name)
    return resolve_secrets(config, environ, where=f"endpoint '{endpoint.name}'")


def _kind_in(content: Mapping[str, Any]) -> EndpointKind | None:
    """The kind that is written, None when it is none; that has been said already."""
    named = content.get("kind") or EndpointKind.WEBHOOK
    return next((kind for kind in EndpointKind if kind == named), None)


def _subscription(name: str, written: WrittenSubscription) -> Subscription:
    return Subscription(
        endpoint=name,
        events=tuple(dict.fromkeys(written.events)),
        connections=tuple(written.connections),
        streams=tuple(written.streams),
        with_first_sync=written.first_sync,
        with_backsync=written.backsync,
    )


def _name_problems(document: Document, name: str) -> Iterator[Problem]:
    if not re.fullmatch(NAME_PATTERN, name):
        expected = "a name of lower-case letters, digits and underscores"
        yield document.problem(
            (), f"{quoted(name)}, taken from the file's name", expected, "Rename the file."
        )
