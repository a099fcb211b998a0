"""Names of columns: deterministic, stored, never cut into each other."""

from hypothesis import given
from hypothesis import strategies as st

from propexo_connect.model.names import MAX_BYTES, ROW_COLUMNS, column_names, snake_case


def test_vendor_spellings_become_snake_case() -> None:
    spelled = {
        "createdAt": "created_at",
        "HTTPStatus": "http_status",
        "Work Order #": "work_order",
        "naïve": "naive",
        "2nd": "_2nd",
        "a.b": "a_b",
        "_links": "_links",
    }
    assert {name: snake_case(name) for name in spelled} == spelled


def test_a_field_named_like_our_own_column_is_marked_as_the_sources() -> None:
    assert column_names(["last_seen", "First Seen"], {}) == {
        "last_seen": "last_seen__source",
        "First Seen": "first_seen__source",
    }


@given(st.lists(st.text(max_size=80), unique=True, max_size=12))
def test_columns_are_distinct_and_fit(fields: list[str]) -> None:
    names = column_names(fields, {})
    assert len(set(names.values())) == len(fields)
    assert all(0 < len(name.encode()) <= MAX_BYTES for name in names.values())
    assert not set(names.values()) & set(ROW_COLUMNS)


@given(st.lists(st.text(max_size=8), unique=True, max_size=8))
def test_the_order_of_arrival_decides_nothing(fields: list[str]) -> None:
    assert column_names(fields, {}) == column_names(reversed(fields), {})


@given(st.lists(st.text(max_size=8), unique=True, min_size=1, max_size=8))
def test_stored_names_never_change(fields: list[str]) -> None:
    first = column_names(fields[:1], {})
    assert column_names(fields, first)[fields[0]] == first[fields[0]]


def test_names_that_share_their_first_63_bytes_stay_apart() -> None:
    long = ["x" * 70 + "a", "x" * 70 + "b", "é" * 40]
    assert len(set(column_names(long, {}).values())) == 3
