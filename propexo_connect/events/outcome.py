"""What became of one attempt."""

from dataclasses import dataclass
from enum import StrEnum

from propexo_connect.model.errors import ConnectError


class Verdict(StrEnum):
    """Whether an attempt was the last one."""

    DELIVERED = "delivered"
    AGAIN = "again"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One attempt as the log keeps it.

    Args:
        status: the HTTP status or SMTP code of the answer; None where there was none.
        problem: in words, without a secret, a body or the query of an address; None when it was delivered.
        asked_s: seconds that the receiver asked to be left alone for.
    """

    verdict: Verdict
    status: int | None = None
    problem: str | None = None
    asked_s: float | None = None


def failed(error: ConnectError) -> Outcome:
    """An attempt without an answer; whatever it was, it may be mended before the next one."""
    return Outcome(Verdict.AGAIN, problem=f"{error.name}: {error.found}")


def judged(status: int, asked_s: float | None) -> Outcome:
    """What the status of an HTTP answer means.

    Only 410 ends a delivery at once: the receiver says in so many words that it wants nothing more. Other
    refusals come from receivers under repair, too, and are tried again.
    """
    if 200 <= status < 300:
        return Outcome(Verdict.DELIVERED, status)
    if status == 410:
        return Outcome(Verdict.DEAD, status, "answered 410: the receiver is gone for good")
    if 300 <= status < 400:
        return Outcome(Verdict.AGAIN, status, f"answered {status}, a redirect; redirects are not followed")
    if status in {408, 429} or status >= 500:
        wish = "" if asked_s is None else f" and asks for a pause of {asked_s:.0f} s"
        return Outcome(Verdict.AGAIN, status, f"answered {status}{wish}", asked_s)
    return Outcome(Verdict.AGAIN, status, f"answered {status}: the receiver refuses it as it is", asked_s)
