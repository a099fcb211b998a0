"""The thorough way from pages to typed columns: value by value, with the reason for each that does not fit.

All of it is SQL over temporary tables of an in-memory DuckDB, thousands of records a statement:

    raw      what the source wrote
    typed    one column per field, null where the value does not fit, and a flag `odd`
    meta     for odd records only: what did not fit, kept as text with the reason
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb
import pyarrow as pa

from propexo_connect.destinations.arrow import INSTANT, REJECTED
from propexo_connect.model.errors import DriftRefused
from propexo_connect.model.field import FieldType, Kind
from propexo_connect.model.layout import Change, Column, Layout
from propexo_connect.model.names import column_names
from propexo_connect.model.stream import Drift, StreamPlan
from propexo_connect.sync.casts import MISFIT_REASONS, WIDER
from propexo_connect.sync.compute import Values
from propexo_connect.sync.exact import ESCAPED
from propexo_connect.sync.raw import ColumnRaw, JsonRaw, Raw, count_of, literal
from propexo_connect.sync.spool import Spool


@dataclass(frozen=True)
class Typed:
    """Records in columns, in the order of reading.

    Args:
        fields: for each field of the layout its typed values; JSON as it was written.
        pages: the number of the page that each record came with.
        meta: for each record what its columns do not say, as JSON; null where they say it all.
        rejected: records without a usable key: `read_at`, `reason`, `record`.
    """

    layout: Layout
    fields: dict[str, Values]
    pages: Values
    meta: Values
    rejected: pa.Table
    changes: tuple[Change, ...]


def typed_thoroughly(
    connection: duckdb.DuckDBPyConnection, spools: Sequence[Spool], plan: StreamPlan, stored: Layout | None
) -> Typed:
    """Find out what each value is.

    Args:
        stored: the layout of the table as it is, None before the first commit.

    Raises:
        VendorFault: the pages are not JSON records.
        DriftRefused: the schema changed and the plan says `fail`.
    """
    return _Typing(connection, spools, plan, stored).run()


def declared_layout(plan: StreamPlan, stored: Layout | None) -> tuple[Layout, tuple[Change, ...]]:
    """The stored layout, with the declared fields that it lacks; and what that changes."""
    stream, known = plan.stream, stored or Layout(key=plan.stream.key)
    lacking = [field for field in stream.fields if plan.wants(field.name) and field.name not in known.fields]
    if not lacking:
        return known, ()
    names = column_names(
        (field.name for field in lacking), {column.field: column.name for column in known.columns}
    )
    added = tuple(Column(field.name, names[field.name], field.type) for field in lacking)
    return known.with_columns(added), () if stored is None else _added(added)


def _added(columns: Iterable[Column]) -> tuple[Change, ...]:
    return tuple(Change("added", column.field, column.name, None, str(column.type)) for column in columns)


class _Typing:
    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        spools: Sequence[Spool],
        plan: StreamPlan,
        stored: Layout | None,
    ) -> None:
        self._connection = connection
        self._read_at: list[datetime] = [moment for spool in spools for moment in spool.read_at]
        self._first_page = spools[0].first_page
        self._plan = plan
        self._stored = stored
        self._raw: Raw = (
            JsonRaw(connection, spools, plan.stream, plan.where)
            if all(spool.is_json for spool in spools)
            else ColumnRaw(connection, spools)
        )
        self._has_rewritten = any(spool.has_rewritten for spool in spools)
        self._changes: list[Change] = []
        self._unmapped: list[str] = []

    def run(self) -> Typed:
        declared, changes = declared_layout(self._plan, self._stored)
        self._changes += changes
        layout = self._with_arrivals(declared)
        self._type(layout)
        if self._plan.drift is Drift.EVOLVE and (wider := self._widened(layout)):
            layout = layout.with_columns(wider)
            self._type(layout)
        self._explain(layout)
        rejected = self._reject(layout)
        cells = "".join(f"t{number}, " for number in range(len(layout.columns)))
        found = self._connection.sql(
            f"SELECT {cells}p, meta FROM typed LEFT JOIN meta USING (o) ORDER BY o"
        ).to_arrow_table()
        fields = {column.field: found.column(number) for number, column in enumerate(layout.columns)}
        return Typed(layout, fields, found.column("p"), found.column("meta"), rejected, tuple(self._changes))

    # -- layout ------------------------------------------------------------------------------------

    def _with_arrivals(self, layout: Layout) -> Layout:
        """The layout with the fields that came without being declared."""
        covered = layout.fields | {field.split(".")[0] for field in layout.fields}
        fresh = [name for name in self._raw.names() if name not in covered and self._plan.wants(name)]
        if not fresh:
            return layout
        if self._stored is not None and self._plan.drift is Drift.FAIL:
            raise DriftRefused(
                f"the source sends fields that were not there before: {', '.join(sorted(fresh))}",
                where=self._plan.where,
                expected="the fields of earlier syncs, because `drift` is `fail`",
                remedy="Set `drift: evolve` to take them in, `drift: freeze` to keep them in "
                "`_propexo_meta`, or leave them out with `exclude_fields`.",
            )
        if self._stored is not None and self._plan.drift is Drift.FREEZE:
            self._unmapped = fresh
            self._changes += [Change("kept in meta", name, None, None, None) for name in fresh]
            return layout
        types = self._infer(fresh)
        names = column_names(types, {column.field: column.name for column in layout.columns})
        added = tuple(Column(name, names[name], given, is_declared=False) for name, given in types.items())
        if self._stored is not None:
            self._changes += _added(added)
        return layout.with_columns(added)

    def _infer(self, fields: Sequence[str]) -> dict[str, FieldType]:
        """The narrowest type that holds every value of the step; fields that are always null are left out."""
        open_to = self._raw.candidates(fields)
        found = {field: tried[0] for field, tried in open_to.items() if len(tried) == 1}
        while len(found) < len(open_to):
            tried = {field: given[0] for field, given in open_to.items() if field not in found}
            for field, misfits in self._misfits(list(tried.items())).items():
                rest = open_to[field][1:]
                if not misfits:
                    found[field] = tried[field]
                elif len(rest) == 1:
                    found[field] = rest[0]
                else:
                    open_to[field] = rest
        return {field: found[field] for field in fields if field in found}

    def _misfits(self, fields: Sequence[tuple[str, FieldType]]) -> dict[str, int]:
        """For each field, how many values of the step would not fit the type beside it."""
        counts = ", ".join(
            f"count(*) FILTER (x{number} IS NOT NULL AND ({self._raw.typed(number, *given)}) IS NULL)"
            for number, given in enumerate(fields)
        )
        row = self._connection.execute(f"SELECT {counts} FROM ({self._raw.source(fields)})").fetchall()[0]
        return {field: int(count) for (field, _), count in zip(fields, row, strict=True)}

    # -- types -------------------------------------------------------------------------------------

    def _type(self, layout: Layout) -> None:
        """Make `typed`: o, p, t<i> per column, and `odd` where something needs a word in the meta."""
        fields = [(column.field, column.type) for column in layout.columns]
        cells = [self._raw.typed(number, *given) for number, given in enumerate(fields)]
        typed = ", ".join(f"{cell} AS t{number}" for number, cell in enumerate(cells))
        odd = [
            f"(x{number} IS NOT NULL AND t{number} IS NULL)"
            for number, (_, given) in enumerate(fields)
            if given.kind not in {Kind.TEXT, Kind.JSON}
        ]
        if self._has_rewritten:
            odd += [f"starts_with(x{number}, {literal(ESCAPED)})" for number in range(len(fields))]
        keep = ", ".join(["o", "p", *(f"t{number}" for number in range(len(fields)))])
        flag = f"coalesce({' OR '.join(odd)}, false)" if odd else "false"
        source = self._raw.source(fields)
        self._connection.execute(
            f"CREATE OR REPLACE TEMP TABLE typed AS SELECT {keep}, {flag} AS odd "
            f"FROM (SELECT *, {typed} FROM ({source}))"
        )

    def _widened(self, layout: Layout) -> tuple[Column, ...]:
        """Columns of inferred type that values outgrow, in the type that loses nothing."""
        if not self._any_odd():
            return ()
        wider: list[Column] = []
        for column in layout.columns:
            options = () if column.is_declared else WIDER.get(column.type.kind, ())
            if options and self._fails(column.field, column.type):
                given = next((option for option in options if not self._fails(column.field, option)), None)
                if given is not None:
                    wider.append(Column(column.field, column.name, given, is_declared=False))
                    self._changes.append(
                        Change("widened", column.field, column.name, str(column.type), str(given))
                    )
        return tuple(wider)

    def _fails(self, field: str, given: FieldType) -> bool:
        return self._misfits([(field, given)])[field] > 0

    def _any_odd(self) -> bool:
        return self._count("SELECT count(*) FROM typed WHERE odd") > 0

    def _count(self, sql: str) -> int:
        return count_of(self._connection, sql)

    # -- what did not fit --------------------------------------------------------------------------

    def _explain(self, layout: Layout) -> None:
        """Make `meta`: for each record that needs it, a JSON text with what its columns do not say."""
        parts: list[str] = []
        if self._any_odd():
            parts.append(self._misfit_part(layout))
        if self._unmapped:
            pairs = [f"{{'k': {literal(name)}, 'v': {self._raw.value(name)}}}" for name in self._unmapped]
            present = f"list_filter([{', '.join(pairs)}], lambda e: e.v IS NOT NULL)"
            parts.append(
                f"SELECT rowid AS o, NULL::JSON AS misfits, "
                f"to_json(map_from_entries({present})) AS unmapped, NULL::JSON AS escaped "
                f"FROM raw WHERE len({present}) > 0"
            )
        if not parts:
            self._connection.execute("CREATE OR REPLACE TEMP TABLE meta (o BIGINT, meta VARCHAR)")
            return
        named = [
            f"CASE WHEN any_value({name}) IS NULL THEN '{{}}'::JSON "
            f"ELSE json_object('{name}', any_value({name})) END"
            for name in ("misfits", "unmapped", "escaped")
        ]
        merged = f"json_merge_patch(json_merge_patch({named[0]}, {named[1]}), {named[2]})"
        self._connection.execute(
            f"CREATE OR REPLACE TEMP TABLE meta AS SELECT o, {merged}::VARCHAR AS meta "
            f"FROM ({' UNION ALL '.join(parts)}) GROUP BY o"
        )

    def _misfit_part(self, layout: Layout) -> str:
        fields = [(column.field, column.type) for column in layout.columns]
        misfits: list[str] = []
        escaped: list[str] = []
        for number, (field, given) in enumerate(fields):
            x, name = f"x{number}", literal(field)
            plain = self._raw.plain(x)
            if given.kind not in {Kind.TEXT, Kind.JSON}:
                said = f"{{'value': {plain}, 'reason': {literal(MISFIT_REASONS[given.kind])}}}"
                typed = self._raw.typed(number, field, given)
                value = f"CASE WHEN {x} IS NOT NULL AND ({typed}) IS NULL THEN {said} END"
                misfits.append(f"{{'k': {name}, 'v': {value}}}")
            if self._has_rewritten:
                escaped.append(f"CASE WHEN starts_with({x}, {literal(ESCAPED)}) THEN {name} END")
        found = f"list_filter([{', '.join(misfits)}], lambda e: e.v IS NOT NULL)" if misfits else "[]"
        marked = f"list_filter([{', '.join(escaped)}], lambda e: e IS NOT NULL)" if escaped else "[]"
        misfit_json = (
            f"CASE WHEN len({found}) > 0 THEN to_json(map_from_entries({found})) END"
            if misfits
            else "NULL::JSON"
        )
        return (
            f"SELECT o, {misfit_json} AS misfits, NULL::JSON AS unmapped, "
            f"CASE WHEN len({marked}) > 0 THEN to_json({marked}) END AS escaped "
            f"FROM ({self._raw.source(fields)}) WHERE o IN (SELECT o FROM typed WHERE odd)"
        )

    # -- keys --------------------------------------------------------------------------------------

    def _reject(self, layout: Layout) -> pa.Table:
        """Take records without a usable key out of `typed`, raw and with the reason."""
        keys = self._key_cells(layout)
        if not keys:
            return REJECTED.empty_table()
        missing = " OR ".join(f"{cell} IS NULL" for cell in keys)
        if self._count(f"SELECT count(*) FROM typed WHERE {missing}") == 0:
            return REJECTED.empty_table()
        reasons = ", ".join(
            f"CASE WHEN {cell} IS NULL THEN {literal(_key_problem(layout, field))} END"
            for cell, field in zip(keys, layout.key, strict=True)
        )
        self._register_pages()
        rejected = self._connection.sql(
            f"SELECT read_at, concat_ws('; ', {reasons}) AS reason, {self._raw.record()} AS record "
            f"FROM typed JOIN raw ON raw.rowid = typed.o JOIN pages ON pages.p = typed.p WHERE {missing}"
        ).to_arrow_table()
        self._connection.execute(f"DELETE FROM typed WHERE {missing}")
        return rejected.cast(REJECTED)

    def _key_cells(self, layout: Layout) -> list[str]:
        """The cells of the key; a field that no record has yet is null in all of them."""
        fields = [column.field for column in layout.columns]
        return [f"t{fields.index(field)}" if field in fields else "NULL" for field in layout.key]

    def _register_pages(self) -> None:
        pages = pa.table(
            {
                "p": pa.array(range(self._first_page, self._first_page + len(self._read_at)), pa.int32()),
                "read_at": pa.array(self._read_at, INSTANT),
            }
        )
        self._connection.register("pages", pages)


def _key_problem(layout: Layout, field: str) -> str:
    if field not in layout.fields:
        return f"the key field '{field}' is missing"
    return f"the key field '{field}' is missing, null, or {MISFIT_REASONS[layout.column(field).type.kind]}"
