"""Signatures by which a receiver knows that a message is ours and untouched.

Standard Webhooks (https://www.standardwebhooks.com, read 2026-11-27): HMAC-SHA256 over `id.timestamp.body`.

    webhook-id: evt_2KWPBgLlAfxdpx2AI54pPJ85f4W
    webhook-timestamp: 1674087231
    webhook-signature: v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4= v1,…

One signature for each secret: while two are live, a receiver may go over from one to the other.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime

from standardwebhooks.webhooks import Webhook

from propexo_connect.model.errors import ConfigurationError

HEX_HEADER = "X-Signature-256"
"""The header of the simpler signature, unless the endpoint names another one."""

PREFIX = "whsec_"
_SHORTEST_BYTES, _LONGEST_BYTES = 24, 64


def standard_headers(
    message_id: str, sent_at: datetime, body: bytes, secrets: Sequence[str]
) -> dict[str, str]:
    """The three headers of Standard Webhooks.

    Args:
        sent_at: the instant of this attempt; receivers refuse what is more than some minutes old.
        secrets: `whsec_` and base64 each; the first one's signature comes first.

    Raises:
        ConfigurationError: a secret is none; it is not shown.
    """
    text = body.decode()
    signatures = [
        Webhook(secret_bytes(secret)).sign(msg_id=message_id, timestamp=sent_at, data=text)
        for secret in secrets
    ]
    return {**identity(message_id, sent_at), "webhook-signature": " ".join(signatures)}


def hex_headers(
    message_id: str, sent_at: datetime, body: bytes, secrets: Sequence[str], header: str = HEX_HEADER
) -> dict[str, str]:
    """One header with the hex HMAC-SHA256 of the body alone; of several secrets, with a comma between.

    The key is the secret's text as it is written, in UTF-8.
    """
    digests = [hmac.new(secret.encode(), body, hashlib.sha256).hexdigest() for secret in secrets]
    return {**identity(message_id, sent_at), header: ",".join(digests)}


def identity(message_id: str, sent_at: datetime) -> dict[str, str]:
    """The headers that every message has, signed or not."""
    return {"webhook-id": message_id, "webhook-timestamp": str(int(sent_at.timestamp()))}


def secret_bytes(secret: str) -> bytes:
    """The key that a secret of Standard Webhooks stands for.

    Raises:
        ConfigurationError: not base64, or not of 24 to 64 bytes; libraries would make different keys of it.
    """
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not _SHORTEST_BYTES <= len(key) <= _LONGEST_BYTES:
        raise ConfigurationError(
            "a signing secret cannot be used (not shown)",
            expected="whsec_ and 24 to 64 random bytes in base64",
            remedy='Make one: python3 -c "import base64, os; '
            "print('whsec_' + base64.b64encode(os.urandom(32)).decode())\"",
        )
    return key
