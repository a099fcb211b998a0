"""Contestants that are shell programs, and their files: Singer's tap and target, Sling, ingestr."""

import json
import shlex
import shutil
from pathlib import Path
from typing import Any

from benchmarks.contestants.base import Contestant
from benchmarks.job import Job
from benchmarks.measure import Command
from benchmarks.records import FIELDS
from benchmarks.venvs import HOME, site_packages

VENVS = HOME / "venvs"


def _write(path: Path, content: dict[str, Any]) -> Path:
    """JSON is YAML too: every file of these programs is written as JSON."""
    path.write_text(json.dumps(content, indent=1))
    return path


# Singer

_SINGER_KINDS = {
    "BIGINT": {"type": ["null", "integer"]},
    "DOUBLE": {"type": ["null", "number"]},
    "DECIMAL(18,2)": {"type": ["null", "number"]},
    "BOOLEAN": {"type": ["null", "boolean"]},
    "VARCHAR": {"type": ["null", "string"]},
    "TIMESTAMPTZ": {"type": ["null", "string"], "format": "date-time"},
}
_ADDRESS = ("line1", "line2", "city", "state", "postal_code", "country")


def _singer_schema() -> dict[str, Any]:
    """The tap flattens objects and prints arrays as text; declaring the result spares it sampling."""
    fields = {name: _SINGER_KINDS[kind] for name, kind in FIELDS.items() if kind != "JSON"}
    fields |= {f"address_{part}": _SINGER_KINDS["VARCHAR"] for part in _ADDRESS}
    fields["tags"] = _SINGER_KINDS["VARCHAR"]
    return {"type": "object", "properties": fields}


def _singer(job: Job) -> Command:
    paths = job.source["paths"]
    tap = _write(
        job.directory / "tap.json",
        {
            "api_url": job.source["url"],
            "pagination_request_style": "page_number_paginator",
            "pagination_response_style": "page",
            "pagination_initial_offset": 1,
            "next_page_token_path": f"$.{job.source['next_at']}",
            "pagination_next_page_param": "page",
            "streams": [
                {
                    "name": stream,
                    "path": paths[stream],
                    "records_path": f"$.{job.source['records_at']}[*]",
                    "primary_keys": job.key,
                    "params": {"limit": str(job.source["page_size"])},
                    "except_keys": ["tags"],
                    "schema": _singer_schema(),
                }
                for stream in job.streams
            ],
        },
    )
    common = {"default_target_schema": job.destination["schema"], "validate_records": False}
    if job.destination["kind"] == "duckdb":
        target = VENVS / "singer_duckdb" / "bin" / "target-duckdb"
        target_file = _write(
            job.directory / "target.json",
            common
            | {
                "path": job.destination["path"],
                "batch_size_rows": 100_000,
                "add_metadata_columns": False,
                "temp_dir": str(job.directory),
            },
        )
    else:
        target = VENVS / "singer_postgres" / "bin" / "target-postgres"
        target_file = _write(
            job.directory / "target.json",
            common
            | {
                "sqlalchemy_url": job.destination["dsn"].replace("postgresql:", "postgresql+psycopg:"),
                "batch_size_rows": 50_000,
                "load_method": "upsert",
                "use_copy": True,
                "add_record_metadata": False,
                "activate_version": False,
            },
        )
    words = [str(VENVS / "singer_tap" / "bin" / "tap-rest-api-msdk"), "--config", str(tap)]
    pipe = f"set -o pipefail; {shlex.join(words)} | {shlex.join([str(target), '--config', str(target_file)])}"
    return Command(
        ["bash", "-c", pipe],
        {"HOME": str(job.directory), "SINGER_SDK_LOG_LEVEL": "WARNING", "LOGLEVEL": "WARNING"},
        job.directory,
    )


SINGER = Contestant(
    "singer",
    "Singer tap and target",
    ("singer_tap", "singer_duckdb", "singer_postgres"),
    "tap-rest-api-msdk piped into target-duckdb or MeltanoLabs target-postgres; schema declared (no "
    "sampling requests, no discovery), largest page, batches of 100,000 (DuckDB) and 50,000 rows "
    "(PostgreSQL), upsert by key, COPY on, validation and metadata "
    "columns off, log level warning.",
    _singer,
)


# Sling


def _sling_home() -> Path:
    """A home with DuckDB's extensions in place: `install json` would otherwise reach for the network."""
    home = HOME / "sling-home"
    extensions = home / ".duckdb" / "extensions" / "v1.5.5" / "linux_amd64"
    if not extensions.exists():
        extensions.mkdir(parents=True)
        for file in site_packages(VENVS / "sling").glob(
            "duckdb_extension_*/extensions/v1.5.5/*.duckdb_extension"
        ):
            shutil.copy(file, extensions)
    return home


def _sling(job: Job) -> Command:
    packages = site_packages(VENVS / "sling")
    binary, duckdb = (
        packages / "sling_linux_amd64" / "bin" / "sling-linux-amd64",
        packages / "duckdb_cli" / "duckdb",
    )
    for program in (binary, duckdb):
        program.chmod(0o755)
    source, destination = job.source, job.destination
    stream: dict[str, Any] = {"primary_key": job.key}
    if source["kind"] == "rest":
        endpoint = {
            "state": {"offset": 0, "limit": source["page_size"]},
            "request": {
                "rate": 100_000,
                "concurrency": source["concurrency"],
                "parameters": {"offset": "${state.offset}", "limit": "${state.limit}"},
            },
            "pagination": {
                "next_state": {"offset": "${state.offset + state.limit}"},
                "stop_condition": f"is_null(response.json.{source['next_at']})",
            },
            "response": {"records": {"jmespath": f"{source['records_at']}[]", "primary_key": job.key}},
        }
        endpoints = {
            name: endpoint | {"request": endpoint["request"] | {"url": source["url"] + path}}
            for name, path in source["paths"].items()
        }
        specification = _write(job.directory / "api.yaml", {"name": "bench", "endpoints": endpoints})
        connections: dict[str, Any] = {"SOURCE": {"type": "api", "spec": f"file://{specification}"}}
        names = {name: name for name in job.streams}
    else:
        connections = {"SOURCE": {"type": "postgres", "url": source["dsn"] + "?sslmode=disable"}}
        names = {f"{source['schema']}.{name}": name for name in job.streams}
    if destination["kind"] == "duckdb":
        connections["TARGET"] = {"type": "duckdb", "instance": destination["path"]}
    else:
        connections["TARGET"] = {"type": "postgres", "url": destination["dsn"] + "?sslmode=disable"}
    is_load = job.step in {"first", "prepare"}
    # Incremental reads of an API want a paid token: the second sync of one is a full refresh as well.
    stream["mode"] = "full-refresh" if is_load or source["kind"] == "rest" else "incremental"
    if job.cursor and not is_load:
        stream["update_key"] = job.cursor
    _write(job.directory / "env.yaml", {"connections": connections})
    replication = _write(
        job.directory / "replication.yaml",
        {
            "source": "SOURCE",
            "target": "TARGET",
            "streams": {
                name: stream | {"object": f"{destination['schema']}.{table}"} for name, table in names.items()
            },
        },
    )
    return Command(
        [str(binary), "run", "-r", str(replication)],
        {
            "HOME": str(_sling_home()),
            "SLING_HOME_DIR": str(job.directory),
            "DUCKDB_PATH": str(duckdb),
            "SLING_DISABLE_TELEMETRY": "true",
        },
        job.directory,
    )


SLING = Contestant(
    "sling",
    "Sling",
    ("sling",),
    "The newest release whose binary is inside a wheel. REST by an API specification with its request rate "
    "limit lifted (the default is two a second) and as many requests at once as are allowed. First load "
    "full-refresh (no merge), and the second sync of a REST source too: incremental reads of an API want a "
    "paid token. From PostgreSQL incremental by primary key, with the update key where the workload has a "
    "cursor. Default bulk methods (COPY into PostgreSQL, its own local HTTP stream into DuckDB's command "
    "line); streams one after the other, two at once were no faster.",
    _sling,
)


# ingestr


def _ingestr(job: Job) -> Command:
    home = HOME / "ingestr-home"
    drivers = home / ".config" / "adbc" / "drivers"
    drivers.mkdir(parents=True, exist_ok=True)
    library = VENVS / "ingestr" / "node_modules" / "@duckdb" / "node-bindings-linux-x64" / "libduckdb.so"
    (drivers / "duckdb.toml").write_text(
        f'manifest_version = 1\nname = "DuckDB"\nversion = "1.5.6"\n[ADBC]\nversion = "1.1.0"\n'
        f'[Driver]\nentrypoint = "duckdb_adbc_init"\n[Driver.shared]\nlinux_amd64 = "{library}"\n'
    )
    (stream,) = job.streams
    destination = job.destination
    into = (
        f"duckdb:///{destination['path']}"
        if destination["kind"] == "duckdb"
        else destination["dsn"] + "?sslmode=disable"
    )
    words = [
        str(VENVS / "ingestr" / "bin" / "ingestr"), "ingest", "--yes", "--progress", "log",
        "--source-uri", job.source["dsn"] + "?sslmode=disable",
        "--source-table", f"{job.source['schema']}.{stream}",
        "--dest-uri", into, "--dest-table", f"{destination['schema']}.{stream}",
        "--incremental-strategy", "replace" if job.step in {"first", "prepare"} else "merge",
    ]  # fmt: skip
    for name in job.key:
        words += ["--primary-key", name]
    if destination["kind"] == "duckdb":
        words += ["--page-size", "100000", "--loader-file-size", "100000"]
    if job.cursor and job.since:
        words += ["--incremental-key", job.cursor, "--interval-start", job.since]
    return Command(words, {"HOME": str(home)}, job.directory)


INGESTR = Contestant(
    "ingestr",
    "ingestr",
    ("ingestr",),
    "The newest release whose binary is inside a wheel (releases 1.x fetch theirs on first use). First load "
    "by strategy replace (no merge), then merge by primary key, with the incremental key and interval where "
    "the workload has a cursor. Into PostgreSQL its defaults (25,000 rows a page, five extractions): others "
    "were within the noise at 300,000 rows; into DuckDB 100,000 rows a page, which took 14 % less CPU. "
    "DuckDB through its ADBC driver: the shared library comes from an npm package, where ingestr would "
    "download it.",
    _ingestr,
)
