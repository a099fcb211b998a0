"""Records in columns, as every destination takes them.

text, json  string        integer   int64           decimal(p,s)  decimal128(p, s)
float       double        boolean   bool            date          date32
timestamp   timestamp[us, tz=UTC]   datetime        timestamp[us]
time        time64[us]    binary    binary
"""

import pyarrow as pa
import pyarrow.compute as pc

from propexo_connect.model.errors import Defect
from propexo_connect.model.field import FieldType, Kind
from propexo_connect.model.layout import Layout

ROW = "#row"
"""Numbers the records of a step; no column of a stream can have this name."""

HASH, READ_AT, META = "_propexo_hash", "_propexo_read_at", "_propexo_meta"

INSTANT = pa.timestamp("us", "UTC")

_TYPES: dict[Kind, pa.DataType] = {
    Kind.TEXT: pa.string(),
    Kind.JSON: pa.string(),
    Kind.INTEGER: pa.int64(),
    Kind.FLOAT: pa.float64(),
    Kind.BOOLEAN: pa.bool_(),
    Kind.DATE: pa.date32(),
    Kind.TIMESTAMP: INSTANT,
    Kind.DATETIME: pa.timestamp("us"),
    Kind.TIME: pa.time64("us"),
    Kind.BINARY: pa.binary(),
}

_TEXTS = (pa.large_string(),)
"""Another shape of text, which both destinations take as it is."""

REJECTED = pa.schema([("read_at", INSTANT), ("reason", pa.string()), ("record", pa.string())])


def arrow_type(given: FieldType) -> pa.DataType:
    """The Arrow type in which a field of this type travels."""
    if given.kind is Kind.DECIMAL:
        return pa.decimal128(given.precision, given.scale)
    return _TYPES[given.kind]


def schema_of(layout: Layout) -> pa.Schema:
    """The columns of a step, in the layout's order, with the three that describe a record."""
    columns = [(column.name, arrow_type(column.type)) for column in layout.columns]
    return pa.schema([*columns, (HASH, pa.string()), (READ_AT, INSTANT), (META, pa.string())])


def conform(records: pa.Table, wanted: pa.Schema, where: str) -> pa.Table:
    """The records with exactly these columns and types; nothing is copied that fits already.

    Raises:
        Defect: a column is missing, or a value would be lost on the way.
    """
    columns: list[pa.ChunkedArray] = []
    for field in wanted:
        if field.name not in records.column_names:
            raise Defect(f"a step comes without the column '{field.name}'", where=where)
        try:
            columns.append(_as(records.column(field.name), field.type))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            found = records.column(field.name).type
            raise Defect(
                f"the column '{field.name}' comes as {found}, not as {field.type}", where=where
            ) from error
    return pa.Table.from_arrays(columns, names=wanted.names)


def numbered(records: pa.Table) -> pa.Table:
    """The records with a running number from 0 in the column `#row`."""
    return records.append_column(ROW, pa.arange(0, records.num_rows))


def one_per_hash(records: pa.Table) -> pa.Table:
    """The first record of each hash: what is left where the content itself is the identity."""
    if records.num_rows == 0:
        return records
    rows = pa.table({HASH: records.column(HASH), ROW: pa.arange(0, records.num_rows)})
    first = rows.group_by(HASH).aggregate([(ROW, "min")]).column(f"{ROW}_min")
    return records if len(first) == records.num_rows else records.take(first.sort())


def _as(column: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray:
    if isinstance(column.type, pa.BaseExtensionType):
        column = pa.chunked_array([chunk.storage for chunk in column.chunks], column.type.storage_type)
    if column.type == wanted or (wanted == pa.string() and column.type in _TEXTS):
        return column
    return pc.cast(column, wanted, safe=True)
