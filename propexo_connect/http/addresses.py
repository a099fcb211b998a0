"""Which network addresses may be connected to."""

import ipaddress
import socket
from collections.abc import Callable

from propexo_connect.model.errors import ConfigurationError, Unreachable

_NAT64 = ipaddress.ip_network("64:ff9b::/96")

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

Resolver = Callable[[str, int], list[str]]
"""From a host's name and port to its numeric addresses, best first; raises OSError."""


def resolve(host: str, port: int) -> list[str]:
    """The numeric addresses of a host, as the system knows them."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def granted(
    host: str, port: int, resolver: Resolver, *, is_encrypted: bool, allow_private: bool
) -> list[str]:
    """The addresses of a host that may be connected to; connect to one of them and not to the name again.

    Raises:
        Unreachable: the name cannot be resolved. ConfigurationError: every address is refused.
    """
    try:
        addresses = resolver(host, port)
    except (OSError, UnicodeError) as error:
        raise Unreachable(f"the name {host} cannot be resolved") from error
    refused: str | None = None
    found: list[str] = []
    for address in addresses:
        why = refusal(address, is_encrypted=is_encrypted, allow_private=allow_private)
        refused = why or refused
        if why is None:
            found.append(address)
    if refused and not found:
        raise ConfigurationError(
            f"{host} is not connected to: {refused}",
            remedy="If a private address is meant, set allow_private_addresses: true",
        )
    return found


def refusal(address: str, *, is_encrypted: bool, allow_private: bool) -> str | None:
    """Why this numeric address must not be connected to; None when it may.

    Link-local (there live the metadata services of clouds), multicast, unspecified and reserved addresses
    are never served. Private and loopback ones are when the connection allows them, and only they may be
    spoken to without encryption.
    """
    ip = embedded(ipaddress.ip_address(address.partition("%")[0]))
    if not ip.is_loopback and (ip.is_link_local or ip.is_multicast or ip.is_unspecified or ip.is_reserved):
        return f"the address {ip} is link-local or reserved"
    if ip.is_global:
        return None if is_encrypted else f"the public address {ip} would be spoken to without encryption"
    return None if allow_private else f"the address {ip} is private"


def embedded(ip: IPAddress) -> IPAddress:
    """The IPv4 address that an IPv6 address stands for (mapped, 6to4, Teredo, NAT64), else the address."""
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
    teredo = ip.teredo
    return ip.ipv4_mapped or ip.sixtofour or (teredo[1] if teredo else ip)
