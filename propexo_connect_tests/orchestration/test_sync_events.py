"""What a connection's run writes into the outbox."""

import json
from typing import Any

import pytest

from propexo_connect.connection.folder import subscribed
from propexo_connect.connection.parse import Connection
from propexo_connect.model.errors import Unreachable
from propexo_connect.model.event import Event, Subscription
from propexo_connect_tests.orchestration.bench import Bench

ALL = tuple(event for event in Event if event is not Event.TEST)


class HeardBench(Bench):
    """A bench whose connection is listened to."""

    def connection(self, **fields: Any) -> Connection:
        """With a subscription to everything."""
        return subscribed(super().connection(**fields), [Subscription("crm", ALL)])


@pytest.fixture
def heard(bench: Bench) -> HeardBench:
    """A bench whose connection is listened to."""
    return HeardBench(bench.folder, bench.instance)


def told(bench: Bench) -> list[tuple[str, Any]]:
    """Event and payload of each, in the order of time."""
    rows = bench.rows("select event, payload from _propexo.outbox order by occurred_at, event desc, id")
    return [(event, json.loads(payload)) for event, payload in rows]


def streams(payload: Any) -> list[str]:
    """The streams that a payload names."""
    return sorted(one["stream"] for one in payload["streams"])


def test_the_first_sync_and_its_completion_are_told(heard: HeardBench) -> None:
    assert heard.sync().success
    (completed, payload), (first, first_payload) = told(heard)
    assert (completed, first) == ("sync.completed", "first_sync.completed")
    assert streams(payload) == streams(first_payload) == ["properties", "units", "visits", "work-orders"]


def test_the_second_sync_is_told_with_its_news(heard: HeardBench) -> None:
    heard.sync("properties")
    heard.vendor.records["properties"] = [{"id": 1, "name": "Uno"}, {"id": 2, "name": "Two"}]
    heard.sync("properties")
    kinds = [event for event, _ in told(heard)[2:]]
    assert sorted(kinds) == ["data.new", "data.update", "sync.completed"]


def test_a_failed_stream_is_told(heard: HeardBench) -> None:
    heard.vendor.failures["units"] = Unreachable("the connection was cut")
    assert not heard.sync().success
    failed = dict(told(heard))["sync.failed"]
    assert streams(failed) == ["units"]
    assert sorted(failed["completed"]) == ["properties", "visits", "work-orders"]


def test_a_source_that_cannot_be_opened_is_told_without_its_secrets(
    heard: HeardBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ACME_PASSWORD", raising=False)
    heard.fields = {"source": {"connector": "acme", "password": "${ACME_PASSWORD}"}}
    assert not heard.sync().success
    ((event, payload),) = told(heard)
    assert (event, payload["kind"], payload["is_retryable"]) == ("sync.failed", "MissingSecret", False)


def test_a_connection_nobody_listens_to_tells_nothing(bench: Bench) -> None:
    bench.sync()
    bench.vendor.failures["units"] = Unreachable("the connection was cut")
    bench.sync()
    assert told(bench) == []


def test_the_end_of_a_sync_drops_what_was_delivered_long_ago(heard: HeardBench) -> None:
    heard.sync("properties")
    heard.rows(
        "insert into _propexo.deliveries select id, 'crm', 0, 'delivered', 1, null, occurred_at, "
        "timestamptz '2020-01-01', 200, null from _propexo.outbox"
    )
    heard.sync("properties")
    assert [event for event, _ in told(heard)] == ["sync.completed"]
    assert heard.rows("select count(*) from _propexo.deliveries") == [(0,)]


def test_an_outbox_that_cannot_be_written_undoes_no_sync(heard: HeardBench) -> None:
    heard.sync("properties")
    heard.rows("drop table _propexo.outbox")
    result = heard.sync("properties")
    assert result.success
    entries = heard.instance.all_logs(result.run_id)
    assert any("could not be told of" in entry.user_message for entry in entries)
