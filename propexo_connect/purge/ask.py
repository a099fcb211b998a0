"""From what a person writes to a request."""

import getpass
from collections.abc import Iterable, Sequence

from propexo_connect.connection.parse import Connection
from propexo_connect.model.errors import ConfigurationError
from propexo_connect.model.purge import PurgeRequest


def asked(
    connection: Connection,
    *,
    keys: Sequence[str] = (),
    identifier: str = "",
    streams: Sequence[str] = (),
    fields: Sequence[str] = (),
    ignore_case: bool = False,
    is_suppressed: bool = False,
    reason: str = "",
    requested_by: str = "",
) -> PurgeRequest:
    """The request to one connection.

    Args:
        keys: `field=value` for each field of the key, or the value alone where the key is one field.

    Raises:
        ConfigurationError: neither a key nor an identifier is given, or both, or a part of one twice.
    """
    if bool(keys) == bool(identifier):
        raise ConfigurationError(
            "it is not said what is to be purged" if not keys else "a key and an identifier are given",
            where=f"connection '{connection.name}', purge",
            expected="either a key or an identifier",
        )
    if keys and (fields or ignore_case):
        raise ConfigurationError(
            "fields and case belong to an identifier, and a key is given",
            where=f"connection '{connection.name}', purge",
        )
    return PurgeRequest(
        connection.name,
        tuple(dict.fromkeys(streams)),
        key=_key(connection, keys),
        identifier=identifier,
        fields=tuple(dict.fromkeys(fields)),
        ignore_case=ignore_case,
        is_suppressed=is_suppressed,
        reason=reason,
        requested_by=requested_by or user(),
        children=_children(connection, streams),
    )


def _key(connection: Connection, keys: Iterable[str]) -> dict[str, str]:
    """The parts by field; a value alone has none yet, and may itself hold an equals sign."""
    known = {name for plan in connection.plans for name in plan.stream.key}
    parts: dict[str, str] = {}
    for text in keys:
        name, sign, value = text.partition("=")
        if not sign or (known and name not in known):
            name, value = "", text
        if name in parts:
            raise ConfigurationError(
                f"the key has two values for the field '{name}'" if name else "the key has two values",
                where=f"connection '{connection.name}', purge",
                expected="field=value, once for each field of the key",
            )
        parts[name] = value
    return parts


def _children(connection: Connection, streams: Sequence[str]) -> tuple[str, ...]:
    """The streams that are read through those; the destination does not know of it."""
    asked_for = set(streams) or {plan.stream.name for plan in connection.plans}
    return tuple(plan.stream.name for plan in connection.plans if plan.stream.parent in asked_for)


def user() -> str:
    """Who is at work, as the system knows them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        return ""
