"""What a sweep asks of each kind of source: its keys, where it can be asked for fields."""

import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from propexo_connect.connectors.api.described import described
from propexo_connect.connectors.base import ColumnPage, Page, ReadContext, Source
from propexo_connect.connectors.catalogue import CONNECTORS
from propexo_connect.connectors.files import FilesConfig
from propexo_connect.connectors.files import connector as files
from propexo_connect.connectors.sqlite import SqliteConfig
from propexo_connect.connectors.sqlite import connector as sqlite
from propexo_connect.http.plan import ApiStream, Parent
from propexo_connect.model.counts import Counts
from propexo_connect.model.ledger import Reading
from propexo_connect.model.stream import Stream
from propexo_connect.model.tile import WHOLE, Request
from propexo_connect.sync.sweep import swept_fields
from propexo_connect_tests.connectors.api.bench import Handler, answered, bench, query
from propexo_connect_tests.connectors.synced import Warehouse
from propexo_connect_tests.connectors.tables import Tables
from propexo_connect_tests.connectors.test_happyco import happyco, reading, small_population, stream
from propexo_connect_tests.http.doubles import ManualClock


class Watched:
    """A source, and the columns of what it served."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.served: list[set[str]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def read(
        self,
        stream: Stream,
        request: Request,
        fields: frozenset[str] | None,
        position: str | None,
        context: ReadContext,
    ) -> Iterator[Page]:
        for page in self._source.read(stream, request, fields, position, context):
            assert isinstance(page, ColumnPage)
            self.served.append(set(page.records.column_names))
            yield page


def swept(warehouse: Warehouse, source: Source, *streams: Stream) -> dict[str, Counts]:
    results = warehouse.sync(source, *streams, reading=Reading.SWEEP)
    assert all(result.is_ok for result in results.values()), [result.error for result in results.values()]
    return {name: result.counts for name, result in results.items()}


def test_of_a_database_only_the_columns_of_the_key_are_selected(tmp_path: Path) -> None:
    file = tmp_path / "app.db"
    with sqlite3.connect(file) as connection:
        connection.execute(
            "CREATE TABLE units (id INTEGER PRIMARY KEY, name TEXT, rent REAL, updated_at TEXT)"
        )
        connection.execute("INSERT INTO units VALUES (1, 'a', 7.5, ''), (2, 'b', 8.5, '')")
    tables, warehouse = Tables(sqlite, SqliteConfig(path=str(file))), Warehouse(tmp_path)
    with tables.opened() as opened:
        source: Any = Watched(opened)
        prepared = opened.prepare(tables.stream())
        warehouse.sync(source, prepared)
        with sqlite3.connect(file) as connection:
            connection.execute("DELETE FROM units WHERE id = 1")
            connection.execute("UPDATE units SET name = 'later'")
            connection.execute("INSERT INTO units VALUES (3, 'c', 9.5, '')")
        assert swept(warehouse, source, prepared) == {"units": Counts(read=2, unchanged=1, superseded=1)}
    assert source.served == [{"id", "name", "rent", "updated_at"}, {"id"}]
    seen = warehouse.rows("select id, name, last_seen > first_seen from units order by id")
    assert seen == [(1, "a", False), (2, "b", True)]


def things(request: httpx.Request) -> httpx.Response:
    wanted = query(request).get("fields")
    rows: list[Mapping[str, object]] = [{"id": number, "name": "a", "rent": 7} for number in (1, 2)]
    if wanted is not None:
        rows = [{name: row[name] for name in wanted.split(",")} for row in rows]
    return answered(rows)


@pytest.mark.parametrize(
    ("params", "asked"), [({"fields": "{fields}"}, "id"), ({"fields": "{narrow}"}, "id"), ({}, None)]
)
def test_an_api_is_asked_for_keys_where_it_takes_fields(
    tmp_path: Path, params: Mapping[str, str], asked: str | None
) -> None:
    spec = ApiStream("things", "/things", "id", fields="id:int name rent:int", params=params)
    warehouse = Warehouse(tmp_path, clock=ManualClock())
    with bench(things, spec) as vendor:
        (stream,) = described(vendor.api, vendor.config)
        assert stream.selects_fields == (asked is not None)
        warehouse.sync(vendor.source, stream)
        before = warehouse.rows("select * exclude (last_seen) from things order by id")
        assert swept(warehouse, vendor.source, stream) == {"things": Counts(read=2, unchanged=2)}
        assert vendor.vendor.queries[-1].get("fields") == asked
    assert warehouse.rows("select * exclude (last_seen) from things order by id") == before


def test_an_api_that_sends_everything_unasked_is_told_fields_only_where_the_plan_knows_all_of_them() -> None:
    spec = ApiStream("things", "/things", "id", fields="id:int name", params={"fields": "{narrow}"})
    with bench(things, spec) as vendor:
        (stream,) = described(vendor.api, vendor.config)
        for fields in (None, frozenset({"id", "rent"}), frozenset({"name"})):
            list(vendor.source.read(stream, WHOLE, fields, None, vendor.sync.context))
        assert [asked.get("fields") for asked in vendor.vendor.queries] == [None, None, "id,name"]


def test_a_stream_below_parents_is_swept_through_all_of_them(tmp_path: Path) -> None:
    is_down = False

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/homes"):
            return answered([{"id": 1}, {"id": 2}])
        home = int(request.url.path.split("/")[-2])
        return answered([], 403) if is_down and home == 2 else answered([{"id": home * 10, "name": "a"}])

    handler: Handler = answer
    homes = ApiStream("homes", "/homes", "id", fields="id:int")
    rooms = ApiStream("rooms", "/homes/{parent.id}/rooms", "id", fields="id:int name", parent=Parent("homes"))
    warehouse = Warehouse(tmp_path, clock=ManualClock())
    with bench(handler, homes, rooms) as vendor:
        stream = next(one for one in described(vendor.api, vendor.config) if one.name == "rooms")
        warehouse.sync(vendor.source, stream)
        assert swept(warehouse, vendor.source, stream) == {"rooms": Counts(read=2, unchanged=2)}
        is_down = True
        result = warehouse.sync(vendor.source, stream, reading=Reading.SWEEP)["rooms"]
        assert result.error is not None
    whole = "select is_complete from _propexo.windows where reading = 'sweep' order by number"
    assert warehouse.rows(whole) == [(True,), (False,)]


def test_a_selection_set_is_narrowed_to_the_key_and_what_the_stream_is_filtered_by() -> None:
    orders = stream("work_orders")
    assert orders.selects_fields
    assert swept_fields(orders) == {"id", "createdAt"}
    with happyco(small_population(units=2)) as vendor, reading(vendor) as reader:
        records = reader.records("units", fields=swept_fields(stream("units")))
        assert [set(record) for record in records] == [{"id", "propertyId"}] * 2


@pytest.mark.parametrize(
    ("connector", "stream", "selects"),
    [
        *((name, "units", True) for name in ("postgres", "mysql", "mariadb", "sqlite", "sqlserver")),
        ("happyco", "units", True),
        ("happyco", "members", True),
        ("guesty", "reservations", True),
        ("rent_manager", "units", True),
        ("rent_manager", "lease_renewals", False),
        ("door", "doors", False),
        ("stripe", "charges", False),
        ("airbyte", "units", False),
        ("singer", "units", False),
    ],
)
def test_each_stream_says_whether_it_can_be_asked_for_keys_alone(
    connector: str, stream: str, selects: bool
) -> None:
    kind = CONNECTORS[connector]
    found = kind.stream(kind.config.model_construct(), stream)
    assert found is not None
    assert found.selects_fields is selects


def test_of_files_only_those_in_columns_come_by_columns() -> None:
    config = FilesConfig.model_validate(
        {
            "root": "x",
            "streams": {"a": {"path": "*.parquet", "key": ["id"]}, "b": {"path": "*.csv", "key": ["id"]}},
        }
    )
    assert [stream.selects_fields for stream in files.streams(config)] == [True, False]
