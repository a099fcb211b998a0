"""Records into a table by binary COPY, encoded from Arrow without a Python object per value."""

from collections.abc import Iterable, Set
from typing import Any

import psycopg
import pyarrow as pa
from pgpq import ArrowToPostgresBinaryEncoder
from pgpq.encoders import LargeStringEncoderBuilder, StringEncoderBuilder
from pgpq.schema import Jsonb

from propexo_connect.destinations.identifiers import listed

_BATCH_ROWS = 16 * 1024
"""Rows that are encoded at once: a few megabytes."""


def encoder(schema: pa.Schema, json_columns: Set[str]) -> ArrowToPostgresBinaryEncoder:
    """What turns batches of this schema into COPY's bytes; text in `json_columns` becomes jsonb.

    Raises:
        ValueError: a column's type has no counterpart.
    """
    builders: dict[str, Any] = {}
    for field in schema:
        if field.name in json_columns:
            text = LargeStringEncoderBuilder if pa.types.is_large_string(field.type) else StringEncoderBuilder
            builders[field.name] = text.new_with_output(field, Jsonb())
        else:
            builders[field.name] = ArrowToPostgresBinaryEncoder.infer_encoder(field)
    return ArrowToPostgresBinaryEncoder.new_with_encoders(schema, builders)


def copy_in(
    connection: psycopg.Connection[Any],
    target: str,
    schema: pa.Schema,
    batches: Iterable[pa.RecordBatch],
    json_columns: Set[str],
) -> int:
    """Append batches to a table, named as in SQL; returns how many rows were written."""
    encode = encoder(schema, json_columns)
    written = 0
    statement = f"copy {target} ({listed(schema.names)}) from stdin with (format binary)"
    with connection.cursor() as cursor, cursor.copy(statement.encode()) as copy:
        copy.write(encode.write_header())
        for batch in batches:
            for first in range(0, batch.num_rows, _BATCH_ROWS):
                copy.write(encode.write_batch(batch.slice(first, _BATCH_ROWS)))
            written += batch.num_rows
        copy.write(encode.finish())
    return written
