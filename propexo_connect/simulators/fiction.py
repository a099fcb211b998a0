"""Fictional people, places, money and moments: the same seed and instant always make the same ones."""

import random
import uuid
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TypeVar

T = TypeVar("T")

FIRST = (
    "Pat",
    "Sam",
    "Alex",
    "Robin",
    "Jo",
    "Casey",
    "Dana",
    "Lee",
    "Morgan",
    "Riley",
    "Zoë",
    "José",
    "Aoife",
)
LAST = ("Rivers", "Stone", "Marsh", "Fields", "Woods", "Brooks", "Hill", "O’Dale", "Ford", "García", "Łukasz")
STREETS = (
    "Elm Street",
    "Quay Road",
    "Larkspur Avenue",
    "Maple Drive",
    "Mill Lane",
    "Hollow Road",
    "River Bend",
)
CITIES = (
    ("Springfield", "IL", "62701"),
    ("Portland", "ME", "04101"),
    ("Boulder", "CO", "80301"),
    ("Lowell", "MA", "01852"),
    ("Yakima", "WA", "98901"),
)
"""City, state, postal code; some codes begin with 0, and must still do so where they land."""
PLACES = (
    "Elm Court",
    "Harbor Point",
    "Larkspur Lofts",
    "Maple Terrace",
    "Old Mill Yard",
    "Pine Hollow",
    "Riverbend",
)
TROUBLES = (
    "Kitchen tap drips",
    "No hot water",
    "Smoke detector chirps",
    "Window will not close",
    "Outlet without power\nResident reports a tripped breaker.",
    "Dishwasher leaks — “a lot of it”",
)


class Fiction:
    """A source of made-up values; `now` is where its history ends."""

    def __init__(self, seed: int, now: datetime) -> None:
        self.random = random.Random(seed)  # noqa: S311 - made-up records, not secrets
        self.now = now.replace(microsecond=0)

    def one_of(self, values: Sequence[T]) -> T:
        """One of some values."""
        return self.random.choice(values)

    def chance(self, share: float) -> bool:
        """True so often."""
        return self.random.random() < share

    def number(self, low: int, high: int) -> int:
        """A whole number, both ends included."""
        return self.random.randint(low, high)

    def money(self, low: int, high: int) -> float:
        """An amount with two decimals."""
        return self.random.randint(low * 100, high * 100) / 100

    def first(self) -> str:
        """A first name."""
        return self.one_of(FIRST)

    def last(self) -> str:
        """A last name."""
        return self.one_of(LAST)

    def email(self, first: str, last: str) -> str:
        """An address at example.com."""
        plain = f"{first}.{last}".lower().encode("ascii", "ignore").decode()
        return f"{plain}{self.number(1, 999)}@example.com"

    def phone(self) -> str:
        """A number that is reserved for fiction."""
        return f"555-01{self.number(0, 99):02d}"

    def street(self) -> str:
        """House number and street."""
        return f"{self.number(1, 999)} {self.one_of(STREETS)}"

    def city(self) -> tuple[str, str, str]:
        """City, state, postal code."""
        return self.one_of(CITIES)

    def uuid(self) -> str:
        """An identifier."""
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def ago(self, days: float, at_least: float = 0.0) -> datetime:
        """A moment within so many days before now, in whole seconds."""
        seconds = self.random.uniform(at_least * 86_400, days * 86_400)
        return self.now - timedelta(seconds=int(seconds))

    def day(self, days_ago: int, days_ahead: int = 0) -> date:
        """A day around now."""
        return (self.now + timedelta(days=self.number(-days_ago, days_ahead))).date()


def iso(at: datetime) -> str:
    """2026-03-01T12:00:00Z"""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
