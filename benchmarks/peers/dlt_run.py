"""dlt, tuned, in two forms: its own way (`own`), and Arrow tables handed to it (`arrow`).

Own way, REST: a resource that fetches pages in threads (dlt's rest_client follows one page after the other)
and yields lists; own way, PostgreSQL: `sql_table` with the pyarrow backend, 100,000 rows a chunk. Arrow,
REST: the same pages decoded by orjson into Arrow tables of a declared schema; Arrow, PostgreSQL: batches of
an ADBC stream.

Both: write disposition merge by the primary key, nested values kept as JSON columns (`max_table_nesting=0`),
parquet load files (into PostgreSQL through ADBC, faster there than csv by COPY), two workers for normalise,
files rotated so that both have work, telemetry off, log level error.
"""

import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.peers.program import read_job, report

ROTATE_ROWS = 20_000
JOB = read_job()
IS_ARROW = "--arrow" in sys.argv
os.environ |= {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "ERROR",
    "DLT_DATA_DIR": JOB["directory"] + "/dlt",
    "NORMALIZE__WORKERS": "2",
    "LOAD__WORKERS": "4",
    "EXTRACT__WORKERS": str(JOB["source"].get("concurrency", 2)),
    "DATA_WRITER__FILE_MAX_ITEMS": str(ROTATE_ROWS),
    "DATA_WRITER__BUFFER_MAX_ITEMS": "20000",
    "NORMALIZE__PARQUET_NORMALIZER__ADD_DLT_LOAD_ID": "true",
}

import dlt  # noqa: E402 - its configuration is read from the environment above


def pages(path: str, total: int) -> Iterator[bytes]:
    """Bodies of all pages, in order, `concurrency` requests ahead."""
    import requests

    source = JOB["source"]
    session = requests.Session()
    session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=source["concurrency"]))

    def fetch(offset: int) -> bytes:
        return session.get(
            source["url"] + path, params={"offset": offset, "limit": source["page_size"]}, timeout=60
        ).content

    offsets = range(0, total, source["page_size"])
    if len(offsets) == 1:
        yield fetch(0)
        return
    with ThreadPoolExecutor(source["concurrency"]) as pool:
        ahead = source["concurrency"] * 2
        waiting = [pool.submit(fetch, offset) for offset in offsets[:ahead]]
        for offset in [*offsets[ahead:], *[None] * min(ahead, len(offsets))]:
            yield waiting.pop(0).result()
            if offset is not None:
                waiting.append(pool.submit(fetch, offset))


def _schema() -> Any:
    import pyarrow as pa

    from benchmarks.records import FIELDS

    kinds = {
        "BIGINT": pa.int64(), "VARCHAR": pa.string(), "JSON": pa.string(), "BOOLEAN": pa.bool_(),
        "DECIMAL(18,2)": pa.float64(), "DOUBLE": pa.float64(), "TIMESTAMPTZ": pa.timestamp("us", tz="UTC"),
    }  # fmt: skip
    return pa.schema([(name, kinds[kind]) for name, kind in FIELDS.items()])


def rest_records(path: str, total: int) -> Iterator[Any]:
    """Lists of records, or Arrow tables of ten pages, from one stream."""
    import orjson

    if not IS_ARROW:
        for body in pages(path, total):
            yield orjson.loads(body)["data"]
        return
    import pyarrow as pa

    schema = _schema()
    text = pa.schema(
        [pa.field(f.name, pa.string() if pa.types.is_timestamp(f.type) else f.type) for f in schema]
    )
    held: list[Any] = []
    for body in pages(path, total):
        records = orjson.loads(body)["data"]
        for record in records:
            record["address"] = orjson.dumps(record["address"]).decode()
            record["tags"] = orjson.dumps(record["tags"]).decode()
        held.append(pa.Table.from_pylist(records, schema=text).cast(schema))
        if len(held) == 10:
            yield pa.concat_tables(held)
            held = []
    if held:
        yield pa.concat_tables(held)


def postgres_batches(stream: str, cursor: Any) -> Iterator[Any]:
    """Arrow tables of an ADBC stream, numerics brought back from text."""
    import pyarrow as pa
    from adbc_driver_postgresql import dbapi

    from benchmarks.peers.by_hand import LINEITEM_COLUMNS, RECORD_COLUMNS

    columns = LINEITEM_COLUMNS if stream == "lineitem" else RECORD_COLUMNS
    decimals = {
        n: pa.decimal128(*map(int, k[8:-1].split(","))) for n, k in columns.items() if k[:7] == "DECIMAL"
    }
    words = ", ".join(f"{name}::text as {name}" if name in decimals else name for name in columns)
    since = (
        f" where {JOB['cursor']} >= '{cursor.last_value}'" if cursor is not None and cursor.last_value else ""
    )
    with dbapi.connect(JOB["source"]["dsn"]) as adbc, adbc.cursor() as reading:
        reading.execute(f"select {words} from {stream}{since}")
        for batch in reading.fetch_record_batch():
            table = pa.Table.from_batches([batch])
            for name, kind in decimals.items():
                at = table.schema.get_field_index(name)
                table = table.set_column(at, name, table.column(at).cast(kind))
            yield table


def windowed(stream: str, shape: dict[str, Any]) -> Any:
    """A resource that goes on from the greatest cursor of the load before."""
    incremental = dlt.sources.incremental(JOB["cursor"])

    @dlt.resource(name=stream, **shape)
    def batches(cursor: Any = incremental) -> Iterator[Any]:
        yield from postgres_batches(stream, cursor)

    return batches


def resources() -> Iterator[Any]:
    """One dlt resource a stream."""
    source = JOB["source"]
    shape = {
        "primary_key": JOB["key"] if len(JOB["key"]) > 1 else JOB["key"][0],
        "write_disposition": "merge",
    }
    for stream in JOB["streams"]:
        if source["kind"] == "rest":
            total = source["records"] if stream == "records" else source["page_size"]
            nested = {"address": {"data_type": "json"}, "tags": {"data_type": "json"}}
            yield dlt.resource(
                rest_records(source["paths"][stream], total),
                name=stream,
                max_table_nesting=0,
                columns=nested if IS_ARROW else None,
                parallelized=len(JOB["streams"]) > 1,
                **shape,
            )
        elif IS_ARROW:
            if JOB["cursor"]:
                yield windowed(stream, shape)
            else:
                yield dlt.resource(postgres_batches(stream, None), name=stream, **shape)
        else:
            from dlt.sources.sql_database import sql_table

            table = sql_table(
                credentials=source["dsn"].replace("postgresql:", "postgresql+psycopg2:"),
                schema=source["schema"],
                table=stream,
                backend="pyarrow",
                chunk_size=100_000,
                incremental=dlt.sources.incremental(JOB["cursor"]) if JOB["cursor"] else None,
            )
            table.apply_hints(**shape)
            yield table


def main() -> None:
    destination = JOB["destination"]
    into_duckdb = destination["kind"] == "duckdb"
    pipeline = dlt.pipeline(
        pipeline_name="bench",
        pipelines_dir=JOB["directory"] + "/pipelines",
        destination=dlt.destinations.duckdb(destination["path"])
        if into_duckdb
        else dlt.destinations.postgres(destination["dsn"].replace("postgres@", "postgres:unused@")),
        dataset_name=destination["schema"],
    )
    pipeline.run(list(resources()), loader_file_format="parquet")
    assert pipeline.last_trace is not None
    steps = {
        step.step: step.finished_at - step.started_at
        for step in pipeline.last_trace.steps
        if step.finished_at
    }
    counts = pipeline.last_trace.last_normalize_info.row_counts
    rows = sum(count for table, count in counts.items() if not table.startswith("_dlt"))
    report(
        rows,
        read=steps["extract"].total_seconds() + steps["normalize"].total_seconds(),
        write=steps["load"].total_seconds(),
    )


if __name__ == "__main__":
    main()
