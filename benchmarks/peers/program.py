"""How a contestant's program reads its job and says what it did; standard library only."""

import json
import sys
import time
from typing import Any

STARTED = time.perf_counter()


def read_job() -> dict[str, Any]:
    """The job after `--json-args`, as described in `benchmarks.job`."""
    return json.loads(sys.argv[sys.argv.index("--json-args") + 1])


def report(rows: int, **phases: float) -> None:
    """Print the last line that the harness reads."""
    line: dict[str, Any] = {"seconds": time.perf_counter() - STARTED, "rows": rows}
    if phases:
        line["phases"] = {name: round(seconds, 4) for name, seconds in phases.items()}
    print(json.dumps(line), flush=True)
