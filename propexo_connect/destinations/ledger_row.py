"""A window as a row of `_propexo.windows`, and back."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from propexo_connect.destinations.dialect import Row
from propexo_connect.destinations.state import WINDOW_VALUES, WINDOWS
from propexo_connect.model.counts import Counts
from propexo_connect.model.ledger import Reading, Window
from propexo_connect.model.stream import FilterDeclaration, FilterKind, Meaning
from propexo_connect.model.tile import Bound, Request, Stretch, Tile

_COUNTS = ("read", "new", "changed", "unchanged", "superseded", "rejected")
_METERS = ("bytes_read", "request_count", "page_count", "retry_count")
_PLAIN = (
    "connection",
    "stream",
    "filter_field",
    "is_complete",
    "part",
    "attempt",
    "sync_id",
    "fence",
    "position",
    "is_skipping",
    "is_last",
)
_INSTANTS = ("started_at", "read_started_at", "first_started_at", "finished_at")


def row_of(window: Window, gathered: int) -> tuple[Any, ...]:
    """The parameters of `INSERT_WINDOW`: its connection and stream come first."""
    tile, request = window.tile, window.request
    values: dict[str, Any] = {
        **{name: getattr(window, name) for name in (*_PLAIN, *_INSTANTS, *_METERS)},
        **{name: getattr(window.counts, name) for name in _COUNTS},
        **_split("tile_start", tile.start),
        **_split("tile_end", tile.end),
        **_split("requested_start", request.start),
        **_split("requested_end", request.end),
        **_split("covered_start", window.covered.start),
        **_split("covered_end", window.covered.end),
        "gathered": gathered,
        "reading": str(window.reading),
        "lane": window.reading.lane,
        "zone": request.zone,
        "resolution_s": request.resolution.total_seconds(),
        "declarations": declarations_text(window),
    }
    return tuple(values[name] for name in WINDOW_VALUES)


def declarations_text(window: Window) -> str:
    """The declarations that a window was read under, as the ledger holds them."""
    return json.dumps([_declared(one) for one in window.declarations], ensure_ascii=False)


def part_rows(window: Window, number: int) -> tuple[Any, ...]:
    """The values of `WINDOW_PARTS`, one row after the other."""
    return tuple(
        value
        for part in window.parts
        for value in (
            window.connection,
            window.stream,
            number,
            part.key,
            part.is_complete,
            part.is_skipped,
            part.problem,
            part.page_count,
            part.record_count,
        )
    )


def window_of(row: Row) -> Window:
    """The window that a row of `WINDOWS` tells of."""
    values = dict(zip(WINDOWS.names, row, strict=True))
    return Window(
        reading=Reading(values["reading"]),
        tile=Tile(_joined(values, "tile_start"), _joined(values, "tile_end")),  # pyright: ignore[reportArgumentType]
        request=Request(
            _joined(values, "requested_start"),
            _joined(values, "requested_end"),
            values["zone"],
            timedelta(seconds=values["resolution_s"]),
        ),
        covered=Stretch(_joined(values, "covered_start"), _joined(values, "covered_end")),
        declarations=tuple(declaration_of(one) for one in parsed(values["declarations"])),
        counts=Counts(**{name: values[name] for name in _COUNTS}),
        **{name: values[name] for name in (*_PLAIN, *_METERS)},
        **{name: instant(values[name]) for name in _INSTANTS},
    )


def instant(value: datetime | None) -> Any:
    """An instant as the model has it, aware and in UTC, whatever zone object the driver uses."""
    return None if value is None else value.astimezone(UTC)


def parsed(value: Any) -> Any:
    """A JSON value, whether the driver hands out text or has parsed it."""
    return json.loads(value) if isinstance(value, str) else value


def _split(name: str, bound: Bound | None) -> dict[str, Any]:
    is_value = isinstance(bound, int)
    return {name: None if is_value else bound, f"{name}_value": bound if is_value else None}


def _joined(values: dict[str, Any], name: str) -> Bound | None:
    return instant(values[name]) if values[f"{name}_value"] is None else values[f"{name}_value"]


def _declared(given: FilterDeclaration) -> dict[str, Any]:
    plain = asdict(given)
    spans: Sequence[str] = ("rolling", "resolution")
    for name in spans:
        span = plain.pop(name)
        plain[f"{name}_s"] = None if span is None else span.total_seconds()
    return plain


def declaration_of(given: dict[str, Any]) -> FilterDeclaration:
    """A declaration as the ledger's JSON has it."""
    spans = {name: given[f"{name}_s"] for name in ("rolling", "resolution")}
    return FilterDeclaration(
        kind=FilterKind(given["kind"]),
        field=given["field"],
        zone=given["zone"],
        note=given["note"],
        meaning=None if given.get("meaning") is None else Meaning(given["meaning"]),
        **{name: None if span is None else timedelta(seconds=span) for name, span in spans.items()},
    )
