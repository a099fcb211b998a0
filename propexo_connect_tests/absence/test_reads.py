"""Why a read does not count against a record."""

from datetime import UTC, datetime, timedelta

import pytest

from propexo_connect.absence.reads import Reason, Sighting, why_not
from propexo_connect.model.ledger import Part, Reading, Window
from propexo_connect.model.stream import FilterDeclaration, FilterKind, Meaning
from propexo_connect.model.tile import EVERYTHING, Request, Stretch, Tile

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
RECORD = Sighting(NOON, NOON, {"at": NOON - 48 * HOUR, "none": None})


def read(
    hours: float = 2,
    *declarations: FilterDeclaration,
    covered: Stretch = EVERYTHING,
    is_complete: bool = True,
    parts: tuple[Part, ...] = (),
) -> Window:
    at = NOON + hours * HOUR
    tile = Tile(at - HOUR, at)
    return Window(
        "pms", "units", Reading.RECURRING, tile, Request(None, None), "at", declarations, is_complete, 0, 1,
        "sync", 1, at, at, at + HOUR / 60, covered, parts=parts,
    )  # fmt: skip


def asked(meaning: Meaning = Meaning.CREATED, field: str = "at") -> FilterDeclaration:
    return FilterDeclaration(FilterKind.EXPLICIT, field, meaning=meaning)


def hidden(hours: float, field: str = "at") -> FilterDeclaration:
    return FilterDeclaration(FilterKind.UNDOCUMENTED, field, timedelta(hours=hours))


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (read(), None),
        (read(is_complete=False), Reason.INCOMPLETE),
        (read(0), Reason.BEGAN_BEFORE),
        (read(2, parts=(Part("1", is_skipped=True),)), Reason.SKIPPED_PARENT),
        (read(2, FilterDeclaration(FilterKind.IMPLICIT, "")), Reason.NO_FIELD),
        (read(2, asked(field="other")), Reason.NOT_HELD),
        (read(2, asked(Meaning.BUSINESS)), Reason.BUSINESS),
        (read(2, asked(field="none")), Reason.NO_VALUE),
        (read(2, asked()), None),
        (read(2, asked(), covered=Stretch(NOON, NOON + HOUR)), Reason.OUTSIDE),
        (read(2, hidden(40)), Reason.HIDDEN),
        (read(2, hidden(60)), None),
    ],
)
def test_each_read_counts_or_says_why_not(given: Window, reason: Reason | None) -> None:
    assert why_not(given, RECORD, [given], ()) == reason


def test_what_is_declared_now_holds_for_earlier_reads() -> None:
    assert why_not(read(), RECORD, [read()], (hidden(40),)) is Reason.HIDDEN
