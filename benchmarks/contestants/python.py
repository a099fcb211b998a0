"""Contestants that are Python programs and take the job as it is: by hand, dlt, PyAirbyte, ours."""

import importlib.util
import json
import sys
from pathlib import Path

from benchmarks.contestants.base import Contestant, Starter
from benchmarks.job import Job
from benchmarks.measure import Command
from benchmarks.venvs import HOME, ROOT


def _program(module: str, venv: str | None, *options: str, **environment: str) -> Starter:
    def start(job: Job) -> Command:
        python = sys.executable if venv is None else str(HOME / "venvs" / venv / "bin" / "python")
        words = [python, "-m", module, job.workload, "--json-args", json.dumps(job.arguments()), *options]
        home = {} if venv is None else {"HOME": str(job.directory)}
        return Command(words, {"PYTHONPATH": str(ROOT)} | home | environment, job.directory)

    return start


def _ours(is_orchestrated: bool) -> Starter:
    start = _program("benchmarks.ours", "ours")

    def orchestrated(job: Job) -> Command:
        command = start(job)
        arguments = job.arguments() | {"is_orchestrated": is_orchestrated}
        words = [*command.words[:-1], json.dumps(arguments)]
        return Command(words, command.environment, command.directory)

    return orchestrated


def _ours_missing() -> str | None:
    return None if importlib.util.find_spec("benchmarks.ours") else "benchmarks/ours.py is not there"


BY_HAND = (
    Contestant(
        "limit",
        "by hand",
        (),
        "The floor. REST: httpx in 4 threads (16 with latency), page bytes spooled as NDJSON, DuckDB "
        "`read_json` with declared columns, Arrow through ADBC into PostgreSQL; append only, no key, hash, "
        "last_seen or ledger. Second sync: stage, update what differs, insert what is new. PostgreSQL "
        "source: ADBC with numerics as text into DuckDB; binary COPY piped through psycopg into PostgreSQL. "
        "Merge: one staged statement set by key (PostgreSQL: `insert … on conflict do update`). Resight: "
        "changed rows plus last_seen of all (a column in DuckDB, a narrow table in PostgreSQL).",
        _program("benchmarks.peers.by_hand", None),
    ),
    Contestant(
        "limit_changed",
        "by hand, changed rows only",
        (),
        "As by hand, and last_seen is left out: the cheapest correct answer to resight.",
        _program("benchmarks.peers.by_hand", None, "--variant", "changed"),
    ),
    Contestant(
        "limit_extension",
        "by hand, DuckDB's postgres extension",
        ("extension",),
        "`create table … as from` an attached PostgreSQL, with the newest DuckDB that has the extension in "
        "a wheel; append only.",
        _program("benchmarks.peers.by_hand", "extension", "--variant", "extension"),
    ),
)

_DLT_BOTH = (
    "Merge by primary key (delete-insert; upsert measured the same), nested values as JSON columns, parquet "
    "load files for both destinations (into PostgreSQL a fifth faster than csv), 2 normalise and 4 load "
    "workers (a third one brought nothing), files rotated at 20,000 rows so that both have work, telemetry "
    "off."
)
DLT = (
    Contestant(
        "dlt",
        "dlt, tuned",
        ("dlt",),
        "Pages fetched in as many threads as are allowed (its own REST client follows one page after the "
        "other) and yielded as lists; from PostgreSQL `sql_table`, pyarrow backend, 100,000 rows a chunk. "
        f"{_DLT_BOTH}",
        _program("benchmarks.peers.dlt_run", "dlt"),
    ),
    Contestant(
        "dlt_arrow",
        "dlt, handed Arrow",
        ("dlt",),
        "The same pages decoded by orjson into Arrow tables of a declared schema (ten pages each); from "
        f"PostgreSQL the batches of an ADBC stream. dlt only writes. {_DLT_BOTH}",
        _program("benchmarks.peers.dlt_run", "dlt", "--arrow"),
    ),
)

AIRBYTE = Contestant(
    "airbyte",
    "PyAirbyte",
    ("airbyte",),
    "Declarative manifest read in process, offset paging with the largest page, inline schema, full "
    "refresh, write strategy merge, into its DuckDB or PostgreSQL cache; registry and telemetry off. It has "
    "no parallel pages.",
    _program(
        "benchmarks.peers.airbyte_run",
        "airbyte",
        AIRBYTE_OFFLINE_MODE="1",
        DO_NOT_TRACK="1",
        AIRBYTE_LOGGING_ROOT=str(Path(HOME) / "airbyte-logs"),
        PYTHONWARNINGS="ignore",
    ),
)

OURS = (
    Contestant(
        "ours",
        "Propexo Connect",
        ("ours",),
        "As it ships, in an environment without extras: merge by key, content hash, first_seen, last_seen, "
        "last_changed, ledger and fence. No Dagster.",
        _ours(False),
        _ours_missing,
    ),
    Contestant(
        "ours_dagster",
        "Propexo Connect in Dagster",
        ("ours",),
        "The same as Dagster assets: a whole run in one process with SQLite storage.",
        _ours(True),
        _ours_missing,
    ),
)
