"""SQLite as a source: tables and views of one database file.

Access    the file, opened read-only; nothing can be attached to it, and no extension is loaded.
Reading   one query per read in one read transaction, so that it sees one moment; rows into columns here.
Types     SQLite types values, not columns. A column's declared type says what is expected; a value of another
          kind goes on as text. Where nothing is declared, the first value that is there decides.
Filter    a column declared as date or time (text in ISO 8601, brought to one form by SQLite's own strftime,
          milliseconds), or any integer column, epochs included; both bounds included.
Resuming  whole reads of tables with an INTEGER PRIMARY KEY, which lie in its order.
Deletes   are not shown; full reads prove absence.
"""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import cast

from pydantic import BaseModel, Field

from propexo_connect.connection.duration import Duration
from propexo_connect.connectors.base import Source
from propexo_connect.connectors.database import TableSettings, TableSource
from propexo_connect.connectors.sqlite_file import SqliteDatabase
from propexo_connect.connectors.table_name import parse_name
from propexo_connect.model.clock import Clock
from propexo_connect.model.stream import Stream


class SqliteConfig(TableSettings):
    """A SQLite database file to read."""

    path: str = Field(min_length=1, description="The file: /srv/app/app.db. It is never written.")
    is_immutable: bool = Field(
        default=False,
        description="Whether nobody writes the file while it is read; WAL files on read-only media need it.",
    )
    lock_timeout: Duration = Field(
        default=timedelta(minutes=1), description="How long to wait for a file that somebody has locked."
    )


@dataclass(frozen=True)
class SqliteConnector:
    """SQLite as a kind of source."""

    name: str = "sqlite"
    title: str = "SQLite"
    category: str = "Databases and files"
    kind: str = "sqlite"
    config: type[BaseModel] = SqliteConfig

    def streams(self, config: BaseModel) -> Sequence[Stream]:  # noqa: ARG002 - each file has its own
        return ()

    def stream(self, config: BaseModel, name: str) -> Stream | None:  # noqa: ARG002
        table = parse_name(name, SqliteDatabase.schema)
        return None if table is None else Stream(name, table=table)

    @contextmanager
    def open(self, config: BaseModel, clock: Clock) -> Generator[Source]:
        given = cast(SqliteConfig, config)
        database = SqliteDatabase(
            Path(given.path).expanduser(), given.lock_timeout, is_immutable=given.is_immutable
        )
        yield TableSource(database, given, clock)


connector = SqliteConnector()
