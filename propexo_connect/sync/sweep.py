"""Sweeps: when one is due, and what one sync reads of it (SEMANTICS §1, §5); pure functions.

A sweep is one read of the whole stream. A spread one is read in shares that lie `SHARE_EVERY` apart: by
pages, where its source can be taken up again; by slices of the filter's field, oldest first, where it can be
asked for a range; else in one go after all. Each share is what is left, divided by the shares that are left,
so that a run that was missed is made up for, and the last share reads to the end.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from propexo_connect.model.layout import Layout
from propexo_connect.model.ledger import Progress, Reading, Round, Sweeps
from propexo_connect.model.stream import NO_TIME, Drift, Filter, Stream, StreamPlan
from propexo_connect.model.tile import WHOLE, Tile
from propexo_connect.sync.assignment import RESUMABLE_FOR, Assignment, asked
from propexo_connect.sync.result import SyncOrder

SHARE_EVERY = timedelta(hours=4)
"""How far the shares of a spread sweep lie apart, and when one that broke off is tried again."""

FIRST_SHARE = 100
"""Pages of a share while no sweep has told yet how many there are: answers of an API, or batches of rows."""


def sweep_due_at(plan: StreamPlan, progress: Progress) -> datetime | None:
    """When the next sweep is due, or the next share of the one under way; None for never.

    A full read is as good as a sweep. A stream that was never swept counts from its first sync.
    """
    if plan.sweep is None:
        return None
    last, under_way = progress.sweeps.last, progress.sweeps.under_way
    looks = [look for look in (last and last.started_at, progress.last_full_at) if look is not None]
    whole_at = max(looks, default=None)
    if under_way is not None and (whole_at is None or whole_at < under_way.started_at):
        return under_way.share_at + SHARE_EVERY
    since = whole_at or progress.first_synced_at
    return None if since is None else since + plan.sweep.every


def sweep_due(plan: StreamPlan, progress: Progress, now: datetime) -> bool:
    """Whether a sweep, or a share of one, is due."""
    due_at = sweep_due_at(plan, progress)
    return due_at is not None and due_at <= now


def sweep_assignments(
    plan: StreamPlan, order: SyncOrder, progress: Progress, started_at: datetime
) -> Iterator[Assignment]:
    """What one sync sweeps of one stream: all of it, or the share that is due.

    One that broke off is taken up where its source can be.
    """
    if order.paced and not sweep_due(plan, progress, started_at):
        return
    spread = plan.sweep.spread if plan.sweep is not None else None
    under_way = progress.sweeps.under_way
    if under_way is not None and started_at - under_way.started_at > RESUMABLE_FOR + (spread or NO_TIME):
        under_way = None
    spread = spread if order.paced else None
    last = progress.unfinished
    if (
        under_way is not None
        and plan.stream.resumable
        and last is not None
        and last.request.is_whole
        and last.read_started_at == under_way.read_started_at
    ):
        yield Assignment(
            Reading.SWEEP,
            last.tile,
            last.request,
            last.covered,
            last.part + 1,
            last.position,
            last.read_started_at,
            last.first_started_at,
            last.is_skipping,
            _page_limit(progress.sweeps, under_way, spread, started_at),
        )
        return
    given = plan.stream.filter
    if spread is not None and given is not None and plan.stream.is_sliced:
        oldest = progress.oldest
        if isinstance(oldest, datetime):
            yield _slice(given, under_way, oldest, spread, started_at)
            return
    limit = _page_limit(progress.sweeps, None, spread, started_at) if plan.stream.resumable else None
    yield Assignment(Reading.SWEEP, Tile(None, started_at), WHOLE, page_limit=limit)


def _slice(
    given: Filter, under_way: Round | None, oldest: datetime, spread: timedelta, started_at: datetime
) -> Assignment:
    """The next slice; the first reaches back without limit, the last up to the present.

    Oldest first: a record that changes meanwhile moves to where the sweep has yet to come.
    """
    reached = under_way.reached if under_way is not None else None
    began_at = under_way.started_at if under_way is not None and reached is not None else started_at
    left = _shares_left(began_at, spread, started_at)
    horizon = started_at - given.horizon if given.horizon is not None else oldest
    start = reached or max(oldest, horizon)
    end = started_at if left == 1 else start + (started_at - start) / left
    return asked(Reading.SWEEP, Tile(reached, end), replace(given, lookback=NO_TIME))


def _page_limit(
    sweeps: Sweeps, under_way: Round | None, spread: timedelta | None, started_at: datetime
) -> int | None:
    """How many pages this share has; None for all that are left."""
    if spread is None:
        return None
    left = _shares_left(under_way.started_at if under_way is not None else started_at, spread, started_at)
    if left == 1:
        return None
    if sweeps.last is None:
        return FIRST_SHARE
    done = under_way.page_count if under_way is not None else 0
    return max(1, -((done - sweeps.last.page_count) // left))


def _shares_left(began_at: datetime, spread: timedelta, now: datetime) -> int:
    return max(1, -((now - began_at - spread) // SHARE_EVERY))


# -- what is asked, and what is kept ---------------------------------------------------------------


def swept_fields(stream: Stream) -> frozenset[str]:
    """The fields to ask for: the key, and what tells whether a read covers a record."""
    given = stream.filter
    named = {declared.field for declared in stream.hides if declared.rolling is not None}
    if given is not None and not given.of_parent:
        named.add(given.field)
    known = {field.name for field in stream.fields}
    return frozenset({*stream.key, *(named & known)})


def keys_only(plan: StreamPlan, layout: Layout) -> tuple[StreamPlan, Layout]:
    """Plan and layout by which records are decoded to their keys, as the table has them.

    What else a source sends is no news: it adds no column, changes no type, and is no drift.
    """
    key = frozenset(plan.stream.key)
    stream = replace(
        plan.stream, fields=tuple(field for field in plan.stream.fields if field.name in key), cursor=None
    )
    columns = tuple(column for column in layout.columns if column.field in key)
    return (
        replace(plan, stream=stream, selected=key, excluded=frozenset(), drift=Drift.FREEZE),
        replace(layout, columns=columns),
    )
