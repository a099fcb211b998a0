"""A tap that speaks the Singer protocol; see `rental`."""

import json
import sys
from typing import Any

from rental import SCHEMA, misbehave, options, say, tell_surroundings, units  # type: ignore[import-not-found]

CATALOG: dict[str, Any] = {
    "streams": [
        {
            "tap_stream_id": "units",
            "stream": "units",
            "schema": SCHEMA,
            "key_properties": ["id"],
            "metadata": [
                {
                    "breadcrumb": [],
                    "metadata": {"replication-key": "updated", "replication-method": "INCREMENTAL"},
                },
                {"breadcrumb": ["properties", "name"], "metadata": {"inclusion": "available"}},
            ],
        },
        {
            "tap_stream_id": "crm-notes",
            "stream": "notes",
            "schema": SCHEMA,
            "metadata": [{"breadcrumb": [], "metadata": {"table-key-properties": ["id"]}}],
        },
    ]
}


def main() -> None:
    given = options()
    settings: dict[str, Any] = given["config"]
    tell_surroundings(settings)
    if settings.get("credentials", {}).get("api_key") != "canary-secret":
        sys.stderr.write("CRITICAL 401 Unauthorized for key canary-wrong\n")
        sys.exit(1)
    if "--discover" in sys.argv:
        sys.stdout.write(json.dumps(CATALOG, indent=2))
        return
    (chosen,) = given["properties" if "properties" in given else "catalog"]["streams"]
    whole = next(part for part in chosen["metadata"] if not part["breadcrumb"])["metadata"]
    is_selected = chosen["selected"] and whole["selected"] and chosen["schema"]["selected"]
    if not is_selected or not all(part["metadata"]["selected"] for part in chosen["metadata"]):
        return
    name = chosen["stream"]
    say({"type": "SCHEMA", "stream": name, "schema": SCHEMA, "key_properties": ["id"]})
    say({"type": "ACTIVATE_VERSION", "stream": name, "version": 1})
    after = given.get("state", {}).get("bookmarks", {}).get("units", {}).get("updated", 0)
    sys.stderr.write(f"INFO state {after}\n")
    for count, unit in enumerate(units(settings, after), start=1):
        say({"type": "RECORD", "stream": name, "record": unit, "time_extracted": "2026-03-08T12:00:00Z"})
        if whole.get("replication-key") and count % settings.get("state_every", 10) == 0:
            bookmarks = {"units": {"updated": unit["updated"]}}
            say({"type": "STATE", "value": {"bookmarks": bookmarks}})
        if count == settings.get("fault_after"):
            misbehave(settings)
            if settings["fault"] == "batch":
                say({"type": "BATCH", "stream": name, "encoding": {"format": "jsonl"}, "manifest": []})


main()
