"""Files of other systems, through fsspec: object stores, SFTP, and whatever else is installed.

What such a system's errors say is not passed on: it may hold secrets.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, cast

import fsspec

from propexo_connect.connectors.files_listing import (
    Folder,
    FoundFile,
    LocalFolder,
    changed_while_read,
    fixed_part,
    in_our_words,
    outside,
    pattern_regex,
    too_many,
)
from propexo_connect.connectors.files_sftp import sftp_options
from propexo_connect.model.errors import ConfigurationError, UnknownName

EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs", "abfs": "abfs", "abfss": "abfs", "az": "abfs",
          "sftp": "sftp", "ssh": "sftp"}  # fmt: skip
"""Which extra of this package brings a protocol."""

_SFTP = frozenset({"sftp", "ssh"})
_BLOCK_BYTES = 4 * 1024 * 1024
"""Read at once: fsspec's own choice for object stores is 50 MiB a file."""


def open_folder(root: str, options: Mapping[str, str]) -> Folder:
    """The folder of a root: a local path, or a URL of any protocol that fsspec knows and finds installed.

    Other systems are connected to when they are first asked.

    Raises:
        ConfigurationError: the URL is not one of a folder, or its protocol is not installed.
    """
    if "::" in root:
        raise ConfigurationError("the root chains protocols", expected="one path or URL", where="root")
    protocol, found, rest = root.partition("://")
    if not found or protocol in {"file", "local"}:
        return LocalFolder(Path(rest if found else root).expanduser())
    if "@" in rest.partition("/")[0]:
        raise ConfigurationError(
            "the root holds credentials", where="root", remedy="Put user and password under storage_options."
        )
    try:
        kind = fsspec.get_filesystem_class(protocol)
    except (ImportError, ValueError) as error:
        extra = EXTRAS.get(protocol)
        raise ConfigurationError(
            f"files of the protocol '{protocol}' cannot be read here ({type(error).__name__})",
            where="root",
            expected="a path, or a URL of a protocol whose fsspec package is installed",
            remedy=f"Install it with: pip install 'propexo-connect[{extra}]'." if extra else "",
        ) from None
    given = sftp_options(options) if protocol in _SFTP else _plain_options(options)

    def connect() -> Any:
        # Its cache would keep secrets, and connections that have died.
        system, _ = fsspec.url_to_fs(root, skip_instance_cache=True, **given)
        return system

    return RemoteFolder(connect, str(kind._strip_protocol(root)).rstrip("/"), is_sftp=protocol in _SFTP)


def _plain_options(options: Mapping[str, str]) -> dict[str, Any]:
    """Options with `true` and `false` as such; everything else is text."""
    words = {"true": True, "false": False}
    return {name: words.get(value, value) for name, value in options.items()}


class RemoteFolder:
    """A folder of a system that fsspec reaches."""

    def __init__(self, connect: Callable[[], Any], root: str, *, is_sftp: bool = False) -> None:
        self._connect = connect
        self._root = root
        self._is_sftp = is_sftp
        self._lock = threading.Lock()
        self._connected: Any = None

    @property
    def _system(self) -> Any:
        with self._lock:
            if self._connected is None:
                self._connected = self._connect()
            return self._connected

    def close(self) -> None:
        """Hang up, where there is something to hang up."""
        with self._lock:
            client = getattr(self._connected, "client", None)
            self._connected = None
        if self._is_sftp and client is not None:
            client.close()

    def find(self, pattern: str, max_files: int) -> list[FoundFile]:
        base, is_deep = fixed_part(pattern)
        depth = None if is_deep else pattern.count("/") - (base.count("/") + 1 if base else 0) + 1
        regex = pattern_regex(pattern)
        try:
            entries = self._entries(f"{self._root}/{base}" if base else self._root, depth)
        except Exception as error:  # noqa: BLE001 - each system has its own errors
            raise in_our_words(error, base) from None
        if len(entries) > max_files:
            raise too_many(max_files)
        found: list[FoundFile] = []
        for name, facts in entries.items():
            path = self._below_root(name)
            if path is not None and facts.get("type") != "directory" and regex.fullmatch(path):
                found.append(self._found(path, facts))
        return sorted(found)

    def _entries(self, place: str, depth: int | None) -> dict[str, dict[str, Any]]:
        """Everything below a place; nothing where there is no such place below a root that is there."""
        system = self._system
        system.invalidate_cache()
        try:
            if self._is_sftp:
                entries = dict(_walked(system, place, depth))
            else:
                entries = cast(dict[str, dict[str, Any]], system.find(place, maxdepth=depth, detail=True))
        except FileNotFoundError:
            entries = {}
        if not entries:
            self._prove_root(system)
        return entries

    def _prove_root(self, system: Any) -> None:
        """Object stores have no folders: there it is the bucket that must be there."""
        root = self._root if self._is_sftp else self._root.strip("/").partition("/")[0]
        try:
            system.info(root)
        except FileNotFoundError:
            raise UnknownName("the root is not there", where="root", remedy="Check root.") from None
        except PermissionError:
            return  # a bucket of which only a part may be seen

    def open(self, file: FoundFile) -> IO[bytes]:
        try:
            place = f"{self._root}/{file.path}"
            return cast(IO[bytes], self._system.open(place, "rb", block_size=_BLOCK_BYTES))
        except Exception as error:  # noqa: BLE001
            raise in_our_words(error, file.path) from None

    def look(self, file: FoundFile) -> FoundFile:
        try:
            self._system.invalidate_cache()
            facts = cast(dict[str, Any], self._system.info(f"{self._root}/{file.path}"))
        except FileNotFoundError:
            raise changed_while_read(file.path) from None
        except Exception as error:  # noqa: BLE001
            raise in_our_words(error, file.path) from None
        return self._found(file.path, facts)

    def _below_root(self, name: str) -> str | None:
        """The path below the root; None for what some systems list although it lies elsewhere."""
        root = f"/{self._root.strip('/')}".rstrip("/") + "/"
        path = f"/{name.lstrip('/')}".removeprefix(root)
        return None if path.startswith("/") or ".." in path.split("/") else path

    def _found(self, path: str, facts: Mapping[str, Any]) -> FoundFile:
        if facts.get("type") == "link":
            facts = self._behind_link(path)
        return FoundFile(self._modified_at(path, facts), path, int(facts.get("size") or 0))

    def _behind_link(self, path: str) -> Mapping[str, Any]:
        """The file that a link leads to, within the root."""
        try:
            root, target = (
                self._system.ftp.normalize(place) for place in (self._root, f"{self._root}/{path}")
            )
            facts = cast(Mapping[str, Any], self._system.info(target))
        except Exception as error:  # noqa: BLE001
            raise in_our_words(error, path) from None
        if not Path(target).is_relative_to(root) or facts.get("type") != "file":
            raise outside(path)
        return facts

    def _modified_at(self, path: str, facts: Mapping[str, Any]) -> datetime:
        for name in ("mtime", "LastModified", "last_modified", "updated", "modified", "modifiedTime"):
            if (instant := _instant(facts.get(name))) is not None:
                return instant
        with suppress(Exception):
            if (instant := _instant(self._system.modified(f"{self._root}/{path}"))) is not None:
                return instant
        raise ConfigurationError(
            "the system does not tell when a file was last changed", where=f"file '{path}'"
        )


def _instant(value: object) -> datetime | None:
    if isinstance(value, str):
        with suppress(ValueError):
            value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return value.replace(tzinfo=value.tzinfo or UTC).astimezone(UTC)
    return datetime.fromtimestamp(value, UTC) if isinstance(value, int | float) else None


def _walked(system: Any, place: str, depth: int | None) -> Iterator[tuple[str, dict[str, Any]]]:
    """Everything below a folder; fsspec's own walk leaves out in silence what may not be listed."""
    for facts in cast(list[dict[str, Any]], system.ls(place, detail=True)):
        name = str(facts["name"])
        if facts.get("type") != "directory":
            yield name, facts
        elif depth is None or depth > 1:
            yield from _walked(system, name, None if depth is None else depth - 1)
