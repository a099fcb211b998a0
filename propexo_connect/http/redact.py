"""Short pieces of foreign text, made fit for messages and logs."""

import base64
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

QUOTE_LENGTH = 120
"""The most that is ever quoted of an answer, in characters."""

_GONE = "[removed]"
_EMAIL = re.compile(r"[^\s\"'<>]+@[^\s\"'<>]+")
_NAMED = re.compile(
    r"(?i)((?:pass(?:word|wd|phrase)?|secret|token|authorization|bearer|api[_-]?key|cookie|session|signature)"
    r"[\"']?\s*(?:[:=]\s*|\s))(?:bearer\s+|basic\s+)?[\"']?[^\s\"',;}&]+"
)
_TOKEN_LIKE = re.compile(r"(?=[\w+/=.~%-]*\d)[\w+/=.~%-]{8,}|[\w+/=.~%-]{32,}")


def quotable(text: str, secrets: Iterable[str] = ()) -> str:
    """The start of a foreign text on one line, with everything that looks like a secret removed.

    The secrets given are removed in every spelling (also URL-encoded and base64); beyond them e-mail
    addresses, values named like a secret, and words of eight letters or more that contain a digit.
    """
    text = text[: QUOTE_LENGTH * 20]
    spellings = {spelling for secret in secrets for spelling in _spellings(secret)}
    for spelling in sorted(spellings, key=len, reverse=True):
        text = text.replace(spelling, _GONE)
    text = _EMAIL.sub(_GONE, _NAMED.sub(rf"\g<1>{_GONE}", text))
    text = _TOKEN_LIKE.sub(_GONE, text)
    line = " ".join(text.split())
    line = "".join(letter if letter.isprintable() else "?" for letter in line)
    return line if len(line) <= QUOTE_LENGTH else f"{line[: QUOTE_LENGTH - 1]}…"


def _spellings(secret: str) -> Iterable[str]:
    if secret:
        encoded = secret.encode()
        yield from (secret, quote(secret, safe=""), quote_plus(secret), base64.b64encode(encoded).decode())
        yield base64.urlsafe_b64encode(encoded).decode().rstrip("=")
