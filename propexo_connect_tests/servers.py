"""Throw-away servers for tests."""

import secrets
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from propexo_connect.simulators.postgres import EmbeddedPostgres


@contextmanager
def throw_away_postgres() -> Generator[str]:
    """A PostgreSQL server on 127.0.0.1 that is gone afterwards; gives the URL of its database `postgres`."""
    folder = Path(tempfile.mkdtemp(prefix="propexo-postgres-"))
    # The server runs as another user when root runs the tests, and must be able to enter.
    folder.chmod(0o711)
    try:
        with EmbeddedPostgres(folder, durable=False) as server:
            yield server.url
    finally:
        shutil.rmtree(folder)


@contextmanager
def fresh_database(server_url: str) -> Generator[str]:
    """An empty database on that server, dropped afterwards with whoever is still connected; gives its URL."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    try:
        yield urlsplit(server_url)._replace(path=f"/{name}").geturl()
    finally:
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))
