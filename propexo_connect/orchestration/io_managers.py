"""Destinations as I/O managers: tables for assets downstream, and a writer for the engine.

An asset takes a stream's table by annotation, and the same I/O manager writes what it returns:

    @dg.asset(io_manager_key="duckdb_warehouse", ins={"orders": dg.AssetIn(["happyco", "work_orders"])})
    def open_orders(orders: duckdb.DuckDBPyRelation) -> pa.Table: ...

`pa.Table` (also without annotation), `pa.RecordBatchReader`, `pd.DataFrame`, `pl.DataFrame`, `pl.LazyFrame`
and `duckdb.DuckDBPyRelation` are known. The input's metadata may name the columns to read:
`dg.AssetIn(metadata={"columns": ["id", "status"]})`.

The table is the last part of the asset's key, its schema the part before (`main` when there is none), unless
the asset's metadata say `dagster/table_name: schema.table`, as those of all streams do.
"""

import os
import re
from abc import abstractmethod
from collections.abc import Hashable, Mapping
from contextlib import ExitStack
from datetime import timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import dagster as dg
from dagster_duckdb import DuckDBResource
from duckdb import DuckDBPyConnection, DuckDBPyRelation, Error, IOException
from pydantic import BaseModel, Field, PrivateAttr, SecretStr

from propexo_connect.connection.document import Document
from propexo_connect.connection.parse import Connection
from propexo_connect.connection.secret import REFERENCE, is_reference, resolve_secrets
from propexo_connect.connection.systems import read_config
from propexo_connect.destinations.base import Destination
from propexo_connect.destinations.duckdb import DUCKDB, DuckDBConfig
from propexo_connect.destinations.identifiers import listed, qualified
from propexo_connect.destinations.postgres import POSTGRES, PostgresConfig
from propexo_connect.model.errors import ConfigurationError, ConnectError
from propexo_connect.model.names import snake_case
from propexo_connect.model.stream import Table
from propexo_connect.orchestration.frames import reader_of, received
from propexo_connect.orchestration.naming import slug

TABLE_NAME = "dagster/table_name"
COLUMNS = "columns"

_AGENT = {"custom_user_agent": "dagster"}
_LOCKED = "Could not set lock"


class DestinationIOManager(dg.ConfigurableIOManager):
    """A destination that assets read from and write to."""

    @abstractmethod
    def destination(self) -> Destination:
        """The writer for the engine; it connects when it is opened.

        Raises:
            MissingSecret, ConfigurationError: the settings cannot be used.
        """

    def load_input(self, context: dg.InputContext) -> Any:
        """The upstream asset's table, in the type that the input is annotated with."""
        upstream = context.upstream_output
        try:
            table = table_of(context.asset_key, upstream.definition_metadata if upstream else {})
            return self._received(
                context.dagster_type.typing_type, table, _columns(context.definition_metadata)
            )
        except ConnectError as error:
            raise _failure(
                error, f"input '{context.name}', asset {context.asset_key.to_user_string()}"
            ) from None

    def handle_output(self, context: dg.OutputContext, obj: object) -> None:
        """Replace the asset's table atomically by what it returned; None writes nothing."""
        if obj is None:
            return
        try:
            table = table_of(context.asset_key, context.definition_metadata)
            records = reader_of(obj)
            columns = [
                dg.TableColumn(
                    name=column.name,
                    type=str(column.type),
                    constraints=dg.TableColumnConstraints(nullable=column.nullable),
                )
                for column in records.schema
            ]
            count = self.destination().write_table(table.schema, table.name, records)
        except ConnectError as error:
            raise _failure(error, f"asset {context.asset_key.to_user_string()}") from None
        context.add_output_metadata(
            {
                "dagster/row_count": count,
                TABLE_NAME: str(table),
                "dagster/column_schema": dg.TableSchema(columns),
            }
        )

    def _received(self, wanted: Any, table: Table, columns: list[str] | None) -> Any:
        return received(wanted, self.destination().read_table(table.schema, table.name, columns))


class DuckDBIOManager(DestinationIOManager):
    """A DuckDB file.

    Every connection of a process is opened with the settings of one `DuckDBResource`: DuckDB refuses to
    open a file a second time with others. So a relation can be read while a table is written.
    """

    duckdb: DuckDBResource = Field(description="The file, and DuckDB's own settings for it.")

    _opened: ExitStack = PrivateAttr(default_factory=ExitStack)

    @classmethod
    def of(cls, config: DuckDBConfig) -> "DuckDBIOManager":
        """The I/O manager of a connection's destination."""
        own = {"memory_limit": config.memory_limit, "threads": config.threads}
        chosen = {name: value for name, value in own.items() if value is not None}
        return cls(duckdb=DuckDBResource(database=config.path, connection_config=chosen))

    def destination(self) -> Destination:
        from propexo_connect.destinations.duckdb.writer import DuckDB  # noqa: PLC0415 needed by runs only

        return DuckDB(self._config(), self._connect)

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:  # noqa: ARG002
        self._opened.close()

    def _config(self) -> DuckDBConfig:
        chosen = self.duckdb.connection_config
        content = {name: chosen[name] for name in ("memory_limit", "threads") if name in chosen}
        return _resolved(DuckDBConfig, {"path": self.duckdb.database, **content})

    def _connect(self, path: str, settings: Mapping[str, Any]) -> DuckDBPyConnection:
        from propexo_connect.destinations.duckdb.writer import connect_file  # noqa: PLC0415 needed by runs only

        chosen = {**self.duckdb.connection_config, **settings}
        try:
            return connect_file(path, {**_AGENT, **chosen})
        except IOException as error:
            if _LOCKED not in str(error):
                raise
        # Another process holds the file: the resource tries again, each time a little later.
        return DuckDBResource(database=path, connection_config=chosen).get_connection().__enter__()

    def _received(self, wanted: Any, table: Table, columns: list[str] | None) -> Any:
        if wanted is not DuckDBPyRelation:
            return super()._received(wanted, table, columns)
        from propexo_connect.destinations.duckdb.faults import fault  # noqa: PLC0415 needed by runs only

        path = str(Path(self._config().path).expanduser().absolute())
        try:
            connection = self._opened.enter_context(self._connect(path, {}))
            connection.execute("set timezone = 'UTC'")
            chosen = listed(columns) if columns else "*"
            return connection.sql(f"select {chosen} from {qualified(table)}")  # noqa: S608 names are quoted
        except (Error, OSError) as error:
            raise fault(error, path) from None


class PostgresIOManager(DestinationIOManager):
    """A PostgreSQL database."""

    config: dict[str, Any] = Field(
        description="As under `destination` in a connection file: `url`, or `host`, `database`, `user` and "
        "`password`; secrets as ${NAME}."
    )

    @classmethod
    def of(cls, config: PostgresConfig) -> "PostgresIOManager":
        """The I/O manager of a connection's destination.

        Raises:
            ConfigurationError: a secret is written out.
        """
        return cls(config={name: _shown(getattr(config, name), name) for name in config.model_fields_set})

    def destination(self) -> Destination:
        return POSTGRES.configure(_resolved(PostgresConfig, self.config))


def io_manager(connection: Connection) -> tuple[str, DestinationIOManager]:
    """The resource key and the I/O manager of a connection's destination.

    Connections whose destinations are written alike share one: the same key, the same object.

    Raises:
        ConfigurationError: a destination for which there is none.
    """
    kind, config = connection.destination_kind, connection.destination_config
    return _key(kind.name, config), _shared(kind.name, cast(Hashable, config))


def file_pool(connection: Connection) -> str | None:
    """The pool of everything that writes a DuckDB file, whose limit must be 1; None for servers."""
    config = connection.destination_config
    if not isinstance(config, DuckDBConfig):
        return None
    is_open = REFERENCE.search(config.path) is not None
    path = config.path if is_open else str(Path(config.path).expanduser().resolve())
    return f"duckdb_{slug(Path(path).stem)}_{_digest(path)}"


def table_of(key: dg.AssetKey, metadata: Mapping[str, Any] | None) -> Table:
    """The table of an asset, by its metadata or by its key.

    Raises:
        ConfigurationError: the metadata name no table.
    """
    named = (metadata or {}).get(TABLE_NAME)
    text = named.value if isinstance(named, dg.MetadataValue) else named
    if text is None:
        parts = [snake_case(part) for part in key.path[-2:]]
        return Table("main" if len(parts) == 1 else parts[0], parts[-1])
    schema, _, name = str(text).rpartition(".")
    if not schema or not name:
        raise ConfigurationError(f"{TABLE_NAME} is '{text}'", expected="schema.table")
    return Table(schema, name)


@cache
def _shared(kind: str, config: Hashable) -> DestinationIOManager:
    if kind == DUCKDB.name and isinstance(config, DuckDBConfig):
        return DuckDBIOManager.of(config)
    if kind == POSTGRES.name and isinstance(config, PostgresConfig):
        return PostgresIOManager.of(config)
    raise ConfigurationError(f"there is no I/O manager for the destination kind '{kind}'")


def _key(kind: str, config: BaseModel) -> str:
    """A key that people can type where the settings are plain, else one with a hash; the same everywhere."""
    chosen = {name: getattr(config, name) for name in sorted(config.model_fields_set)}
    if isinstance(config, DuckDBConfig):
        parts = config.path.removesuffix(".duckdb").split("/")
        if set(chosen) == {"path"} and config.path.endswith(".duckdb") and all(map(_is_word, parts)):
            return f"{kind}_{'__'.join(parts)}"
        return f"{kind}_{slug(Path(config.path).stem)}_{_digest(repr(chosen))}"
    url = chosen.get("url")
    if len(chosen) == 1 and isinstance(url, SecretStr) and is_reference(url.get_secret_value()):
        return f"{kind}_{slug(url.get_secret_value()[2:-1])}"
    plain = {
        name: value.get_secret_value() if isinstance(value, SecretStr) else value
        for name, value in chosen.items()
    }
    return f"{kind}_{slug(str(chosen.get('database', '')))}_{_digest(repr(plain))}"


def _is_word(text: str) -> bool:
    return re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*", text) is not None


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:6]


def _resolved(model: type[Any], content: Mapping[str, Any]) -> Any:
    config, problems = read_config(Document(dict(content)), (), model, content)
    if config is None:
        raise ConfigurationError(" ".join(str(problem) for problem in problems), where="destination")
    return resolve_secrets(config, os.environ, where="destination")


def _shown(value: Any, name: str) -> Any:
    """A setting as JSON has it, and fit to be seen."""
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
        if not is_reference(value):
            raise ConfigurationError(
                f"a secret is written out in the field '{name}' (not shown)",
                where="destination",
                expected="${NAME}, the name of an environment variable",
            )
    return value.total_seconds() if isinstance(value, timedelta) else value


def _columns(metadata: Mapping[str, Any] | None) -> list[str] | None:
    named = (metadata or {}).get(COLUMNS)
    value = named.value if isinstance(named, dg.MetadataValue) else named
    if value is None:
        return None
    if not isinstance(value, list | tuple) or not all(
        isinstance(name, str) for name in cast(list[object], value)
    ):
        raise ConfigurationError(
            "the input's metadata `columns` is no list of names", expected="['id', 'status']"
        )
    return list(cast(list[str], value))


def _failure(error: ConnectError, where: str) -> dg.Failure:
    return dg.Failure(f"{error.name}: {error.at(where)}", allow_retries=error.retryable)
