"""Finding the files of a stream under one root, and opening them without ever leaving it.

Patterns know `*` and `?` within a name, `[abc]`, and `**` for folders of any depth. Names that begin with
a dot are hidden: only a pattern that begins with a dot finds them.
"""

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Protocol

from propexo_connect.model.errors import (
    ConnectError,
    CredentialsRefused,
    FileMismatch,
    PermissionRefused,
    UnknownName,
    Unreachable,
    VendorFault,
)


@dataclass(frozen=True, slots=True, order=True)
class FoundFile:
    """One file that a pattern found; files order by the time of their last change, then by name.

    Args:
        path: below the root, with `/` between folders.
    """

    modified_at: datetime
    path: str
    size_bytes: int


class Folder(Protocol):
    """The root of all streams of a source."""

    def find(self, pattern: str, max_files: int) -> list[FoundFile]:
        """Every file of the pattern, in the order of change.

        Raises:
            UnknownName: the root is not there. FileMismatch: something that is not a file in the root.
        """
        ...

    def open(self, file: FoundFile) -> IO[bytes]:
        """The bytes of a file that `find` gave."""
        ...

    def look(self, file: FoundFile) -> FoundFile:
        """The same file as it is now.

        Raises:
            VendorFault: it is gone.
        """
        ...

    def close(self) -> None:
        """Let go of whatever was needed to reach it."""
        ...


def pattern_fault(pattern: str) -> str | None:
    """Why a pattern cannot be one, None when it can."""
    if not pattern.strip():
        return "it is empty"
    if pattern.startswith(("/", "~")) or re.match(r"[A-Za-z]:|[a-z0-9+]+://", pattern):
        return "it must lie below the root"
    if "\\" in pattern or "\0" in pattern:
        return "folders are separated by /"
    if ".." in pattern.split("/"):
        return "it leaves the root by '..'"
    if any("**" in part and part != "**" for part in pattern.split("/")):
        return "'**' must stand alone between slashes"
    return None


def pattern_regex(pattern: str) -> re.Pattern[str]:
    """What the path of a file, below the root, must look like."""
    parts = pattern.split("/")
    text = ""
    for number, part in enumerate(parts):
        is_last = number == len(parts) - 1
        if part == "**":
            text += r"(?:[^/.][^/]*/)*" + (r"[^/.][^/]*" if is_last else "")
        else:
            text += _part_regex(part) + ("" if is_last else "/")
    return re.compile(text, re.DOTALL)


def _part_regex(part: str) -> str:
    text = "" if part.startswith(".") else r"(?!\.)"
    for piece in re.findall(r"\[[^\]]+\]|.", part, re.DOTALL):
        if piece == "*":
            text += "[^/]*"
        elif piece == "?":
            text += "[^/]"
        elif len(piece) > 1:
            inner = re.sub(r"([\\\[\]&~|^])", r"\\\1", piece[1:-1].removeprefix("!"))
            text += f"(?!/)[{'^' if piece[1] == '!' else ''}{inner}]"
        else:
            text += re.escape(piece)
    return text


def fixed_part(pattern: str) -> tuple[str, bool]:
    """The folder below which every match lies, and whether matches may lie at any depth."""
    parts = pattern.split("/")
    fixed: list[str] = []
    for part in parts[:-1]:
        if re.search(r"[*?\[]", part):
            break
        fixed.append(part)
    return "/".join(fixed), "**" in parts


class LocalFolder:
    """A folder of this machine. Links to folders are not followed; links to files only within the root."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def find(self, pattern: str, max_files: int) -> list[FoundFile]:
        root = self._resolved_root()
        base, is_deep = fixed_part(pattern)
        depth = None if is_deep else pattern.count("/") - (base.count("/") + 1 if base else 0)
        regex = pattern_regex(pattern)
        found: list[FoundFile] = []
        for seen, path in enumerate(self._walk(base, depth), start=1):
            if seen > max_files:
                raise too_many(max_files)
            if regex.fullmatch(path):
                found.append(self._found(root, path))
        return sorted(found)

    def open(self, file: FoundFile) -> IO[bytes]:
        inside = self._inside(self._resolved_root(), file.path)
        try:
            # O_NONBLOCK: a pipe that takes the file's place now must not hold us.
            descriptor = os.open(inside, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise in_our_words(error, file.path) from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise _not_a_file(file.path)
        return os.fdopen(descriptor, "rb", buffering=0)

    def look(self, file: FoundFile) -> FoundFile:
        try:
            return self._found(self._resolved_root(), file.path)
        except UnknownName:
            raise changed_while_read(file.path) from None

    def close(self) -> None:
        """Nothing is held."""

    def _resolved_root(self) -> Path:
        try:
            root = self._root.resolve(strict=True)
        except (OSError, RuntimeError) as error:
            raise UnknownName("the root folder is not there", where="root") from error
        if not root.is_dir():
            raise UnknownName("the root is not a folder", where="root")
        return root

    def _walk(self, base: str, depth: int | None) -> Iterator[str]:
        """Paths of everything below `base` that is not a folder, at most `depth` folders down."""
        try:
            if not self._inside(self._resolved_root(), base).is_dir():
                return
            entries = sorted(os.scandir(self._root / base), key=lambda entry: entry.name)
        except FileNotFoundError:
            return
        except OSError as error:
            raise in_our_words(error, base) from error
        for entry in entries:
            path = f"{base}/{entry.name}" if base else entry.name
            if entry.is_dir(follow_symlinks=False):
                if depth is None or depth > 0:
                    yield from self._walk(path, None if depth is None else depth - 1)
            elif not entry.is_dir():
                yield path

    def _found(self, root: Path, path: str) -> FoundFile:
        inside = self._inside(root, path)
        try:
            facts = inside.stat()
        except FileNotFoundError as error:
            raise UnknownName("the file is gone", where=f"file '{path}'") from error
        except OSError as error:
            raise in_our_words(error, path) from error
        if not stat.S_ISREG(facts.st_mode):
            raise _not_a_file(path)
        seconds, rest = divmod(facts.st_mtime_ns, 1_000_000_000)
        modified_at = datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000)
        return FoundFile(modified_at, path, facts.st_size)

    @staticmethod
    def _inside(root: Path, path: str) -> Path:
        try:
            resolved = (root / path).resolve()
        except (OSError, RuntimeError) as error:
            raise outside(path) from error
        if not resolved.is_relative_to(root):
            raise outside(path)
        return resolved


_LOGIN_ERRORS = frozenset(
    {
        "AuthenticationException",
        "BadAuthenticationType",
        "ClientAuthenticationError",
        "DefaultCredentialsError",
        "NoCredentialsError",
        "PartialCredentialsError",
        "RefreshError",
    }
)
"""Names of classes: the packages that define them need not be installed."""


def in_our_words(error: BaseException, path: str) -> ConnectError:
    """An error of the system that holds the files; what it says is not passed on: it may hold secrets."""
    where = f"file '{path}'" if path else "root"
    if isinstance(error, ConnectError):
        return error
    if isinstance(error, PermissionError):
        return PermissionRefused("it may not be read", where=where, remedy="Grant the right to read it.")
    if isinstance(error, FileNotFoundError):
        return changed_while_read(path)
    if type(error).__name__ in _LOGIN_ERRORS:
        return CredentialsRefused(
            f"the credentials are refused ({type(error).__name__})",
            where=where,
            remedy="Check those under storage_options.",
        )
    return Unreachable(f"it cannot be read ({type(error).__name__})", where=where)


def changed_while_read(path: str) -> VendorFault:
    """What to raise when a file is not what it was before it was read."""
    return VendorFault("the file changed while it was read", where=f"file '{path}'")


def outside(path: str) -> FileMismatch:
    """What to raise when a link leads out of the root."""
    return FileMismatch(
        "it leads out of the root",
        where=f"file '{path}'",
        expected="files within the root",
        remedy="Remove the link, or widen the root.",
    )


def _not_a_file(path: str) -> FileMismatch:
    return FileMismatch(
        "it is a device, a pipe or a folder",
        where=f"file '{path}'",
        expected="a regular file",
        remedy="Narrow the pattern.",
    )


def too_many(max_files: int) -> FileMismatch:
    """What to raise when a pattern has more to look at than it may."""
    return FileMismatch(
        f"there are more than {max_files} files where the pattern looks",
        where="root",
        remedy="Narrow the pattern, archive old files, or raise max_files.",
    )
