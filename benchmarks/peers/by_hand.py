"""The floor: what a person would write for just this one job, with nothing of a product around it.

REST: httpx in a few threads, the bytes of each page's array spooled as NDJSON, DuckDB's `read_json` with
declared columns; into PostgreSQL the result goes as Arrow through ADBC (binary COPY). First loads only
append: no key, no hash, no last_seen, no ledger. The second sync compares with the stored rows and writes the
changed ones.

PostgreSQL source: ADBC with numerics cast to text, and DuckDB casts them back; into PostgreSQL, two psycopg
connections joined by a binary COPY. Merge: stage, then the statements that measured best. Resight: changed
rows rewritten, and `last_seen` moved on all rows: a column in DuckDB, a narrow table beside in PostgreSQL.
`limit_changed` leaves last_seen out.
"""

import shutil
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.peers.program import read_job, report
from benchmarks.records import FIELDS, POSTGRES_TYPES

CHUNK_PAGES = 400
"""Pages read before they are written: 200,000 records, 150 MB of spool."""

RECORD_COLUMNS = {name: ("VARCHAR" if kind == "JSON" else kind) for name, kind in FIELDS.items()}
LINEITEM_COLUMNS = {
    "l_orderkey": "BIGINT", "l_partkey": "BIGINT", "l_suppkey": "INTEGER", "l_linenumber": "INTEGER",
    "l_quantity": "DECIMAL(15,2)", "l_extendedprice": "DECIMAL(15,2)", "l_discount": "DECIMAL(15,2)",
    "l_tax": "DECIMAL(15,2)", "l_returnflag": "VARCHAR", "l_linestatus": "VARCHAR", "l_shipdate": "DATE",
    "l_commitdate": "DATE", "l_receiptdate": "DATE", "l_shipinstruct": "VARCHAR", "l_shipmode": "VARCHAR",
    "l_comment": "VARCHAR",
}  # fmt: skip


class Phases(dict[str, float]):
    """Seconds spent in `read` and `write`."""

    def timed(self, name: str, started: float) -> None:
        self[name] = self.get(name, 0.0) + time.perf_counter() - started


def _ddl(columns: dict[str, str], in_postgres: bool) -> str:
    kinds = POSTGRES_TYPES | {"DECIMAL(15,2)": "numeric(15,2)", "INTEGER": "integer", "DATE": "date"}
    return ", ".join(f"{name} {kinds[kind] if in_postgres else kind}" for name, kind in columns.items())


# REST


def _spool(job: dict[str, Any], requests: list[tuple[str, int]], folder: Path) -> None:
    """Write the records of `(path, offset)` requests as NDJSON, one file a thread's share of the pages."""
    import httpx

    source = job["source"]
    limits = httpx.Limits(
        max_connections=source["concurrency"], max_keepalive_connections=source["concurrency"]
    )
    client = httpx.Client(base_url=source["url"], limits=limits, trust_env=False)

    def fetch(share: tuple[int, list[tuple[str, int]]]) -> None:
        number, pages = share
        files = {
            path: (folder / f"{path.strip('/').replace('/', '_')}-{number}.json").open("wb")
            for path, _ in pages
        }
        for path, offset in pages:
            body = client.get(path, params={"offset": offset, "limit": source["page_size"]}).content
            files[path].write(body[9 : body.rindex(b'],"meta"')].replace(b'},{"id"', b'}\n{"id"') + b"\n")
        for file in files.values():
            file.close()

    shares = [requests[n :: source["concurrency"]] for n in range(source["concurrency"])]
    with ThreadPoolExecutor(source["concurrency"]) as pool:
        list(pool.map(fetch, enumerate(share for share in shares if share)))
    client.close()


def _read_json(folder: Path, stream: str) -> str:
    columns = ", ".join(f"{name}: '{kind}'" for name, kind in FIELDS.items())
    return f"read_json('{folder}/{stream}-*.json', format='newline_delimited', columns={{{columns}}})"


def _chunks(job: dict[str, Any]) -> Iterator[list[tuple[str, int]]]:
    source, step = job["source"], CHUNK_PAGES * job["source"]["page_size"]
    path = source["paths"]["records"]
    for start in range(0, source["records"], step):
        yield [(path, at) for at in range(start, min(start + step, source["records"]), source["page_size"])]


def rest_to_duckdb(job: dict[str, Any], phases: Phases) -> int:
    import duckdb

    connection = duckdb.connect(job["destination"]["path"])
    connection.execute("create schema if not exists bench; set preserve_insertion_order = false")
    folder = Path(job["directory"]) / "spool"
    rows = 0
    for requests in _chunks(job):
        folder.mkdir()
        started = time.perf_counter()
        _spool(job, requests, folder)
        phases.timed("read", started)
        started = time.perf_counter()
        if job["step"] == "first":
            connection.execute(f"create table if not exists bench.records ({_ddl(FIELDS, False)})")
            connection.execute(f"insert into bench.records from {_read_json(folder, 'records')}")
        else:
            connection.execute(f"create or replace temp table stage as from {_read_json(folder, 'records')}")
            _merge_changed_duckdb(connection, list(FIELDS))
        found = connection.execute("select count(*) from bench.records").fetchone()
        rows = found[0] if found else 0
        phases.timed("write", started)
        shutil.rmtree(folder)
    connection.close()
    return rows


def rest_to_postgres(job: dict[str, Any], phases: Phases) -> int:
    import duckdb
    import psycopg
    from adbc_driver_postgresql import dbapi

    dsn = job["destination"]["dsn"]
    folder = Path(job["directory"]) / "spool"
    target = ("bench", "records") if job["step"] == "first" else ("bench", "stage")
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("create schema if not exists bench")
        connection.execute(f"create unlogged table bench.stage ({_ddl(RECORD_COLUMNS, True)})"
                           if job["step"] == "second" else
                           f"create table bench.records ({_ddl(RECORD_COLUMNS, True)})")  # fmt: skip
    rows = 0
    memory = duckdb.connect()
    memory.execute("set preserve_insertion_order = false")
    for requests in _chunks(job):
        folder.mkdir()
        started = time.perf_counter()
        _spool(job, requests, folder)
        phases.timed("read", started)
        started = time.perf_counter()
        with dbapi.connect(dsn) as adbc, adbc.cursor() as cursor:
            arrow = _arrow(memory, f"select * replace (address::varchar as address, tags::varchar as tags) "
                                   f"from {_read_json(folder, 'records')}")  # fmt: skip
            rows += cursor.adbc_ingest(target[1], arrow, mode="append", db_schema_name=target[0])
            adbc.commit()
        phases.timed("write", started)
        shutil.rmtree(folder)
    if job["step"] == "second":
        started = time.perf_counter()
        with psycopg.connect(dsn) as connection:
            connection.execute("analyze bench.stage")
            _merge_changed_postgres(connection, list(FIELDS))
            connection.execute("drop table bench.stage")
        phases.timed("write", started)
    return rows


def _arrow(connection: Any, query: str) -> Any:
    """The query's rows as an Arrow stream, 100,000 a batch."""
    relation = connection.sql(query)
    return (
        relation.to_arrow_reader(100_000)
        if hasattr(relation, "to_arrow_reader")
        else relation.fetch_arrow_reader(100_000)
    )


def _merge_changed_duckdb(connection: Any, columns: list[str]) -> None:
    names = ", ".join(f"{name} = stage.{name}" for name in columns if name != "id")
    differ = " or ".join(f"r.{name} is distinct from stage.{name}" for name in columns if name != "id")
    connection.execute(f"update bench.records r set {names} from stage where stage.id = r.id and ({differ})")
    connection.execute("insert into bench.records from stage anti join bench.records using (id)")


def _merge_changed_postgres(connection: Any, columns: list[str]) -> None:
    names = ", ".join(f"{name} = s.{name}" for name in columns if name != "id")
    stage, stored = (", ".join(f"{letter}.{name}" for name in columns) for letter in "sr")
    connection.execute(
        f"update bench.records r set {names} from bench.stage s "
        f"where s.id = r.id and ({stage}) is distinct from ({stored})"
    )
    connection.execute(
        "insert into bench.records select s.* from bench.stage s "
        "where not exists (select from bench.records r where r.id = s.id)"
    )


def streams(job: dict[str, Any], phases: Phases) -> int:
    """Fifty pages into fifty tables."""
    import duckdb

    folder = Path(job["directory"]) / "spool"
    folder.mkdir()
    started = time.perf_counter()
    _spool(job, [(path, 0) for path in job["source"]["paths"].values()], folder)
    paths = job["source"]["paths"]
    files = {stream: _read_json(folder, path.strip("/").replace("/", "_")) for stream, path in paths.items()}
    phases.timed("read", started)
    started = time.perf_counter()
    rows = 0
    if job["destination"]["kind"] == "duckdb":
        connection = duckdb.connect(job["destination"]["path"])
        connection.execute("create schema bench; begin")
        for stream, file in files.items():
            connection.execute(f"create table bench.{stream} ({_ddl(FIELDS, False)})")
            rows += (connection.execute(f"insert into bench.{stream} from {file}").fetchone() or (0,))[0]
        connection.execute("commit")
        connection.close()
    else:
        from adbc_driver_postgresql import dbapi

        memory = duckdb.connect()
        with dbapi.connect(job["destination"]["dsn"]) as adbc, adbc.cursor() as cursor:
            cursor.execute("create schema bench")
            for stream, file in files.items():
                cursor.execute(f"create table bench.{stream} ({_ddl(RECORD_COLUMNS, True)})")
                query = f"select * replace (address::varchar as address, tags::varchar as tags) from {file}"
                rows += cursor.adbc_ingest(
                    stream, _arrow(memory, query), mode="append", db_schema_name="bench"
                )
            adbc.commit()
    phases.timed("write", started)
    return rows


# PostgreSQL


def _select(job: dict[str, Any], columns: dict[str, str]) -> str:
    """All columns, numerics as text: ADBC has no other form for them that DuckDB reads fast."""
    words = ", ".join(
        f"{name}::text as {name}" if kind[:7] == "DECIMAL" else name for name, kind in columns.items()
    )
    since = f" where updated_at >= '{job['since']}'" if job["since"] and job["cursor"] else ""
    return f"select {words} from {job['streams'][0]}{since}"


def _adbc_into_duckdb(job: dict[str, Any], connection: Any, columns: dict[str, str], table: str) -> int:
    from adbc_driver_postgresql import dbapi

    with dbapi.connect(job["source"]["dsn"]) as adbc, adbc.cursor() as cursor:
        cursor.execute(_select(job, columns))
        arriving = cursor.fetch_record_batch()
        connection.register("arriving", arriving)
        casts = ", ".join(
            f"{name}::{kind}" if kind[:7] == "DECIMAL" else name for name, kind in columns.items()
        )
        inserted = connection.execute(f"insert into {table} select {casts} from arriving").fetchone()
        connection.unregister("arriving")
    return inserted[0] if inserted else 0


def lineitem_to_duckdb(job: dict[str, Any], phases: Phases) -> int:
    import duckdb

    connection = duckdb.connect(job["destination"]["path"])
    connection.execute("create schema bench; set preserve_insertion_order = false")
    connection.execute(f"create table bench.lineitem ({_ddl(LINEITEM_COLUMNS, False)})")
    started = time.perf_counter()
    rows = _adbc_into_duckdb(job, connection, LINEITEM_COLUMNS, "bench.lineitem")
    connection.close()
    phases.timed("write", started)
    return rows


def lineitem_by_extension(job: dict[str, Any], phases: Phases) -> int:
    """DuckDB's own postgres extension, from a wheel; runs in an environment of its own."""
    import duckdb

    folder = Path(__import__("duckdb_extension_postgres_scanner").__file__).parent
    extension = next(folder.rglob("*.duckdb_extension"))
    connection = duckdb.connect(job["destination"]["path"])
    connection.execute(f"load '{extension}'")
    connection.execute(f"attach '{job['source']['dsn']}' as source (type postgres, read_only)")
    connection.execute("create schema bench; set preserve_insertion_order = false")
    started = time.perf_counter()
    connection.execute("create table bench.lineitem as from source.public.lineitem")
    rows = connection.execute("select count(*) from bench.lineitem").fetchone()
    connection.close()
    phases.timed("write", started)
    return rows[0] if rows else 0


def _copy(job: dict[str, Any], query: str, target: str) -> int:
    """A binary COPY out of the source piped into a binary COPY of the destination, one transaction."""
    import psycopg

    with (
        psycopg.connect(job["source"]["dsn"]) as source,
        psycopg.connect(job["destination"]["dsn"]) as destination,
        source.cursor() as reading,
        destination.cursor() as writing,
    ):
        with (
            reading.copy(f"copy ({query}) to stdout (format binary)") as leaving,
            writing.copy(f"copy {target} from stdin (format binary)") as arriving,
        ):
            for part in leaving:
                arriving.write(part)
        return writing.rowcount


def lineitem_to_postgres(job: dict[str, Any], phases: Phases) -> int:
    import psycopg

    with psycopg.connect(job["destination"]["dsn"], autocommit=True) as connection:
        connection.execute("create schema bench")
        connection.execute(f"create table bench.lineitem ({_ddl(LINEITEM_COLUMNS, True)})")
    started = time.perf_counter()
    rows = _copy(job, "select * from lineitem", "bench.lineitem")
    phases.timed("write", started)
    return rows


def records_to_duckdb(job: dict[str, Any], phases: Phases, moves_last_seen: bool) -> int:
    """Prepare, merge or resight in DuckDB; the table has last_seen and a hash beside the 22 fields."""
    import duckdb

    connection = duckdb.connect(job["destination"]["path"])
    connection.execute("create schema if not exists bench; set preserve_insertion_order = false")
    columns = ", ".join(RECORD_COLUMNS)
    if job["step"] == "prepare":
        connection.execute(
            f"create table bench.records ({_ddl(RECORD_COLUMNS, False)}, last_seen timestamptz, hash ubigint)"
        )
    started = time.perf_counter()
    connection.execute(f"create temp table arrived ({_ddl(RECORD_COLUMNS, False)})")
    rows = _adbc_into_duckdb(job, connection, RECORD_COLUMNS, "arrived")
    phases.timed("read", started)
    started = time.perf_counter()
    connection.execute("begin")
    stage = (
        f"(select {columns}, '{job['now']}'::timestamptz as last_seen, hash({columns}) as hash from arrived)"
    )
    if job["step"] == "prepare":
        connection.execute(f"insert into bench.records from {stage}")
    else:
        connection.execute(f"create temp table stage as from {stage}")
        connection.execute(
            "create temp table differing as select s.* from stage s left join bench.records r using (id) "
            "where r.id is null or r.hash <> s.hash"
        )
        connection.execute("delete from bench.records where id in (select id from differing)")
        connection.execute("insert into bench.records from differing")
        if moves_last_seen and job["workload"].startswith("resight"):
            connection.execute(
                f"update bench.records set last_seen = '{job['now']}' where id in (select id from stage)"
            )
    connection.execute("commit")
    connection.close()
    phases.timed("write", started)
    return rows


def records_to_postgres(job: dict[str, Any], phases: Phases, moves_last_seen: bool) -> int:
    """Prepare, merge or resight in PostgreSQL; `bench.seen` holds the last_seen of each key."""
    import psycopg

    dsn, columns = job["destination"]["dsn"], list(RECORD_COLUMNS)
    ddl = _ddl(RECORD_COLUMNS, True)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("create schema if not exists bench")
        if job["step"] == "prepare":
            connection.execute(f"create table bench.records ({ddl})")
        else:
            connection.execute(f"create unlogged table bench.stage ({ddl})")
    started = time.perf_counter()
    query = _select(job, dict.fromkeys(columns, "VARCHAR"))
    rows = _copy(job, query, "bench.records" if job["step"] == "prepare" else "bench.stage")
    phases.timed("read", started)
    started = time.perf_counter()
    with psycopg.connect(dsn) as connection:
        connection.execute("set local work_mem = '256MB'")
        if job["step"] == "prepare":
            connection.execute("alter table bench.records add primary key (id)")
            connection.execute("create table bench.seen (id bigint, last_seen timestamptz)")
            connection.execute("insert into bench.seen select id, %s from bench.records", (job["now"],))
            connection.execute("alter table bench.seen add primary key (id)")
        else:
            connection.execute("analyze bench.stage")
            if job["workload"].startswith("merge"):
                names = ", ".join(f"{name} = excluded.{name}" for name in columns if name != "id")
                connection.execute(
                    "insert into bench.records select * from bench.stage on conflict (id) do update set "
                    f"{names}"
                )
            else:
                _merge_changed_postgres(connection, columns)
            if moves_last_seen and job["workload"].startswith("resight"):
                connection.execute(
                    "update bench.seen v set last_seen = %s from bench.stage s where s.id = v.id",
                    (job["now"],),
                )
            connection.execute("drop table bench.stage")
    phases.timed("write", started)
    return rows


def main() -> None:
    job, phases = read_job(), Phases()
    variant = sys.argv[sys.argv.index("--variant") + 1] if "--variant" in sys.argv else "limit"
    into_duckdb = job["destination"]["kind"] == "duckdb"
    workload = job["workload"]
    if workload.startswith("streams50"):
        rows = streams(job, phases)
    elif job["source"]["kind"] == "rest":
        rows = (rest_to_duckdb if into_duckdb else rest_to_postgres)(job, phases)
    elif variant == "extension":
        rows = lineitem_by_extension(job, phases)
    elif job["streams"] == ["lineitem"]:
        rows = (lineitem_to_duckdb if into_duckdb else lineitem_to_postgres)(job, phases)
    else:
        rows = (records_to_duckdb if into_duckdb else records_to_postgres)(job, phases, variant == "limit")
    report(rows, **phases)


if __name__ == "__main__":
    main()
