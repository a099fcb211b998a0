"""The waits between attempts."""

from datetime import timedelta

from propexo_connect.events.backoff import STEPS, next_try
from propexo_connect_tests.http.doubles import NOON


def waits(chance: float) -> list[timedelta]:
    found: list[timedelta] = []
    attempts = 1
    while (at := next_try(attempts, NOON, None, lambda: chance)) is not None:
        found.append(at - NOON)
        attempts += 1
    return found


def test_the_waits_grow_and_last_three_days() -> None:
    assert waits(0.5)[:6] == [
        timedelta(seconds=5),
        timedelta(minutes=5),
        timedelta(minutes=30),
        timedelta(hours=2),
        timedelta(hours=5),
        timedelta(hours=10),
    ]
    assert abs(sum(waits(0.5), timedelta()) - timedelta(days=3)) < timedelta(minutes=1)
    assert max(STEPS) == timedelta(hours=12)


def test_chance_spreads_a_wait_by_a_tenth() -> None:
    assert waits(0)[1] == timedelta(minutes=4.5)
    assert waits(1)[1] == timedelta(minutes=5.5)


def test_what_the_receiver_asks_for_is_waited_out_and_shortens_nothing() -> None:
    assert next_try(1, NOON, 3600, lambda: 0.5) == NOON + timedelta(hours=1)
    assert next_try(2, NOON, 1, lambda: 0.5) == NOON + timedelta(minutes=5)


def test_a_receiver_cannot_ask_for_more_than_a_day() -> None:
    assert next_try(1, NOON, 1e9, lambda: 0.5) == NOON + timedelta(days=1)
