"""A vendor that hides records in every way that vendors do, and remembers why it left out which.

    stream        what it can be asked for                        what it leaves out besides
    work_orders   updated_at, to the second                       nothing
    leases        created_at, by days of New York, both included  nothing
    tenancies     created_at, by midnights of Lord Howe           nothing
    showings      created_at, by hours on the clocks of Berlin    nothing
    payments      paid_on, which people edit                      nothing
    messages      nothing                                         what is older than 30 days, as it says
    inspections   created_at; without it, everything              what nobody touched for 40 days, in silence

Where it may be read in several ways what a bound means, the vendor takes the one that returns least.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any, cast
from zoneinfo import ZoneInfo

import orjson

from propexo_connect.connectors.base import Access, JsonPage, Page, ReadContext
from propexo_connect.model.errors import VendorFault
from propexo_connect.model.field import DATE, TEXT, TIMESTAMP, Field
from propexo_connect.model.ledger import Reading
from propexo_connect.model.stream import (
    Filter,
    FilterDeclaration,
    FilterKind,
    Meaning,
    Stream,
)
from propexo_connect.model.tile import Request
from propexo_connect.simulators.population import Population, Record, Version
from propexo_connect_tests.sync.pages import HandClock

DAY, HOUR = timedelta(days=1), timedelta(hours=1)

PAGE_TIME = timedelta(seconds=0.7)
"""How long one page takes, so that a read has an extent in time."""

_FAR = datetime(9999, 1, 1, tzinfo=UTC)

QUIET = timedelta(days=40)
"""The listing of inspections leaves out what was not updated for so long, and says so nowhere."""

PASTED = FilterDeclaration(FilterKind.UNDOCUMENTED, "updated_at", QUIET, note="seen by watching the listing")
"""What the person declares once they have found out."""

_COMMON = (
    Field("id", TEXT),
    Field("created_at", TIMESTAMP),
    Field("updated_at", TIMESTAMP),
    Field("note", TEXT),
)


def _stream(name: str, given: Filter | None, *hides: FilterDeclaration, more: Sequence[Field] = ()) -> Stream:
    return Stream(
        name, key=("id",), fields=(*_COMMON, *more), cursor="updated_at", filter=given, hides=tuple(hides)
    )


NEW_YORK, LORD_HOWE, BERLIN = "America/New_York", "Australia/Lord_Howe", "Europe/Berlin"

STREAMS = (
    _stream("work_orders", Filter("updated_at", lookback=6 * HOUR, lag=timedelta(minutes=1))),
    _stream("leases", Filter("created_at", Meaning.CREATED, resolution=DAY, zone=NEW_YORK, lookback=5 * DAY)),
    _stream(
        "tenancies", Filter("created_at", Meaning.CREATED, resolution=DAY, zone=LORD_HOWE, lookback=5 * DAY)
    ),
    _stream(
        "showings", Filter("created_at", Meaning.CREATED, resolution=HOUR, zone=BERLIN, lookback=2 * DAY)
    ),
    _stream(
        "payments",
        Filter(
            "paid_on",
            Meaning.BUSINESS,
            resolution=DAY,
            zone=NEW_YORK,
            lookback=7 * DAY,
            full_every=7 * DAY,
        ),
        more=(Field("paid_on", DATE),),
    ),
    _stream("messages", None, FilterDeclaration(FilterKind.IMPLICIT, "created_at", 30 * DAY)),
    # Read whole at every sync; the filter serves its backsync.
    _stream("inspections", Filter("created_at", Meaning.CREATED, full_every=timedelta(minutes=1))),
)


class Reason(StrEnum):
    """Why a read did not return a record."""

    GONE = "gone at the time"
    NOT_YET = "not yet visible"
    OUT_OF_RANGE = "outside what was asked for"
    ROLLED_OUT = "outside what the vendor says it answers"
    QUIET = "left out in silence"
    FAULT = "left out by a fault of the vendor"


@dataclass(eq=False)
class Read:
    """One read as the vendor saw it; `reading` and `sync_started_at` are told by whoever drives it."""

    reading: Reading
    sync_started_at: datetime
    started_at: datetime
    request: Request
    is_faulty: bool = False
    is_complete: bool = False
    ended_at: datetime = _FAR


@dataclass
class Vendor:
    """The source, over records whose life goes on outside of it.

    Args:
        page_records: how many records are looked through for one page, returned or not.
        is_out: reads break off half way. is_faulty: listings come almost empty, and look complete.
        served: by stream and key, the latest reads that returned the record, and as what.
    """

    population: Population
    clock: HandClock
    page_records: int = 200
    reading: Reading = Reading.RECURRING
    sync_started_at: datetime = _FAR
    is_out: bool = False
    is_faulty: bool = False
    reads: dict[str, list[Read]] = field(default_factory=lambda: defaultdict[str, list[Read]](list))
    served: dict[str, dict[str, deque[tuple[Read, Record]]]] = field(
        default_factory=lambda: defaultdict[str, dict[str, deque[tuple[Read, Record]]]](dict)
    )

    def discover(self) -> Sequence[Stream]:
        return STREAMS

    def check(self, streams: Sequence[Stream]) -> Sequence[Access]:
        return [Access(stream.name) for stream in streams]

    def prepare(self, stream: Stream) -> Stream:
        return stream

    def upper_bound(self, stream: Stream) -> int:  # noqa: ARG002 (no stream here has an integer axis)
        return 0

    def read(
        self,
        stream: Stream,
        request: Request,
        fields: frozenset[str] | None,  # noqa: ARG002 (serves them all)
        position: str | None,  # noqa: ARG002 (no stream here is resumable)
        context: ReadContext,
    ) -> Iterator[Page]:
        name = stream.name
        read = Read(
            self.reading, self.sync_started_at, self.clock.now(), request, self.is_faulty and request.is_whole
        )
        self.reads[name].append(read)
        listed = self.population.view(name, self.clock.now()).versions
        if read.is_faulty:
            listed = listed[:3]
        for start in range(0, len(listed), self.page_records):
            if self.is_out and start >= len(listed) // 2:
                raise VendorFault("the vendor is out of order (503)")
            at = self.clock.now()
            records = [
                version.content
                for version in listed[start : start + self.page_records]
                if hidden(name, version.content, request, at) is None
            ]
            self.clock.move(PAGE_TIME)
            for record in records:
                self._served(name, str(record["id"])).append((read, record))
            context.meter.add(requests=1)
            yield JsonPage(orjson.dumps(records), self.clock.now())
        self.clock.move(PAGE_TIME)
        read.ended_at = self.clock.now()
        read.is_complete = True

    def _served(self, stream: str, key: str) -> deque[tuple[Read, Record]]:
        return self.served[stream].setdefault(key, deque(maxlen=24))

    def visible(self, stream: str, key: str, at: datetime) -> Version | None:
        """The state of a record that a reader could see at an instant; None before there was one."""
        versions = self.population.versions(stream, key)
        return next((version for version in reversed(versions) if version.visible_at <= at), None)

    def is_live(self, stream: str, key: str, at: datetime) -> bool:
        """Whether the record exists, returned or not."""
        version = self.visible(stream, key, at)
        return version is not None and version.record is not None

    def why_missing(self, stream: str, key: str, read: Read) -> Reason | None:
        """Why a complete read did not return a record; None when it did."""
        version = self.visible(stream, key, read.started_at)
        if version is None:
            return Reason.NOT_YET
        if version.record is None:
            return Reason.GONE
        reason = hidden(stream, version.record, read.request, read.started_at) or hidden(
            stream, version.record, read.request, read.ended_at
        )
        if reason is None and read.is_faulty:
            return Reason.FAULT
        return reason


def hidden(stream: str, record: Record, request: Request, at: datetime) -> Reason | None:
    """Why the vendor leaves a record out of an answer that it gives at an instant; None when it does not."""
    if not request.is_whole and not _RANGES[stream](record, request):
        return Reason.OUT_OF_RANGE
    if stream == "messages" and _instant(record, "created_at") < at - 30 * DAY:
        return Reason.ROLLED_OUT
    if stream == "inspections" and request.is_whole and _instant(record, "updated_at") < at - QUIET:
        return Reason.QUIET
    return None


def _instant(record: Record, name: str) -> datetime:
    return cast("datetime", record[name])


def _bounds(request: Request) -> tuple[datetime, datetime]:
    return cast("datetime", request.start), cast("datetime", request.end)


def _by_instant(name: str) -> Callable[[Record, Request], bool]:
    def is_in(record: Record, request: Request) -> bool:
        start, end = _bounds(request)
        return start <= _instant(record, name) <= end

    return is_in


def _by_day(record: Record, request: Request) -> bool:
    """Days of New York, both included."""
    zone = ZoneInfo(NEW_YORK)
    first, last = (bound.astimezone(zone).date() for bound in _bounds(request))
    return first <= _instant(record, "created_at").astimezone(zone).date() <= last


def _by_midnight(record: Record, request: Request) -> bool:
    """A day stands for its midnight; where that comes twice, for the one that returns less."""
    zone = ZoneInfo(LORD_HOWE)
    start, end = (
        datetime.combine(bound.astimezone(zone).date(), datetime.min.time(), tzinfo=zone)
        for bound in _bounds(request)
    )
    first, last = start.replace(fold=1).astimezone(UTC), end.replace(fold=0).astimezone(UTC)
    return first <= _instant(record, "created_at") <= last


def _by_clock(record: Record, request: Request) -> bool:
    """Local times to the hour, compared with the record's own, which come twice when clocks go back."""
    zone = ZoneInfo(BERLIN)
    start, end = (
        bound.astimezone(zone).replace(tzinfo=None, minute=0, second=0, microsecond=0)
        for bound in _bounds(request)
    )
    return start <= _instant(record, "created_at").astimezone(zone).replace(tzinfo=None) <= end


def _by_payment(record: Record, request: Request) -> bool:
    zone = ZoneInfo(NEW_YORK)
    first, last = (bound.astimezone(zone).date() for bound in _bounds(request))
    return first <= cast("date", record["paid_on"]) <= last


_RANGES: Mapping[str, Callable[[Any, Request], bool]] = {
    "work_orders": _by_instant("updated_at"),
    "leases": _by_day,
    "tenancies": _by_midnight,
    "showings": _by_clock,
    "payments": _by_payment,
    "inspections": _by_instant("created_at"),
}
