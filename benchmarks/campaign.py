"""One campaign: rounds in which the contestants of a workload alternate, each in a process and destination of
its own.

After every measurement the destination is read: its rows, its distinct keys and the sum that tells which
versions landed must be the source's. Anything else voids the measurement; the reason is reported in its
place.
"""

import json
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb
import httpx
import psycopg

from benchmarks import measure
from benchmarks.contestants import CONTESTANTS
from benchmarks.job import SCHEMA, Job
from benchmarks.postgres import Footprint, Server
from benchmarks.venvs import HOME
from benchmarks.workloads import NOW, PAGE_SIZE, SINCE, STREAMS, Workload

Truth = tuple[int, int, int]
"""Rows, distinct keys, and the sum of `revision` (`l_linenumber` of lineitem) of one stream."""

_CHECK = {
    "records": "select count(*), count(distinct id), coalesce(sum(revision), 0) from {}",
    "lineitem": "select count(*), count(distinct (l_orderkey, l_linenumber)), sum(l_linenumber) from {}",
}


@dataclass(frozen=True, slots=True)
class Measurement:
    """One step of one contestant in one round. `void` says why it does not count; None means it does."""

    step: str
    round: int
    wall_s: float
    cpu_s: float
    peak_bytes: int
    server_cpu_s: float
    wal_bytes: int
    rows_updated: int
    rows_deleted: int
    requests: int
    seconds: float | None
    phases: dict[str, float] = field(default_factory=dict)
    void: str | None = None


class Void(Exception):
    """The measurement does not count; the message says why."""


class Rest:
    """The REST server's control."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def control(self, **wish: float) -> dict[str, float]:
        return httpx.post(f"{self.url}/_control", json=wish, timeout=120).raise_for_status().json()


class Campaign:
    """State of one campaign: the two servers, the scale, and how long one process may take."""

    def __init__(
        self, server: Server, rest: Rest, scale: float, limit_s: float, say: Callable[[str], None]
    ) -> None:
        self.server, self.rest, self.scale, self.limit_s, self.say = server, rest, scale, limit_s, say
        self.folder = HOME / "work"

    def size(self, workload: Workload) -> int:
        """Records of the workload at this scale: whole pages, and at least four of them."""
        if workload.source == "streams":
            return workload.size
        return max(4, round(workload.size * self.scale / PAGE_SIZE)) * PAGE_SIZE

    def arriving(self, workload: Workload) -> int:
        return max(2_000, round(workload.arriving * self.scale)) if workload.arriving else 0

    # What a contestant is asked

    def _source(self, workload: Workload, step: str) -> dict[str, Any]:
        size = self.size(workload)
        if workload.source in {"rest", "streams"}:
            self.rest.control(
                records=size if workload.source == "rest" else 0, latency_ms=workload.latency_ms
            )
            paths = (
                {"records": "/records"}
                if workload.source == "rest"
                else {name: f"/s/{name[2:]}" for name in STREAMS}
            )
            return {
                "kind": "rest", "url": self.rest.url, "paths": paths,
                "records_at": "data", "next_at": "meta.next", "total_at": "meta.total",
                "page_size": PAGE_SIZE, "concurrency": workload.concurrency,
                "latency_ms": workload.latency_ms, "records": size,
            }  # fmt: skip
        if workload.source == "lineitem":
            database = self.server.lineitem(size)
        elif step == "prepare":
            database = self.server.records(size)
        elif workload.arriving:
            database = self.server.merged(size, self.arriving(workload))
        else:
            database = self.server.resighted(size, workload.share)
        return {"kind": "postgres", "dsn": self.server.dsn(database), "schema": "public"}

    def _job(self, workload: Workload, step: str, name: str) -> Job:
        folder = self.folder / name
        streams = {"rest": ["records"], "streams": list(STREAMS), "lineitem": ["lineitem"]}
        if workload.destination == "duckdb":
            destination = {"kind": "duckdb", "path": str(folder / "destination.duckdb"), "schema": SCHEMA}
        else:
            destination = {"kind": "postgres", "dsn": self.server.dsn(f"bench_{name}"), "schema": SCHEMA}
        return Job(
            workload=workload.name,
            step=step,
            streams=streams.get(workload.source, ["records"]),
            key=["l_orderkey", "l_linenumber"] if workload.source == "lineitem" else ["id"],
            source=self._source(workload, step),
            cursor=workload.cursor,
            since=SINCE if workload.cursor and step == "run" else None,
            now=NOW[step],
            destination=destination,
            is_orchestrated=False,
            directory=folder,
        )

    def _truth(self, workload: Workload, step: str) -> Truth:
        size = self.size(workload)
        if workload.source == "streams":
            return PAGE_SIZE, PAGE_SIZE, 0
        if workload.source == "rest":
            return size, size, 0
        source = self._source(workload, step)
        stream = "lineitem" if workload.source == "lineitem" else "records"
        with psycopg.connect(source["dsn"]) as connection:
            row = connection.execute(_CHECK[stream].format(stream)).fetchone()  # type: ignore[arg-type]
        assert row is not None
        return int(row[0]), int(row[1]), int(row[2])

    # The destination before, after, and put back

    def _clear(self, workload: Workload, name: str) -> None:
        for folder in (self.folder / name, self.folder / f"{name}.prepared"):
            shutil.rmtree(folder, ignore_errors=True)
        self.server.drop(f"bench_{name}")
        self.server.drop(f"bench_{name}_prepared")
        (self.folder / name).mkdir(parents=True)
        if workload.destination == "postgres":
            self.server.create(f"bench_{name}")

    def _keep(self, workload: Workload, name: str) -> None:
        if workload.destination == "postgres":
            self.server.execute(f"bench_{name}", "vacuum (analyze)")
            self.server.create(f"bench_{name}_prepared", f"bench_{name}")
        (self.folder / name).rename(self.folder / f"{name}.prepared")

    def _put_back(self, workload: Workload, name: str) -> None:
        shutil.rmtree(self.folder / name, ignore_errors=True)
        shutil.copytree(self.folder / f"{name}.prepared", self.folder / name)
        if workload.destination == "postgres":
            self.server.create(f"bench_{name}", f"bench_{name}_prepared")

    def _check_exit(self, cost: measure.Cost) -> None:
        if cost.exit_code is None:
            raise Void(f"stopped after {self.limit_s:.0f} s")
        if cost.exit_code:
            lines = [line.strip() for line in cost.tail.splitlines() if line.strip()]
            raise Void(f"exit code {cost.exit_code}: {(lines or ['no output'])[-1][:240]}")

    def _check(self, job: Job, truth: Truth, tables: dict[str, str]) -> None:
        for stream in job.streams:
            table = tables.get(stream, f"{SCHEMA}.{stream}")
            query = _CHECK["lineitem" if stream == "lineitem" else "records"].format(table)
            try:
                if job.destination["kind"] == "duckdb":
                    with duckdb.connect(job.destination["path"], read_only=True) as reading:
                        row = reading.execute(query).fetchone()
                else:
                    with psycopg.connect(job.destination["dsn"]) as connection:
                        row = connection.execute(query).fetchone()  # type: ignore[arg-type]
            except (duckdb.Error, psycopg.Error) as error:
                raise Void(f"{table} cannot be read: {str(error).splitlines()[0][:160]}") from error
            assert row is not None
            found = tuple(int(value) for value in row)
            if found != truth:
                raise Void(f"{table} holds (rows, keys, sum of versions) {found}, the source {truth}")

    # One measurement

    def _measure(
        self, workload: Workload, contestant: str, step: str, turn: int, truth: Truth
    ) -> Measurement:
        job = self._job(workload, step, contestant)
        command = CONTESTANTS[contestant].start(job)
        self.rest.control()
        before = self._footprint(job)
        cost = measure.run(command, self.limit_s)
        after = self._footprint(job)
        printed = _last_json(cost.out)
        measured = Measurement(
            step=step,
            round=turn,
            wall_s=cost.wall_s,
            cpu_s=cost.cpu_s,
            peak_bytes=cost.peak_bytes,
            server_cpu_s=after.cpu_s - before.cpu_s,
            wal_bytes=after.wal_bytes - before.wal_bytes,
            rows_updated=after.rows_updated - before.rows_updated,
            rows_deleted=after.rows_deleted - before.rows_deleted,
            requests=int(self.rest.control()["requests"]),
            seconds=printed.get("seconds"),
            phases=printed.get("phases", {}),
        )
        try:
            self._check_exit(cost)
            self._check(job, truth, printed.get("tables", {}))
        except Void as reason:
            return replace(measured, void=str(reason))
        return measured

    def _footprint(self, job: Job) -> Footprint:
        """Counters of the destination; sessions that have just ended hand theirs in within a moment."""
        if job.destination["kind"] != "postgres":
            return Footprint(0, 0, 0, measure.tree_cpu_s(self.server.pid))
        time.sleep(0.3)
        return self.server.counters(job.destination["dsn"].rsplit("/", 1)[1])

    def run(self, workload: Workload, contestants: list[str], rounds: int) -> dict[str, list[Measurement]]:
        """All measurements of `workload`, contestant by contestant; who is void twice is not asked again."""
        steps = [step for step in workload.steps if step != "prepare"]
        truths = {step: self._truth(workload, step) for step in workload.steps}
        found: dict[str, list[Measurement]] = {name: [] for name in contestants}
        taking_part = list(contestants)
        if "prepare" in workload.steps:
            for name in contestants:
                self._clear(workload, name)
                prepared = self._measure(workload, name, "prepare", 0, truths["prepare"])
                self._tell(workload, name, prepared)
                if prepared.void:
                    found[name].append(replace(prepared, step=steps[0], void=f"prepare: {prepared.void}"))
                    taking_part.remove(name)
                else:
                    self._keep(workload, name)
        for turn in range(1, rounds + 1):
            order = (
                taking_part[turn % len(taking_part) :] + taking_part[: turn % len(taking_part)]
                if taking_part
                else []
            )
            for name in order:
                if sum(measured.void is not None for measured in found[name]) >= 2:
                    continue
                if "prepare" in workload.steps:
                    self._put_back(workload, name)
                else:
                    self._clear(workload, name)
                for step in steps:
                    measured = self._measure(workload, name, step, turn, truths[step])
                    found[name].append(measured)
                    self._tell(workload, name, measured)
                    if measured.void:
                        break
        for name in contestants:
            self._clear(workload, name)
            self.server.drop(f"bench_{name}")
            shutil.rmtree(self.folder / name, ignore_errors=True)
        return found

    def _tell(self, workload: Workload, name: str, measured: Measurement) -> None:
        if measured.void:
            self.say(f"{workload.name} {measured.step} {name}: void, {measured.void}")
            return
        self.say(
            f"{workload.name} {measured.step} {name} #{measured.round}: {measured.wall_s:.2f} s, CPU "
            f"{measured.cpu_s:.2f} s, {measured.peak_bytes / 2**20:.0f} MiB {measured.phases or ''}"
        )


def _last_json(printed: str) -> dict[str, Any]:
    """The last line that is a JSON object with `seconds`; command-line peers print none."""
    for line in reversed(printed.splitlines()):
        if line.startswith("{"):
            try:
                found = json.loads(line)
            except json.JSONDecodeError:
                continue
            if "seconds" in found:
                return found
    return {}


def as_values(measurements: list[Measurement]) -> list[dict[str, Any]]:
    """For results.json."""
    return [asdict(measured) for measured in measurements]


def complain(text: str) -> None:
    """Progress goes to standard error."""
    print(text, file=sys.stderr, flush=True)


WORK = Path(HOME) / "work"
