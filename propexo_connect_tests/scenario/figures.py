"""What a replay found, as a table on the terminal, a last line, and docs/scenario.md."""

import os
import platform
import resource
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.table import Table

from propexo_connect.model.absence import Verdict
from propexo_connect_tests.scenario import vendor, verdicts, world
from propexo_connect_tests.scenario.days import (
    BACKSYNC,
    DECLARED,
    FAULT,
    FIRST_DAY,
    OUTAGE,
    REPULL,
    Replay,
)

HEADER = (
    "stream", "records", "reads", "deletions covered", "found", "deletions not covered",
    *(verdict.replace("_", " ") for verdict in Verdict),
)  # fmt: skip


@dataclass(frozen=True)
class Figures:
    """One replay into one destination; `rows` are the cells of its table, one row per stream."""

    destination: str
    days: int
    records: int
    syncs: int
    failed: int
    reads: int
    deletions: int
    found: int
    uncovered: int
    false: int
    verdict_count: int
    explained: dict[str, int]
    seconds: float
    peak_mib: float
    rows: tuple[tuple[str, ...], ...]

    @property
    def is_clean(self) -> bool:
        """Whether no verdict was false and no covered deletion missed."""
        return self.false == 0 and self.found == self.deletions

    @property
    def summary(self) -> str:
        """Everything that is counted once, in a line."""
        return (
            f"{self.syncs} syncs ({self.failed} failed), {self.reads} reads, {self.verdict_count:,} verdicts "
            f"compared, {self.seconds:.0f} s, peak memory {self.peak_mib:.0f} MiB"
        )


def figures_of(destination: str, replay: Replay) -> Figures:
    """The figures of a replay that has ended."""
    tally = replay.tally
    return Figures(
        destination=destination,
        days=replay.days,
        records=replay.record_count,
        syncs=replay.syncs,
        failed=replay.failed,
        reads=replay.read_count,
        deletions=len(tally.covered),
        found=tally.found,
        uncovered=sum(tally.uncovered.values()),
        false=len(tally.false),
        verdict_count=tally.verdict_count,
        explained={reason: len(keys) for reason, keys in tally.explained.items()},
        seconds=replay.seconds,
        peak_mib=_peak_mib(),
        rows=tuple(_row(replay, stream) for stream in replay.plans),
    )


def _row(replay: Replay, stream: str) -> tuple[str, ...]:
    tally = replay.tally
    covered = {deletion for deletion in tally.covered if deletion[0] == stream}
    counts = (
        tally.records[stream],
        len(replay.vendor.reads[stream]),
        len(covered),
        len(covered - tally.missed.keys()),
        tally.uncovered[stream],
        *(tally.verdicts[stream][verdict] for verdict in Verdict),
    )
    return (stream, *(f"{count:,}" for count in counts))


def _peak_mib() -> float:
    """The most memory that this process has held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def table(given: Figures) -> Table:
    """One replay for the terminal."""
    said = "; ".join(f"{count} {reason}" for reason, count in sorted(given.explained.items()))
    shown = Table(
        *HEADER,
        title=f"{given.destination}: {given.summary}",
        title_justify="left",
        caption=f"live records that were absent at some time for the vendor's own reason: {said or 'none'}",
        caption_justify="left",
    )
    for row in given.rows:
        shown.add_row(*row)
    return shown


def last_line(found: Sequence[Figures]) -> str:
    """What all replays found together."""
    return (
        f"records {sum(each.records for each in found)}, days {found[0].days}, "
        f"deletions {sum(each.deletions for each in found)}, found {sum(each.found for each in found)}, "
        f"false verdicts {sum(each.false for each in found)}"
    )


def page(found: Sequence[Figures], command: str) -> str:
    """The page of a run."""
    parts = [
        f"# Never delete, and know why\n\n{world.__doc__}\n"
        f"`make scenario` replays {found[0].days} simulated days from {FIRST_DAY:%d %B %Y} with the real "
        "engine and the real destinations, and compares every verdict of every record, day by day, with what "
        "the vendor knows to be true.\n",
        f"```text\n{vendor.__doc__}```\n",
        f"The vendor is out of order on day {OUTAGE}; on day {BACKSYNC} the past is read (backsync); on day "
        f"{FAULT} lists come almost empty and look complete; on day {DECLARED} the person declares the "
        f"filter that the vendor keeps quiet about; on day {REPULL} a stretch is read again (re-pull). "
        "Clocks change in New York on 8 March, in Berlin on 29 March and at Lord Howe on 5 April.\n",
        f"## How verdicts are judged\n\n{verdicts.__doc__}",
        f"## Figures\n\n`{command}`, {datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}:\n\n```text\n{last_line(found)}\n```\n",
    ]
    for each in found:
        lines = [HEADER, ("---",) * len(HEADER), *each.rows]
        parts.append(
            f"### {each.destination}\n\n{each.summary}.\n\n"
            + "\n".join(f"| {' | '.join(line)} |" for line in lines)
            + f"\n\nDeletions that no read has covered, so that nobody can know: {each.uncovered}.\n"
        )
        if each.explained:
            parts.append("Live records that were absent at some time for the vendor's own reason:\n")
            parts.append(
                "\n".join(f"* {reason}: {count:,}" for reason, count in sorted(each.explained.items())) + "\n"
            )
    return "\n".join(parts)
