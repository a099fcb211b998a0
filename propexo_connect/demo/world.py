"""The demo's systems: a simulated HappyCo, an accounting database, and a folder of dropped files."""

import csv
import os
import random
import tempfile
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import psycopg

from propexo_connect.simulators.happyco import HappyCo
from propexo_connect.simulators.happyco_demo import advance, happyco_demo_population
from propexo_connect.simulators.population import Population
from propexo_connect.simulators.postgres import EmbeddedPostgres

SEED = 7
FOLDER = Path(".demo")
"""Below the project's folder: the warehouse file and the dropped files."""

_FIRST = ("Alex", "Bao", "Carla", "Deniz", "Emeka", "Fumi", "Grace", "Hana", "Ivan", "Jo", "Kim", "Lena")
_LAST = (
    "Ames",
    "Brook",
    "Castillo",
    "Dorsey",
    "Ek",
    "Frost",
    "Greene",
    "Hale",
    "Ito",
    "Jones",
    "Khan",
    "Lopez",
)

_TABLES = """
create table public.tenants (
    tenant_id integer primary key,
    name text not null,
    email text not null,
    since date not null
);
comment on table public.tenants is 'People who pay rent';
create table public.payments (
    payment_id integer primary key,
    tenant_id integer not null references public.tenants,
    amount numeric(10, 2) not null,
    method text not null,
    status text not null,
    paid_at timestamptz not null,
    updated_at timestamptz not null
);
comment on table public.payments is 'Rent and fees, as they were paid';
"""


@dataclass(frozen=True)
class World:
    """The running systems; `environment` is what the demo's connection files refer to."""

    population: Population
    database_url: str
    folder: Path
    environment: dict[str, str]

    def let_a_day_go_by(self) -> None:
        """Change what changes in a day: records, payments, a file more."""
        now = datetime.now(UTC)
        self.live(now)
        _remember(self.folder, now)

    def live(self, now: datetime) -> None:
        """Make the changes of a day that ends at an instant; the same changes for the same days."""
        advance(self.population, now)
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            connection.execute(
                "update public.payments set status = 'settled', updated_at = %s "
                "where status = 'pending' and payment_id %% 2 = 0",
                [now],
            )
            _pay(connection, 40, now)
        _drop_leases(self.folder, self.population, 2)


@contextmanager
def world(folder: Path = FOLDER) -> Generator[World]:
    """The demo's systems on loopback, until the context ends; as an earlier demo in the folder left them."""
    (folder / "drop").mkdir(parents=True, exist_ok=True)
    now, *days = _lived(folder) or [datetime.now(UTC)]
    population = happyco_demo_population(SEED, now)
    with ExitStack() as running:
        vendor = running.enter_context(HappyCo(population))
        # In a folder of its own for temporary files: run by root, the server runs as somebody else,
        # who may not enter root's folders.
        cluster = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="propexo-demo-")))
        cluster.chmod(0o755)
        server = running.enter_context(EmbeddedPostgres(cluster / "postgres", durable=False))
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute(_TABLES)
            _move_in(connection)
            _pay(connection, 1_500, now)
        _drop_leases(folder, population, 1)
        environment = {
            "HAPPYCO_DEMO_URL": vendor.url,
            "HAPPYCO_DEMO_EMAIL": vendor.credentials.email,
            "HAPPYCO_DEMO_PASSWORD": vendor.credentials.password,
            "PAYMENTS_DEMO_URL": server.url,
        }
        os.environ.update(environment)
        lived = World(population, server.url, folder, environment)
        for day in days:
            lived.live(day)
        if not days:
            _remember(folder, now, begins=True)
        yield lived


def _lived(folder: Path) -> list[datetime]:
    """The beginning and the end of each day since, none before the first demo."""
    days = folder / "days.txt"
    return [datetime.fromisoformat(line) for line in days.read_text().split()] if days.exists() else []


def _remember(folder: Path, day: datetime, *, begins: bool = False) -> None:
    with (folder / "days.txt").open("w" if begins else "a") as days:
        days.write(f"{day.isoformat()}\n")


def _move_in(connection: psycopg.Connection) -> None:
    people = random.Random(SEED)
    with connection.cursor().copy("copy public.tenants from stdin") as rows:
        for number in range(1, 401):
            first, last = people.choice(_FIRST), people.choice(_LAST)
            since = date(2020, 1, 1) + timedelta(days=people.randrange(2_000))
            rows.write_row((number, f"{first} {last}", f"tenant{number}@example.com", since))


def _pay(connection: psycopg.Connection, count: int, now: datetime) -> None:
    """Add payments of the last 25 days; the newest are still pending."""
    chance = random.Random(SEED + count)
    found = connection.execute("select coalesce(max(payment_id), 0) from public.payments").fetchone()
    last = int(found[0]) if found else 0
    with connection.cursor().copy("copy public.payments from stdin") as rows:
        for number in range(last + 1, last + count + 1):
            age = timedelta(minutes=chance.randrange(25 * 24 * 60)) if last == 0 else timedelta(0)
            rows.write_row(
                (
                    number,
                    chance.randrange(1, 401),
                    f"{chance.randrange(50_000, 320_000) / 100:.2f}",
                    chance.choice(("ach", "card", "check")),
                    "pending" if age < timedelta(days=3) else "settled",
                    now - age,
                    now - age,
                )
            )


def _drop_leases(folder: Path, population: Population, number: int) -> None:
    """Write the n-th file of the drop, once: the first has a lease for each unit, later ones the renewed."""
    dropped = folder / "drop" / f"leases-{number}.csv"
    if dropped.exists():
        return
    chance = random.Random(SEED * number)
    units = sorted(str(unit["id"]) for unit in population.truth("units").values())
    chosen = units if number == 1 else chance.sample(units, 25)
    # Written beside and moved into place, as a well-behaved system does.
    partial = dropped.with_suffix(".partial")
    with partial.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["lease_id", "unit_id", "tenant", "zip", "rent", "starts_on", "ends_on", "renewed"])
        for unit in chosen:
            starts = date(2025, 1, 1) + timedelta(days=chance.randrange(500))
            rent = f"{chance.randrange(90_000, 320_000) / 100:.2f}"
            tenant = f"{chance.choice(_FIRST)} {chance.choice(_LAST)}"
            ends = starts + timedelta(days=364)
            zip_code = f"0{chance.randrange(1000, 9999)}"
            rows.writerow([f"L-{unit}", unit, tenant, zip_code, rent, starts, ends, number > 1])
    partial.replace(dropped)
