"""From the ledger and what a source can answer to what is read next (SEMANTICS §2); pure functions."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from propexo_connect.model.errors import ConfigurationError
from propexo_connect.model.ledger import Progress, Reading
from propexo_connect.model.stream import Axis, Filter, Mode, StreamPlan
from propexo_connect.model.tile import WHOLE, Bound, Request, Tile, cut
from propexo_connect.sync.assignment import RESUMABLE_FOR, Assignment, asked
from propexo_connect.sync.result import SyncOrder
from propexo_connect.sync.sweep import sweep_assignments

BACKSYNC_CHUNK = timedelta(days=30)
"""How much of the past one chunk of a backsync covers, where the connection does not say."""


def assignments(
    plan: StreamPlan,
    order: SyncOrder,
    progress: Progress,
    started_at: datetime,
    step_span: timedelta | None,
    upper_bound: Callable[[], int],
) -> list[Assignment]:
    """What one sync reads of one stream, in order; each is proven by a commit of its own.

    Args:
        upper_bound: asks the source for the end of an integer axis; called at most once.

    Raises:
        ConfigurationError: the order asks for a range that the stream cannot be asked for.
    """
    match order.reading:
        case Reading.BACKSYNC:
            return list(_backsync(plan, order, progress, step_span))
        case Reading.REPULL:
            return list(_repull(plan, order, step_span))
        case Reading.SWEEP:
            return list(sweep_assignments(plan, order, progress, started_at))
        case _:
            return list(_recurring(plan, order, progress, started_at, step_span, upper_bound))


def _recurring(
    plan: StreamPlan,
    order: SyncOrder,
    progress: Progress,
    started_at: datetime,
    step_span: timedelta | None,
    upper_bound: Callable[[], int],
) -> Iterator[Assignment]:
    given = plan.stream.filter
    end: Bound = started_at
    start: Bound | None = progress.watermark
    if given is not None:
        end = upper_bound() if given.axis is Axis.INTEGER else started_at - given.lag
        if start is None and isinstance(end, datetime):
            start = started_at - plan.initial_window
    resumed = _resumed(plan, progress, started_at)
    if resumed is not None:
        yield resumed
        start = resumed.tile.end
        if resumed.reading is Reading.FULL or plan.stream.carries_on:
            return
    tile = Tile(start, end)
    if tile.is_empty:
        return
    if _carries_on(plan, order, progress):
        # Not whole: the source leaves out what it told of before this position.
        yield Assignment(Reading.RECURRING, tile, Request(tile.start, None), position=progress.position)
        return
    if given is None or order.reading is Reading.FULL or _is_full_due(given, progress, started_at):
        yield Assignment(Reading.FULL, tile, WHOLE)
        return
    for step in cut(tile, _narrower(given.widest, step_span)):
        yield asked(Reading.RECURRING, step, given)


def _carries_on(plan: StreamPlan, order: SyncOrder, progress: Progress) -> bool:
    """Whether the source goes on from where the last tile ended; a table that is to be swapped needs all."""
    is_asked = plan.stream.carries_on and order.reading is not Reading.FULL
    return is_asked and progress.position is not None and plan.mode is not Mode.OVERWRITE


def _resumed(plan: StreamPlan, progress: Progress, started_at: datetime) -> Assignment | None:
    """The tile that an earlier sync broke off, where its source can be taken up again."""
    last = progress.unfinished
    if last is None or not plan.stream.resumable or last.position is None:
        return None
    if started_at - last.read_started_at > RESUMABLE_FOR or last.tile.start != progress.watermark:
        return None
    return Assignment(
        last.reading,
        last.tile,
        last.request,
        last.covered,
        last.part + 1,
        last.position,
        last.read_started_at,
        last.first_started_at,
        last.is_skipping,
    )


def _is_full_due(given: Filter, progress: Progress, started_at: datetime) -> bool:
    since = progress.last_full_at or progress.first_synced_at
    return given.full_every is not None and since is not None and started_at - since >= given.full_every


def _backsync(
    plan: StreamPlan, order: SyncOrder, progress: Progress, step_span: timedelta | None
) -> Iterator[Assignment]:
    given = _time_filter(plan, "backsync")
    end = progress.oldest
    if not isinstance(end, datetime):
        raise ConfigurationError(
            "there is nothing yet to go back from",
            where=plan.where,
            remedy="Sync the stream once before its backsync.",
        )
    if order.start is None:
        raise ConfigurationError("a backsync needs a date to go back to", where=plan.where)
    chunk = step_span or BACKSYNC_CHUNK
    while end > order.start:
        tile = Tile(max(order.start, end - chunk), end)
        for step in reversed(list(cut(tile, given.widest))):
            yield asked(Reading.BACKSYNC, step, given)
        end = max(order.start, end - chunk)


def _repull(plan: StreamPlan, order: SyncOrder, step_span: timedelta | None) -> Iterator[Assignment]:
    given = _time_filter(plan, "re-pull")
    if order.start is None or order.end is None or order.start >= order.end:
        raise ConfigurationError(
            "a re-pull needs a start before its end", where=plan.where, expected="both as instants"
        )
    for step in cut(Tile(order.start, order.end), _narrower(given.widest, step_span)):
        yield asked(Reading.REPULL, step, given)


def _time_filter(plan: StreamPlan, reading: str) -> Filter:
    given = plan.stream.filter
    if given is None or given.axis is not Axis.INSTANT:
        raise ConfigurationError(
            f"a {reading} needs a stream that can be asked for a range of time",
            where=plan.where,
            remedy="This stream is read whole; every sync brings all of it.",
        )
    return given


def _narrower(one: timedelta | None, other: timedelta | None) -> timedelta | None:
    return min((span for span in (one, other) if span is not None), default=None)
