"""Records and states, as a foreign program mixes them, made into pages whose position is a state.

    record record STATE a record STATE b record   →   page (4 records, position b) …

A state promises that everything said before it need not be said again. So a page that goes out carries the
latest state behind which all records have been given out: with it, or before it; never one too far.
"""

from collections.abc import Callable, Iterator
from datetime import datetime

from propexo_connect.connectors.base import JsonPage, ReadContext

_LONGEST_S = 60.0
"""A page goes out after so long however small it is: it is the progress by which a stall is told."""


class StatePages:
    """Pages in the making.

    Args:
        position: the state to start from, None when there is none.
    """

    def __init__(self, context: ReadContext, now: Callable[[], datetime], position: str | None) -> None:
        self._context = context
        self._now = now
        self._state = position
        self._given = position
        self._page_bytes = max(context.step_bytes // 4, 64 * 1024)
        self._records: list[bytes | memoryview] = []
        self._bytes = 0
        self._began_s = context.clock.monotonic()

    def record(self, text: bytes | memoryview) -> Iterator[JsonPage]:
        """Take a record, the text of one JSON object; may fill a page."""
        self._records.append(text)
        self._bytes += len(text)
        if self._bytes >= self._page_bytes:
            yield self._page()

    def state(self, text: str) -> None:
        """Take a state."""
        self._state = text

    def tick(self) -> Iterator[JsonPage]:
        """The page that has waited long enough."""
        if self._records and self._context.clock.monotonic() - self._began_s >= _LONGEST_S:
            yield self._page()

    def rest(self) -> Iterator[JsonPage]:
        """What is left; without records, too, when there is a state to be remembered."""
        if self._records or self._state != self._given:
            yield self._page()

    def _page(self) -> JsonPage:
        content = b"[" + b",".join(self._records) + b"]"
        self._context.meter.add(bytes_read=len(content))
        self._records, self._bytes = [], 0
        self._began_s = self._context.clock.monotonic()
        self._given = self._state
        return JsonPage(content, self._now(), position=self._state)
