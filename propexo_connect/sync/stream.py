"""One attempt at one stream: plan from the ledger, then read, decode and commit step by step."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime

from propexo_connect.connectors.ahead import read_ahead
from propexo_connect.connectors.base import Meter, Page, ReadContext, Source
from propexo_connect.destinations.base import Session, Step
from propexo_connect.destinations.standing import Standing
from propexo_connect.model.clock import Clock
from propexo_connect.model.errors import (
    ConfigurationError,
    ConnectError,
    Fenced,
    NoKey,
    PartlyRead,
    Stalled,
    TerminalError,
)
from propexo_connect.model.layout import Change, Layout
from propexo_connect.model.ledger import Part, Progress, Reading, Window
from propexo_connect.model.stream import Mode, StreamPlan, SyncSettings
from propexo_connect.model.tile import Tile
from propexo_connect.sync.assignment import Assignment
from propexo_connect.sync.decode import Decoder, Piece
from propexo_connect.sync.gather import Gathering, closing_all
from propexo_connect.sync.history import shorten_history
from propexo_connect.sync.plan import assignments
from propexo_connect.sync.result import SyncOrder
from propexo_connect.sync.stop import BranchStop
from propexo_connect.sync.sweep import keys_only, sweep_due_at, swept_fields

Start = tuple[int, Standing]
"""The number of the fence that a stream holds, and where it stands."""


def begin(session: Session, plans: Sequence[StreamPlan], order: SyncOrder) -> dict[str, Start]:
    """Take the streams over and ask where each stands, all at once: by name."""
    lane = order.reading.lane
    fences, standings = session.take_fences(plans, lane), session.standings(plans, lane)
    return {name: (fences[name], standing) for name, standing in standings.items()}


@dataclass
class Attempt:
    """One try of one stream; what it has committed stands, whatever becomes of the rest.

    `start` is where the stream stands, None to ask.
    `done` holds, by tile, the parents that this sync has read to their end and stored; all attempts share it.
    `waited_s` counts the seconds that were waited for the vendor's limits and for repeating.
    `touched_at` is the monotonic time of its last progress, by which a stall is told.
    `reached` is the position behind which a source that carries on has nothing more to tell.
    `is_first`: no sync has come to the end of the stream; `is_first_full`: none has read the whole of it.
    """

    plan: StreamPlan
    order: SyncOrder
    number: int
    started_at: datetime
    source: Source
    session: Session
    decoder: Decoder
    settings: SyncSettings
    clock: Clock
    log: Callable[[str], None]
    stop: threading.Event
    start: Start | None = None
    windows: list[Window] = field(default_factory=list[Window])
    changes: list[Change] = field(default_factory=list[Change])
    layout: Layout | None = None
    touched_at: float = field(default_factory=time.monotonic)
    done: dict[Tile, set[str]] = field(default_factory=dict[Tile, set[str]])
    waited_s: float = 0.0
    reached: str | None = None
    is_first: bool = False
    is_first_full: bool = False

    def run(self) -> None:
        """Commit every tile that is due.

        Raises:
            ConnectError: what hinders it; `windows` tells what was committed before.
        """
        self.plan = self._prepared()
        fence, standing = self.start or begin(self.session, [self.plan], self.order)[self.plan.stream.name]
        self.layout = standing.layout(self.plan)
        if self.is_sweep and not self._has_rows():
            self.log(f"{self.plan.stream.name}: nothing is stored yet, so there is nothing to sweep")
            return
        todo = assignments(
            self.plan,
            self.order,
            standing.progress,
            self.started_at,
            self.settings.step_span,
            lambda: self.source.upper_bound(self.plan.stream),
        )
        if not todo:
            self.log(f"{self.plan.stream.name}: {self._idle(standing.progress)}")
        self.is_first = not standing.progress.is_synced
        self.is_first_full = not self.is_first and standing.progress.last_full_at is None
        for assignment in todo:
            is_last = assignment is todo[-1]
            try:
                self._read(assignment, fence, is_last=is_last)
            except TerminalError as error:
                if assignment.position is None or self.windows or isinstance(error, Fenced):
                    raise
                # A vendor may have forgotten the position; from the start nothing is lost but time.
                self.log(
                    f"{self.plan.stream.name}: it cannot be taken up again, so the tile starts anew ({error})"
                )
                anew = replace(
                    assignment,
                    position=None,
                    read_started_at=None,
                    first_started_at=None,
                    is_skipping=False,
                )
                self._read(anew, fence, is_last=is_last)
        shorten_history(self.session, self.plan, self.order.sync_id, self.started_at, self.log)

    @property
    def is_sweep(self) -> bool:
        """Whether records are only sighted."""
        return self.order.reading is Reading.SWEEP

    def _has_rows(self) -> bool:
        return self.layout is not None and self.layout.is_ready

    def _idle(self, progress: Progress) -> str:
        """Why there is nothing to be read."""
        if self.is_sweep:
            due_at = sweep_due_at(self.plan, progress)
            return "no sweep is asked for" if due_at is None else f"the next sweep is due at {due_at}"
        return f"nothing to read, the last tile ends at {progress.watermark}"

    def _prepared(self) -> StreamPlan:
        plan = replace(self.plan, stream=self.source.prepare(self.plan.stream))
        self._touch()
        if self.is_sweep and not plan.stream.key:
            raise NoKey(
                "the records have no key, so a sweep cannot tell which of them is still there",
                where=plan.where,
                remedy="Name the fields that identify a record with `key: […]`, or write `sweep: never`.",
            )
        if plan.mode is Mode.MERGE and not plan.stream.key:
            raise NoKey(
                "the records have no key, so they cannot be merged",
                where=plan.where,
                expected="a primary key, or a unique index over columns that are never null",
                remedy="Name the fields that identify a record with `key: […]`, "
                "or choose `mode: append` or `mode: overwrite`.",
            )
        kept = plan.excluded & {*plan.stream.key, plan.stream.cursor}
        if kept:
            raise ConfigurationError(
                f"`exclude_fields` names {', '.join(sorted(map(str, kept)))}, of the key or the cursor",
                where=plan.where,
                expected="other fields",
                remedy="Records cannot be merged without them.",
            )
        return plan

    def _read(self, assignment: Assignment, fence: int, *, is_last: bool) -> None:
        """Commit one tile. With `is_last` there is nothing more to read of the stream behind it."""
        stream = self.plan.stream
        self.log(f"{stream.name}: {_said(assignment)}")
        if (
            self.order.paced
            and assignment.request.is_whole
            and not stream.resumable
            and _is_spread(self.plan)
        ):
            self.log(f"{stream.name}: it can neither be taken up again nor asked for ranges: swept in one go")
        read_started_at = assignment.read_started_at or self.clock.now()
        self.reached = assignment.position
        meter = Meter()
        stop = BranchStop(self.stop)
        context = ReadContext(
            self.clock,
            self.settings.request_retry,
            self._note,
            stop,
            meter,
            self.settings.step_bytes,
            self._done_parts(assignment.tile),
        )
        pages = self.source.read(stream, assignment.request, self._wanted(), assignment.position, context)
        window = Window(
            connection=self.plan.connection,
            stream=stream.name,
            reading=assignment.reading,
            tile=assignment.tile,
            request=assignment.request,
            covered=assignment.covered,
            filter_field=None
            if assignment.request.is_whole or stream.filter is None
            else stream.filter.field,
            declarations=stream.hides if assignment.request.is_whole else stream.declarations(),
            is_complete=False,
            part=assignment.part,
            attempt=self.number,
            sync_id=self.order.sync_id,
            fence=fence,
            started_at=self.started_at,
            read_started_at=read_started_at,
            first_started_at=assignment.first_started_at or self.started_at,
            is_skipping=assignment.is_skipping,
            finished_at=self.started_at,
        )
        failed: list[Part] = []
        limit = assignment.page_limit
        steps = read_ahead(lambda: self._steps(pages, failed, stop, limit), stop, cancel=stop.set)
        try:
            with closing(steps):
                for pieces, parts, is_end in steps:
                    with closing_all(pieces):
                        is_complete = is_end and not failed
                        window = replace(window, is_complete=is_complete, is_last=is_complete and is_last)
                        window = self._store(pieces, window, meter, parts)
        finally:
            self.waited_s += meter.take().waited_s
        if failed:
            raise _partly(failed)

    def _steps(
        self, pages: Iterator[Page], failed: list[Part], stop: threading.Event, limit: int | None
    ) -> Iterator[tuple[list[Piece], list[Part], bool]]:
        """The pages as steps, the parents that each ends with, and whether it is the last.

        A step is decoded while it fills.

        Args:
            failed: takes the parents that could not be read to their end.
            limit: after so many pages it ends, as soon as the source can be taken up again there.
        """
        parts: list[Part] = []
        with closing(Gathering(self.decoder, self._decoded_by()[0], self.settings.step_bytes)) as step:
            try:
                for count, page in enumerate(pages, 1):
                    self._touch()
                    step.add(page, self._decoded_by()[1])
                    if page.part is not None:
                        parts.append(page.part)
                        failed += [page.part] if page.part.has_failed else []
                    is_share = limit is not None and count >= limit and page.position is not None
                    if step.is_full or is_share:
                        yield step.take(self._decoded_by()[1]), parts, False
                        parts = []
                    if is_share:
                        return
            except ConnectError:
                if parts and not stop.is_set():  # whole parents need not be read again
                    yield step.take(self._decoded_by()[1]), parts, False
                raise
            yield step.take(self._decoded_by()[1]), parts, True

    def _decoded_by(self) -> tuple[StreamPlan, Layout | None]:
        """The plan and the layout by which records become columns: their keys alone in a sweep."""
        if self.is_sweep and self.layout is not None:
            return keys_only(self.plan, self.layout)
        return self.plan, self.layout

    def _done_parts(self, tile: Tile) -> frozenset[str]:
        """The parents that need not be read again; all must, where the read takes the table's place."""
        takes_place = self.plan.mode is Mode.OVERWRITE and not self.is_sweep
        return frozenset(() if takes_place else self.done.get(tile, ()))

    def _wanted(self) -> frozenset[str] | None:
        """The fields to ask for, None for all."""
        plan, stream = self.plan, self.plan.stream
        if self.is_sweep:
            return swept_fields(stream)
        known = {field.name for field in stream.fields}
        if plan.selected is None:
            # What a stream with unknown fields serves beyond is left out when it is decoded.
            return frozenset(filter(plan.wants, known)) if plan.excluded and known else None
        return plan.selected | set(stream.key) | ({stream.cursor} if stream.cursor else set())

    def _store(self, pieces: Sequence[Piece], window: Window, meter: Meter, parts: list[Part]) -> Window:
        """Commit a step; returns the row that the next part starts from.

        Args:
            parts: the parents whose last page the step holds.
        """
        decoded = self.decoder.decode(pieces, *self._decoded_by())
        self._touch()
        is_resumable = self.plan.stream.resumable and not window.is_complete
        position = pieces[-1].spool.position if is_resumable else None
        if self.plan.stream.carries_on and not self.is_sweep:
            position = self.reached = pieces[-1].spool.position or self.reached
        cost = meter.take()
        self.waited_s += cost.waited_s
        row = replace(
            window,
            position=position,
            bytes_read=cost.bytes_read,
            request_count=cost.request_count,
            retry_count=cost.retry_count,
            page_count=sum(piece.spool.page_count for piece in pieces),
            parts=tuple(parts),
            is_skipping=window.is_skipping or any(part.is_skipped for part in parts),
        )
        step = Step(
            self.plan,
            decoded.layout,
            decoded.changes,
            decoded.records,
            decoded.rejected,
            decoded.superseded,
            row,
            self.order.force,
            self.is_first,
            self.is_first_full and window.reading is Reading.FULL,
        )
        if self.stop.is_set():
            raise Stalled("the sync was stopped before this step was stored", where=self.plan.where)
        committed = self.session.commit(step, self.clock.now)
        self._touch()
        if committed.suppressed:
            self._note(f"{committed.suppressed} records are suppressed by a purge, and were dropped")
        self.windows.append(committed)
        stored = self.done.setdefault(window.tile, set())
        stored.update(part.key for part in parts if not part.has_failed)
        parts.clear()
        self.changes.extend(decoded.changes)
        self.layout = decoded.layout
        return replace(window, part=window.part + 1, is_skipping=row.is_skipping)
        if not self.is_sweep:
            self.layout = decoded.layout
        return replace(window, part=window.part + 1)

    def _note(self, line: str) -> None:
        self._touch()
        self.log(f"{self.plan.stream.name}: {line}")

    def _touch(self) -> None:
        self.touched_at = self.clock.monotonic()


def _partly(failed: list[Part]) -> ConnectError:
    """The error of a stream of which some parents could not be read through."""
    keys = ", ".join(part.key for part in failed[:5]) + (", …" if len(failed) > 5 else "")
    found = f"{len(failed)} of its parents could not be read ({keys}): {failed[0].problem}"
    remedy = "The others are stored; the tile stays open until all are read. See _propexo.window_parts"
    if any(part.is_passing for part in failed):
        return PartlyRead(found, remedy=remedy)
    return TerminalError(found, remedy=remedy)


def _is_spread(plan: StreamPlan) -> bool:
    return plan.sweep is not None and plan.sweep.spread is not None


def _said(assignment: Assignment) -> str:
    tile, request = assignment.tile, assignment.request
    span = f"{assignment.reading} tile [{tile.start or 'the beginning'}, {tile.end})"
    if request.is_whole:
        return f"{span}, read whole"
    again = ", taken up where it was broken off" if assignment.position else ""
    return f"{span}, asking for {request.start or 'the beginning'} to {request.end or 'the end'}{again}"
