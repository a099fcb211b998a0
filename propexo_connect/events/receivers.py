"""The receivers of events: an endpoint of each kind as something that a message can be sent to."""

import json
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from propexo_connect.connection.endpoints import EmailConfig, SlackConfig, WebhookConfig, endpoint_config
from propexo_connect.events import mail
from propexo_connect.events.message import Message
from propexo_connect.events.outcome import Outcome, failed
from propexo_connect.events.post import Posting
from propexo_connect.events.signing import HEX_HEADER, hex_headers, standard_headers
from propexo_connect.events.words import details, headline
from propexo_connect.model.errors import ConnectError
from propexo_connect.model.event import Endpoint, Signature


class Receiver(Protocol):
    """What a message can be sent to, from several threads at once."""

    @property
    def max_in_flight(self) -> int:
        """How many messages it takes at once."""
        ...

    def send(self, message: Message, sent_at: datetime) -> Outcome:
        """Send once; failures are outcomes, never raised."""
        ...


@dataclass(frozen=True)
class Webhook:
    """Takes the whole event, signed."""

    config: WebhookConfig
    posting: Posting

    @property
    def max_in_flight(self) -> int:
        return self.config.max_in_flight

    def send(self, message: Message, sent_at: datetime) -> Outcome:
        body = message.body
        try:
            headers = self._signed(message.id, sent_at, body)
        except ConnectError as error:
            return failed(error)
        return self.posting.post(
            self.config.url,
            body,
            headers,
            allow_private_addresses=self.config.allow_private_addresses,
            timeout=self.config.timeout,
        )

    def _signed(self, message_id: str, sent_at: datetime, body: bytes) -> dict[str, str]:
        secrets = [secret.get_secret_value() for secret in self.config.secret]
        if self.config.signature is Signature.HEX_HMAC:
            return hex_headers(message_id, sent_at, body, secrets, self.config.header or HEX_HEADER)
        return standard_headers(message_id, sent_at, body, secrets)


@dataclass(frozen=True)
class Slack:
    """Takes a short text: `{"text": "…"}`."""

    config: SlackConfig
    posting: Posting

    @property
    def max_in_flight(self) -> int:
        return self.config.max_in_flight

    def send(self, message: Message, sent_at: datetime) -> Outcome:  # noqa: ARG002 (nothing is signed)
        text = f"*{_escaped(headline(message))}*\n{_escaped(details(message))}"
        return self.posting.post(
            self.config.url.get_secret_value(),
            json.dumps({"text": text}, ensure_ascii=False).encode(),
            {},
            allow_private_addresses=self.config.allow_private_addresses,
            timeout=self.config.timeout,
        )


@dataclass(frozen=True)
class Email:
    """Takes a short plain mail."""

    config: EmailConfig
    ssl_context: ssl.SSLContext | None = None

    @property
    def max_in_flight(self) -> int:
        return self.config.max_in_flight

    def send(self, message: Message, sent_at: datetime) -> Outcome:
        subject = f"[propexo-connect] {headline(message)}"
        text = f"{headline(message)}\n\n{details(message)}\n"
        letter = mail.letter(self.config.sender, self.config.to, subject, text, message.id, sent_at)
        return mail.send(self.config, letter, ssl_context=self.ssl_context)


@dataclass(frozen=True)
class Unusable:
    """An endpoint whose settings cannot be used: its deliveries fail with the reason until it is mended."""

    error: ConnectError
    max_in_flight: int = 1

    def send(self, message: Message, sent_at: datetime) -> Outcome:  # noqa: ARG002
        return failed(self.error)


def receiver_of(endpoint: Endpoint, environ: Mapping[str, str], posting: Posting) -> Receiver:
    """The receiver behind an endpoint, with the values of the environment."""
    try:
        config = endpoint_config(endpoint, environ)
    except ConnectError as error:
        return Unusable(error)
    match config:
        case WebhookConfig():
            return Webhook(config, posting)
        case SlackConfig():
            return Slack(config, posting)
        case EmailConfig():
            return Email(config)


def receivers_of(
    endpoints: Iterable[Endpoint], environ: Mapping[str, str], posting: Posting
) -> dict[str, Receiver]:
    """By name, the receivers of all endpoints that are not paused."""
    return {one.name: receiver_of(one, environ, posting) for one in endpoints if not one.is_paused}


def _escaped(text: str) -> str:
    """As Slack wants its three signs, so that nobody can be called by a text from elsewhere."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
