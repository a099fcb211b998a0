"""SQL Server as a source (preview): tables and views. Not tested against a live server; see the page.

Servers   SQL Server 2016 and later, Azure SQL Database.
Access    a login with SELECT on the tables; columns it may not read are left out.
Reading   one query per read, streamed; at the isolation level SNAPSHOT where the database allows it, so that
          it sees one moment, else at READ COMMITTED. Rows are made into columns here.
Filter    any rowversion, datetime2, datetime, datetimeoffset, date or integer column, both bounds included.
          A rowversion moves with every change: `lookback_values` covers transactions that commit late.
Resuming  whole reads of tables whose clustered index is the key, where that is made of integers.
Deletes   are not shown; full reads prove absence.
"""

from datetime import timedelta
from typing import Literal

from pydantic import Field, SecretStr

from propexo_connect.connectors.database import TableSettings, TableSource
from propexo_connect.connectors.driver import load
from propexo_connect.connectors.known_by_asking import DATABASES, AskingConnector, stream_of_table
from propexo_connect.model.clock import Clock
from propexo_connect.model.duration import Duration

SCHEMA = "dbo"
"""Where tables lie whose name tells no schema."""


class SqlServerConfig(TableSettings):
    """A SQL Server database to read."""

    host: str = Field(min_length=1, description="Name or address of the server.")
    port: int = Field(default=1433, ge=1, le=65535, description="Its port.")
    database: str = Field(min_length=1, description="The database to read.")
    user: str = Field(min_length=1, description="The login; one that can only read is best.")
    password: SecretStr = Field(description="The login's password.")
    encryption: Literal["require", "request", "off"] = Field(
        default="require", description="Whether the connection is encrypted; certificates are not checked."
    )
    schemas: tuple[str, ...] = Field(
        default=(SCHEMA,), min_length=1, description="Schemas whose tables are offered by discovery."
    )
    statement_timeout: Duration = Field(
        default=timedelta(hours=6),
        description="The longest time that the server may be silent while it reads.",
    )
    lock_timeout: Duration = Field(
        default=timedelta(minutes=1), description="How long to wait for a table that somebody has locked."
    )


def opened(config: SqlServerConfig, clock: Clock) -> TableSource:
    """The database of a configuration; connects with the first question."""
    server = load("propexo_connect.connectors.sqlserver_server", "sqlserver", "SQL Server")
    return TableSource(server.database_of(config), config, clock)


connector = AskingConnector(
    "sqlserver", "SQL Server", DATABASES, SqlServerConfig, stream_of_table(SCHEMA), opened, status="preview"
)
