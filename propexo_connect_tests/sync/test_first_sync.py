"""How long a stream's first sync lasts, and which reads bring old records; told by the events they write."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from propexo_connect.model.errors import CredentialsRefused
from propexo_connect.model.event import Event, Subscription
from propexo_connect.model.ledger import Reading
from propexo_connect.model.stream import Filter
from propexo_connect_tests.sync.pages import NOON, plan_of
from propexo_connect_tests.sync.scripted import Bench, units

DAY = timedelta(days=1)
CRM = Subscription("crm", (Event.DATA_NEW, Event.DATA_UPDATE))
TOLD = replace(plan_of(given=Filter("updatedAt", widest=10 * DAY)), subscriptions=(CRM,))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def told(bench: Bench) -> list[tuple[object, ...]]:
    return bench.rows("select event, key from _propexo.outbox order by occurred_at, key")


def test_the_first_sync_is_quiet_and_the_next_tells(bench: Bench) -> None:
    bench.source.will_serve("units", [units(1)], [units(2)], [units(3)], [units(4)])
    assert bench.sync(TOLD)["units"].is_first
    assert told(bench) == []
    bench.clock.move(DAY)
    assert not bench.sync(TOLD)["units"].is_first
    assert told(bench) == [("data.new", '{"id":4}')]


def test_a_first_sync_lasts_until_one_has_come_to_its_end(bench: Bench) -> None:
    """The rest of the initial window is no news, although another sync brings it."""
    bench.source.will_serve("units", [units(1)], [CredentialsRefused("no")], [units(2)], [units(3)])
    assert not bench.sync(TOLD)["units"].is_first
    bench.clock.move(timedelta(hours=1))
    assert bench.sync(TOLD)["units"].is_first
    assert bench.rows("select count(*) from elm.units") == [(3,)]
    assert told(bench) == []
    bench.clock.move(DAY)
    bench.source.will_serve("units", [units(4)])
    bench.sync(TOLD)
    assert told(bench) == [("data.new", '{"id":4}')]


def test_a_first_sync_of_nothing_at_all_is_one(bench: Bench) -> None:
    plan = replace(plan_of(), subscriptions=(CRM,))
    bench.source.will_serve("units", [], [units(1)])
    assert bench.sync(plan)["units"].is_first
    bench.clock.move(DAY)
    bench.sync(plan)
    assert told(bench) == [("data.new", '{"id":1}')]


def test_a_backsync_is_quiet_and_ends_no_first_sync(bench: Bench) -> None:
    plan = replace(TOLD, initial_window=DAY)
    bench.source.will_serve("units", [units(1)], [units(2)])
    bench.sync(plan)
    result = bench.sync(plan, reading=Reading.BACKSYNC, start=NOON - 5 * DAY)["units"]
    assert (result.counts.new, result.is_first) == (1, False)
    assert told(bench) == []


def test_the_first_read_of_the_whole_brings_old_records_quietly(bench: Bench) -> None:
    plan = replace(TOLD, initial_window=DAY)
    bench.source.will_serve("units", [units(1, name="a")])
    bench.sync(plan)
    bench.clock.move(DAY)
    bench.source.will_serve("units", [units(1, 2, name="b", minutes=24 * 60)])
    bench.sync(plan, reading=Reading.FULL)
    assert told(bench) == [("data.update", '{"id":1}')]
    bench.clock.move(DAY)
    bench.source.will_serve("units", [units(1, 2, 3, name="b", minutes=48 * 60)])
    bench.sync(plan, reading=Reading.FULL)
    assert told(bench)[1:] == [("data.new", '{"id":3}')]
