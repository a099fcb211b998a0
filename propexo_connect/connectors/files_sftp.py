"""How an SFTP server is logged in to, and that it is the server that is meant.

fsspec trusts whatever server answers first. Here its key must be named, or stand in the known hosts of the
user who runs the sync: a password is not given to a stranger.
"""

import contextlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from propexo_connect.connectors.driver import load
from propexo_connect.model.errors import ConfigurationError

_WITHIN_S = 15
_OURS = frozenset({"username", "password", "port", "private_key", "passphrase", "host_key"})


def sftp_options(options: Mapping[str, str]) -> dict[str, Any]:
    """What paramiko is handed for the storage options of a connection.

    Raises:
        ConfigurationError: an option that is none, or a key that cannot be read; nothing of it is repeated.
    """
    if unknown := sorted(options.keys() - _OURS):
        raise ConfigurationError(
            f"SFTP knows no option '{unknown[0]}'",
            where="storage_options",
            expected=f"one of {', '.join(sorted(_OURS))}",
        )
    paramiko: Any = load("paramiko", "sftp", "SFTP")
    given: dict[str, Any] = {
        "timeout": _WITHIN_S,
        "banner_timeout": _WITHIN_S,
        "auth_timeout": _WITHIN_S,
        # Keys that happen to lie around on this machine are nobody's decision.
        "look_for_keys": False,
        "allow_agent": False,
        "host_key_policy": _policy(paramiko, options.get("host_key", "")),
    }
    given |= {name: options[name] for name in ("username", "password") if name in options}
    if "port" in options:
        given["port"] = _port(options["port"])
    if "private_key" in options:
        given["pkey"] = _private_key(paramiko, options["private_key"], options.get("passphrase"))
    return given


def _port(text: str) -> int:
    if text.isdigit() and 0 < int(text) < 65536:
        return int(text)
    raise ConfigurationError("the port is no number of a port", where="storage_options")


def _private_key(paramiko: Any, text: str, passphrase: str | None) -> Any:
    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        try:
            return kind.from_private_key(io.StringIO(text.strip() + "\n"), passphrase)
        except (paramiko.SSHException, ValueError, IndexError):
            continue
    raise ConfigurationError(
        "the private key cannot be read",
        where="storage_options",
        expected="the text of an OpenSSH or PEM key (Ed25519, ECDSA or RSA), with its passphrase if any",
    )


def _policy(paramiko: Any, host_key: str) -> Any:
    """Who is trusted: the servers with these keys, else those of the user's known hosts."""
    known = {tuple(line.split()[:2]) for line in host_key.splitlines() if line.strip()}

    class Known(paramiko.MissingHostKeyPolicy):
        def missing_host_key(self, client: Any, hostname: str, key: Any) -> None:
            del client
            is_known = (key.get_name(), key.get_base64()) in known
            if not known:
                of_user = paramiko.HostKeys()
                with contextlib.suppress(OSError):
                    of_user.load(str(Path("~/.ssh/known_hosts").expanduser()))
                is_known = of_user.check(hostname, key)
            if not is_known:
                raise ConfigurationError(
                    "the server has another key than the one it is known by, or is not known",
                    where="root",
                    remedy="Set storage_options.host_key to the line that ssh-keyscan prints for it, without "
                    "the host's name, once you have made sure that it is the right one.",
                )

    return Known()
