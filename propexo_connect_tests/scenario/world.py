"""What happens to the records of a property company, whatever anybody reads of them: seeded, day by day.

Records are made, changed and really deleted; some appear hours or days after they were made, some come back
from the bin, with the stamp of their return or with the old one, and some get an older stamp than they had
(a restored backup). A part of them is made right at the moments on which filters turn: at midnight where
the vendor counts days, when clocks change, and at the second in which a sync starts.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import cast
from zoneinfo import ZoneInfo

from propexo_connect.simulators.population import Population, Record
from propexo_connect_tests.scenario.vendor import BERLIN, DAY, HOUR, LORD_HOWE, NEW_YORK

_NOTHING = timedelta(0)


@dataclass(frozen=True)
class Habit:
    """How the records of one stream live.

    Args:
        at_start: how many there are before the first day, made within `aged`.
        made, changed, deleted: how many a day.
        late: how long after its stamp a change may become visible, for one in ten.
        turns_back: whether some records get an older stamp than they had.
        zone: whose midnights and clock changes matter to the vendor.
    """

    stream: str
    at_start: int
    aged: timedelta
    made: float
    changed: float
    deleted: float
    late: timedelta = _NOTHING
    turns_back: bool = False
    zone: str = "UTC"


HABITS = (
    # Late by no more than the lookback: what comes later, no window can find.
    Habit("work_orders", 900, 25 * DAY, 22, 60, 5, late=6 * HOUR, turns_back=True),
    Habit("leases", 900, 60 * DAY, 20, 25, 5, late=12 * DAY, zone=NEW_YORK),
    Habit("tenancies", 700, 28 * DAY, 16, 20, 4, late=4 * DAY, zone=LORD_HOWE),
    Habit("showings", 700, 28 * DAY, 30, 15, 6, late=2 * DAY, zone=BERLIN),
    Habit("payments", 800, 28 * DAY, 25, 20, 4, late=3 * DAY, zone=NEW_YORK),
    Habit("messages", 900, 45 * DAY, 30, 10, 5, late=2 * DAY),
    Habit("inspections", 1400, 200 * DAY, 12, 12, 4, late=2 * DAY),
)


@dataclass
class World:
    """The life of all records; `population` is what the vendor holds.

    Args:
        scale: how many records there are, against a full-size run.
    """

    seed: int
    now: datetime
    scale: float = 1.0
    habits: tuple[Habit, ...] = HABITS
    population: Population = field(default_factory=Population)
    chance: random.Random = field(init=False)
    _living: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    _bin: dict[str, list[Record]] = field(default_factory=dict[str, list[Record]])

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        for habit in self.habits:
            self._living[habit.stream], self._bin[habit.stream] = [], []
            for _ in range(max(12, int(habit.at_start * self.scale))):
                self._make(habit, self.now - self.chance.random() * habit.aged)

    def advance(self, until: datetime) -> None:
        """Let everything happen up to an instant."""
        start, self.now = self.now, until
        for habit in self.habits:
            turns = list(turning_points(start, until, habit.zone))
            for at, what in sorted(self._events(habit, start, until)):
                match what:
                    case "make":
                        self._make(habit, self._at_a_turn(at, turns, start, until))
                    case "change":
                        self._change(habit, at)
                    case _:
                        self._delete(habit, at)

    def _events(self, habit: Habit, start: datetime, end: datetime) -> Iterator[tuple[datetime, str]]:
        days = (end - start) / DAY
        for what, a_day in (("make", habit.made), ("change", habit.changed), ("delete", habit.deleted)):
            expected = a_day * days * self.scale
            count = int(expected) + (self.chance.random() < expected % 1)
            yield from ((start + self.chance.random() * (end - start), what) for _ in range(count))

    def _at_a_turn(self, at: datetime, turns: list[datetime], start: datetime, end: datetime) -> datetime:
        if self.chance.random() > 0.25:
            return at
        seconds = self.chance.uniform(-6, 6)
        return min(max(self.chance.choice(turns) + timedelta(seconds=seconds), start), end)

    def _make(self, habit: Habit, at: datetime) -> None:
        stream = habit.stream
        key = self.population.next_id(stream)
        record: dict[str, object] = {"id": key, "created_at": at, "updated_at": at, "note": "made"}
        if stream == "payments":
            record["paid_on"] = (at + self.chance.uniform(-20, 20) * DAY).date()
        self.population.insert(stream, record, visible_at=self._visible(habit, at))
        self._living[stream].append(key)

    def _change(self, habit: Habit, at: datetime) -> None:
        stream = habit.stream
        found = self._pick(stream, at)
        if found is None:
            return
        newest = self._newest(stream, found)
        changes: dict[str, object] = {"updated_at": at, "note": f"changed {self.chance.random():.6f}"}
        if habit.turns_back and self.chance.random() < 0.03:
            changes["updated_at"] = cast("datetime", newest["updated_at"]) - self.chance.uniform(1, 9) * DAY
        if stream == "payments" and self.chance.random() < 0.5:
            changes["paid_on"] = (at + self.chance.uniform(-60, 30) * DAY).date()
        self.population.update(stream, found, changes, visible_at=self._visible(habit, at))

    def _delete(self, habit: Habit, at: datetime) -> None:
        stream = habit.stream
        if self._bin[stream] and self.chance.random() < 0.1:
            self._restore(stream, at)
            return
        found = self._pick(stream, at)
        if found is None:
            return
        self._bin[stream].append(self._newest(stream, found))
        self._living[stream].remove(found)
        self.population.vanish(stream, found, visible_at=at)

    def _restore(self, stream: str, at: datetime) -> None:
        """Bring a record back from the bin; one in three keeps the stamp that it had."""
        record = dict(self._bin[stream].pop(self.chance.randrange(len(self._bin[stream]))))
        if self.chance.random() > 1 / 3:
            record["updated_at"] = at
        key = str(record["id"])
        self.population.insert(stream, record, visible_at=at)
        self._living[stream].append(key)

    def _pick(self, stream: str, at: datetime) -> str | None:
        """A living record that everybody can see as it is."""
        for _ in range(5):
            key = self.chance.choice(self._living[stream])
            if self.population.versions(stream, key)[-1].visible_at <= at:
                return key
        return None

    def _newest(self, stream: str, key: str) -> Record:
        return self.population.versions(stream, key)[-1].content

    def _visible(self, habit: Habit, at: datetime) -> datetime:
        return at + self.chance.random() * habit.late if self.chance.random() < 0.1 else at


def turning_points(start: datetime, end: datetime, zone: str) -> Iterator[datetime]:
    """Moments on which filters turn: the start of the stretch, local midnights, and changes of the clock."""
    yield start
    local = ZoneInfo(zone)
    hour = start.replace(minute=0, second=0, microsecond=0) + HOUR
    while hour < end:
        shown = hour.astimezone(local)
        if shown.hour == 0:
            yield shown.replace(minute=0).astimezone(UTC)
        if shown.utcoffset() != (hour + HOUR).astimezone(local).utcoffset():
            yield from (hour, hour + HOUR / 2, hour + HOUR)
        hour += HOUR
