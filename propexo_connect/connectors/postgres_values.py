"""Repairs of what the driver hands over: exact decimals, and instants that Arrow cannot hold."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from propexo_connect.connectors.relation import TableColumn
from propexo_connect.model.field import DAY_US, FIRST_DAY, LAST_DAY, Kind

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_POSTGRES_EPOCH_DAYS = 10_957
"""Days from 1970-01-01 to 2000-01-01, where PostgreSQL counts from."""


def repaired(records: pa.Table, columns: Iterable[TableColumn]) -> pa.Table:
    """The table with decimals as decimals, and with columns as text where a value has no Arrow type.

    A numeric that does not fit its declared precision (NaN, infinity, more than 9 places without a
    declaration) leaves the whole column of this page as text, exactly as the server wrote it.
    """
    for place, column in enumerate(columns):
        values = records.column(place)
        fixed = values
        if column.type.kind is Kind.DECIMAL:
            fixed = _decimals(values, column)
        elif pa.types.is_temporal(values.type):
            fixed = _within_range(values)
        if fixed is not values:
            records = records.set_column(place, column.name, fixed)
    return records


def _decimals(values: pa.ChunkedArray, column: TableColumn) -> pa.ChunkedArray:
    try:
        return values.cast(pa.decimal128(column.type.precision, column.type.scale))
    except pa.ArrowInvalid:
        return values


def _within_range(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column as it is, or as text when a value lies outside of the years 1 to 9999 or is 24:00.

    The driver adds the distance of the epochs without looking: infinity and the last years wrap around.
    """
    unit = pa.int32() if pa.types.is_date32(values.type) else pa.int64()
    numbers = values.cast(unit)
    if pa.types.is_date32(values.type):
        first, last = FIRST_DAY, LAST_DAY
    elif pa.types.is_time64(values.type):
        first, last = 0, DAY_US - 1
    else:
        first, last = FIRST_DAY * DAY_US, (LAST_DAY + 1) * DAY_US - 1
    span = pc.call_function("min_max", [numbers]).as_py()
    if span["min"] is None or (span["min"] >= first and span["max"] <= last):
        return values
    texts = [None if number is None else _text(number, values.type) for number in numbers.to_pylist()]
    return pa.chunked_array([pa.array(texts, pa.string())])


def _text(number: int, kind: pa.DataType) -> str:
    """A value as PostgreSQL itself writes it."""
    if pa.types.is_time64(kind):
        seconds, micros = divmod(number, 1_000_000)
        return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{_fraction(micros)}"
    bits = 32 if pa.types.is_date32(kind) else 64
    distance = _POSTGRES_EPOCH_DAYS * (1 if bits == 32 else DAY_US)
    original = (number - distance + 2 ** (bits - 1)) % 2**bits - 2 ** (bits - 1)
    if original == 2 ** (bits - 1) - 1:
        return "infinity"
    if original == -(2 ** (bits - 1)):
        return "-infinity"
    days, micros = (original, 0) if bits == 32 else divmod(original, DAY_US)
    date, era = _calendar(days + _POSTGRES_EPOCH_DAYS)
    if bits == 32:
        return date + era
    zone = "+00" if getattr(kind, "tz", None) else ""
    return f"{date} {_text(micros, pa.time64('us'))}{zone}{era}"


def _calendar(days: int) -> tuple[str, str]:
    """Year, month and day of a day counted from 1970-01-01, and ` BC` where it lies before the year 1."""
    # The Gregorian calendar repeats every 400 years, which are 146,097 days.
    turns = (days - FIRST_DAY) // 146_097
    within = _EPOCH + timedelta(days=days - turns * 146_097)
    year = within.year + turns * 400
    shown, era = (year, "") if year > 0 else (1 - year, " BC")
    return f"{shown:04}-{within.month:02}-{within.day:02}", era


def _fraction(micros: int) -> str:
    return f".{micros:06}".rstrip("0") if micros else ""
