"""What the views know of single records, for the person who asks about one."""

from collections.abc import Mapping, Sequence
from typing import Any

from propexo_connect.absence.reads import Known, Sighting
from propexo_connect.destinations.absence import ABSENCE, ORDERED
from propexo_connect.destinations.arrow import HASH, READ_AT
from propexo_connect.destinations.dialect import Link
from propexo_connect.destinations.identifiers import qualified, quote
from propexo_connect.destinations.ledger_row import instant
from propexo_connect.destinations.merge import LAST_SEEN
from propexo_connect.model.absence import Verdict
from propexo_connect.model.layout import Layout
from propexo_connect.model.stream import StreamPlan


def missing_records(link: Link, plan: StreamPlan, layout: Layout, limit: int) -> list[Known]:
    """Records that reads covered and missed, those first that were seen last; without their values."""
    return _found(
        link,
        plan,
        layout,
        (),
        f"where a.covered_absences > 0 order by a.{LAST_SEEN} desc limit {limit:d}",
        (),
    )


def known_record(
    link: Link, plan: StreamPlan, layout: Layout, key: Mapping[str, str], fields: Sequence[str]
) -> Known | None:
    """The record whose key's columns read so as text; None when the table holds none.

    Args:
        fields: the declared fields whose values are wanted, as far as the table has them.
    """
    names = layout.key_columns or (HASH,)
    same = " and ".join(f"cast(a.{quote(name)} as text) = ${place}" for place, name in enumerate(names, 1))
    rows = _found(
        link,
        plan,
        layout,
        fields,
        f"where {same} order by t.{quote(READ_AT)} desc limit 1",
        [key[name] for name in names],
    )
    return rows[0] if rows else None


def _found(
    link: Link,
    plan: StreamPlan,
    layout: Layout,
    fields: Sequence[str],
    which: str,
    parameters: Sequence[Any],
) -> list[Known]:
    names = layout.key_columns or (HASH,)
    ordered = {column.field: column.name for column in layout.columns if column.type.kind in ORDERED}
    held = [field for field in fields if field in ordered]
    columns = [
        *(f"cast(a.{quote(name)} as text)" for name in names),
        "a.verdict",
        "a.covered_absences",
        "a.last_covered_at",
        "a.is_held",
        f"a.{LAST_SEEN}",
        f"t.{quote(READ_AT)}",
        *(f"t.{quote(ordered[field])}" for field in held),
    ]
    same = " and ".join(f"t.{quote(name)} = a.{quote(name)}" for name in names)
    rows = link.rows(
        f"select {', '.join(columns)} from {qualified(plan.table.beside(ABSENCE))} a "
        f"join {qualified(plan.table)} t on {same} {which}",
        parameters,
    )
    return [_known(names, held, row) for row in rows]


def _known(names: Sequence[str], held: Sequence[str], row: Sequence[Any]) -> Known:
    key, rest = row[: len(names)], row[len(names) :]
    verdict, count, covered_at, is_held, seen, read_at = rest[:6]
    return Known(
        key=dict(zip(names, key, strict=True)),
        verdict=Verdict(verdict),
        covered_absences=count,
        last_covered_at=instant(covered_at),
        is_held=is_held,
        sighting=Sighting(instant(seen), instant(read_at), dict(zip(held, rest[6:], strict=True))),
    )
