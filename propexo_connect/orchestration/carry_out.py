"""A sync between two worlds: the engine works in its threads, Dagster is told from the main thread only."""

import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator

from propexo_connect.connectors.base import Source
from propexo_connect.destinations.base import Session
from propexo_connect.model.clock import Clock
from propexo_connect.model.stream import SyncSettings
from propexo_connect.sync.result import StreamResult, SyncOrder
from propexo_connect.sync.run import run_sync

FLUSH_AFTER_S = 1.0
"""Log lines gather for so long and are told at once: each telling is a write to Dagster's event log."""

STOP_WITHIN_S = 45.0
"""How long a cancelled sync may take to roll back what it had begun."""


class _End:
    """The engine is done; `error` is what it raised, which it never should."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


_Message = str | StreamResult | _End


def carry_out(
    order: SyncOrder,
    source: Source,
    session: Session,
    settings: SyncSettings,
    clock: Clock,
    tell: Callable[[str], None],
) -> Generator[StreamResult]:
    """Each stream's result the moment it has ended; `tell` is called from the caller's thread alone.

    An interruption of the caller (Dagster raises it in the main thread) stops the engine and waits for
    its transactions to end.
    """
    messages: queue.Queue[_Message] = queue.Queue()
    stop = threading.Event()

    def work() -> None:
        try:
            for result in run_sync(order, source, session, settings, clock, messages.put, stop):
                messages.put(result)
        except BaseException as error:  # noqa: BLE001 (carried to the caller's thread and raised there)
            messages.put(_End(error))
        else:
            messages.put(_End())

    thread = threading.Thread(target=work, name=f"sync-{order.sync_id[:8]}", daemon=True)
    thread.start()
    try:
        yield from _heard(messages, tell)
    finally:
        stop.set()
        thread.join(STOP_WITHIN_S)


def _heard(messages: queue.Queue[_Message], tell: Callable[[str], None]) -> Iterator[StreamResult]:
    lines: list[str] = []
    flush_at = 0.0
    while True:
        try:
            message = messages.get(timeout=max(0.0, flush_at - time.monotonic()) if lines else None)
        except queue.Empty:
            message = None
        if isinstance(message, str):
            if not lines:
                flush_at = time.monotonic() + FLUSH_AFTER_S
            lines.append(message)
            if time.monotonic() < flush_at:
                continue
        if lines:
            tell("\n".join(lines))
            lines = []
        if isinstance(message, StreamResult):
            yield message
        elif isinstance(message, _End):
            if message.error is not None:
                raise message.error
            return
