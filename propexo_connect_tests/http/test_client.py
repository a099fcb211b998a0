"""The client: statuses, repetition, renewal, redirects, and what it never does."""

import threading
from collections.abc import Callable
from datetime import timedelta
from email.utils import format_datetime

import httpx
import pytest

from propexo_connect.http.auth import BearerLogin, Token, TokenRefused
from propexo_connect.http.client import Answer, Call, HttpClient
from propexo_connect.http.context import Context
from propexo_connect.http.envelope import Envelope
from propexo_connect.http.limits import Limits
from propexo_connect.model.errors import (
    ConfigurationError,
    ConnectError,
    CredentialsRefused,
    PermissionRefused,
    RateLimited,
    Stalled,
    TerminalError,
    UnknownName,
    Unreachable,
    VendorFault,
)
from propexo_connect_tests.http.doubles import (
    BASE,
    CANARY,
    NOON,
    Bytes,
    RawServer,
    Reaction,
    Sync,
    Vendor,
    client,
    everything_said,
    http,
    raw_server,
)

RECORDS = Call(path="/records")
OK = httpx.Response(200, content=b'{"data":[]}')


def body(answer: Answer) -> bytes:
    return answer.body


def status(code: int, **headers: str) -> httpx.Response:
    return httpx.Response(code, headers={name.replace("_", "-"): value for name, value in headers.items()})


def call(*reactions: Reaction, sync: Sync | None = None, request: Call = RECORDS) -> tuple[bytes, Vendor]:
    vendor = Vendor(*reactions)
    sync = sync or Sync()
    return client(vendor, sync).call(request, body, sync.context), vendor


# the request


def test_a_path_and_a_query_go_below_the_base_address() -> None:
    _, vendor = call(OK, request=Call(path="/records", query=(("after", "a b&c"), ("limit", "5"))))
    assert str(vendor.requests[0].url) == f"{BASE}/records?after=a+b%26c&limit=5"


def test_an_answer_knows_when_it_arrived() -> None:
    sync = Sync()

    def slow(_: httpx.Request) -> httpx.Response:
        sync.clock.advance(3)
        return httpx.Response(200)

    found = client(Vendor(slow), sync).call(RECORDS, lambda answer: answer, sync.context)
    assert found.read_at == NOON + timedelta(seconds=3)
    assert found.where == "GET api.example.com/v2/records"


def test_requests_retries_and_bytes_are_counted() -> None:
    sync = Sync()
    call(status(503), OK, sync=sync)
    cost = sync.context.meter.cost
    assert (cost.request_count, cost.retry_count, cost.bytes_read) == (2, 1, len(OK.content))


@pytest.mark.parametrize(
    "address",
    [
        "api.example.com",
        "ftp://api.example.com",
        "https://",
        "https://user:password@api.example.com",
        "https://api.example.com/?key=1",
        "http://api.example.com",
        "https://api.example.com:port",
        "",
    ],
)
def test_an_address_that_cannot_be_used_is_refused_at_once(address: str) -> None:
    with pytest.raises(ConfigurationError, match="'url'"):
        HttpClient(address, clock=Sync().clock)


# what a status means


@pytest.mark.parametrize("code", [408, 425, 429, 500, 502, 503, 504, 533])
def test_a_passing_status_is_repeated(code: int) -> None:
    found, vendor = call(status(code), OK)
    assert found == OK.content
    assert len(vendor.requests) == 2


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        (400, TerminalError),
        (401, CredentialsRefused),
        (403, PermissionRefused),
        (404, UnknownName),
        (409, TerminalError),
        (410, UnknownName),
        (422, TerminalError),
    ],
)
def test_a_lasting_status_is_not_repeated(code: int, meaning: type[ConnectError]) -> None:
    vendor, sync = Vendor(status(code)), Sync()
    with pytest.raises(meaning, match=f"^GET api.example.com/v2/records: answered {code}"):
        client(vendor, sync).call(RECORDS, body, sync.context)
    assert len(vendor.requests) == 1


def test_a_status_that_the_vendor_declares_passing_is_repeated() -> None:
    vendor, sync = Vendor(status(470), OK), Sync()
    declared = HttpClient(BASE, clock=sync.clock, transport=vendor, retry_statuses=frozenset({470}))
    assert declared.call(RECORDS, body, sync.context) == OK.content


@pytest.mark.parametrize(
    "error", [httpx.ConnectError("x"), httpx.ReadTimeout("x"), httpx.RemoteProtocolError("x")]
)
def test_a_broken_connection_is_repeated(error: Exception) -> None:
    assert call(error, OK)[0] == OK.content


def test_a_broken_body_is_repeated() -> None:
    """The break happens while the body is read, not while the request is sent."""

    def cut(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-length": "11"}, stream=Bytes([b'{"data"']))

    assert call(cut, OK)[0] == OK.content


def test_content_that_cannot_be_used_is_repeated() -> None:
    sync = Sync()
    vendor = Vendor(httpx.Response(200, content=b"<html>Maintenance</html>"), OK)
    envelope = Envelope(("data",))
    found = client(vendor, sync).call(RECORDS, lambda answer: envelope.open(answer.body), sync.context)
    assert found.records == b"[]"


def test_the_deadline_holds_for_a_body_that_drips() -> None:
    sync = Sync()

    def drip(_: httpx.Request) -> httpx.Response:
        def chunks() -> object:
            for _ in range(100):
                sync.clock.advance(1)
                yield b"x"

        return httpx.Response(200, stream=Bytes(chunks()))  # type: ignore[arg-type]

    vendor = Vendor(drip)
    impatient = client(vendor, sync, Limits(deadline=timedelta(seconds=5)))
    with pytest.raises(Unreachable, match="no whole answer within 5 s"):
        impatient.call(RECORDS, body, sync.context)
    assert len(vendor.requests) == 4


# waiting


@pytest.mark.parametrize("header", ["30", format_datetime(NOON + timedelta(seconds=30), usegmt=True)])
def test_retry_after_is_waited_out(header: str) -> None:
    sync = Sync()
    call(status(429, retry_after=header), OK, sync=sync)
    assert 30 <= sync.waited_s <= 31


@pytest.mark.parametrize("code", [429, 503])
def test_a_retry_after_of_a_day_ends_the_read_as_rate_limited(code: int) -> None:
    sync = Sync()
    with pytest.raises(RateLimited, match="pause of 86400 s") as caught:
        call(status(code, retry_after="86400"), OK, sync=sync)
    assert sync.waited_s == 0
    assert caught.value.retry_after_s == 86_400


def test_a_storm_that_does_not_end_is_rate_limited() -> None:
    with pytest.raises(RateLimited, match="answered 429"):
        call(status(429))


def test_one_thread_that_is_asked_to_wait_makes_all_wait() -> None:
    vendor, sync = Vendor(status(429, retry_after="40"), OK), Sync()
    shared = client(vendor, sync)
    once = Sync(sync.clock)
    asked = threading.Event()

    def stop_waiting(_: str) -> None:
        asked.set()
        first.stop.set()

    first = type(sync.context)(sync.clock, sync.context.retry, stop_waiting)
    with pytest.raises(Stalled):
        shared.call(RECORDS, body, first)
    assert asked.is_set()
    shared.call(RECORDS, body, once.context)
    assert once.waited_s == pytest.approx(40, abs=0.3)  # pyright: ignore[reportUnknownMemberType]


def test_after_a_long_pause_was_asked_for_nobody_sends() -> None:
    vendor, sync = Vendor(status(429, retry_after="3600"), OK), Sync()
    shared = client(vendor, sync)
    for _ in range(3):
        with pytest.raises(RateLimited):
            shared.call(RECORDS, body, sync.context)
    assert len(vendor.requests) == 1


def test_a_cancelled_sync_sends_nothing() -> None:
    vendor, sync = Vendor(OK), Sync()
    sync.context.stop.set()
    with pytest.raises(Stalled):
        client(vendor, sync).call(RECORDS, body, sync.context)
    assert vendor.requests == []


# who we are


class TokenDesk:
    """An API that takes the tokens it has not revoked."""

    def __init__(self) -> None:
        self.sync = Sync()
        self.issued = 0
        self.good: set[str] = set()
        self.refuses = False
        self.bearers: list[str] = []
        self.vendor = Vendor(self.answer)
        self.refusal: Callable[[], httpx.Response] = lambda: httpx.Response(401)
        self.client = HttpClient(
            BASE, clock=self.sync.clock, transport=self.vendor, auth=BearerLogin(self.log_in, self.sync.clock)
        )

    def log_in(self, _: Context) -> Token:
        self.issued += 1
        name = f"token-{self.issued}"
        if not self.refuses:
            self.good.add(name)
        return Token(name)

    def answer(self, request: httpx.Request) -> httpx.Response:
        bearer = request.headers["authorization"].removeprefix("Bearer ")
        self.bearers.append(bearer)
        return httpx.Response(200, content=b"{}") if bearer in self.good else self.refusal()

    def read(self) -> bytes:
        return self.client.call(RECORDS, body, self.sync.context)


@pytest.mark.parametrize("code", [401, 403])
def test_a_refused_token_is_renewed_and_the_request_repeated(code: int) -> None:
    desk = TokenDesk()
    desk.refusal = lambda: httpx.Response(code)
    desk.read()
    desk.good.clear()
    desk.read()
    assert desk.bearers == ["token-1", "token-1", "token-2"]
    assert desk.sync.lines == ["GET api.example.com/v2/records: the token is refused; logging in again"]


def test_a_token_refused_in_the_content_is_renewed_too() -> None:
    desk = TokenDesk()
    refused = True

    def read(answer: Answer) -> bytes:
        nonlocal refused
        if refused:
            refused = False
            raise TokenRefused(CredentialsRefused("refused"))
        return answer.body

    assert desk.client.call(RECORDS, read, desk.sync.context) == b"{}"
    assert desk.bearers == ["token-1", "token-2"]


@pytest.mark.parametrize(("code", "meaning"), [(401, CredentialsRefused), (403, PermissionRefused)])
def test_a_renewed_token_that_is_refused_ends_it(code: int, meaning: type[ConnectError]) -> None:
    desk = TokenDesk()
    desk.refuses = True
    desk.refusal = lambda: httpx.Response(code)
    with pytest.raises(meaning):
        desk.read()
    assert desk.bearers == ["token-1", "token-2"]


def test_a_token_that_ends_while_a_request_waits_is_renewed_for_the_next_attempt() -> None:
    desk = TokenDesk()
    desk.read()
    answers = [httpx.Response(503, headers={"Retry-After": "60"})]
    truth = desk.answer

    def once_busy(request: httpx.Request) -> httpx.Response:
        if answers:
            desk.good.clear()
            return answers.pop()
        return truth(request)

    desk.vendor = Vendor(once_busy)
    desk.client = HttpClient(
        BASE, clock=desk.sync.clock, transport=desk.vendor, auth=BearerLogin(desk.log_in, desk.sync.clock)
    )
    assert desk.read() == b"{}"
    assert desk.issued == 3


def test_a_public_request_carries_no_credentials() -> None:
    desk = TokenDesk()
    desk.vendor = Vendor(OK)
    public = HttpClient(
        BASE, clock=desk.sync.clock, transport=desk.vendor, auth=BearerLogin(desk.log_in, desk.sync.clock)
    )
    public.call(Call("POST", "/login", is_public=True), body, desk.sync.context)
    assert "authorization" not in desk.vendor.requests[0].headers
    assert desk.issued == 0


def test_two_clients_share_no_credentials() -> None:
    """Two connections in one process: each vendor sees only its own token."""
    one, other = TokenDesk(), TokenDesk()
    other.issued = 100
    one.read()
    other.read()
    one.read()
    assert one.bearers == ["token-1", "token-1"]
    assert other.bearers == ["token-101"]


# elsewhere


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308, 304])
def test_a_redirect_is_a_failure(code: int) -> None:
    vendor, sync = Vendor(status(code, location=f"{BASE}/elsewhere")), Sync()
    with pytest.raises(ConfigurationError, match=f"answered {code}, a redirect"):
        client(vendor, sync).call(RECORDS, body, sync.context)
    assert len(vendor.requests) == 1


@pytest.mark.parametrize("location", [f"{BASE}/moved", "/v2/moved", "moved"])
def test_a_redirect_within_the_origin_is_followed_when_the_call_allows_it(location: str) -> None:
    _, vendor = call(status(302, location=location), OK, request=Call(path="/records", redirects=1))
    assert [request.url.path for request in vendor.requests] == ["/v2/records", "/v2/moved"]


def test_no_more_redirects_are_followed_than_allowed() -> None:
    vendor, sync = Vendor(status(302, location="/v2/again")), Sync()
    with pytest.raises(ConfigurationError, match="a redirect"):
        client(vendor, sync).call(Call(path="/records", redirects=3), body, sync.context)
    assert len(vendor.requests) == 4


ELSEWHERE = [
    "https://evil.example.com/records",
    "https://api.example.com.evil.test/records",
    "https://api.example.com@evil.test/records",
    "https://api.example.com:8443/records",
    "http://api.example.com/v2/records",
    "http://api.example.com:443/v2/records",
    "//evil.example.com/records",
    "https://user:password@api.example.com/v2/records",
    "file:///etc/passwd",
    "https://api.example.com\\@evil.test/",
    "https://api.example.com/v2/\r\nHost: evil",
]


@pytest.mark.parametrize("location", ELSEWHERE)
def test_a_redirect_to_another_place_is_never_followed(location: str) -> None:
    reaction = httpx.Response(302, headers=[(b"location", location.encode())])
    desk = TokenDesk()
    vendor = Vendor(reaction)
    guarded = HttpClient(
        BASE, clock=desk.sync.clock, transport=vendor, auth=BearerLogin(desk.log_in, desk.sync.clock)
    )
    with pytest.raises(TerminalError, match=r"leads away from api\.example\.com"):
        guarded.call(Call(path="/records", redirects=5), body, desk.sync.context)
    assert len(vendor.requests) == 1


@pytest.mark.parametrize("link", ELSEWHERE)
def test_a_link_to_another_place_is_never_asked(link: str) -> None:
    vendor, sync = Vendor(OK), Sync()
    with pytest.raises(TerminalError, match=r"leads away from api\.example\.com"):
        client(vendor, sync).call(Call(path=link), body, sync.context)
    assert vendor.requests == []


@pytest.mark.parametrize(
    "link", [f"{BASE}/records?after=5", "https://API.example.com:443/v2/records?after=5"]
)
def test_an_absolute_link_of_the_same_origin_is_asked(link: str) -> None:
    _, vendor = call(OK, request=Call(path=link))
    assert vendor.requests[0].url.query == b"after=5"


def test_credentials_never_reach_the_host_of_a_redirect() -> None:
    with raw_server(http(b"ok")) as other:
        moved = http(b"", f"Location: {other.url}/steal".encode(), status=b"302 Found")
        with raw_server(moved) as vendor:
            desk = TokenDesk()
            with (
                HttpClient(
                    vendor.url,
                    clock=desk.sync.clock,
                    allow_private_addresses=True,
                    auth=BearerLogin(desk.log_in, desk.sync.clock),
                ) as guarded,
                pytest.raises(TerminalError),
            ):
                guarded.call(Call(path="/records", redirects=5), body, desk.sync.context)
            assert b"Bearer token-1" in vendor.received[0]
        assert other.connection_count == 0


def test_a_private_address_is_refused_unless_allowed() -> None:
    sync = Sync()
    with (
        HttpClient("https://127.0.0.1:9", clock=sync.clock) as guarded,
        pytest.raises(ConfigurationError, match="is private"),
    ):
        guarded.call(RECORDS, body, sync.context)


# what is said


SECRET_CALL = Call(
    "POST",
    "/records",
    query=(("api_key", CANARY),),
    body=f'{{"password":"{CANARY}"}}'.encode(),
    headers={"X-Api-Key": CANARY},
)
ECHO = f'{{"error":"no access for {CANARY}", "sent":{{"password":"{CANARY}"}}}}'.encode()


def refusing(code: int) -> httpx.Response:
    return httpx.Response(code, content=ECHO, headers={"Location": f"https://evil.test/?key={CANARY}"})


def unread(**headers: str) -> Reaction:
    """The echo with a head that does not fit it, as it would come from the wire."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: httpx.Response(200, headers=named, stream=Bytes([ECHO]))


FAILURES: list[Reaction] = [
    *(refusing(code) for code in (302, 400, 401, 403, 404, 408, 422, 429, 500, 503)),
    httpx.Response(429, content=ECHO, headers={"Retry-After": CANARY}),
    httpx.Response(200, content=ECHO),
    httpx.Response(200, content=f"<html>{CANARY}</html>".encode()),
    httpx.Response(200, content=ECHO[:-3]),
    httpx.Response(200, content=CANARY.encode() + b"\xff"),
    unread(content_encoding="gzip"),
    unread(content_encoding=CANARY),
    unread(content_length="3"),
    httpx.ConnectError(f"cannot connect to https://x/?api_key={CANARY}"),
    httpx.ReadError(f"broken at {CANARY}"),
]


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("quotes", [False, True])
def test_no_failure_tells_a_secret(failure: Reaction, quotes: bool) -> None:
    """Neither what we send nor what comes back is told, in errors, their causes, or the log."""
    sync = Sync()
    envelope = Envelope(("data",))
    told = HttpClient(
        BASE,
        clock=sync.clock,
        transport=Vendor(failure),
        auth=BearerLogin(lambda _: Token(CANARY), sync.clock),
        quotes_answers=quotes,
    )
    with pytest.raises(ConnectError) as caught:
        told.call(SECRET_CALL, lambda answer: envelope.open(answer.body), sync.context)
    said = everything_said(caught.value) + "\n".join(sync.lines)
    assert CANARY[:8] not in said
    assert "POST api.example.com/v2/records" in said
    assert "?" not in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        CANARY.encode() + b"\r\n\r\n" + RawServer.CLOSE,
        http(ECHO)[:-5] + RawServer.CLOSE,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n" + ECHO + RawServer.CLOSE,
    ],
)
def test_no_broken_connection_tells_a_secret(answer: bytes | None) -> None:
    sync = Sync()
    with (
        raw_server(answer) as server,
        HttpClient(server.url, clock=sync.clock, allow_private_addresses=True) as told,
        pytest.raises(ConnectError) as caught,
    ):
        told.call(SECRET_CALL, body, sync.context)
    assert CANARY[:8] not in everything_said(caught.value) + "\n".join(sync.lines)


def test_a_refusal_is_quoted_only_when_the_connector_asks() -> None:
    refusal = httpx.Response(422, content=b'{"error":"the field dueBy is unknown"}')
    for quotes in (False, True):
        sync = Sync()
        told = HttpClient(BASE, clock=sync.clock, transport=Vendor(refusal), quotes_answers=quotes)
        with pytest.raises(TerminalError) as caught:
            told.call(RECORDS, body, sync.context)
        assert ("the field dueBy is unknown" in str(caught.value)) is quotes


def test_the_objects_of_the_client_do_not_show_what_they_carry() -> None:
    assert CANARY not in repr(Call(body=CANARY.encode(), headers={"X-Api-Key": CANARY}))
    assert CANARY not in repr(
        Answer(200, httpx.Headers({"Set-Cookie": CANARY}), CANARY.encode(), NOON, "GET x")
    )


def test_a_fault_names_the_request_once() -> None:
    with pytest.raises(VendorFault) as caught:
        call(status(500))
    assert str(caught.value) == "GET api.example.com/v2/records: answered 500."
