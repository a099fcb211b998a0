"""Tokens that outlive a sync: encrypted, one file each, in a folder of the installation; never in a table.

A token is stored where issuing it is rationed (Guesty), and where a refresh token takes the place of the one
before (QuickBooks, Xero): then it is on the disk before it is used for the first time, or a crash would lock
the connection out.
"""

import base64
import fcntl
import hashlib
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import msgspec
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from propexo_connect.http.durable import STATE_VARIABLE, write_durably
from propexo_connect.model.errors import ConfigurationError


class Kept(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is stored of one log-in; it does not show itself."""

    access: str = ""
    expires_at: datetime | None = None
    refresh: str = ""
    values: dict[str, str] = {}

    def __repr__(self) -> str:
        return "Kept(…)"


_decoder: "msgspec.json.Decoder[Kept]" = msgspec.json.Decoder(Kept)


def key_from(secrets: Iterable[str]) -> bytes:
    """A key for the store, made of the connection's own secrets."""
    material = "\x1f".join(secrets).encode()
    derived = HKDF(SHA256(), 32, salt=b"propexo-connect", info=b"stored tokens").derive(material)
    return base64.urlsafe_b64encode(derived)


def name_from(*parts: str) -> str:
    """The name of a stored log-in: tells nothing of what it is made of."""
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:40]


class TokenStore:
    """The stored tokens of one connection.

    Args:
        key: 32 bytes in URL-safe base64.

    Raises:
        ConfigurationError: the key is none.
    """

    def __init__(self, folder: Path, key: bytes) -> None:
        self._folder = folder
        try:
            self._fernet = Fernet(key)
        except ValueError:
            raise ConfigurationError(
                "the key for stored tokens is not a key",
                expected="32 bytes in URL-safe base64",
                remedy="Make one with: python -c 'from cryptography.fernet import Fernet; "
                "print(Fernet.generate_key().decode())'",
            ) from None

    @contextmanager
    def locked(self, name: str) -> Generator[None]:
        """Nobody else on this machine reads or writes the token meanwhile."""
        self._make_folder()
        with (self._folder / f"{name}.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def load(self, name: str) -> Kept | None:
        """What is stored; None when there is nothing, or it was stored with another key."""
        try:
            sealed = self._path(name).read_bytes()
            return _decoder.decode(self._fernet.decrypt(sealed))
        except (FileNotFoundError, InvalidToken, msgspec.DecodeError):
            return None

    def save(self, name: str, kept: Kept) -> None:
        """Store it durably: when this returns, it is on the disk.

        Raises:
            ConfigurationError: the folder cannot be written.
        """
        self._make_folder()
        try:
            write_durably(self._path(name), self._fernet.encrypt(msgspec.json.encode(kept)))
        except OSError as error:
            raise self._unwritable() from error

    def drop(self, name: str) -> None:
        """Forget what is stored, if anything is."""
        self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.token"

    def _make_folder(self) -> None:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise self._unwritable() from error

    def _unwritable(self) -> ConfigurationError:
        return ConfigurationError(
            f"the folder '{self._folder}' for stored tokens cannot be written",
            remedy=f"Set `state_dir`, or the variable {STATE_VARIABLE}, to a folder that lasts and can be.",
        )
