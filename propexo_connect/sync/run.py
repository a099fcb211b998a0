"""A sync: the streams of a connection, read at once, failing and retrying each on its own."""

import queue
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from tenacity import RetryCallState, Retrying, wait_random_exponential

from propexo_connect.connectors.base import Source
from propexo_connect.destinations.base import Session, TableFacts
from propexo_connect.model.clock import Clock
from propexo_connect.model.counts import Counts
from propexo_connect.model.errors import ConnectError, Defect, RateLimited, Stalled, VendorFault
from propexo_connect.model.layout import Change
from propexo_connect.model.ledger import Window
from propexo_connect.model.stream import RetryPolicy, StreamPlan, SyncSettings
from propexo_connect.model.tile import Tile
from propexo_connect.sync.decode import Decoder
from propexo_connect.sync.result import StreamResult, SyncOrder
from propexo_connect.sync.stop import BranchStop
from propexo_connect.sync.stream import Attempt, Start, begin

_LOOK_EVERY_S = 1.0
_STOP_WITHIN_S = 10.0


def run_sync(
    order: SyncOrder,
    source: Source,
    session: Session,
    settings: SyncSettings,
    clock: Clock,
    log: Callable[[str], None],
    stop: threading.Event,
) -> Iterator[StreamResult]:
    """Sync the streams of an order; each result is yielded the moment its stream has ended.

    A stream that fails for a passing reason is tried again after a while, the others going on
    meanwhile; what it had committed is not read again. Nothing is raised for a stream's failure.

    Args:
        log: takes lines in words, from several threads.
        stop: set from outside to end the sync; closing the iterator does the same.
    """
    sync = _Sync(order, source, session, settings, clock, log, stop)
    try:
        yield from sync.results()
    finally:
        sync.end()


@dataclass
class _Course:
    """One stream's way through its attempts."""

    plan: StreamPlan
    began_at: float
    attempts: int = 0
    windows: list[Window] = field(default_factory=list[Window])
    changes: list[Change] = field(default_factory=list[Change])
    current: Attempt | None = None
    done: dict[Tile, set[str]] = field(default_factory=dict[Tile, set[str]])
    waited_s: float = 0.0


class _Sync:
    def __init__(
        self,
        order: SyncOrder,
        source: Source,
        session: Session,
        settings: SyncSettings,
        clock: Clock,
        log: Callable[[str], None],
        stop: threading.Event,
    ) -> None:
        self._order = order
        self._source = source
        self._session = session
        self._settings = settings
        self._clock = clock
        self._log = log
        self._stop = stop
        self._started_at: datetime = clock.now()
        self._decoder = Decoder()
        self._ended: queue.Queue[tuple[_Course, Attempt, ConnectError | None]] = queue.Queue()
        self._starts = self._begun()
        self._ready = deque(_Course(plan, clock.monotonic()) for plan in order.plans)
        self._waiting: list[tuple[float, _Course]] = []
        self._running: dict[int, _Course] = {}
        self._threads: list[threading.Thread] = []

    def _begun(self) -> dict[str, Start]:
        """Where the streams stand; where it cannot be told, each asks for itself, and fails for itself."""
        try:
            return begin(self._session, self._order.plans, self._order) if self._order.plans else {}
        except ConnectError as error:
            self._log(f"the ledger could not be asked for all streams at once: {error}")
            return {}

    def results(self) -> Iterator[StreamResult]:
        while (self._ready or self._waiting or self._running) and not self._stop.is_set():
            self._start_what_fits()
            ended = self._next_ended()
            if ended is None:
                yield from self._stalled()
                continue
            course, attempt, error = ended
            if course.current is not attempt:
                continue  # given up as stalled; its fence is gone, so it stored nothing since
            yield from self._settle(course, error)

    def _start_what_fits(self) -> None:
        now = self._clock.monotonic()
        due = [entry for entry in self._waiting if entry[0] <= now]
        self._waiting = [entry for entry in self._waiting if entry[0] > now]
        self._ready.extend(course for _, course in due)
        while self._ready and len(self._running) < self._settings.max_streams:
            course = self._ready.popleft()
            course.attempts += 1
            attempt = Attempt(
                course.plan,
                self._order,
                course.attempts,
                self._started_at,
                self._source,
                self._session,
                self._decoder,
                self._settings,
                self._clock,
                self._log,
                BranchStop(self._stop),
                self._starts.pop(course.plan.stream.name, None),
                touched_at=self._clock.monotonic(),
                done=course.done,
            )
            course.current = attempt
            self._running[id(course)] = course
            # A daemon: an attempt that hangs in a dead socket must not keep the process alive.
            thread = threading.Thread(
                target=self._try,
                args=(course, attempt),
                name=f"propexo-{course.plan.stream.name}",
                daemon=True,
            )
            self._threads.append(thread)
            thread.start()

    def _try(self, course: _Course, attempt: Attempt) -> None:
        error: ConnectError | None = None
        try:
            attempt.run()
        except ConnectError as known:
            error = known.at(course.plan.where)
        except Exception as unknown:  # noqa: BLE001 (whatever it is, it ends this stream only)
            error = _defect(unknown, course.plan.where)
        self._ended.put((course, attempt, error))

    def _next_ended(self) -> tuple[_Course, Attempt, ConnectError | None] | None:
        if not self._running:
            if self._waiting and not self._ready:
                soonest = min(moment for moment, _ in self._waiting)
                self._clock.sleep(min(_LOOK_EVERY_S, max(0.0, soonest - self._clock.monotonic())))
            return None
        try:
            return self._ended.get(timeout=_LOOK_EVERY_S)
        except queue.Empty:
            return None

    def _stalled(self) -> Iterator[StreamResult]:
        limit = self._settings.stall_after.total_seconds()
        for course in list(self._running.values()):
            attempt = course.current
            if attempt is not None and self._clock.monotonic() - attempt.touched_at > limit:
                attempt.stop.set()
                error = Stalled(
                    f"no progress for {self._settings.stall_after}",
                    where=course.plan.where,
                    remedy="It is tried again; `limits: {stall_after: …}` sets the time.",
                )
                yield from self._settle(course, error)

    def _settle(self, course: _Course, error: ConnectError | None) -> Iterator[StreamResult]:
        """Take an attempt's outcome: another try later, or the stream's result."""
        attempt = course.current
        course.current = None
        del self._running[id(course)]
        if attempt is None:
            return
        course.windows += attempt.windows
        course.changes += attempt.changes
        course.waited_s += attempt.waited_s
        course.plan = attempt.plan
        policy = self._settings.stream_retry
        if (
            error is not None
            and error.retryable
            and course.attempts < policy.attempts
            and _is_soon(error, policy)
        ):
            wait_s = _wait_s(policy, course.attempts, error)
            self._log(
                f"{course.plan.stream.name}: attempt {course.attempts} of {policy.attempts} failed "
                f"({error.name}), tried again in {wait_s:.0f} s: {error}"
            )
            self._waiting.append((self._clock.monotonic() + wait_s, course))
            return
        yield self._result(course, attempt, error)

    def _result(self, course: _Course, attempt: Attempt, error: ConnectError | None) -> StreamResult:
        facts: TableFacts | None = None
        try:
            facts = self._session.facts(course.plan, attempt.layout)
        except ConnectError as unknown:
            self._log(f"{course.plan.stream.name}: the table could not be asked: {unknown}")
            error = error or unknown.at(course.plan.where)
        return StreamResult(
            plan=course.plan,
            windows=tuple(course.windows),
            attempts=course.attempts,
            duration_s=self._clock.monotonic() - course.began_at,
            layout=attempt.layout,
            facts=facts,
            changes=tuple(course.changes),
            waited_s=course.waited_s,
            error=error,
            counts=sum((window.counts for window in course.windows), Counts()),
            is_first=attempt.is_first and any(window.ends_first for window in course.windows),
        )

    def end(self) -> None:
        """Stop what still runs, and wait a little for steps under way to be stored or rolled back."""
        for course in self._running.values():
            if course.current is not None:
                course.current.stop.set()
        for thread in self._threads:
            thread.join(_STOP_WITHIN_S)
        if not any(thread.is_alive() for thread in self._threads):
            self._decoder.close()
        self._summarise()

    def _summarise(self) -> None:
        """Bring the view over all streams up to date; the next sync does it where this one cannot."""
        for connection in {plan.connection for plan in self._order.plans}:
            try:
                self._session.summarise(connection)
            except ConnectError as error:
                self._log(f"the summary of the connection was not made: {error}")


def _wait_s(policy: RetryPolicy, attempts: int, error: ConnectError) -> float:
    """Seconds until the next attempt: full jitter, and never before the vendor's own word."""
    state = RetryCallState(Retrying(), None, (), {})
    state.attempt_number = attempts
    wait = wait_random_exponential(
        multiplier=policy.first_wait.total_seconds(), max=policy.longest_wait.total_seconds()
    )
    return max(wait(state), _asked_s(error))


def _asked_s(error: ConnectError) -> float:
    return (error.retry_after_s or 0.0) if isinstance(error, RateLimited | VendorFault) else 0.0


def _is_soon(error: ConnectError, policy: RetryPolicy) -> bool:
    """Whether the vendor lets us come back within this sync; else the next one does."""
    return _asked_s(error) <= policy.longest_wait.total_seconds()


def _defect(error: Exception, where: str) -> ConnectError:
    """An error nobody expected, told by its place; its text might carry what must not be shown."""
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    places = " < ".join(
        f"{frame.name} ({frame.filename.rsplit('/', 1)[-1]}:{frame.lineno})" for frame in reversed(frames)
    )
    return Defect(f"{type(error).__name__} in {places}", where=where)
