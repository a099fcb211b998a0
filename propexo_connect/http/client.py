"""The client that every HTTP connector reads through.

One attempt: pause, log in, send, read whole, judge status, judge content. What may pass by itself is
repeated; a refused token is renewed once per call. Errors name method, host and path, never query, headers or
body.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import quote

import httpx

from propexo_connect.http.auth import ASK_FOR_THE_RIGHT, CHECK_CREDENTIALS, Auth, TokenRefused
from propexo_connect.http.body import read_body
from propexo_connect.http.context import Context
from propexo_connect.http.limits import LIMITS, Deadline, Limits, Pause
from propexo_connect.http.origin import Origin
from propexo_connect.http.redact import quotable
from propexo_connect.http.retry import heed_stop, parse_retry_after, repeat, wait_out
from propexo_connect.http.throttle import Throttle
from propexo_connect.http.transport import DEADLINE, DirectTransport
from propexo_connect.model.clock import Clock
from propexo_connect.model.errors import (
    ConfigurationError,
    ConnectError,
    CredentialsRefused,
    PermissionRefused,
    RateLimited,
    RetryableError,
    TerminalError,
    UnknownName,
    Unreachable,
    VendorFault,
)

T = TypeVar("T")

_TRANSIENT = frozenset({408, 425})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class Call:
    """One request as a connector means it.

    Args:
        path: below the client's base address, or an absolute link of the same origin.
        is_public: sent without credentials, as a log-in is.
        redirects: how many redirects within the origin are followed (GET only); any other is a failure.
        encoded_query: further parameters, encoded as they are to be sent.
        judge: looks at every answer, whatever its status, before the status is judged. It raises what the
            answer means, or says whether it is to be taken as it is.
    """

    method: str = "GET"
    path: str = ""
    query: tuple[tuple[str, str], ...] = ()
    body: bytes | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    is_public: bool = False
    redirects: int = 0
    encoded_query: str = field(default="", repr=False)
    judge: "Callable[[Answer], bool] | None" = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer with a status of success; `read_at` is when it arrived, `where` names the request."""

    status: int
    headers: httpx.Headers = field(repr=False)
    body: bytes = field(repr=False)
    read_at: datetime
    where: str


class HttpClient:
    """A vendor's API at one origin; safe between threads, one per connection.

    Args:
        base_url: scheme, host, perhaps a port and a path; nothing else is ever spoken to.
        allow_private_addresses: also speak to loopback and private addresses, and there without encryption.
        secrets: what must not be quoted from an answer, besides the token.
        quotes_answers: whether messages carry up to 120 redacted characters of a refusal.
        retry_statuses: statuses beyond the usual ones that the vendor declares to be passing.
        throttle: keeps to the vendor's limits; shared by all clients of one credential.
        sign: headers that depend on the request: method, address, body.
        heed: looks at the headers of each answer; how many seconds to be silent because of them.

    Raises:
        ConfigurationError: the base address cannot be used.
    """

    def __init__(
        self,
        base_url: str,
        *,
        clock: Clock,
        allow_private_addresses: bool = False,
        auth: Auth | None = None,
        headers: Mapping[str, str] | None = None,
        secrets: tuple[str, ...] = (),
        quotes_answers: bool = False,
        retry_statuses: frozenset[int] = frozenset(),
        throttle: Throttle | None = None,
        sign: Callable[[str, httpx.URL, bytes], Mapping[str, str]] | None = None,
        heed: Callable[[httpx.Headers], float] | None = None,
        limits: Limits = LIMITS,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._origin = Origin(base_url, allow_http=allow_private_addresses)
        self._clock = clock
        self._auth = auth
        self._headers = {"Accept": "application/json", "Accept-Encoding": "gzip", **(headers or {})}
        self._secrets = secrets
        self._quotes_answers = quotes_answers
        self._retry_statuses = retry_statuses
        self._throttle = throttle
        self._sign = sign
        self._heed = heed
        self._limits = limits
        self._pause = Pause(clock)
        self._transport = transport or DirectTransport(
            clock=clock,
            allow_private_addresses=allow_private_addresses,
            connect_timeout=self._limits.connect,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections kept for later."""
        self._transport.close()

    def call(self, call: Call, read: Callable[[Answer], T], context: Context) -> T:
        """What `read` makes of the answer; both are repeated while their failure may pass by itself.

        Args:
            read: takes the answer apart; raises VendorFault for what cannot be used, TokenRefused for a
                token that is refused in the content.

        Raises:
            RetryableError: still failing after the last attempt; RateLimited when the vendor asks for more
                patience than the limits grant.
            TerminalError: refused for good; nothing was repeated.
        """
        url = self._origin.address(call.path)
        if call.query:
            url = url.copy_merge_params(list(call.query))
        if call.encoded_query:
            given = url.query.decode("ascii")
            url = url.copy_with(query=f"{given}&{call.encoded_query}".lstrip("&").encode("ascii"))
        where = self._where(call.method, url)
        renewed = False

        def attempt() -> T:
            nonlocal renewed
            while True:
                heed_stop(context)
                self._keep_pause(context)
                auth = None if call.is_public else self._auth
                credentials, generation = auth.headers(context) if auth else ({}, 0)
                try:
                    headers = {**self._headers, **call.headers, **credentials}
                    return read(self._in_turn(call, url, headers, where, context))
                except TokenRefused as refused:
                    final = refused.final
                if auth is None or renewed:
                    raise final
                renewed = True
                context.log(f"{where}: the token is refused; logging in again")
                auth.renew(generation, context)

        try:
            return repeat(attempt, context, where, self._limits.longest_retry_after)
        except ConnectError as error:
            error.at(where)
            raise

    def _where(self, method: str, url: httpx.URL) -> str:
        """A request as messages name it; a secret in its path is not told."""
        path = url.raw_path.partition(b"?")[0].decode("ascii", "replace")
        for secret in self._secrets:
            for spelling in (secret, quote(secret, safe="")):
                path = path.replace(spelling, "[removed]") if spelling else path
        return f"{method} {url.host}{path}"[:160]

    def quote(self, text: str) -> str:
        """A piece of an answer, fit for a message."""
        return quotable(text, (*self._secrets, *(self._auth.secrets() if self._auth else ())))

    def _keep_pause(self, context: Context) -> None:
        """Stay silent as long as the vendor asked any thread of this client to."""
        left_s = self._pause.left()
        if left_s > self._limits.longest_retry_after.total_seconds():
            raise RateLimited("the vendor asked for a long pause", retry_after_s=left_s)
        if left_s > 0:
            wait_out(left_s, context)

    def _in_turn(
        self, call: Call, url: httpx.URL, headers: Mapping[str, str], where: str, context: Context
    ) -> Answer:
        """Send when the vendor's limits allow it."""
        if self._sign is not None and not call.is_public:
            headers = {**headers, **self._sign(call.method, url, call.body or b"")}
        if self._throttle is None:
            return self._exchange(call, url, headers, where, context)
        with self._throttle.turn(url.path, context):
            try:
                answer = self._exchange(call, url, headers, where, context)
            except RateLimited:
                self._throttle.refused()
                raise
        self._throttle.accepted()
        return answer

    def _exchange(
        self, call: Call, url: httpx.URL, headers: Mapping[str, str], where: str, context: Context
    ) -> Answer:
        """Send once, following the redirects that the call allows."""
        deadline = Deadline(self._clock, self._limits.deadline)
        hops_left = call.redirects if call.method == "GET" else 0
        while True:
            request = httpx.Request(
                call.method, url, headers=headers, content=call.body, extensions={DEADLINE: deadline}
            )
            answer = self._send(request, deadline, where)
            if not hops_left or answer.status not in _REDIRECTS:
                break
            hops_left -= 1
            url = self._origin.redirect(url, answer.headers.get("location", ""))
        context.meter.add(requests=1, bytes_read=len(answer.body))
        if self._heed is not None and (silent_s := self._heed(answer.headers)):
            self._pause.ask(min(silent_s, self._limits.longest_retry_after.total_seconds()))
        is_taken = call.judge is not None and call.judge(answer)
        if not is_taken and not 200 <= answer.status < 300:
            self._refuse(answer)
        return answer

    def _send(self, request: httpx.Request, deadline: Deadline, where: str) -> Answer:
        failure: ConnectError
        try:
            response = self._transport.handle_request(request)
            try:
                if response.is_success:
                    body = read_body(response, deadline, self._limits)
                else:
                    body = b""
                    with suppress(ConnectError):  # the status says enough
                        body = read_body(response, deadline, self._limits)
                return Answer(response.status_code, response.headers, body, self._clock.now(), where)
            finally:
                response.close()
        except (httpx.TransportError, httpx.StreamError) as error:
            # another transport than ours; its errors carry the request with headers and query
            failure = Unreachable(f"no whole answer: {type(error).__name__}")
        raise failure

    def _refuse(self, answer: Answer) -> None:
        """Raise what an answer without success means."""
        status = answer.status
        found = f"answered {status}"
        if self._quotes_answers and answer.body:
            found = f'{found} "{self.quote(answer.body[:4096].decode("utf-8", "replace"))}"'
        if status in _REDIRECTS or status < 400:
            raise ConfigurationError(
                f"answered {status}, a redirect, where records were expected",
                remedy="Set the address it leads to, if that is the vendor's",
            )
        if status == 429 or status in _TRANSIENT | self._retry_statuses or status >= 500:
            raise self._transient(status, found, answer)
        if status == 401:
            raise TokenRefused(CredentialsRefused(found, remedy=CHECK_CREDENTIALS))
        if status == 403:
            raise TokenRefused(PermissionRefused(found, remedy=ASK_FOR_THE_RIGHT))
        if status in {404, 410}:
            raise UnknownName(found, remedy="The vendor has nothing at this address for this account")
        raise TerminalError(found, expected="an answer with records")

    def _transient(self, status: int, found: str, answer: Answer) -> RetryableError:
        asked = parse_retry_after(answer.headers.get("retry-after"), self._clock.now())
        is_too_long = asked is not None and asked > self._limits.longest_retry_after.total_seconds()
        if status != 429 and not is_too_long:
            return VendorFault(found, retry_after_s=asked)
        if asked:
            self._pause.ask(asked)
        remedy = (
            f"It asks for a pause of {asked:.0f} s; the next sync goes on from here" if is_too_long else ""
        )
        return RateLimited(found, retry_after_s=asked, remedy=remedy)
