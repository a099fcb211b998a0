"""What both programs serve: units that change one after the other, and the faults that a test asks for.

Run as a script, so it imports nothing of ours.
"""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "integer"},
        "updated": {"type": ["null", "integer"]},
        "rent": {"type": ["null", "number"], "multipleOf": 0.01},
        "name": {"type": ["null", "string"]},
        "seen_at": {"type": ["null", "string"], "format": "date-time"},
        "owner": {"type": ["null", "object"], "properties": {"id": {"type": "string"}}},
    },
}


def options() -> dict[str, Any]:
    """The content of the file behind each option."""
    found: dict[str, Any] = {}
    for option, value in zip(sys.argv, sys.argv[1:], strict=False):
        if option.startswith("--") and not value.startswith("--"):
            found[option[2:]] = json.loads(Path(value).read_text(encoding="utf-8"))
    return found


def units(settings: dict[str, Any], after: int) -> Iterator[dict[str, Any]]:
    """Units that changed after this number."""
    for number in range(after + 1, settings["count"] + 1):
        unit: dict[str, Any] = {"id": number % settings.get("distinct", 10**9), "updated": number}
        unit |= {"rent": 1000.25, "name": f"Unit {number}", "seen_at": "2026-03-08T12:00:00Z"}
        unit["owner"] = {"id": f"o{number}"}
        if number == settings.get("huge_at"):
            unit["name"] = "x" * settings["huge_bytes"]
        if number >= settings.get("new_field_from", 10**9):
            unit["floor"] = number
        yield unit


def say(message: object) -> None:
    """One message."""
    sys.stdout.write(json.dumps(message) + "\n")


def tell_surroundings(settings: dict[str, Any]) -> None:
    """What a program can see, for those who look whether it is too much."""
    files = [Path(argument) for argument in sys.argv if argument.endswith(".json")]
    modes = {stat.filemode(path.stat().st_mode) for path in files} | {
        stat.filemode(path.parent.stat().st_mode) for path in files
    }
    told = {"argv": sys.argv[1:], "environment": sorted(os.environ), "modes": sorted(modes)}
    if settings.get("tell_in"):
        Path(settings["tell_in"]).write_text(json.dumps(told), encoding="utf-8")


def misbehave(settings: dict[str, Any]) -> None:
    """The faults that are the same in every protocol."""
    sys.stdout.flush()
    match settings.get("fault"):
        case "exit":
            sys.stderr.write(f"CRITICAL {settings['last_words']}\n")
            sys.exit(3)
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "malformed":
            sys.stdout.write('{"type": "RECORD", "record": {"id": 1\n')
        case "hang":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
            Path(settings["pids"]).write_text(f"{os.getpid()} {child.pid}", encoding="utf-8")
            time.sleep(600)
        case "noise":
            sys.stdout.write("Warning: this library is deprecated\n\n   \n")
        case "not a number":
            sys.stdout.write(settings["line"] + "\n")
        case _:
            pass
