"""Which network addresses may be connected to."""

import ipaddress

_NAT64 = ipaddress.ip_network("64:ff9b::/96")

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


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
