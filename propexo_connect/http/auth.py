"""Who we are to the vendor: headers for each request, renewed when they run out."""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from propexo_connect.http.context import Context
from propexo_connect.model.clock import Clock
from propexo_connect.model.errors import ConnectError, CredentialsRefused, PermissionRefused

RENEW_BEFORE = timedelta(minutes=5)
"""How long before its end a token is replaced; for short-lived ones at half their life."""


CHECK_CREDENTIALS = "Check the credentials of the connection"
ASK_FOR_THE_RIGHT = "Ask an administrator of the account for the right to read this"


class TokenRefused(Exception):
    """The vendor does not take the token of this request; `final` is raised if renewing it does not help.

    A signal between this room's modules: it never leaves the client.
    """

    def __init__(self, final: ConnectError) -> None:
        super().__init__()
        self.final = final


@dataclass(frozen=True, slots=True)
class Token:
    """What a log-in returned; `expires_at` None when the vendor does not say."""

    value: str = field(repr=False)
    expires_at: datetime | None = None


class Auth(Protocol):
    """One way to prove who we are; shared by all threads of a client.

    `generation` counts renewals: a request remembers the one it was sent with, so that several threads that
    are refused at once renew only once.
    """

    def headers(self, context: Context) -> tuple[Mapping[str, str], int]:
        """The headers to send now and their generation."""
        ...

    def renew(self, generation: int, context: Context) -> None:
        """Replace what was refused, unless somebody has done so since that generation."""
        ...

    def secrets(self) -> Iterable[str]:
        """What must never be quoted."""
        ...


class BearerLogin:
    """A bearer token from a log-in call, fetched when first needed and once for all threads.

    A refused log-in is final: it is remembered, so that other threads do not try it again and lock the
    account.

    Args:
        header, scheme: how the token is sent; an empty scheme sends it bare.
        idle: how long a token lasts without being used, None for as long as it lasts.
    """

    def __init__(
        self,
        log_in: Callable[[Context], Token],
        clock: Clock,
        *,
        renew_before: timedelta = RENEW_BEFORE,
        header: str = "Authorization",
        scheme: str = "Bearer",
        idle: timedelta | None = None,
    ) -> None:
        self._log_in = log_in
        self._clock = clock
        self._renew_before = renew_before
        self._header = header
        self._scheme = scheme
        self._idle = idle
        self._used_at: datetime | None = None
        self._lock = threading.Lock()
        self._generation = 0
        self._token: Token | None = None
        self._renew_at: datetime | None = None
        self._refusal: ConnectError | None = None

    def headers(self, context: Context) -> tuple[Mapping[str, str], int]:
        """`Authorization` with a token that lasts a while yet.

        Raises:
            CredentialsRefused, PermissionRefused: the log-in was refused, now or before.
        """
        with self._lock:
            token = self._token
            now = self._clock.now()
            if token is None or (self._renew_at is not None and now >= self._renew_at) or self._is_idle(now):
                token = self._fresh(context)
            self._used_at = self._clock.now()
            return {self._header: f"{self._scheme} {token.value}".lstrip()}, self._generation

    def renew(self, generation: int, context: Context) -> None:
        """Log in again, unless another thread has done so already."""
        with self._lock:
            if generation == self._generation:
                self._token = None
                self._fresh(context)

    def secrets(self) -> Iterable[str]:
        """The present token."""
        token = self._token
        return (token.value,) if token else ()

    def _is_idle(self, now: datetime) -> bool:
        """Whether the token was left unused for so long that it has died, or is about to."""
        if self._idle is None or self._used_at is None:
            return False
        return now - self._used_at >= self._idle - min(self._renew_before, self._idle / 4)

    def _fresh(self, context: Context) -> Token:
        if self._refusal is not None:
            raise type(self._refusal)(self._refusal.found, remedy=self._refusal.remedy)
        try:
            token = self._log_in(context)
        except (CredentialsRefused, PermissionRefused) as refusal:
            self._refusal = refusal
            raise
        now = self._clock.now()
        self._renew_at = None
        if token.expires_at is not None and token.expires_at > now:
            self._renew_at = token.expires_at - min(self._renew_before, (token.expires_at - now) / 2)
        self._token = token
        self._generation += 1
        return token
