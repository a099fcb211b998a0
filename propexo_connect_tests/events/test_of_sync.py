"""Which events the end of a sync is."""

from dataclasses import replace
from typing import Any

from propexo_connect.events.of_sync import SyncEnd, notices_of
from propexo_connect.model.counts import Counts
from propexo_connect.model.errors import ConnectError, CredentialsRefused, Unreachable
from propexo_connect.model.event import Event, Notice, Subscription
from propexo_connect.model.ledger import Reading
from propexo_connect.sync.result import StreamResult
from propexo_connect_tests.destinations.kit import HOUR, NOON, units_plan

OF_SYNCS = (Event.SYNC_COMPLETED, Event.FIRST_SYNC_COMPLETED, Event.SYNC_FAILED)
CRM = Subscription("crm", OF_SYNCS)


def result(name: str = "units", error: ConnectError | None = None, **more: Any) -> StreamResult:
    """What became of a stream."""
    plan = units_plan()
    plan = replace(plan, stream=replace(plan.stream, name=name))
    return StreamResult(plan, (), 1, 1.0, error=error, counts=Counts(read=3, new=2, unchanged=1), **more)


def end(*results: StreamResult, error: ConnectError | None = None) -> SyncEnd:
    """The end of a sync of an hour."""
    return SyncEnd("acme", "sync-1", Reading.RECURRING, NOON, NOON + HOUR, results, error)


def told(given: SyncEnd, *subscriptions: Subscription) -> dict[Event, Notice]:
    """The events by kind, each at most once."""
    notices = notices_of(given, subscriptions or (CRM,))
    assert len({notice.event for notice in notices}) == len(notices)
    return {notice.event: notice for notice in notices}


def test_a_sync_is_complete_when_every_stream_is() -> None:
    (notice,) = told(end(result(), result("leases"))).values()
    assert (notice.event, notice.endpoints, notice.occurred_at) == (
        Event.SYNC_COMPLETED,
        ("crm",),
        NOON + HOUR,
    )
    assert notice.payload == {
        "connection": "acme",
        "sync_id": "sync-1",
        "reading": "recurring",
        "started_at": "2026-03-01T12:00:00+00:00",
        "ended_at": "2026-03-01T13:00:00+00:00",
        "streams": [
            {
                "stream": name,
                "table": "pms.units",
                "read": 3,
                "new": 2,
                "changed": 0,
                "unchanged": 1,
                "superseded": 0,
                "rejected": 0,
            }
            for name in ("units", "leases")
        ],
    }


def test_a_first_sync_names_the_streams_whose_first_it_was() -> None:
    events = told(end(result(), result("leases", is_first=True)))
    assert list(events) == [Event.SYNC_COMPLETED, Event.FIRST_SYNC_COMPLETED]
    streams = events[Event.FIRST_SYNC_COMPLETED].payload["streams"]
    assert [one["stream"] for one in streams] == ["leases"]


def test_one_failed_stream_fails_the_sync_and_hides_no_first_one() -> None:
    cut = Unreachable("cut off", remedy="Look at the network.")
    events = told(end(result(error=cut), result("leases", is_first=True)))
    assert list(events) == [Event.SYNC_FAILED, Event.FIRST_SYNC_COMPLETED]
    payload = events[Event.SYNC_FAILED].payload
    assert payload["error"] == "1 of 2 streams failed."
    assert payload["is_retryable"] is True
    assert payload["completed"] == ["leases"]
    (failed,) = payload["streams"]
    assert (failed["stream"], failed["kind"], failed["is_retryable"]) == ("units", "Unreachable", True)
    assert (failed["error"], failed["remedy"]) == ("cut off. Look at the network.", "Look at the network.")


def test_a_sync_that_could_not_begin_has_failed() -> None:
    refused = CredentialsRefused("the log-in is refused", remedy="Renew the password.")
    payload = told(end(error=refused))[Event.SYNC_FAILED].payload
    assert payload["error"] == "the log-in is refused. Renew the password."
    assert (payload["kind"], payload["is_retryable"]) == ("CredentialsRefused", False)
    assert payload["streams"] == payload["completed"] == []


def test_a_sync_of_nothing_is_no_event() -> None:
    assert told(end()) == {}


def test_an_event_goes_to_those_alone_who_want_it_of_this_connection() -> None:
    done = end(result())
    assert told(done, Subscription("crm", (Event.SYNC_FAILED,))) == {}
    assert told(done, replace(CRM, connections=("other",))) == {}
    several = (CRM, replace(CRM, endpoint="audit"), replace(CRM, streams=("leases",)))
    assert told(done, *several)[Event.SYNC_COMPLETED].endpoints == ("audit", "crm")


def test_the_same_end_has_the_same_id_and_another_sync_another() -> None:
    first, second = told(end(result())), told(end(result()))
    other = told(replace(end(result()), sync_id="sync-2"))
    assert first[Event.SYNC_COMPLETED].id == second[Event.SYNC_COMPLETED].id
    assert first[Event.SYNC_COMPLETED].id != other[Event.SYNC_COMPLETED].id
