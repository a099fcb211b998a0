"""Asset checks that a sync answers itself, from the ledger and the table it has just written.

Three a stream, each of several statements: an event costs Dagster 10 to 30 ms, and a check is two events a
sync. Freshness needs none: the freshness policy of each asset says it without an event.
"""

from collections import defaultdict
from collections.abc import Iterable

import dagster as dg

from propexo_connect.destinations.base import TableFacts
from propexo_connect.model import tile
from propexo_connect.model.layout import Change
from propexo_connect.model.ledger import Reading, Window
from propexo_connect.model.stream import Mode, StreamPlan
from propexo_connect.orchestration.metadata import drift_table

LEDGER = "ledger"
KEYS = "keys"
SURPRISES = "surprises"

_TILED = frozenset({Reading.RECURRING, Reading.FULL, Reading.BACKSYNC})
_SHOWN = 20


def check_specs(plan: StreamPlan, key: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """The checks that a stream's sync will answer."""
    specs = [
        dg.AssetCheckSpec(
            LEDGER,
            asset=key,
            description="The tiles that were read touch, with no gap and no overlap, "
            "and of each step read = new + changed + unchanged + superseded + rejected.",
        ),
        dg.AssetCheckSpec(
            SURPRISES,
            asset=key,
            description="No record was rejected and no field changed its shape. Warns: the sync goes on, "
            "rejected records are kept raw and values that do not fit are kept as text.",
        ),
    ]
    if has_unique_keys(plan):
        specs.append(
            dg.AssetCheckSpec(KEYS, asset=key, description="Each record has its key, and no two share one.")
        )
    return specs


def has_unique_keys(plan: StreamPlan) -> bool:
    """Whether the stream's table holds each key once."""
    return bool(plan.stream.key) and plan.mode is not Mode.APPEND


def ledger_check(key: dg.AssetKey, windows: Iterable[Window] | None) -> dg.AssetCheckResult:
    """Whether the rows of the ledger prove one unbroken stretch; None: it could not be asked."""
    if windows is None:
        return _unknown(key, LEDGER, "The ledger could not be asked.")
    rows = list(windows)
    by_axis: dict[type, list[tile.Tile]] = defaultdict(list)
    for window in rows:
        if window.is_complete and window.reading in _TILED:
            by_axis[type(window.tile.end)].append(window.tile)
    faults = [fault for tiles in by_axis.values() for fault in tile.faults(tiles)]
    unequal = [
        f"sync {window.sync_id}, {window.reading}, step {window.part}: {window.counts}"
        for window in rows
        if not window.counts.hold
    ]
    found = [*faults, *unequal]
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=LEDGER,
        passed=not found,
        description=f"One unbroken stretch; steps: {len(rows)}." if not found else _listed(found),
        metadata={
            "tiles": sum(len(tiles) for tiles in by_axis.values()),
            "gaps_and_overlaps": len(faults),
            "unequal_counts": len(unequal),
        },
    )


def keys_check(key: dg.AssetKey, facts: TableFacts | None) -> dg.AssetCheckResult:
    """Whether the table holds each key once and none is missing."""
    if facts is None or facts.duplicate_keys is None or facts.null_keys is None:
        return _unknown(key, KEYS, "The table could not be asked.")
    good = facts.duplicate_keys == 0 and facts.null_keys == 0
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=KEYS,
        passed=good,
        description="Each record has its key, and no two share one."
        if good
        else f"{facts.duplicate_keys} keys occur more than once, {facts.null_keys} records have none.",
        metadata={"duplicate_keys": facts.duplicate_keys, "null_keys": facts.null_keys},
    )


def surprises_check(key: dg.AssetKey, rejected: int, changes: Iterable[Change]) -> dg.AssetCheckResult:
    """Whether a sync met records or fields that somebody should look at."""
    drift = tuple(changes)
    words = [f"{rejected} records were rejected; see _propexo.rejected_records."] if rejected else []
    words += [f"{change.field}: {change.kind}." for change in drift]
    metadata: dict[str, int | dg.MetadataValue] = {"records_rejected": rejected, "schema_changes": len(drift)}
    if drift:
        metadata["schema_drift"] = drift_table(drift)
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=SURPRISES,
        passed=not words,
        severity=dg.AssetCheckSeverity.WARN,
        description=_listed(words) if words else "Nothing unexpected.",
        metadata=metadata,
    )


def _unknown(key: dg.AssetKey, name: str, why: str) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=name,
        passed=False,
        severity=dg.AssetCheckSeverity.WARN,
        description=why,
    )


def _listed(sentences: list[str]) -> str:
    more = [f"… and {len(sentences) - _SHOWN} more"] if len(sentences) > _SHOWN else []
    return "\n".join(sentences[:_SHOWN] + more)
