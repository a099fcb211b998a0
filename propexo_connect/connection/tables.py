"""Where streams land: one table each, by names that depend on nothing but the streams' names."""

import hashlib
import re
from collections import Counter
from collections.abc import Sequence

from propexo_connect.model.names import snake_case
from propexo_connect.model.stream import Stream, Table

LONGEST_TABLE = 48
"""Bytes; leaves room for what stands beside a table (`__history`, `__absence`) within 63."""

Fault = tuple[str, str, str]
"""What was found, what was expected, what to do."""


def tables_of(
    streams: Sequence[Stream], namespace: str, prefix: str = ""
) -> tuple[dict[str, Table], dict[str, Fault]]:
    """The table of each stream by its name, and a fault for each stream that cannot have one.

    Of a name with a place in it (`schema.table`) the last part names the table, unless another stream
    would land there: then those with a place take their whole names. Two streams that read the same
    place, or whose names differ only in signs (`a-b`, `a_b`), cannot stand beside each other.
    """
    faults: dict[str, Fault] = {}
    holders: dict[object, str] = {}
    for stream in streams:
        marks: set[object] = {
            _fitted(snake_case(stream.name)),
            ("signs", re.sub(r"[^a-z0-9]", "_", stream.name.lower())),
        }
        if stream.table:
            marks.add(("place", *stream.table))
        rival = next((holders[mark] for mark in marks if mark in holders), None)
        if rival is not None:
            faults[stream.name] = (
                f"the streams '{rival}' and '{stream.name}', which are the same or differ only in signs",
                "names that stay different as letters, digits and underscores",
                "Copy one of the two in a connection of its own.",
            )
        else:
            holders |= dict.fromkeys(marks, stream.name)
    shorts = {stream.name: _short(stream) for stream in streams if stream.name not in faults}
    while True:
        tables = {name: _fitted(snake_case(f"{prefix}{short}"), short) for name, short in shorts.items()}
        crowded = {table for table, count in Counter(tables.values()).items() if count > 1}
        rivals = [name for name, table in tables.items() if table in crowded and shorts[name] != name]
        if not rivals:
            return {name: Table(namespace, table) for name, table in tables.items()}, faults
        shorts |= {name: name for name in rivals}


def _short(stream: Stream) -> str:
    place = stream.table[-1] if stream.table else ""
    return place if place and stream.name.replace('"', "").endswith(f".{place}") else stream.name


def _fitted(name: str, original: str = "") -> str:
    if len(name.encode()) <= LONGEST_TABLE:
        return name
    suffix = hashlib.sha256((original or name).encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{name.encode()[: LONGEST_TABLE - 9].decode(errors='ignore')}_{suffix}"
