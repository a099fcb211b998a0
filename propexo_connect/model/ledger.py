"""Rows of the ledger: what was read, proven in the same transaction as the records (SEMANTICS §3)."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from propexo_connect.model.counts import Counts
from propexo_connect.model.stream import FilterDeclaration
from propexo_connect.model.tile import EVERYTHING, Request, Stretch, Tile


class Reading(StrEnum):
    """Why a tile was read."""

    RECURRING = "recurring"
    BACKSYNC = "backsync"
    REPULL = "re-pull"
    SWEEP = "sweep"
    FULL = "full"

    @property
    def lane(self) -> str:
        """The lane whose fence guards the commits; full reads are the recurring lane's own."""
        return "recurring" if self is Reading.FULL else str(self)

    @property
    def moves_watermark(self) -> bool:
        """Whether a complete tile of this kind carries the watermark on."""
        return self in {Reading.RECURRING, Reading.FULL}


@dataclass(frozen=True, slots=True)
class Part:
    """How the reading through one parent ended.

    Args:
        key: the parent's key, as text.
        problem: why nothing (more) could be read through it, None when all was.
        is_skipped: the stream takes this problem for "there is nothing" (a parent that is gone).
        is_passing: whether the problem may pass by itself.
    """

    key: str
    page_count: int = 0
    record_count: int = 0
    problem: str | None = None
    is_skipped: bool = False
    is_passing: bool = False

    @property
    def is_complete(self) -> bool:
        """Whether everything was read through this parent."""
        return self.problem is None

    @property
    def has_failed(self) -> bool:
        """Whether there may be more behind this parent than was read."""
        return self.problem is not None and not self.is_skipped


@dataclass(frozen=True, slots=True)
class Window:
    """One committed step of one tile: a row of `_propexo.windows`.

    Args:
        part: number of the step within its tile and sync, from 0.
        is_complete: the last page of the tile was reached; earlier parts prove nothing.
        position: where the source may be taken up again after this part, None when it cannot.
        read_started_at: when the first part of this read began; a resumed read keeps the older one.
        started_at: start of the sync, which becomes the records' `last_seen`.
        first_started_at: start of the first sync that took part in this read.
        is_skipping: whether the read has passed over a parent so far; then it proves nothing of any record.
        covered: what the read proves of the filter's field once it is complete.
        parts: the parents whose reading ended with this part, where a stream is read through parents.
        suppressed: how many of the rejected records a purge kept from being stored; not in the row.
        is_last: with it the sync came to the end of the stream that it had set itself.
    """

    connection: str
    stream: str
    reading: Reading
    tile: Tile
    request: Request
    filter_field: str | None
    declarations: tuple[FilterDeclaration, ...]
    is_complete: bool
    part: int
    attempt: int
    sync_id: str
    fence: int
    started_at: datetime
    read_started_at: datetime
    first_started_at: datetime
    finished_at: datetime
    is_skipping: bool = False
    covered: Stretch = EVERYTHING
    position: str | None = None
    counts: Counts = field(default_factory=Counts)
    bytes_read: int = 0
    request_count: int = 0
    page_count: int = 0
    retry_count: int = 0
    parts: tuple[Part, ...] = ()
    suppressed: int = 0
    is_last: bool = False

    @property
    def ends_first(self) -> bool:
        """Whether the stream's first sync is over with it, unless it was before."""
        return self.is_last and self.reading.moves_watermark


@dataclass(frozen=True, slots=True)
class SweepShare:
    """What one sync has swept of a stream, as the ledger has it.

    Args:
        read_started_at: when the read began; one that was taken up again keeps the older time.
        is_from_start: whether the read began where the stream begins.
        reached: end of the last slice that was read to its end, None where there is none.
        is_to_end: whether the stream's end was reached.
    """

    started_at: datetime
    read_started_at: datetime
    is_from_start: bool
    reached: datetime | None
    is_to_end: bool
    page_count: int


@dataclass(frozen=True, slots=True)
class Round:
    """One sweep of a whole stream, in one share or in many.

    Args:
        started_at: start of the sync that read the first share.
        share_at: start of the sync that read the latest.
        reached: up to where slices were read to their end, None before the first.
    """

    started_at: datetime
    read_started_at: datetime
    share_at: datetime
    reached: datetime | None = None
    page_count: int = 0


@dataclass(frozen=True, slots=True)
class Sweeps:
    """What the ledger tells of a stream's sweeps: the latest that came to its end, and the one under way."""

    last: Round | None = None
    under_way: Round | None = None

    @classmethod
    def of(cls, shares: Iterable[SweepShare]) -> "Sweeps":
        """The rounds that shares make, the oldest first.

        A share from the start begins a round, unless its read is the one under way; others carry it on.
        """
        last: Round | None = None
        now: Round | None = None
        for share in shares:
            if share.is_from_start and (now is None or now.read_started_at != share.read_started_at):
                now = Round(share.started_at, share.read_started_at, share.started_at)
            elif now is None:
                continue  # a slice that was stored after its round had come to its end
            now = replace(
                now,
                share_at=share.started_at,
                reached=share.reached or now.reached,
                page_count=now.page_count + share.page_count,
            )
            if share.is_to_end:
                last, now = now, None
        return cls(last, now)


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a stream stands, as read from the ledger.

    Args:
        watermark: end of the last committed recurring or full tile, None before the first.
        oldest: start of the oldest committed tile that touches the rest, for backsync.
        first_synced_at: start of the first sync that committed a recurring or full tile.
        last_full_at: start of the latest complete read of the whole.
        unfinished: the latest part of a tile that never came to its end, None when there is none.
        position: where the latest complete tile ended, for sources that carry on from there.
        is_synced: whether a recurring or full sync has ever come to its end.
        sweeps: its sweeps; told on their own lane only.
    """

    watermark: datetime | int | None = None
    oldest: datetime | int | None = None
    first_synced_at: datetime | None = None
    last_full_at: datetime | None = None
    unfinished: Window | None = None
    position: str | None = None
    is_synced: bool = False
    sweeps: Sweeps = Sweeps()
