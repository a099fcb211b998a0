"""Foreign programs as sources: Airbyte and Singer, spoken with by real processes."""

import json
import os
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from propexo_connect.connectors import airbyte, singer
from propexo_connect.connectors.airbyte import AirbyteConfig
from propexo_connect.connectors.base import Connector, JsonPage, ReadContext, Source
from propexo_connect.connectors.json_schema import fields_of, type_of
from propexo_connect.connectors.program import Program
from propexo_connect.connectors.program_config import ProgramConfig
from propexo_connect.connectors.program_source import by_words
from propexo_connect.connectors.state_pages import StatePages
from propexo_connect.model.clock import SystemClock
from propexo_connect.model.errors import (
    ConfigurationError,
    ConnectError,
    CredentialsRefused,
    DataError,
    PermissionRefused,
    Stalled,
    UnknownName,
    VendorFault,
)
from propexo_connect.model.stream import REQUEST_RETRY, Filter, Mode, Stream, SyncSettings
from propexo_connect.model.tile import WHOLE
from propexo_connect_tests.connectors.synced import ONE_ATTEMPT, Warehouse
from propexo_connect_tests.connectors.tables import context
from propexo_connect_tests.sync.pages import NOON, HandClock

PROGRAMS = Path(__file__).parent / "programs"
SECRET = SecretStr("canary-secret")
BOTH = pytest.mark.parametrize("protocol", ["airbyte", "singer"])
CONNECTORS: Mapping[str, Connector] = {"airbyte": airbyte.connector, "singer": singer.connector}


def config(protocol: str, *, secret: SecretStr = SECRET, max_record: int = 2**27, **settings: Any) -> Any:
    return CONNECTORS[protocol].config(
        command=(sys.executable, str(PROGRAMS / f"{protocol}_rental.py")),
        settings={"count": 35, **settings},
        secrets={"credentials.api_key": secret},
        max_record=max_record,
    )


class Opened:
    """A program's source, and what it said."""

    def __init__(self, protocol: str, **settings: Any) -> None:
        self.connector = CONNECTORS[protocol]
        self.config = config(protocol, **settings)
        self.lines: list[str] = []

    def __enter__(self) -> "Opened":
        self._context = self.connector.open(self.config, SystemClock())
        self.source: Source = self._context.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._context.__exit__(None, None, None)

    def prepared(self, name: str = "units", **given: Any) -> Stream:
        return self.source.prepare(replace(Stream(name), **given))

    def context(self, step_bytes: int = 32 * 1024 * 1024) -> ReadContext:
        return context(self.lines.append, step_bytes)

    def pages(
        self, name: str = "units", position: str | None = None, ctx: ReadContext | None = None
    ) -> list[JsonPage]:
        pages = self.source.read(self.prepared(name), WHOLE, None, position, ctx or self.context())
        return [page for page in pages if isinstance(page, JsonPage)]

    def read(self, name: str = "units", position: str | None = None) -> list[dict[str, Any]]:
        return records_of(self.pages(name, position))


def records_of(pages: Sequence[JsonPage]) -> list[dict[str, Any]]:
    return [record for page in pages for record in json.loads(page.records)]


def failure(protocol: str, *, secret: SecretStr = SECRET, **settings: Any) -> ConnectError:
    with Opened(protocol, secret=secret, **settings) as opened, pytest.raises(ConnectError) as caught:
        opened.read()
    assert "canary" not in f"{caught.value} {caught.value.__cause__!r} {opened.lines}"
    return caught.value


# -- configuration ------------------------------------------------------------------------------------------


def test_what_a_file_holds_as_text_is_handed_over_as_it_is_meant() -> None:
    given = AirbyteConfig(
        command=("x",),
        settings={
            "count": "100", "is_live": "true", "none": "null", "zip": "01234", "price": "1.50", "name": "Elm",
            "text": '"100"', "list": ["1", "a"], "in": {"deep": "2.5"}, "python": 7,
        },
        secrets={"credentials.key": SecretStr("123")},
    )  # fmt: skip
    assert given.program.settings == {
        "count": 100, "is_live": True, "none": None, "zip": "01234", "price": "1.50", "name": "Elm",
        "text": "100", "list": [1, "a"], "in": {"deep": 2.5}, "python": 7, "credentials": {"key": "123"},
    }  # fmt: skip


def test_a_program_of_a_virtual_environment_is_named_without_a_folder() -> None:
    given = AirbyteConfig(command=("source-x", "--fast"), venv="/opt/source-x")
    assert given.program.command == ("/opt/source-x/bin/source-x", "--fast")
    with pytest.raises(ValidationError, match="bare name"):
        AirbyteConfig(command=("bin/source-x",), venv="/opt/source-x")


def test_a_secret_whose_path_leads_through_a_plain_value_is_told() -> None:
    given = AirbyteConfig(command=("x",), settings={"a": "plain"}, secrets={"a.b": SECRET})
    with pytest.raises(ConfigurationError, match="leads through 'a'"):
        assert given.program


def test_configuration_never_shows_its_secrets() -> None:
    given = AirbyteConfig(command=("x",), secrets={"key": SECRET})
    with airbyte.connector.open(given, SystemClock()) as source:
        assert "canary" not in f"{given!r} {given.program!r} {source!r} {vars(source)!r}"


# -- schemas ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ({"type": "string"}, "text"),
        ({"type": ["null", "string"], "format": "date-time"}, "timestamp"),
        ({"type": "string", "format": "date-time", "airbyte_type": "timestamp_without_timezone"}, "datetime"),
        ({"type": "string", "format": "date"}, "date"),
        ({"type": "string", "format": "time", "airbyte_type": "time_without_timezone"}, "time"),
        ({"type": "string", "contentEncoding": "base64"}, "binary"),
        ({"type": "integer"}, "integer"),
        ({"type": "integer", "airbyte_type": "big_integer"}, "decimal(38,0)"),
        ({"type": "number", "airbyte_type": "integer"}, "integer"),
        ({"type": ["null", "number"], "multipleOf": 1e-10}, "decimal(38,10)"),
        ({"type": "boolean"}, "boolean"),
        ({"type": ["array", "null"]}, "json"),
        ({"type": "object"}, "json"),
        ({"anyOf": [{"type": "null"}, {"type": "string", "format": "date"}]}, "date"),
        ({"oneOf": [{"type": "integer"}, {"type": ["null"]}]}, "integer"),
    ],
)
def test_a_schema_declares_a_type(schema: dict[str, Any], kind: str) -> None:
    assert str(type_of(schema)) == kind


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "number"},
        {"type": ["string", "integer"]},
        {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        {"type": "null"},
    ],
)
def test_a_schema_that_leaves_the_type_open_declares_none(schema: dict[str, Any]) -> None:
    assert type_of(schema) is None


def test_a_nested_key_is_a_field_of_its_own() -> None:
    schema = {"properties": {"owner": {"type": "object", "properties": {"id": {"type": "integer"}}}}}
    found = {field.name: str(field.type) for field in fields_of(schema, ("owner.id",))}
    assert found == {"owner": "json", "owner.id": "integer"}


# -- streams ------------------------------------------------------------------------------------------------


@BOTH
def test_the_catalog_becomes_streams_with_keys_cursors_and_types(protocol: str) -> None:
    with Opened(protocol) as opened:
        units, notes = opened.source.discover()
    assert (units.name, units.key, units.cursor, units.carries_on) == ("units", ("id",), "updated", True)
    types = {field.name: str(field.type) for field in units.fields}
    assert types == {
        "id": "integer", "updated": "integer", "rent": "decimal(38,2)", "name": "text",
        "seen_at": "timestamp", "owner": "json",
    }  # fmt: skip
    names = {"airbyte": ("crm.notes", ("owner.id",)), "singer": ("crm-notes", ("id",))}
    assert (notes.name, notes.key) == names[protocol]
    assert (notes.cursor, notes.carries_on, notes.resumable) == (None, False, False)


@BOTH
def test_a_stream_that_is_not_offered_names_its_neighbours(protocol: str) -> None:
    with Opened(protocol) as opened, pytest.raises(UnknownName, match="Did you mean 'units'"):
        opened.prepared("unit")


@BOTH
def test_overrides_of_the_key_stay(protocol: str) -> None:
    with Opened(protocol) as opened:
        assert opened.prepared(key=("name",)).key == ("name",)


@BOTH
def test_a_filter_is_refused_because_the_state_tells_what_is_new(protocol: str) -> None:
    with Opened(protocol) as opened, pytest.raises(ConfigurationError, match="Remove the filter"):
        opened.prepared(filter=Filter("updated"))


@BOTH
def test_check_tells_each_stream_by_itself(protocol: str) -> None:
    with Opened(protocol) as opened:
        units, gone = opened.source.check([Stream("units"), Stream("gone")])
    assert units.is_granted
    assert "offers no stream 'gone'" in (gone.problem or "")


@BOTH
def test_check_tells_wrong_credentials_without_repeating_them(protocol: str) -> None:
    with Opened(protocol, secret=SecretStr("canary-wrong")) as opened:
        (access,) = opened.source.check([Stream("units")])
    assert access.problem is not None
    assert "canary" not in access.problem


# -- reading ------------------------------------------------------------------------------------------------


@BOTH
def test_every_record_is_read_and_the_last_state_is_the_position(protocol: str) -> None:
    with Opened(protocol) as opened:
        (page,) = opened.pages()
        assert [record["updated"] for record in records_of([page])] == list(range(1, 36))
        assert page.position is not None
        assert "30" in page.position
        assert [record["updated"] for record in opened.read(position=page.position)] == [31, 32, 33, 34, 35]


@BOTH
def test_a_page_never_carries_a_state_whose_records_are_not_yet_given(protocol: str) -> None:
    with Opened(protocol, count=4000, state_every=7) as opened:
        pages = opened.pages(ctx=opened.context(step_bytes=256 * 1024))
    assert len(pages) > 5
    given = 0
    for page in pages:
        given += len(json.loads(page.records))
        assert page.position is not None
        state = json.loads(page.position)
        units = state["stream"]["stream_state"] if protocol == "airbyte" else state["bookmarks"]["units"]
        assert units["updated"] <= given
        assert given - units["updated"] <= 7


@BOTH
def test_a_stream_without_state_is_read_whole_and_has_no_position(protocol: str) -> None:
    name = {"airbyte": "crm.notes", "singer": "crm-notes"}[protocol]
    with Opened(protocol) as opened:
        (page,) = opened.pages(name)
    assert (len(records_of([page])), page.position) == (35, None)


@BOTH
def test_a_state_without_records_is_remembered(protocol: str) -> None:
    clock = HandClock()
    pages = StatePages(ReadContext(clock, REQUEST_RETRY, lambda _: None), lambda: NOON, None)
    pages.state(protocol)
    assert [(page.records, page.position) for page in pages.rest()] == [(b"[]", protocol)]
    assert list(pages.rest()) == []


def test_a_page_goes_out_after_a_minute_however_small_it_is() -> None:
    clock = HandClock()
    pages = StatePages(ReadContext(clock, REQUEST_RETRY, lambda _: None), lambda: NOON, "a")
    assert list(pages.record(b"{}")) == []
    assert list(pages.tick()) == []
    clock.sleep(61)
    assert [(page.records, page.position) for page in pages.tick()] == [(b"[{}]", "a")]


@BOTH
def test_a_huge_record_is_a_record(protocol: str) -> None:
    with Opened(protocol, huge_at=5, huge_bytes=20_000_000) as opened:
        names = [record["name"] for record in opened.read()]
    assert (len(names), len(names[4])) == (35, 20_000_000)


@BOTH
def test_a_message_beyond_the_cap_is_refused(protocol: str) -> None:
    given = Opened(protocol, huge_at=5, huge_bytes=5_000_000, max_record=3_000_000)
    with given as opened, pytest.raises(DataError, match="Raise max_record"):
        opened.read()


@BOTH
def test_what_is_no_message_is_logged(protocol: str) -> None:
    with Opened(protocol, fault="noise", fault_after=5) as opened:
        assert len(opened.read()) == 35
    assert [line for line in opened.lines if "library is deprecated" in line]


@BOTH
def test_numbers_that_json_does_not_know_stay_as_they_are(protocol: str) -> None:
    data = '{"id": 99, "rent": NaN, "name": "a: NaN, b", "updated": 12345678901234567890.123}'
    lines = {
        "airbyte": f'{{"type": "RECORD", "record": {{"stream": "units", "data": {data}, "emitted_at": 1}}}}',
        "singer": f'{{"type": "RECORD", "stream": "units", "record": {data}}}',
    }
    with Opened(protocol, fault="not a number", fault_after=5, line=lines[protocol]) as opened:
        (page,) = opened.pages()
    assert data.encode() in page.records


def test_records_of_another_stream_are_left_out() -> None:
    with Opened("airbyte", fault="other stream") as opened:
        assert len(opened.read()) == 35


# -- surroundings -------------------------------------------------------------------------------------------


@BOTH
def test_nothing_secret_is_on_the_command_line_or_in_the_environment(
    protocol: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROPEXO_CANARY", "canary-secret")
    with Opened(protocol, tell_in=str(tmp_path / "told")) as opened:
        opened.read()
    told = json.loads((tmp_path / "told").read_text())
    allowed = {"HOME", "LANG", "LC_CTYPE", "PATH", "PYTHONUNBUFFERED", "TMPDIR"}
    assert {name for name in told["environment"] if not name.lower().endswith("_proxy")} <= allowed | {
        "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE",
    }  # fmt: skip
    assert "canary" not in f"{told['argv']} {opened.lines}"
    assert told["modes"] == ["-rw-------", "drwx------"]


@BOTH
def test_nothing_is_left_of_a_run(protocol: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Opened(protocol) as opened:
        opened.read()
    failure(protocol, fault="exit", fault_after=5, last_words="no luck")
    assert list(tmp_path.iterdir()) == []


def test_a_variable_is_passed_on_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROPEXO_REGION", "eu")
    program = Program((sys.executable, "-c", "import os; print(os.environ)"), {}, (), ("PROPEXO_REGION",))
    with program.running((), {}, lambda _: None) as run:
        text = b"".join(line for lines in run.lines() for line in lines)
    assert b"PROPEXO_REGION" in text


# -- errors -------------------------------------------------------------------------------------------------


def test_a_program_that_is_not_there_is_a_matter_of_configuration() -> None:
    given = ProgramConfig(command=("/nowhere/source",))
    with pytest.raises(ConfigurationError, match="cannot be started"), given.program.running((), {}, print):
        pass


@BOTH
def test_an_exit_code_fails_the_read_with_its_last_words(protocol: str) -> None:
    found = failure(protocol, fault="exit", fault_after=5, last_words="upstream is down, key canary-secret")
    assert isinstance(found, VendorFault)
    assert "code 3" in str(found)
    assert "upstream is down" in str(found)


@BOTH
@pytest.mark.parametrize(
    ("last_words", "kind"),
    [("401 Client Error", CredentialsRefused), ("403 Forbidden", PermissionRefused), ("oops", VendorFault)],
)
def test_last_words_tell_credentials_and_rights(
    protocol: str, last_words: str, kind: type[ConnectError]
) -> None:
    assert type(failure(protocol, fault="exit", fault_after=5, last_words=last_words)) is kind


@BOTH
def test_a_program_that_was_killed_is_tried_again(protocol: str) -> None:
    found = failure(protocol, fault="killed", fault_after=5)
    assert isinstance(found, VendorFault)
    assert "signal 9" in str(found)


@BOTH
def test_a_line_that_begins_like_a_message_and_is_none_fails_the_read(protocol: str) -> None:
    found = failure(protocol, fault="malformed", fault_after=5)
    assert isinstance(found, VendorFault)
    assert "cannot be read" in str(found)


@pytest.mark.parametrize(
    ("fault", "last_words", "kind"),
    [
        ("config_error", "the account 'x' does not exist", ConfigurationError),
        ("config_error", "Invalid API key canary-secret", CredentialsRefused),
        ("transient_error", "rate limited", VendorFault),
        ("system_error", "KeyError", VendorFault),
    ],
)
def test_trace_messages_tell_who_has_to_act(fault: str, last_words: str, kind: type[ConnectError]) -> None:
    assert type(failure("airbyte", fault=fault, fault_after=5, last_words=last_words)) is kind


def test_a_status_that_never_became_complete_fails_the_read() -> None:
    assert "INCOMPLETE" in str(failure("airbyte", fault="incomplete"))
    assert "STARTED" in str(failure("airbyte", fault="no status"))


def test_batches_in_files_are_refused() -> None:
    assert isinstance(failure("singer", fault="batch", fault_after=5), ConfigurationError)


def test_a_catalog_that_cannot_be_read_is_told() -> None:
    for connector in (airbyte.connector, singer.connector):
        given = connector.config(command=(sys.executable, "-c", "print('hello')"))
        with connector.open(given, SystemClock()) as source, pytest.raises(VendorFault):
            source.discover()


def test_words_that_tell_nothing_stay_unclassified() -> None:
    assert by_words("out of luck after 4010 records, 14039 ms", "found", "where") is None


@BOTH
def test_a_cancelled_sync_kills_the_program_and_its_children(protocol: str, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    with Opened(protocol, fault="hang", fault_after=5, pids=str(pids)) as opened:
        prepared, ctx = opened.prepared(), opened.context()

        def stop_when_it_hangs() -> None:
            while not pids.exists() or not pids.read_text():
                time.sleep(0.01)
            ctx.stop.set()

        threading.Thread(target=stop_when_it_hangs, daemon=True).start()
        with pytest.raises(Stalled):
            list(opened.source.read(prepared, WHOLE, None, None, ctx))
    for pid in pids.read_text().split():
        assert not _is_running(int(pid))


def _is_running(pid: int) -> bool:
    """Whether a process is there and is no zombie that nobody has collected yet."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


# -- whole syncs --------------------------------------------------------------------------------------------


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path, SyncSettings(stream_retry=ONE_ATTEMPT, step_bytes=16 * 1024))


@BOTH
def test_each_sync_goes_on_where_the_last_one_ended(protocol: str, warehouse: Warehouse) -> None:
    reads: list[int] = []
    for count in (40, 40, 55):
        with Opened(protocol, count=count) as opened:
            result = warehouse.sync(opened.source, opened.prepared())["units"]
        assert result.error is None
        reads.append(result.counts.read)
    assert reads == [40, 0, 15]
    assert warehouse.rows("SELECT count(*), max(updated), min(rent) FROM units")[0][:2] == (55, 55)
    readings = warehouse.rows("SELECT reading FROM _propexo.windows WHERE is_complete ORDER BY number")
    assert readings == [("full",), ("recurring",), ("recurring",)]


@BOTH
def test_a_read_that_failed_goes_on_behind_the_last_state_that_was_stored(
    protocol: str, warehouse: Warehouse
) -> None:
    with Opened(protocol, count=1000, fault="exit", fault_after=900, last_words="down") as opened:
        result = warehouse.sync(opened.source, opened.prepared())["units"]
    assert isinstance(result.error, VendorFault)
    stored = warehouse.rows("SELECT count(*) FROM units")[0][0]
    assert 0 < stored < 900
    with Opened(protocol, count=1000) as opened:
        result = warehouse.sync(opened.source, opened.prepared())["units"]
    assert result.error is None
    assert result.counts.read < 1000 - stored + 20
    assert warehouse.rows("SELECT count(DISTINCT id), count(*) FROM units") == [(1000, 1000)]


@BOTH
def test_a_table_that_is_swapped_is_read_whole_each_time(protocol: str, warehouse: Warehouse) -> None:
    for count in (40, 45):
        with Opened(protocol, count=count) as opened:
            result = warehouse.sync(opened.source, opened.prepared(), mode=Mode.OVERWRITE)["units"]
        assert result.error is None
    assert warehouse.rows("SELECT count(*) FROM units") == [(45,)]


@BOTH
def test_a_field_that_appears_is_taken_in(protocol: str, warehouse: Warehouse) -> None:
    for count in (15, 30):
        with Opened(protocol, count=count, new_field_from=20) as opened:
            result = warehouse.sync(opened.source, opened.prepared())["units"]
    assert [change.field for change in result.changes] == ["floor"]
    assert warehouse.rows("SELECT count(floor) FROM units") == [(11,)]


@BOTH
def test_the_newest_version_of_a_record_wins(protocol: str, warehouse: Warehouse) -> None:
    with Opened(protocol, count=95, distinct=10) as opened:
        warehouse.sync(opened.source, opened.prepared())
    assert warehouse.rows("SELECT id, updated FROM units WHERE id = 5") == [(5, 95)]
