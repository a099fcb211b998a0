"""From pages to typed, keyed, hashed and deduplicated columns."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest

from propexo_connect.connectors.base import ColumnPage
from propexo_connect.model.errors import DriftRefused, VendorFault
from propexo_connect.model.stream import Drift, StreamPlan
from propexo_connect.sync.decode import Decoded, Decoder
from propexo_connect.sync.spool import Spool
from propexo_connect_tests.sync.pages import NOON, decode, page, plan_of


def rows(decoded: Decoded) -> list[dict[str, object]]:
    return decoded.records.to_pylist()


def one(plan: StreamPlan, text: str) -> dict[str, object]:
    """The one record of a page written exactly so."""
    return rows(decode(plan, page(text=text)))[0]


def meta_of(row: dict[str, object]) -> dict[str, object]:
    return json.loads(str(row["_propexo_meta"]))


def column_page(**columns: object) -> ColumnPage:
    return ColumnPage(pa.table(columns), NOON)


def decode_columns(plan: StreamPlan, *pages: ColumnPage) -> Decoded:
    spool, decoder = Spool(plan.where), Decoder()
    for each in pages:
        spool.add(each)
    return decoder.decode([decoder.begin(spool, plan, None)], plan, None)


FITTING = [
    ("integer", "9223372036854775807", 9223372036854775807),
    ("integer", "-9223372036854775808", -9223372036854775808),
    ("integer", "9007199254740993", 9007199254740993),
    ("integer", '"12"', 12),
    ("integer", "5.0", 5),
    ("decimal(18,2)", "1234.56", Decimal("1234.56")),
    ("decimal(18,2)", '"1234.50"', Decimal("1234.50")),
    ("decimal(38,16)", "50000.0000000000000001", Decimal("50000.0000000000000001")),
    (
        "decimal(38,0)",
        "12345678901234567890123456789012345678",
        Decimal("12345678901234567890123456789012345678"),
    ),
    ("decimal(38,9)", "1e-7", Decimal("0.000000100")),
    ("float", "0.1", 0.1),
    ("float", "0.30000000000000004", 0.30000000000000004),
    ("float", "1e300", 1e300),
    ("boolean", "true", True),
    ("boolean", '"0"', False),
    ("date", '"2024-02-29"', date(2024, 2, 29)),
    ("date", '"0001-01-01"', date(1, 1, 1)),
    ("date", '"9999-12-31"', date(9999, 12, 31)),
    ("date", '"2026-03-02T00:00:00Z"', date(2026, 3, 2)),
    ("timestamp", '"2026-03-02T15:04:05Z"', datetime(2026, 3, 2, 15, 4, 5, tzinfo=UTC)),
    ("timestamp", '"2026-03-02T15:04:05.123456-08:00"', datetime(2026, 3, 2, 23, 4, 5, 123456, tzinfo=UTC)),
    ("timestamp", '"2026-03-02T15:04:05+0800"', datetime(2026, 3, 2, 7, 4, 5, tzinfo=UTC)),
    ("timestamp", '"2026-03-02 15:04:05+08"', datetime(2026, 3, 2, 7, 4, 5, tzinfo=UTC)),
    ("timestamp", '"2026-03-02T15:04:05.123456000Z"', datetime(2026, 3, 2, 15, 4, 5, 123456, tzinfo=UTC)),
    ("datetime", '"2026-03-02T15:04:05"', datetime(2026, 3, 2, 15, 4, 5)),  # noqa: DTZ001 (local by definition)
    ("text", '"01234"', "01234"),
    ("text", "1.10", "1.1"),
    ("text", '{"b": 1}', '{"b":1}'),
    ("text", '"NaN"', "NaN"),
    ("text", '"é\\u00e9😀"', "éé😀"),
    ("json", '{"b": 1.10, "a": [1, 2]}', '{"a":[1,2],"b":1.1}'),
    ("json", '{"a": 50000.0000000000000001}', '{"a":50000.0000000000000001}'),
    ("json", '{"a": 123456789012345678901234567890}', '{"a":123456789012345678901234567890}'),
    ("json", '"text"', '"text"'),
    ("json", "[]", "[]"),
]


@pytest.mark.parametrize(("kind", "written", "stored"), FITTING)
def test_a_value_that_fits_is_stored_exactly(kind: str, written: str, stored: object) -> None:
    row = one(plan_of({"id": "integer", "x": kind}), f'[{{"id":1,"x":{written}}}]')
    assert row["x"] == stored
    assert row["_propexo_meta"] is None


MISFITS = [
    ("integer", "9223372036854775808", "9223372036854775808"),
    ("integer", "1.5", "1.5"),
    ("integer", '"012"', "012"),
    ("integer", "true", "true"),
    ("integer", '{"a":1}', '{"a":1}'),
    ("decimal(18,2)", "1.234", "1.234"),
    ("decimal(5,2)", "12345.67", "12345.67"),
    ("float", "50000.0000000000000001", "50000.0000000000000001"),
    ("float", "NaN", "NaN"),
    ("float", "-Infinity", "-Infinity"),
    ("float", "1e400", "1e400"),
    ("boolean", '"yes"', "yes"),
    ("date", '"2023-02-29"', "2023-02-29"),
    ("date", '"0000-00-00"', "0000-00-00"),
    ("date", '"10000-01-01"', "10000-01-01"),
    ("date", '"2026-03-02T15:04:05Z"', "2026-03-02T15:04:05Z"),
    ("timestamp", '"2026-03-02T15:04:05.123456789Z"', "2026-03-02T15:04:05.123456789Z"),
    ("timestamp", '"2026-03-02T15:04:05"', "2026-03-02T15:04:05"),
    ("timestamp", '"2026-03-02T24:00:00Z"', "2026-03-02T24:00:00Z"),
    ("timestamp", '"2026-03-02T15:04:60Z"', "2026-03-02T15:04:60Z"),
    ("timestamp", '"infinity"', "infinity"),
    ("datetime", '"2026-03-02T15:04:05Z"', "2026-03-02T15:04:05Z"),
]


@pytest.mark.parametrize(("kind", "written", "kept"), MISFITS)
def test_a_value_that_does_not_fit_is_kept_as_text_with_the_reason(
    kind: str, written: str, kept: str
) -> None:
    row = one(plan_of({"id": "integer", "x": kind}), f'[{{"id":1,"x":{written}}}]')
    assert row["x"] is None
    misfits = meta_of(row)["misfits"]
    assert isinstance(misfits, dict)
    assert misfits["x"]["value"] == kept
    assert misfits["x"]["reason"]


@pytest.mark.parametrize(
    ("written", "stored"),
    [('"a\\u0000b"', "a\\u0000b"), ('"\\ud800"', "\\ud800"), ('"x\\udfffy"', "x\\udfffy")],
)
def test_text_that_no_database_stores_is_escaped_and_flagged(written: str, stored: str) -> None:
    row = one(plan_of({"id": "integer", "x": "text"}), f'[{{"id":1,"x":{written}}}]')
    assert row["x"] == stored
    assert meta_of(row) == {"escaped": ["x"]}


def test_bytes_that_are_not_utf8_are_kept_as_escapes() -> None:
    plan = plan_of({"id": "integer", "x": "text"})
    body = page(text="[]")
    broken = type(body)(b'[{"id":1,"x":"caf\xe9"}]', NOON)
    row = rows(decode(plan, broken))[0]
    assert row["x"] == "caf\\udce9"
    assert meta_of(row) == {"escaped": ["x"]}


def test_a_page_that_is_not_json_is_a_fault_and_not_an_empty_page() -> None:
    with pytest.raises(VendorFault, match="not JSON"):
        decode(plan_of({"id": "integer"}), page(text='[{"id":1},'))


def test_nesting_beyond_reason_is_kept_as_text() -> None:
    deep = "[" * 100_000 + "]" * 100_000
    row = one(plan_of({"id": "integer", "x": "json"}), f'[{{"id":1,"x":{deep}}}]')
    assert row["x"] == f'"{deep}"'


def test_a_pretty_printed_page_reads_like_a_compact_one() -> None:
    plan = plan_of({"id": "integer", "x": "text"})
    assert one(plan, '[\n  {\r\n "id": 1,\n "x": "a b"}\n]')["x"] == "a b"


def test_wrapped_records_are_unwrapped() -> None:
    plan = plan_of({"id": "integer"})
    assert rows(decode(plan, page({"cursor": "c", "node": {"id": 7}}, unwrap="node")))[0]["id"] == 7


def test_a_declared_field_with_a_dot_reaches_into_the_record() -> None:
    plan = plan_of({"account.id": "text", "user.id": "text"}, key=("account.id", "user.id"))
    row = one(plan, '[{"account":{"id":"a","name":"n"},"user":{"id":"u"}}]')
    assert (row["account_id"], row["user_id"]) == ("a", "u")


def test_fields_that_differ_in_case_are_two_columns() -> None:
    row = one(plan_of(), '[{"id":1,"Name":"a","name":"b"}]')
    assert sorted(str(value) for name, value in row.items() if name.startswith("name")) == ["a", "b"]


def test_undeclared_fields_get_the_narrowest_type_that_holds_them_all() -> None:
    decoded = decode(
        plan_of(),
        page(
            {
                "id": 1,
                "n": 1,
                "f": 1.5,
                "b": True,
                "t": "x",
                "ts": "2026-03-02T15:04:05Z",
                "d": "2026-03-02",
                "o": {"a": 1},
                "zip": "01234",
            },
            {
                "id": 2,
                "n": 2,
                "f": 2,
                "b": None,
                "t": "y",
                "ts": None,
                "d": "2026-03-03",
                "o": [1],
                "zip": "78701",
            },
        ),
    )
    types = {column.field: str(column.type) for column in decoded.layout.columns}
    assert types == {
        "id": "integer", "n": "integer", "f": "float", "b": "boolean", "t": "text", "ts": "timestamp",
        "d": "date", "o": "json", "zip": "text",
    }  # fmt: skip


def test_a_field_that_is_always_null_gets_no_column_until_it_has_a_value() -> None:
    plan = plan_of()
    first = decode(plan, page({"id": 1, "x": None}))
    assert "x" not in first.layout.fields
    assert decode(plan, page({"id": 1, "x": 5}), after=first).layout.column("x").type.kind == "integer"


def test_text_files_keep_leading_zeros_and_infer_exact_numbers() -> None:
    table = pa.table(
        {"id": ["1", "2"], "zip": ["01234", "78701"], "rent": ["1200.50", "900"], "n": ["7", None]}
    )
    decoded = decode_columns(plan_of(), ColumnPage(table, NOON, is_text=True))
    types = {column.field: str(column.type) for column in decoded.layout.columns}
    assert types == {"id": "integer", "zip": "text", "rent": "decimal(38,9)", "n": "integer"}
    assert rows(decoded)[0]["zip"] == "01234"


def test_columns_keep_their_types() -> None:
    decoded = decode_columns(
        plan_of(),
        column_page(
            id=pa.array([1, 2], pa.int32()),
            at=pa.array([NOON, None], pa.timestamp("us", "UTC")),
            d=pa.array([Decimal("1.10"), None], pa.decimal128(10, 2)),
            raw=pa.array([b"\x00\x01", None], pa.binary()),
            tags=pa.array([["b", "a"], None], pa.list_(pa.string())),
        ),
    )
    types = {column.field: str(column.type) for column in decoded.layout.columns}
    assert types == {
        "id": "integer",
        "at": "timestamp",
        "d": "decimal(10,2)",
        "raw": "binary",
        "tags": "json",
    }
    assert rows(decoded)[0]["tags"] == '["b","a"]'
    assert rows(decoded)[0]["raw"] == b"\x00\x01"


def test_a_not_a_number_in_a_column_is_a_misfit() -> None:
    decoded = decode_columns(plan_of(), column_page(id=[1], x=pa.array([float("nan")], pa.float64())))
    assert rows(decoded)[0]["x"] is None
    assert meta_of(rows(decoded)[0])["misfits"] == {
        "x": {"value": "nan", "reason": "not a finite double, or one that would be rounded"}
    }


def test_nanoseconds_that_would_be_cut_are_a_misfit() -> None:
    instants = pa.array([1_700_000_000_123_456_789, 1_700_000_000_123_456_000], pa.timestamp("ns", "UTC"))
    found = rows(decode_columns(plan_of(), column_page(id=[1, 2], at=instants)))
    assert found[0]["at"] is None
    assert found[1]["at"] == datetime(2023, 11, 14, 22, 13, 20, 123456, tzinfo=UTC)


# -- keys ------------------------------------------------------------------------------------------


def test_records_without_a_key_are_rejected_raw_and_the_rest_goes_on() -> None:
    plan = plan_of({"id": "integer", "x": "text"})
    decoded = decode(plan, page(text='[{"id":1,"x":"a"},{"x":"b"},{"id":null,"x":"c"},{"id":"q","x":"d"}]'))
    assert [row["id"] for row in rows(decoded)] == [1]
    rejected = decoded.rejected.to_pylist()
    assert [json.loads(row["record"])["x"] for row in rejected] == ["b", "c", "d"]
    assert all("'id'" in row["reason"] for row in rejected)


def test_records_whose_key_no_record_has_are_all_rejected() -> None:
    decoded = decode(plan_of(), page({"x": 1}, {"x": 2}))
    assert (decoded.records.num_rows, decoded.rejected.num_rows) == (0, 2)
    assert not decoded.layout.is_ready


def test_what_is_no_object_is_rejected() -> None:
    decoded = decode(plan_of({"id": "integer"}), page(text='[{"id":1},5,null,"x"]'))
    assert (decoded.records.num_rows, decoded.rejected.num_rows) == (1, 3)


def test_keys_that_look_alike_stay_apart() -> None:
    ids = ["1", "01", "x", "x ", "é", "e\u0301"]
    decoded = decode(plan_of({"id": "text"}), page(*({"id": each} for each in ids)))
    assert sorted(str(row["id"]) for row in rows(decoded)) == sorted(ids)


def test_the_newest_cursor_wins_within_a_step() -> None:
    plan = plan_of({"id": "integer", "at": "timestamp", "x": "text"}, cursor="at")
    newest = {"id": 1, "at": "2026-03-02T10:00:00Z", "x": "new"}
    decoded = decode(
        plan,
        page(newest, {"id": 1, "at": "2026-03-02T09:00:00Z", "x": "old"}, minutes=1),
        page({"id": 1, "at": None, "x": "null is older than any"}, minutes=2),
    )
    assert [row["x"] for row in rows(decoded)] == ["new"]
    assert decoded.superseded == 2


def test_without_a_cursor_the_latest_read_wins() -> None:
    plan = plan_of({"id": "integer", "x": "text"})
    decoded = decode(
        plan, page({"id": 1, "x": "a"}, {"id": 1, "x": "b"}), page({"id": 1, "x": "c"}, minutes=1)
    )
    assert [row["x"] for row in rows(decoded)] == ["c"]
    assert decoded.superseded == 2


def test_an_empty_step_of_a_declared_stream_has_its_columns() -> None:
    decoded = decode(plan_of({"id": "integer", "x": "text"}))
    assert decoded.records.num_rows == 0
    assert decoded.records.column_names[:2] == ["id", "x"]


# -- hashes ----------------------------------------------------------------------------------------


def hash_of(plan: StreamPlan, text: str) -> object:
    return one(plan, text)["_propexo_hash"]


def test_the_order_of_keys_is_no_change() -> None:
    plan = plan_of({"id": "integer", "o": "json"})
    assert hash_of(plan, '[{"id":1,"o":{"a":1,"b":{"c":2,"d":3}}}]') == hash_of(
        plan, '[{"o":{"b":{"d":3,"c":2},"a":1},"id":1}]'
    )


def test_a_column_more_changes_no_hash_of_a_record_without_it() -> None:
    narrow, wide = plan_of({"id": "integer"}), plan_of({"a": "text", "id": "integer", "x": "text"})
    assert hash_of(narrow, '[{"id":1}]') == hash_of(wide, '[{"id":1,"x":null}]')


def test_a_value_that_does_not_fit_counts_as_content() -> None:
    plan = plan_of({"id": "integer", "x": "integer"})
    assert hash_of(plan, '[{"id":1,"x":"a"}]') != hash_of(plan, '[{"id":1,"x":"b"}]')


def test_digits_beyond_a_double_count_as_content() -> None:
    plan = plan_of({"id": "integer", "x": "decimal(38,16)", "o": "json"})
    assert hash_of(plan, '[{"id":1,"x":50000.0000000000000001}]') != hash_of(plan, '[{"id":1,"x":50000.0}]')
    assert hash_of(plan, '[{"id":1,"o":[50000.0000000000000001]}]') != hash_of(
        plan, '[{"id":1,"o":[50000.0]}]'
    )


def test_values_do_not_run_into_each_other() -> None:
    plan = plan_of({"id": "integer", "a": "text", "b": "text"})
    assert hash_of(plan, '[{"id":1,"a":"x","b":null}]') != hash_of(plan, '[{"id":1,"a":null,"b":"x"}]')
    assert hash_of(plan, '[{"id":1,"a":"xy","b":"z"}]') != hash_of(plan, '[{"id":1,"a":"x","b":"yz"}]')


def test_a_rewritten_page_hashes_its_tame_records_like_any_other() -> None:
    plan = plan_of({"id": "integer", "x": "float", "o": "json", "t": "text"})
    tame = '{"id":1,"x":0.25,"o":{"b":1.5,"a":"q"},"t":"z"}'
    alone = rows(decode(plan, page(text=f"[{tame}]")))[0]
    beside = rows(decode(plan, page(text=f'[{tame},{{"id":2,"t":"a\\u0000"}}]')))
    assert next(row for row in beside if row["id"] == 1) == alone


# -- drift -----------------------------------------------------------------------------------------


def test_a_new_field_becomes_a_column_and_an_event() -> None:
    plan = plan_of()
    second = decode(plan, page({"id": 1, "colour": "red"}), after=decode(plan, page({"id": 1})))
    assert second.layout.column("colour").name == "colour"
    assert [(change.kind, change.field) for change in second.changes] == [("added", "colour")]


def test_an_inferred_integer_widens_where_that_loses_nothing() -> None:
    plan = plan_of()
    first = decode(plan, page({"id": 1, "n": 5}))
    second = decode(plan, page({"id": 2, "n": 5.5}), after=first)
    assert str(second.layout.column("n").type) == "decimal(38,18)"
    third = decode(plan, page({"id": 3, "n": "about five"}), after=first)
    assert str(third.layout.column("n").type) == "text"
    assert [change.kind for change in third.changes] == ["widened"]


def test_widening_changes_no_hash() -> None:
    plan = plan_of()
    first = decode(plan, page({"id": 1, "n": 5}))
    second = decode(plan, page({"id": 1, "n": 5}, {"id": 2, "n": 5.5}), after=first)
    assert (
        next(row for row in rows(second) if row["id"] == 1)["_propexo_hash"]
        == rows(first)[0]["_propexo_hash"]
    )


def test_a_declared_type_is_never_widened() -> None:
    plan = plan_of({"id": "integer", "n": "integer"})
    second = decode(plan, page({"id": 2, "n": "x"}), after=decode(plan, page({"id": 1, "n": 5})))
    assert str(second.layout.column("n").type) == "integer"
    assert meta_of(rows(second)[0])["misfits"]


def test_freeze_keeps_unknown_fields_in_the_meta() -> None:
    plan = plan_of(drift=Drift.FREEZE)
    second = decode(plan, page({"id": 1, "o": {"a": 1}}, {"id": 2}), after=decode(plan, page({"id": 1})))
    found = {row["id"]: row["_propexo_meta"] for row in rows(second)}
    assert json.loads(str(found[1])) == {"unmapped": {"o": {"a": 1}}}
    assert found[2] is None


def test_fail_refuses_unknown_fields_and_says_what_to_do() -> None:
    plan = plan_of(drift=Drift.FAIL)
    first = decode(plan, page({"id": 1}))
    with pytest.raises(DriftRefused, match="colour") as refused:
        decode(plan, page({"id": 1, "colour": "red"}), after=first)
    assert "drift: evolve" in str(refused.value)


def test_fields_that_are_not_selected_leave_no_trace() -> None:
    plan = plan_of(selected=frozenset({"a"}))
    decoded = decode(plan, page({"id": 1, "a": 2, "b": 3}))
    assert decoded.layout.fields == {"id", "a"}
    assert rows(decoded)[0]["_propexo_meta"] is None
