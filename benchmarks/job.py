"""What one measurement is asked to do: the same JSON for every contestant, ours included.

A contestant that is a Python program is started as its own process,

```
python -m benchmarks.ours WORKLOAD --json-args '{…}'
```

and prints, as its last line, one JSON object: `{"seconds": 1.8, "rows": 100000}`; `seconds` is the time from
the first import to the end, as the program sees it (the harness measures the whole process itself). It may
add `"phases": {"read": 1.1, "write": 0.7}` in seconds, where `write` is the time spent inside the
destination's transactions, and `"tables": {"records": "schema.table"}` when a stream did not land in
`<schema>.<stream>`. A measurement that failed exits with another code than 0.

```
{"workload": "rest_duckdb",         # also argv's WORKLOAD
 "step": "first",                   # prepare | first | second | run: see below
 "streams": ["records"],            # or lineitem, or s_00 … s_49
 "key": ["id"],                     # of every stream
 "source": {"kind": "rest", "url": "http://127.0.0.1:4711", "paths": {"records": "/records"},
            "records_at": "data", "next_at": "meta.next", "total_at": "meta.total",
            "page_size": 500, "concurrency": 4, "latency_ms": 0, "records": 100000}
        or {"kind": "postgres", "dsn": "postgresql://postgres@…/source_merge", "schema": "public"},
 "cursor": null,                    # or "updated_at": windowed by it; null reads everything
 "since": null,                     # or an instant: no record before it needs to be read (merge, step run)
 "now": "2026-07-01T00:00:00+00:00",  # the clock to pass in: rises from step to step, after all cursors
 "destination": {"kind": "duckdb", "path": "…/destination.duckdb", "schema": "bench"}
             or {"kind": "postgres", "dsn": "postgresql://…/bench_ours", "schema": "bench"},
 "is_orchestrated": false,          # true for ours_dagster: through Dagster, in process, SQLite storage
 "directory": "…"}                  # state of its own; the same for all steps of one measurement
```

Steps: `first` is a load into an empty destination; `second` reads the same again with nothing changed;
`prepare` fills the destination and is not measured; `run` is what is measured on top of a prepared
destination. Before each `run` the directory and the destination are put back as `prepare` left them.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

SCHEMA = "bench"


@dataclass(frozen=True, slots=True)
class Job:
    """One step of one workload for one contestant; fields as in the module's example."""

    workload: str
    step: str
    streams: list[str]
    key: list[str]
    source: dict[str, Any]
    cursor: str | None
    since: str | None
    now: str
    destination: dict[str, str]
    is_orchestrated: bool
    directory: Path

    def arguments(self) -> dict[str, Any]:
        """The job as JSON values."""
        return asdict(self) | {"directory": str(self.directory)}
