"""The launch form of a sync: what is read, in words that people type."""

from datetime import UTC, datetime
from enum import Enum

import dagster as dg
from pydantic import Field

from propexo_connect.model.errors import ConfigurationError
from propexo_connect.model.ledger import Reading
from propexo_connect.model.stream import StreamPlan
from propexo_connect.sync.result import SyncOrder

ReadingChoice = Enum(
    "ReadingChoice",
    [
        ("recurring", Reading.RECURRING),
        ("full", Reading.FULL),
        ("backsync", Reading.BACKSYNC),
        ("re-pull", Reading.REPULL),
        ("sweep", Reading.SWEEP),
    ],
)
"""The readings that a person may ask for, under the names that the ledger has for them."""


class SyncConfig(dg.Config):
    """What this sync reads; as it stands, it keeps the streams current."""

    reading: ReadingChoice = Field(
        ReadingChoice.recurring,
        description="`recurring` goes on where the last sync ended, `full` reads everything, "
        "`backsync` fills history back to `start`, `re-pull` reads `start` to `end` again, "
        "`sweep` reads all keys to learn what is still there.",
    )
    start: str | None = Field(
        None,
        description="Of a backsync (how far back) or a re-pull: 2026-01-31 or 2026-01-31T06:00:00-06:00; "
        "UTC where no offset is written.",
    )
    end: str | None = Field(None, description="Of a re-pull, itself excluded; written like `start`.")
    force: bool = Field(
        False,
        description="On a re-pull: take the source's word for records that look older than what is stored.",
    )

    paced: bool = Field(
        False,
        description="On a sweep: only the streams whose sweep is due, and of a spread one only its share.",
    )

    def order(self, sync_id: str, plans: tuple[StreamPlan, ...]) -> SyncOrder:
        """The order to the engine.

        Raises:
            ConfigurationError: bounds that the reading does not take, lacks, or that are no instants.
        """
        reading: Reading = self.reading.value
        start, end = _instant("start", self.start), _instant("end", self.end)
        needs_start = reading in {Reading.BACKSYNC, Reading.REPULL}
        needs_end = reading is Reading.REPULL
        for name, bound, is_needed in (("start", start, needs_start), ("end", end, needs_end)):
            if is_needed and bound is None:
                raise ConfigurationError(f"a {reading} needs `{name}`", expected="such as 2026-01-31")
            if bound is not None and not is_needed:
                raise ConfigurationError(f"a {reading} sync takes no `{name}`", remedy=f"Leave `{name}` out.")
        if start is not None and end is not None and start >= end:
            raise ConfigurationError(f"`start` {self.start} is not before `end` {self.end}")
        if self.force and reading is not Reading.REPULL:
            raise ConfigurationError(f"`force` is for a re-pull, not for a {reading} sync")
        if self.paced and reading is not Reading.SWEEP:
            raise ConfigurationError(f"`paced` is for a sweep, not for a {reading} sync")
        return SyncOrder(sync_id, plans, reading, start, end, self.force, self.paced)


def _instant(name: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(
            f"`{name}` is '{text[:40]}'",
            expected="a date or instant such as 2026-01-31 or 2026-01-31T06:00:00Z",
        ) from None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
