"""What a simulator truthfully served: the ledger that a test holds against a destination.

Only complete answers count. An answer that was replaced, cut, or made undecodable served nothing.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from propexo_connect.simulators.population import Key, Record, Version

Offer = Mapping[str, Sequence[Version]]
"""By collection, the versions that an answer carries."""


@dataclass(frozen=True, slots=True)
class Serving:
    """The records of one collection in one complete answer, in the order sent."""

    request_number: int
    at: datetime
    collection: str
    versions: tuple[Version, ...]


class ServedLedger:
    """Every serving since the start; safe between threads."""

    def __init__(self) -> None:
        self._servings: list[Serving] = []
        self._lock = threading.Lock()

    def enter(self, request_number: int, at: datetime, offer: Offer) -> None:
        """Note what an answer carries, just before its last byte leaves."""
        servings = [Serving(request_number, at, name, tuple(held)) for name, held in offer.items() if held]
        with self._lock:
            self._servings.extend(servings)

    def withdraw(self, request_number: int) -> None:
        """Take back the note of an answer whose last byte could not be sent."""
        with self._lock:
            self._servings = [kept for kept in self._servings if kept.request_number != request_number]

    def servings(self, collection: str | None = None) -> list[Serving]:
        """The servings of one collection, or of all, oldest first."""
        with self._lock:
            return [one for one in self._servings if collection in (None, one.collection)]

    def versions(self, collection: str, key: Key) -> list[Version]:
        """The distinct versions of one record that were served, in the order of their first serving."""
        met: dict[int, Version] = {}
        for serving in self.servings(collection):
            for version in serving.versions:
                if version.key == key:
                    met.setdefault(version.number, version)
        return list(met.values())

    def newest(self, collection: str) -> dict[Key, Record]:
        """Per key the newest version that was ever served."""
        newest: dict[Key, Version] = {}
        for serving in self.servings(collection):
            for version in serving.versions:
                known = newest.get(version.key)
                if known is None or version.number > known.number:
                    newest[version.key] = version
        return {key: version.content for key, version in newest.items()}
