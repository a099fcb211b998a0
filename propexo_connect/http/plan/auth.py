"""Ways to log in. The values hold no secrets: `{api_key}` stands for the setting of that name.

An API may use several at once: a tuple of them.
"""

from collections.abc import Mapping
from dataclasses import field
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Discriminator

from propexo_connect.http.plan.faults import Faults
from propexo_connect.http.plan.instants import Written
from propexo_connect.http.plan.paths import Path
from propexo_connect.http.plan.value import value
from propexo_connect.model.duration import DurationOrNever


@value
class Headers:
    """Fixed headers, their letter case kept: keys, tenants, versions."""

    headers: dict[str, str]
    kind: Literal["headers"] = "headers"


@value
class Basic:
    """`Authorization: Basic`, of user and password; either may be empty."""

    user: str
    password: str = ""
    kind: Literal["basic"] = "basic"


@value
class Bearer:
    """A fixed token behind a word: `Authorization: Bearer {api_key}`, `KISI-LOGIN {api_key}`."""

    token: str
    scheme: str = "Bearer"
    header: str = "Authorization"
    kind: Literal["bearer"] = "bearer"


@value
class Query:
    """A key in the query. It is never told in messages, but servers on the way may log it."""

    params: dict[str, str]
    kind: Literal["query"] = "query"


@value
class Login:
    """A token from a log-in call, used until it runs out or is refused.

    Args:
        path: below the API's address, or a whole address; its origin then is allowed for this call.
        token: where the answer holds it; "" when the answer is the token, as a JSON text.
        body, form, headers: what is sent; `query` and `variables` for GraphQL (`token` is below `data`).
        header, scheme: how it is sent; an empty scheme sends the bare token.
        expires_in: where the answer holds the seconds it lasts. expires_at: where it holds the end,
            written as `expires_written`. lifetime: how long it lasts where the answer does not say.
        idle: how long it lasts without being used.
        keeps: further values of the answer, for placeholders of these names.
        stored: kept, encrypted, for the syncs to come.
        faults: what answers to the log-in mean where their statuses do not say it.
    """

    path: str
    token: Path
    method: str = "POST"
    body: Mapping[str, Any] | None = None
    form: Mapping[str, str] | None = None
    headers: dict[str, str] = field(default_factory=dict[str, str])
    query: str = ""
    variables: Mapping[str, Any] = field(default_factory=dict[str, Any])
    header: str = "Authorization"
    scheme: str = "Bearer"
    expires_in: Path | None = None
    expires_at: Path | None = None
    expires_written: Written = "iso"
    lifetime: DurationOrNever = None
    idle: DurationOrNever = None
    keeps: dict[str, Path] = field(default_factory=dict[str, Path])
    stored: bool = False
    faults: Faults = ()
    kind: Literal["login"] = "login"


@value
class OAuth:
    """OAuth 2 without a person: client credentials, password, or a refresh token from an earlier consent.

    Args:
        url: the token's address, often on a host of its own.
        style: how the client shows its id and secret: in the form, by Basic, or in a JSON body.
        refresh_token: the first one, from the settings; later ones take its place where `rotates`, and are
            stored durably before they are used.
        extra: further entries of the form.
        lifetime: how long a token lasts where the answer has no `expires_in`.
        settle: how long a fresh token must wait before it is used.
        stored: kept, encrypted, for the syncs to come, because issuing is rationed or slow.
    """

    url: str
    client_id: str = ""
    client_secret: str = ""
    grant: Literal["client_credentials", "password", "refresh_token"] = "client_credentials"
    scope: str = ""
    style: Literal["form", "basic", "json"] = "form"
    user: str = ""
    password: str = ""
    refresh_token: str = ""
    rotates: bool = False
    extra: dict[str, str] = field(default_factory=dict[str, str])
    header: str = "Authorization"
    scheme: str = "Bearer"
    lifetime: DurationOrNever = None
    settle: DurationOrNever = None
    stored: bool = False
    kind: Literal["oauth"] = "oauth"

    def __post_init__(self) -> None:
        if self.grant == "refresh_token" and not self.refresh_token:
            raise ValueError("the grant refresh_token needs `refresh_token`, such as {refresh_token}")
        if self.rotates and not self.stored:
            object.__setattr__(self, "stored", True)


@value
class Signed:
    """A signature of each request with a shared key (HMAC).

    Args:
        key: the shared key.
        message: what is signed; besides settings {timestamp}, {method}, {path}, {query}, {body} and
            {body_hash}, the hash of the body in hex.
        headers: what is sent; {signature} and {timestamp} stand for what they say.
        timestamp: how {timestamp} is written.
    """

    key: str
    message: str = "{timestamp}{method}{path}{body}"
    headers: dict[str, str] = field(
        default_factory=lambda: {"X-Timestamp": "{timestamp}", "X-Signature": "{signature}"}
    )
    digest: Literal["sha256", "sha1", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    timestamp: Written = "epoch"
    kind: Literal["signed"] = "signed"


SIGNED_NAMES = frozenset({"timestamp", "method", "path", "query", "body", "body_hash", "signature"})
"""What the templates of `Signed` may refer to besides settings."""

AnyLogIn = Annotated[Headers | Basic | Bearer | Query | Login | OAuth | Signed, Discriminator("kind")]

TOKEN_LIFE_WITHOUT_WORD = timedelta(minutes=30)
"""How long a token is trusted that came with no word on its life and was stored."""
