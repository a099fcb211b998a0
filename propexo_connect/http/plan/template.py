"""Text with placeholders: `{client_id}`, `{parent.Id}`, `{start}`; and JSON made of such texts.

A name stands for a setting of the connection, a field of the parent's record, or what the engine knows of
the request (`ENGINE_NAMES`). Braces around anything else are braces, also those of `${NAME}`, so JSON and
GraphQL need no escapes.
`{name?}` is empty where the name has no value, `{name/}` what stands behind the last slash of an address;
what refers to a name without a value otherwise is left out: a parameter, a header, an entry of a body.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

import msgspec

from propexo_connect.model.errors import ConfigurationError

PLACEHOLDER = re.compile(r"(?<!\$)\{([A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_-]+)*)([?/])?\}")

_ASKED = ("start", "end", "filter", "fields", "narrow", "now", "today")
_PLACED = ("size", "offset", "page", "cursor", "each", "origin")

ENGINE_NAMES = frozenset((*_ASKED, *_PLACED))
"""`start`, `end`: the bounds of the request, as its filter writes them. `filter`: the filter's terms.
`size`, `offset`, `page`, `cursor`: the place in a list. `fields`: the names that are asked for. `narrow`: the
same, but without a value where everything is wanted, for APIs that send all fields unless they are told.
`now`: the present instant, ISO 8601. `today`: the day in the API's zone, 2026-03-01.
`each`: one value of a list that the settings hold. `origin`: scheme and host of the API, at the beginning
of a path that is not below its address."""

Names = Mapping[str, object]
"""What placeholders stand for; None for a name without a value."""


class _Absent:
    """No value at all: what refers to it is left out."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = _Absent()


def fill(template: object, names: Names) -> object:
    """The template with every placeholder replaced; `ABSENT` where a name has no value.

    A text that is one placeholder takes its value's own type. Mappings and lists lose absent entries.
    """
    if isinstance(template, str):
        return _filled(template, names)
    if isinstance(template, Mapping):
        entries = cast("Mapping[str, object]", template).items()
        found = ((fill_text(key, names), fill(part, names)) for key, part in entries)
        return {key: part for key, part in found if key is not None and part is not ABSENT}
    if isinstance(template, list | tuple):
        parts = (fill(part, names) for part in cast("Sequence[object]", template))
        return [part for part in parts if part is not ABSENT]
    return template


def fill_text(template: str, names: Names, fit: Callable[[str], str] = str) -> str | None:
    """The template as text; None where a name has no value. `fit` makes each value fit for its place."""
    is_absent = False

    def put(match: re.Match[str]) -> str:
        nonlocal is_absent
        found = _looked_up(match, names)
        if found is None:
            is_absent = True
        return "" if found is None else fit(text_of(found))

    text = PLACEHOLDER.sub(put, template)
    return None if is_absent else text


def _filled(template: str, names: Names) -> object:
    whole = PLACEHOLDER.fullmatch(template)
    found = fill_text(template, names) if whole is None else _looked_up(whole, names)
    return ABSENT if found is None else found


def _looked_up(match: re.Match[str], names: Names) -> object:
    """What a placeholder stands for, with its mark; None leaves out what refers to it."""
    found = look_up(match[1], names)
    if match[2] == "?":
        return "" if found is None else found
    if match[2] == "/" and found is not None:
        return text_of(found).rstrip("/").rpartition("/")[2]
    return found


def look_up(name: str, names: Names) -> object:
    """What a name stands for; None when it has no value.

    Raises:
        ConfigurationError: nobody knows the name.
    """
    if name in names:
        return names[name]
    head, _, rest = name.partition(".")
    if rest and head in names:
        found = names[head]
        if isinstance(found, Mapping):
            return cast("Mapping[str, object]", found).get(rest)
        if found is None:
            return None
    raise ConfigurationError(
        f"the plan refers to '{{{name}}}', which is neither a setting nor a name of the engine",
        expected=f"one of {', '.join(sorted(names))}",
    )


def text_of(value: object) -> str:
    """A value as a part of a text: truth values in lower case, lists joined by commas."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, msgspec.Raw):
        return bytes(value).decode()
    if isinstance(value, list | tuple):
        return ",".join(text_of(part) for part in cast("Sequence[object]", value))
    if isinstance(value, Mapping):
        return msgspec.json.encode(value).decode()
    return str(value)


def names_in(template: Any) -> Iterator[str]:
    """Every name that a template refers to."""
    if isinstance(template, str):
        yield from (found[1] for found in PLACEHOLDER.finditer(template))
    elif isinstance(template, Mapping):
        for key, part in cast("Mapping[str, Any]", template).items():
            yield from names_in(key)
            yield from names_in(part)
    elif isinstance(template, list | tuple):
        for part in cast("Sequence[Any]", template):
            yield from names_in(part)
