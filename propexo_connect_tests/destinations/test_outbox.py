"""The outbox: what is told of records, to whom, and when it is dropped."""

import json
from datetime import UTC, timedelta
from hashlib import sha256
from typing import Any

import pytest

from propexo_connect.destinations.outbox import KEEP_DEAD, KEEP_DELIVERED
from propexo_connect.model.event import Event, Notice, Subscription, event_id
from propexo_connect.model.field import INTEGER, TEXT
from propexo_connect.model.ledger import Reading
from propexo_connect.model.stream import Mode, StreamPlan
from propexo_connect_tests.destinations.kit import HOUR, NOON, Bench, keyed_plan, layout_of, unit, units_plan

BOTH = (Event.DATA_NEW, Event.DATA_UPDATE)
READ_AFTER = timedelta(minutes=1)


def told(*events: Event, endpoint: str = "crm", **options: Any) -> StreamPlan:
    """The stream `units`, of which an endpoint wants these events."""
    return units_plan(subscriptions=(Subscription(endpoint, events or BOTH, **options),))


def outbox(bench: Bench) -> list[dict[str, Any]]:
    """All events in the order of time and key, JSON parsed."""
    names = ["id", "stream", "event", "key", "occurred_at", "sync_id", "endpoints", "payload"]
    rows = bench.query(
        "select id, stream, event, key, occurred_at, sync_id, cast(endpoints as text), "
        "cast(payload as text) from _propexo.outbox order by occurred_at, key, event, id"
    )
    found = [dict(zip(names, row, strict=True)) for row in rows]
    for row in found:
        row["occurred_at"] = row["occurred_at"].astimezone(UTC)
        row["endpoints"], row["payload"] = json.loads(row["endpoints"]), json.loads(row["payload"])
    return found


def kinds(bench: Bench) -> list[tuple[str, str]]:
    """Event and key of each."""
    return [(row["event"], row["key"]) for row in outbox(bench)]


def test_a_new_record_is_told_whole(bench: Bench) -> None:
    bench.sync(told()).commit([unit(1, "a", None)])
    (row,) = outbox(bench)
    assert row.pop("id").startswith("evt_")
    assert row == {
        "stream": "units",
        "event": "data.new",
        "key": '{"id":1}',
        "occurred_at": NOON + READ_AFTER,
        "sync_id": "sync-1",
        "endpoints": ["crm"],
        "payload": {
            "connection": "acme",
            "stream": "units",
            "table": "pms.units",
            "reading": "recurring",
            "sync_id": "sync-1",
            "key": {"id": 1},
            "record": {"id": 1, "name": "a", "updated_at": None},
        },
    }


def test_a_change_is_told_with_the_changed_fields_alone(bench: Bench) -> None:
    bench.sync(told()).commit([unit(1, "a"), unit(2, "b")], is_first=True)
    bench.sync(told(), hours=1).commit([unit(1, "a"), unit(2, "c")])
    (row,) = outbox(bench)
    assert (row["event"], row["key"], row["occurred_at"]) == (
        "data.update",
        '{"id":2}',
        NOON + HOUR + READ_AFTER,
    )
    assert row["payload"]["diff"] == {"previous": {"name": "b"}, "new": {"name": "c"}}
    assert "record" not in row["payload"]


def test_an_unchanged_second_sync_tells_nothing(bench: Bench) -> None:
    bench.sync(told()).commit([unit(1, "a"), unit(2, "b")])
    before = outbox(bench)
    bench.sync(told(), hours=1).commit([unit(1, "a"), unit(2, "b")])
    bench.sync(told(), hours=2).commit([unit(1, "older", -1)])
    assert outbox(bench) == before


def test_a_first_sync_tells_nothing_unless_asked(bench: Bench) -> None:
    quiet = Subscription("quiet", BOTH)
    eager = Subscription("eager", BOTH, with_first_sync=True)
    plan = units_plan(subscriptions=(quiet, eager))
    bench.sync(plan).commit([unit(1, "a")], is_first=True)
    assert [row["endpoints"] for row in outbox(bench)] == [["eager"]]


@pytest.mark.parametrize("reading", [Reading.BACKSYNC, Reading.REPULL])
def test_reads_of_old_records_tell_nothing_unless_asked(bench: Bench, reading: Reading) -> None:
    bench.sync(told()).commit([unit(1, "a")], is_first=True)
    bench.sync(told(), hours=1, reading=reading).commit([unit(1, "b", 1), unit(2, "c")])
    assert outbox(bench) == []
    plan = told(with_backsync=True)
    bench.sync(plan, hours=2, reading=reading).commit([unit(1, "d", 2), unit(3, "e")], is_first=True)
    assert kinds(bench) == [("data.update", '{"id":1}'), ("data.new", '{"id":3}')]


def test_what_the_first_whole_read_finds_is_old_but_its_changes_are_news(bench: Bench) -> None:
    bench.sync(told()).commit([unit(1, "a")], is_first=True)
    bench.sync(told(), hours=1, reading=Reading.FULL).commit(
        [unit(1, "b", 1), unit(2, "from long ago")], is_first_full=True
    )
    bench.sync(told(), hours=2, reading=Reading.FULL).commit([unit(1, "b", 1), unit(3, "forgotten")])
    assert kinds(bench) == [("data.update", '{"id":1}'), ("data.new", '{"id":3}')]


def test_each_event_goes_to_those_who_want_it(bench: Bench) -> None:
    plan = units_plan(
        subscriptions=(
            Subscription("crm", BOTH),
            Subscription("audit", (Event.DATA_NEW,)),
            Subscription("audit", (Event.DATA_NEW, Event.SYNC_FAILED)),
            Subscription("pager", (Event.SYNC_FAILED,)),
        )
    )
    bench.sync(plan).commit([unit(1, "a")])
    bench.sync(plan, hours=1).commit([unit(1, "b")])
    assert [row["endpoints"] for row in outbox(bench)] == [["audit", "crm"], ["crm"]]


def test_updates_alone_may_be_wanted(bench: Bench) -> None:
    plan = told(Event.DATA_UPDATE)
    bench.sync(plan).commit([unit(1, "a")])
    bench.sync(plan, hours=1).commit([unit(1, "b"), unit(2, "new")])
    assert kinds(bench) == [("data.update", '{"id":1}')]
    assert bench.table() == [(1, "b"), (2, "new")]


def test_records_that_could_be_appended_unjudged_are_told_as_well(bench: Bench) -> None:
    """After a step of new records alone the next is appended at once; keys that lie apart are, too."""
    bench.sync(told()).commit([unit(1, "a")])
    bench.sync(told(), hours=1).commit([unit(2, "b")])
    bench.sync(told(), hours=2).commit([unit(9, "c")])
    assert kinds(bench) == [("data.new", '{"id":1}'), ("data.new", '{"id":2}'), ("data.new", '{"id":9}')]
    assert bench.table() == [(1, "a"), (2, "b"), (9, "c")]


def test_versions_are_told_like_changes(bench: Bench) -> None:
    plan = units_plan(mode=Mode.APPEND, subscriptions=(Subscription("crm", BOTH),))
    bench.sync(plan).commit([unit(1, "a")])
    bench.sync(plan, hours=1).commit([unit(1, "b")])
    assert kinds(bench) == [("data.new", '{"id":1}'), ("data.update", '{"id":1}')]
    assert outbox(bench)[1]["payload"]["diff"] == {"previous": {"name": "a"}, "new": {"name": "b"}}


def test_a_swap_tells_what_it_brings_and_changes(bench: Bench) -> None:
    plan = units_plan(mode=Mode.OVERWRITE, subscriptions=(Subscription("crm", BOTH),))
    bench.sync(plan, reading=Reading.FULL).commit([unit(1, "a"), unit(2, "b")], is_first=True)
    swapping = bench.sync(plan, hours=1, reading=Reading.FULL)
    swapping.commit([unit(1, "c", 1)], is_complete=False)
    assert outbox(bench) == []
    swapping.commit([unit(3, "d", 1)])
    assert kinds(bench) == [("data.update", '{"id":1}'), ("data.new", '{"id":3}')]


def test_lines_without_a_key_have_an_id_each(bench: Bench) -> None:
    layout = layout_of([], line=TEXT)
    plan = keyed_plan(layout, mode=Mode.APPEND, subscriptions=(Subscription("crm", BOTH),))
    bench.sync(plan, layout=layout).commit([{"line": "a"}, {"line": "b"}])
    rows = outbox(bench)
    assert [(row["key"], row["payload"]["key"]) for row in rows] == [(None, None)] * 2
    assert len({row["id"] for row in rows}) == 2


def test_ids_are_the_same_on_every_destination(bench: Bench) -> None:
    layout = layout_of(["b", "a"], a=TEXT, b=INTEGER, c=TEXT)
    plan = keyed_plan(layout, subscriptions=(Subscription("crm", BOTH),))
    bench.sync(plan, layout=layout).commit([{"a": 'ü"', "b": 1, "c": "1"}])
    bench.sync(plan, hours=1, layout=layout).commit([{"a": 'ü"', "b": 1, "c": "2"}])
    made_of = (
        '["acme", "units", 1, "data.new",{"b":1,"a":"ü\\""}]',
        '["acme", "units", 2, "data.update",{"b":1,"a":"ü\\""}]',
    )
    assert [row["id"] for row in outbox(bench)] == [
        f"evt_{sha256(text.encode()).hexdigest()[:32]}" for text in made_of
    ]


def test_a_stream_nobody_wants_to_hear_of_does_not_touch_the_outbox(bench: Bench) -> None:
    bench.query("drop table _propexo.outbox")
    elsewhere = units_plan(subscriptions=(Subscription("pager", (Event.SYNC_FAILED,)),))
    bench.sync(elsewhere).commit([unit(1, "a")])
    bench.sync(hours=1).commit([unit(1, "b"), unit(2, "c")])
    assert bench.table() == [(1, "b"), (2, "c")]


def notice(number: int = 1, *endpoints: str) -> Notice:
    """The end of a sync."""
    return Notice(
        event_id("acme", number),
        Event.SYNC_COMPLETED,
        "acme",
        NOON,
        f"sync-{number}",
        endpoints or ("crm",),
        {"text": "é"},
    )


def test_events_of_a_sync_are_written_once(bench: Bench) -> None:
    bench.session.emit([notice(1), notice(2)])
    bench.session.emit([notice(2)])
    assert left(bench) == ["sync-1", "sync-2"]
    assert {row["event"] for row in outbox(bench)} == {"sync.completed"}
    assert outbox(bench)[0]["payload"] == {"text": "é"}


def deliver(bench: Bench, number: int, state: str, endpoint: str = "crm", replay: int = 0) -> None:
    """One delivery of an event, made and settled at noon."""
    done = "null" if state != "delivered" else "timestamptz '2026-03-01 12:00:00+00'"
    bench.query(
        f"insert into _propexo.deliveries values ('{event_id('acme', number)}', '{endpoint}', {replay}, "
        f"'{state}', 1, null, timestamptz '2026-03-01 12:00:00+00', {done}, 200, null)"
    )
    bench.query(
        f"insert into _propexo.delivery_log values ('{event_id('acme', number)}', '{endpoint}', {replay}, "
        f"1, timestamptz '2026-03-01 12:00:00+00', 200, 5, null)"
    )


def left(bench: Bench) -> list[str]:
    """The syncs whose events are still there."""
    return sorted(row["sync_id"] for row in outbox(bench))


def test_delivered_events_are_dropped_after_a_month_and_dead_ones_after_three(bench: Bench) -> None:
    bench.session.emit([notice(1), notice(2), notice(3)])
    deliver(bench, 1, "delivered")
    deliver(bench, 2, "dead")
    deliver(bench, 3, "pending")
    second = timedelta(seconds=1)
    assert bench.session.prune_outbox(NOON + KEEP_DELIVERED) == 0
    assert bench.session.prune_outbox(NOON + KEEP_DELIVERED + second) == 1
    assert left(bench) == ["sync-2", "sync-3"]
    bench.session.prune_outbox(NOON + KEEP_DEAD + second)
    assert left(bench) == ["sync-3"]
    bench.session.prune_outbox(NOON + 10 * KEEP_DEAD)
    assert left(bench) == ["sync-3"]
    for table in ("deliveries", "delivery_log"):
        rows = bench.query(f"select event_id from _propexo.{table}")
        assert rows == [(event_id("acme", 3),)]


def test_an_event_that_one_endpoint_still_waits_for_stays(bench: Bench) -> None:
    bench.session.emit([notice(1, "crm", "audit"), notice(2)])
    deliver(bench, 1, "delivered")
    assert bench.session.prune_outbox(NOON + 10 * KEEP_DEAD) == 0
    deliver(bench, 1, "delivered", "audit")
    assert bench.session.prune_outbox(NOON + 10 * KEEP_DEAD) == 1
    assert left(bench) == ["sync-2"]


def test_a_replay_decides_for_its_endpoint(bench: Bench) -> None:
    bench.session.emit([notice(1), notice(2)])
    deliver(bench, 1, "dead")
    deliver(bench, 1, "delivered", replay=1)
    deliver(bench, 2, "delivered")
    deliver(bench, 2, "pending", replay=1)
    bench.session.prune_outbox(NOON + KEEP_DELIVERED + HOUR)
    assert left(bench) == ["sync-2"]
