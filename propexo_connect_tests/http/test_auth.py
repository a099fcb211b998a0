"""A bearer token from a log-in call."""

import threading
from datetime import timedelta

import pytest

from propexo_connect.http.auth import BearerLogin, Token
from propexo_connect.http.context import Context
from propexo_connect.model.errors import CredentialsRefused, VendorFault
from propexo_connect_tests.http.doubles import CANARY, NOON, Sync


class Desk:
    """Issues numbered tokens that live so long, or raises what is in its way."""

    def __init__(self, sync: Sync, lifetime: timedelta | None = timedelta(hours=1)) -> None:
        self.sync = sync
        self.lifetime = lifetime
        self.issued = 0
        self.asked = 0
        self.in_the_way: Exception | None = None

    def log_in(self, context: Context) -> Token:
        self.asked += 1
        if self.in_the_way:
            raise self.in_the_way
        self.issued += 1
        expires_at = None if self.lifetime is None else context.clock.now() + self.lifetime
        return Token(f"token-{self.issued}", expires_at)


def desk_and_login(lifetime: timedelta | None = timedelta(hours=1)) -> tuple[Desk, BearerLogin, Sync]:
    sync = Sync()
    desk = Desk(sync, lifetime)
    return desk, BearerLogin(desk.log_in, sync.clock), sync


def token(login: BearerLogin, sync: Sync) -> str:
    headers, _ = login.headers(sync.context)
    return headers["Authorization"].removeprefix("Bearer ")


def test_nobody_logs_in_before_the_first_request() -> None:
    desk, login, sync = desk_and_login()
    assert desk.asked == 0
    assert [token(login, sync), token(login, sync)] == ["token-1", "token-1"]
    assert desk.asked == 1


def test_a_token_is_renewed_five_minutes_before_its_end() -> None:
    _, login, sync = desk_and_login()
    token(login, sync)
    sync.clock.advance(54 * 60)
    assert token(login, sync) == "token-1"
    sync.clock.advance(60)
    assert token(login, sync) == "token-2"


def test_a_short_lived_token_is_renewed_at_half_its_life() -> None:
    desk, login, sync = desk_and_login(timedelta(minutes=4))
    token(login, sync)
    sync.clock.advance(119)
    assert token(login, sync) == "token-1"
    sync.clock.advance(1)
    assert token(login, sync) == "token-2"
    assert desk.asked == 2


@pytest.mark.parametrize("lifetime", [None, timedelta(0), timedelta(days=-1)])
def test_a_token_without_a_future_end_is_used_until_it_is_refused(lifetime: timedelta | None) -> None:
    _, login, sync = desk_and_login(lifetime)
    token(login, sync)
    sync.clock.advance(10**7)
    assert token(login, sync) == "token-1"


def test_threads_that_need_a_token_at_once_log_in_once() -> None:
    desk, login, sync = desk_and_login()
    gate = threading.Barrier(8)
    found: list[str] = []

    def ask() -> None:
        gate.wait()
        found.append(token(login, sync))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["token-1"] * 8
    assert desk.asked == 1


def test_threads_that_are_refused_at_once_renew_once() -> None:
    desk, login, sync = desk_and_login()
    _, generation = login.headers(sync.context)
    for _ in range(5):
        login.renew(generation, sync.context)
    assert desk.asked == 2
    assert token(login, sync) == "token-2"


def test_a_refused_login_is_final_for_every_thread() -> None:
    """Trying it again with each stream would lock the account."""
    desk, login, sync = desk_and_login()
    desk.in_the_way = CredentialsRefused("answered 401", remedy="Check the credentials.")
    for _ in range(3):
        with pytest.raises(CredentialsRefused, match=r"answered 401\. Check the credentials\."):
            token(login, sync)
    assert desk.asked == 1


def test_a_login_that_failed_for_the_moment_is_tried_again() -> None:
    desk, login, sync = desk_and_login()
    desk.in_the_way = VendorFault("answered 503")
    with pytest.raises(VendorFault):
        token(login, sync)
    desk.in_the_way = None
    assert token(login, sync) == "token-1"


def test_a_token_does_not_show_itself() -> None:
    assert CANARY not in repr(Token(CANARY, NOON))
