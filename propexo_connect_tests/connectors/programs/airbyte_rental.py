"""A source that speaks the Airbyte protocol; see `rental`."""

import sys
from typing import Any

from rental import SCHEMA, misbehave, options, say, tell_surroundings, units  # type: ignore[import-not-found]

STREAMS: list[dict[str, Any]] = [
    {
        "name": "units",
        "json_schema": SCHEMA,
        "supported_sync_modes": ["full_refresh", "incremental"],
        "source_defined_cursor": True,
        "default_cursor_field": ["updated"],
        "source_defined_primary_key": [["id"]],
    },
    {
        "name": "notes",
        "namespace": "crm",
        "json_schema": SCHEMA,
        "supported_sync_modes": ["full_refresh"],
        "source_defined_primary_key": [["owner", "id"]],
    },
]


def trace(kind: str, **content: Any) -> None:
    say({"type": "TRACE", "trace": {"type": kind, "emitted_at": 1.0, kind.lower(): content}})


def status(stream: dict[str, Any], word: str) -> None:
    named = {"name": stream["name"], "namespace": stream.get("namespace")}
    trace("STREAM_STATUS", stream_descriptor=named, status=word)


def check(settings: dict[str, Any]) -> None:
    key = settings.get("credentials", {}).get("api_key")
    found = {"status": "SUCCEEDED"}
    if key != "canary-secret":
        found = {"status": "FAILED", "message": f"the key '{key}' is wrong"}
    say({"type": "CONNECTION_STATUS", "connectionStatus": found})


def read(settings: dict[str, Any], catalog: dict[str, Any], state: list[dict[str, Any]]) -> None:
    (configured,) = catalog["streams"]
    stream = configured["stream"]
    is_incremental = configured["sync_mode"] == "incremental"
    say({"type": "LOG", "log": {"level": "INFO", "message": f"state {state}"}})
    status(stream, "STARTED")
    after = state[0]["stream"]["stream_state"]["updated"] if state else 0
    for count, unit in enumerate(units(settings, after), start=1):
        data = {"stream": stream["name"], "data": unit, "emitted_at": 1}
        if stream.get("namespace"):
            data["namespace"] = stream["namespace"]
        say({"type": "RECORD", "record": data})
        if is_incremental and count % settings.get("state_every", 10) == 0:
            named = {"name": stream["name"], "namespace": stream.get("namespace")}
            reached = {"stream_descriptor": named, "stream_state": {"updated": unit["updated"]}}
            say({"type": "STATE", "state": {"type": "STREAM", "stream": reached}})
        if count == settings.get("fault_after"):
            fault(settings, stream)
    if settings.get("fault") == "other stream":
        say({"type": "RECORD", "record": {"stream": "people", "data": {"id": -1}, "emitted_at": 1}})
    if settings.get("fault") != "no status":
        status(stream, "INCOMPLETE" if settings.get("fault") == "incomplete" else "COMPLETE")


def fault(settings: dict[str, Any], stream: dict[str, Any]) -> None:
    misbehave(settings)
    if settings["fault"].endswith("_error"):
        trace("ERROR", message=settings["last_words"], failure_type=settings["fault"])
        status(stream, "INCOMPLETE")
        sys.exit(1)


def main() -> None:
    command, given = sys.argv[1], options()
    settings: dict[str, Any] = given["config"]
    tell_surroundings(settings)
    if command == "check":
        check(settings)
    elif command == "discover":
        say({"type": "CATALOG", "catalog": {"streams": STREAMS}})
    else:
        read(settings, given["catalog"], given.get("state", []))


main()
