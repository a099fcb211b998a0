"""Every way to log in that vendors have, through the engine."""

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest

from propexo_connect.http.plan import (
    ApiStream,
    Basic,
    Bearer,
    Headers,
    Login,
    Lookup,
    OAuth,
    Query,
    Signed,
)
from propexo_connect.model.errors import ConfigurationError, CredentialsRefused, Unreachable, VendorFault
from propexo_connect_tests.connectors.api.bench import answered, bench, query, rows
from propexo_connect_tests.http.doubles import CANARY, NOON, ManualClock

OK = answered(rows(1))


def sent(auth: Any, **more: Any) -> httpx.Request:
    """The first request with a way to log in."""
    with bench(lambda _: OK, auth=auth, **more) as vendor:
        vendor.ids()
        return vendor.vendor.requests[0]


def test_several_static_headers_keep_their_letter_case() -> None:
    auth = Headers({"x-buildium-client-id": "{user}", "X-AppFolio-Developer-ID": "{api_key}"})
    raw = dict(sent(auth).headers.raw)
    assert raw[b"x-buildium-client-id"] == b"pat"
    assert raw[b"X-AppFolio-Developer-ID"] == CANARY.encode()


@pytest.mark.parametrize(
    ("auth", "pair"),
    [
        (Basic("{api_key}"), f"{CANARY}:"),
        (Basic("{user}", "{api_key}"), f"pat:{CANARY}"),
        (Basic("{user}/token", "{api_key}"), f"pat/token:{CANARY}"),
        (Basic("", "{api_key}"), f":{CANARY}"),
    ],
)
def test_basic_in_its_variants(auth: Basic, pair: str) -> None:
    assert sent(auth).headers["Authorization"] == f"Basic {base64.b64encode(pair.encode()).decode()}"


def test_basic_with_a_further_header() -> None:
    request = sent((Basic("{user}", "{api_key}"), Headers({"Xero-Tenant-Id": "{user}"})))
    assert request.headers["Authorization"].startswith("Basic ")
    assert request.headers["Xero-Tenant-Id"] == "pat"


def test_a_custom_word_before_the_key() -> None:
    assert sent(Bearer("{api_key}", scheme="KISI-LOGIN")).headers["Authorization"] == f"KISI-LOGIN {CANARY}"
    assert sent(Bearer("{api_key}")).headers["Authorization"] == f"Bearer {CANARY}"
    assert sent(Bearer("{api_key}", scheme="", header="X-ApiKey")).headers["X-ApiKey"] == CANARY


def test_a_key_in_the_query() -> None:
    assert query(sent(Query({"key": "{api_key}"})))["key"] == CANARY


def test_credentials_within_the_body() -> None:
    stream = ApiStream(
        "things",
        "/x",
        "id",
        method="POST",
        form={"ApiKey": "{api_key}", "AccountID": "{user}"},
    )
    with bench(lambda _: OK, stream) as vendor:
        vendor.ids()
        assert dict(parse_qsl(vendor.vendor.requests[0].content.decode())) == {
            "ApiKey": CANARY,
            "AccountID": "pat",
        }


class Door:
    """A vendor with a log-in: tokens t1, t2, …; those in `dead` are refused."""

    def __init__(
        self, answer: Callable[[int], httpx.Response], header: str = "Authorization", scheme: str = "Bearer "
    ) -> None:
        self.answer = answer
        self.header = header
        self.scheme = scheme
        self.issued = 0
        self.dead: set[str] = set()
        self.log_ins: list[httpx.Request] = []
        self.lock = threading.Lock()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith(("/login", "/token", "/graphql")) and b"things" not in request.content:
            with self.lock:
                self.issued += 1
                self.log_ins.append(request)
                return self.answer(self.issued)
        token = request.headers.get(self.header, "").removeprefix(self.scheme)
        if token in self.dead or not token.startswith("t"):
            return answered({"message": "no"}, 401)
        return OK


def test_a_login_that_returns_a_quoted_string_and_dies_when_idle() -> None:
    """Rent Manager: 15 minutes idle, 24 hours at the most."""
    door = Door(lambda number: httpx.Response(200, json=f"t{number}"), "X-RM12Api-ApiToken", "")
    auth = Login(
        "/login",
        token="",
        body={"Username": "{user}", "Password": "{api_key}"},
        header="X-RM12Api-ApiToken",
        scheme="",
        lifetime=timedelta(hours=24),
        idle=timedelta(minutes=15),
    )
    with bench(door, auth=auth) as vendor:
        vendor.ids()
        assert json.loads(door.log_ins[0].content) == {"Username": "pat", "Password": CANARY}
        for _ in range(8):
            vendor.sync.clock.advance(5 * 60)
            vendor.ids()
        assert door.issued == 1
        vendor.sync.clock.advance(16 * 60)
        vendor.ids()
        assert door.issued == 2


def test_a_refused_token_is_replaced_once() -> None:
    door = Door(lambda number: answered({"token": f"t{number}"}))
    with bench(door, auth=Login("/login", "token", body={})) as vendor:
        vendor.ids()
        door.dead.add("t1")
        assert vendor.ids() == [1]
        assert door.issued == 2
        door.dead |= {"t2", "t3", "t4"}
        with pytest.raises(CredentialsRefused):
            vendor.ids()
        assert door.issued == 3


def test_a_login_by_graphql_with_its_end_in_epoch_milliseconds_as_text() -> None:
    ends = str(int((NOON + timedelta(hours=1)).timestamp() * 1000))
    door = Door(lambda number: answered({"data": {"login": {"token": f"t{number}", "expiresAt": ends}}}))
    auth = Login(
        "/graphql",
        "login.token",
        query="mutation { login }",
        variables={"id": "{user}", "secret": "{api_key}"},
        expires_at="login.expiresAt",
        expires_written="epoch_ms",
    )
    with bench(door, auth=auth) as vendor:
        vendor.ids()
        assert json.loads(door.log_ins[0].content)["variables"] == {"id": "pat", "secret": CANARY}
        vendor.sync.clock.advance(50 * 60)
        vendor.ids()
        assert door.issued == 1
        vendor.sync.clock.advance(6 * 60)
        vendor.ids()
        assert door.issued == 2


def test_what_a_login_tells_besides_is_at_hand_in_templates() -> None:
    door = Door(lambda number: answered({"token": f"t{number}", "account": {"id": "42"}}))
    stream = ApiStream("things", "/accounts/{account}/things", "id")
    auth = Login("/login", "token", body={}, keeps={"account": "account.id"})
    with bench(door, stream, auth=auth) as vendor:
        vendor.ids()
        assert vendor.vendor.requests[-1].url.path == "/v2/accounts/42/things"


def oauth(**more: Any) -> OAuth:
    return OAuth("https://auth.example.com/token", "{user}", "{api_key}", **more)


def issued(number: int) -> httpx.Response:
    return answered({"access_token": f"t{number}", "expires_in": 3600})


@pytest.mark.parametrize("style", ["form", "basic", "json"])
def test_client_credentials_on_a_host_of_their_own(style: Any) -> None:
    door = Door(issued)
    with bench(door, auth=oauth(scope="open-api", style=style)) as vendor:
        vendor.ids()
        vendor.ids()
    (request,) = door.log_ins
    assert request.url.host == "auth.example.com"
    form = json.loads(request.content) if style == "json" else dict(parse_qsl(request.content.decode()))
    assert (form["grant_type"], form["scope"]) == ("client_credentials", "open-api")
    if style == "basic":
        assert request.headers["Authorization"].startswith("Basic ")
        assert "client_secret" not in form
    else:
        assert (form["client_id"], form["client_secret"]) == ("pat", CANARY)


@pytest.mark.parametrize("path", ["/oauth/token/", "/oauth/token?tenant=7", ""])
def test_a_tokens_address_is_followed_to_the_letter(path: str) -> None:
    """A slash at its end counts, and a query stays."""
    seen: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.host == "auth.example.com":
            seen.append(request.url.raw_path.decode())
            return issued(1)
        return OK

    with bench(handler, auth=OAuth(f"https://auth.example.com{path}", "{user}", "{api_key}")) as vendor:
        vendor.ids()
    assert seen == [path or "/"]


def test_a_tokens_address_without_encryption_is_refused() -> None:
    auth = OAuth("http://auth.example.com/token", "{user}", "{api_key}")
    with bench(lambda _: OK, auth=auth) as vendor, pytest.raises(ConfigurationError, match="not encrypted"):
        vendor.ids()
    assert vendor.vendor.requests == []


def test_a_fresh_token_is_not_used_before_it_has_settled() -> None:
    """Once: a stored or known token needs no waiting."""
    used: list[float] = []
    clock = ManualClock()

    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.host == "auth.example.com":
            return answered({"access_token": "t", "expires_in": 3600})
        used.append(clock.monotonic())
        return OK

    auth = oauth(settle=timedelta(seconds=2))
    with bench(handler, auth=auth, clock=clock) as vendor:
        vendor.ids()
        vendor.ids()
    assert used == [2.0, 2.0]


def test_the_password_grant() -> None:
    door = Door(issued)
    with bench(door, auth=oauth(grant="password", user="{user}", password="{api_key}")) as vendor:
        vendor.ids()
    form = dict(parse_qsl(door.log_ins[0].content.decode()))
    assert (form["grant_type"], form["username"], form["password"]) == ("password", "pat", CANARY)


def test_rationed_tokens_are_kept_for_the_syncs_to_come(tmp_path: Path) -> None:
    door = Door(issued)
    clock = ManualClock()
    for _ in range(3):
        with bench(door, auth=oauth(stored=True), state_dir=tmp_path, clock=clock) as vendor:
            vendor.ids()
    assert door.issued == 1
    clock.advance(3600)
    with bench(door, auth=oauth(stored=True), state_dir=tmp_path, clock=clock) as vendor:
        vendor.ids()
    assert door.issued == 2


def test_two_syncs_at_once_ask_for_one_token(tmp_path: Path) -> None:
    """Rationed tokens, and refresh tokens that die with their use, allow no race."""
    door = Door(issued)
    clock = ManualClock()
    start = threading.Barrier(4, timeout=5)

    def sync() -> None:
        with bench(door, auth=oauth(stored=True), state_dir=tmp_path, clock=clock) as vendor:
            start.wait()
            vendor.ids()

    threads = [threading.Thread(target=sync) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert door.issued == 1


def test_a_stored_token_that_is_refused_is_replaced(tmp_path: Path) -> None:
    door = Door(issued)
    with bench(door, auth=oauth(stored=True), state_dir=tmp_path) as vendor:
        vendor.ids()
    door.dead.add("t1")
    with bench(door, auth=oauth(stored=True), state_dir=tmp_path) as vendor:
        assert vendor.ids() == [1]
    assert door.issued == 2


def test_a_stored_token_that_is_damaged_is_replaced(tmp_path: Path) -> None:
    door = Door(issued)
    for _ in range(2):
        with bench(door, auth=oauth(stored=True), state_dir=tmp_path) as vendor:
            vendor.ids()
        (file,) = tmp_path.rglob("*.token")
        file.write_bytes(file.read_bytes()[:20])
    assert door.issued == 2


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text("a file where the folder should be")
    with (
        bench(Door(issued), auth=oauth(stored=True), state_dir=tmp_path) as vendor,
        pytest.raises(ConfigurationError, match="PROPEXO_STATE_DIR"),
    ):
        vendor.ids()


def test_stored_tokens_are_encrypted_and_readable_to_their_connection_only(tmp_path: Path) -> None:
    door = Door(lambda _: answered({"access_token": "t-very-visible", "expires_in": 3600}))
    with bench(door, auth=oauth(stored=True), state_dir=tmp_path) as vendor:
        vendor.ids()
    stored = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert b"t-very-visible" not in stored
    assert CANARY.encode() not in stored
    (file,) = tmp_path.rglob("*.token")
    assert file.stat().st_mode & 0o077 == 0
    with bench(
        door, auth=oauth(stored=True), state_dir=tmp_path, settings={"token_key": b"x" * 43 + b"="}
    ) as vendor:
        vendor.ids()
    assert door.issued == 2, "another key cannot read it, and logs in anew"


def test_a_rotating_refresh_token_is_stored_before_it_is_used(tmp_path: Path) -> None:
    """When the first request with the new token arrives, the next refresh token is already on the disk."""
    used: list[str] = []

    def answer(number: int) -> httpx.Response:
        used.append(dict(parse_qsl(door.log_ins[-1].content.decode()))["refresh_token"])
        return answered({"access_token": f"t{number}", "expires_in": 3600, "refresh_token": f"r{number}"})

    door = Door(answer)
    auth = oauth(grant="refresh_token", refresh_token="{user}", rotates=True)
    clock = ManualClock()

    def crashing(request: httpx.Request) -> httpx.Response:
        if request.url.host == "api.example.com":
            assert list(tmp_path.rglob("*.token")), "stored before the first use"
            raise httpx.ConnectError("down")
        return door(request)

    with (
        bench(crashing, auth=auth, state_dir=tmp_path, clock=clock) as vendor,
        pytest.raises(Unreachable),
    ):
        vendor.ids()
    clock.advance(3600)
    with bench(door, auth=auth, state_dir=tmp_path, clock=clock) as vendor:
        vendor.ids()
    assert used == ["pat", "r1"]


def test_a_rotating_refresh_token_without_a_place_to_keep_it_is_refused_beforehand() -> None:
    auth = oauth(grant="refresh_token", refresh_token="{user}", rotates=True)
    with pytest.raises(ConfigurationError, match="no place to keep it"), bench(lambda _: OK, auth=auth):
        pass


def test_a_refresh_token_that_stays_is_used_again() -> None:
    door = Door(issued)
    auth = oauth(grant="refresh_token", refresh_token="{user}")
    with bench(door, auth=auth) as vendor:
        vendor.ids()
    assert dict(parse_qsl(door.log_ins[0].content.decode()))["refresh_token"] == "pat"


def test_a_refused_login_is_final_and_asked_for_once() -> None:
    door = Door(lambda _: answered({"error": "invalid_client"}, 400))
    with bench(door, auth=oauth()) as vendor:
        for _ in range(3):
            with pytest.raises(CredentialsRefused):
                vendor.ids()
    assert door.issued == 1


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_refused_client_is_about_credentials_whatever_the_status(status: int) -> None:
    """DOOR answers 403 to a wrong client."""
    door = Door(lambda _: answered({"error": "unauthorized_client"}, status))
    auth = OAuth("https://auth.example.com/oauth/token", "{user}", "{api_key}")
    with bench(door, auth=auth) as vendor, pytest.raises(CredentialsRefused, match=f"answered {status}"):
        vendor.ids()


def test_a_login_without_a_token_in_its_answer_is_told() -> None:
    door = Door(lambda _: answered({"ok": True}))
    with (
        bench(door, auth=oauth()) as vendor,
        pytest.raises(VendorFault, match="without a token"),
    ):
        vendor.ids()


def test_each_request_is_signed() -> None:
    auth = Signed(
        "{api_key}",
        message="{timestamp}.{method}.{path}?{query}",
        headers={"X-Sig": "t={timestamp},v1={signature}"},
    )
    request = sent(auth, params={"kind": "a"})
    stamp = int(NOON.timestamp())
    expected = hmac.new(
        CANARY.encode(), f"{stamp}.GET./v2/things?kind=a".encode(), hashlib.sha256
    ).hexdigest()
    assert request.headers["X-Sig"] == f"t={stamp},v1={expected}"


def test_a_value_that_must_be_asked_for_first_is_asked_for_once() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        return answered({"resource": {"org": "o-1"}}) if request.url.path.endswith("/me") else OK

    stream = ApiStream("things", "/things", "id", params={"organization": "{org}"})
    with bench(handler, stream, lookups=(Lookup("org", "/users/me", "resource.org"),)) as vendor:
        vendor.ids()
        vendor.ids()
        assert [request.url.path for request in vendor.vendor.requests] == [
            "/v2/users/me",
            "/v2/things",
            "/v2/things",
        ]
        assert vendor.vendor.queries[-1] == {"organization": "o-1"}


def test_the_address_may_hold_settings() -> None:
    """Rent Manager has a host for each customer."""
    with bench(lambda _: OK, settings={"url": "https://{user}.api.example.com/v2"}) as vendor:
        vendor.ids()
        assert vendor.vendor.requests[0].url.host == "pat.api.example.com"


def test_a_setting_without_a_value_is_told_before_anything_is_sent() -> None:
    with (
        pytest.raises(ConfigurationError, match="needs a value"),
        bench(lambda _: OK, auth=Bearer("{page_size}")),
    ):
        pass
