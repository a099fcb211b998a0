"""The fast way and the thorough way come to the same, or the fast way says that it cannot."""

from collections.abc import Iterator

import duckdb
import pyarrow as pa
import pytest

from propexo_connect.connectors.base import ColumnPage, JsonPage
from propexo_connect.model.field import INTEGER
from propexo_connect.model.layout import Column, Layout
from propexo_connect.model.stream import StreamPlan
from propexo_connect.sync.at_once import typed_at_once
from propexo_connect.sync.columns import Unfit
from propexo_connect.sync.spool import Spool
from propexo_connect.sync.thorough import Typed, declared_layout, typed_thoroughly
from propexo_connect_tests.sync.pages import NOON, page, plan_of
from propexo_connect_tests.sync.test_decode import FITTING, MISFITS


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as made:
        made.execute("set timezone = 'UTC'")
        yield made


def both(
    connection: duckdb.DuckDBPyConnection, plan: StreamPlan, *pages: JsonPage | ColumnPage
) -> tuple[Typed, Typed]:
    """What the fast way and what the thorough way makes of the same pages."""
    spool = Spool(plan.where)
    for each in pages:
        spool.add(each)
    layout, _ = declared_layout(plan, None)
    try:
        fast = typed_at_once(connection, spool, plan, layout)
        return fast, typed_thoroughly(connection, [spool], plan, None)
    finally:
        spool.close()


def assert_same(fast: Typed, thorough: Typed) -> None:
    assert fast.layout == thorough.layout
    assert {name: values.to_pylist() for name, values in fast.fields.items()} == {
        name: values.to_pylist() for name, values in thorough.fields.items()
    }
    assert fast.pages.to_pylist() == thorough.pages.to_pylist()
    assert fast.meta.to_pylist() == thorough.meta.to_pylist()
    assert thorough.rejected.num_rows == 0


ORDINARY = {
    "id": "integer",
    "name": "text",
    "rent": "decimal(18,2)",
    "rate": "float",
    "is_active": "boolean",
    "moved_in": "date",
    "updated_at": "timestamp",
    "local": "datetime",
    "at": "time",
    "address": "json",
    "account.id": "text",
    "account.tags": "json",
}
RECORD = {
    "id": 7,
    "name": "Elm é 😀",
    "rent": 1234.5,
    "rate": 1e-07,
    "is_active": False,
    "moved_in": "2026-02-28",
    "updated_at": "2026-03-02T10:00:00.123+02:00",
    "local": "2026-03-02 10:00",
    "at": "23:59:59.5",
    "address": {"zip": "01234", "city": "Reno"},
    "account": {"id": 12, "tags": ["b", "a"], "name": None},
}


def test_ordinary_records_go_the_fast_way_to_the_same_values(connection: duckdb.DuckDBPyConnection) -> None:
    """Every kind of type, absent and null members, and members that are always null."""
    records = [RECORD, {"id": 8, "unknown": None}, {"id": 9, "name": None, "account": None, "address": None}]
    assert_same(*both(connection, plan_of(ORDINARY), page(*records), page({**RECORD, "id": 10})))


@pytest.mark.parametrize("way", ["json", "text"])
@pytest.mark.parametrize(("kind", "written"), [case[:2] for case in (*FITTING, *MISFITS)])
def test_no_value_means_another_thing_on_the_fast_way(
    connection: duckdb.DuckDBPyConnection, kind: str, written: str, way: str
) -> None:
    """Each hard value either is refused by the fast way or comes to the same, from JSON and from text."""
    plan = plan_of({"id": "integer", "x": kind})
    if way == "json":
        given: JsonPage | ColumnPage = page(text=f'[{{"id":1,"x":{written}}}]')
    else:
        given = ColumnPage(pa.table({"id": ["1"], "x": [written.strip('"')]}), NOON, is_text=True)
    try:
        fast, thorough = both(connection, plan, given)
    except Unfit:
        return
    assert_same(fast, thorough)


def test_typed_columns_go_the_fast_way(connection: duckdb.DuckDBPyConnection) -> None:
    """What a database or a Parquet file brings is only checked."""
    columns = pa.table(
        {
            "id": pa.array([1, 2], pa.int32()),
            "rent": pa.array(["1.50", None], pa.string()),
            "updated_at": pa.array([1_700_000_000_000, None], pa.timestamp("ms", "UTC")),
            "address": pa.array(['{"b":1}', None], pa.string()),
        }
    )
    fields = {"id": "integer", "rent": "decimal(10,2)", "updated_at": "timestamp", "address": "json"}
    assert_same(*both(connection, plan_of(fields), ColumnPage(columns, NOON)))


@pytest.mark.parametrize(
    "text",
    [
        '[{"id":1,"colour":"red"}]',  # a field that is not known
        '[{"id":1,"X":"a"}]',  # its name in capitals
        '[{"x":"a"}]',  # no key
        '[{"id":1,"x":"a"},5]',  # no object
        '[{"id":1,"id":2}]',  # a member that comes twice
        '[{"id":1,"x":"a\\u0000"}]',  # text that no database stores
    ],
)
def test_what_is_odd_is_refused_by_the_fast_way(connection: duckdb.DuckDBPyConnection, text: str) -> None:
    """The thorough way finds out what to say about it."""
    with pytest.raises(Unfit):
        both(connection, plan_of({"id": "integer", "x": "text"}), page(text=text))


def test_a_layout_whose_names_differ_in_case_alone_is_refused(connection: duckdb.DuckDBPyConnection) -> None:
    """DuckDB's structs would take one for the other."""
    plan = plan_of({"id": "integer", "x": "text", "X": "text"})
    with pytest.raises(Unfit):
        both(connection, plan, page({"id": 1, "x": "a", "X": "b"}))


def test_a_stored_column_without_a_field_in_the_page_is_empty(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    """A layout may know more than a page brings."""
    spool, plan = Spool("x"), plan_of()
    spool.add(page({"id": 1}))
    layout = Layout((Column("id", "id", INTEGER), Column("n", "n", INTEGER)), ("id",))
    fast = typed_at_once(connection, spool, plan, layout)
    spool.close()
    assert fast.fields["n"].to_pylist() == [None]
