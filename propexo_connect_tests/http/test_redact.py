"""What may be quoted of a foreign text."""

import base64
from urllib.parse import quote

import pytest

from propexo_connect.http.redact import QUOTE_LENGTH, quotable
from propexo_connect_tests.http.doubles import CANARY

LETTERS_ONLY = "correcthorsebatterystaple"


@pytest.mark.parametrize(
    "text",
    [
        f"no access with {CANARY}",
        f"Authorization: Bearer {CANARY}",
        f"token={CANARY}&page=2",
        f'{{"password": "{CANARY}"}}',
        f"see {base64.b64encode(CANARY.encode()).decode()}",
        f"see {quote(CANARY + '/+')}",
    ],
)
def test_what_looks_like_a_secret_is_removed_without_knowing_it(text: str) -> None:
    said = quotable(text)
    assert CANARY[:8] not in said
    assert "[removed]" in said


def test_a_known_secret_is_removed_whatever_it_looks_like() -> None:
    encoded = base64.b64encode(LETTERS_ONLY.encode()).decode()
    said = quotable(f"you sent {LETTERS_ONLY} and {encoded}", [LETTERS_ONLY])
    assert said == "you sent [removed] and [removed]"


def test_a_secret_named_in_words_is_removed() -> None:
    assert quotable("wrong password hunter for this user") == "wrong password [removed] for this user"


def test_mail_addresses_are_removed() -> None:
    assert quotable("no user pat@example.com here") == "no user [removed] here"


def test_ordinary_words_stay() -> None:
    assert (
        quotable('Cannot query field "dueBy" on type "Unit".') == 'Cannot query field "dueBy" on type "Unit".'
    )


def test_control_signs_cannot_reach_a_terminal() -> None:
    assert quotable("bad\x1b[31m\r\n2026 ERROR forged\x00") == "bad?[31m 2026 ERROR forged?"


def test_a_long_text_is_cut() -> None:
    assert len(quotable("so it is " * 1000)) == QUOTE_LENGTH
