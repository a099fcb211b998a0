"""What a simulated vendor holds: every version of every record, and the moment each becomes visible.

    population = Population()
    population.insert("inspections", {"id": "7301", "status": "INCOMPLETE"})
    population.update("inspections", "7301", {"status": "COMPLETE"}, visible_at=noon)
    population.view("inspections", at=eleven).record("7301")["status"]    # "INCOMPLETE"
    population.truth("inspections")["7301"]["status"]                     # "COMPLETE"

Nothing is forgotten: a test compares what a destination holds with any version that ever was.
"""

import threading
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar, cast

Record = Mapping[str, object]
"""One object as the vendor holds it; treat it, and what is nested in it, as frozen once it is inserted."""

Key = str | tuple[str, ...]
"""What identifies a record within its collection: its id, or several ids together."""

ALWAYS = datetime(1, 1, 1, tzinfo=UTC)
"""`visible_at` of a version that was never held back."""

KEPT_DERIVATIONS = 64
"""How many derived lists one view keeps: enough for the pages of many readers, bounded over days."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Version:
    """One state of one record; `number` counts from 1 per key, `record` is None when it vanished."""

    collection: str
    key: Key
    number: int
    record: Record | None
    visible_at: datetime

    @property
    def content(self) -> Record:
        """The record of a version that holds one.

        Raises: LookupError for the version that says the record vanished.
        """
        if self.record is None:
            raise LookupError(f"version {self.number} of {self.key} in {self.collection} says it vanished")
        return self.record


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """The records of one collection that are visible at one moment, in order of first insertion."""

    versions: tuple[Version, ...]
    _derived: dict[Hashable, object] = field(default_factory=dict[Hashable, object], repr=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def record(self, key: Key) -> Record:
        """The visible record with this key. Raises: KeyError when none is visible."""
        return self._by_key()[key].content

    def __contains__(self, key: Key) -> bool:
        return key in self._by_key()

    def __len__(self) -> int:
        return len(self.versions)

    def derive(self, label: Hashable, build: Callable[["View"], T]) -> T:
        """What `build` makes of this view, made once per label: pages of one list share one sort.

        The caller answers for the type: one label always stands for one `build`.
        """
        with self._lock:
            if label in self._derived:
                return cast("T", self._derived[label])
            built = build(self)
            while len(self._derived) >= KEPT_DERIVATIONS:
                del self._derived[next(iter(self._derived))]
            self._derived[label] = built
            return built

    def _by_key(self) -> dict[Key, Version]:
        return self.derive("by key", lambda view: {version.key: version for version in view.versions})


@dataclass(slots=True)
class _Collection:
    versions: dict[Key, list[Version]] = field(default_factory=dict[Key, list[Version]])
    last_number: int | None = None
    view: View | None = None
    view_from: datetime = ALWAYS
    view_until: datetime | None = None


class Population:
    """Records by collection, with all their versions; every method may be called from any thread."""

    def __init__(self) -> None:
        self._collections: dict[str, _Collection] = {}
        self._lock = threading.RLock()
        self._version_count = 0

    @property
    def version_count(self) -> int:
        """How many versions were ever written: grows with every change, so it names a state."""
        return self._version_count

    def collections(self) -> tuple[str, ...]:
        """The names of the collections that ever held a record, in order of first use."""
        with self._lock:
            return tuple(name for name, held in self._collections.items() if held.versions)

    def next_id(self, collection: str, first: int = 1) -> str:
        """The next numeric id of a collection, as text: `first`, then one more each time."""
        with self._lock:
            held = self._held(collection)
            held.last_number = first if held.last_number is None else held.last_number + 1
            return str(held.last_number)

    def insert(
        self, collection: str, record: Record, *, key: Key | None = None, visible_at: datetime = ALWAYS
    ) -> Key:
        """Add a record and return its key: `key`, or else the text in its field `id`.

        A record that vanished may be inserted again. Raises: ValueError without a key, or for a living one.
        """
        if key is None:
            own = record.get("id")
            if not isinstance(own, str):
                raise ValueError(f"a record of {collection} needs a key or a text id, got {own!r}")
            key = own
        with self._lock:
            past = self._held(collection).versions.get(key)
            if past and past[-1].record is not None:
                raise ValueError(f"{collection} already holds {key}")
            self._write(collection, key, dict(record), visible_at)
        return key

    def update(self, collection: str, key: Key, changes: Record, *, visible_at: datetime = ALWAYS) -> Version:
        """Write a new version: the newest one with these fields replaced, the others kept.

        Raises: KeyError when the record does not exist or vanished.
        """
        with self._lock:
            newest = self._newest(collection, key)
            return self._write(collection, key, {**newest, **changes}, visible_at)

    def vanish(self, collection: str, key: Key, *, visible_at: datetime = ALWAYS) -> Version:
        """Take a record away without a trace for readers. Raises: KeyError when there is none."""
        with self._lock:
            self._newest(collection, key)
            return self._write(collection, key, None, visible_at)

    def versions(self, collection: str, key: Key) -> tuple[Version, ...]:
        """Every version ever written under a key, oldest first; empty for a key never used."""
        with self._lock:
            return tuple(self._held(collection).versions.get(key, ()))

    def truth(self, collection: str) -> dict[Key, Record]:
        """The newest record per key, whether readers can see it yet or not, without the vanished ones."""
        with self._lock:
            return dict(self._living(collection))

    def view(self, collection: str, at: datetime) -> View:
        """What a reader sees at an instant: per key the newest version whose `visible_at` has come."""
        with self._lock:
            held = self._held(collection)
            known = held.view
            expired = held.view_until is not None and at >= held.view_until
            if known is None or at < held.view_from or expired:
                known = self._look(held, at)
            return known

    def _look(self, held: _Collection, at: datetime) -> View:
        visible: list[Version] = []
        turning: list[datetime] = []
        since = ALWAYS
        for versions in held.versions.values():
            for version in reversed(versions):
                if version.visible_at <= at:
                    since = max(since, version.visible_at)
                    if version.record is not None:
                        visible.append(version)
                    break
                turning.append(version.visible_at)
        held.view = View(tuple(visible))
        held.view_from, held.view_until = since, min(turning, default=None)
        return held.view

    def _living(self, collection: str) -> Iterator[tuple[Key, Record]]:
        for key, versions in self._held(collection).versions.items():
            newest = versions[-1].record
            if newest is not None:
                yield key, newest

    def _newest(self, collection: str, key: Key) -> Record:
        versions = self._held(collection).versions.get(key)
        newest = versions[-1].record if versions else None
        if newest is None:
            raise KeyError(f"{collection} holds no {key}")
        return newest

    def _write(self, collection: str, key: Key, record: Record | None, visible_at: datetime) -> Version:
        held = self._held(collection)
        versions = held.versions.setdefault(key, [])
        version = Version(collection, key, len(versions) + 1, record, visible_at)
        versions.append(version)
        held.view = None
        self._version_count += 1
        return version

    def _held(self, collection: str) -> _Collection:
        return self._collections.setdefault(collection, _Collection())
