"""DuckDB: one file, one writing process at a time.

destination:
  kind: duckdb
  path: warehouse.duckdb
"""

from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator

from propexo_connect.destinations.base import Destination

_OURS = "_propexo"


class DuckDBConfig(BaseModel):
    """A DuckDB file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str = Field(min_length=1, description="The file; it and its folder are made when they are missing.")
    memory_limit: str | None = Field(
        default=None,
        pattern=r"^\d+(\.\d+)?\s*([KMGT]i?B|%)$",
        description="The most memory DuckDB takes, as '2GB', 192MB by default; the rest goes to disk.",
    )
    threads: int | None = Field(
        default=None, ge=1, description="How many cores DuckDB uses. By default all of them."
    )

    @field_validator("path")
    @classmethod
    def _not_like_our_schema(cls, path: str) -> str:
        # DuckDB calls a database by its file's name, and would take our schema for it.
        if Path(path).name.partition(".")[0].lower() == _OURS:
            raise ValueError(f"a file cannot be named {_OURS}, which is a schema in it")
        return path


@dataclass
class DuckDBKind:
    """The code behind the destination `duckdb`."""

    name: str = "duckdb"
    config: type[BaseModel] = DuckDBConfig

    def configure(self, config: BaseModel) -> Destination:
        """The file as a destination; it is opened later."""
        # Imported here: who writes to another kind of destination need not load this one's driver.
        from propexo_connect.destinations.duckdb.writer import DuckDB  # noqa: PLC0415

        if not isinstance(config, DuckDBConfig):
            raise TypeError(f"a DuckDBConfig is wanted, not a {type(config).__name__}")
        return DuckDB(config)


DUCKDB = DuckDBKind()
