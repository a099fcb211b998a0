"""Tables in the types that people work with: Arrow, pandas, polars, DuckDB relations."""

from typing import Any, cast

import duckdb
import pyarrow as pa

from propexo_connect.model.errors import ConfigurationError

KNOWN_TYPES = (
    "pa.Table",
    "pa.RecordBatchReader",
    "pd.DataFrame",
    "pl.DataFrame",
    "pl.LazyFrame",
    "duckdb.DuckDBPyRelation",
)
"""In words, for messages."""


def received(wanted: Any, records: pa.RecordBatchReader) -> Any:
    """A table as the type that an input is annotated with; Arrow where it is not annotated.

    pandas gets Arrow-backed columns: its own have no room for nulls in integers and no decimals.

    Raises:
        ConfigurationError: a type that is not known.
    """
    if wanted is pa.RecordBatchReader:
        return records
    if wanted is pa.Table or _is_open(wanted):
        return records.read_all()
    if wanted is duckdb.DuckDBPyRelation:
        # The relation keeps the connection, and the connection the table.
        return duckdb.connect().from_arrow(records.read_all())
    match _full_name(wanted):
        case ("pandas", "DataFrame"):
            import pandas as pd  # noqa: PLC0415 an extra

            return records.read_all().to_pandas(types_mapper=pd.ArrowDtype)
        case ("polars", "DataFrame"):
            import polars as pl  # noqa: PLC0415 an extra

            return pl.from_arrow(records.read_all())
        case ("polars", "LazyFrame"):
            import polars as pl  # noqa: PLC0415

            return cast(pl.DataFrame, pl.from_arrow(records.read_all())).lazy()
        case _:
            raise _unknown(wanted)


def reader_of(obj: object) -> pa.RecordBatchReader:
    """What an asset returned, in batches.

    Raises:
        ConfigurationError: a type that is not known.
    """
    if isinstance(obj, pa.RecordBatchReader):
        return obj
    if isinstance(obj, pa.Table):
        return cast(Any, obj).to_reader()
    if isinstance(obj, duckdb.DuckDBPyRelation):
        return obj.to_arrow_reader()
    match _full_name(type(obj)):
        case ("pandas", "DataFrame"):
            return _of_pandas(obj)
        case ("polars", "DataFrame"):
            return _of_polars(obj)
        case ("polars", "LazyFrame"):
            return _of_polars(cast(Any, obj).collect())
        case _:
            raise _unknown(type(obj))


def _of_pandas(frame: Any) -> pa.RecordBatchReader:
    return pa.Table.from_pandas(frame, preserve_index=False).to_reader()


def _of_polars(frame: Any) -> pa.RecordBatchReader:
    # compat_level: string views and the like are not what every destination reads.
    import polars as pl  # noqa: PLC0415 an extra

    return cast(pa.Table, frame.to_arrow(compat_level=pl.CompatLevel.oldest())).to_reader()


def _is_open(wanted: Any) -> bool:
    return wanted is None or wanted is Any or wanted is object


def _full_name(kind: Any) -> tuple[str, str]:
    return str(getattr(kind, "__module__", "")).partition(".")[0], str(getattr(kind, "__name__", ""))


def _unknown(kind: Any) -> ConfigurationError:
    name = ".".join(part for part in _full_name(kind) if part)
    return ConfigurationError(f"tables do not come as {name}", expected=f"one of {', '.join(KNOWN_TYPES)}")
