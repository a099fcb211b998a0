"""What a vendor's answer means by the rules of a plan: codes, faults inside HTTP 200, words in a body."""

from collections.abc import Callable

import msgspec

from propexo_connect.http.auth import ASK_FOR_THE_RIGHT, CHECK_CREDENTIALS, TokenRefused
from propexo_connect.http.client import Answer
from propexo_connect.http.envelope import glimpse
from propexo_connect.http.plan.faults import Fault, Faults
from propexo_connect.http.plan.paths import at, steps
from propexo_connect.http.plan.template import text_of
from propexo_connect.model.errors import (
    ConnectError,
    CredentialsRefused,
    PermissionRefused,
    RateLimited,
    TerminalError,
    UnknownName,
    VendorFault,
)


def judge_by(faults: Faults, quote: Callable[[str], str]) -> Callable[[Answer], bool]:
    """The look at every answer: raises what it means, or says whether it holds no records.

    Args:
        quote: makes a piece of an answer fit for a message.
    """

    def look(answer: Answer) -> bool:
        for fault in faults:
            found = found_in(fault, answer)
            if found is not None:
                return _meant(fault, answer, fault.says or (quote(found) if found else ""))
        return False

    return look


def found_in(fault: Fault, answer: Answer) -> str | None:
    """What the vendor says where a fault's rule fits an answer; None where it does not."""
    if fault.status and answer.status not in fault.status:
        return None
    if fault.text and fault.text.lower().encode() not in answer.body.lower():
        return None
    if fault.at is None:
        return answer.body[:200].decode("utf-8", "replace")
    # Every page is looked at, so nothing but the place is decoded until a rule fits.
    value = glimpse(answer.body, steps(fault.at))
    if fault.among:
        if value is None or text_of(value) not in fault.among:
            return None
        told: object = msgspec.json.decode(answer.body)
        # The message stands beside the code.
        beside = at(told, (*steps(fault.at)[:-1], *steps(fault.message)))
        return text_of(beside) if beside is not None else text_of(value)
    if value is None or value is False or value in ("", [], {}):
        return None
    message = at(value, fault.message)
    return text_of(message if message is not None else value)


def _meant(fault: Fault, answer: Answer, told: str) -> bool:
    """Raise what a fault means; True when it means that there are no records."""
    found = f"answered {answer.status}" + (f' "{told}"' if told else "")
    error: ConnectError
    match fault.means:
        case "empty":
            return True
        case "retry":
            error = VendorFault(found)
        case "limit":
            error = RateLimited(found)
        case "log_in":
            raise TokenRefused(CredentialsRefused(found, remedy=CHECK_CREDENTIALS))
        case "credentials":
            error = CredentialsRefused(found, remedy=CHECK_CREDENTIALS)
        case "permission":
            error = PermissionRefused(found, remedy=ASK_FOR_THE_RIGHT)
        case "gone":
            error = UnknownName(found, remedy="The vendor has nothing of this name for this account")
        case "stop":
            error = TerminalError(found, expected="an answer with records")
    raise error
