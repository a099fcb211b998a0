"""YAML without surprises: every scalar is text, every value knows its line, nothing is shared or tagged.

YAML 1.1 reads the ZIP code 01234 as 668, the country NO as false and 12:30:45 as 45045, and nine lines of
aliases can become half a gigabyte. Here a value is text, a list or a mapping; what it means is decided
by the field it stands for. Tags, anchors, aliases and duplicate keys are refused.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from propexo_connect.connection.problem import Problem, quoted

Value = str | None | list["Value"] | dict[str, "Value"]
"""What a file can hold; None is a key with nothing after it."""

FieldPath = tuple[str | int, ...]
"""Keys and list positions from the top of a file to a value."""

LARGEST_FILE = 1024 * 1024
"""Bytes; a thousand streams with all their overrides stay far below."""

_DEEPEST = 24
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Unreadable(Exception):
    """A text that is no document; carries its problems."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = problems


@dataclass(frozen=True)
class Document:
    """A file's content and where each part of it stands.

    Args:
        marks: line and column, from 1, of each key (or of the item, in lists) by its path.
    """

    content: dict[str, Value]
    file: Path | None = None
    marks: dict[FieldPath, tuple[int, int]] = field(default_factory=dict[FieldPath, tuple[int, int]])

    def problem(self, path: FieldPath, found: str, expected: str = "", remedy: str = "") -> Problem:
        """A problem at a field, placed at the nearest part of the file that exists."""
        line, column = next(
            (self.marks[path[:end]] for end in range(len(path), -1, -1) if path[:end] in self.marks),
            (None, None),
        )
        name = ".".join(str(part) for part in path)
        return Problem(found, expected, remedy, name, self.file, line, column)


def read_document(file: Path) -> Document:
    """The document in a file.

    Raises:
        Unreadable: it cannot be read, is too large, not UTF-8, or not a document (see `parse_document`).
    """
    try:
        with file.open("rb") as opened:
            raw = opened.read(LARGEST_FILE + 1)
    except OSError as error:
        raise Unreadable(
            Problem(f"cannot be read: {error.strerror}", "a file this process may read", file=file)
        ) from None
    if len(raw) > LARGEST_FILE:
        raise Unreadable(
            Problem(
                "larger than 1 MiB",
                "a connection file of at most 1 MiB",
                "Split it into several connections.",
                file=file,
            )
        )
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise Unreadable(
            Problem(
                f"byte 0x{raw[error.start]:02x} is not UTF-8",
                "a text file in UTF-8",
                "Save the file with the encoding UTF-8.",
                file=file,
                line=line,
                column=error.start - (raw.rfind(b"\n", 0, error.start) + 1) + 1,
            )
        ) from None
    return parse_document(text, file)


def parse_document(text: str, file: Path | None = None) -> Document:
    """The document in a text.

    Raises:
        Unreadable: not YAML, empty, not one mapping, or with a tag, an anchor, an alias, a duplicate
            or composite key, or nested too deeply.
    """
    builder = _Builder(file)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        # `problem` and `context` name characters and tokens; the snippet of the line is left out,
        # because it may hold a secret that somebody wrote out.
        said = ", ".join(part for part in (error.context, error.problem) if part)
        mark = error.problem_mark or error.context_mark
        remedy = "Indent with spaces." if "'\\t'" in said else "Mend the line, or put its value in quotes."
        raise Unreadable(
            Problem(
                f"not YAML: {said}",
                "a YAML mapping",
                remedy,
                file=file,
                line=mark.line + 1 if mark else None,
                column=mark.column + 1 if mark else None,
            )
        ) from None
    except (yaml.YAMLError, UnicodeEncodeError):
        raise Unreadable(
            Problem(
                "a character that YAML does not allow",
                "a YAML mapping",
                "Remove the character.",
                file=file,
            )
        ) from None
    if builder.problems:
        raise Unreadable(*builder.problems)
    return Document(builder.content(), file, builder.marks)


@dataclass
class _Open:
    """A collection whose end has not come yet; `key` is what the next value of a mapping belongs to."""

    value: list[Value] | dict[str, Value]
    path: FieldPath
    key: str | None = None


class _Builder:
    """Builds a document from YAML events: no recursion, so depth is a number and not a crash."""

    def __init__(self, file: Path | None) -> None:
        self.problems: list[Problem] = []
        self.marks: dict[FieldPath, tuple[int, int]] = {}
        self._file = file
        self._open: list[_Open] = []
        self._root: Value = None
        self._documents = 0

    def content(self) -> dict[str, Value]:
        """The finished mapping."""
        if isinstance(self._root, dict) and self._root:
            return self._root
        found = "a list" if isinstance(self._root, list) else f"the text {quoted(self._root)}"
        raise Unreadable(
            Problem(
                found if self._root else "nothing",
                "a mapping of `source`, `destination` and `streams`",
                "Write at least these three.",
                file=self._file,
                line=1,
            )
        )

    def take(self, event: yaml.Event) -> None:
        """Take one more event in."""
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                self._refuse(event, "a second document", "one document in each file", "Remove `---`.")
        elif isinstance(event, yaml.AliasEvent):
            self._refuse(event, f"the alias *{event.anchor}", *_NO_SHARING)
            self._put(None, event)
        elif isinstance(event, yaml.ScalarEvent):
            self._inspect(event)
            # A plain scalar with nothing in it is a key without a value; '' is an empty text.
            self._put(None if event.value == "" and event.implicit[0] else event.value, event)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self._inspect(event)
            self._begin(event)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self._open.pop()

    def _begin(self, event: yaml.MappingStartEvent | yaml.SequenceStartEvent) -> None:
        if len(self._open) >= _DEEPEST:
            self._refuse(event, f"more than {_DEEPEST} levels of nesting", "a flatter file", "")
            raise Unreadable(*self.problems)
        value: list[Value] | dict[str, Value] = {} if isinstance(event, yaml.MappingStartEvent) else []
        self._open.append(_Open(value, self._put(value, event)))

    def _put(self, value: Value, event: yaml.Event) -> FieldPath:
        """Give a value its place, or keep it as the key of the next one; the path it stands at."""
        if self._documents > 1 or not self._open:
            if self._documents == 1:
                self._root = value
                self.marks[()] = _mark(event)
            return ()
        parent = self._open[-1]
        if isinstance(parent.value, list):
            path = (*parent.path, len(parent.value))
            parent.value.append(value)
            self.marks[path] = _mark(event)
            if isinstance(value, str):  # so that a list of names can be addressed by name
                self.marks.setdefault((*parent.path, value), _mark(event))
            return path
        if parent.key is None:
            if not isinstance(value, str):
                self._refuse(event, "a key that is not a plain text", "keys that are names", "")
                value = ""
            parent.key = value
            path = (*parent.path, value)
            if value in parent.value:
                first = self.marks[path][0]
                self._refuse(
                    event, f"the key {quoted(value)} a second time", "each key once", f"See line {first}."
                )
            self.marks.setdefault(path, _mark(event))
            return path
        path = (*parent.path, parent.key)
        parent.value[parent.key] = value
        parent.key = None
        return path

    def _inspect(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        if event.anchor is not None:
            self._refuse(event, f"the anchor &{event.anchor}", *_NO_SHARING)
        if event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            self._refuse(event, f"the tag {tag}", "values without tags", "Remove the tag.")

    def _refuse(self, event: yaml.Event, found: str, expected: str, remedy: str) -> None:
        line, column = _mark(event)
        path = ".".join(self._names())
        self.problems.append(Problem(found, expected, remedy, path, self._file, line, column))

    def _names(self) -> Iterator[str]:
        if self._open:
            parent = self._open[-1]
            yield from (str(part) for part in parent.path)
            if isinstance(parent.value, list):
                yield str(len(parent.value))
            elif parent.key is not None:
                yield parent.key


_NO_SHARING = (
    "values written out",
    "Repeat the value, or keep a shared system in connections/sources/ or connections/destinations/.",
)


def _mark(event: yaml.Event) -> tuple[int, int]:
    return event.start_mark.line + 1, event.start_mark.column + 1
