"""MySQL and MariaDB as sources: tables and views.

Servers   MySQL 5.7 and later, MariaDB 10.3 and later. Tested against MariaDB; see the page.
Access    a user with SELECT on the tables; columns it may not read are left out. PROCESS lets it see how long
          others' transactions have been writing.
Reading   one query per read in one consistent-snapshot, read-only transaction, streamed: neither side holds
          more than a batch. Rows are taken off the wire and made into columns many at a time.
Filter    any datetime, timestamp, date or integer column that the connection names, both bounds included.
          `NOW()` and AUTO_INCREMENT are given out before the commit: `lag` and `lookback_values` cover that.
Resuming  whole reads of InnoDB tables, which lie in the order of their primary key.
Deletes   are not shown; full reads prove absence.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal
from urllib.parse import unquote, urlsplit

from pydantic import Field, SecretStr

from propexo_connect.connectors.database import TableSettings, TableSource
from propexo_connect.connectors.driver import load
from propexo_connect.connectors.known_by_asking import DATABASES, AskingConnector, stream_of_table
from propexo_connect.model.clock import Clock
from propexo_connect.model.duration import Duration
from propexo_connect.model.errors import ConfigurationError

SslMode = Literal["disable", "prefer", "require", "verify-ca", "verify-full"]


class MySqlConfig(TableSettings):
    """A MySQL or MariaDB database to read."""

    url: SecretStr | None = Field(
        default=None,
        description="mysql://user:password@host:3306/database; single fields win over its parts.",
    )
    host: str | None = Field(default=None, description="Name or address of the server.")
    port: int | None = Field(default=None, ge=1, le=65535, description="Its port, 3306 by default.")
    database: str | None = Field(
        default=None, description="Where tables lie whose stream names no database; discovery offers them."
    )
    user: str | None = Field(default=None, description="The user; one that can only read is best.")
    password: SecretStr | None = Field(default=None, description="The user's password.")
    sslmode: SslMode = Field(
        default="prefer",
        description="How the connection is encrypted; `verify-full` outside of your own network.",
    )
    ssl_ca: str | None = Field(
        default=None,
        description="File with the certificates that are trusted, those of the system if not set.",
    )
    databases: tuple[str, ...] = Field(
        default=(), description="Databases whose tables are offered by discovery, `database` if not set."
    )
    tinyint1_is_boolean: bool = Field(
        default=True,
        description="Whether tinyint(1) is a boolean; other values than 0 and 1 are misfits then.",
    )
    statement_timeout: Duration = Field(
        default=timedelta(hours=6), description="The longest time that reading one table may take."
    )
    lock_timeout: Duration = Field(
        default=timedelta(minutes=1), description="How long to wait for a table that somebody has locked."
    )


@dataclass(frozen=True)
class Address:
    """Where the server is and who asks; its text names no secret."""

    host: str
    port: int
    user: str | None
    password: SecretStr | None
    database: str

    def __str__(self) -> str:
        return f"MySQL {self.host}:{self.port}/{self.database}"


def address(config: MySqlConfig) -> Address:
    """The address of a configuration; single fields win over the URL.

    Raises:
        ConfigurationError: the URL cannot be read, or names no database; nothing of it is repeated.
    """
    url = config.url.get_secret_value() if config.url else "mysql:"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in {"mysql", "mariadb"} or parts.query or parts.fragment:
        raise ConfigurationError(
            "the URL of the MySQL source cannot be read",
            expected="mysql://user:password@host:3306/database",
            remedy="Characters such as @ / : # in a password are written as %40 %2F %3A %23.",
        )
    database = config.database or unquote(parts.path.removeprefix("/"))
    if not database:
        raise ConfigurationError("the MySQL source names no database", remedy="Set `database`.")
    return Address(
        config.host or parts.hostname or "localhost",
        config.port or port or 3306,
        config.user or (unquote(parts.username) if parts.username else None),
        config.password or (SecretStr(unquote(parts.password)) if parts.password else None),
        database,
    )


def opened(config: MySqlConfig, clock: Clock) -> TableSource:
    """The database of a configuration; connects with the first question."""
    server = load("propexo_connect.connectors.mysql_server", "mysql", "MySQL")
    return TableSource(server.database_of(config, address(config)), config, clock)


connector = AskingConnector(
    # Which database goes without saying may only be known when the URL's variable is read.
    "mysql", "MySQL", DATABASES, MySqlConfig, stream_of_table(""), opened
)  # fmt: skip
