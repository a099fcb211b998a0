"""Access tokens that run out: after a time, after a number of requests, or when a test says so."""

import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from propexo_connect.model.clock import Clock


@dataclass(frozen=True, slots=True)
class Token:
    """One issued token."""

    value: str = field(repr=False)
    expires_at: datetime


class TokenIssuer:
    """Issues tokens and says whether one is still good; safe between threads.

    `lifetime` is told to the client as the expiry; `uses` is how many requests a token admits before it is
    refused without notice (None: no such limit).
    """

    def __init__(
        self, clock: Clock, *, lifetime: timedelta, uses: int | None = None, prefix: str = "token"
    ) -> None:
        self._clock = clock
        self._lifetime = lifetime
        self._uses = uses
        self._prefix = prefix
        self._admitted: dict[str, int] = {}
        self._tokens: dict[str, Token] = {}
        self._issued_count = 0
        self._lock = threading.Lock()

    @property
    def issued_count(self) -> int:
        """How many tokens were issued since the start."""
        return self._issued_count

    def issue(self) -> Token:
        """A new token; the ones before stay good until they run out."""
        with self._lock:
            self._issued_count += 1
            token = Token(f"{self._prefix}-{self._issued_count:04d}", self._clock.now() + self._lifetime)
            self._tokens[token.value] = token
            self._admitted[token.value] = 0
            return token

    def admits(self, value: str | None) -> bool:
        """Whether a request with this token passes; a pass counts as one use."""
        with self._lock:
            token = self._tokens.get(value) if value is not None else None
            if token is None or self._clock.now() >= token.expires_at:
                return False
            if self._uses is not None and self._admitted[token.value] >= self._uses:
                return False
            self._admitted[token.value] += 1
            return True

    def revoke_all(self) -> None:
        """Refuse every token issued so far, whatever its expiry said."""
        with self._lock:
            self._tokens.clear()


class RotatingRefresh:
    """Refresh tokens of which each is good once: whoever uses it gets the next one with an access token.

    `first` is the one that came with the consent; safe between threads.
    """

    def __init__(self, issuer: TokenIssuer, first: str) -> None:
        self._issuer = issuer
        self._newest = first
        self._count = 0
        self._lock = threading.Lock()

    @property
    def newest(self) -> str:
        """The only refresh token that is good now."""
        return self._newest

    def redeem(self, given: str | None) -> tuple[Token, str] | None:
        """An access token and the next refresh token; None for one that is unknown or used up."""
        with self._lock:
            if given != self._newest:
                return None
            self._count += 1
            self._newest = f"refresh-{self._count:04d}"
            return self._issuer.issue(), self._newest
