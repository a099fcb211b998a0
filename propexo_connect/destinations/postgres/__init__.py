"""PostgreSQL, from version 14.

destination:
  kind: postgres
  host: db.example.com
  database: warehouse
  user: propexo
  password: ${WAREHOUSE_PASSWORD}
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from propexo_connect.destinations.base import Destination

SslMode = Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]


class PostgresConfig(BaseModel):
    """A PostgreSQL database, by its parts or by one URL."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: SecretStr | None = Field(
        default=None, description="postgresql://user:password@host:5432/database, instead of the parts below."
    )
    host: str = Field(default="", description="The server's name or address, or the folder of its socket.")
    port: int = Field(default=5432, ge=1, le=65535, description="The server's port.")
    database: str = Field(default="", description="The database; it must exist.")
    user: str = Field(default="", description="The role to log in as.")
    password: SecretStr | None = Field(default=None, description="The role's password.")
    sslmode: SslMode = Field(
        default="prefer", description="Whether the connection is encrypted and the server proven."
    )
    statement_timeout: timedelta = Field(
        default=timedelta(minutes=30), gt=timedelta(0), description="The longest time one statement may take."
    )
    lock_timeout: timedelta = Field(
        default=timedelta(seconds=30), gt=timedelta(0), description="The longest wait for a lock."
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        parts = (self.host, self.database, self.user)
        if self.url is not None and (any(parts) or self.password is not None):
            raise ValueError("give either url or host, database, user and password")
        if self.url is None and not all(parts):
            raise ValueError("give host, database and user, or url")
        return self


@dataclass
class PostgresKind:
    """The code behind the destination `postgres`."""

    name: str = "postgres"
    config: type[BaseModel] = PostgresConfig

    def configure(self, config: BaseModel) -> Destination:
        """The database as a destination; it is connected to later."""
        # Imported here: who writes to another kind of destination need not load this one's driver.
        from propexo_connect.destinations.postgres.writer import Postgres  # noqa: PLC0415

        if not isinstance(config, PostgresConfig):
            raise TypeError(f"a PostgresConfig is wanted, not a {type(config).__name__}")
        return Postgres(config)


POSTGRES = PostgresKind()
