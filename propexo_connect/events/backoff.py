"""When a delivery that failed is tried again, and when it is given up."""

from collections.abc import Callable
from datetime import datetime, timedelta
from random import SystemRandom

STEPS = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=12),
    timedelta(hours=12),
    timedelta(hours=12),
    timedelta(hours=12),
    timedelta(hours=6, minutes=25),
)
"""The wait after each failed attempt; together three days. The attempt after the last one is the last.

Attempts count, not days: time in which nothing was delivered at all, or an endpoint was paused, uses none up.
"""

LONGEST_ASKED = timedelta(days=1)
"""The longest Retry-After that is obeyed; a receiver that asks for a year would lose everything."""

_SPREAD = 0.1
"""How much of a wait is left to chance, either way: endpoints that failed together do not return together."""

Chance = Callable[[], float]
"""A number from 0 to 1, by chance; tests pass a constant."""

by_chance: Chance = SystemRandom().random


def next_try(
    attempts: int, now: datetime, asked_s: float | None, chance: Chance = by_chance
) -> datetime | None:
    """When a delivery is due again after so many failed attempts; None: never, it is dead.

    Args:
        asked_s: what the receiver asked for by Retry-After; nothing comes sooner than that.
    """
    if attempts > len(STEPS):
        return None
    step = STEPS[attempts - 1] * (1 + _SPREAD * (2 * chance() - 1))
    asked = timedelta(seconds=min(asked_s or 0.0, LONGEST_ASKED.total_seconds()))
    return now + max(step, asked)
