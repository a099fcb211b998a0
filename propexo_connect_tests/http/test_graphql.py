"""GraphQL: errors with status 200."""

import json
from datetime import datetime

import httpx
import msgspec
import pytest

from propexo_connect.http.auth import BearerLogin, Token
from propexo_connect.http.client import HttpClient
from propexo_connect.http.envelope import Envelope, Opened
from propexo_connect.http.graphql import GraphQL
from propexo_connect.model.errors import (
    ConnectError,
    CredentialsRefused,
    PermissionRefused,
    RateLimited,
    TerminalError,
    VendorFault,
)
from propexo_connect_tests.http.doubles import BASE, CANARY, NOON, Reaction, Sync, Vendor, everything_said

ITEMS = Envelope(("items",))
GOOD = httpx.Response(200, content=b'{"data":{"items":[{"id":"1"}]}}')


def errors(*found: tuple[str, str | None], data: object = None) -> httpx.Response:
    told = [
        {"message": message, "path": ["items"], **({"extensions": {"code": code}} if code else {})}
        for message, code in found
    ]
    return httpx.Response(200, content=json.dumps({"data": data, "errors": told}).encode())


class Asked:
    """One query put to a scripted vendor."""

    def __init__(self, *reactions: Reaction) -> None:
        self.sync = Sync()
        self.vendor = Vendor(*reactions)
        self.login_count = 0
        self.client = HttpClient(
            BASE,
            clock=self.sync.clock,
            transport=self.vendor,
            auth=BearerLogin(self.log_in, self.sync.clock),
            quotes_answers=True,
        )
        self.graph = GraphQL(self.client, "/graphql")

    def log_in(self, _: object) -> Token:
        self.login_count += 1
        return Token(f"{CANARY}{self.login_count}")

    def records(self) -> bytes:
        def records(opened: Opened, read_at: datetime) -> bytes:
            assert read_at >= NOON
            return opened.records

        return self.graph.records("query Q { items }", {"first": 5}, ITEMS, records, self.sync.context)

    def login(self) -> object:
        return self.graph.value("mutation M", {}, dict[str, str], self.sync.context, is_log_in=True)


def test_query_and_variables_are_sent_as_json() -> None:
    asked = Asked(GOOD)
    assert asked.records() == b'[{"id":"1"}]'
    request = asked.vendor.requests[0]
    assert (request.method, str(request.url)) == ("POST", f"{BASE}/graphql")
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.content) == {"query": "query Q { items }", "variables": {"first": 5}}


@pytest.mark.parametrize(
    "refusal",
    [
        errors(("unauthenticated", "UNAUTHENTICATED"), ("Failed to fetch from subgraph", None)),
        errors(("Failed to fetch from subgraph", None), ("token is invalid", None)),
        errors(("Not authenticated", None)),
        errors(("401: Unauthorized", None)),
        errors(("you may not", "FORBIDDEN")),
    ],
)
def test_a_token_refused_in_the_errors_is_renewed_once(refusal: httpx.Response) -> None:
    asked = Asked(refusal, GOOD)
    assert asked.records() == b'[{"id":"1"}]'
    assert asked.login_count == 2


@pytest.mark.parametrize(
    ("code", "meaning"), [("UNAUTHENTICATED", CredentialsRefused), ("FORBIDDEN", PermissionRefused)]
)
def test_a_second_refusal_ends_it(code: str, meaning: type[ConnectError]) -> None:
    asked = Asked(errors(("no", code)))
    with pytest.raises(meaning):
        asked.records()
    assert len(asked.vendor.requests) == 2


@pytest.mark.parametrize(
    "trouble",
    [
        errors(("Internal server error", "INTERNAL_SERVER_ERROR")),
        errors(("something", None)),
        errors(("one record broke", None), data={"items": [{"id": "1"}]}),
        httpx.Response(200, content=b'{"data":null}'),
        httpx.Response(200, content=b"{}"),
        httpx.Response(200, content=b'{"data":{"items":null}}'),
        httpx.Response(200, content=b'{"errors":"all wrong"}'),
        httpx.Response(200, content=b'{"data":null,"errors":[]}'),
    ],
)
def test_trouble_of_the_vendor_is_repeated_and_never_taken_for_no_records(trouble: httpx.Response) -> None:
    assert Asked(trouble, GOOD).records() == b'[{"id":"1"}]'
    with pytest.raises(VendorFault):
        Asked(trouble).records()


def test_a_query_that_the_vendor_does_not_understand_is_terminal_and_says_why() -> None:
    asked = Asked(errors(('Cannot query field "dueBy" on type "Unit".', "GRAPHQL_VALIDATION_FAILED")))
    with pytest.raises(TerminalError, match='Cannot query field "dueBy" on type "Unit"'):
        asked.records()
    assert len(asked.vendor.requests) == 1


def test_a_request_to_slow_down_is_rate_limited() -> None:
    with pytest.raises(RateLimited):
        Asked(errors(("Rate limit exceeded", None))).records()


@pytest.mark.parametrize("message", ["invalid credentials", "no such user", "account locked", ""])
def test_an_error_at_login_is_a_refusal_and_is_not_repeated(message: str) -> None:
    asked = Asked(errors((message, None)))
    with pytest.raises(CredentialsRefused):
        asked.login()
    assert len(asked.vendor.requests) == 1


def test_trouble_of_the_vendor_at_login_is_repeated() -> None:
    asked = Asked(errors(("x", "INTERNAL_SERVER_ERROR")), httpx.Response(200, content=b'{"data":{"a":"b"}}'))
    assert asked.login() == {"a": "b"}


def test_a_value_of_another_shape_is_a_fault() -> None:
    class Wanted(msgspec.Struct):
        name: int

    asked = Asked(httpx.Response(200, content=b'{"data":{"name":"Elm Court"}}'))
    with pytest.raises(VendorFault, match="another shape") as caught:
        asked.graph.value("query", {}, Wanted, asked.sync.context)
    assert "Elm" not in str(caught.value)


def test_an_error_that_repeats_the_token_does_not_tell_it() -> None:
    asked = Asked(errors((f"token {CANARY}1 is not known here", "BAD_USER_INPUT")))
    with pytest.raises(TerminalError) as caught:
        asked.records()
    assert CANARY[:8] not in everything_said(caught.value) + "".join(asked.sync.lines)
