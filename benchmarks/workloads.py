"""The workloads: rows of the table of figures to reach, as values."""

from dataclasses import dataclass, field

PAGE_SIZE = 500
STREAMS = tuple(f"s_{n:02d}" for n in range(50))
NOW = {
    "first": "2026-07-01T00:00:00+00:00",
    "prepare": "2026-07-01T00:00:00+00:00",
    "second": "2026-07-10T00:00:00+00:00",
    "run": "2026-07-10T00:00:00+00:00",
}
"""The clock of each step: every base record lies before the first, every change between the two."""
SINCE = "2026-07-01T00:00:00+00:00"

PYTHON_PEERS = ("dlt", "dlt_arrow", "sling", "singer", "airbyte")
SINGER_DATABASE = (
    "one JSON line a row through a pipe: at the rate of its REST pair (rest_postgres) 2,000,000 rows would "
    "take a quarter of an hour a round"
)
AIRBYTE_DATABASE = (
    "its PostgreSQL source is a Java connector in a container image, which cannot be fetched here"
)
ONE_PAGE_AT_A_TIME = (
    "follows one page after the other and cannot have 16 in flight: pages × latency is its floor"
)
INGESTR_REST = "has sources for named services only, none for a REST API of the user's own"


@dataclass(frozen=True, slots=True)
class Workload:
    """One row: `size` records (times --scale), from `source` into `destination`.

    `arriving` (merge) and `share` (resight) say what differs in the step `run`. `absent` gives the reason for
    each contestant that has no place in it.
    """

    name: str
    title: str
    goal: str
    source: str
    destination: str
    size: int
    steps: tuple[str, ...]
    contestants: tuple[str, ...]
    absent: dict[str, str] = field(default_factory=dict)
    latency_ms: int = 0
    concurrency: int = 4
    arriving: int = 0
    share: float = 0.0
    cursor: str | None = None


_REST_ABSENT = {"ingestr": INGESTR_REST}
_DATABASE = ("limit", "dlt", "dlt_arrow", "sling", "ingestr", "ours")
_DATABASE_ABSENT = {"singer": SINGER_DATABASE, "airbyte": AIRBYTE_DATABASE}

WORKLOADS: tuple[Workload, ...] = (
    Workload(
        "rest_duckdb",
        "REST → DuckDB, 100,000 records: first load, then all seen again unchanged",
        "first ≤ 1.6 × limit, ≥ 8 × dlt, ≥ 25 × Sling, ≥ 12 × Singer and PyAirbyte; second ≤ 1.0 × first; "
        "CPU ≤ 30 µs a record",
        "rest",
        "duckdb",
        100_000,
        ("first", "second"),
        ("limit", *PYTHON_PEERS, "ours"),
        _REST_ABSENT,
    ),
    Workload(
        "rest_postgres",
        "REST → PostgreSQL, 100,000 records: first load, then all seen again unchanged",
        "first ≤ 1.8 × limit, ≥ 10 × dlt, ≥ 30 × Sling; second ≤ 1.0 × first, no row rewritten beyond "
        "last_seen's need",
        "rest",
        "postgres",
        100_000,
        ("first", "second"),
        ("limit", *PYTHON_PEERS, "ours"),
        _REST_ABSENT,
    ),
    Workload(
        "latency_duckdb",
        "REST → DuckDB, 100,000 records, 50 ms a response, 16 in flight allowed",
        "wall ≤ 1.15 × (pages × latency ÷ 16) + 1.5 s",
        "rest",
        "duckdb",
        100_000,
        ("first",),
        ("limit", "dlt", "dlt_arrow", "sling", "ours"),
        _REST_ABSENT | {"singer": ONE_PAGE_AT_A_TIME, "airbyte": ONE_PAGE_AT_A_TIME},
        latency_ms=50,
        concurrency=16,
    ),
    *(
        Workload(
            f"merge_{destination}",
            f"PostgreSQL → {title}, 200,000 rows (half new) merged into 2,000,000",
            "≤ 1.5 × hand-written SQL (compare `write`); ≥ 5 × dlt",
            "postgres",
            destination,
            2_000_000,
            ("prepare", "run"),
            _DATABASE,
            _DATABASE_ABSENT,
            arriving=200_000,
            cursor="updated_at",
        )
        for destination, title in (("duckdb", "DuckDB"), ("postgres", "PostgreSQL"))
    ),
    *(
        Workload(
            f"resight_{destination}",
            f"PostgreSQL → {title}, 2,000,000 rows seen again, 1 % changed",
            "≤ 2 × the changed 1 % plus one narrow column by hand (compare `write`)",
            "postgres",
            destination,
            2_000_000,
            ("prepare", "run"),
            ("limit_changed", *_DATABASE),
            _DATABASE_ABSENT,
            share=0.01,
        )
        for destination, title in (("duckdb", "DuckDB"), ("postgres", "PostgreSQL"))
    ),
    Workload(
        "postgres_duckdb",
        "PostgreSQL → DuckDB, 3,000,000 rows of lineitem, first load",
        "≤ 1.3 × ADBC by hand; faster than ingestr; ≥ 3 × dlt",
        "lineitem",
        "duckdb",
        3_000_000,
        ("first",),
        ("limit_extension", *_DATABASE),
        _DATABASE_ABSENT,
    ),
    Workload(
        "postgres_postgres",
        "PostgreSQL → PostgreSQL, 3,000,000 rows of lineitem, first load",
        "≤ 1.6 × binary COPY piped; ≥ 1.3 × ingestr; ≥ 2.5 × dlt",
        "lineitem",
        "postgres",
        3_000_000,
        ("first",),
        _DATABASE,
        _DATABASE_ABSENT,
    ),
    *(
        Workload(
            f"streams50_{destination}",
            f"REST → {title}, fifty streams of one page each",
            "≤ 1.5 s without Dagster, ≥ 4 × dlt and Singer; ≤ 6 s with Dagster",
            "streams",
            destination,
            len(STREAMS) * PAGE_SIZE,
            ("first",),
            ("limit", *PYTHON_PEERS, "ours", "ours_dagster"),
            _REST_ABSENT,
        )
        for destination, title in (("duckdb", "DuckDB"), ("postgres", "PostgreSQL"))
    ),
    *(
        Workload(
            f"memory_{name}",
            f"REST → DuckDB, {size:,} records: the memory it takes",
            "peak ≤ 350 MiB, the same for every length",
            "rest",
            "duckdb",
            size,
            ("first",),
            ("limit", "dlt_arrow", "ours"),
            _REST_ABSENT
            | dict.fromkeys(
                ("dlt", "sling", "singer", "airbyte"),
                "its memory at 100,000 records stands in rest_duckdb; 5,000,000 would take it from 15 "
                "minutes to an hour",
            ),
        )
        for name, size in (("100k", 100_000), ("1m", 1_000_000), ("5m", 5_000_000))
    ),
)
