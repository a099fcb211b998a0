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

from datetime import timedelta
from pathlib import Path

from pydantic import Field

from propexo_connect.connectors.database import TableSettings, TableSource
from propexo_connect.connectors.known_by_asking import DATABASES, AskingConnector, stream_of_table
from propexo_connect.connectors.sqlite_file import SqliteDatabase
from propexo_connect.model.clock import Clock
from propexo_connect.model.duration import Duration


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


def opened(config: SqliteConfig, clock: Clock) -> TableSource:
    """The file of a configuration; opened with the first question."""
    path = Path(config.path).expanduser()
    database = SqliteDatabase(path, config.lock_timeout, is_immutable=config.is_immutable)
    return TableSource(database, config, clock)


connector = AskingConnector(
    "sqlite", "SQLite", DATABASES, SqliteConfig, stream_of_table(SqliteDatabase.schema), opened
)
