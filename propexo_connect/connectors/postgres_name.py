"""How tables are named as streams: `units` in the schema public, `crm.units`, `"odd.schema".units`."""

import re

_PART = r'"(?:[^"]|"")+"'
_NAME = re.compile(rf'(?:({_PART}|[^".]+)\.({_PART}|[^".][^"]*)|({_PART}|[^".]+))')


def parse_name(name: str) -> tuple[str, str] | None:
    """Schema and table of a stream's name; None when it cannot be one.

    A part without quotes ends at the first dot, the table's name takes the rest.
    """
    found = _NAME.fullmatch(name)
    if found is None or "\0" in name:
        return None
    return _unquoted(found[1] or "public"), _unquoted(found[2] or found[3])


def stream_name(schema: str, table: str) -> str:
    """The shortest name that `parse_name` reads as this table."""
    short = table if schema == "public" else f"{schema}.{table}"
    return short if parse_name(short) == (schema, table) else f"{_quoted(schema)}.{_quoted(table)}"


def _unquoted(part: str) -> str:
    return part[1:-1].replace('""', '"') if part.startswith('"') else part


def _quoted(part: str) -> str:
    return '"' + part.replace('"', '""') + '"'
