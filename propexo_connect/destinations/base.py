"""What every destination is to the engine: state to plan from, and steps to commit."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

import pyarrow as pa
from pydantic import BaseModel

from propexo_connect.absence.reads import Known
from propexo_connect.destinations.dialect import Link
from propexo_connect.destinations.standing import Standing
from propexo_connect.model.absence import AbsenceFacts
from propexo_connect.model.event import Notice
from propexo_connect.model.layout import Change, Layout
from propexo_connect.model.ledger import Window
from propexo_connect.model.purge import Finding, Purge, PurgeRequest
from propexo_connect.model.stream import StreamPlan
from propexo_connect.model.version import PastRecord, Version


@dataclass(frozen=True)
class Step:
    """What one transaction stores: records of one step, already typed, keyed, hashed and deduplicated.

    Args:
        layout: the table's columns once this step is stored; the destination adds and widens what differs.
            While it `is_ready` not, there is no record to store and no table to make, only the ledger row.
            Of a sweep: the columns of the key alone.
        changes: what differs, in words for the ledger.
        records: columns as `layout` names them, then `_propexo_hash` (text, 32 hex digits),
            `_propexo_read_at` (timestamp, UTC), `_propexo_meta` (JSON text or null).
            Keys are unique and not null.
        rejected: columns `read_at`, `reason`, `record` (text, raw).
        superseded: records of the step that a newer version in the same step replaced.
        window: the ledger row, its counts still to be filled in.
        force: take the source's word for records that are older than what is stored (`re-pull --force`).
        is_first: it belongs to the first sync of the stream.
        is_first_full: it belongs to the first read of the whole of a stream that was read in windows so far:
            what it finds new is old.
    """

    plan: StreamPlan
    layout: Layout
    changes: tuple[Change, ...]
    records: pa.Table
    rejected: pa.Table
    superseded: int
    window: Window
    force: bool = False
    is_first: bool = False
    is_first_full: bool = False

    @property
    def read(self) -> int:
        """How many records the source served in this step."""
        return self.records.num_rows + self.rejected.num_rows + self.superseded


@dataclass(frozen=True, slots=True)
class TableFacts:
    """What a stream's table says of itself now; for metadata and checks.

    Args:
        oldest_unseen: the smallest `last_seen`: the record that was not served for longest.
        duplicate_keys, null_keys: what must be 0. None where the stream has no key. Where no index keeps keys
            apart, and there are more than a million, each sync counts the duplicates of another part of them.
    """

    row_count: int = 0
    first_seen_min: datetime | None = None
    last_seen_min: datetime | None = None
    last_seen_max: datetime | None = None
    rejected_count: int = 0
    duplicate_keys: int | None = None
    null_keys: int | None = None


class Session(Protocol):
    """A destination opened for one sync; its methods are called from several threads at once."""

    def take_fences(self, plans: Sequence[StreamPlan], lane: str) -> dict[str, int]:
        """For each stream of one connection a number higher than any holder's before.

        Whoever held the lane of one of them can no longer commit to it.
        """
        ...

    def standings(self, plans: Sequence[StreamPlan], lane: str) -> dict[str, Standing]:
        """Where each stream of one connection stands on a lane."""
        ...

    def commit(self, step: Step, finished_at: Callable[[], datetime]) -> Window:
        """Store a step, all or nothing, and return its ledger row with the counts.

        In the mode `overwrite` parts gather out of sight until the window is complete, then swap in.

        Raises:
            Fenced: a newer sync holds the lane. Defect: the counts do not add up.
            DestinationBusy, Unreachable: may pass. SuspiciousEmpty, SpaceExhausted: a person must look.
        """
        ...

    def prune_history(self, plan: StreamPlan, before: datetime) -> int:
        """Delete the versions of the stream's history that ended before an instant; how many there were."""
        ...

    def was_synced_since(self, plan: StreamPlan, since: datetime, sync_id: str) -> bool:
        """Whether another sync than this one has stored anything of the stream since an instant."""
        ...

    def versions(self, plan: StreamPlan, key: Mapping[str, str]) -> list[Version] | None:
        """The versions of one record, oldest first, none where it is unknown; None without a history.

        Args:
            key: a value for each column of the key, as the history spells it.
        """
        ...

    def record_as_of(self, plan: StreamPlan, layout: Layout, key: str, at: datetime) -> PastRecord | None:
        """One record as of an instant, by its key as versions tell it; None where it was not known then."""
        ...

    def windows(self, plan: StreamPlan) -> list[Window]:
        """All ledger rows of the stream, oldest first."""
        ...

    def tile_faults(self, plan: StreamPlan) -> list[str]:
        """Gaps and overlaps between the complete tiles of the ledger, in words; the first 20 at the most.

        Re-pulls and sweeps are no part of the stretch. Instants and integers are judged apart.
        """
        ...

    def equation_faults(self, plan: StreamPlan) -> int:
        """How many ledger rows break `read = new + changed + unchanged + superseded + rejected`."""
        ...

    def summarise(self, connection: str) -> None:
        """Bring the view over all streams of a connection up to date; after the last commit of a sync."""
        ...

    def missing_records(self, plan: StreamPlan, layout: Layout, limit: int) -> list[Known]:
        """Records that reads covered and missed, those first that were seen last; without their values."""
        ...

    def known_record(
        self, plan: StreamPlan, layout: Layout, key: Mapping[str, str], fields: Sequence[str]
    ) -> Known | None:
        """What is known of the record whose key's columns read so as text; None when there is none.

        Args:
            fields: the declared fields whose values are wanted, as far as the table has them.
        """
        ...

    def absence(self, plan: StreamPlan, at: datetime, *, judges: bool) -> AbsenceFacts:
        """How the stored records stand at an instant; the table must have been made.

        Args:
            judges: also count verdicts. That asks for each unseen record which reads covered it.
        """
        ...

    def purge_preview(self, request: PurgeRequest) -> tuple[Finding, ...]:
        """What a purge would take out, by stream and table; tables without any are left out.

        Raises:
            UnknownName, NoKey, ConfigurationError: what the request names is not there, or does not fit.
        """
        ...

    def purge(self, request: PurgeRequest, at: datetime) -> tuple[Finding, ...]:
        """Take it out, all or nothing, and write the audit, also when nothing was found; what went.

        Raises:
            DestinationBusy: a commit is under way. ConfigurationError: there is no place for the hashes' key.
        """
        ...

    def purges(self, connection: str) -> list[Purge]:
        """The audit of a connection's purges, oldest first."""
        ...

    def lift(self, connection: str, purge_id: str, by: str, at: datetime) -> int:
        """End the suppression of one purge, told in the audit; for how many streams.

        Raises:
            UnknownName: no such purge suppresses records.
        """
        ...

    def emit(self, notices: Sequence[Notice]) -> None:
        """Write events of a sync into the outbox, all or none; an id that stands there is left as it is."""
        ...

    def prune_outbox(self, now: datetime) -> int:
        """Drop the events that every endpoint has had for long, and how many; what waits stays."""
        ...

    def facts(self, plan: StreamPlan, layout: Layout | None) -> TableFacts:
        """What the table says of itself now; `layout` is the stored map, None before the first commit."""
        ...

    def transaction(self) -> AbstractContextManager[Link]:
        """One transaction over the schema `_propexo`: committed at its end, rolled back by an error."""
        ...


class Destination(Protocol):
    """A configured system that is written."""

    kind: str

    @property
    def address(self) -> str:
        """Where it is, in words and without secrets: the identity by which two connections clash."""
        ...

    @property
    def files(self) -> tuple[Path, ...]:
        """The files it consists of, the first of which is there once it was opened; none of a server."""
        ...

    def check(self) -> None:
        """Prove that the system is there and lets us write.

        Raises:
            ConnectError: what is wrong and what to do.
        """
        ...

    def open(self) -> AbstractContextManager[Session]:
        """The system, ready until the context ends; makes the schema `_propexo` when it is missing."""
        ...

    def rewrite(self) -> str:
        """Rid the files of what was deleted, as far as the destination lets us; what was done, in words.

        Raises:
            ConfigurationError: this kind cannot be rewritten from here, and what to do instead.
        """
        ...

    def read_table(self, schema: str, table: str, columns: list[str] | None) -> pa.RecordBatchReader:
        """A table in columns, for assets downstream."""
        ...

    def write_table(self, schema: str, table: str, records: pa.RecordBatchReader) -> int:
        """Replace a table of a user's own asset atomically; returns the rows written."""
        ...


class DestinationKind(Protocol):
    """The code behind one kind of destination; a value, one per folder."""

    name: str
    config: type[BaseModel]

    def configure(self, config: BaseModel) -> Destination:
        """The destination; connects only when it is opened."""
        ...
