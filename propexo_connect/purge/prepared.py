"""A request for a run of Dagster: the run is told its number alone, the values wait encrypted on the disk.

Run configurations are shown to everybody who sees the runs, and are kept for as long as these.
"""

import re

import msgspec

from propexo_connect.destinations.hash_key import HashKey, key_file
from propexo_connect.http.tokens import Kept, TokenStore, key_from
from propexo_connect.model.errors import UnknownName
from propexo_connect.model.purge import PurgeRequest

_FOLDER = "purges"
_REQUEST = "request"


def prepare(request: PurgeRequest) -> str:
    """Store a request; its number.

    Raises:
        ConfigurationError: there is no folder for it, or it cannot be written.
    """
    _store(HashKey.made()).save(request.id, Kept(values={_REQUEST: msgspec.json.encode(request).decode()}))
    return request.id


def prepared(number: str, connection: str) -> PurgeRequest:
    """A stored request.

    Raises:
        UnknownName: none of this number is waiting for the connection. ConfigurationError: the key is gone.
    """
    kept = _store(HashKey.stored()).load(number) if re.fullmatch(r"[0-9a-f]{16}", number) else None
    if kept is not None:
        request = msgspec.json.decode(kept.values[_REQUEST], type=PurgeRequest)
        if request.connection == connection:
            return request
    raise UnknownName(
        f"no request '{number}' is waiting",
        where=f"connection '{connection}', purge",
        remedy="Prepare one with `propexo-connect purge CONNECTION … --prepare` on the machine of the runs.",
    )


def discard(request: PurgeRequest) -> None:
    """Forget a request that was carried out."""
    _store(HashKey.stored()).drop(request.id)


def _store(key: HashKey) -> TokenStore:
    return TokenStore(key_file().parent / _FOLDER, key_from([key.secret.hex(), _FOLDER]))
