"""Places in a JSON answer: `data.items`, or ["@odata.count"] where a key has a dot; "" is the whole answer.

A header is a place, too, where paging values are looked for: `header:X-Total-Count`. Of a range in a header
(`0-99/250`) the number of all is taken.
"""

from collections.abc import Mapping
from typing import cast

Path = str | tuple[str | int, ...]
"""Keys from the outermost object inwards."""

HEADER = "header:"


def steps(path: Path) -> tuple[str | int, ...]:
    """The keys of a path, one by one; numbers step into lists."""
    if isinstance(path, tuple):
        return path
    return tuple(int(step) if step.isdecimal() else step for step in path.split(".")) if path else ()


def header_of(path: Path) -> str | None:
    """The header that a path names; None for a place in the body."""
    return path.removeprefix(HEADER) if isinstance(path, str) and path.startswith(HEADER) else None


def at(told: object, path: Path) -> object:
    """What stands at a place of decoded JSON, `*` being the first of an object; None where nothing is."""
    found = told
    for step in steps(path):
        if isinstance(found, Mapping):
            held = cast("Mapping[str, object]", found)
            found = next(iter(held.values()), None) if step == "*" else held.get(str(step))
        elif isinstance(found, list) and isinstance(step, int):
            many = cast("list[object]", found)
            found = many[step] if step < len(many) else None
        else:
            return None
    return found


def said(path: Path) -> str:
    """A path in words."""
    header = header_of(path)
    if header:
        return f"the header {header}"
    return f"`{'.'.join(map(str, steps(path)))}`" if path else "the whole answer"
