"""Parquet files into typed columns, a few thousand records at a time."""

from collections.abc import Iterator
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from propexo_connect.connectors.files_content import Caps, Compression, Format, packing_of, refuse, sign_of
from propexo_connect.model.errors import FileMismatch

_MOST_RECORDS = 8_192
"""Decoded at once: a dictionary of long texts takes little room in the file and much in memory."""


def read_parquet(
    handle: IO[bytes], size_bytes: int, fields: frozenset[str] | None, page_bytes: int, caps: Caps, where: str
) -> Iterator[pa.Table]:
    """The records of one file, row group after row group.

    Raises:
        FileMismatch: no Parquet file, a cut or corrupt one, one with a name twice, or beyond the caps.
    """
    if size_bytes == 0:
        return
    head = handle.read(512)
    handle.seek(0)
    if not head.startswith(b"PAR1"):
        packing_of(handle, "x.parquet", Compression.AUTO, where)
        raise refuse(where, Format.PARQUET, sign_of(head) or "text", "Give the file its right ending.")
    try:
        yield from _batches(handle, fields, page_bytes, caps, where)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        raise refuse(
            where, "a whole Parquet file", "cut off or corrupt", "Copy it again, or write it anew."
        ) from error


def _batches(
    handle: IO[bytes], fields: frozenset[str] | None, page_bytes: int, caps: Caps, where: str
) -> Iterator[pa.Table]:
    with pq.ParquetFile(handle, pre_buffer=False, buffer_size=1024 * 1024) as file:
        names = file.schema_arrow.names
        if len(set(names)) < len(names):
            raise FileMismatch("a column name stands twice", where=where, expected="each name once")
        facts = file.metadata
        unpacked = sum(facts.row_group(number).total_byte_size for number in range(facts.num_row_groups))
        record_bytes = max(unpacked // max(facts.num_rows, 1), 1)
        count = min(max(page_bytes // record_bytes, 1), _MOST_RECORDS)
        wanted = [name for name in names if fields is None or name in fields] or names[:1]
        decoded_bytes = 0
        gathered: list[pa.RecordBatch] = []
        for batch in file.iter_batches(batch_size=count, columns=wanted, use_threads=False):
            decoded_bytes += batch.nbytes
            if decoded_bytes > caps.decoded_bytes:
                raise FileMismatch(
                    f"the file unpacks to more than {caps.decoded_bytes} bytes",
                    where=where,
                    remedy="Split it, or raise max_decoded if it is meant to be so large.",
                )
            gathered.append(batch)
            if sum(part.nbytes for part in gathered) >= page_bytes:
                yield pa.Table.from_batches(gathered)
                gathered = []
        if any(part.num_rows for part in gathered):
            yield pa.Table.from_batches(gathered)
