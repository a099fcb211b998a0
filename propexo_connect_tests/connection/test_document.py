"""YAML without surprises."""

from pathlib import Path

import pytest

from propexo_connect.connection.document import LARGEST_FILE, Unreadable, parse_document, read_document
from propexo_connect.connection.problem import Problem


def refused(text: str) -> list[Problem]:
    """The problems of a text that is no document."""
    with pytest.raises(Unreadable) as caught:
        parse_document(text)
    return list(caught.value.problems)


@pytest.mark.parametrize(
    "text", ["01234", "NO", "12:30:45", "1e3", "null", "true", "2024-01-01", "0x10", "~"]
)
def test_a_scalar_stays_the_text_it_is(text: str) -> None:
    assert parse_document(f"value: {text}\n").content == {"value": text}


def test_a_key_with_nothing_after_it_is_nothing_and_quotes_are_an_empty_text() -> None:
    assert parse_document("a:\nb: ''\n").content == {"a": None, "b": ""}


def test_each_key_and_item_knows_its_line_and_column() -> None:
    document = parse_document("a:\n  b:\n    - x\n    - y\n")
    assert document.marks["a", "b"] == (2, 3)
    assert document.marks["a", "b", 1] == (4, 7)


def test_a_problem_stands_at_the_nearest_part_that_exists() -> None:
    problem = parse_document("a:\n  b: 1\n").problem(("a", "c", "d"), "nothing")
    assert (problem.line, problem.path) == (1, "a.c.d")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a: !!python/object:os.system x\n", "the tag !!python/object:os.system"),
        ("a: !secret x\n", "the tag !secret"),
        ("a: &x 1\n", "the anchor &x"),
        ("a: {b: 1}\nc: *a\n", "the alias *a"),
        ("a: 1\na: 2\n", "the key 'a' a second time"),
        ("? [a]\n: 1\n", "a key that is not a plain text"),
        ("a: 1\n---\nb: 1\n", "a second document"),
        ("- a\n- b\n", "a list"),
        ("just text\n", "the text 'just text'"),
        ("", "nothing"),
        ("# a comment\n", "nothing"),
        ("[" * 30 + "]" * 30, "more than 24 levels of nesting"),
    ],
)
def test_what_yaml_allows_and_a_connection_does_not_is_refused(text: str, found: str) -> None:
    assert found in [problem.found for problem in refused(text)]


def test_a_duplicate_key_is_found_where_it_repeats_and_names_the_first() -> None:
    (problem,) = refused("a:\n  b: 1\n  c: 2\n  b: 3\n")
    assert (problem.line, problem.column, problem.remedy) == (4, 3, "See line 2.")


def test_every_refused_part_of_a_file_is_reported() -> None:
    assert [problem.line for problem in refused("a: !x 1\nb: &y 2\nc: *y\n")] == [1, 2, 3]


def test_ten_thousand_open_brackets_are_refused_without_a_crash() -> None:
    assert "levels of nesting" in refused("a: " + "[" * 10_000)[0].found


@pytest.mark.parametrize("text", ["a: [1\nb: 2\n", "a: 'x\n", "a: b: c\n", "\ta: 1\n", "a: @x\n"])
def test_what_is_not_yaml_is_said_with_its_line(text: str) -> None:
    (problem,) = refused(text)
    assert problem.found.startswith("not YAML")
    assert problem.line is not None


def test_a_mistake_beside_a_secret_does_not_repeat_the_line() -> None:
    assert "hunter2" not in str(refused("password: hunter2: x\n")[0])


@pytest.mark.parametrize("sign", ["\x07", "\x00", "\ud800"])
def test_a_character_that_yaml_does_not_allow_is_refused(sign: str) -> None:
    assert "character" in refused(f"a: {sign}\n")[0].found


def test_bytes_that_are_not_utf_8_are_placed(tmp_path: Path) -> None:
    file = tmp_path / "latin.yaml"
    file.write_bytes("name: x\ndescription: Büro\n".encode("latin-1"))
    with pytest.raises(Unreadable) as caught:
        read_document(file)
    problem = caught.value.problems[0]
    assert (problem.line, problem.column, problem.found) == (2, 15, "byte 0xfc is not UTF-8")


def test_a_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    file = tmp_path / "bom.yaml"
    file.write_bytes("\ufeffa: ü\n".encode())
    assert read_document(file).content == {"a": "ü"}


def test_a_file_beyond_the_cap_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "large.yaml"
    file.write_bytes(b"#" * (LARGEST_FILE + 1))
    with pytest.raises(Unreadable, match="1 MiB"):
        read_document(file)


def test_a_file_that_is_not_there_is_a_problem_and_not_a_crash(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="cannot be read"):
        read_document(tmp_path / "missing.yaml")
