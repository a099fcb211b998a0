"""The metadata of materializations: numbers that plot, and labels that keep their types."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import dagster as dg

from propexo_connect.destinations.base import TableFacts
from propexo_connect.model.counts import Counts
from propexo_connect.model.layout import Change
from propexo_connect.model.ledger import Part, Reading, Window
from propexo_connect.model.stream import StreamPlan, Table
from propexo_connect.model.tile import WHOLE, Bound, Tile
from propexo_connect.orchestration.metadata import result_metadata
from propexo_connect.sync.result import StreamResult
from propexo_connect_tests.orchestration.bench import STREAMS, Bench, materialized

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
PLOTTED = {
    "records_read": dg.IntMetadataValue,
    "records_new": dg.IntMetadataValue,
    "records_changed": dg.IntMetadataValue,
    "records_unchanged": dg.IntMetadataValue,
    "records_superseded": dg.IntMetadataValue,
    "records_rejected": dg.IntMetadataValue,
    "tiles": dg.IntMetadataValue,
    "bytes_read": dg.IntMetadataValue,
    "requests": dg.IntMetadataValue,
    "retries": dg.IntMetadataValue,
    "attempts": dg.IntMetadataValue,
    "schema_changes": dg.IntMetadataValue,
    "dagster/row_count": dg.IntMetadataValue,
    "duration_seconds": dg.FloatMetadataValue,
    "seconds_waited_for_the_source": dg.FloatMetadataValue,
    "seconds_since_last_seen_min": dg.FloatMetadataValue,
    "watermark_age_seconds": dg.FloatMetadataValue,
}


def window(
    start: Bound | None, end: Bound, *, reading: Reading = Reading.RECURRING, done: bool = True
) -> Window:
    return Window(
        connection="acme",
        stream="work_orders",
        reading=reading,
        tile=Tile(start, end),
        request=WHOLE,
        filter_field=None,
        declarations=(),
        is_complete=done,
        part=0,
        attempt=1,
        sync_id="one",
        fence=1,
        started_at=NOON,
        read_started_at=NOON,
        first_started_at=NOON,
        finished_at=NOON,
        counts=Counts(read=3, new=3),
        bytes_read=100,
        request_count=2,
        retry_count=1,
    )


def result(
    *windows: Window, facts: TableFacts | None = None, changes: tuple[Change, ...] = ()
) -> StreamResult:
    plan = StreamPlan("acme", STREAMS[2], Table("acme", "work_orders"))
    return StreamResult(plan, windows, 1, 2.0, facts=facts, changes=changes, counts=Counts(read=3, new=3))


def test_what_one_wants_to_see_over_months_is_a_number(bench: Bench) -> None:
    labels = materialized(bench.sync())["work_orders"]
    assert {label: type(labels[label]) for label in PLOTTED} == PLOTTED


def test_no_label_ever_changes_its_type(bench: Bench) -> None:
    """First sync, nothing new, a new field, a wider type, a rejected record, a full read and a re-pull."""
    day: dict[str, object] = {"reading": "re-pull", "start": "2025-01-01", "end": "2025-01-02"}
    rounds: list[tuple[list[dict[str, object]], dict[str, object]]] = [
        ([{"id": 1, "name": "One"}], {}),
        ([{"id": 1, "name": "One"}], {}),
        ([{"id": 1, "name": "One", "floor": 3}], {}),
        ([{"id": 1, "name": "One", "floor": "ground"}], {}),
        ([{"name": "no key"}], {}),
        ([], {}),
        ([{"id": 2, "name": "Two"}], {"reading": "full"}),
        ([{"id": 3, "name": "Three"}], day),
    ]
    types: dict[str, set[type]] = {}
    for records, config in rounds:
        bench.vendor.records["work-orders"] = records
        labels = materialized(bench.sync("work_orders", config=config))["work_orders"]
        for label, value in labels.items():
            types.setdefault(label, set()).add(type(value))
    assert {label: found for label, found in types.items() if len(found) > 1} == {}
    assert "schema_drift" in types


def test_instants_are_told_as_instants_and_as_ages() -> None:
    facts = TableFacts(row_count=3, last_seen_min=NOON - timedelta(days=2), last_seen_max=NOON)
    labels = result_metadata(
        result(window(NOON - timedelta(hours=2), NOON - timedelta(hours=1)), facts=facts), "one", NOON
    )
    assert labels["watermark"] == dg.MetadataValue.timestamp(NOON - timedelta(hours=1))
    assert labels["watermark_age_seconds"] == 3600.0
    assert labels["last_seen_min"] == dg.MetadataValue.timestamp(NOON - timedelta(days=2))
    assert labels["seconds_since_last_seen_min"] == 172_800.0


def test_parents_are_counted_where_a_stream_is_read_through_them() -> None:
    """Of all windows; a stream without parents has no such labels."""
    gone = Part("122", problem="answered 404", is_skipped=True)
    windows = (
        replace(window(None, NOON), parts=(Part("120"), gone)),
        replace(window(None, NOON), parts=(Part("121"),)),
    )
    labels = result_metadata(replace(result(*windows), waited_s=4.5), "one", NOON)
    assert (labels["parents_read"], labels["parents_skipped"]) == (2, 1)
    assert labels["seconds_waited_for_the_source"] == 4.5
    assert "parents_read" not in result_metadata(result(window(None, NOON)), "one", NOON)


def test_the_stretch_is_that_of_the_complete_tiles() -> None:
    broken_off = window(NOON, NOON + timedelta(hours=9), done=False)
    labels = result_metadata(
        result(
            window(NOON - timedelta(hours=1), NOON),
            window(NOON - timedelta(hours=2), NOON - timedelta(hours=1)),
            broken_off,
        ),
        "one",
        NOON,
    )
    assert labels["tile_start"] == dg.MetadataValue.timestamp(NOON - timedelta(hours=2))
    assert labels["tile_end"] == dg.MetadataValue.timestamp(NOON)
    assert (
        labels["tiles"],
        labels["steps"],
        labels["bytes_read"],
        labels["requests"],
        labels["retries"],
    ) == (2, 3, 300, 6, 3)


def test_an_integer_axis_has_labels_of_its_own() -> None:
    labels = result_metadata(result(window(0, 500)), "one", NOON)
    assert (labels["tile_start_value"], labels["tile_end_value"], labels["watermark_value"]) == (0, 500, 500)
    assert not {"tile_start", "tile_end", "watermark", "watermark_age_seconds"} & set(labels)


def test_a_backsync_has_no_watermark() -> None:
    labels = result_metadata(
        result(window(NOON - timedelta(days=9), NOON, reading=Reading.BACKSYNC)), "one", NOON
    )
    assert "watermark" not in labels


def test_changes_of_the_shape_are_a_table() -> None:
    labels = result_metadata(
        result(changes=(Change("added", "Floor", "floor", None, "integer"),)), "one", NOON
    )
    drift = labels["schema_drift"]
    assert isinstance(drift, dg.TableMetadataValue)
    assert drift.records[0].data == {
        "change": "added",
        "field": "Floor",
        "column": "floor",
        "before": "",
        "after": "integer",
    }


def test_the_columns_are_those_that_are_stored(bench: Bench) -> None:
    bench.vendor.records["properties"] = [{"id": 1, "name": "One", "newField": True}]
    schema = materialized(bench.sync("properties"))["properties"]["dagster/column_schema"]
    assert isinstance(schema, dg.TableSchemaMetadataValue)
    columns = {column.name: column.type for column in schema.schema.columns}
    assert columns["updated_at"] == "timestamp"
    assert columns["new_field"] == "boolean"
    assert columns["last_seen"] == "timestamp"
