"""What a sync reports of each stream: the metadata of its materialization.

Dagster's UI plots numbers only, and a line breaks where a label changes its type; so each label here has one
type for ever. What is not known is left out, never written as another type.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

import dagster as dg

from propexo_connect.model.absence import AbsenceFacts
from propexo_connect.model.field import TIMESTAMP, Field
from propexo_connect.model.layout import Change, Column
from propexo_connect.model.ledger import Window
from propexo_connect.sync.result import StreamResult

ROW_FIELDS = (
    Field("first_seen", TIMESTAMP, "When the source first returned the record."),
    Field("last_seen", TIMESTAMP, "Start of the latest sync in which the source returned the record."),
    Field("last_changed", TIMESTAMP, "When the record last differed from what was stored."),
)
"""The columns for people that every table has besides the source's own."""

Entry = dg.MetadataValue | int | float | str


def result_metadata(result: StreamResult, sync_id: str, now: datetime) -> dict[str, Entry]:
    """The metadata of one committed stream.

    Numbers: what one wants to see as a line over months. Instants besides: for the eye.
    """
    counts, windows = result.counts, result.windows
    entries: dict[str, Entry] = {
        "sync_id": sync_id,
        "dagster/table_name": str(result.plan.table),
        "records_read": counts.read,
        "records_new": counts.new,
        "records_changed": counts.changed,
        "records_unchanged": counts.unchanged,
        "records_superseded": counts.superseded,
        "records_rejected": counts.rejected,
        "tiles": sum(window.is_complete for window in windows),
        "steps": len(windows),
        "attempts": result.attempts,
        "duration_seconds": float(result.duration_s),
        "bytes_read": sum(window.bytes_read for window in windows),
        "requests": sum(window.request_count for window in windows),
        "retries": sum(window.retry_count for window in windows),
        "seconds_waited_for_the_source": float(result.waited_s),
        "schema_changes": len(result.changes),
    }
    if parts := [part for window in windows for part in window.parts]:
        entries["parents_read"] = sum(part.is_complete for part in parts)
        entries["parents_skipped"] = sum(part.is_skipped for part in parts)
    return entries | _bounds(windows, now) | _table_facts(result, now) | _shape(result)


def absence_metadata(facts: AbsenceFacts | None) -> dict[str, Entry]:
    """How many records were not seen for a while, as shares to be plotted, and what is known of them."""
    if facts is None:
        return {}
    entries: dict[str, Entry] = {
        f"share_unseen_for_{days}_days": count / facts.records if facts.records else 0.0
        for days, count in facts.unseen.items()
    }
    if facts.verdicts is not None:
        entries |= {f"records_{verdict}": count for verdict, count in facts.verdicts.items()}
        entries["records_held"] = facts.held
    return entries


NEXT_SWEEP_AT = "next_sweep_at"


def sweep_metadata(result: StreamResult, sync_id: str, due_at: datetime | None) -> dict[str, Entry]:
    """The metadata of one swept stream.

    No label is one of a sync's: the lines of the two would run into each other.

    Args:
        due_at: when the next sweep, or the next share of this one, is due; None where there is no policy.
    """
    counts, windows = result.counts, result.windows
    entries: dict[str, Entry] = {
        "sweep_id": sync_id,
        "swept_keys": counts.read,
        "swept_keys_seen": counts.unchanged,
        "swept_keys_unknown": counts.superseded,
        "swept_keys_rejected": counts.rejected,
        "sweep_tiles": sum(window.is_complete for window in windows),
        "sweep_requests": sum(window.request_count for window in windows),
        "sweep_bytes_read": sum(window.bytes_read for window in windows),
        "sweep_duration_seconds": float(result.duration_s),
    }
    if due_at is not None:
        entries[NEXT_SWEEP_AT] = dg.MetadataValue.timestamp(due_at)
    return entries


def column_schema(
    fields: Iterable[Field | Column], names: Mapping[str, str], key: Iterable[str]
) -> dg.TableSchema:
    """A table's columns for the catalogue.

    Args:
        names: the column of each source field. key: source fields that are never null.
    """
    required = frozenset(key)
    columns = [_column(field, names, required) for field in fields]
    return dg.TableSchema(columns + _ROW_COLUMNS)


def _column(field: Field | Column, names: Mapping[str, str], required: frozenset[str]) -> dg.TableColumn:
    source_name = field.name if isinstance(field, Field) else field.field
    return dg.TableColumn(
        name=names[source_name],
        type=str(field.type),
        description=(field.description if isinstance(field, Field) else None) or None,
        constraints=_KEY if source_name in required else None,
    )


def _bounds(windows: tuple[Window, ...], now: datetime) -> dict[str, Entry]:
    """The stretch that the sync proved; integer axes have labels of their own."""
    complete = [window for window in windows if window.is_complete]
    entries: dict[str, Entry] = {}
    starts = [window.tile.start for window in complete]
    ends = [window.tile.end for window in complete]
    marks = [window.tile.end for window in complete if window.reading.moves_watermark]
    for label, bounds, choose in (
        ("tile_start", starts, min),
        ("tile_end", ends, max),
        ("watermark", marks, max),
    ):
        instants = [bound for bound in bounds if isinstance(bound, datetime)]
        integers = [bound for bound in bounds if isinstance(bound, int)]
        if instants:
            entries[label] = dg.MetadataValue.timestamp(choose(instants))
        elif integers:
            entries[f"{label}_value"] = choose(integers)
    if instants := [mark for mark in marks if isinstance(mark, datetime)]:
        entries["watermark_age_seconds"] = (now - max(instants)).total_seconds()
    return entries


def _table_facts(result: StreamResult, now: datetime) -> dict[str, Entry]:
    facts = result.facts
    if facts is None:
        return {}
    entries: dict[str, Entry] = {
        "dagster/row_count": facts.row_count,
        "rejected_records_stored": facts.rejected_count,
    }
    if facts.last_seen_min is not None:
        entries["last_seen_min"] = dg.MetadataValue.timestamp(facts.last_seen_min)
        entries["seconds_since_last_seen_min"] = (now - facts.last_seen_min).total_seconds()
    if facts.last_seen_max is not None:
        entries["last_seen_max"] = dg.MetadataValue.timestamp(facts.last_seen_max)
    return entries


def _shape(result: StreamResult) -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    if result.layout is not None:
        names = {column.field: column.name for column in result.layout.columns}
        entries["dagster/column_schema"] = dg.MetadataValue.table_schema(
            column_schema(result.layout.columns, names, result.layout.key)
        )
    if result.changes:
        entries["schema_drift"] = drift_table(result.changes)
    return entries


def drift_table(changes: Iterable[Change]) -> dg.MetadataValue:
    """Changes of a table's shape, one a line."""
    return dg.MetadataValue.table(
        [
            dg.TableRecord(
                {
                    "change": change.kind,
                    "field": change.field,
                    "column": change.column or "",
                    "before": change.before or "",
                    "after": change.after or "",
                }
            )
            for change in changes
        ],
        schema=_DRIFT,
    )


_KEY = dg.TableColumnConstraints(nullable=False)
_ROW_COLUMNS = [
    dg.TableColumn(name=field.name, type=str(field.type), description=field.description)
    for field in ROW_FIELDS
]
_DRIFT = dg.TableSchema(
    [dg.TableColumn(name=name, type="text") for name in ("change", "field", "column", "before", "after")]
)
