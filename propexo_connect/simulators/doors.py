"""Who is let in, from the vendor's side: keys in headers, Basic, bearer tokens, and tokens that are issued.

door = OAuthDoor("/oauth/token", "demo-client", "demo-secret", TokenIssuer(clock, lifetime=timedelta(hours=1)))

def special(self, request): return door.issues(request)          # the token's own route
def refusal(self, request): return None if door.admits(request) else self.refused(401, "…")
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from propexo_connect.simulators.tokens import TokenIssuer
from propexo_connect.simulators.wire import Answer, Request, json_answer


@dataclass(frozen=True)
class HeaderDoor:
    """Fixed headers; `exact` also demands the letter case of their names."""

    headers: Mapping[str, str] = field(repr=False)
    exact: bool = False

    def admits(self, request: Request) -> bool:
        """Whether every header is there with its value."""
        if self.exact:
            sent = dict(request.headers)
            return all(sent.get(name) == value for name, value in self.headers.items())
        return all(request.header(name) == value for name, value in self.headers.items())


@dataclass(frozen=True)
class BasicDoor:
    """User and password; either may be empty."""

    user: str
    password: str = field(default="", repr=False)

    def admits(self, request: Request) -> bool:
        """Whether the pair is the right one."""
        return basic_pair(request) == (self.user, self.password)


@dataclass(frozen=True)
class BearerDoor:
    """A fixed token behind a word."""

    token: str = field(repr=False)
    scheme: str = "Bearer"
    header: str = "Authorization"

    def admits(self, request: Request) -> bool:
        """Whether the token is the right one."""
        return request.header(self.header) == f"{self.scheme} {self.token}".lstrip()


@dataclass(frozen=True)
class OAuthDoor:
    """A token endpoint and the tokens it issued.

    Args:
        path: of the endpoint. grants: those it knows.
        style: how the client must show its id and secret: form, basic, json, or any of them.
        refresh: the refresh token it takes; `rotates`: each answer has another one, the old one dies.
        per_day: so many tokens in 24 hours, then 429.
        scope: the scope that must be asked for.
    """

    path: str
    client_id: str
    client_secret: str = field(repr=False)
    issuer: TokenIssuer = field(repr=False)
    grants: tuple[str, ...] = ("client_credentials",)
    style: str = "any"
    scope: str = ""
    refresh: str = field(default="", repr=False)
    rotates: bool = False
    per_day: int | None = None
    user: tuple[str, str] = ("", "")
    lifetime_s: int = 3600
    refused_status: int = 401
    _live: list[str] = field(default_factory=list[str], repr=False)

    def issues(self, request: Request) -> Answer | None:
        """The answer of the token endpoint; None for any other path."""
        if request.path != self.path:
            return None
        form = self._form(request)
        client = (
            basic_pair(request)
            if self.style == "basic"
            else (form.get("client_id"), form.get("client_secret"))
        )
        if self.style == "any" and basic_pair(request) is not None:
            client = basic_pair(request)
        if client != (self.client_id, self.client_secret):
            return self._refused("invalid_client")
        if form.get("grant_type") not in self.grants:
            return self._refused("unsupported_grant_type", 400)
        if self.scope and form.get("scope") != self.scope:
            return self._refused("invalid_scope", 400)
        if form.get("grant_type") == "password" and (form.get("username"), form.get("password")) != self.user:
            return self._refused("invalid_grant", 400)
        if self.per_day is not None and self.issuer.issued_count >= self.per_day:
            return self._refused("too_many_requests", 429)
        extra: dict[str, object] = {}
        if form.get("grant_type") == "refresh_token":
            if form.get("refresh_token") != (self._live[-1] if self._live else self.refresh):
                return self._refused("invalid_grant", 400)
            if self.rotates:
                self._live.append(f"{self.refresh}-{len(self._live) + 1}")
                extra["refresh_token"] = self._live[-1]
        token = self.issuer.issue()
        told = {"access_token": token.value, "token_type": "Bearer", "expires_in": self.lifetime_s, **extra}
        return json_answer(told)

    def admits(self, request: Request) -> bool:
        """Whether the request has a token that is still good."""
        return self.issuer.admits(request.bearer)

    def _form(self, request: Request) -> Mapping[str, str | None]:
        if (request.header("content-type") or "").startswith("application/json"):
            body = request.json
            return {str(name): str(value) for name, value in body.items()} if isinstance(body, dict) else {}
        return dict(parse_qsl(request.body.decode()))

    def _refused(self, error: str, status: int | None = None) -> Answer:
        return json_answer({"error": error, "error_description": error}, status or self.refused_status)


def basic_pair(request: Request) -> tuple[str, str] | None:
    """User and password of `Authorization: Basic`, None without one."""
    scheme, _, packed = (request.header("authorization") or "").partition(" ")
    if scheme != "Basic":
        return None
    try:
        user, _, password = base64.b64decode(packed, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return user, password
