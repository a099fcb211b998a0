"""What one sync is to read of one stream."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from propexo_connect.model.ledger import Reading
from propexo_connect.model.stream import Filter
from propexo_connect.model.tile import EVERYTHING, Request, Stretch, Tile, covered, widen

RESUMABLE_FOR = timedelta(days=1)
"""A read that was broken off is taken up again for so long; later it starts anew."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """One tile to be read and proven, and what to ask for it.

    Args:
        covered: what the tile proves of the filter's field once it is read to its end.
        position: where the source is to be taken up, None from the start; `part` counts on from there.
        read_started_at, first_started_at: when the read that is taken up began, and the sync that began it;
            None for a new one. is_skipping: that read had passed over a parent.
        page_limit: after so many pages the read stops where it can be taken up again; None: at its end.
    """

    reading: Reading
    tile: Tile
    request: Request
    covered: Stretch = EVERYTHING
    part: int = 0
    position: str | None = None
    read_started_at: datetime | None = None
    first_started_at: datetime | None = None
    is_skipping: bool = False
    page_limit: int | None = None


def asked(reading: Reading, tile: Tile, given: Filter) -> Assignment:
    """A tile, with what is asked of the source for it."""
    return Assignment(reading, tile, widen(tile, given), covered(tile, given))
