"""DuckDB's errors in our words."""

import re

import duckdb

from propexo_connect.destinations.standing import ELSEWHERE
from propexo_connect.model.errors import (
    ConfigurationError,
    ConnectError,
    DataError,
    Defect,
    DestinationBusy,
    FileMismatch,
    PermissionRefused,
    SpaceExhausted,
    UnknownName,
)

_HOLDER = re.compile(r"PID (\d+)")


def fault(error: Exception, path: str) -> ConnectError:
    """What an error of DuckDB means for the person who reads it."""
    text = _first_line(error)
    lower = text.lower()
    if isinstance(error, PermissionError) or "permission denied" in lower:
        return PermissionRefused(
            f"the file {path} may not be written", remedy="Grant the right on file and folder."
        )
    if "could not set lock" in lower or "conflicting lock" in lower:
        holder = _HOLDER.search(str(error))
        who = f"the process {holder[1]}" if holder else "another process"
        return DestinationBusy(f"the file {path} is held by {who}", remedy="Close it there, or wait.")
    if "not a valid duckdb database" in lower or "newer version" in lower or "version number" in lower:
        return FileMismatch(f"the file {path} is no DuckDB database that this release can read: {text}")
    if "different configuration" in lower:
        return ConfigurationError(
            f"the file {path} is open in this process with other settings",
            remedy="Give all connections to one file the same memory_limit and threads.",
        )
    if "no space left" in lower or "file too large" in lower or "disk quota" in lower:
        return SpaceExhausted(f"the disk of {path} is full", remedy="Free space and sync again.")
    if isinstance(error, duckdb.OutOfMemoryException):
        return SpaceExhausted(
            f"DuckDB has no memory or temporary space left for {path}: {text}",
            remedy="Raise memory_limit, free disk space, or make the steps smaller.",
        )
    return _by_class(error, text, path)


def _by_class(error: Exception, text: str, path: str) -> ConnectError:
    if isinstance(error, duckdb.ConstraintException) and "uplicate key" in text:
        return DestinationBusy(f"two syncs met a stream for the first time at once: {path}")
    if isinstance(error, duckdb.TransactionException):
        return DestinationBusy(f"another commit to {path} was faster: {text}")
    if isinstance(error, duckdb.CatalogException) and "already exists" in text:
        return ConfigurationError(f"{path}: {text}, and no stream has made it", remedy=ELSEWHERE)
    if isinstance(error, duckdb.CatalogException) or (
        isinstance(error, duckdb.BinderException) and "not found" in text
    ):
        return UnknownName(f"{path}: {text}")
    if isinstance(error, (duckdb.IOException, OSError)):
        return DestinationBusy(f"the file {path} cannot be read or written: {text}")
    if isinstance(
        error, (duckdb.ConversionException, duckdb.OutOfRangeException, duckdb.InvalidInputException)
    ):
        return DataError(f"DuckDB refuses a value for {path}: {text}")
    return Defect(f"DuckDB refuses a statement for {path}: {text}")


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__
