"""The JSON Schema for editors, and the page of the file, are those of the models."""

import re
from pathlib import Path
from typing import Any, cast

import jsonschema
import pytest
import yaml

from propexo_connect.connection.document import read_document
from propexo_connect.connection.folder import connection_files
from propexo_connect.connection.reference import with_tables
from propexo_connect.connection.schema import (
    ENDPOINT_FILE_NAME,
    FILE_NAME,
    endpoint_schema,
    endpoint_schema_text,
    json_schema,
    schema_text,
)
from propexo_connect_tests.connection.fakes import CONNECTORS, DESTINATIONS, GOOD, parsed_text
from propexo_connect_tests.connection.test_endpoints import EMAIL, SLACK, WEBHOOK
from propexo_connect_tests.connection.test_parse import FULL

ROOT = Path(__file__).parents[2]
CONNECTIONS = ROOT / "connections"
PAGE = ROOT / "docs" / "connection-file.md"
REPOSITORY_FILES = sorted(
    [*connection_files(CONNECTIONS), *CONNECTIONS.glob("sources/*"), *CONNECTIONS.glob("destinations/*")]
)

SCHEMA = json_schema(CONNECTORS, DESTINATIONS)
ROTATING = WEBHOOK.replace("${CRM_SECRET}", "['${NEWER}', '${OLDER}']")


class Editor(yaml.SafeLoader):
    """YAML 1.2 as editors read it: only these words and numbers are no texts."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - the base class declares it so


Editor.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"(?:true|false)$"), None)
Editor.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"-?[0-9]+$"), None)
Editor.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"(?:|null|~)$"), None)


def mistakes(content: Any, schema: dict[str, Any] = SCHEMA) -> list[str]:
    """What an editor would mark."""
    return [error.json_path for error in jsonschema.Draft202012Validator(schema).iter_errors(content)]  # pyright: ignore[reportUnknownMemberType]


def edited(text: str) -> Any:
    """A file's text as an editor reads it."""
    return yaml.load(text, Loader=Editor)


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("text", [GOOD, FULL.replace("01234", "'01234'"), FULL])
def test_a_good_file_is_good_to_an_editor(text: str) -> None:
    assert mistakes(edited(text)) == []


@pytest.mark.parametrize(
    "line",
    [
        'streams: "*"',
        "streams: {work_orders: {filter: updatedAt, full_every: never}}",
        "streams:\n  work_orders:\n  '*':",
        "schedule: manual",
        "schedule: {every: 6h}",
        "schedule: {weekly: [{days: mon, start: 06:00, end: 20:00, every: 30m}]}",
        "schedule: {cron: [0 6 * * *]}",
        "limits: {step_size: 32MB}",
        "retry: {run: {max_retries: 0}}",
    ],
)
def test_what_the_product_takes_an_editor_takes(line: str) -> None:
    text = GOOD.replace(
        "streams: [work_orders]\n", "" if line.startswith("streams") else "streams: [members]\n"
    )
    assert parsed_text(f"{text}{line}\n")
    assert mistakes(edited(f"{text}{line}\n")) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("${ACME_PASSWORD}", "hunter2"),
        ("acme", "acmee"),
        ("email:", "emial:"),
        ("path: w.db", "path: w.db\n  size: 1"),
        ("streams: [work_orders]", "streams: []"),
        ("streams: [work_orders]", ""),
        ("a@example.com", "a\n  port: many"),
        ("a@example.com", "a\n  region: uk"),
        ("streams:", "mode: mrge\nstreams:"),
        ("streams:", "lag: 5\nstreams:"),
        ("streams:", "schedule: sometimes\nstreams:"),
        ("streams:", "sreams:"),
    ],
)
def test_a_mistake_is_marked_in_an_editor(old: str, new: str) -> None:
    assert mistakes(edited(GOOD.replace(old, new)))


@pytest.mark.parametrize("setting", ["region", "port", "url", "lag", "zip_code", "keys"])
def test_any_setting_may_refer_to_the_environment(setting: str) -> None:
    written = "['${A}']" if setting == "keys" else "${A}"
    text = GOOD.replace("a@example.com", f"a\n  {setting}: {written}")
    assert parsed_text(text)
    assert mistakes(edited(text)) == []


def test_every_field_is_described() -> None:
    definitions = cast(dict[str, Any], SCHEMA["$defs"])
    parts = {"": SCHEMA, **definitions}
    bare = [
        f"{name}.{field}"
        for name, part in parts.items()
        for field, value in part.get("properties", {}).items()
        if not value.get("description")
        and "description" not in definitions.get(str(value.get("$ref"))[8:], {})
    ]
    assert bare == []


def test_the_schema_in_the_repository_is_up_to_date() -> None:
    """Otherwise: python -m propexo_connect.connection.schema"""
    assert (CONNECTIONS / FILE_NAME).read_text(encoding="utf-8") == schema_text()
    assert (CONNECTIONS / ENDPOINT_FILE_NAME).read_text(encoding="utf-8") == endpoint_schema_text()


def test_the_schema_of_endpoints_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(endpoint_schema())


@pytest.mark.parametrize("text", [WEBHOOK, WEBHOOK + "kind: webhook\n", SLACK, EMAIL, ROTATING])
def test_a_good_endpoint_is_good_to_an_editor(text: str) -> None:
    assert mistakes(edited(text), endpoint_schema()) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("${CRM_SECRET}", "hunter2"),
        ("data.new", "data.nu"),
        ("data.new", "test"),
        ("connections:", "conections:"),
        ("url:", "kind: slack\nurl:"),
        ("url: https://crm.example.com/hooks\n", ""),
        ("subscribe:", "timeout: 5\nsubscribe:"),
    ],
)
def test_a_mistake_in_an_endpoint_is_marked_in_an_editor(old: str, new: str) -> None:
    assert mistakes(edited(WEBHOOK.replace(old, new)), endpoint_schema())


@pytest.mark.parametrize("file", connection_files(CONNECTIONS), ids=lambda file: file.name)
def test_a_connection_in_the_repository_is_good_to_an_editor(file: Path) -> None:
    assert mistakes(edited(file.read_text(encoding="utf-8")), json_schema()) == []


def test_every_file_in_the_repository_can_be_read() -> None:
    for file in REPOSITORY_FILES:
        assert read_document(file).content


def test_the_tables_of_the_page_are_up_to_date() -> None:
    """Otherwise: python -m propexo_connect.connection.reference"""
    page = PAGE.read_text(encoding="utf-8")
    assert page == with_tables(page)
    assert page.count("<!-- fields:") == 12


def test_the_page_s_example_is_good_to_an_editor() -> None:
    first = PAGE.read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0]
    assert mistakes(edited(first), json_schema()) == []


@pytest.mark.parametrize("number", [1, 2, 3])
def test_the_page_s_parts_are_taken(number: int) -> None:
    part = PAGE.read_text(encoding="utf-8").split("```yaml\n")[number + 1].split("```")[0]
    text = GOOD.replace("streams: [work_orders]\n", "") if part.startswith("streams") else GOOD
    text = text + part.replace("notes", "note").replace("cost", "amount")
    text += "schedule: {every: 6h}\n" if part.startswith("streams") else ""
    assert parsed_text(text)
    assert mistakes(edited(text)) == []


def test_the_page_calls_durations_by_their_name() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert "| `lookback` | duration |" in page
    assert "| `full_every` | duration or `never` |" in page
