"""Fixtures that every test may ask for."""

from collections.abc import Generator

import pytest

from propexo_connect_tests.servers import fresh_database, throw_away_postgres


@pytest.fixture(scope="session")
def postgres_server() -> Generator[str]:
    """URL of a PostgreSQL server that lives as long as the test session."""
    with throw_away_postgres() as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server: str) -> Generator[str]:
    """URL of an empty PostgreSQL database, dropped after the test."""
    with fresh_database(postgres_server) as url:
        yield url
