"""Thirty-six days in small, on both destinations; `make scenario` lives through sixty at full size."""

from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from propexo_connect.destinations.base import Destination
from propexo_connect.destinations.duckdb import DuckDBConfig
from propexo_connect.destinations.duckdb.writer import DuckDB
from propexo_connect.destinations.postgres import PostgresConfig
from propexo_connect.destinations.postgres.writer import Postgres
from propexo_connect.model.absence import Verdict
from propexo_connect_tests.scenario.days import ALL, DAY, FIRST_DAY, Replay
from propexo_connect_tests.scenario.vendor import Reason
from propexo_connect_tests.scenario.verdicts import Tally, judge
from propexo_connect_tests.scenario.world import World

DAYS = 36
"""Long enough for the first deletions to be presumed, and for the days on which something goes wrong."""


def small(destination: Destination, *streams: str, days: int = DAYS, declares: bool = True) -> Replay:
    """The scenario with a tenth of the records, a sync every other day and a look every week."""
    return Replay(destination, days, 2 * DAY, 0.1, look_every=7, declares=declares, streams=streams or ALL)


def duckdb_in(folder: Path) -> DuckDB:
    return DuckDB(DuckDBConfig(path=str(folder / "scenario.duckdb")))


def told(tally: Tally) -> list[str]:
    return [*tally.false.values(), *tally.missed.values()]


@pytest.mark.parametrize("name", ["duckdb", "postgres"])
def test_no_live_record_is_presumed_deleted_and_every_covered_deletion_is_found(
    name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if name == "duckdb":
        destination: Destination = duckdb_in(tmp_path)
    else:
        destination = Postgres(PostgresConfig(url=SecretStr(request.getfixturevalue("postgres_url"))))
    replay = small(destination)
    tally = replay.run()
    assert told(tally) == []
    assert replay.failed > 0
    assert len(tally.covered) == tally.found > 50
    assert sum(tally.presumed.values()) > 5
    assert len(tally.explained[Reason.QUIET]) > 5


def test_a_filter_that_nobody_declares_makes_live_records_look_deleted(tmp_path: Path) -> None:
    """What the declaration prevents; and that the scenario would see it."""
    replay = small(duckdb_in(tmp_path), "inspections", days=50, declares=False)
    assert "is live, and presumed deleted" in " ".join(told(replay.run()))


def test_a_verdict_that_overlooks_a_deletion_is_noticed(tmp_path: Path) -> None:
    replay = small(duckdb_in(tmp_path), "messages", days=12)
    replay.run()
    rows = replay.rows("messages")
    blind = {key: replace(row, verdict=Verdict.NOT_COVERED) for key, row in rows.items()}
    tally = Tally()
    judge(replay.vendor, "messages", blind, replay.clock.now(), tally, is_declared=False)
    assert len(tally.missed) == len(tally.covered) > 1


def test_an_absence_that_the_vendor_announced_is_noticed_as_false(tmp_path: Path) -> None:
    replay = small(duckdb_in(tmp_path), "messages", days=6)
    replay.run()
    rows = replay.rows("messages")
    wrong = {
        key: replace(row, verdict=Verdict.ABSENT)
        for key, row in rows.items()
        if row.verdict is Verdict.NOT_COVERED
    }
    tally = Tally()
    judge(replay.vendor, "messages", wrong, replay.clock.now(), tally, is_declared=False)
    assert len(tally.false) + len(tally.covered) == len(wrong) > 0


def test_one_seed_lives_one_life() -> None:
    lives: list[list[object]] = []
    for _ in range(2):
        world = World(7, FIRST_DAY, 0.1)
        world.advance(FIRST_DAY + 20 * DAY)
        lives.append([world.population.truth(stream) for stream in ALL])
    assert lives[0] == lives[1]
