"""The JSON Schemas of a connection file and of an endpoint's, for editors.

`python -m propexo_connect.connection.schema [folder]` writes `connection.schema.json` and
`endpoint.schema.json` into the folder of the connections; a file points at its own in its first line:
`# yaml-language-server: $schema=./connection.schema.json`, and in `endpoints/` `…=../endpoint.schema.json`.
"""

import json
import re
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel, TypeAdapter

from propexo_connect.connection.endpoints import CONFIGS, WrittenEndpoint
from propexo_connect.connection.file import WrittenConnection
from propexo_connect.connection.parse import Connectors, DestinationKinds
from propexo_connect.connection.secret import NAME
from propexo_connect.connection.systems import DESTINATION, SOURCE, Role
from propexo_connect.connectors.catalogue import CONNECTORS
from propexo_connect.destinations import DESTINATIONS
from propexo_connect.model.duration import DurationOrNever, duration_text
from propexo_connect.model.event import EndpointKind, Event

FILE_NAME = "connection.schema.json"
ENDPOINT_FILE_NAME = "endpoint.schema.json"

Schema = dict[str, Any]

_REFERENCE: Schema = {"type": "string", "pattern": rf"\$\{{{NAME}\}}"}
_SECRET: Schema = {"type": "string", "pattern": rf"^\$\{{{NAME}\}}$", "examples": ["${NAME}"]}


def json_schema(connectors: Connectors | None = None, destinations: DestinationKinds | None = None) -> Schema:
    """The schema of a connection file, with one variant for each connector and kind of destination."""
    schema = WrittenConnection.model_json_schema()
    definitions: Schema = schema.pop("$defs")
    properties: Schema = schema["properties"]
    sides = (
        (SOURCE, CONNECTORS if connectors is None else connectors),
        (DESTINATION, DESTINATIONS if destinations is None else destinations),
    )
    for role, registry in sides:
        variants = [
            _variant(role, name, getattr(code, "title", name), code.config, definitions)
            for name, code in sorted(registry.items())
        ]
        shared = {"type": "string", "minLength": 1, "description": f"Name of a file in {role.section}s/."}
        properties[role.section] = {
            "description": properties[role.section]["description"],
            "oneOf": [shared, *variants],
        }
    for name, short in (("schedule", _SCHEDULE_WORD), ("streams", _STREAM_NAMES)):
        described = properties[name].pop("description")
        properties[name].pop("default", None)
        properties[name] = {"description": described, "anyOf": [*short, properties[name]]}
    properties["streams"]["anyOf"][-1] = {
        "type": "object",
        "minProperties": 1,
        "additionalProperties": {"oneOf": [{"$ref": "#/$defs/WrittenStream"}, {"type": "null"}]},
    }
    stream: Schema = definitions["WrittenStream"]["properties"]
    stream["filter"] = {
        "description": stream["filter"]["description"],
        "anyOf": [{"type": "string", "minLength": 1}, {"$ref": "#/$defs/WrittenFilter"}],
    }
    for holder in (properties, stream):
        holder["sweep"] = {
            "description": holder["sweep"]["description"],
            "anyOf": [_SWEEP_WORD, {"$ref": "#/$defs/WrittenSweep"}],
        }
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "Connection",
        "properties": properties,
        "$defs": dict(sorted(definitions.items())),
    }
    return cast(Schema, _tidy(whole))


def schema_text(connectors: Connectors | None = None, destinations: DestinationKinds | None = None) -> str:
    """The schema as its file holds it."""
    return json.dumps(json_schema(connectors, destinations), indent=2, ensure_ascii=False) + "\n"


def endpoint_schema() -> Schema:
    """The schema of an endpoint file, with one variant for each kind."""
    common = WrittenEndpoint.model_json_schema()
    definitions: Schema = common.pop("$defs")
    own: Schema = common["properties"]
    definitions["Event"]["enum"].remove(str(Event.TEST))
    events: Schema = definitions["WrittenSubscription"]["properties"]
    events["events"] = _one_or_more(events["events"])
    variants: list[Schema] = []
    for kind, model in CONFIGS.items():
        schema, inner = _with_definitions(model, "")
        definitions |= inner
        settings: Schema = schema["properties"]
        for name in {"secret", "to"} & set(settings):
            settings[name] = _one_or_more(settings[name])
        settings = {
            name: value if name == "secret" else _open_value(value) for name, value in settings.items()
        }
        named = [] if kind is EndpointKind.WEBHOOK else ["kind"]
        variants.append(
            {
                **schema,
                "title": str(kind),
                "properties": {
                    "kind": {"const": str(kind), "description": own["kind"]["description"]},
                    **settings,
                    **{name: value for name, value in own.items() if name != "kind"},
                },
                "required": [*named, *schema["required"], *common["required"]],
                "additionalProperties": False,
            }
        )
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Endpoint",
        "description": "One receiver of events.",
        "oneOf": variants,
        "$defs": dict(sorted(definitions.items())),
    }
    return cast(Schema, _tidy(whole))


def model_schema(model: type[BaseModel]) -> Schema:
    """The schema of one model by itself."""
    return cast(Schema, _tidy(model.model_json_schema()))


def endpoint_schema_text() -> str:
    """The schema as its file holds it."""
    return json.dumps(endpoint_schema(), indent=2, ensure_ascii=False) + "\n"


def _one_or_more(schema: Schema) -> Schema:
    """A list that may also be its only item."""
    about = {key: value for key, value in schema.items() if key in {"title", "description"}}
    rest = {key: value for key, value in schema.items() if key not in about}
    item = _SECRET if rest["items"].get("writeOnly") else rest["items"]
    return {**about, "anyOf": [item, {**rest, "items": item}]}


_SCHEDULE_WORD: list[Schema] = [{"const": "manual"}]
_SWEEP_WORD: Schema = TypeAdapter(DurationOrNever).json_schema()
_STREAM_NAMES: list[Schema] = [
    {"type": "string", "minLength": 1, "examples": ["*"]},
    {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1},
]


def _variant(role: Role, name: str, title: str, model: type[BaseModel], definitions: Schema) -> Schema:
    """The settings of one connector: references are welcome everywhere, secrets may be nothing else."""
    schema, inner = _with_definitions(model, f"{role.section}.")
    if any(definitions.get(label, definition) != definition for label, definition in inner.items()):
        schema, inner = _with_definitions(model, f"{role.section}.{name}.")
    definitions |= inner
    properties = {field: _open_value(value) for field, value in schema.get("properties", {}).items()}
    selector = {"const": name, "description": title}
    return {
        **schema,
        "title": title,
        "properties": {role.selector: selector, **properties},
        "required": [role.selector, *schema.get("required", [])],
        "additionalProperties": schema.get("additionalProperties", False),
    }


def _with_definitions(model: type[BaseModel], prefix: str) -> tuple[Schema, dict[str, Schema]]:
    """A model's schema, and what it refers to, named with a prefix; who shares models shares those."""
    schema = model.model_json_schema(ref_template=f"#/$defs/{prefix}{{model}}")
    return schema, {prefix + label: _open(inner) for label, inner in schema.pop("$defs", {}).items()}


def _open(schema: Schema) -> Schema:
    """A definition whose values may be references."""
    if "properties" in schema:
        return {
            **schema,
            "properties": {name: _open_value(value) for name, value in schema["properties"].items()},
        }
    return _open_value(schema)


def _open_value(schema: Schema) -> Schema:
    if schema.get("format") == "password" or schema.get("writeOnly"):
        kept = {key: value for key, value in schema.items() if key in {"title", "description"}}
        return {**kept, **_SECRET}
    schema = dict(schema)
    for word in ("anyOf", "oneOf"):
        if word in schema:
            schema[word] = [_open_value(part) for part in schema[word]]
            return schema
    if isinstance(schema.get("items"), Mapping):
        schema["items"] = _open_value(schema["items"])
    if isinstance(schema.get("additionalProperties"), Mapping):
        schema["additionalProperties"] = _open_value(schema["additionalProperties"])
    if schema.get("type") == "string" and not set(schema) & {"pattern", "format", "enum", "maxLength"}:
        return {
            **schema,
            "type": ["string", "number"],
        }  # 0123 without quotes is text to us, a number to editors
    if schema.get("type") in {"object", "null"} or "$ref" in schema:
        return schema
    about = {key: schema.pop(key) for key in ("title", "description", "default", "examples") if key in schema}
    if "wdhms" in str(schema.get("pattern")) and about.get("default") is not None:
        about["default"] = duration_text(TypeAdapter(timedelta).validate_python(about["default"]))
    return {**about, "anyOf": [schema, _REFERENCE]}


def _tidy(value: Any) -> Any:
    """Without titles that repeat names, defaults of nothing, and null where it says nothing."""
    if isinstance(value, list):
        return [_tidy(part) for part in cast(list[Any], value)]
    if not isinstance(value, dict):
        return value
    schema: Schema = {key: _tidy(part) for key, part in cast(Schema, value).items()}
    if (
        isinstance(schema.get("title"), str)
        and ("type" in schema or "anyOf" in schema)
        and "properties" not in schema
    ):
        del schema["title"]
    if "default" in schema and ("$ref" in schema or schema["default"] in (None, {}, [], "")):
        del schema["default"]
    if isinstance(schema.get("description"), str):  # chapters of the contract say nothing in an editor
        schema["description"] = re.sub(r" ?\(SEMANTICS[^)]*\)", "", schema["description"])
    branches = [part for part in schema.get("anyOf", []) if part != {"type": "null"}]
    if "anyOf" in schema and len(branches) == 1:
        del schema["anyOf"]
        schema = {**branches[0], **schema}
    elif "anyOf" in schema:
        schema["anyOf"] = branches
    return schema


def main() -> None:
    """Write the files anew."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "connections")
    (folder / ENDPOINT_FILE_NAME).write_text(endpoint_schema_text(), encoding="utf-8")
    (folder / FILE_NAME).write_text(schema_text(), encoding="utf-8")


if __name__ == "__main__":
    main()
