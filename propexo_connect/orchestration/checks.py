"""Asset checks that a sync answers itself, from the ledger and the table it has just written.

Each is named for what it proves, and asks a question that costs little at any length of the ledger: a check
that is slow is a check that somebody turns off. Whether a stream is as fresh as its schedule promises is no
check here: the freshness policy of each asset says it, also when no sync runs at all.
"""

from collections.abc import Iterable

import dagster as dg

from propexo_connect.destinations.absence import ABSENCE
from propexo_connect.destinations.base import TableFacts
from propexo_connect.model.absence import AbsenceFacts
from propexo_connect.model.layout import Change
from propexo_connect.model.stream import Mode, StreamPlan
from propexo_connect.orchestration.metadata import drift_table

TILES_TOUCH = "tiles_touch"
LEDGER_EQUATION = "ledger_equation"
KEY_UNIQUE_AND_PRESENT = "key_unique_and_present"
REJECTED_RECORDS = "rejected_records"
SCHEMA_DRIFT = "schema_drift"
NOT_MISSING_IN_MASSES = "not_missing_in_masses"

_SHOWN = 20


def check_specs(plan: StreamPlan, key: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """The checks that a stream's sync will answer."""
    said = {
        TILES_TOUCH: "The tiles that were read touch, with no gap and no overlap; the first 20 are named.",
        LEDGER_EQUATION: "Of each step, read = new + changed + unchanged + superseded + rejected.",
        KEY_UNIQUE_AND_PRESENT: "Each record has its key, and no two share one.",
        REJECTED_RECORDS: "No record was rejected. Warns: the sync goes on, and they are kept raw.",
        SCHEMA_DRIFT: "No field came and none changed its type since the last sync. Warns: the sync goes on, "
        "and a value that does not fit is kept as text.",
        NOT_MISSING_IN_MASSES: "No read missed so many records at once that it looks like a fault of the "
        "source. While it fails, none of those is presumed deleted.",
    }
    if not has_unique_keys(plan):
        del said[KEY_UNIQUE_AND_PRESENT]
    return [dg.AssetCheckSpec(name, asset=key, description=words) for name, words in said.items()]


def has_unique_keys(plan: StreamPlan) -> bool:
    """Whether the stream's table holds each key once; some sources tell the key only when they are asked."""
    return plan.mode is Mode.MERGE or (plan.mode is Mode.OVERWRITE and bool(plan.stream.key))


def tiles_touch(key: dg.AssetKey, faults: list[str] | None) -> dg.AssetCheckResult:
    """Whether the ledger proves one unbroken stretch, by the first of its gaps and overlaps, in words.

    None: the ledger could not be asked.
    """
    if faults is None:
        return _unknown(key, TILES_TOUCH, "The ledger could not be asked.")
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=TILES_TOUCH,
        passed=not faults,
        description=_listed(faults) if faults else "One unbroken stretch.",
        metadata={"gaps_and_overlaps": len(faults)},
    )


def ledger_equation(key: dg.AssetKey, fault_count: int | None) -> dg.AssetCheckResult:
    """Whether the counts of every step add up; None: the ledger could not be asked."""
    if fault_count is None:
        return _unknown(key, LEDGER_EQUATION, "The ledger could not be asked.")
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=LEDGER_EQUATION,
        passed=fault_count == 0,
        description=f"The counts of {fault_count} steps do not add up; see _propexo.windows."
        if fault_count
        else "The counts of every step add up.",
        metadata={"unequal_counts": fault_count},
    )


def key_unique_and_present(key: dg.AssetKey, facts: TableFacts | None) -> dg.AssetCheckResult:
    """Whether the table holds each key once and none is missing."""
    if facts is None or facts.duplicate_keys is None or facts.null_keys is None:
        return _unknown(key, KEY_UNIQUE_AND_PRESENT, "The table could not be asked.")
    good = facts.duplicate_keys == 0 and facts.null_keys == 0
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=KEY_UNIQUE_AND_PRESENT,
        passed=good,
        description="Each record has its key, and no two share one."
        if good
        else f"{facts.duplicate_keys} records repeat the key of another, {facts.null_keys} have none.",
        metadata={"duplicate_keys": facts.duplicate_keys, "null_keys": facts.null_keys},
    )


def rejected_records(key: dg.AssetKey, rejected: int) -> dg.AssetCheckResult:
    """Whether there are records that somebody should look at."""
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=REJECTED_RECORDS,
        passed=not rejected,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{rejected} records were rejected; see _propexo.rejected_records."
        if rejected
        else "No record was rejected.",
        metadata={"records_rejected": rejected},
    )


def schema_drift(key: dg.AssetKey, changes: Iterable[Change]) -> dg.AssetCheckResult:
    """Whether the fields are what they were at the last sync."""
    drift = tuple(changes)
    metadata: dict[str, int | dg.MetadataValue] = {"schema_changes": len(drift)}
    if drift:
        metadata["schema_drift"] = drift_table(drift)
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=SCHEMA_DRIFT,
        passed=not drift,
        severity=dg.AssetCheckSeverity.WARN,
        description=_listed([f"{change.field}: {change.kind}." for change in drift])
        if drift
        else "The fields are what they were.",
        metadata=metadata,
    )


def not_missing_in_masses(
    key: dg.AssetKey, plan: StreamPlan, facts: AbsenceFacts | None
) -> dg.AssetCheckResult:
    """Whether no read missed more of the records at once than the policy takes for deletions."""
    if facts is None or facts.verdicts is None:
        return _unknown(key, NOT_MISSING_IN_MASSES, "What is known of missing records could not be asked.")
    view, share = plan.table.beside(ABSENCE), plan.absence.guard_share
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=NOT_MISSING_IN_MASSES,
        passed=not facts.held,
        description=f"{facts.held} records were missed at once, more than {share:.0%} of all; see {view}, "
        "is_held. They are kept, and none is presumed deleted. If they are really gone, set `absence: "
        "{guard_share: 100%}` for this stream."
        if facts.held
        else "No read missed more records at once than usual.",
        metadata={"records_held": facts.held},
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
