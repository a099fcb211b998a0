"""Versions in words and in JSON."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from propexo_connect.history.changes import FieldChange, as_json, changes_of, endings, sentence
from propexo_connect.model.version import Version

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NEW = Version('{"id":1}', NOON, None, "new", None, '{"id": 1, "rent": 1.10}', "s-1", "recurring")
CHANGED = replace(NEW, event="update", before='{"rent":1.10}', after='{"rent":null}', reading="backsync")


def test_a_new_record_has_all_fields_without_a_before() -> None:
    assert changes_of(NEW) == [FieldChange("id", None, "1"), FieldChange("rent", None, "1.10")]


def test_a_change_goes_from_something_to_something() -> None:
    assert changes_of(CHANGED) == [FieldChange("rent", "1.10", "null")]


def test_the_whole_record_that_a_last_version_has_is_no_change() -> None:
    last = replace(CHANGED, after='{"id":1,"rent":2}')
    assert changes_of(last) == [FieldChange("rent", "1.10", "2")]


def test_nested_values_keep_their_digits() -> None:
    nested = replace(NEW, after='{"terms":{"rate":[0.100,12345678901234567890123,true,null,"é"]}}')
    wanted = '{"rate":[0.100,12345678901234567890123,true,null,"é"]}'
    assert changes_of(nested) == [FieldChange("terms", None, wanted)]


def test_the_sync_and_its_reading_are_named() -> None:
    assert sentence(CHANGED) == "2026-03-01 12:00:00 UTC  update, by a backsync sync (s-1)"
    assert "when its history began" in sentence(replace(NEW, reading="baseline"))


def test_a_record_that_left_has_an_end_and_one_that_changed_has_none() -> None:
    later = NOON + timedelta(hours=1)
    first = replace(NEW, valid_to=later)
    back = replace(NEW, valid_from=later + timedelta(hours=1))
    assert [end for _, end in endings([first, replace(CHANGED, valid_from=later)])] == [None, None]
    assert [end for _, end in endings([first, back])] == [later, None]
    assert [end for _, end in endings([first])] == [later]


def test_json_has_the_stored_digits() -> None:
    text = as_json([NEW, CHANGED])
    assert '"rent":{"before":1.10,"after":null}' in text
    first, second = json.loads(text)
    assert first["valid_from"] == "2026-03-01T12:00:00Z"
    assert first["valid_to"] is None
    assert second["reading"] == "backsync"
