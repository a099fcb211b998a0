"""Reading through parents: several at once, each failing on its own, each telling how it ended."""

import queue
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from propexo_connect.connectors.api.answers import count_of
from propexo_connect.connectors.base import JsonPage
from propexo_connect.http.context import Branch, Context
from propexo_connect.http.retry import heed_stop
from propexo_connect.model.clock import Clock
from propexo_connect.model.errors import (
    ConfigurationError,
    ConnectError,
    CredentialsRefused,
    RateLimited,
    Stalled,
    UnknownName,
)
from propexo_connect.model.ledger import Part

T = TypeVar("T")

_LOOK_EVERY_S = 0.1
_GIVE_UP_AFTER = 5
"""So many parents in a row that fail for a passing reason mean that the vendor is down, not they."""


class Skipped(ConnectError):
    """A parent that has nothing for us, by a status that its stream declares; never leaves this room."""


@dataclass(frozen=True)
class Branching:
    """One parent (or a batch of them): its key in the ledger, and what templates call its fields."""

    key: str
    names: Mapping[str, object]


def read_parts(
    branchings: Iterable[Branching],
    read: Callable[[Branching, Context], Iterator[JsonPage]],
    context: Context,
    in_flight: int,
    clock: Clock,
) -> Iterator[JsonPage]:
    """The pages of all parents; the last page of each carries its `Part`, also when it failed.

    Raises:
        CredentialsRefused, ConfigurationError, RateLimited, Stalled: what concerns all parents alike.
        RetryableError: so many parents failed in a row that the vendor must be down.
    """
    failed_in_a_row = 0

    def one(branching: Branching, within: Context) -> Iterator[JsonPage]:
        nonlocal failed_in_a_row
        held: JsonPage | None = None
        pages = records = 0
        part = Part(branching.key)
        try:
            for page in read(branching, within):
                pages += 1
                records += count_of(page.records)
                if held is not None:
                    yield held
                held = page
            failed_in_a_row = 0
        except Skipped as gone:
            part = replace(part, problem=gone.found, is_skipped=True)
        except (CredentialsRefused, RateLimited, Stalled):
            raise
        except ConfigurationError as error:
            if not isinstance(error, UnknownName):
                raise
            part = replace(part, problem=str(error))
        except ConnectError as error:
            failed_in_a_row += 1
            if error.retryable and failed_in_a_row >= _GIVE_UP_AFTER:
                raise
            part = replace(part, problem=str(error), is_passing=error.retryable)
        part = replace(part, page_count=pages, record_count=records)
        yield replace(held or JsonPage(b"[]", clock.now()), part=part)

    yield from interleaved(branchings, one, context, in_flight)


def interleaved(
    items: Iterable[T],
    produce: Callable[[T, Context], Iterator[JsonPage]],
    context: Context,
    in_flight: int,
) -> Generator[JsonPage]:
    """What `produce` yields for each item, up to `in_flight` items at once, in no set order.

    No more than two pages an item wait. The first error ends all; no thread outlives the iteration by
    more than the request it is in.
    """
    if in_flight <= 1:
        for item in items:
            heed_stop(context)
            yield from produce(item, context)
        return
    crew = _Crew(items, produce, Branch.off(context), in_flight)
    try:
        yield from crew.pages(context)
    finally:
        crew.branch.stop.set()


class _Crew(Generic[T]):
    """Threads that take items in turn and hand on their pages."""

    def __init__(
        self,
        items: Iterable[T],
        produce: Callable[[T, Context], Iterator[JsonPage]],
        branch: Branch,
        size: int,
    ) -> None:
        self.branch = branch
        self._items = iter(items)
        self._produce = produce
        self._size = size
        self._lock = threading.Lock()
        self._ready: queue.Queue[JsonPage | BaseException | None] = queue.Queue(maxsize=2 * size)
        for number in range(size):
            threading.Thread(target=self._work, name=f"propexo-parts-{number}", daemon=True).start()

    def pages(self, context: Context) -> Iterator[JsonPage]:
        left = self._size
        while left:
            heed_stop(context)
            try:
                one = self._ready.get(timeout=_LOOK_EVERY_S)
            except queue.Empty:
                continue
            if one is None:
                left -= 1
            elif isinstance(one, BaseException):
                raise one
            else:
                yield one

    def _work(self) -> None:
        try:
            while not self.branch.stop.is_set():
                with self._lock:
                    item = next(self._items, None)
                if item is None:
                    break
                for page in self._produce(item, self.branch):
                    self._offer(page)
        except BaseException as error:  # noqa: BLE001 - raised again in the reader's thread
            self._offer(error)
        self._offer(None)

    def _offer(self, one: JsonPage | BaseException | None) -> None:
        while not self.branch.stop.is_set():
            try:
                return self._ready.put(one, timeout=_LOOK_EVERY_S)
            except queue.Full:
                continue
        return None
