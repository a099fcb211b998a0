"""The key of the hashes that a purge leaves behind: in a file of the installation, never in a destination.

Whoever reads a destination, or a copy of it, cannot try values against the hashes in it.
"""

import fcntl
import hmac
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from propexo_connect.http.durable import STATE_VARIABLE, write_durably
from propexo_connect.model.errors import ConfigurationError

_FILE = "purge.key"
_BYTES = 32


@dataclass(frozen=True)
class HashKey:
    """32 secret bytes; they do not show themselves."""

    secret: bytes = field(repr=False)

    @classmethod
    def stored(cls) -> "HashKey":
        """The installation's key.

        Raises:
            ConfigurationError: there is none; what was hashed with it cannot be told apart.
        """
        path = key_file()
        try:
            secret = path.read_bytes()
        except OSError:
            raise ConfigurationError(
                f"the key of purges, {path}, is missing or cannot be read, and records are suppressed",
                remedy="Nothing is stored until it is back: bring it back from a backup. If it is lost, lift "
                "the suppressions (`propexo-connect purge CONNECTION --lift ID`) and purge again.",
            ) from None
        return cls(_proven(secret, path))

    @classmethod
    def made(cls) -> "HashKey":
        """The installation's key, made at its first use and readable by the owner alone.

        Raises:
            ConfigurationError: there is no place to keep it.
        """
        path = key_file()
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with path.with_suffix(".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)  # two first uses at once must end with one key
                if not path.exists():
                    write_durably(path, secrets.token_bytes(_BYTES))
        except OSError as error:
            raise ConfigurationError(
                f"the key of purges, {path}, cannot be written",
                remedy=f"Set {STATE_VARIABLE} to a folder that lasts and can be.",
            ) from error
        return cls.stored()

    @property
    def id(self) -> str:
        """Tells this key from another, and nothing else."""
        return self.hash("id", "")[:16]

    def hash(self, kind: str, text: str) -> str:
        """The keyed hash of a value, in 64 hexadecimal digits: HMAC-SHA256."""
        message = f"{kind}\x1f{text}".encode("utf-8", "surrogatepass")
        return hmac.digest(self.secret, message, "sha256").hex()


def key_file() -> Path:
    """Where the key is.

    Raises:
        ConfigurationError: nobody said which folder outlives a sync.
    """
    folder = os.environ.get(STATE_VARIABLE)
    if not folder:
        raise ConfigurationError(
            "a purge keeps hashes, whose key must not lie in the destination, and there is no place for it",
            expected=f"the variable {STATE_VARIABLE}, naming a folder that lasts and is backed up",
        )
    return Path(folder).expanduser() / _FILE


def _proven(secret: bytes, path: Path) -> bytes:
    if len(secret) != _BYTES:
        raise ConfigurationError(
            f"{path} is not the key of purges", expected=f"{_BYTES} bytes", remedy="Bring back the file."
        )
    return secret
