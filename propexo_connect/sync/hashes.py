"""The content hash: 128 bits over name and text of every field that has a value.

Fields count in the order of their names, and absent ones not at all, so that a column that is added, widened
or moved changes no hash of a record that did not change.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, cast

import duckdb
import pyarrow as pa

from propexo_connect.model.field import FieldType, Kind
from propexo_connect.sync.compute import pc

_NAME, _VALUE, _META = "\x1f", "\x1e", "\x1d"
"""What stands before a name, before its value, and before the meta."""

_PLAIN_SCALE = 6
"""Up to here Arrow writes decimals without an exponent, whatever their value."""

Named = tuple[str, FieldType, pa.ChunkedArray]
"""A field's name, its type and its typed values."""


def hashes(
    connection: duckdb.DuckDBPyConnection, fields: Sequence[Named], meta: pa.ChunkedArray
) -> pa.ChunkedArray:
    """The hash of each record, in lower-case hexadecimal digits."""
    pieces: list[Any] = []
    for name, given, values in sorted(fields, key=lambda field: field[0]):
        pieces += _named(f"{_NAME}{name}{_VALUE}", canonical_text(values, given))
    pieces += _named(_META, meta)
    content = pc.binary_join_element_wise(*pieces, "", null_handling="skip")
    connection.register("content", pa.table({"content": content}))
    try:
        return connection.sql("SELECT md5(content) AS hash FROM content").to_arrow_table().column("hash")
    finally:
        connection.unregister("content")


def _named(head: str, texts: pa.ChunkedArray) -> list[Any]:
    """The pieces of one field: its head stands only where it has a value."""
    if texts.null_count == 0:
        return [head, texts]
    return [pc.binary_join_element_wise(head, texts, "", null_handling="emit_null")]


def canonical_text(values: pa.ChunkedArray, given: FieldType) -> pa.ChunkedArray:
    """Typed values as the hash takes them, the same text for a value in all types it may be widened to."""
    match given.kind:
        case Kind.TEXT | Kind.JSON:
            return values if values.type == pa.string() else values.cast(pa.string())
        case Kind.DECIMAL if given.scale:
            return _shortest(values, given)
        case Kind.TIMESTAMP | Kind.DATETIME | Kind.TIME:
            return values.cast(pa.int64()).cast(pa.string())
        case Kind.BINARY:
            found = cast("list[bytes | None]", values.to_pylist())
            return pa.chunked_array(
                [pa.array([None if one is None else one.hex() for one in found], pa.string())]
            )
        case _:
            return values.cast(pa.string())


def _shortest(values: pa.ChunkedArray, given: FieldType) -> pa.ChunkedArray:
    """Decimals without the zeros that their scale adds."""
    if given.scale <= _PLAIN_SCALE:
        return pc.utf8_rtrim(pc.utf8_rtrim(values.cast(pa.string()), "0"), ".")
    encoded = cast(pa.DictionaryArray, values.combine_chunks().dictionary_encode())
    numbers = cast("list[Decimal]", encoded.dictionary.to_pylist())
    texts = [f"{number:f}".rstrip("0").rstrip(".") for number in numbers]
    return pa.chunked_array([pa.array(texts, pa.string()).take(encoded.indices)])
