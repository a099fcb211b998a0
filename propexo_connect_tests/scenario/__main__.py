"""Sixty days of a vendor that hides and deletes, replayed at full size; every verdict against the truth.

    python -m propexo_connect_tests.scenario                          into DuckDB, then into PostgreSQL
    python -m propexo_connect_tests.scenario --page docs/scenario.md  write the page of the run as well

The last line counts all destinations together; the command fails when a verdict was false or a deletion
missed.
"""

import argparse
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from pydantic import SecretStr
from rich.console import Console

from propexo_connect.destinations.base import Destination
from propexo_connect.destinations.duckdb import DuckDBConfig
from propexo_connect.destinations.duckdb.writer import DuckDB
from propexo_connect.destinations.postgres import PostgresConfig
from propexo_connect.destinations.postgres.writer import Postgres
from propexo_connect_tests.scenario.days import Replay
from propexo_connect_tests.scenario.figures import Figures, figures_of, last_line, page, table
from propexo_connect_tests.servers import fresh_database, throw_away_postgres

DESTINATIONS = ("duckdb", "postgres")


@contextmanager
def opened(name: str) -> Generator[Destination]:
    """A throw-away destination of this kind."""
    if name == "duckdb":
        with tempfile.TemporaryDirectory() as folder:
            yield DuckDB(DuckDBConfig(path=str(Path(folder) / "scenario.duckdb")))
        return
    with throw_away_postgres() as server, fresh_database(server) as url:
        yield Postgres(PostgresConfig(url=SecretStr(url)))


def main() -> int:
    """Run the scenario and print what it found; 1 when something was false or missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--every", type=float, default=6, help="hours between two syncs")
    parser.add_argument("--scale", type=float, default=1.0, help="how many records, against full size")
    parser.add_argument("--seed", type=int, default=20260220)
    parser.add_argument("--destination", choices=DESTINATIONS, action="append")
    parser.add_argument("--page", type=Path, help="where to write the figures as a page")
    options = parser.parse_args()
    command = " ".join(["python -m propexo_connect_tests.scenario", *sys.argv[1:]])
    shown, noted = Console(width=160), Console(stderr=True)
    found: list[Figures] = []
    for name in options.destination or DESTINATIONS:
        with opened(name) as destination:
            replay = Replay(
                destination,
                options.days,
                timedelta(hours=options.every),
                options.scale,
                options.seed,
                said=lambda line, name=name: noted.print(f"{name}, {line}", highlight=False),
            )
            replay.run()
        found.append(figures_of(name, replay))
        shown.print(table(found[-1]))
        for note in (*replay.tally.false.values(), *replay.tally.missed.values()):
            noted.print(note, highlight=False)
        if options.page:
            options.page.write_text(page(found, command))
    shown.print(last_line(found), highlight=False)
    return 0 if all(each.is_clean for each in found) else 1


if __name__ == "__main__":
    sys.exit(main())
