"""Why a read does not count against a record."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from propexo_connect.absence.reads import Reason, Settled, Sighting, Value, why_not
from propexo_connect.model.ledger import Reading, Window
from propexo_connect.model.stream import FilterDeclaration, FilterKind, Meaning
from propexo_connect.model.tile import Request, Stretch, Tile

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
WIDE = Stretch(None, NOON + 100 * HOUR)
RECORD = Sighting(NOON, NOON, {"at": NOON - 48 * HOUR, "none": None})


def read(
    hours: float = 2,
    *declarations: FilterDeclaration,
    covered: Stretch = WIDE,
    is_complete: bool = True,
    is_skipping: bool = False,
) -> Window:
    at = NOON + hours * HOUR
    tile = Tile(at - HOUR, at)
    return Window(
        "pms", "units", Reading.RECURRING, tile, Request(None, None), "at", declarations, is_complete, 0, 1,
        "sync", 1, started_at=at, read_started_at=at, first_started_at=at, finished_at=at + HOUR / 60,
        is_skipping=is_skipping, covered=covered,
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
        (read(2, is_skipping=True), Reason.SKIPPED_PARENT),
        (read(2, FilterDeclaration(FilterKind.IMPLICIT, "")), Reason.NO_FIELD),
        (read(2, asked(field="other")), Reason.NOT_HELD),
        (read(2, asked(Meaning.BUSINESS)), Reason.BUSINESS),
        (read(2, asked(field="none")), Reason.NO_VALUE),
        (read(2, asked()), None),
        (read(2, asked(), covered=Stretch(NOON, NOON + HOUR)), Reason.OUTSIDE),
        (read(2, asked(Meaning.UPDATED)), Reason.UNSETTLED),
        (read(2, hidden(40)), Reason.HIDDEN),
        (read(2, hidden(60)), None),
    ],
)
def test_each_read_counts_or_says_why_not(given: Window, reason: Reason | None) -> None:
    assert why_not(given, RECORD, Settled.of([given]), ()) == reason


def test_what_is_declared_now_holds_for_earlier_reads() -> None:
    assert why_not(read(), RECORD, Settled.of([read()]), (hidden(40),)) is Reason.HIDDEN


def test_a_read_that_a_record_may_have_moved_ahead_of_counts_once_later_ones_have_passed() -> None:
    early = read(2, asked(Meaning.UPDATED))
    assert why_not(early, RECORD, Settled.of([early, read(4, asked(Meaning.UPDATED))]), ()) is None


@pytest.mark.parametrize(
    ("value", "covered", "reason"),
    [
        (date(2026, 3, 8), Stretch(NOON, datetime(2026, 3, 9, 4, tzinfo=UTC)), None),
        (date(2026, 3, 8), Stretch(NOON, datetime(2026, 3, 9, 3, tzinfo=UTC)), Reason.OUTSIDE),
        (datetime(2026, 3, 1, 8), Stretch(NOON, None), Reason.OUTSIDE),  # noqa: DTZ001 - a local time
        (Decimal(5), Stretch(5, 6), None),
        (6, Stretch(5, 6), Reason.OUTSIDE),
    ],
)
def test_days_local_times_and_numbers_are_judged_as_what_they_may_stand_for(
    value: Value, covered: Stretch, reason: Reason | None
) -> None:
    declared = FilterDeclaration(FilterKind.EXPLICIT, "at", zone="America/New_York", meaning=Meaning.CREATED)
    record = Sighting(NOON, NOON, {"at": value})
    assert why_not(read(300, declared, covered=covered), record, Settled.of([]), ()) == reason
