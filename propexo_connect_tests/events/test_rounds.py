"""One round over several outboxes."""

from datetime import timedelta
from pathlib import Path

from propexo_connect.destinations.base import Destination
from propexo_connect.events.deliver import Tally
from propexo_connect.events.outboxes import Outboxes
from propexo_connect.events.rounds import deliver_all
from propexo_connect.model.clock import SystemClock
from propexo_connect_tests.destinations.conftest import ask, configured
from propexo_connect_tests.events.kit import ENVIRON, PACE, Outbox, endpoint
from propexo_connect_tests.events.receiving import Reaction, receiving


def outbox(path: Path) -> Outbox:
    options = {"path": str(path)}
    return Outbox("duckdb", configured("duckdb", options), lambda sql: ask("duckdb", options, sql), options)


def outboxes(*given: Outbox) -> Outboxes:
    found: dict[str, Destination] = {one.destination.address: one.destination for one in given}
    return Outboxes(found)


def test_an_endpoint_takes_so_many_at_once_from_all_outboxes_together(tmp_path: Path) -> None:
    one, other = outbox(tmp_path / "one.duckdb"), outbox(tmp_path / "other.duckdb")
    one.write(*range(1, 9))
    other.write(*range(11, 19))
    with receiving(Reaction(silence_s=0.03)) as there:
        hook = endpoint(url=there.url, allow_private_addresses="true", max_in_flight="2")
        found = deliver_all(outboxes(one, other), [hook], ENVIRON, SystemClock(), PACE)
    assert found.tally == Tally(delivered=16)
    assert there.most_at_once == 2


def test_an_outbox_that_is_broken_holds_back_no_other(tmp_path: Path) -> None:
    good, bad = outbox(tmp_path / "good.duckdb"), outbox(tmp_path / "bad.duckdb")
    good.write(1)
    (tmp_path / "bad.duckdb").write_bytes(b"nothing" * 1000)
    with receiving() as there:
        hook = endpoint(url=there.url, allow_private_addresses="true")
        found = deliver_all(outboxes(bad, good), [hook], ENVIRON, SystemClock(), PACE)
    assert found.tally == Tally(delivered=1)
    assert [error.where for error in found.problems] == [bad.destination.address]


def test_what_all_have_had_for_long_is_dropped(tmp_path: Path) -> None:
    one = outbox(tmp_path / "one.duckdb")
    one.write(1)
    with receiving() as there:
        hook = endpoint(url=there.url, allow_private_addresses="true")
        deliver_all(outboxes(one), [hook], ENVIRON, one.clock, PACE)
        one.clock.advance(timedelta(days=31).total_seconds())
        one.write(2)
        deliver_all(outboxes(one), [hook], ENVIRON, one.clock, PACE)
    assert set(one.states()) == {("evt_2", "hook", 0)}
