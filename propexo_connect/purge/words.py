"""What a purge would take out, or took, in words."""

from collections.abc import Sequence
from typing import Any

from propexo_connect.model.purge import Finding, Purge

REMAINS = (
    "Freed blocks of the destination's files, its write-ahead log, replicas and backups may hold old bytes "
    "for a while: see docs/purge.md."
)
"""What no transaction reaches."""


def total_of(found: Sequence[Finding]) -> str:
    """All findings in one sentence."""
    removed = sum(one.count for one in found if one.is_removed)
    rid = sum(one.count for one in found if not one.is_removed)
    if not removed and not rid:
        return "Nothing was found."
    parts = [f"{removed:,} rows" if removed != 1 else "1 row"] if removed else []
    if rid:
        parts.append(
            f"a value in {rid:,} rows of the ledger" if rid != 1 else "a value in 1 row of the ledger"
        )
    return f"{' and '.join(parts)} in {len(found)} {'tables' if len(found) > 1 else 'table'}."


def rows_of(found: Sequence[Finding]) -> list[tuple[str, str, str, str]]:
    """Stream, table, count, and what becomes of the rows."""
    return [
        (one.stream, one.table, f"{one.count:,}", "removed" if one.is_removed else "value replaced")
        for one in found
    ]


def state_of(one: Purge) -> str:
    """Whether records of a purge may come back."""
    if not one.is_suppressed:
        return "not suppressed"
    if one.lifted_at is None:
        return "suppressed"
    return f"lifted {one.lifted_at:%Y-%m-%d %H:%M} by {one.lifted_by}"


def as_json(found: Sequence[Finding]) -> list[dict[str, Any]]:
    """Findings for programs."""
    return [
        {"stream": one.stream, "table": one.table, "count": one.count, "is_removed": one.is_removed}
        for one in found
    ]
