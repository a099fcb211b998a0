"""From the pages of a step to typed, keyed, hashed and deduplicated columns (SEMANTICS §4).

A step is decoded in pieces while it is still being read: each goes the fast way (`at_once.py`) and, where
something about it is odd, the thorough one (`thorough.py`), which alone finds new fields and types.
"""

import os
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from propexo_connect.destinations.arrow import HASH, INSTANT, META, READ_AT, REJECTED, schema_of
from propexo_connect.model.field import Kind
from propexo_connect.model.layout import Change, Column, Layout
from propexo_connect.model.stream import StreamPlan
from propexo_connect.sync.at_once import typed_at_once
from propexo_connect.sync.columns import Unfit
from propexo_connect.sync.compute import Values, pc
from propexo_connect.sync.exact import canonical_json
from propexo_connect.sync.hashes import hashes
from propexo_connect.sync.spool import Spool
from propexo_connect.sync.thorough import Typed, declared_layout, typed_thoroughly

_WORKERS = 4


@dataclass(frozen=True)
class Decoded:
    """A step ready to be stored; see `destinations.base.Step` for the shapes."""

    layout: Layout
    changes: tuple[Change, ...]
    records: pa.Table
    rejected: pa.Table
    superseded: int


@dataclass(frozen=True)
class Piece:
    """Some pages of a step, and their records as soon as they are typed the fast way.

    Args:
        layout: what the fast way was told to expect.
        records: the finished records, None where the thorough way must be gone.
    """

    spool: Spool
    layout: Layout
    records: "Future[pa.Table | None]"


class Decoder:
    """One in-memory database in which steps are typed, and the threads that do it."""

    def __init__(self, memory_limit: str = "256MB") -> None:
        self._database = duckdb.connect(config={"memory_limit": memory_limit, "threads": 1})
        # Arrow's own allocator keeps what was freed: 100 MB more than is ever in use.
        pa.set_memory_pool(pa.system_memory_pool())
        self._pool = ThreadPoolExecutor(
            min(_WORKERS, os.cpu_count() or 1), thread_name_prefix="propexo-decode"
        )

    def close(self) -> None:
        """Let the memory go."""
        self._pool.shutdown(cancel_futures=True)
        self._database.close()

    def begin(self, spool: Spool, plan: StreamPlan, stored: Layout | None) -> Piece:
        """Start to decode a piece, whose spool takes no more pages."""
        layout, _ = declared_layout(plan, stored)
        return Piece(spool, layout, self._pool.submit(self._at_once, spool, plan, layout))

    def decode(self, pieces: Sequence[Piece], plan: StreamPlan, stored: Layout | None) -> Decoded:
        """Type, key, hash and deduplicate the records of a step.

        Args:
            stored: the layout of the table as it is, None before the first commit.

        Raises:
            VendorFault: the pages are not JSON records.
            DriftRefused: the schema changed and the plan says `fail`.
        """
        layout, changes = declared_layout(plan, stored)
        parts = self._parts(pieces, plan, stored, layout, changes)
        if parts is None:
            typed = self._thorough([piece.spool for piece in pieces], plan, stored)
            layout, changes = typed.layout, typed.changes
            parts = [(self._finished([piece.spool for piece in pieces], typed), typed.rejected)]
        records = pa.concat_tables([part for part, _ in parts])
        rejected = pa.concat_tables([part for _, part in parts])
        kept = self._newest(records, layout, plan)
        return Decoded(layout, changes, kept, rejected, records.num_rows - kept.num_rows)

    def _parts(
        self,
        pieces: Sequence[Piece],
        plan: StreamPlan,
        stored: Layout | None,
        layout: Layout,
        changes: tuple[Change, ...],
    ) -> list[tuple[pa.Table, pa.Table]] | None:
        """Records and rejected records of each piece; None where one changes what the others are to be."""
        if not layout.is_ready:
            return None
        parts: list[tuple[pa.Table, pa.Table]] = []
        for piece in pieces:
            # The layout has changed since where the step before this one brought something new.
            is_current = piece.layout == layout
            records = piece.records.result() if is_current else self._at_once(piece.spool, plan, layout)
            if records is not None:
                parts.append((records, REJECTED.empty_table()))
                continue
            typed = self._thorough([piece.spool], plan, stored)
            if typed.layout != layout or typed.changes != changes:
                return None
            parts.append((self._finished([piece.spool], typed), typed.rejected))
        return parts

    def _at_once(self, spool: Spool, plan: StreamPlan, layout: Layout) -> pa.Table | None:
        if not layout.is_ready:
            return None
        with self._cursor() as connection:
            try:
                typed = typed_at_once(connection, spool, plan, layout)
                return _finished(connection, [spool], typed)
            except Unfit:
                return None

    def _thorough(self, spools: Sequence[Spool], plan: StreamPlan, stored: Layout | None) -> Typed:
        with self._cursor() as connection:
            return typed_thoroughly(connection, spools, plan, stored)

    def _finished(self, spools: Sequence[Spool], typed: Typed) -> pa.Table:
        with self._cursor() as connection:
            return _finished(connection, spools, typed)

    def _newest(self, records: pa.Table, layout: Layout, plan: StreamPlan) -> pa.Table:
        """One record of each key: that of the newest cursor, then of the latest read."""
        keys = list(layout.key_columns) if layout.is_ready else []
        if not keys or records.select(keys).group_by(keys).aggregate([]).num_rows == records.num_rows:
            return records
        cells = {f"k{number}": records.column(name) for number, name in enumerate(keys)}
        order = "row DESC"
        cursor = plan.stream.cursor
        if cursor in layout.fields:
            cells["c"] = records.column(layout.column(cursor).name)
            order = f"c DESC NULLS LAST, {order}"
        cells["row"] = pa.chunked_array([pa.arange(0, records.num_rows)])
        partition = ", ".join(f"k{number}" for number in range(len(keys)))
        with self._cursor() as connection:
            connection.register("doubled", pa.table(cells))
            rows = connection.sql(
                f"SELECT row FROM doubled "
                f"QUALIFY row_number() OVER (PARTITION BY {partition} ORDER BY {order}) = 1 ORDER BY row"
            ).to_arrow_table()
        return records.take(rows.column("row"))

    @contextmanager
    def _cursor(self) -> Generator[duckdb.DuckDBPyConnection]:
        cursor = self._database.cursor()
        try:
            cursor.execute("SET TimeZone = 'UTC'")
            # The statements are written as they are to run; planning them costs a small step half its time.
            cursor.execute("PRAGMA disable_optimizer")
            yield cursor
        finally:
            cursor.close()


def _finished(connection: duckdb.DuckDBPyConnection, spools: Sequence[Spool], typed: Typed) -> pa.Table:
    """Typed values as a destination takes them: JSON in canonical form, hashed, with the time of the read."""
    fields = [(column.field, column.type, _canonical(typed, column)) for column in typed.layout.columns]
    moments = pa.array([moment for spool in spools for moment in spool.read_at], INSTANT)
    read_at = moments.take(pc.subtract(typed.pages, spools[0].first_page).combine_chunks())
    columns = {
        column.name: values for column, (_, _, values) in zip(typed.layout.columns, fields, strict=True)
    }
    ours = {HASH: hashes(connection, fields, typed.meta), READ_AT: read_at, META: typed.meta}
    return pa.table({**columns, **ours}, schema_of(typed.layout))


def _canonical(typed: Typed, column: Column) -> Values:
    values = typed.fields[column.field]
    return canonical_json(values) if column.type.kind is Kind.JSON else values
