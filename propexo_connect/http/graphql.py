"""GraphQL over one address: errors come with status 200, and with an authority of their own.

    {"data": {…}, "errors": [{"message": "…", "extensions": {"code": "UNAUTHENTICATED"}}]}

An answer with errors is a failure as a whole, also where some data came with it: a page with holes
proves nothing.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from propexo_connect.http.auth import ASK_FOR_THE_RIGHT, CHECK_CREDENTIALS, TokenRefused
from propexo_connect.http.client import Answer, Call, HttpClient
from propexo_connect.http.context import Context
from propexo_connect.http.envelope import Envelope, Opened, decoded
from propexo_connect.model.errors import (
    CredentialsRefused,
    PermissionRefused,
    RateLimited,
    TerminalError,
    VendorFault,
)

T = TypeVar("T")

_UNAUTHENTICATED = re.compile(
    r"(?i)unauthenticated|not (?:authenticated|logged in)|unauthori[sz]ed|authentication (?:required|failed)"
    r"|(?:invalid|expired|missing) (?:\w+ )?token|token (?:\w+ ){0,3}(?:invalid|expired|revoked)"
)
_FORBIDDEN = re.compile(r"(?i)forbidden|permission|access denied|not allowed")
_SLOW_DOWN = re.compile(r"(?i)rate.?limit|too.?many.?requests|throttled")
_VENDOR_TROUBLE = re.compile(r"(?i)INTERNAL_SERVER_ERROR|DOWNSTREAM|timed? ?out|unavailable|internal error")
_OUR_FAULT = re.compile(
    r"(?i)GRAPHQL_(?:VALIDATION|PARSE)_FAILED|BAD_(?:USER_INPUT|REQUEST)|cannot query field"
)


class _Extensions(msgspec.Struct):
    code: str | int | None = None


class _Error(msgspec.Struct):
    message: str = ""
    extensions: _Extensions | None = None


class _Outcome(msgspec.Struct):
    data: msgspec.Raw = msgspec.Raw(b"null")
    errors: list[_Error] | None = None


_outcome: "msgspec.json.Decoder[_Outcome]" = msgspec.json.Decoder(_Outcome)


class GraphQL:
    """Queries through one client; safe between threads."""

    def __init__(self, client: HttpClient, path: str = "") -> None:
        self._client = client
        self._path = path

    def records(
        self,
        query: str,
        variables: Mapping[str, object],
        envelope: Envelope,
        make: Callable[[Opened, datetime], T],
        context: Context,
    ) -> T:
        """What `make` makes of the records that an envelope finds below `data`, and of when they arrived.

        `make` is part of the attempt: a VendorFault from it is repeated like any other.

        Raises:
            RetryableError, TerminalError: as the client, and for what the answer's errors say.
        """

        def read(answer: Answer) -> T:
            return make(envelope.open(self.below_data(answer, is_log_in=False)), answer.read_at)

        return self._client.call(self._call(query, variables, is_public=False), read, context)

    def value(
        self,
        query: str,
        variables: Mapping[str, object],
        shape: type[Any],
        context: Context,
        *,
        is_log_in: bool = False,
    ) -> Any:
        """What stands below `data`, as a small msgspec type.

        Args:
            is_log_in: send it without credentials, and take an error for their refusal unless the vendor
                says that it has trouble of its own; a refused log-in must never be repeated.
        """
        decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(shape)

        def read(answer: Answer) -> Any:
            return decoded(self.below_data(answer, is_log_in=is_log_in), decoder)

        return self._client.call(self._call(query, variables, is_public=is_log_in), read, context)

    def _call(self, query: str, variables: Mapping[str, object], *, is_public: bool) -> Call:
        return Call(
            "POST",
            self._path,
            body=msgspec.json.encode({"query": query, "variables": variables}),
            headers={"Content-Type": "application/json"},
            is_public=is_public,
        )

    def below_data(self, answer: Answer, *, is_log_in: bool = False) -> bytes:
        """The text below `data` of an answer without errors.

        Raises:
            ConnectError, TokenRefused: what the errors mean.
        """
        outcome: _Outcome = decoded(answer.body, _outcome)
        if outcome.errors:
            raise self._meaning(outcome.errors, is_log_in=is_log_in)
        text = bytes(outcome.data)
        if text == b"null":
            raise VendorFault("the answer has neither data nor errors", expected="data")
        return text

    def _meaning(self, errors: list[_Error], *, is_log_in: bool) -> Exception:
        """What the errors of an answer mean; a gateway may tell one fault twice, so all are looked at."""
        told = " ".join(
            f"{error.extensions.code if error.extensions else ''} {error.message}" for error in errors
        )
        found = f'answered with an error: "{self._client.quote(errors[0].message)}"'
        meaning: Exception = VendorFault(found, expected="data")
        if _SLOW_DOWN.search(told):
            meaning = RateLimited(found)
        elif _UNAUTHENTICATED.search(told) or (is_log_in and not _VENDOR_TROUBLE.search(told)):
            meaning = TokenRefused(CredentialsRefused(found, remedy=CHECK_CREDENTIALS))
        elif _FORBIDDEN.search(told):
            meaning = TokenRefused(PermissionRefused(found, remedy=ASK_FOR_THE_RIGHT))
        elif _OUR_FAULT.search(told):
            meaning = TerminalError(found, expected="data", remedy="The vendor's API may have changed")
        return meaning
