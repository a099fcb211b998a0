"""What a sync is asked for, and what becomes of each stream."""

from dataclasses import dataclass, field
from datetime import datetime

from propexo_connect.destinations.base import TableFacts
from propexo_connect.model.counts import Counts
from propexo_connect.model.errors import ConnectError
from propexo_connect.model.layout import Change, Layout
from propexo_connect.model.ledger import Reading, Window
from propexo_connect.model.stream import StreamPlan


@dataclass(frozen=True)
class SyncOrder:
    """One sync to be done.

    Args:
        reading: recurring by default; full, backsync, re-pull and sweep on request.
        start, end: bounds of a backsync (only `start`: how far back) or a re-pull (both).
        force: a re-pull takes the source's word for records that look older than what is stored.
        paced: a sweep reads only streams whose sweep is due, and of a spread one no more than its share.
    """

    sync_id: str
    plans: tuple[StreamPlan, ...]
    reading: Reading = Reading.RECURRING
    start: datetime | None = None
    end: datetime | None = None
    force: bool = False
    paced: bool = False


@dataclass(frozen=True)
class StreamResult:
    """What became of one stream: either it is committed to its end, or `error` says why not.

    Args:
        windows: the ledger rows that this sync committed, also those before a failure.
        attempts: how often the stream was tried, at least 1.
        waited_s: seconds waited for the vendor's limits and for repeating, all threads together.
        facts: what the table says of itself afterwards; None when it could not be asked.
        is_first: it ended the first sync of the stream.
    """

    plan: StreamPlan
    windows: tuple[Window, ...]
    attempts: int
    duration_s: float
    layout: Layout | None = None
    facts: TableFacts | None = None
    changes: tuple[Change, ...] = ()
    error: ConnectError | None = None
    waited_s: float = 0.0
    counts: Counts = field(default_factory=Counts)
    is_first: bool = False

    @property
    def is_ok(self) -> bool:
        """Whether every tile of the stream was committed."""
        return self.error is None
