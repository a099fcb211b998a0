"""One request, repeated as long as its failure may pass by itself."""

from collections.abc import Callable
from datetime import timedelta
from email.utils import format_datetime

import pytest

from propexo_connect.http.retry import parse_retry_after, repeat
from propexo_connect.model.errors import (
    ConfigurationError,
    ConnectError,
    RateLimited,
    Stalled,
    Unreachable,
    VendorFault,
)
from propexo_connect.model.stream import RetryPolicy
from propexo_connect_tests.http.doubles import NOON, Sync

LONGEST = timedelta(minutes=10)


class Failing:
    """Fails so many times and then returns "done"."""

    def __init__(self, times: int, error: Callable[[], ConnectError]) -> None:
        self.times = times
        self.error = error
        self.attempts = 0

    def __call__(self) -> str:
        self.attempts += 1
        if self.attempts <= self.times:
            raise self.error()
        return "done"


def run(attempt: Callable[[], str], sync: Sync) -> str:
    return repeat(attempt, sync.context, "GET api.example.com/records", LONGEST)


@pytest.mark.parametrize("error", [Unreachable, VendorFault, RateLimited])
def test_what_may_pass_is_repeated(error: type[ConnectError]) -> None:
    sync = Sync()
    failing = Failing(3, lambda: error("it broke"))
    assert run(failing, sync) == "done"
    assert failing.attempts == 4
    assert sync.context.meter.cost.retry_count == 3


def test_after_the_last_attempt_the_failure_stands() -> None:
    sync = Sync()
    failing = Failing(9, lambda: VendorFault("it broke"))
    with pytest.raises(VendorFault, match="it broke"):
        run(failing, sync)
    assert failing.attempts == sync.context.retry.attempts == 4
    assert sync.context.meter.cost.retry_count == 3


def test_a_terminal_failure_is_not_repeated() -> None:
    failing = Failing(1, lambda: ConfigurationError("no such field"))
    with pytest.raises(ConfigurationError):
        run(failing, Sync())
    assert failing.attempts == 1


def test_each_repeated_attempt_is_one_line_of_the_log() -> None:
    sync = Sync()
    run(Failing(2, lambda: VendorFault("answered 503")), sync)
    first, second = sync.lines
    assert first.startswith("GET api.example.com/records: answered 503; again in ")
    assert first.endswith(" s (attempt 2 of 4)")
    assert second.endswith(" s (attempt 3 of 4)")


def test_waits_grow_exponentially_with_full_jitter() -> None:
    """Of many waits none exceeds its bound, and they are spread over all of it."""
    bounds = [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    policy = RetryPolicy(7, timedelta(seconds=1), timedelta(seconds=10))
    waits: list[list[float]] = [[] for _ in bounds]
    for _ in range(200):
        sync = Sync(patience=policy)
        marks: list[float] = []

        def attempt(sync: Sync = sync, marks: list[float] = marks) -> str:
            marks.append(sync.waited_s)
            raise Unreachable("cut")

        with pytest.raises(Unreachable):
            run(attempt, sync)
        for number in range(6):
            waits[number].append(marks[number + 1] - marks[number])
    for bound, found in zip(bounds, waits, strict=True):
        assert max(found) <= bound + 1e-6
        assert min(found) < 0.1 * bound
        assert max(found) > 0.9 * bound


@pytest.mark.parametrize("asked_s", [1.0, 30.0, 600.0])
def test_a_wait_that_the_vendor_asks_for_is_kept_and_not_multiplied(asked_s: float) -> None:
    sync = Sync()
    run(Failing(1, lambda: RateLimited("answered 429", retry_after_s=asked_s)), sync)
    assert asked_s <= sync.waited_s <= asked_s + 1.0


def test_a_server_error_may_ask_for_a_wait_too() -> None:
    sync = Sync()
    run(Failing(1, lambda: VendorFault("answered 503", retry_after_s=20)), sync)
    assert 20 <= sync.waited_s <= 21


def test_a_wait_of_nothing_is_waited_like_any_failure() -> None:
    sync = Sync()
    run(Failing(3, lambda: RateLimited("answered 429", retry_after_s=0)), sync)
    assert 0 < sync.waited_s <= 1 + 2 + 4


def test_a_wait_over_the_limit_ends_it_at_once() -> None:
    sync = Sync()
    failing = Failing(1, lambda: RateLimited("answered 429", retry_after_s=601))
    with pytest.raises(RateLimited) as caught:
        run(failing, sync)
    assert (failing.attempts, sync.waited_s, caught.value.retry_after_s) == (1, 0, 601)


def test_a_cancelled_sync_does_not_wait_to_the_end() -> None:
    sync = Sync()

    def attempt() -> str:
        sync.context.stop.set()
        raise RateLimited("answered 429", retry_after_s=500)

    with pytest.raises(Stalled, match="cancelled"):
        run(attempt, sync)
    assert sync.waited_s < 1


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        (" 7 ", 7),
        ("1.5", 1.5),
        ("0", 0),
        (format_datetime(NOON + timedelta(seconds=90), usegmt=True), 90),
        (format_datetime(NOON - timedelta(days=1), usegmt=True), 0),
        ("Mon, 02 Mar 2026 12:00:30 -0000", 30),
        ("86400", 86_400),
        ("9" * 400, 1e9),
        ("soon", None),
        ("-5", None),
        ("²", None),
        ("1e3", None),
        ("nan", None),
        ("Mon, 99 Foo 2026 99:99:99 GMT", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_in_every_form(header: str | None, seconds: float | None) -> None:
    assert parse_retry_after(header, NOON) == seconds
