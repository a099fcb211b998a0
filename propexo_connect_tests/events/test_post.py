"""One POST over real HTTP: what each answer means, and what is never sent."""

import json
from collections.abc import Generator

import pytest

from propexo_connect.events.outcome import Outcome, Verdict
from propexo_connect.events.post import Posting
from propexo_connect.events.receivers import receiver_of
from propexo_connect.model.clock import SystemClock
from propexo_connect_tests.events.kit import ENVIRON, SECRET, endpoint, message, webhook
from propexo_connect_tests.events.receiving import Reaction, receiving

CLOCK = SystemClock()


@pytest.fixture
def posting() -> Generator[Posting]:
    """The way to receivers."""
    with Posting(CLOCK) as made:
        yield made


def answered(reaction: Reaction, posting: Posting, **content: str) -> Outcome:
    with receiving(reaction) as there:
        return webhook(there.url, posting, **content).send(message(), CLOCK.now())


@pytest.mark.parametrize("status", [200, 202, 204])
def test_a_success_is_delivered(status: int, posting: Posting) -> None:
    assert answered(Reaction(status), posting) == Outcome(Verdict.DELIVERED, status)


def test_gone_is_dead_at_once(posting: Posting) -> None:
    assert answered(Reaction(410), posting).verdict is Verdict.DEAD


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 400, 401, 403, 404, 422])
def test_every_other_refusal_is_tried_again_and_told(status: int, posting: Posting) -> None:
    outcome = answered(Reaction(status), posting)
    assert (outcome.verdict, outcome.status) == (Verdict.AGAIN, status)
    assert str(status) in str(outcome.problem)


def test_a_refusal_that_waiting_does_not_mend_is_named_so(posting: Posting) -> None:
    assert "refuses it as it is" in str(answered(Reaction(404), posting).problem)
    assert "refuses" not in str(answered(Reaction(503), posting).problem)


def test_the_wait_that_is_asked_for_is_heard(posting: Posting) -> None:
    assert answered(Reaction(429, {"Retry-After": "120"}), posting).asked_s == 120


def test_a_redirect_is_not_followed(posting: Posting) -> None:
    with receiving() as elsewhere:
        outcome = answered(Reaction(307, {"Location": elsewhere.url}), posting)
        assert elsewhere.requests == []
    assert (outcome.verdict, outcome.status) == (Verdict.AGAIN, 307)
    assert "redirects are not followed" in str(outcome.problem)


def test_a_private_address_is_not_connected_to_unless_the_endpoint_allows_it(posting: Posting) -> None:
    with receiving() as there:
        hidden = endpoint(url=there.url.replace("http://", "https://"))
        outcome = receiver_of(hidden, ENVIRON, posting).send(message(), CLOCK.now())
        assert there.requests == []
    assert outcome.verdict is Verdict.AGAIN
    assert "127.0.0.1 is private" in str(outcome.problem)


def test_nothing_is_sent_without_encryption_to_a_url_from_the_environment(posting: Posting) -> None:
    with receiving() as there:
        open_line = endpoint(url="${URL}")
        outcome = receiver_of(open_line, {**ENVIRON, "URL": there.url}, posting).send(message(), CLOCK.now())
        assert there.requests == []
    assert outcome.verdict is Verdict.AGAIN


def test_a_receiver_that_does_not_answer_in_time_is_tried_again(posting: Posting) -> None:
    outcome = answered(Reaction(silence_s=1.5), posting, timeout="1s")
    assert (outcome.verdict, outcome.status) == (Verdict.AGAIN, None)
    assert "Unreachable" in str(outcome.problem)


def test_nobody_there_is_tried_again_and_no_part_of_the_address_but_the_host_is_told(
    posting: Posting,
) -> None:
    with receiving() as there:
        url = there.url
    outcome = webhook(url, posting).send(message(), CLOCK.now())
    assert outcome.verdict is Verdict.AGAIN
    assert "127.0.0.1 cannot be connected to" in str(outcome.problem)
    assert "hush" not in str(outcome.problem)
    assert "/hook" not in str(outcome.problem)


def test_an_answer_larger_than_anybody_needs_is_not_read_to_its_end(posting: Posting) -> None:
    assert answered(Reaction(200, body=b"x" * 1_000_000), posting).verdict is Verdict.DELIVERED


def test_the_query_of_the_address_and_the_three_headers_arrive(posting: Posting) -> None:
    with receiving() as there:
        webhook(there.url, posting).send(message(), CLOCK.now())
    request = there.requests[0]
    assert request.path == "/hook?code=hush-hush"
    assert request.headers["content-type"] == "application/json"
    assert {"webhook-id", "webhook-timestamp", "webhook-signature"} <= set(request.headers)


def test_the_plain_signature_comes_in_the_header_that_was_asked_for(posting: Posting) -> None:
    with receiving() as there:
        webhook(there.url, posting, signature="hex_hmac", header="X-Hub-Signature").send(
            message(), CLOCK.now()
        )
        webhook(there.url, posting, signature="hex_hmac").send(message(), CLOCK.now())
    assert len(there.requests[0].headers["x-hub-signature"]) == 64
    assert len(there.requests[1].headers["x-signature-256"]) == 64


def test_a_secret_that_is_not_set_is_a_problem_that_names_the_variable(posting: Posting) -> None:
    outcome = receiver_of(endpoint(), {}, posting).send(message(), CLOCK.now())
    assert outcome.verdict is Verdict.AGAIN
    assert "SECRET" in str(outcome.problem)


def test_slack_gets_a_short_text_that_calls_nobody(posting: Posting) -> None:
    with receiving() as there:
        slack = endpoint("chat", kind="slack", url="${URL}", allow_private_addresses="true")
        failed = message(1, "sync.failed", '{"error": "<!channel> the key was refused", "record": "hunter2"}')
        sent = receiver_of(slack, {"URL": there.url}, posting).send(failed, CLOCK.now())
    assert sent.verdict is Verdict.DELIVERED
    text = json.loads(there.requests[0].body)["text"]
    assert text.startswith("*acme.units: a sync has failed*")
    assert "&lt;!channel&gt; the key was refused" in text
    assert "hunter2" not in text
    assert SECRET not in str(there.requests[0])
