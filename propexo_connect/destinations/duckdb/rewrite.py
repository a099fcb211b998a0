"""A DuckDB file written anew, so that blocks which were given free hold nothing of what was in them."""

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb


def rewrite_file(
    path: str, connect: Callable[[str, dict[str, Any]], duckdb.DuckDBPyConnection]
) -> tuple[int, int]:
    """Copy all that a file holds into a new one and put it in its place; the bytes before and after.

    Nobody else may have the file open: DuckDB's lock sees to it. The old file's blocks go back to the file
    system, which may keep their bytes until it needs the space.

    Raises:
        duckdb.Error, OSError: nothing was changed.
    """
    target = Path(path)
    fresh = target.with_name(f"{target.name}.new")
    fresh.unlink(missing_ok=True)
    try:
        with closing(connect(path, {})) as connection:
            connection.execute("checkpoint")
            source = str(connection.execute("select current_database()").fetchall()[0][0])
            place = str(fresh).replace("'", "''")
            connection.execute(f"attach '{place}' as propexo_rewritten")
            quoted = source.replace('"', '""')
            connection.execute(f'copy from database "{quoted}" to propexo_rewritten')
            connection.execute("checkpoint propexo_rewritten")
            connection.execute("detach propexo_rewritten")
            before, after = target.stat().st_size, fresh.stat().st_size
            fresh.chmod(target.stat().st_mode & 0o777)
            _to_disk(fresh)
            fresh.replace(target)  # while the lock on the old one is ours still
    finally:
        fresh.unlink(missing_ok=True)
    return before, after


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
