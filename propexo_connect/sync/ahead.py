"""Pages read ahead, so that the source works while a step is being stored."""

import threading
from collections import deque
from collections.abc import Iterator

from propexo_connect.connectors.base import Page


class ReadAhead(Iterator[Page]):
    """The pages of an iterator, pulled by a thread of its own, at most `room_bytes` ahead.

    An error of the iterator is raised where its page would have come.
    """

    def __init__(self, pages: Iterator[Page], room_bytes: int) -> None:
        self._pages = pages
        self._room_bytes = room_bytes
        self._waiting: deque[Page] = deque()
        self._waiting_bytes = 0
        self._is_over = False
        self._is_closed = False
        self._error: BaseException | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._pull, name="propexo-read-ahead", daemon=True)
        self._thread.start()

    def _pull(self) -> None:
        try:
            for page in self._pages:
                with self._changed:
                    self._changed.wait_for(lambda: self._is_closed or self._waiting_bytes < self._room_bytes)
                    if self._is_closed:
                        return
                    self._waiting.append(page)
                    self._waiting_bytes += page.size_bytes
                    self._changed.notify_all()
        except BaseException as error:  # noqa: BLE001 (handed to the reading thread as it is)
            self._error = error
        finally:
            close = getattr(self._pages, "close", None)
            if close is not None:
                close()
            with self._changed:
                self._is_over = True
                self._changed.notify_all()

    def __next__(self) -> Page:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_over)
            if self._waiting:
                page = self._waiting.popleft()
                self._waiting_bytes -= page.size_bytes
                self._changed.notify_all()
                return page
        if self._error is not None:
            raise self._error
        raise StopIteration

    def close(self) -> None:
        """Stop pulling after the page that is under way."""
        with self._changed:
            self._is_closed = True
            self._waiting.clear()
            self._changed.notify_all()
