"""One attempt at one stream: plan from the ledger, then read, decode and commit step by step."""

import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime

from propexo_connect.connectors.base import Meter, ReadContext, Source
from propexo_connect.destinations.base import Session, Step
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
from propexo_connect.model.ledger import Part, Window
from propexo_connect.model.stream import Mode, StreamPlan, SyncSettings
from propexo_connect.model.tile import Tile
from propexo_connect.sync.ahead import ReadAhead
from propexo_connect.sync.decode import Decoder
from propexo_connect.sync.plan import Assignment, assignments
from propexo_connect.sync.result import SyncOrder
from propexo_connect.sync.spool import Spool


@dataclass
class Attempt:
    """One try of one stream; what it has committed stands, whatever becomes of the rest.

    `done` holds, by tile, the parents that this sync has read to their end and stored; all attempts share it.
    `waited_s` counts the seconds that were waited for the vendor's limits and for repeating.
    `touched_at` is the monotonic time of its last progress, by which a stall is told.
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
    windows: list[Window] = field(default_factory=list[Window])
    changes: list[Change] = field(default_factory=list[Change])
    layout: Layout | None = None
    touched_at: float = field(default_factory=time.monotonic)
    done: dict[Tile, set[str]] = field(default_factory=dict[Tile, set[str]])
    waited_s: float = 0.0

    def run(self) -> None:
        """Commit every tile that is due.

        Raises:
            ConnectError: what hinders it; `windows` tells what was committed before.
        """
        self.plan = self._prepared()
        lane = self.order.reading.lane
        self.layout = self.session.layout(self.plan)
        fence = self.session.take_fence(self.plan, lane)
        progress = self.session.progress(self.plan, lane)
        todo = assignments(
            self.plan,
            self.order,
            progress,
            self.started_at,
            self.settings.step_span,
            lambda: self.source.upper_bound(self.plan.stream),
        )
        if not todo:
            self.log(f"{self.plan.stream.name}: nothing to read, the last tile ends at {progress.watermark}")
        for assignment in todo:
            try:
                self._read(assignment, fence)
            except TerminalError as error:
                if assignment.position is None or self.windows or isinstance(error, Fenced):
                    raise
                # A vendor may have forgotten the position; from the start nothing is lost but time.
                self.log(
                    f"{self.plan.stream.name}: it cannot be taken up again, so the tile starts anew ({error})"
                )
                self._read(replace(assignment, position=None, read_started_at=None), fence)

    def _prepared(self) -> StreamPlan:
        plan = replace(self.plan, stream=self.source.prepare(self.plan.stream))
        self._touch()
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

    def _read(self, assignment: Assignment, fence: int) -> None:
        stream = self.plan.stream
        self.log(f"{stream.name}: {_said(assignment)}")
        read_started_at = assignment.read_started_at or self.clock.now()
        meter = Meter()
        context = ReadContext(
            self.clock,
            self.settings.request_retry,
            self._note,
            self.stop,
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
            finished_at=self.started_at,
        )
        parts: list[Part] = []
        failed: list[Part] = []
        with closing(ReadAhead(pages, self.settings.step_bytes)) as ahead:
            spool = Spool(self.plan.where)
            try:
                try:
                    for page in ahead:
                        self._touch()
                        spool.add(page)
                        if page.part is not None:
                            parts.append(page.part)
                            failed += [page.part] if page.part.has_failed else []
                        if spool.size_bytes >= self.settings.step_bytes:
                            window = self._store(spool, window, meter, parts, is_complete=False)
                            spool.close()
                            spool = Spool(self.plan.where)
                except ConnectError:
                    if parts and not self.stop.is_set():  # whole parents need not be read again
                        self._store(spool, window, meter, parts, is_complete=False)
                    raise
                self._store(spool, window, meter, parts, is_complete=not failed)
            finally:
                spool.close()
                self.waited_s += meter.take().waited_s
        if failed:
            raise _partly(failed)

    def _done_parts(self, tile: Tile) -> frozenset[str]:
        """The parents that need not be read again; all must, where the read takes the table's place."""
        return frozenset(() if self.plan.mode is Mode.OVERWRITE else self.done.get(tile, ()))

    def _wanted(self) -> frozenset[str] | None:
        """The fields to ask for, None for all."""
        plan, stream = self.plan, self.plan.stream
        known = {field.name for field in stream.fields}
        if plan.selected is None:
            # What a stream with unknown fields serves beyond is left out when it is decoded.
            return frozenset(filter(plan.wants, known)) if plan.excluded and known else None
        return plan.selected | set(stream.key) | ({stream.cursor} if stream.cursor else set())

    def _store(
        self, spool: Spool, window: Window, meter: Meter, parts: list[Part], *, is_complete: bool
    ) -> Window:
        """Commit what the spool holds; returns the row that the next part starts from.

        Args:
            parts: the parents whose last page the spool holds; emptied once they are stored.
        """
        decoded = self.decoder.decode(spool, self.plan, self.layout)
        self._touch()
        position = spool.position if self.plan.stream.resumable and not is_complete else None
        cost = meter.take()
        self.waited_s += cost.waited_s
        row = replace(
            window,
            is_complete=is_complete,
            position=position,
            bytes_read=cost.bytes_read,
            request_count=cost.request_count,
            retry_count=cost.retry_count,
            page_count=spool.page_count,
            parts=tuple(parts),
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
        )
        if self.stop.is_set():
            raise Stalled("the sync was stopped before this step was stored", where=self.plan.where)
        committed = self.session.commit(step, self.clock.now)
        self._touch()
        self.windows.append(committed)
        stored = self.done.setdefault(window.tile, set())
        stored.update(part.key for part in parts if not part.has_failed)
        parts.clear()
        self.changes.extend(decoded.changes)
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


def _said(assignment: Assignment) -> str:
    tile, request = assignment.tile, assignment.request
    span = f"{assignment.reading} tile [{tile.start or 'the beginning'}, {tile.end})"
    if request.is_whole:
        return f"{span}, read whole"
    again = ", taken up where it was broken off" if assignment.position else ""
    return f"{span}, asking for {request.start or 'the beginning'} to {request.end or 'the end'}{again}"
