"""Files as a source: what is found, what is read, and what is refused."""

import gc
import gzip
import io
import json
import os
import resource
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from pydantic import SecretStr, ValidationError

from propexo_connect.connectors.base import ColumnPage, JsonPage, Page, ReadContext
from propexo_connect.connectors.files import FilesConfig, FilesSource, FileStream, connector
from propexo_connect.connectors.files_listing import LocalFolder, pattern_regex
from propexo_connect.model.clock import SystemClock
from propexo_connect.model.errors import (
    ConfigurationError,
    ConnectError,
    FileMismatch,
    Stalled,
    SuspiciousEmpty,
    UnknownName,
    VendorFault,
)
from propexo_connect.model.stream import REQUEST_RETRY, Meaning
from propexo_connect.model.tile import WHOLE, Request

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
Record = Mapping[str, Any]


def gzipped(content: bytes) -> bytes:
    """Compressed without the time of day, so that a test has the same name in every process."""
    return gzip.compress(content, mtime=0)


def context(step_bytes: int = 32 * 1024 * 1024) -> ReadContext:
    return ReadContext(SystemClock(), REQUEST_RETRY, log=lambda _: None, step_bytes=step_bytes)


def config(root: Path | str, stream: Mapping[str, Any] | None = None, **settings: Any) -> FilesConfig:
    given = {"path": "*.csv", "key": ["id"], **(stream or {})}
    return FilesConfig.model_validate({"root": str(root), "streams": {"leases": given}, **settings})


def pages_of(
    given: FilesConfig,
    request: Request = WHOLE,
    fields: frozenset[str] | None = None,
    position: str | None = None,
    ctx: ReadContext | None = None,
) -> list[Page]:
    with connector.open(given, SystemClock()) as source:
        stream = source.prepare(connector.streams(given)[0])
        return list(source.read(stream, request, fields, position, ctx or context()))


def records_in(page: Page) -> list[dict[str, Any]]:
    return json.loads(page.records) if isinstance(page, JsonPage) else page.records.to_pylist()


def own(record: Record) -> dict[str, Any]:
    """A record without the fields that the source adds."""
    return {name: value for name, value in record.items() if not name.startswith("_file")}


def read(given: FilesConfig, **how: Any) -> list[dict[str, Any]]:
    return [own(record) for page in pages_of(given, **how) for record in records_in(page)]


def put(root: Path, name: str, content: bytes | str, at: datetime = NOON) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    os.utime(path, (at.timestamp(), at.timestamp()))
    return path


def put_parquet(root: Path, name: str, table: pa.Table, at: datetime = NOON, **how: Any) -> Path:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, **how)
    return put(root, name, buffer.getvalue(), at)


def refusal(given: FilesConfig) -> str:
    with pytest.raises(FileMismatch) as caught:
        read(given)
    return str(caught.value)


# -- streams and configuration ---------------------------------------------------------------------------


def test_streams_are_known_without_touching_the_root() -> None:
    (stream,) = connector.streams(config("/nowhere/at/all"))
    assert (stream.name, stream.key, stream.cursor) == ("leases", ("id",), "_file_modified")
    assert stream.filter is not None
    assert (stream.filter.field, stream.filter.meaning) == ("_file_modified", Meaning.UPDATED)
    assert stream.filter.resolution == timedelta(seconds=1)


def test_a_stream_that_is_not_configured_does_not_exist() -> None:
    assert connector.stream(config("/nowhere"), "units") is None


@pytest.mark.parametrize(
    "path",
    [
        "../*.csv",
        "a/../../*.csv",
        "/etc/*.csv",
        "~/x.csv",
        "C:/x.csv",
        "s3://b/x.csv",
        "a\\b.csv",
        " ",
        "a**/x.csv",
    ],
)
def test_a_pattern_that_could_leave_the_root_is_refused_at_load(path: str) -> None:
    with pytest.raises(ValidationError, match="cannot be used"):
        FileStream(path=path)


def test_a_pattern_whose_ending_tells_no_format_needs_one() -> None:
    with pytest.raises(ValidationError, match="set format"):
        FileStream(path="exports/*")


def test_an_unknown_encoding_is_refused_at_load() -> None:
    with pytest.raises(ValidationError, match="no encoding of text"):
        FileStream(path="*.csv", encoding="utf-9")


def test_credentials_in_the_root_are_refused_without_being_repeated() -> None:
    with pytest.raises(ConfigurationError) as caught:
        pages_of(config("sftp://ann:canary-secret@host/exports"))
    assert "canary-secret" not in str(caught.value)


def test_storage_options_never_show_their_values() -> None:
    given = config("/srv", storage_options={"secret": "canary-secret"})
    assert "canary-secret" not in repr(given)
    assert given.storage_options["secret"] == SecretStr("canary-secret")


def test_a_protocol_that_is_not_installed_is_named() -> None:
    with pytest.raises(ConfigurationError, match="nosuch"):
        pages_of(config("nosuch://bucket/x"))


def test_a_root_that_is_not_there_is_an_unknown_name(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="not there"):
        read(config(tmp_path / "missing"))


# -- finding ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("*.csv", "a.csv", True),
        ("*.csv", "sub/a.csv", False),
        ("*.csv", ".hidden.csv", False),
        (".*.csv", ".hidden.csv", True),
        ("**/*.csv", "a.csv", True),
        ("**/*.csv", "x/y/a.csv", True),
        ("**/*.csv", "x/.git/a.csv", False),
        ("x/**", "x/y/a.csv", True),
        ("a?.csv", "a1.csv", True),
        ("a?.csv", "a/.csv", False),
        ("a[0-9].csv", "a7.csv", True),
        ("a[!0-9].csv", "a7.csv", False),
        ("a.csv", "abcsv", False),
        ("a+(b).csv", "a+(b).csv", True),
    ],
)
def test_patterns_match_whole_paths(pattern: str, path: str, fits: bool) -> None:
    assert (pattern_regex(pattern).fullmatch(path) is not None) is fits


def test_files_come_in_the_order_of_their_change_then_of_their_names(tmp_path: Path) -> None:
    put(tmp_path, "b.csv", "id\n2\n", NOON)
    put(tmp_path, "a.csv", "id\n1\n", NOON)
    put(tmp_path, "z.csv", "id\n0\n", NOON - timedelta(hours=1))
    assert [record["id"] for record in read(config(tmp_path))] == ["0", "1", "2"]


def test_no_file_at_all_is_no_record(tmp_path: Path) -> None:
    assert read(config(tmp_path)) == []


def test_a_folder_of_the_pattern_that_is_not_there_yet_is_no_record(tmp_path: Path) -> None:
    assert read(config(tmp_path, {"path": "later/*.csv"})) == []


def test_no_file_at_all_is_an_error_where_files_are_required(tmp_path: Path) -> None:
    with pytest.raises(SuspiciousEmpty, match="leases"):
        read(config(tmp_path, {"require_files": True}))


def test_a_link_out_of_the_root_is_refused(tmp_path: Path) -> None:
    put(tmp_path, "outside/secret.csv", "id\n1\n")
    (tmp_path / "root").mkdir()
    (tmp_path / "root/a.csv").symlink_to(tmp_path / "outside/secret.csv")
    assert "leads out of the root" in refusal(config(tmp_path / "root"))


def test_a_folder_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    put(tmp_path, "outside/secret.csv", "id\n1\n")
    (tmp_path / "root").mkdir()
    (tmp_path / "root/sub").symlink_to(tmp_path / "outside")
    assert read(config(tmp_path / "root", {"path": "**/*.csv"})) == []


def test_a_fixed_folder_of_the_pattern_that_links_out_of_the_root_is_refused(tmp_path: Path) -> None:
    put(tmp_path, "outside/secret.csv", "id\n1\n")
    (tmp_path / "root").mkdir()
    (tmp_path / "root/sub").symlink_to(tmp_path / "outside")
    assert "leads out of the root" in refusal(config(tmp_path / "root", {"path": "sub/*.csv"}))


def test_a_link_within_the_root_is_read(tmp_path: Path) -> None:
    target = put(tmp_path, "store/real.csv", "id\n1\n")
    (tmp_path / "a.csv").symlink_to(target)
    assert read(config(tmp_path)) == [{"id": "1"}]


def test_a_pipe_is_refused_and_does_not_hold_the_sync(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.csv")
    assert "device" in refusal(config(tmp_path))


def test_a_pipe_that_takes_the_place_of_a_file_is_refused(tmp_path: Path) -> None:
    path = put(tmp_path, "a.csv", "id\n1\n")
    folder = LocalFolder(tmp_path)
    (file,) = folder.find("*.csv", 10)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(FileMismatch, match="device"):
        folder.open(file)


def test_a_device_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").symlink_to("/dev/zero")
    assert "leads out of the root" in refusal(config(tmp_path))


def test_more_files_than_allowed_are_refused(tmp_path: Path) -> None:
    for number in range(4):
        put(tmp_path, f"{number}.csv", "id\n1\n")
    assert "more than 3 files" in refusal(config(tmp_path, max_files=3))


# -- windows, order, resuming ----------------------------------------------------------------------------


def test_a_window_takes_files_by_their_change_both_bounds_included(tmp_path: Path) -> None:
    for hour in range(5):
        put(tmp_path, f"{hour}.csv", f"id\n{hour}\n", NOON + timedelta(hours=hour))
    request = Request(NOON + timedelta(hours=1), NOON + timedelta(hours=3))
    assert [record["id"] for record in read(config(tmp_path), request=request)] == ["1", "2", "3"]


def test_records_carry_their_file_and_its_time(tmp_path: Path) -> None:
    put(tmp_path, "sub/a.csv", "id\n1\n")
    (page,) = pages_of(config(tmp_path, {"path": "**/*.csv"}))
    (record,) = records_in(page)
    assert (record["_file"], record["_file_modified"]) == ("sub/a.csv", "2026-03-01T12:00:00+00:00")


def test_a_read_goes_on_behind_the_last_whole_file(tmp_path: Path) -> None:
    for number in range(3):
        put(tmp_path, f"{number}.csv", f"id\n{number}\n", NOON + timedelta(minutes=number))
    pages = pages_of(config(tmp_path))
    rest = read(config(tmp_path), position=pages[0].position)
    assert [record["id"] for record in rest] == ["1", "2"]
    assert read(config(tmp_path), position=pages[-1].position) == []


def test_a_page_within_a_file_leads_back_to_the_start_of_that_file(tmp_path: Path) -> None:
    put(tmp_path, "a.csv", "id\n0\n", NOON)
    put(tmp_path, "b.csv", "id,text\n" + f"1,{'x' * 1000}\n" * 300, NOON + timedelta(minutes=1))
    pages = pages_of(config(tmp_path), ctx=context(step_bytes=256 * 1024))
    assert len(pages) > 2
    rest = read(config(tmp_path), position=pages[1].position)
    assert len(rest) == 300


def test_a_file_that_changes_while_it_is_read_is_to_be_read_again(tmp_path: Path) -> None:
    path = put(tmp_path, "a.csv", "id,text\n" + f"1,{'x' * 1000}\n" * 300)
    given = config(tmp_path)
    with connector.open(given, SystemClock()) as source:
        pages = source.read(connector.streams(given)[0], WHOLE, None, None, context(256 * 1024))
        next(pages)
        os.utime(path, (NOON.timestamp() + 1, NOON.timestamp() + 1))
        with pytest.raises(VendorFault, match="changed while it was read"):
            list(pages)


def test_a_file_that_vanishes_before_it_is_opened_is_to_be_read_again(tmp_path: Path) -> None:
    path = put(tmp_path, "a.csv", "id\n1\n")
    folder = LocalFolder(tmp_path)
    (file,) = folder.find("*.csv", 10)
    path.unlink()
    with pytest.raises(VendorFault, match="changed"):
        folder.open(file)


def test_a_cancelled_sync_stops_with_an_error_and_not_with_an_end(tmp_path: Path) -> None:
    put(tmp_path, "a.csv", "id\n1\n")
    ctx = context()
    ctx.stop.set()
    with pytest.raises(Stalled):
        pages_of(config(tmp_path), ctx=ctx)


# -- CSV -------------------------------------------------------------------------------------------------


def test_cells_are_text_exactly_as_written(tmp_path: Path) -> None:
    text = 'id,a,b\n01234,NA," s "\nnull,1e5,"say ""hi"",\nthen go"\nNaN,true,é😀\n'
    put(tmp_path, "a.csv", text)
    assert read(config(tmp_path)) == [
        {"id": "01234", "a": "NA", "b": " s "},
        {"id": "null", "a": "1e5", "b": 'say "hi",\nthen go'},
        {"id": "NaN", "a": "true", "b": "é😀"},
    ]


def test_an_empty_cell_is_absent_and_a_quoted_one_is_empty_text(tmp_path: Path) -> None:
    put(tmp_path, "a.csv", 'id,a,b\n1,,""\n')
    assert read(config(tmp_path)) == [{"id": "1", "a": None, "b": ""}]


def test_pages_of_csv_say_that_they_are_text(tmp_path: Path) -> None:
    put(tmp_path, "a.csv", "id\n1\n")
    (page,) = pages_of(config(tmp_path))
    assert isinstance(page, ColumnPage)
    assert page.is_text
    assert {field.type for field in page.records.schema} == {pa.string()}


@pytest.mark.parametrize("content", ["", "id,a\n", "id,a", "\n\n", "\ufeffid,a\r\n", "\ufeff"])
def test_an_empty_file_or_a_lone_header_is_no_record(tmp_path: Path, content: str) -> None:
    put(tmp_path, "a.csv", content)
    assert read(config(tmp_path)) == []


@pytest.mark.parametrize(
    ("encoding", "content"),
    [
        ("utf-8", b"\xef\xbb\xbfid,a\n1,\xc3\xa9\n"),
        ("utf-8-sig", b"id,a\n1,\xc3\xa9\n"),
        ("latin-1", b"id,a\n1,\xe9\n"),
        ("windows-1252", b"id,a\r\n1,\xe9\r\n"),
        ("utf-16", "id,a\n1,é\n".encode("utf-16")),
        ("utf-16-le", "id,a\n1,é\n".encode("utf-16-le")),
    ],
)
def test_encodings_and_byte_order_marks_are_taken_off(tmp_path: Path, encoding: str, content: bytes) -> None:
    put(tmp_path, "a.csv", content)
    assert read(config(tmp_path, {"encoding": encoding})) == [{"id": "1", "a": "é"}]


@pytest.mark.parametrize("where", ["header", "record"])
def test_bytes_that_are_not_in_the_encoding_are_a_mismatch(tmp_path: Path, where: str) -> None:
    put(tmp_path, "a.csv", b"id,\xe9\n1,a\n" if where == "header" else b"id,a\n1,\xe9\n")
    message = refusal(config(tmp_path))
    assert "file 'a.csv'" in message
    assert "encoding" in message


def test_text_in_utf_16_under_another_encoding_is_named(tmp_path: Path) -> None:
    put(tmp_path, "a.csv", "id\n1\n".encode("utf-16"))
    assert "UTF-16" in refusal(config(tmp_path))


def test_a_name_that_stands_twice_in_the_header_is_a_mismatch(tmp_path: Path) -> None:
    put(tmp_path, "a.csv", "id,rent,rent\n1,2,3\n")
    assert "'rent' twice" in refusal(config(tmp_path))


def test_a_blank_name_in_the_header_is_a_mismatch(tmp_path: Path) -> None:
    put(tmp_path, "a.csv", "id,,rent\n1,2,3\n")
    assert "column 2" in refusal(config(tmp_path))


@pytest.mark.parametrize("record", ["3", "3,4,5"])
def test_a_ragged_record_is_a_mismatch_that_names_its_line(tmp_path: Path, record: str) -> None:
    put(tmp_path, "a.csv", f'id,a\n1,"x\ny"\n\n{record}\n5,6\n')
    assert "file 'a.csv', line 5" in refusal(config(tmp_path))


@pytest.mark.parametrize("rest", ['"4\n5,6\n', '"', '"4', '"x""', '"x""\r\n', '"' + "4\n" * 4000])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_quote_that_is_never_closed_is_a_mismatch(tmp_path: Path, rest: str, encoding: str) -> None:
    put(tmp_path, "a.csv", f"id,a\n1,2\n3,{rest}".encode(encoding))
    assert "still open at the end" in refusal(config(tmp_path, {"encoding": encoding}))


@pytest.mark.parametrize(
    "cell",
    ['"4\n5,6"', '""', '"x"""', '"x""\n"', '",""4"', '"\n"', '"' + "4\n" * 4000 + '"', 'a"', '5" pipe'],
)
@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\n\n"])
def test_a_quote_that_is_closed_at_the_end_is_none(tmp_path: Path, cell: str, end: str) -> None:
    put(tmp_path, "a.csv", f"id,a\n1,2\n3,{cell}{end}")
    assert len(read(config(tmp_path))) == 2


def test_a_record_larger_than_a_page_is_read_once_with_its_neighbours(tmp_path: Path) -> None:
    large = "x" * 3_000_000
    put(tmp_path, "a.csv", "id,a\n" + "1,s\n" * 50_000 + f'2,"{large}"\n' + "3,s\n" * 50_000)
    found = read(config(tmp_path), ctx=context(step_bytes=512 * 1024))
    assert [record["id"] for record in found] == ["1"] * 50_000 + ["2"] + ["3"] * 50_000
    assert found[50_000]["a"] == large


def test_a_record_larger_than_the_cap_is_a_mismatch(tmp_path: Path) -> None:
    put(tmp_path, "a.csv", "id,a\n1," + "x" * 300_000 + "\n")
    assert "100000 bytes" in refusal(config(tmp_path, max_record="100kB"))


def held_by_arrow() -> int:
    """How many streams Arrow's threads still hold."""
    return sum(type(thing).__name__ == "_Door" for thing in gc.get_objects())


def test_nobody_holds_a_file_after_a_whole_read(tmp_path: Path) -> None:
    put(tmp_path, "a.csv.gz", gzipped(b"id\n" + b"1\n" * 2_000_000))
    assert len(read(config(tmp_path, {"path": "*.csv.gz"}))) == 2_000_000
    assert held_by_arrow() == 0


def test_nobody_holds_a_file_after_a_read_that_failed(tmp_path: Path) -> None:
    put(tmp_path, "a.csv", "id\n" + "1\n" * 1_000_000 + "1,2\n" + "1\n" * 1_000_000)
    assert "line 1000002" in refusal(config(tmp_path))
    assert held_by_arrow() == 0


def test_nobody_holds_a_file_after_a_read_that_was_given_up(tmp_path: Path) -> None:
    put(tmp_path, "a.csv", "id\n" + "1\n" * 2_000_000)
    given = config(tmp_path)
    with connector.open(given, SystemClock()) as source:
        pages = source.read(connector.streams(given)[0], WHOLE, None, None, context(step_bytes=512 * 1024))
        next(pages)
        assert held_by_arrow() == 1
        del pages
    assert held_by_arrow() == 0


def test_delimiter_and_quote_are_settings(tmp_path: Path) -> None:
    put(tmp_path, "a.csv", "id;a\n1;'x;y'\n")
    assert read(config(tmp_path, {"delimiter": ";", "quote": "'"})) == [{"id": "1", "a": "x;y"}]


def test_tsv_is_separated_by_tabs(tmp_path: Path) -> None:
    put(tmp_path, "a.tsv", "id\ta\n1\tx,y\n")
    assert read(config(tmp_path, {"path": "*.tsv"})) == [{"id": "1", "a": "x,y"}]


def test_a_column_of_our_own_name_is_a_mismatch(tmp_path: Path) -> None:
    put(tmp_path, "a.csv", "id,_file\n1,x\n")
    assert "'_file'" in refusal(config(tmp_path))


def test_only_the_chosen_fields_are_read(tmp_path: Path) -> None:
    put(tmp_path, "a.csv", "id,a,b\n1,2,3\n")
    assert read(config(tmp_path), fields=frozenset({"id", "b"})) == [{"id": "1", "b": "3"}]


def test_files_with_other_columns_each_bring_their_own(tmp_path: Path) -> None:
    put(tmp_path, "a.csv", "id,a\n1,2\n", NOON)
    put(tmp_path, "b.csv", "b,id\n3,2\n", NOON + timedelta(minutes=1))
    assert read(config(tmp_path)) == [{"id": "1", "a": "2"}, {"b": "3", "id": "2"}]


# -- JSON Lines ------------------------------------------------------------------------------------------


def jsonl(root: Path, **settings: Any) -> FilesConfig:
    return config(root, {"path": "*.jsonl"}, **settings)


def test_lines_come_as_one_array_with_their_file(tmp_path: Path) -> None:
    put(tmp_path, "a.jsonl", '\ufeff{"id": 1, "n": {"a": [1, 2]}}\r\n\n  {}\n{"id":2}')
    (page,) = pages_of(jsonl(tmp_path))
    assert records_in(page) == [
        {"_file": "a.jsonl", "_file_modified": "2026-03-01T12:00:00+00:00", **rest}
        for rest in cast(list[dict[str, Any]], [{"id": 1, "n": {"a": [1, 2]}}, {}, {"id": 2}])
    ]


def test_numbers_are_handed_on_digit_for_digit(tmp_path: Path) -> None:
    put(tmp_path, "a.jsonl", '{"id":50000.0000000000000001}\n{"id":1e400}\n')
    (page,) = pages_of(jsonl(tmp_path))
    assert isinstance(page, JsonPage)
    assert b"50000.0000000000000001" in page.records
    assert b"1e400" in page.records


def test_half_surrogates_and_nan_are_left_to_later_stages(tmp_path: Path) -> None:
    put(tmp_path, "a.jsonl", '{"id":"\\ud800"}\n{"id":NaN}\n')
    (page,) = pages_of(jsonl(tmp_path))
    assert isinstance(page, JsonPage)
    assert b'"\\ud800"' in page.records


@pytest.mark.parametrize(
    "line",
    [
        '{"id": }',
        "not json",
        "[1]",
        '"text"',
        '{"id":1},{"id":2}',
        '{"id":1} {"id":2}',
        '{"id":1',
        "}",
        "{'id':1}",
    ],
)
def test_a_line_that_is_no_object_is_named_by_its_number(tmp_path: Path, line: str) -> None:
    put(tmp_path, "a.jsonl", '{"id":1}\n\n{"id":2}\n' + line + '\n{"id":3}\n')
    assert "file 'a.jsonl', line 4" in refusal(jsonl(tmp_path))


def test_line_numbers_go_on_from_page_to_page(tmp_path: Path) -> None:
    put(tmp_path, "a.jsonl", '{"id":"' + "x" * 100 + '"}\n')
    with (tmp_path / "a.jsonl").open("a") as file:
        file.writelines('{"id":"' + "x" * 100 + '"}\n' for _ in range(5_000))
        file.write("broken\n")
    with pytest.raises(FileMismatch, match="line 5002"):
        read(jsonl(tmp_path), ctx=context(step_bytes=256 * 1024))


def test_a_broken_line_after_whole_lines_never_makes_a_broken_page(tmp_path: Path) -> None:
    put(tmp_path, "a.jsonl", '{"a":1}]\n[{"b":2}\n')
    assert "line 1" in refusal(jsonl(tmp_path))


def test_endless_nesting_is_a_mismatch(tmp_path: Path) -> None:
    put(tmp_path, "a.jsonl", '{"id":' + "[" * 100_000 + "]" * 100_000 + "}\n")
    assert "nesting" in refusal(jsonl(tmp_path))


def test_a_line_larger_than_the_cap_is_a_mismatch(tmp_path: Path) -> None:
    put(tmp_path, "a.jsonl", '{"id":"' + "x" * 2_000_000 + '"}\n')
    assert "1000000 bytes" in refusal(jsonl(tmp_path, max_record="1MB"))


def test_an_object_with_a_field_of_our_own_name_is_a_mismatch(tmp_path: Path) -> None:
    put(tmp_path, "a.jsonl", '{"id":1,"x":{"_file":1}}\n')
    assert read(jsonl(tmp_path)) == [{"id": 1, "x": {"_file": 1}}]
    put(tmp_path, "a.jsonl", '{"id":1,"_file":1}\n')
    assert "_file" in refusal(jsonl(tmp_path))


def test_json_lines_in_another_encoding_become_utf_8(tmp_path: Path) -> None:
    put(tmp_path, "a.jsonl", b'{"id":"\xe9"}\n')
    assert "encoding" in refusal(jsonl(tmp_path))
    assert read(config(tmp_path, {"path": "*.jsonl", "encoding": "latin-1"})) == [{"id": "é"}]


# -- Parquet ---------------------------------------------------------------------------------------------


def parquet(root: Path, **settings: Any) -> FilesConfig:
    return config(root, {"path": "*.parquet"}, **settings)


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    table = pa.table(
        {"id": pa.array([1, None], pa.int32()), "rent": pa.array(["1.10", "2.20"]).cast(pa.decimal128(9, 2))}
    )
    put_parquet(tmp_path, "a.parquet", table)
    (page,) = pages_of(parquet(tmp_path))
    assert isinstance(page, ColumnPage)
    assert not page.is_text
    assert page.records.schema.field("rent").type == pa.decimal128(9, 2)
    assert page.records.schema.field("_file_modified").type == pa.timestamp("us", "UTC")
    assert [record["id"] for record in records_in(page)] == [1, None]


def test_parquet_comes_in_pages_of_a_quarter_of_a_step(tmp_path: Path) -> None:
    put_parquet(tmp_path, "a.parquet", pa.table({"id": range(200_000)}))
    pages = pages_of(parquet(tmp_path), ctx=context(step_bytes=1024 * 1024))
    assert sum(len(records_in(page)) for page in pages) == 200_000
    # the column itself; path and time are added to each record
    assert max(cast(ColumnPage, page).records.column("id").nbytes for page in pages) <= 512 * 1024


def test_an_empty_parquet_table_is_no_record(tmp_path: Path) -> None:
    put_parquet(tmp_path, "a.parquet", pa.table({"id": pa.array([], pa.int64())}))
    put(tmp_path, "b.parquet", b"")
    assert read(parquet(tmp_path)) == []


def test_a_parquet_file_with_a_name_twice_is_a_mismatch(tmp_path: Path) -> None:
    put_parquet(
        tmp_path, "a.parquet", pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["id", "id"])
    )
    assert "twice" in refusal(parquet(tmp_path))


def test_only_the_chosen_columns_of_parquet_are_read(tmp_path: Path) -> None:
    put_parquet(tmp_path, "a.parquet", pa.table({"id": [1], "a": [2]}))
    assert read(parquet(tmp_path), fields=frozenset({"id"})) == [{"id": 1}]


# -- files that are not what their names say -------------------------------------------------------------

PARQUET = io.BytesIO()
pq.write_table(pa.table({"id": list(range(1000))}), PARQUET)
GZIPPED = gzipped(b"id\n" + b"".join(b"%d\n" % number for number in range(1000)))
ZIPPED = b"PK\x03\x04" + bytes(100)


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("a.csv", GZIPPED, "gzip"),
        ("a.csv", zstandard.compress(b"id\n1\n"), "zstd"),
        ("a.csv", PARQUET.getvalue(), "Parquet"),
        ("a.csv", ZIPPED, "Excel"),
        ("a.csv", b"%PDF-1.7\n", "PDF"),
        ("a.csv", b"\n<!DOCTYPE html><html>", "HTML"),
        ("a.csv", bytes(range(256)) + bytes(100), "binary"),
        ("a.jsonl", GZIPPED, "gzip"),
        ("a.jsonl", PARQUET.getvalue(), "Parquet"),
        ("a.csv.gz", b"id\n1\n", "plain text"),
        ("a.csv.gz", zstandard.compress(b"id\n1\n"), "zstd"),
        ("a.csv.gz", gzipped(PARQUET.getvalue()), "Parquet"),
        ("a.csv.gz", GZIPPED[:-9], "cut off"),
        ("a.csv.gz", GZIPPED[:40], "cut off"),
        ("a.csv.gz", GZIPPED[:30] + b"\xff" + GZIPPED[31:], "corrupt"),
        ("a.csv.gz", GZIPPED + b"trailing", "corrupt"),
        ("a.csv.zst", zstandard.compress(b"id\n" + b"1\n" * 1000)[:-3], "cut off"),
        ("a.csv.zst", b"id\n1\n", "plain text"),
        ("a.jsonl.gz", GZIPPED[:-9], "cut off"),
        ("a.parquet", b"id\n1\n", "text"),
        ("a.parquet", GZIPPED, "gzip"),
        ("a.parquet", PARQUET.getvalue()[:-200], "cut off"),
        ("a.parquet", PARQUET.getvalue()[:50] + PARQUET.getvalue()[-8:], "cut off"),
        ("a.parquet", b"PAR1", "cut off"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_refused(
    tmp_path: Path, name: str, content: bytes, found: str
) -> None:
    put(tmp_path, name, content)
    message = refusal(config(tmp_path, {"path": f"*.{name.partition('.')[2]}"}))
    assert f"file '{name}'" in message
    assert found in message
    assert "Expected:" in message


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv.gz", gzipped(b"id\n1\n") + gzipped(b"2\n")),
        ("a.csv.zst", zstandard.compress(b"id\n1\n") + zstandard.compress(b"2\n")),
        ("a.CSV.GZ", gzipped(b"id\n1\n2\n")),
    ],
)
def test_compressed_files_of_several_members_are_read_whole(
    tmp_path: Path, name: str, content: bytes
) -> None:
    put(tmp_path, name, content)
    assert read(config(tmp_path, {"path": f"*.{name.partition('.')[2]}"})) == [{"id": "1"}, {"id": "2"}]


def test_a_name_without_ending_is_believed_by_its_first_bytes(tmp_path: Path) -> None:
    put(tmp_path, "a", gzipped(b"id\n1\n"), NOON)
    put(tmp_path, "b", b"id\n2\n", NOON + timedelta(minutes=1))
    assert read(config(tmp_path, {"path": "*", "format": "csv"})) == [{"id": "1"}, {"id": "2"}]


def test_the_setting_decides_over_the_name(tmp_path: Path) -> None:
    put(tmp_path, "a.csv", gzipped(b"id\n1\n"))
    assert read(config(tmp_path, {"compression": "gzip"})) == [{"id": "1"}]


def test_an_archive_bomb_is_refused_by_its_ratio_in_flat_memory(tmp_path: Path) -> None:
    line = b"id\n" + b"1\n" * 5_000_000
    packer = zstandard.ZstdCompressor(level=3)
    bomb = packer.compress(line) + packer.compress(b"1\n" * 5_000_000) * 200
    put(tmp_path, "a.csv.zst", bomb)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    given = config(tmp_path, {"path": "*.csv.zst"}, max_ratio=100)
    with pytest.raises(FileMismatch, match="100 times"), connector.open(given, SystemClock()) as source:
        for _ in source.read(connector.streams(given)[0], WHOLE, None, None, context(4 * 1024 * 1024)):
            pass
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.jsonl", "a.parquet"])
def test_a_file_beyond_the_cap_is_refused(tmp_path: Path, name: str) -> None:
    ending = name.partition(".")[2]
    content = {
        "csv": b"id\n" + b"1\n" * 500_000,
        "csv.gz": gzipped(b"id\n" + b"1\n" * 500_000),
        "jsonl": b'{"id":1}\n' * 150_000,
    }
    if ending == "parquet":
        put_parquet(tmp_path, name, pa.table({"id": range(150_000)}))
    else:
        put(tmp_path, name, content[ending])
    message = refusal(config(tmp_path, {"path": f"*.{ending}"}, max_decoded="900kB"))
    assert "more than 900000 bytes" in message


# -- access, other systems -------------------------------------------------------------------------------


def test_check_grants_readable_files_and_none(tmp_path: Path) -> None:
    put(tmp_path, "a.csv", "id\n1\n")
    given = config(tmp_path)
    with connector.open(given, SystemClock()) as source:
        (access,) = source.check(source.discover())
    assert access.is_granted


def test_check_tells_what_is_wrong_with_the_newest_file(tmp_path: Path) -> None:
    put(tmp_path, "a.csv", "id,id\n1,1\n")
    given = config(tmp_path)
    with connector.open(given, SystemClock()) as source:
        (access,) = source.check(source.discover())
    assert access.problem is not None
    assert "'id' twice" in access.problem


def test_files_of_another_system_are_found_and_read() -> None:
    system = fsspec.filesystem("memory")
    system.pipe("/exports-a/leases/1.csv", b"id\n1\n")
    system.pipe("/exports-a/leases/sub/2.csv", b"id\n2\n")
    system.pipe("/exports-ab/leases/3.csv", b"id\n3\n")
    try:
        assert read(config("memory://exports-a", {"path": "leases/*.csv"})) == [{"id": "1"}]
        assert len(read(config("memory://exports-a", {"path": "**/*.csv"}))) == 2
    finally:
        system.rm("/exports-a", recursive=True)
        system.rm("/exports-ab", recursive=True)


class Refusing:
    """A system whose errors quote credentials."""

    def invalidate_cache(self) -> None:
        """Nothing is kept."""

    def find(self, *_: object, **__: object) -> dict[str, Any]:
        raise RuntimeError("403 for key canary-secret")


def test_errors_of_another_system_do_not_pass_on_what_they_say() -> None:
    from propexo_connect.connectors.files_remote import RemoteFolder

    given = config("memory://x")
    source = FilesSource(given, RemoteFolder(Refusing, "/x"), SystemClock())
    with pytest.raises(ConnectError) as caught:
        source.prepare(source.discover()[0])
    assert "canary-secret" not in str(caught.value)
    assert "RuntimeError" in str(caught.value)
