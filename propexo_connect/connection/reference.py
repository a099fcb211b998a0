"""The tables of fields in the docs from the models: `python -m propexo_connect.connection.reference`.

The pages are written by hand, except what stands between `<!-- fields: Model -->` and `<!-- end -->`.
"""

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel

from propexo_connect.connection import endpoints
from propexo_connect.connection import file as written
from propexo_connect.connection.schema import json_schema, model_schema
from propexo_connect.connection.secret import external_name

PAGE = Path("docs/connection-file.md")
EVENTS_PAGE = Path("docs/events.md")

_BLOCK = re.compile(r"(<!-- fields: (\w+)(?: without (\w+))? -->\n)(?:.*?\n)??(<!-- end -->)", re.DOTALL)
_DURATION = "wdhms]"


def with_tables(page: str) -> str:
    """The page with each of its tables made anew."""
    schema = json_schema({}, {})
    return _BLOCK.sub(lambda found: f"{found[1]}{_table(schema, found[2], found[3])}{found[4]}", page)


def _table(schema: Mapping[str, Any], name: str, without: str | None) -> str:
    """The fields of a model, one a line, those of another model left out; a connection has all others."""
    model: type[BaseModel] | None = getattr(written, name, None)
    if model is None:  # a model of the endpoint files
        model = cast("type[BaseModel]", getattr(endpoints, name))
        schema = model_schema(model)
    known: Mapping[str, Any] = schema.get("$defs", {}).get(name, schema)
    left_out = set(getattr(written, without).model_fields) if without else set[str]()
    lines = ["| field | value | meaning |", "|---|---|---|"]
    for own, field in model.model_fields.items():
        if own in left_out:
            continue
        shown = external_name(own, field)
        part = known["properties"][shown]
        required = " Required." if shown in known.get("required", ()) else ""
        value = "mapping or name" if own in {"source", "destination"} else _value(schema, part)
        lines.append(f"| `{shown}` | {value} | {field.description}{required} |".replace("\n", " "))
    return "\n".join(lines) + "\n"


def _value(schema: Mapping[str, Any], part: Mapping[str, Any]) -> str:
    """What may stand after a field, in few words."""
    if "$ref" in part:
        name = str(part["$ref"]).rpartition("/")[2]
        return _value(schema, schema["$defs"][name])
    if "const" in part:
        return f"`{part['const']}`"
    if "enum" in part:
        return ", ".join(f"`{choice}`" for choice in part["enum"])
    if "anyOf" in part or "oneOf" in part:
        branches = [_value(schema, branch) for branch in part.get("anyOf", part.get("oneOf", []))]
        return " or ".join(dict.fromkeys(branches))
    if _DURATION in str(part.get("pattern")):
        return "duration or `never`" if "never" in str(part["pattern"]) else "duration"
    if str(part.get("pattern", "")).endswith("B$"):
        return "size"
    if part.get("type") == "array":
        return f"list of {_value(schema, cast(Mapping[str, Any], part['items']))}"
    names = {"string": "text", "boolean": "`true` or `false`", "integer": "number", "object": "mapping"}
    return names.get(str(part.get("type")), "anything")


def main() -> None:
    """Write the tables of the pages anew."""
    for page in [Path(given) for given in sys.argv[1:]] or [PAGE, EVENTS_PAGE]:
        page.write_text(with_tables(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
