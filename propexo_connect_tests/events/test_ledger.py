"""What an outbox tells of its deliveries, and what is sent again, on both destinations."""

from datetime import timedelta

from propexo_connect.destinations.dialect import Link
from propexo_connect.events.deliver import Tally
from propexo_connect.events.due import expand
from propexo_connect.events.ledger import Again, EndpointCounts, counts, logged, replay
from propexo_connect.events.opened import stored
from propexo_connect.events.outcome import Outcome, Verdict
from propexo_connect_tests.events.kit import Outbox, Scripted, answers
from propexo_connect_tests.http.doubles import NOON

GONE = Outcome(Verdict.DEAD, 410, "answered 410")


def counted(outbox: Outbox) -> dict[str, EndpointCounts]:
    def ask(link: Link) -> list[EndpointCounts]:
        expand(link, outbox.clock.now())
        return counts(link)

    return {row.endpoint: row for row in stored(outbox.destination, ask, outbox.clock, timedelta(0))}


def replayed(outbox: Outbox, again: Again) -> int:
    now = outbox.clock.now()
    return stored(outbox.destination, lambda link: replay(link, again, now), outbox.clock, timedelta(0))


def test_each_endpoint_is_counted_with_its_last_problem(outbox: Outbox) -> None:
    outbox.write(1, 2, to=["hook", "other"])
    outbox.deliver({"hook": Scripted([GONE, Outcome(Verdict.DELIVERED, 204)])})
    rows = counted(outbox)
    hook, other = rows["hook"], rows["other"]
    assert (hook.pending, hook.delivered, hook.dead, hook.last_problem) == (0, 1, 1, "answered 410")
    assert hook.last_delivered_at == outbox.clock.now()
    assert (other.pending, other.delivered, other.dead, other.last_problem) == (2, 0, 0, None)
    assert other.next_at == NOON


def test_the_log_is_told_newest_first_and_by_endpoint_or_event(outbox: Outbox) -> None:
    outbox.write(1, to=["hook", "other"])
    outbox.deliver({"hook": answers(500)})
    outbox.clock.advance(6)
    outbox.deliver({"hook": answers(204), "other": answers(204)})

    def lines(endpoint: str | None, event: str | None, limit: int = 10) -> list[tuple[str, int, int | None]]:
        found = stored(
            outbox.destination, lambda link: logged(link, endpoint, event, limit), outbox.clock, timedelta(0)
        )
        return [(line.endpoint, line.attempt, line.status) for line in found]

    assert lines("hook", None) == [("hook", 2, 204), ("hook", 1, 500)]
    assert lines(None, "evt_1", 1) == [("hook", 2, 204)]
    assert len(lines(None, "evt_1")) == 3
    assert lines(None, "evt_9") == []


def test_a_replay_is_a_delivery_of_its_own_under_the_old_id(outbox: Outbox) -> None:
    outbox.write(1)
    hook = answers(204)
    outbox.deliver({"hook": hook})
    assert replayed(outbox, Again(event_id="evt_1")) == 1
    assert replayed(outbox, Again(event_id="evt_1")) == 0  # it is pending already
    assert outbox.deliver({"hook": hook}) == Tally(delivered=1)
    assert hook.ids == ["evt_1", "evt_1"]
    assert outbox.states() == {
        ("evt_1", "hook", 0): ("delivered", 1),
        ("evt_1", "hook", 1): ("delivered", 1),
    }


def test_what_was_given_up_is_replayed_alone_and_is_dead_no_more(outbox: Outbox) -> None:
    outbox.write(1, 2)
    outbox.deliver({"hook": Scripted([GONE, Outcome(Verdict.DELIVERED, 204)])})
    assert replayed(outbox, Again(since=NOON, dead=True)) == 1
    assert outbox.deliver({"hook": answers(204)}) == Tally(delivered=1)
    assert counted(outbox)["hook"].dead == 0
    assert replayed(outbox, Again(since=NOON, dead=True)) == 0


def test_a_replay_keeps_to_its_time_and_endpoint(outbox: Outbox) -> None:
    outbox.write(1, 2, 3, to=["hook", "other"])
    outbox.deliver({"hook": answers(204), "other": answers(204)})
    second = timedelta(seconds=1)
    assert replayed(outbox, Again(since=NOON + 2 * second, until=NOON + 3 * second, endpoint="hook")) == 1
    assert outbox.state(2, "hook", replay=1) == ("pending", 0)


def test_the_counts_of_two_outboxes_add_up() -> None:
    one = EndpointCounts("hook", 1, 2, 0, NOON, None, "older", NOON)
    other = EndpointCounts("hook", 0, 1, 3, None, NOON, "newer", NOON + timedelta(hours=1))
    assert one + other == EndpointCounts("hook", 1, 3, 3, NOON, NOON, "newer", NOON + timedelta(hours=1))
