"""Deliveries out of an outbox, on both destinations."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from propexo_connect.events.backoff import STEPS
from propexo_connect.events.deliver import Pace, Tally
from propexo_connect.events.outcome import Outcome, Verdict
from propexo_connect.events.post import Posting
from propexo_connect_tests.events.kit import PACE, Outbox, Scripted, answers, webhook
from propexo_connect_tests.events.receiving import Reaction, receiving
from propexo_connect_tests.http.doubles import NOON


def raising(error: BaseException) -> Callable[[], object]:
    def raise_it() -> None:
        raise error

    return raise_it


def test_an_event_goes_to_each_endpoint_that_it_names_and_once(outbox: Outbox) -> None:
    outbox.write(1, to=["hook", "other"])
    outbox.write(2, to=["other"])
    hook, other = answers(204), answers(204)
    assert outbox.deliver({"hook": hook, "other": other}) == Tally(delivered=3)
    assert outbox.deliver({"hook": hook, "other": other}) == Tally()
    assert hook.ids == ["evt_1"]
    assert other.ids == ["evt_1", "evt_2"]
    assert set(outbox.states().values()) == {("delivered", 1)}


def test_events_go_out_in_the_order_in_which_they_occurred(outbox: Outbox) -> None:
    outbox.write(3, 1, 2)
    hook = answers(204)
    outbox.deliver({"hook": hook})
    assert hook.ids == ["evt_1", "evt_2", "evt_3"]


def test_a_failed_delivery_is_tried_again_when_its_wait_is_over_and_not_before(outbox: Outbox) -> None:
    outbox.write(1)
    hook = answers(500, 204)
    assert outbox.deliver({"hook": hook}) == Tally(failed=1)
    outbox.clock.advance(4.9)
    assert outbox.deliver({"hook": hook}) == Tally()
    outbox.clock.advance(0.2)
    assert outbox.deliver({"hook": hook}) == Tally(delivered=1)
    assert [line[1:] for line in outbox.log()] == [(1, 500, "answered 500"), (2, 204, None)]


def test_an_endpoint_that_is_down_for_three_days_leaves_a_dead_delivery(outbox: Outbox) -> None:
    outbox.write(1)
    hook = answers(503)
    began = outbox.clock.now()
    for step in STEPS:
        assert outbox.deliver({"hook": hook}) == Tally(failed=1)
        assert outbox.state() == ("pending", len(hook.sent))
        outbox.clock.advance(step.total_seconds())
    assert timedelta(days=3) <= outbox.clock.now() - began < timedelta(days=3, minutes=1)
    assert outbox.deliver({"hook": hook}) == Tally(failed=1, dead=1)
    assert outbox.state() == ("dead", 12)
    outbox.clock.advance(10 * 86_400)
    assert outbox.deliver({"hook": hook}) == Tally()


def test_an_endpoint_that_is_gone_makes_its_delivery_dead_at_once(outbox: Outbox) -> None:
    outbox.write(1)
    gone = Scripted([Outcome(Verdict.DEAD, 410, "answered 410")])
    assert outbox.deliver({"hook": gone}) == Tally(failed=1, dead=1)
    assert outbox.state() == ("dead", 1)


def test_a_pause_that_is_asked_for_is_kept_for_all_events_of_the_endpoint(outbox: Outbox) -> None:
    outbox.write(1, 2, 3)
    hook = Scripted(
        [Outcome(Verdict.AGAIN, 429, "answered 429", asked_s=60), Outcome(Verdict.DELIVERED, 204)]
    )
    assert outbox.deliver({"hook": hook}) == Tally(failed=1)
    outbox.clock.advance(59)
    assert outbox.deliver({"hook": hook}) == Tally()
    assert outbox.state(2) == ("pending", 0)
    outbox.clock.advance(2)
    assert outbox.deliver({"hook": hook}) == Tally(delivered=3)


def test_an_endpoint_that_fails_again_and_again_rests_and_the_others_go_on(outbox: Outbox) -> None:
    outbox.write(*range(1, 21), to=["down", "up"])
    down, up = answers(500), answers(204)
    assert outbox.deliver({"down": down, "up": up}) == Tally(delivered=20, failed=3)
    assert len(down.sent) == 3
    assert [outbox.state(number, "down")[1] for number in (1, 3, 4, 20)] == [1, 1, 0, 0]


def test_a_paused_endpoint_keeps_its_events_without_attempts(outbox: Outbox) -> None:
    outbox.write(1, to=["hook", "paused"])
    hook = answers(204)
    outbox.deliver({"hook": hook})
    outbox.clock.advance(30 * 86_400)
    outbox.deliver({"hook": hook})
    assert outbox.state(1, "paused") == ("pending", 0)
    resumed = answers(204)
    assert outbox.deliver({"hook": hook, "paused": resumed}) == Tally(delivered=1)


def test_a_run_claims_in_batches_until_nothing_is_due(outbox: Outbox) -> None:
    outbox.write(*range(1, 26))
    hook = answers(204)
    assert outbox.deliver({"hook": hook}, Pace(each=4)) == Tally(delivered=25)
    assert hook.ids == [f"evt_{number}" for number in range(1, 26)]


def test_a_run_ends_when_its_time_is_up_and_leaves_the_rest_due(outbox: Outbox) -> None:
    outbox.write(1, 2, 3)
    hook = answers(204)
    slow = answers(204)
    slow.meanwhile = lambda: outbox.clock.advance(20)
    assert outbox.deliver({"hook": slow}, Pace(budget=timedelta(seconds=30))) == Tally(delivered=2)
    assert outbox.state(3) == ("pending", 0)
    assert outbox.deliver({"hook": hook}) == Tally(delivered=1)


def test_what_another_deliverer_has_claimed_is_not_sent(outbox: Outbox) -> None:
    outbox.write(1)
    first, second = answers(204), answers(204)
    came_to: list[Tally] = []
    first.meanwhile = lambda: came_to.append(outbox.deliver({"hook": second}))
    assert outbox.deliver({"hook": first}) == Tally(delivered=1)
    assert came_to == [Tally()]
    assert second.sent == []


def test_a_claim_that_was_never_noted_comes_due_again(outbox: Outbox) -> None:
    outbox.write(1)
    hook = answers(204)
    hook.meanwhile = raising(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        outbox.deliver({"hook": hook})
    hook.meanwhile = lambda: None
    assert outbox.deliver({"hook": hook}) == Tally()
    outbox.clock.advance(PACE.lease.total_seconds())
    assert outbox.deliver({"hook": hook}) == Tally(delivered=1)


def test_a_receiver_with_a_defect_is_a_failed_attempt(outbox: Outbox) -> None:
    outbox.write(1)
    hook = answers(204)
    hook.meanwhile = raising(KeyError("hunter2"))
    assert outbox.deliver({"hook": hook}) == Tally(failed=1)
    assert "KeyError" in outbox.everything()
    assert "hunter2" not in outbox.everything()


def test_over_real_http_no_more_than_the_endpoint_takes_are_on_their_way(outbox: Outbox) -> None:
    outbox.write(*range(1, 13))
    with receiving(Reaction(silence_s=0.02)) as there, Posting(outbox.clock) as posting:
        hook = webhook(there.url, posting, max_in_flight="3")
        assert outbox.deliver({"hook": hook}) == Tally(delivered=12)
    assert sorted(there.ids) == sorted(f"evt_{number}" for number in range(1, 13))
    assert 1 < there.most_at_once <= 3


def test_neither_secret_nor_query_nor_body_is_kept(outbox: Outbox) -> None:
    outbox.write(1)
    with receiving(Reaction(500, body=b"a secret of theirs")) as there, Posting(outbox.clock) as posting:
        outbox.deliver({"hook": webhook(there.url, posting)})
    kept = outbox.everything()
    assert "answered 500" in kept
    for hidden in ("hush", "whsec", "MfKQ9r8", "of theirs", "/hook"):
        assert hidden not in kept


def test_a_destination_that_is_not_there_is_not_made(outbox: Outbox) -> None:
    if outbox.name != "duckdb":
        pytest.skip("a database is never made")
    path = Path(outbox.options["path"])
    path.unlink()
    assert outbox.deliver({"hook": answers(204)}) == Tally()
    assert not path.exists()


def test_what_is_due_next_is_told_of_the_endpoints_that_are_asked_for(outbox: Outbox) -> None:
    assert outbox.next_due("hook", "other") is None
    outbox.write(5, to=["hook", "paused"])
    assert outbox.next_due("hook") == NOON + timedelta(seconds=5)
    assert outbox.next_due("other") is None
    outbox.deliver({"hook": answers(500)})
    assert outbox.next_due("hook") == NOON + timedelta(seconds=5)
    assert outbox.next_due("paused") == NOON
    outbox.clock.advance(5)
    outbox.deliver({"hook": answers(204), "paused": answers(204)})
    assert outbox.next_due("hook", "paused") is None
