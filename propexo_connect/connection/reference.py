"""The tables of docs/connection-file.md from the models: `python -m propexo_connect.connection.reference`.

The page is written by hand, except what stands between `<!-- fields: Model -->` and `<!-- end -->`.
"""

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from propexo_connect.connection import file as written
from propexo_connect.connection.schema import json_schema

PAGE = Path("docs/connection-file.md")

_BLOCK = re.compile(r"(<!-- fields: (\w+)(?: without (\w+))? -->\n)(?:.*?\n)??(<!-- end -->)", re.DOTALL)
_DURATION = "[wdhms]"


def with_tables(page: str) -> str:
    """The page with each of its tables made anew."""
    schema = json_schema({}, {})
    return _BLOCK.sub(lambda found: f"{found[1]}{_table(schema, found[2], found[3])}{found[4]}", page)


def _table(schema: Mapping[str, Any], model: str, without: str | None) -> str:
    """The fields of a model, one a line, those of another model left out; a connection has all others."""
    known: Mapping[str, Any] = schema["$defs"].get(model, schema)
    left_out = set(getattr(written, without).model_fields) if without else set[str]()
    fields = [name for name in getattr(written, model).model_fields if name not in left_out]
    lines = ["| field | value | meaning |", "|---|---|---|"]
    for name in fields:
        part = known["properties"][name]
        required = " Required." if name in known.get("required", ()) else ""
        described = getattr(written, model).model_fields[name].description
        value = "mapping or name" if name in {"source", "destination"} else _value(schema, part)
        lines.append(f"| `{name}` | {value} | {described}{required} |".replace("\n", " "))
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
    """Write the tables of the page anew."""
    page = Path(sys.argv[1]) if len(sys.argv) > 1 else PAGE
    page.write_text(with_tables(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
