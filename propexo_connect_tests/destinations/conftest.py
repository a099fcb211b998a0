"""Each test that asks for `bench` runs once per destination."""

from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import pytest

from propexo_connect.destinations import DESTINATIONS
from propexo_connect.destinations.base import Destination
from propexo_connect.destinations.duckdb import DuckDBConfig
from propexo_connect_tests.destinations.kit import Bench


def configured(name: str, options: Mapping[str, Any]) -> Destination:
    """A destination of this name."""
    kind = DESTINATIONS[name]
    return kind.configure(kind.config.model_validate(options))


def duckdb_settings(path: str) -> dict[str, Any]:
    """The settings with which a destination of this path opens its file."""
    return DuckDBConfig(path=path).model_dump(exclude={"path"}, exclude_none=True)


def ask(name: str, options: Mapping[str, Any], sql: str) -> list[tuple[Any, ...]]:
    """Rows of a statement, on a connection of its own."""
    if name == "duckdb":
        import duckdb

        # DuckDB opens a file a second time in one process only with the settings of the first.
        with duckdb.connect(options["path"], config=duckdb_settings(options["path"])) as connection:
            connection.execute("set timezone = 'UTC'")
            return connection.execute(sql).fetchall()
    import psycopg

    with psycopg.connect(options["url"]) as connection:
        connection.execute("set timezone = 'UTC'")
        cursor = connection.execute(sql.encode())
        return cursor.fetchall() if cursor.description else []


@pytest.fixture(params=["duckdb", "postgres"])
def options(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """What configures the destination under test; its name is in `name`."""
    if request.param == "duckdb":
        return {"name": "duckdb", "path": str(tmp_path / "folder" / "warehouse.duckdb")}
    return {"name": "postgres", "url": request.getfixturevalue("postgres_url")}


@pytest.fixture
def bench(options: dict[str, str]) -> Generator[Bench]:
    """A fresh destination, opened."""
    settings = {key: value for key, value in options.items() if key != "name"}
    name = options["name"]
    destination = configured(name, settings)
    with destination.open() as session:
        yield Bench(name, destination, session, lambda sql: ask(name, settings, sql), settings)
