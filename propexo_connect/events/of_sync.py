"""Which events the end of a sync is, and for whom; a pure decision.

    sync.completed         every stream that was to be read was committed to its end
    first_sync.completed   besides: it was the first sync of some streams, which it names
    sync.failed            some streams failed, or the sync could not begin

One sync is told of once: an event's id is made of the sync's. A run that is started again is another sync.
Where the destination itself cannot be reached there is no outbox to write to, and nothing is told from here;
Dagster knows of the failed run all the same, and the sensor on failed runs tells of it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from propexo_connect.model.errors import ConnectError
from propexo_connect.model.event import Event, Notice, Subscription, event_id
from propexo_connect.model.ledger import Reading
from propexo_connect.sync.result import StreamResult


@dataclass(frozen=True, slots=True)
class SyncEnd:
    """How one sync of a connection ended.

    Args:
        error: why it could not begin, or ended as a whole; None where each stream has its own result.
    """

    connection: str
    sync_id: str
    reading: Reading
    started_at: datetime
    ended_at: datetime
    results: tuple[StreamResult, ...] = ()
    error: ConnectError | None = None


def notices_of(end: SyncEnd, subscriptions: Iterable[Subscription]) -> list[Notice]:
    """The events to be written, each for those who want it; none that nobody wants."""
    about = [subscription for subscription in subscriptions if subscription.covers(end.connection)]
    told = [(event, wanting(event, about), payload) for event, payload in _events(end)]
    return [
        Notice(
            event_id(event, end.connection, end.sync_id),
            event,
            end.connection,
            end.ended_at,
            end.sync_id,
            endpoints,
            payload,
        )
        for event, endpoints, payload in told
        if endpoints
    ]


def wanting(event: Event, subscriptions: Iterable[Subscription]) -> tuple[str, ...]:
    """The endpoints that want the event, each once."""
    return tuple(sorted({one.endpoint for one in subscriptions if one.wants(event)}))


def _events(end: SyncEnd) -> list[tuple[Event, dict[str, Any]]]:
    failed = [result for result in end.results if result.error is not None]
    done = [result for result in end.results if result.error is None]
    first = [result for result in done if result.is_first]
    events: list[tuple[Event, dict[str, Any]]] = []
    if end.error is not None or failed:
        events.append((Event.SYNC_FAILED, _failure(end, failed, done)))
    elif done:
        events.append((Event.SYNC_COMPLETED, _head(end) | {"streams": [_stream(one) for one in done]}))
    if first:
        events.append((Event.FIRST_SYNC_COMPLETED, _head(end) | {"streams": [_stream(one) for one in first]}))
    return events


def _head(end: SyncEnd) -> dict[str, Any]:
    return {
        "connection": end.connection,
        "sync_id": end.sync_id,
        "reading": str(end.reading),
        "started_at": end.started_at.isoformat(),
        "ended_at": end.ended_at.isoformat(),
    }


def _failure(end: SyncEnd, failed: Sequence[StreamResult], done: Sequence[StreamResult]) -> dict[str, Any]:
    """`error` in words, for the whole; below it each stream that failed, with the class of its error."""
    errors = [result.error for result in failed if result.error is not None]
    if end.error is not None:
        errors.append(end.error)
        said = str(end.error)
    else:
        said = f"{len(failed)} of {len(failed) + len(done)} streams failed."
    return _head(end) | {
        "error": said,
        "kind": end.error.name if end.error is not None else None,
        "is_retryable": any(error.retryable for error in errors),
        "streams": [_stream(one) | _problem(one.error, one.attempts) for one in failed if one.error],
        "completed": [one.plan.stream.name for one in done],
    }


def _stream(result: StreamResult) -> dict[str, Any]:
    return {
        "stream": result.plan.stream.name,
        "table": str(result.plan.table),
        **asdict(result.counts),
    }


def _problem(error: ConnectError, attempts: int) -> dict[str, Any]:
    """What went wrong and what to do, in the words of the error, which never hold a secret."""
    return {
        "error": str(error),
        "kind": error.name,
        "is_retryable": error.retryable,
        "remedy": error.remedy or None,
        "attempts": attempts,
    }
