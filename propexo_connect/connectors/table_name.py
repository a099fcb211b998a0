"""How tables are named as streams: `units` in the schema taken for granted, `crm.units`, `"a.b".units`."""

import difflib
import re
from collections.abc import Iterable

_PART = r'"(?:[^"]|"")+"'
_NAME = re.compile(rf'(?:({_PART}|[^".]+)\.({_PART}|[^".][^"]*)|({_PART}|[^".]+))')


def parse_name(name: str, default: str) -> tuple[str, str] | None:
    """Schema and table of a stream's name; None when it cannot be one.

    A part without quotes ends at the first dot, the table's name takes the rest.

    Args:
        default: the schema of a name that tells none.
    """
    found = _NAME.fullmatch(name)
    if found is None or "\0" in name:
        return None
    return _unquoted(found[1]) if found[1] else default, _unquoted(found[2] or found[3])


def stream_name(schema: str, table: str, default: str) -> str:
    """The shortest name that `parse_name` reads as this table."""
    short = table if schema == default else f"{schema}.{table}"
    return short if parse_name(short, default) == (schema, table) else f"{_quoted(schema)}.{_quoted(table)}"


def _unquoted(part: str) -> str:
    return part[1:-1].replace('""', '"') if part.startswith('"') else part


def _quoted(part: str) -> str:
    return '"' + part.replace('"', '""') + '"'


def closest(name: str, known: Iterable[str]) -> str:
    """A sentence with the known names that look most like this one, for messages."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=5, cutoff=0.5)
    if near:
        return f"Did you mean {' or '.join(repr(found) for found in near)}?"
    return f"There are: {', '.join(names[:20])}{' …' if len(names) > 20 else ''}." if names else ""
