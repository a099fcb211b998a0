"""A secret of each kind, sent through every way to fail, is seen nowhere but in the request."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from propexo_connect.http.plan import (
    ApiStream,
    Basic,
    Bearer,
    Between,
    Fault,
    Headers,
    Links,
    Login,
    OAuth,
    Offsets,
    Query,
    Signed,
)
from propexo_connect.model.errors import ConnectError
from propexo_connect.model.tile import Request
from propexo_connect_tests.connectors.api.bench import answered, bench, rows
from propexo_connect_tests.http.doubles import CANARY, NOON, everything_said

KINDS: dict[str, Any] = {
    "headers": Headers({"X-Api-Key": "{api_key}"}),
    "basic": Basic("{user}", "{api_key}"),
    "bearer": Bearer("{api_key}"),
    "custom word": Bearer("{api_key}", scheme="KISI-LOGIN"),
    "query": Query({"key": "{api_key}"}),
    "login": Login("/login", "token", body={"password": "{api_key}"}),
    "graphql login": Login("/login", "login.token", query="mutation { login }", variables={"p": "{api_key}"}),
    "oauth": OAuth("https://auth.example.com/token", "{user}", "{api_key}"),
    "oauth by basic": OAuth("https://auth.example.com/token", "{user}", "{api_key}", style="basic"),
    "signed": Signed("{api_key}"),
    "body": (),
    "parameter": (),
    "path": (),
}
STREAMS = {
    "body": ApiStream("things", "/things", "id", method="POST", body={"auth": {"key": "{api_key}"}}),
    "parameter": ApiStream("things", "/things", "id", params={"apiToken": "{api_key}"}),
    "path": ApiStream("things", "/{api_key}/things", "id"),
}


def echo(request: httpx.Request, status: int) -> httpx.Response:
    """A vendor that tells everything it was sent."""
    told = f"{request.url} {dict(request.headers)} {request.content!r} password={CANARY}"
    return answered({"error": told, "message": told, "errors": [{"message": told}], "data": None}, status)


def broken(kind: type[Exception]) -> Callable[[httpx.Request], httpx.Response]:
    def handler(request: httpx.Request) -> httpx.Response:
        raise kind(f"{request.url} {dict(request.headers)}")

    return handler


FAILURES: dict[str, Callable[[httpx.Request], httpx.Response]] = {
    **{
        str(status): lambda request, status=status: echo(request, status)
        for status in (301, 400, 401, 403, 404, 422, 429, 500, 503)
    },
    "200 with an error": lambda request: echo(request, 200),
    "html": lambda request: httpx.Response(200, content=f"<html>{request.url} {CANARY}</html>".encode()),
    "not json": lambda _: httpx.Response(200, content=f"{CANARY} is not JSON".encode()),
    "empty": lambda _: httpx.Response(200, content=b""),
    "a link away": lambda _: answered(
        {"data": rows(1), "next": f"https://evil.example.com/{CANARY}?key={CANARY}"}
    ),
    "no connection": broken(httpx.ConnectError),
    "cut": broken(httpx.ReadError),
    "odd gzip": lambda _: httpx.Response(
        200, headers={"Content-Encoding": "gzip"}, stream=httpx.ByteStream(CANARY.encode())
    ),
}


def logged_in(
    handler: Callable[[httpx.Request], httpx.Response],
) -> Callable[[httpx.Request], httpx.Response]:
    """The log-in succeeds with a token that is a secret, too; all else fails."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/token"):
            return answered({"access_token": CANARY[::-1], "expires_in": 3600})
        if request.url.path.endswith("/login"):
            token = {"token": CANARY[::-1]}
            return answered({"data": {"login": token}} if b"mutation" in request.content else token)
        return handler(request)

    return answer


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fails", ["everything", "all but the log-in"])
def test_a_secret_is_seen_nowhere_but_in_the_request(kind: str, failure: str, fails: str) -> None:
    handler = FAILURES[failure] if fails == "everything" else logged_in(FAILURES[failure])
    stream = STREAMS.get(kind) or ApiStream("things", "/things", "id", filter=Between("updated", "from"))
    faults = (Fault("stop", at="error", message="nowhere"),) if failure == "200 with an error" else ()
    with bench(
        handler,
        stream,
        auth=KINDS[kind],
        records="data",
        paging=Links("next"),
        faults=faults,
        settings={"prove_filters": True},
    ) as vendor:
        with pytest.raises(ConnectError) as caught:
            vendor.ids(request=Request(NOON, None))
        access = vendor.source.check(vendor.source.discover())
        said = (
            everything_said(caught.value) + "\n".join(vendor.sync.lines) + repr(vendor.source) + repr(access)
        )
        said += repr(vendor.config) + repr(vendor.api)
    for secret in (CANARY[:9], CANARY[-9:], CANARY[::-1][:9]):
        assert secret not in said


def test_a_secret_is_seen_nowhere_when_a_parent_fails() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        return answered(rows(1, 2)) if request.url.path == "/v2/a" else echo(request, 400)

    streams = (ApiStream("a", "/a", "id"), ApiStream("b", "/a/{parent.id}/b", "id", parent="a"))
    with bench(handler, *streams, auth=Bearer("{api_key}"), paging=Offsets(5, short_is_last=True)) as vendor:
        problems = [str(page.part.problem) for page in vendor.pages("b") if page.part]
    assert len(problems) == 2
    assert CANARY[:9] not in "".join(problems)
