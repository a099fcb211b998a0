"""The one place that requests may go to: scheme, host and port of the configured address."""

import httpx

from propexo_connect.model.errors import ConfigurationError, TerminalError

_PORTS = {"http": 80, "https": 443}


class Origin:
    """A configured base address, and the addresses below it.

    Raises:
        ConfigurationError: not an absolute web address, unencrypted without leave, or with credentials.
    """

    def __init__(self, base_url: str, *, allow_http: bool = False) -> None:
        base = _parsed(base_url)
        if base is None or base.scheme not in _PORTS or not base.host:
            raise ConfigurationError(
                "'url' is not an absolute web address", expected="something like https://api.example.com"
            )
        if base.userinfo or base.query or base.fragment:
            raise ConfigurationError(
                "'url' carries credentials, a query or a fragment",
                expected="only scheme, host, port and path",
            )
        if base.scheme == "http" and not allow_http:
            raise ConfigurationError(
                "'url' is not encrypted",
                expected="an address that begins with https://",
                remedy="http:// is only for private addresses, with allow_private_addresses: true",
            )
        self._base = base
        self._prefix = str(base).rstrip("/")

    def address(self, target: str) -> httpx.URL:
        """The address of a path below the base, or of an absolute link of the same origin.

        No path is the base itself, with the slash at its end if it has one.

        Raises:
            TerminalError: a link to somewhere else; nothing is sent there.
        """
        if not target:
            return self._base
        is_path = target.startswith("/") and not target.startswith("//")
        url = _parsed(self._prefix + target if is_path else target)
        if url is None or url.userinfo or _place(url) != _place(self._base):
            raise TerminalError(
                f"a link leads away from {self._base.host}" + (f" to {url.host}" if url and url.host else ""),
                remedy="Links are followed on the configured host only; nothing was sent",
            )
        return url

    def redirect(self, current: httpx.URL, location: str) -> httpx.URL:
        """Where a redirect leads, by the same rule; `location` may be relative to the current address."""
        try:
            return self.address(str(current.join(location)))
        except httpx.InvalidURL:
            return self.address("//")


def _place(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host.lower(), url.port or _PORTS.get(url.scheme)


def _parsed(text: str) -> httpx.URL | None:
    try:
        return httpx.URL(text)
    except httpx.InvalidURL:
        return None
