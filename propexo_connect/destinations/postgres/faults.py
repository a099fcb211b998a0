"""PostgreSQL's errors in our words; never with the values of a row, a password or a URL."""

import psycopg

from propexo_connect.destinations.standing import ELSEWHERE
from propexo_connect.destinations.state import SCHEMA
from propexo_connect.model.errors import (
    ConfigurationError,
    ConnectError,
    CredentialsRefused,
    DataError,
    Defect,
    DestinationBusy,
    PermissionRefused,
    SpaceExhausted,
    Stalled,
    UnknownName,
    Unreachable,
)

_BUSY = {"40001", "40P01", "55P03", "53300", "55006"}
_SPACE = {"53100", "53200", "53000", "53400"}
_GONE = {"57P01", "57P02", "57P03", "57P05", "25P03", "25P04"}
_NAMES = {"3D000", "3F000", "42P01", "42703", "42704", "42883"}
_RIGHTS = {"42501", "25006"}


def fault(error: psycopg.Error, address: str) -> ConnectError:
    """What an error of a statement or of its connection means for the person who reads it."""
    state, text = error.sqlstate, error.diag.message_primary or type(error).__name__
    found = f"{address}: {text}"
    if state is None:
        return _without_state(error, address)
    if state in _GONE or state.startswith("08"):
        return Unreachable(f"the connection to {found}", remedy="The ledger tells what was committed.")
    if state in _BUSY:
        return DestinationBusy(found)
    if state == "23505":
        return _twice(error, found)
    if state in _SPACE:
        return SpaceExhausted(found, remedy="Free space on the server and sync again.")
    if state in _RIGHTS:
        return PermissionRefused(found, remedy="Grant the role the right to create and write tables there.")
    if state.startswith("28"):
        return CredentialsRefused(found, remedy="Look at user and password.")
    if state == "42P07":
        return ConfigurationError(f"{found}, and no stream has made it", remedy=ELSEWHERE)
    if state in _NAMES:
        return UnknownName(found)
    if state == "57014":
        return Stalled(found, remedy="Raise statement_timeout if the work really takes so long.")
    if state == "54000" and "index row" in text:
        return DataError(found, remedy="A key is longer than an index takes; choose another key.")
    if state.startswith(("22", "54")):
        return DataError(found)
    return Defect(f"PostgreSQL refuses a statement ({state}): {found}")


def _twice(error: psycopg.Error, found: str) -> ConnectError:
    if error.diag.schema_name == SCHEMA:
        return DestinationBusy(f"two syncs met a stream for the first time at once: {found}")
    return Defect(f"the same key came twice: {found}")


def _without_state(error: psycopg.Error, address: str) -> ConnectError:
    """The connection was never made, or broke without a word of the server."""
    text = str(error).lower()
    if "password" in text or "authentication" in text or ("role" in text and "does not exist" in text):
        return CredentialsRefused(
            f"{address} does not accept user and password", remedy="Correct them in the connection file."
        )
    if "no pg_hba.conf entry" in text:
        return CredentialsRefused(
            f"{address} does not accept this user from this machine",
            remedy="Look at the server's pg_hba.conf.",
        )
    if "database" in text and "does not exist" in text:
        return UnknownName(f"{address}: there is no such database", remedy="Create it, or correct its name.")
    if "too many clients" in text or "connection slots" in text or "starting up" in text:
        return DestinationBusy(f"{address} takes no more connections now")
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return Unreachable(f"{address} does not answer, or the connection was cut")
    return Defect(f"{address}: {type(error).__name__}")
