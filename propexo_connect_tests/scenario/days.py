"""The days of the scenario: syncs every few hours, and all that goes wrong in sixty days."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from threading import Event

from propexo_connect.destinations.base import Destination, Session
from propexo_connect.model.absence import Verdict
from propexo_connect.model.ledger import Reading
from propexo_connect.model.stream import RetryPolicy, StreamPlan, SyncSettings, Table
from propexo_connect.sync.result import SyncOrder
from propexo_connect.sync.run import run_sync
from propexo_connect_tests.scenario.vendor import DAY, HOUR, PASTED, STREAMS, Vendor
from propexo_connect_tests.scenario.verdicts import Row, Tally, judge
from propexo_connect_tests.scenario.world import World
from propexo_connect_tests.sync.pages import HandClock

FIRST_DAY = datetime(2026, 2, 20, tzinfo=UTC)
"""Sixty days from here clocks change in New York (8 March), Berlin (29 March) and Lord Howe (5 April)."""

OUTAGE, BACKSYNC, FAULT, DECLARED, REPULL = 8, 10, 20, 25, 33
"""On which days the vendor is out of order, the past is read, lists come almost empty, the person declares
the filter that they have found, and a stretch is read again."""

ALL = tuple(stream.name for stream in STREAMS)

WEEKLY = ("work_orders", "leases", "tenancies", "showings")
"""Streams that somebody reads whole once a week; `payments` asks for that by itself."""

SCHEMA = "vendor"
_SETTINGS = SyncSettings(
    stream_retry=RetryPolicy(2, timedelta(seconds=1), timedelta(seconds=1)), max_streams=1, step_bytes=40_000
)


@dataclass
class Replay:
    """One run of the scenario into one destination.

    Args:
        scale: how many records there are, against a full-size run.
        every: the time between two syncs; days on which something happens have one in any case.
        look_every: how many days lie between two looks at the verdicts.
        said: takes a line after each look.
        declares: whether the person ever finds out about the filter that the vendor keeps quiet about.
    """

    destination: Destination
    days: int = 60
    every: timedelta = 4 * HOUR
    scale: float = 1.0
    seed: int = 20260220
    look_every: int = 1
    declares: bool = True
    said: Callable[[str], None] = lambda _: None
    streams: tuple[str, ...] = ALL
    tally: Tally = field(default_factory=Tally)
    syncs: int = 0
    failed: int = 0
    seconds: float = 0.0
    clock: HandClock = field(default_factory=lambda: HandClock(FIRST_DAY))
    world: World = field(init=False)
    vendor: Vendor = field(init=False)
    plans: dict[str, StreamPlan] = field(init=False)

    def __post_init__(self) -> None:
        self.world = World(self.seed, FIRST_DAY, self.scale)
        self.vendor = Vendor(self.world.population, self.clock, max(10, int(200 * self.scale)))
        self.plans = {
            stream.name: StreamPlan("scenario", stream, Table(SCHEMA, stream.name))
            for stream in STREAMS
            if stream.name in self.streams
        }

    def run(self) -> Tally:
        """Live through all days; what is told holds from the last of them."""
        began = time.monotonic()
        for day in filter(self._has_syncs, range(self.days)):
            with self.destination.open() as session:
                self._live(day, session)
                if (day + 1) % self.look_every == 0 or day + 1 == self.days:
                    self.look()
                    self.said(f"day {day + 1}: {self.syncs} syncs, {time.monotonic() - began:.0f} s")
        self.seconds = time.monotonic() - began
        return self.tally

    @property
    def read_count(self) -> int:
        """How many reads the vendor answered or broke off."""
        return sum(len(reads) for reads in self.vendor.reads.values())

    @property
    def record_count(self) -> int:
        """How many records the tables hold."""
        return sum(self.tally.records.values())

    def _has_syncs(self, day: int) -> bool:
        is_special = day in {OUTAGE, BACKSYNC, FAULT, DECLARED, REPULL, self.days - 1} or day % 7 == 6
        return is_special or day * DAY % self.every == timedelta(0)

    def _live(self, day: int, session: Session) -> None:
        self.vendor.is_out = day == OUTAGE
        if self.declares and day == DECLARED and "inspections" in self.plans:
            given = self.plans["inspections"]
            self.plans["inspections"] = replace(given, stream=replace(given.stream, hides=(PASTED,)))
        turns = max(1, DAY // self.every)
        for turn in range(turns):
            self._wait_for(FIRST_DAY + day * DAY + turn * self.every)
            is_last = turn == turns - 1
            self.vendor.is_faulty = day == FAULT and is_last
            whole = WEEKLY if day % 7 == 6 and is_last else ()
            self._sync(session, [name for name in self.plans if name not in whole])
            self._sync(session, whole, Reading.FULL)
        if day == BACKSYNC:
            start = FIRST_DAY - 210 * DAY
            self._sync(session, ("inspections", "leases"), Reading.BACKSYNC, start=start)
        if day == REPULL:
            start, end = FIRST_DAY + 5 * DAY, FIRST_DAY + 20 * DAY
            self._sync(session, ("work_orders", "leases"), Reading.REPULL, start=start, end=end)

    def _wait_for(self, due: datetime) -> None:
        if due > self.clock.now():
            self.clock.move(due - self.clock.now())
        self.world.advance(self.clock.now())

    def _sync(
        self,
        session: Session,
        names: Sequence[str],
        reading: Reading = Reading.RECURRING,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> None:
        plans = tuple(self.plans[name] for name in names if name in self.plans)
        if not plans:
            return
        self.syncs += 1
        self.clock.move(timedelta(seconds=1))
        self.vendor.reading, self.vendor.sync_started_at = reading, self.clock.now()
        order = SyncOrder(f"sync-{self.syncs}", plans, reading, start, end)
        errors = [
            result.error
            for result in run_sync(
                order, self.vendor, session, _SETTINGS, self.clock, lambda _: None, Event()
            )
            if result.error is not None
        ]
        self.failed += bool(errors)
        if errors and not self.vendor.is_out:
            raise errors[0]

    def rows(self, stream: str) -> dict[str, Row]:
        """What the view says of each record of a stream."""
        names = ["id", "last_seen", "covered_absences", "last_covered_at", "is_held", "verdict"]
        table = self.destination.read_table(SCHEMA, f"{stream}__absence", names).read_all()
        found = (Row(**row | {"verdict": Verdict(row["verdict"])}) for row in table.to_pylist())
        return {row.id: row for row in found}

    def look(self) -> None:
        """Compare all verdicts with the truth of this moment."""
        is_declared = self.plans.get("inspections") is not None and bool(
            self.plans["inspections"].stream.hides
        )
        for name in self.plans:
            rows = self.rows(name)
            judge(self.vendor, name, rows, self.clock.now(), self.tally, is_declared=is_declared)
            live = self.destination.read_table(SCHEMA, f"{name}__live", ["id"]).read_all().num_rows
            if live != len(rows) - self.tally.presumed[name]:
                self.tally.false[name, ""] = f"{name}__live has {live} rows"
