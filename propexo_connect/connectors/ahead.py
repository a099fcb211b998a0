"""Reading one page ahead in a thread of its own, so that a blocked system can be left."""

import queue
import threading
from collections.abc import Callable, Generator, Iterator
from typing import Generic, TypeVar, cast

from propexo_connect.model.errors import Stalled

T = TypeVar("T")

_LOOK_EVERY_S = 0.1
_LEAVE_AFTER_S = 5.0
_END = object()


def read_ahead(
    produce: Callable[[], Iterator[T]], stop: threading.Event, cancel: Callable[[], None]
) -> Generator[T]:
    """What `produce` yields, in its order, one item ahead of the consumer.

    The thread opens and closes whatever `produce` uses. When the consumer stops early, or `stop` is set,
    `cancel` is called from the consumer's thread: it must make a blocked producer return with an error.
    A producer that does not return even then is left behind with its connection.

    Raises:
        Stalled: `stop` was set before the last item.
        Exception: whatever `produce` raised, after the items before it.
    """
    producer = _Producer(produce)
    producer.start()
    try:
        while (item := producer.take(stop)) is not _END:
            yield cast(T, item)
    finally:
        producer.is_left.set()
        if producer.is_alive():
            cancel()
            producer.join(_LEAVE_AFTER_S)


class _Producer(threading.Thread, Generic[T]):
    def __init__(self, produce: Callable[[], Iterator[T]]) -> None:
        super().__init__(name="read-ahead", daemon=True)
        self.is_left = threading.Event()
        self._produce = produce
        self._items: queue.Queue[object] = queue.Queue(maxsize=1)
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            for item in self._produce():
                self._offer(item)
                if self.is_left.is_set():
                    return
        except BaseException as error:  # noqa: BLE001 - raised again in the consumer's thread
            self._error = error
        self._offer(_END)

    def _offer(self, item: object) -> None:
        while not self.is_left.is_set():
            try:
                return self._items.put(item, timeout=_LOOK_EVERY_S)
            except queue.Full:
                continue
        return None

    def take(self, stop: threading.Event) -> object:
        """The next item, or `_END` after the last."""
        while not stop.is_set():
            try:
                item = self._items.get(timeout=_LOOK_EVERY_S)
            except queue.Empty:
                continue
            if item is _END and self._error is not None:
                raise self._error
            return item
        raise Stalled("reading was cancelled")
