"""Signatures: what receivers verify with the public package, and by hand."""

import hashlib
import hmac
import json
from datetime import UTC, datetime

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from propexo_connect.events.message import Message, trial
from propexo_connect.events.signing import hex_headers, standard_headers
from propexo_connect.model.errors import ConfigurationError
from propexo_connect_tests.events.kit import OLD_SECRET, SECRET, message

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_receiver_verifies_with_the_public_package() -> None:
    body = message().body
    headers = standard_headers("evt_1", datetime.now(UTC), body, [SECRET])
    assert Webhook(SECRET).verify(body, headers)["type"] == "data.new"
    with pytest.raises(WebhookVerificationError):
        Webhook(OLD_SECRET).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body + b" ", headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body, {**headers, "webhook-id": "evt_2"})


def test_while_two_secrets_are_live_a_receiver_verifies_with_either() -> None:
    headers = standard_headers("evt_1", datetime.now(UTC), message().body, [SECRET, OLD_SECRET])
    assert headers["webhook-signature"].count("v1,") == 2
    for secret in (SECRET, OLD_SECRET):
        Webhook(secret).verify(message().body, headers)


def test_the_plain_signature_is_the_hex_hmac_of_the_body() -> None:
    headers = hex_headers("evt_1", NOW, b"{}", ["hunter2"], "X-Hub")
    assert headers["X-Hub"] == hmac.new(b"hunter2", b"{}", hashlib.sha256).hexdigest()
    assert headers["webhook-id"] == "evt_1"
    assert hex_headers("evt_1", NOW, b"{}", ["a", "b"], "X-Hub")["X-Hub"].count(",") == 1


@pytest.mark.parametrize("secret", ["hunter2", "whsec_", "whsec_aHVudGVyMg==", "whsec_%%%%", SECRET[:-1]])
def test_a_secret_that_libraries_would_read_differently_is_refused_and_not_shown(secret: str) -> None:
    with pytest.raises(ConfigurationError, match="24 to 64 random bytes") as caught:
        standard_headers("evt_1", NOW, b"{}", [secret])
    assert secret.removeprefix("whsec_")[:4] not in str(caught.value) or secret == "whsec_"


def test_the_body_holds_the_data_untouched() -> None:
    data = '{"rent": 1200.10, "big": 12345678901234567890.123456789}'
    body = Message("evt_1", "data.new", NOW, data).body.decode()
    assert body.endswith(f'"data":{data}}}')
    assert json.loads(body)["timestamp"] == NOW.isoformat()


def test_each_trial_is_an_event_of_its_own() -> None:
    assert trial(NOW).id != trial(NOW).id
    assert json.loads(trial(NOW).body)["type"] == "test"
