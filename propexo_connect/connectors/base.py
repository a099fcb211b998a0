"""What every connector is to the engine: streams, access, and pages of records."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import pyarrow as pa
from pydantic import BaseModel

from propexo_connect.model.clock import Clock
from propexo_connect.model.ledger import Part
from propexo_connect.model.stream import RetryPolicy, Stream
from propexo_connect.model.tile import Request


class Meter:
    """A count of what reading costs; safe to add to from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cost = Cost()

    def add(self, *, requests: int = 0, retries: int = 0, bytes_read: int = 0, waited_s: float = 0.0) -> None:
        """Count requests answered, requests repeated, decoded bytes, and seconds waited for limits."""
        with self._lock:
            cost = self._cost
            self._cost = Cost(
                cost.request_count + requests,
                cost.retry_count + retries,
                cost.bytes_read + bytes_read,
                cost.waited_s + waited_s,
            )

    @property
    def cost(self) -> "Cost":
        """What has been counted and not yet been taken."""
        return self._cost

    def take(self) -> "Cost":
        """What has been counted since it was last taken."""
        with self._lock:
            cost, self._cost = self._cost, Cost()
            return cost


@dataclass(frozen=True, slots=True)
class Cost:
    """What reading has cost."""

    request_count: int = 0
    retry_count: int = 0
    bytes_read: int = 0
    waited_s: float = 0.0


@dataclass(frozen=True)
class ReadContext:
    """What a source is handed while it reads.

    Args:
        done: keys of the parents whose part of this very tile has been stored by an earlier attempt.
        log: takes one line in words; never a secret, never a body.
        stop: set when the sync is cancelled; a source looks at it between requests and while it waits.
        step_bytes: how much one step holds, so that a source can size its pages.
    """

    clock: Clock
    retry: RetryPolicy
    log: Callable[[str], None]
    stop: threading.Event = field(default_factory=threading.Event)
    meter: Meter = field(default_factory=Meter)
    step_bytes: int = 32 * 1024 * 1024
    done: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class JsonPage:
    """Records as they came: the text of one JSON array, still encoded.

    Args:
        records: `[{…},{…}]` in UTF-8.
        unwrap: the key each element wraps its record in (`node` in Relay), None when it does not.
        read_at: when the response arrived.
        position: where to go on after this page, None when the source cannot be taken up there.
        part: the parent whose last page this is, None within a parent and where there is none.
    """

    records: bytes
    read_at: datetime
    unwrap: str | None = None
    position: str | None = None
    part: Part | None = None

    @property
    def size_bytes(self) -> int:
        """How much of a step the page fills."""
        return len(self.records)


@dataclass(frozen=True, slots=True)
class ColumnPage:
    """Records in columns, named as the source names its fields.

    Args:
        records: any Arrow types; `is_text`: every column is text as the source wrote it (CSV) and is
            still to be typed; an absent value is null.
    """

    records: pa.Table
    read_at: datetime
    is_text: bool = False
    position: str | None = None
    part: Part | None = None

    @property
    def size_bytes(self) -> int:
        """How much of a step the page fills: columns take half the room of JSON while they are decoded."""
        return self.records.nbytes // 2


Page = JsonPage | ColumnPage


@dataclass(frozen=True, slots=True)
class Access:
    """Whether one stream can be read with these credentials; `problem` says why not."""

    stream: str
    problem: str | None = None

    @property
    def is_granted(self) -> bool:
        """Whether the stream can be read."""
        return self.problem is None


class Source(Protocol):
    """A configured system, opened for reading; used from several threads at once."""

    def discover(self) -> Sequence[Stream]:
        """The streams that the system offers, with keys and fields as far as it tells.

        Raises:
            ConnectError: the system cannot be reached or refuses.
        """
        ...

    def check(self, streams: Sequence[Stream]) -> Sequence[Access]:
        """Whether each of the streams can be read; never raises for a single stream's refusal."""
        ...

    def prepare(self, stream: Stream) -> Stream:
        """The stream with what only the system knows filled in: key, fields, types.

        Called once per stream and sync, before it is read. Connectors whose streams are constant
        return it as it is.

        Raises:
            UnknownName: the system has no such table, folder or field.
        """
        ...

    def upper_bound(self, stream: Stream) -> int:
        """One more than the largest value of an integer filter field; 0 when there is no record."""
        ...

    def read(
        self,
        stream: Stream,
        request: Request,
        fields: frozenset[str] | None,
        position: str | None,
        context: ReadContext,
    ) -> Iterator[Page]:
        """Pages of everything the request covers; ends only when the last page was reached.

        Args:
            fields: the fields to ask for, None for all; more may come.
            position: of the last page that was stored, to go on after it; None from the start.

        Raises:
            RetryableError, TerminalError: nothing is known of the pages that did not come.
        """
        ...


class Connector(Protocol):
    """The code behind one vendor or kind of system; a value, one per module.

    Args:
        name: as a connection file names it. kind: the asset's kind in Dagster.
        config: what a user writes under `source`, secrets typed as `SecretStr`.
        streams: those that are known without asking; empty when each system has its own.
    """

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def category(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def config(self) -> type[BaseModel]: ...

    def streams(self, config: BaseModel) -> Sequence[Stream]:
        """The streams known without any network access; empty when each system has its own."""
        ...

    def stream(self, config: BaseModel, name: str) -> Stream | None:
        """The stream of this name, None when there can be none; needs no network access.

        A database connector takes any `schema.table` and learns the rest in `Source.prepare`.
        """
        ...

    def open(self, config: BaseModel, clock: Clock) -> AbstractContextManager[Source]:
        """The system, ready to be read until the context ends. Connects lazily."""
        ...
