"""One POST to one receiver: guarded, bounded in time and size, never redirected, never repeated here."""

from collections.abc import Mapping
from contextlib import closing, suppress
from datetime import timedelta
from typing import Self

import httpx

from propexo_connect.events.outcome import Outcome, failed, judged
from propexo_connect.http.body import read_body
from propexo_connect.http.limits import Deadline, Limits
from propexo_connect.http.origin import Origin
from propexo_connect.http.retry import parse_retry_after
from propexo_connect.http.transport import DEADLINE, DirectTransport
from propexo_connect.model.clock import Clock
from propexo_connect.model.errors import ConfigurationError, ConnectError, Unreachable

TIMEOUT = timedelta(seconds=15)
"""For a receiver to answer, connecting included."""

_LIMITS = Limits(deadline=TIMEOUT, connect=timedelta(seconds=5), max_body_bytes=64 * 1024)
_AGENT = "propexo-connect"


def address(url: str, *, allow_private_addresses: bool) -> httpx.URL:
    """A receiver's address; in contrast to a source's it may have a query, which is as secret as a password.

    Raises:
        ConfigurationError: not an absolute web address, unencrypted without leave, or with credentials.
    """
    try:
        given = httpx.URL(url)
        bare = str(given.copy_with(query=None))
    except (httpx.InvalidURL, ValueError):
        given, bare = httpx.URL(""), ""
    return Origin(bare, allow_http=allow_private_addresses).address("").copy_with(query=given.query or None)


class Posting:
    """The way to HTTP receivers; safe between threads. Connections are kept until it is closed.

    Args:
        transport: takes every request, in tests; by default one that knows which addresses are allowed.
    """

    def __init__(self, clock: Clock, transport: httpx.BaseTransport | None = None) -> None:
        self._clock = clock
        self._transports = {
            is_allowed: transport
            or DirectTransport(
                clock=clock, allow_private_addresses=is_allowed, connect_timeout=_LIMITS.connect
            )
            for is_allowed in (False, True)
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for transport in self._transports.values():
            transport.close()

    def post(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        *,
        allow_private_addresses: bool = False,
        timeout: timedelta = TIMEOUT,
    ) -> Outcome:
        """Send once and judge the answer's status; what the answer says is read away and forgotten."""
        deadline = Deadline(self._clock, timeout)
        try:
            request = httpx.Request(
                "POST",
                address(url, allow_private_addresses=allow_private_addresses),
                headers={"Content-Type": "application/json", "User-Agent": _AGENT, **headers},
                content=body,
                extensions={DEADLINE: deadline},
            )
            response = self._transports[allow_private_addresses].handle_request(request)
            with closing(response), suppress(ConnectError):
                # The status is the answer; the rest is read so that the connection can serve again.
                read_body(response, deadline, _LIMITS)
        except ConnectError as error:
            return failed(error)
        except (httpx.TransportError, httpx.StreamError) as error:
            # Another transport than ours; its errors carry the request with headers and query.
            return failed(Unreachable(f"no whole answer: {type(error).__name__}"))
        except UnicodeEncodeError:
            return failed(ConfigurationError("a header holds letters that no header can"))
        asked = parse_retry_after(response.headers.get("retry-after"), self._clock.now())
        return judged(response.status_code, asked)
