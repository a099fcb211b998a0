"""What is wrong with a connection file, said so that its writer can mend it without asking."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from propexo_connect.model.errors import ConfigurationError

_LONGEST_LIST = 30


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend; its text is one paragraph: where, what was found, what was expected, what to do.

    Args:
        file: None when the connection did not come from a file.
        line, column: from 1; None when the place is not known.
        path: of the field, with dots: `streams.work_orders.mode`; empty for the file as a whole.
        found: never a secret.
    """

    found: str
    expected: str = ""
    remedy: str = ""
    path: str = ""
    file: Path | None = None
    line: int | None = None
    column: int | None = None

    @property
    def place(self) -> str:
        """File, line and column as editors and terminals link them; empty without a file."""
        if self.file is None:
            return ""
        return ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)

    def __str__(self) -> str:
        where = ", ".join(part for part in (self.place, self.path) if part)
        return str(
            ConfigurationError(self.found, where=where, expected=self.expected, remedy=self.remedy)
        ).replace("\n", " ")


class InvalidConnection(ConfigurationError):
    """A connection that cannot be used; `problems` holds everything that was found, at least one."""

    def __init__(self, name: str, problems: tuple[Problem, ...]) -> None:
        self.connection = name
        self.problems = problems
        super().__init__(" ".join(str(problem) for problem in problems), where=f"connection '{name}'")


@dataclass(frozen=True, slots=True)
class BrokenConnection:
    """A file that is no usable connection; the others are not affected."""

    name: str
    file: Path
    problems: tuple[Problem, ...]

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


@dataclass(frozen=True, slots=True)
class BrokenEndpoint:
    """A file that is no usable endpoint; nothing is written for it, and nobody else is affected."""

    name: str
    file: Path
    problems: tuple[Problem, ...]

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


def close(name: str, names: Iterable[str]) -> str:
    """`Did you mean 'x'?` for the names that are spelled nearly so; empty when none is."""
    folded = {known.lower(): known for known in names}
    near = difflib.get_close_matches(name.lower(), folded, n=3, cutoff=0.6)
    return f"Did you mean {' or '.join(quoted(folded[match]) for match in near)}?" if near else ""


def listed(names: Iterable[str]) -> str:
    """Names for a sentence, in their order, cut where there are very many."""
    known = list(dict.fromkeys(names))
    more = f" and {len(known) - _LONGEST_LIST} more" if len(known) > _LONGEST_LIST else ""
    return (", ".join(known[:_LONGEST_LIST]) or "nothing") + more


def quoted(text: object, longest: int = 60) -> str:
    """A value in quotes on one line, control characters escaped, cut where it is long."""
    shown = str(text).encode("unicode_escape").decode() if not str(text).isprintable() else str(text)
    return f"'{shown}'" if len(shown) <= longest else f"'{shown[:longest]}…'"
