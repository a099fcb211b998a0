"""One request repeated until it succeeds, as long as its failure may pass by itself (SEMANTICS §10)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential
from tenacity.wait import wait_random

from propexo_connect.http.context import Context
from propexo_connect.model.errors import RateLimited, RetryableError, Stalled, VendorFault
from propexo_connect.model.stream import RetryPolicy

T = TypeVar("T")

LONGEST_S = 1e9
"""Over thirty years; no Retry-After is taken for longer."""

SLICE_S = 0.25
"""How long a wait may leave a cancelled sync unnoticed."""


def repeat(attempt: Callable[[], T], context: Context, where: str, longest: timedelta) -> T:
    """What the first successful attempt returns; the last failure otherwise.

    Each repeated attempt is one line in the log and one count in the meter. A vendor's Retry-After is waited
    out in full, with jitter on top; one above `longest` is not waited for.

    Raises:
        ConnectError: what the last attempt raised.
        Stalled: the sync was cancelled meanwhile.
    """

    def announce(state: RetryCallState) -> None:
        context.meter.add(retries=1)
        error = state.outcome.exception() if state.outcome else None
        found = error.found if isinstance(error, RetryableError) else ""
        wait_s = state.upcoming_sleep
        number = state.attempt_number + 1
        context.log(
            f"{where}: {found}; again in {wait_s:.1f} s (attempt {number} of {context.retry.attempts})"
        )

    def is_worth_it(error: BaseException) -> bool:
        asked = asked_wait_s(error)
        return (
            isinstance(error, RetryableError)
            and not isinstance(error, Stalled)
            and (asked is None or asked <= longest.total_seconds())
        )

    return Retrying(
        retry=retry_if_exception(is_worth_it),
        stop=stop_after_attempt(context.retry.attempts),
        wait=_Wait(context.retry),
        before_sleep=announce,
        sleep=lambda seconds: wait_out(seconds, context),
        reraise=True,
    )(attempt)


def wait_out(seconds: float, context: Context) -> None:
    """Let time pass, as the clock counts it.

    Raises:
        Stalled: the sync was cancelled.
    """
    end = context.clock.monotonic() + seconds
    while (left := end - context.clock.monotonic()) > 0:
        heed_stop(context)
        slice_s = min(left, SLICE_S)
        context.clock.sleep(slice_s)
        context.meter.add(waited_s=slice_s)
    heed_stop(context)


def heed_stop(context: Context) -> None:
    """Go no further in a cancelled sync.

    Raises:
        Stalled: the sync was cancelled.
    """
    if context.stop.is_set():
        raise Stalled("reading was cancelled")


def asked_wait_s(error: BaseException | None) -> float | None:
    """The seconds that the vendor asked to wait, None when it did not."""
    return error.retry_after_s if isinstance(error, RateLimited | VendorFault) else None


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds from a Retry-After header: a number of seconds or an HTTP date.

    An instant in the past is 0. None for no header and for anything that is neither.
    """
    text = (value or "").strip()
    if text.replace(".", "", 1).isdecimal() and text.isascii():
        return min(float(text), LONGEST_S)
    try:
        instant = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    instant = instant.replace(tzinfo=instant.tzinfo or UTC)
    return max(0.0, (instant - now).total_seconds())


class _Wait:
    """Exponential with full jitter; or what the vendor asked for, with some jitter to spread the threads."""

    def __init__(self, policy: RetryPolicy) -> None:
        first, longest = policy.first_wait.total_seconds(), policy.longest_wait.total_seconds()
        self._exponential = wait_random_exponential(multiplier=first, max=longest)
        self._spread = wait_random(0, first)

    def __call__(self, state: RetryCallState) -> float:
        asked = asked_wait_s(state.outcome.exception() if state.outcome else None)
        return asked + self._spread(state) if asked else self._exponential(state)
