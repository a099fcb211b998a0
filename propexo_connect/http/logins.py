"""From the ways to log in that a plan names to headers on the wire."""

import base64
import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from urllib.parse import urlencode

import httpx
import msgspec

from propexo_connect.http.auth import BearerLogin, Token
from propexo_connect.http.client import Answer, Call, HttpClient
from propexo_connect.http.context import Context
from propexo_connect.http.graphql import GraphQL
from propexo_connect.http.judging import judge_by
from propexo_connect.http.plan.auth import (
    TOKEN_LIFE_WITHOUT_WORD,
    AnyLogIn,
    Basic,
    Bearer,
    Headers,
    Login,
    OAuth,
    Query,
    Signed,
)
from propexo_connect.http.plan.instants import read, write
from propexo_connect.http.plan.paths import at, said
from propexo_connect.http.plan.template import ABSENT, PLACEHOLDER, Names, fill, fill_text
from propexo_connect.http.retry import wait_out
from propexo_connect.http.tokens import Kept, TokenStore, name_from
from propexo_connect.model.clock import Clock
from propexo_connect.model.errors import (
    ConfigurationError,
    CredentialsRefused,
    TerminalError,
    VendorFault,
)

OpenClient = Callable[[str], HttpClient]
"""A client without credentials for an address; the API's own or, for a whole address, one of its origin."""

_CHECK = "Check the credentials of the connection"


@dataclass(frozen=True)
class Credentials:
    """What a plan's ways to log in come to: fixed headers and parameters, a token, a signature."""

    headers: dict[str, str] = field(repr=False)
    params: dict[str, str] = field(repr=False)
    token: "TokenLogin | None"
    sign: Callable[[str, httpx.URL, bytes], Mapping[str, str]] | None


def credentials(
    log_ins: Iterable[AnyLogIn], names: Names, open_client: OpenClient, clock: Clock, store: TokenStore | None
) -> Credentials:
    """The credentials of one connection.

    Args:
        names: the settings, secrets in plain text.
        store: where tokens outlive a sync; None when the installation has no place for them.

    Raises:
        ConfigurationError: a setting that a way to log in needs has no value, or there is no place to store.
    """
    headers: dict[str, str] = {}
    params: dict[str, str] = {}
    token: TokenLogin | None = None
    sign: Callable[[str, httpx.URL, bytes], Mapping[str, str]] | None = None
    for log_in in log_ins:
        match log_in:
            case Headers():
                headers |= {name: _needed(text, names) for name, text in log_in.headers.items()}
            case Basic():
                pair = f"{_needed(log_in.user, names)}:{_needed(log_in.password, names)}"
                headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
            case Bearer():
                bare = _needed(log_in.token, names)
                headers[log_in.header] = f"{log_in.scheme} {bare}".lstrip()
            case Query():
                params |= {name: _needed(text, names) for name, text in log_in.params.items()}
            case Login() | OAuth():
                token = TokenLogin(log_in, names, open_client, clock, store)
            case Signed():
                sign = _Signature(log_in, names, clock)
    return Credentials(headers, params, token, sign)


def _address(template: str, names: Names) -> str:
    """A token's address; the setting that holds it may refer to other settings."""
    return _needed(_needed(template, names), names)


def _origin(address: str) -> str:
    """Scheme, host and port of an address: a client of it follows the address to the letter."""
    try:
        return str(httpx.URL(address).copy_with(raw_path=b"/", fragment=None))
    except httpx.InvalidURL:
        return address  # the client says what is wrong with it


def _needed(template: str, names: Names) -> str:
    found = fill_text(template, names)
    if found is None:
        raise ConfigurationError(
            f"the log-in needs a value for {template}", expected="the setting, with a value"
        )
    return found


class TokenLogin(BearerLogin):
    """A log-in by a call of its own, whose token may be stored for the syncs to come.

    `values` holds what else the log-in told, once it has been made.
    """

    def __init__(
        self,
        plan: Login | OAuth,
        names: Names,
        open_client: OpenClient,
        clock: Clock,
        store: TokenStore | None,
    ) -> None:
        idle = plan.idle if isinstance(plan, Login) else None
        super().__init__(self._obtain, clock, header=plan.header, scheme=plan.scheme, idle=idle)
        self._plan = plan
        self._names = names
        self._open_client = open_client
        self._time = clock
        self._store = store if plan.stored else None
        self._handed_out = ""
        self.values: dict[str, Any] = {}
        if isinstance(plan, OAuth) and plan.rotates and store is None:
            raise ConfigurationError(
                "this log-in replaces its refresh token with each use, and there is no place to keep it",
                expected="a folder that lasts",
                remedy="Set `state_dir`, or the variable PROPEXO_STATE_DIR.",
            )

    def _obtain(self, context: Context) -> Token:
        """A token: the stored one while it is good, else a fresh one."""
        if self._store is None:
            fresh = self._fetch(None, context)
            self._let_settle(context)
            return self._hand_out(fresh)
        name = self._stored_name()
        with self._store.locked(name):
            kept = self._store.load(name)
            if kept is not None and self._is_good(kept):
                return self._hand_out(kept)
            fresh = self._fetch(kept, context)
            self._store.save(name, fresh)
            self._let_settle(context)
        return self._hand_out(fresh)

    def _let_settle(self, context: Context) -> None:
        """Wait until the vendor knows its new token everywhere."""
        if isinstance(self._plan, OAuth) and self._plan.settle is not None:
            wait_out(self._plan.settle.total_seconds(), context)

    def _hand_out(self, kept: Kept) -> Token:
        self._handed_out = kept.access
        self.values |= kept.values
        return Token(kept.access, kept.expires_at)

    def _is_good(self, kept: Kept) -> bool:
        """Whether a stored token has life left and is not the one that was just refused or ran out."""
        is_alive = kept.expires_at is None or kept.expires_at - self._time.now() > timedelta(minutes=1)
        return bool(kept.access) and is_alive and kept.access != self._handed_out

    def _stored_name(self) -> str:
        plan = self._plan
        if isinstance(plan, OAuth):
            parts = (plan.url, plan.client_id, plan.user, plan.refresh_token, plan.scope)
        else:
            parts = (plan.path, str(plan.body), str(plan.form), str(plan.variables))
        filled = [fill_text(part, self._names) or "" for part in parts]
        return name_from(type(plan).__name__, fill_text("{url}", self._names) or "", *filled)

    def _fetch(self, kept: Kept | None, context: Context) -> Kept:
        plan = self._plan
        if isinstance(plan, OAuth):
            call, address = self._oauth_call(plan, kept)
        else:
            call, address = self._login_call(plan)
        client = self._open_client(address)
        if isinstance(plan, Login):
            call = replace(call, judge=judge_by(plan.faults, client.quote))
        try:
            return client.call(call, lambda answer: self._read(answer, client, kept), context)
        except TerminalError as error:
            # A log-in that is forbidden (403) is not a right that is missing: its client is unknown.
            if isinstance(error, CredentialsRefused | ConfigurationError):
                raise
            refusal = CredentialsRefused(error.found, where=error.where, remedy=_CHECK)
        # A log-in that is refused for good must not be tried again by other threads: accounts get locked.
        raise refusal

    def _login_call(self, plan: Login) -> tuple[Call, str]:
        address = fill_text(plan.path, self._names) or ""
        headers = {name: fill_text(text, self._names) or "" for name, text in plan.headers.items()}
        body: bytes | None = None
        if plan.query:
            is_setting = PLACEHOLDER.fullmatch(plan.query) is not None
            query = fill_text(plan.query, self._names) if is_setting else plan.query
            sent = {"query": query, "variables": fill(plan.variables, self._names)}
            body = msgspec.json.encode(sent)
        elif plan.body is not None:
            body = msgspec.json.encode(fill(plan.body, self._names))
        if body is not None:
            headers = {"Content-Type": "application/json", **headers}
        elif plan.form is not None:
            body = urlencode(_texts(fill(plan.form, self._names))).encode()
            headers = {"Content-Type": "application/x-www-form-urlencoded", **headers}
        is_whole = "://" in address
        call = Call(plan.method, address, body=body, headers=headers, is_public=True)
        return call, _origin(address) if is_whole else ""

    def _oauth_call(self, plan: OAuth, kept: Kept | None) -> tuple[Call, str]:
        names = self._names
        form = {
            "grant_type": plan.grant,
            "scope": fill_text(plan.scope, names) or "",
            "username": fill_text(plan.user, names) or "",
            "password": fill_text(plan.password, names) or "",
            **{name: fill_text(text, names) or "" for name, text in plan.extra.items()},
        }
        if plan.grant == "refresh_token":
            stored = kept.refresh if kept is not None else ""
            form["refresh_token"] = stored or _needed(plan.refresh_token, names)
        client_id, secret = _needed(plan.client_id, names), _needed(plan.client_secret, names)
        headers: dict[str, str] = {}
        if plan.style == "basic":
            pair = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
            headers["Authorization"] = f"Basic {pair}"
        else:
            form |= {"client_id": client_id, "client_secret": secret}
        form = {name: text for name, text in form.items() if text}
        if plan.style == "json":
            body, headers["Content-Type"] = msgspec.json.encode(form), "application/json"
        else:
            body, headers["Content-Type"] = urlencode(form).encode(), "application/x-www-form-urlencoded"
        address = _address(plan.url, names)
        return Call("POST", address, body=body, headers=headers, is_public=True), _origin(address)

    def _read(self, answer: Answer, client: HttpClient, kept: Kept | None) -> Kept:
        plan = self._plan
        text = answer.body
        if isinstance(plan, Login) and plan.query:
            text = GraphQL(client).below_data(answer, is_log_in=True)
        try:
            told: object = msgspec.json.decode(text)
        except msgspec.DecodeError:
            raise VendorFault("the log-in was not answered in JSON", expected="a token") from None
        where = plan.token if isinstance(plan, Login) else "access_token"
        token = at(told, where)
        if not isinstance(token, str) or not token:
            raise VendorFault(f"the log-in was answered without a token at {said(where)}", expected="a token")
        refresh = at(told, "refresh_token")
        before = kept.refresh if kept is not None else ""
        keeps = plan.keeps if isinstance(plan, Login) else {}
        values = {name: _as_text(at(told, path)) for name, path in keeps.items()}
        return Kept(
            token,
            self._expiry(told, answer.read_at),
            refresh if isinstance(refresh, str) and refresh else before,
            values,
        )

    def _expiry(self, told: object, now: datetime) -> datetime | None:
        """When the token ends; None when nobody says, and it is used until it is refused."""
        plan = self._plan
        seconds = at(told, "expires_in") if isinstance(plan, OAuth) else None
        if isinstance(plan, Login):
            if plan.expires_at is not None:
                end = at(told, plan.expires_at)
                text = read(end, plan.expires_written) if isinstance(end, str | int | float) else None
                if text is not None:
                    return datetime.fromisoformat(text).replace(tzinfo=UTC)
            if plan.expires_in is not None:
                seconds = at(told, plan.expires_in)
        try:
            if seconds is not None:
                return now + timedelta(seconds=float(cast("Any", seconds)))
        except (TypeError, ValueError, OverflowError):
            pass  # a life that is no number is no word on it
        if plan.lifetime is not None:
            return now + plan.lifetime
        return now + TOKEN_LIFE_WITHOUT_WORD if self._store is not None else None


class _Signature:
    """HMAC over parts of each request."""

    def __init__(self, plan: Signed, names: Names, clock: Clock) -> None:
        self._plan = plan
        self._names = names
        self._clock = clock

    def __call__(self, method: str, url: httpx.URL, body: bytes) -> Mapping[str, str]:
        plan = self._plan
        names: dict[str, object] = {
            **self._names,
            "timestamp": write(self._clock.now(), plan.timestamp),
            "method": method,
            "path": url.path,
            "query": url.query.decode("ascii"),
            "body": body.decode("utf-8", "replace"),
            "body_hash": hashlib.sha256(body).hexdigest(),
        }
        message = fill_text(plan.message, names) or ""
        made = hmac.new(_needed(plan.key, self._names).encode(), message.encode(), plan.digest)
        signature = made.hexdigest() if plan.encoding == "hex" else base64.b64encode(made.digest()).decode()
        sent = {**names, "signature": signature}
        return {name: fill_text(text, sent) or "" for name, text in plan.headers.items()}


def _texts(given: object) -> dict[str, str]:
    if given is ABSENT:
        return {}
    return {name: str(part) for name, part in cast("Mapping[str, object]", given).items()}


def _as_text(value: object) -> str:
    return msgspec.json.encode(value).decode() if not isinstance(value, str) else value
