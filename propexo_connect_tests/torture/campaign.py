"""Kill a sync again and again at random moments; then ask whether anything is lost, doubled or ahead.

`python -m propexo_connect_tests.torture.campaign --kills 1000` runs a campaign per destination and
prints its counts; the test suite runs a short one.
"""

import argparse
import multiprocessing
import os
import random
import signal
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import psycopg
from rich.console import Console
from rich.table import Table

from propexo_connect.simulators.happyco import HappyCo, advance, happyco_demo_population
from propexo_connect.simulators.population import Population
from propexo_connect_tests.servers import fresh_database, throw_away_postgres
from propexo_connect_tests.torture.worker import STREAMS, sync_once

_PRELOADED = ["propexo_connect_tests.torture.worker"]

_KEYS = {"properties": "id", "inspections": "id", "work_orders": "id", "members": "user_id"}


@dataclass
class Tally:
    """What a campaign found; all but the first two must be zero."""

    kills: int = 0
    finished: int = 0
    lost: int = 0
    doubled: int = 0
    stale: int = 0
    ahead: int = 0
    history_faults: int = 0
    notes: list[str] = field(default_factory=list[str])

    @property
    def is_clean(self) -> bool:
        """Whether nothing was lost, doubled, stale or ahead."""
        return self.lost == self.doubled == self.stale == self.ahead == self.history_faults == 0


class Warehouse:
    """The destination as an outside observer sees it."""

    def __init__(self, address: str) -> None:
        self._address = address

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """What a query yields; nothing while the tables are not there yet."""
        try:
            if self._address.startswith("postgresql://"):
                with psycopg.connect(self._address) as connection:
                    return connection.execute(sql.encode()).fetchall()
            with duckdb.connect(self._address) as connection:
                connection.execute("set timezone = 'UTC'")
                return connection.execute(sql).fetchall()
        except (duckdb.CatalogException, psycopg.errors.UndefinedTable):
            return []


def campaign(address: str, kills: int, seed: int) -> Tally:
    """Kill `kills` syncs of a vendor whose data goes on changing, then let one finish and compare."""
    chance = random.Random(seed)
    tally = Tally()
    population = happyco_demo_population(seed, datetime.now(UTC))
    warehouse = Warehouse(address)
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(_PRELOADED)
    with HappyCo(population) as vendor:
        login = (vendor.url, vendor.credentials.email, vendor.credentials.password)
        span_s = 1.0
        while tally.kills < kills:
            ours, theirs = processes.Pipe()
            child = processes.Process(
                target=sync_once, args=(address, login, f"sync-{tally.kills}-{tally.finished}", theirs)
            )
            child.start()
            theirs.close()
            ours.recv()
            began = time.monotonic()
            child.join(chance.uniform(0, span_s))
            if child.is_alive() and child.pid is not None:
                os.kill(child.pid, signal.SIGKILL)
                tally.kills += 1
                child.join()
            else:
                tally.finished += 1
                span_s = max(0.2, time.monotonic() - began)
            tally.ahead += _ahead(warehouse, population, tally)
            advance(population, datetime.now(UTC))
        ours, theirs = processes.Pipe()
        last = processes.Process(target=sync_once, args=(address, login, "sync-last", theirs))
        last.start()
        ours.recv()
        failures = ours.recv()
        last.join()
        if failures:
            tally.notes += failures
            tally.lost += 1
        _compare(warehouse, vendor, population, tally)
    return tally


def _ahead(warehouse: Warehouse, population: Population, tally: Tally) -> int:
    """Records that a complete tile claims and the table does not have.

    The vendor stamps whole seconds, so a record made after a read may carry a time before the tile's end:
    the second in which a tile ends is claimed by the next one, which asks from the start of that second.
    """
    ahead = 0
    for stream in ("inspections", "work_orders"):
        claimed = warehouse.rows(
            "select tile_start, tile_end from _propexo.windows "
            f"where stream = '{stream}' and is_complete and reading = 'recurring'"
        )
        if not claimed:
            continue
        present = {str(key) for (key,) in warehouse.rows(f"select id from happyco.{stream}")}
        for key, record in population.truth(stream).items():
            created = datetime.fromisoformat(str(record["createdAt"]))
            covered = any(start <= created < end.replace(microsecond=0) for start, end in claimed)
            if covered and str(key) not in present:
                ahead += 1
                tally.notes.append(f"{stream} {key} created {created} is covered and missing")
    return ahead


def _compare(warehouse: Warehouse, vendor: HappyCo, population: Population, tally: Tally) -> None:
    for stream in STREAMS:
        key = _KEYS[stream]
        # A record that only killed syncs were served, and that then left the list, nobody can have.
        there = population.truth(stream).keys()
        served = {
            str(each[-1] if isinstance(each, tuple) else each)
            for each in vendor.served(stream)
            if each in there
        }
        keys = [str(found) for (found,) in warehouse.rows(f"select {key} from happyco.{stream}")]
        tally.doubled += len(keys) - len(set(keys))
        tally.lost += len(served - set(keys))
        open_versions = warehouse.rows(
            f"select count(*) from happyco.{stream}__history where valid_to is null"
        )
        if open_versions and open_versions[0][0] != len(keys):
            tally.history_faults += 1
    status = dict(warehouse.rows("select id, status from happyco.work_orders"))
    # Work orders can be filtered by creation only: what is older than the lookback waits for a full read.
    expected = datetime.now(UTC) - timedelta(days=29)
    for key, record in population.truth("work_orders").items():
        is_due = datetime.fromisoformat(str(record["createdAt"])) > expected
        if is_due and status.get(str(key)) != record["status"]:
            tally.stale += 1
    faulty = warehouse.rows(
        "select count(*) from _propexo.windows "
        "where read <> new + changed + unchanged + superseded + rejected"
    )
    tally.lost += faulty[0][0]


def main() -> None:
    """Run the campaigns and print their counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    table = Table(
        "destination", "kills", "finished", "lost", "doubled", "stale", "ahead", "history", "seconds"
    )
    with (
        tempfile.TemporaryDirectory() as folder,
        throw_away_postgres() as server,
        fresh_database(server) as database,
    ):
        for name, address in (("duckdb", str(Path(folder) / "torture.duckdb")), ("postgres", database)):
            began = time.monotonic()
            tally = campaign(address, options.kills, options.seed)
            counts = (
                tally.kills,
                tally.finished,
                tally.lost,
                tally.doubled,
                tally.stale,
                tally.ahead,
                tally.history_faults,
            )
            table.add_row(name, *map(str, counts), f"{time.monotonic() - began:.0f}")
            for note in tally.notes[:10]:
                Console(stderr=True).print(note)
    Console().print(table)


if __name__ == "__main__":
    main()
