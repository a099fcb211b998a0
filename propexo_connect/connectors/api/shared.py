"""One read of a parent stream for everybody who needs it: the stream itself, and all of its children."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from tempfile import TemporaryFile

from propexo_connect.connectors.base import JsonPage
from propexo_connect.http.context import Context
from propexo_connect.http.retry import heed_stop
from propexo_connect.model.errors import Stalled

_LOOK_EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class _Place:
    page: JsonPage
    """Without its records."""
    offset: int
    length: int


class SharedRead:
    """Pages fetched once, in a thread of their own, and kept in a file for all readers.

    A failure is every reader's, and the end of it: whoever tries again starts another one.
    """

    def __init__(self, produce: Callable[[], Iterator[JsonPage]]) -> None:
        self._produce = produce
        self._file = TemporaryFile(prefix="propexo-shared-")  # noqa: SIM115 - closed with the source
        self._places: list[_Place] = []
        self._error: BaseException | None = None
        self._is_over = False
        self._is_partial = False
        self._reader_count = 0
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._fetch, name="propexo-shared", daemon=True)
        self._thread.start()

    @property
    def has_failed(self) -> bool:
        """Whether it ended with an error, or without some of its own parents."""
        return self._error is not None or (self._is_over and self._is_partial)

    @property
    def is_idle(self) -> bool:
        """Whether all has come and nobody is reading it."""
        return self._is_over and not self._reader_count

    def enter(self) -> None:
        """Somebody will read; comes before each `pages`."""
        with self._changed:
            self._reader_count += 1

    def pages(self, context: Context) -> Iterator[JsonPage]:
        """All pages, those that have come and those that come."""
        try:
            yield from self._followed(context)
        finally:
            with self._changed:
                self._reader_count -= 1

    def _followed(self, context: Context) -> Iterator[JsonPage]:
        number = 0
        while True:
            with self._changed:
                while number >= len(self._places) and not self._is_over:
                    heed_stop(context)
                    self._changed.wait(_LOOK_EVERY_S)
                if number >= len(self._places):
                    if self._error is not None:
                        raise self._error
                    return
                place = self._places[number]
                self._file.seek(place.offset)
                records = self._file.read(place.length)
            number += 1
            yield replace(place.page, records=records)

    def close(self) -> None:
        """Let the pages go."""
        with self._changed:
            if not self._is_over:
                self._error = Stalled("reading was cancelled")
            self._is_over = True
            self._file.close()
            self._changed.notify_all()

    def _fetch(self) -> None:
        try:
            for page in self._produce():
                with self._changed:
                    if self._is_over:
                        return
                    self._is_partial |= page.part is not None and page.part.has_failed
                    offset = self._file.seek(0, 2)
                    self._file.write(page.records)
                    self._places.append(_Place(replace(page, records=b""), offset, len(page.records)))
                    self._changed.notify_all()
        except BaseException as error:  # noqa: BLE001 - raised again in every reader's thread
            self._error = error
        with self._changed:
            self._is_over = True
            self._changed.notify_all()
