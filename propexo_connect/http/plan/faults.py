"""What answers mean where the usual statuses do not say it: codes, faults inside HTTP 200, empty ones."""

from typing import Literal

from propexo_connect.http.plan.paths import Path
from propexo_connect.http.plan.value import value

Means = Literal["retry", "limit", "log_in", "credentials", "permission", "gone", "empty", "stop"]
"""Repeat it · slow down · the token is used up, log in again · the credentials are wrong · a right is
missing · there is no such thing · there are no records · a person must look."""


@value
class Fault:
    """One rule: an answer that looks so means that. The first rule that fits decides.

    Args:
        means: what it means.
        status: the statuses it holds for; empty: any, also 200.
        at: a place in the answer's JSON that must be there; () or "" is the whole.
        among: the values that must stand there; empty: any but null, false, "" and empty lists.
        text: a piece that the body must contain, whatever its letter case.
        message: where the vendor says what is wrong, below `at`.
        says: what messages say in its place.
    """

    means: Means
    status: tuple[int, ...] = ()
    at: Path | None = None
    among: tuple[str, ...] = ()
    text: str = ""
    message: Path = "message"
    says: str = ""

    def __post_init__(self) -> None:
        if not self.status and self.at is None and not self.text:
            raise ValueError("a fault that looks like nothing fits every answer; give status, at or text")


Faults = tuple[Fault, ...]
