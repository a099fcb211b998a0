"""Identifiers, and the statements of a merge, without a database."""

from dataclasses import replace

import pyarrow as pa
import pytest
import sqlglot
from hypothesis import given
from hypothesis import strategies as st
from sqlglot import exp

from propexo_connect.destinations import merge as sql
from propexo_connect.destinations.arrow import arrow_type, conform, numbered, one_per_hash, schema_of
from propexo_connect.destinations.dialect import Dialect
from propexo_connect.destinations.duckdb.sql import DuckDBDialect
from propexo_connect.destinations.identifiers import qualified, quote
from propexo_connect.destinations.merge import Merge
from propexo_connect.destinations.postgres.sql import PostgresDialect
from propexo_connect.model.errors import Defect
from propexo_connect.model.field import FieldType, Kind
from propexo_connect.model.stream import Mode, Table
from propexo_connect_tests.destinations.kit import NOON, UNITS, records_of, unit, units_plan

DIALECTS = pytest.mark.parametrize("dialect", [DuckDBDialect(), PostgresDialect()])


@given(st.text(min_size=1, max_size=15).filter(lambda name: "\0" not in name))
def test_any_name_is_quoted_so_that_it_reads_back(name: str) -> None:
    for dialect in ("duckdb", "postgres"):
        parsed = sqlglot.parse_one(f"select {quote(name)}", dialect=dialect)
        assert [column.name for column in parsed.find_all(exp.Column)] == [name]


@pytest.mark.parametrize("name", ["", "a\0b", "x" * 64, "é" * 32])
def test_a_name_that_a_destination_would_cut_or_refuse_is_a_defect(name: str) -> None:
    with pytest.raises(Defect):
        quote(name)


def test_a_table_stands_with_its_schema() -> None:
    assert qualified(Table('a"b', "c.d")) == '"a""b"."c.d"'


def merge_of(dialect: Dialect, **changes: object) -> Merge:
    """A merge of units from the stage `staged`."""
    return Merge(dialect, replace(units_plan(), **changes), UNITS, "staged")  # pyright: ignore[reportArgumentType]


@DIALECTS
def test_every_statement_of_a_merge_can_be_parsed(dialect: Dialect) -> None:
    for mode in Mode:
        merge = merge_of(dialect, mode=mode, history=True)
        statements = [
            sql.judge(merge),
            sql.judge_all_new(merge),
            sql.count_verdicts(merge),
            sql.insert_new(merge, is_all=False),
            sql.insert_new(merge, is_all=True),
            sql.update_changed(merge),
            sql.delete_changed(merge),
            sql.stamp_seen(merge),
            sql.delete_gone(merge),
            sql.close_gone(merge),
            sql.close_history(merge),
            sql.write_history(merge),
            sql.close_all(merge),
            sql.rows_of(merge, (sql.NEW, sql.CHANGED)),
            sql.thin_gathered(merge, Table("a", "b")),
            sql.create_table(dialect, merge.plan.table, merge.layout),
        ]
        for statement in statements:
            assert len(sqlglot.parse(statement, dialect=dialect.capabilities.name.lower()[:8])) == 1


@DIALECTS
def test_only_one_statement_of_a_merge_joins_on_the_key(dialect: Dialect) -> None:
    merge = merge_of(dialect)
    joins = 't."id" = s."id"'
    assert joins in sql.judge(merge)
    for statement in (sql.update_changed(merge), sql.stamp_seen(merge), sql.insert_new(merge, is_all=False)):
        assert joins not in statement


@DIALECTS
def test_the_key_is_never_updated(dialect: Dialect) -> None:
    updated = sql.update_changed(merge_of(dialect)).partition(" from ")[0]
    assert '"name" =' in updated
    assert '"id" =' not in updated


@DIALECTS
def test_force_drops_the_cursor_from_the_verdict(dialect: Dialect) -> None:
    merge = merge_of(dialect)
    assert '"updated_at"' in sql.judge(merge)
    assert 's."updated_at"' not in sql.judge(replace(merge, force=True))


def test_records_that_fit_are_not_copied() -> None:
    records = records_of(UNITS, [unit(1, "a")], NOON)
    same = conform(records, schema_of(UNITS), "here")
    assert (
        same.column("name").chunk(0).buffers()[2].address
        == records.column("name").chunk(0).buffers()[2].address
    )


def test_records_without_a_column_or_with_a_lossy_type_are_a_defect() -> None:
    records = records_of(UNITS, [unit(1, "a")], NOON)
    with pytest.raises(Defect, match="without the column 'name'"):
        conform(records.drop_columns("name"), schema_of(UNITS), "here")
    broken = records.set_column(0, "id", pa.array([1.5]))
    with pytest.raises(Defect, match="'id' comes as double, not as int64"):
        conform(broken, schema_of(UNITS), "here")


def test_each_kind_has_an_arrow_type() -> None:
    types = {kind: arrow_type(FieldType(kind)) for kind in Kind}
    assert types[Kind.DECIMAL] == pa.decimal128(38, 9)
    assert types[Kind.TIMESTAMP] == pa.timestamp("us", "UTC")


def test_of_equal_hashes_the_first_record_stays() -> None:
    records = numbered(records_of(UNITS, [unit(1, "a"), unit(2, "b"), unit(1, "a")], NOON))
    assert one_per_hash(records).column("id").to_pylist() == [1, 2]
    assert one_per_hash(records.slice(0, 0)).num_rows == 0
