"""Records that a purge keeps from coming back: dropped from a step before anything of it is stored.

The destination knows hashes only, so the values of the step are hashed and looked for among them. Streams
without suppressions never come here.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from operator import or_
from typing import Any

import pyarrow as pa

from propexo_connect.destinations.arrow import META
from propexo_connect.destinations.base import Step
from propexo_connect.destinations.dialect import Link
from propexo_connect.destinations.hash_key import HashKey
from propexo_connect.destinations.ledger_row import parsed
from propexo_connect.destinations.state import PURGES, SUPPRESSED
from propexo_connect.model.errors import ConfigurationError
from propexo_connect.model.field import Kind
from propexo_connect.model.layout import Column, Layout
from propexo_connect.model.purge import (
    PurgeKind,
    canonical,
    folded,
    key_text,
    parsed_raw,
    raw_member,
    raw_text,
    strings_in,
)

_HASHES = (
    f"select s.keyed_hash, p.kind, p.key_id, p.fields, p.ignores_case from {SUPPRESSED.sql} s "
    f"join {PURGES.sql} p on p.id = s.purge_id where s.connection = $1 and s.stream = $2"
)

_NESTED = {Kind.TEXT, Kind.JSON}

Way = tuple[tuple[str, ...], bool]
"""Where identifiers are looked for (no field: everywhere), and whether case is ignored."""


@dataclass
class _Suppressions:
    """The hashes of one stream."""

    key: HashKey
    keys: set[str] = field(default_factory=set[str])
    identifiers: dict[Way, set[str]] = field(default_factory=dict[Way, set[str]])

    def has_key(self, parts: Mapping[str, str]) -> bool:
        """Whether records of this key are suppressed."""
        return self.key.hash(PurgeKind.KEY, key_text(parts)) in self.keys

    def has(self, way: Way, text: str) -> bool:
        """Whether a text is an identifier that is suppressed."""
        given = folded(text) if way[1] else text
        return self.key.hash(PurgeKind.IDENTIFIER, given) in self.identifiers[way]


def without_suppressed(link: Link, step: Step, key: HashKey) -> tuple[Step, int]:
    """The step without the records that a purge suppresses, and how many those were.

    Raises:
        ConfigurationError: the key is not the one that the hashes were made with.
    """
    plan = step.plan
    found = _Suppressions(key)
    for keyed_hash, kind, key_id, fields, ignores_case in link.rows(
        _HASHES, (plan.connection, plan.stream.name)
    ):
        if key_id != key.id:
            raise other_key(plan.where)
        if kind == PurgeKind.KEY:
            found.keys.add(keyed_hash)
        else:
            found.identifiers.setdefault((tuple(parsed(fields)), ignores_case), set()).add(keyed_hash)
    hits = _suppressed_records(step, found)
    kept = step.records.filter(pa.array([not hit for hit in hits], pa.bool_()))
    stays = [not _is_suppressed_raw(text, step.layout, found) for text in step.rejected["record"].to_pylist()]
    rejected = step.rejected.filter(pa.array(stays, pa.bool_()))
    count = step.records.num_rows + step.rejected.num_rows - kept.num_rows - rejected.num_rows
    return replace(step, records=kept, rejected=rejected), count


def other_key(where: str) -> ConfigurationError:
    """The installation's key is another than the one that suppressions were made with."""
    return ConfigurationError(
        "records are suppressed by hashes of another key than the one of this installation",
        where=where,
        remedy="Bring back the file purge.key of the installation that purged. If it is lost, lift the "
        "suppressions (`propexo-connect purge CONNECTION --lift ID`) and purge again; until then nothing "
        "is stored.",
    )


def searched(layout: Layout, fields: tuple[str, ...]) -> list[Column]:
    """The columns in which an identifier is looked for."""
    if fields:
        return [column for column in layout.columns if column.field in fields or column.name in fields]
    return [column for column in layout.columns if column.type.kind in _NESTED]


def source_fields(layout: Layout, named: tuple[str, ...]) -> tuple[str, ...]:
    """Fields under the source's own names, which raw records have, where columns were named."""
    fields = {column.name: column.field for column in layout.columns}
    return tuple(fields.get(name, name) for name in named)


def _suppressed_records(step: Step, found: _Suppressions) -> list[bool]:
    """For each record whether it is suppressed."""
    count = step.records.num_rows
    hits = [False] * count
    if found.keys and step.layout.key and count:
        columns = [step.records.column(name).to_pylist() for name in step.layout.key_columns]
        rows = zip(*columns, strict=True)
        hits = [found.has_key(_key_of(step.layout, values)) for values in rows]
    for way in found.identifiers:
        for column in searched(step.layout, way[0]):
            held = _holding(step.records.column(column.name), column.type.kind, way, found)
            hits = list(map(or_, hits, held))
        hits = list(map(or_, hits, _holding_meta(step.records.column(META), step.layout, way, found)))
    return hits


def _key_of(layout: Layout, values: tuple[Any, ...]) -> dict[str, str]:
    return {
        name: _cell_text(value, layout.column(name).type.kind)
        for name, value in zip(layout.key, values, strict=True)
    }


def _cell_text(value: Any, kind: Kind) -> str:
    """A cell's canonical text; of a JSON string what it says."""
    if kind is Kind.JSON and isinstance(value, str):
        read = json.loads(value)
        return read if isinstance(read, str) else value
    return canonical(value) or ""


def _holding(values: pa.ChunkedArray, kind: Kind, way: Way, found: _Suppressions) -> list[bool]:
    """For each cell whether it holds a suppressed identifier; each distinct value is hashed once."""
    cells = values.to_pylist()
    holding = {
        value
        for value in set(cells)
        if value is not None and any(found.has(way, text) for text in _texts_of(value, kind))
    }
    return [value in holding for value in cells]


def _texts_of(value: Any, kind: Kind) -> Iterator[str]:
    if kind is Kind.JSON:
        yield from strings_in(json.loads(value))
    else:
        yield canonical(value) or ""


def _holding_meta(values: pa.ChunkedArray, layout: Layout, way: Way, found: _Suppressions) -> list[bool]:
    """The same of what did not fit into columns."""
    fields = source_fields(layout, way[0])
    return [
        text is not None and any(found.has(way, part) for part in meta_strings(json.loads(text), fields))
        for text in values.to_pylist()
    ]


def meta_strings(meta: Any, fields: tuple[str, ...]) -> Iterator[str]:
    """The strings of a row's `_propexo_meta`; of some fields only, where fields are named."""
    if not fields:
        yield from strings_in(meta)
        return
    for part in ("misfits", "unmapped"):
        for name in fields:
            yield from strings_in((meta.get(part) or {}).get(name))


def _is_suppressed_raw(text: str, layout: Layout, found: _Suppressions) -> bool:
    record = parsed_raw(text)
    if record is None:
        return False
    key = {name: raw_text(raw_member(record, name)) for name in layout.key}
    held = {name: value for name, value in key.items() if value is not None}
    if found.keys and layout.key and len(held) == len(key) and found.has_key(held):
        return True
    return any(
        found.has(way, part)
        for way in found.identifiers
        for part in raw_strings(record, source_fields(layout, way[0]))
    )


def raw_strings(record: Mapping[str, Any], fields: tuple[str, ...]) -> Iterator[str]:
    """The strings of a raw record, numbers as they were written; of named fields only, if any."""
    if not fields:
        yield from strings_in(dict(record))
        return
    for name in fields:
        yield from strings_in(raw_member(record, name))
