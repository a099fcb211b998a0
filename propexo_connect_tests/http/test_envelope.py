"""The way into an answer."""

import pytest

from propexo_connect.http.envelope import Envelope, glimpse, is_empty
from propexo_connect.model.errors import VendorFault

PAGE = Envelope(("data", "items"), total=("data", "meta", "total"), next=("next",))


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (("error", "code"), 301),
        (("error",), {"code": 301, "tags": ["a"]}),
        (("error", "tags", 0), "a"),
        (("error", "code", "deeper"), None),
        (("nowhere", "code"), None),
        ((), {"error": {"code": 301, "tags": ["a"]}, "rows": []}),
        (("*", "code"), 301),
        (("rows", 0), None),
    ],
)
def test_a_glimpse_sees_one_place_and_skips_the_rest(path: tuple[str | int, ...], found: object) -> None:
    assert glimpse(b'{"error":{"code":301,"tags":["a"]},"rows":[]}', path) == found
    assert glimpse(b"<html>", path) is None


def test_records_are_handed_on_as_they_came() -> None:
    """Digits, escapes, order and repeated keys are the destination's business."""
    records = b'[ {"b":1.50,"a":9007199254740993,"a":1e400} , {"t":"\\u0000\xc3\xa9"} ]'
    opened = PAGE.open(b'{"data":{"items":' + records + b',"meta":{"total":2}},"next":null,"more":{"x":[1]}}')
    assert opened.records == records
    assert opened.values == {"total": 2, "next": None}


def test_absent_values_are_none() -> None:
    assert PAGE.open(b'{"data":{"items":[]}}').values == {"total": None, "next": None}
    assert PAGE.open(b'{"data":{"items":[],"meta":null}}').count("total") is None


def test_records_may_be_the_whole_answer() -> None:
    assert Envelope(()).open(b'[{"id":1}]').records == b'[{"id":1}]'


def test_an_answer_may_be_the_record_and_hold_the_next_page() -> None:
    opened = Envelope((), takes="one", next=("next",)).open(b'\xef\xbb\xbf {"id":1.50,"next":"/2"}\n')
    assert opened.records == b'[{"id":1.50,"next":"/2"}]'
    assert opened.text("next") == "/2"


def test_a_byte_order_mark_is_passed_over() -> None:
    assert PAGE.open(b'\xef\xbb\xbf{"data":{"items":[1]}}').records == b"[1]"


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"<!doctype html><html>down</html>", "HTML"),
        (b"\n<?xml version='1.0'?><error/>", "HTML or XML"),
        (b'{"error":"no"}', "no array of records at 'data.items'"),
        (b'{"data":null}', "no array of records"),
        (b'{"data":{"items":null}}', "no array of records"),
        (b'{"data":{"items":{"id":1}}}', "no array of records"),
        (b'{"data":{"items":"[]"}}', "no array of records"),
        (b'{"data":[]}', "another shape"),
        (b"[]", "another shape"),
        (b"true", "another shape"),
        (b'{"data":{"items":[1,2', "truncated"),
        (b'{"data":{"items":[1,2,]}}', "malformed"),
        (b'{"data":{"items":[NaN]}}', "malformed"),
        (b'{"data":{"items":[01]}}', "malformed"),
        (b'{"data":{"items":[]}}{"data":{"items":[]}}', "malformed"),
        (b'{"data":{"items":["caf\xe9"]}}', "not UTF-8"),
        (b'{"data":{"items":' + b"[" * 100_000 + b"]" * 100_000 + b"}}", "nested too deeply"),
    ],
)
def test_an_answer_of_another_kind_is_a_fault_and_never_no_records(answer: bytes, found: str) -> None:
    with pytest.raises(VendorFault, match=found):
        PAGE.open(answer)


def test_a_fault_does_not_show_the_answer() -> None:
    with pytest.raises(VendorFault) as caught:
        PAGE.open(b'{"data":{"items":[],"meta":{"total":{"ssn":"078-05-1120"}}}}')
    assert "078" not in str(caught.value)


def test_an_empty_list_on_the_way_holds_no_records() -> None:
    """A parent that is gone meanwhile; anything else that is missing is a fault."""
    nested = Envelope(("parents", 0, "children"), more=("parents", 0, "more"))
    assert nested.open(b'{"parents":[]}').records == b"[]"
    assert nested.open(b'{"parents":[{"children":[1],"more":true}]}').flag("more") is True
    for answer in (b'{"parents":null}', b"{}", b'{"parents":[{}]}', b'{"parents":[null]}'):
        with pytest.raises(VendorFault):
            nested.open(answer)


@pytest.mark.parametrize(("text", "count"), [(b"7", 7), (b'"7"', 7), (b"null", None), (b"0", 0)])
def test_a_total_may_be_written_as_text(text: bytes, count: int | None) -> None:
    assert PAGE.open(b'{"data":{"items":[],"meta":{"total":' + text + b"}}}").count("total") == count


@pytest.mark.parametrize("text", [b"-1", b"1.5", b"true", b'"many"', b'""'])
def test_a_total_that_is_no_count_is_a_fault(text: bytes) -> None:
    with pytest.raises(VendorFault, match="'total'"):
        PAGE.open(b'{"data":{"items":[],"meta":{"total":' + text + b"}}}").count("total")


@pytest.mark.parametrize(
    ("text", "flag"), [(b"true", True), (b'"false"', False), (b'"true"', True), (b"null", None)]
)
def test_a_truth_value_may_be_written_as_text(text: bytes, flag: bool | None) -> None:
    """As text, "false" would count as true."""
    assert PAGE.open(b'{"data":{"items":[]},"next":' + text + b"}").flag("next") is flag


@pytest.mark.parametrize("text", [b"0", b'"no"', b'""'])
def test_a_truth_value_that_is_none_is_a_fault(text: bytes) -> None:
    with pytest.raises(VendorFault, match="'next'"):
        PAGE.open(b'{"data":{"items":[]},"next":' + text + b"}").flag("next")


def test_a_cursor_may_be_a_number() -> None:
    assert PAGE.open(b'{"data":{"items":[]},"next":42}').text("next") == "42"


@pytest.mark.parametrize(
    ("text", "empty"), [(b"[]", True), (b" [ \n ]", True), (b"[0]", False), (b"[[]]", False)]
)
def test_an_empty_array_is_known_without_reading_it(text: bytes, empty: bool) -> None:
    assert is_empty(text) is empty
