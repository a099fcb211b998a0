"""The one way a name gets into SQL."""

from functools import cache

from sqlglot import exp

from propexo_connect.model.errors import Defect
from propexo_connect.model.names import MAX_BYTES
from propexo_connect.model.stream import Table


@cache
def quote(name: str) -> str:
    """A name as a quoted identifier; the two dialects quote alike.

    Raises:
        Defect: empty, with a NUL, or longer than 63 bytes, where PostgreSQL would cut it in silence.
    """
    if not name or "\0" in name or len(name.encode()) > MAX_BYTES:
        raise Defect(f"{name[:80]!r} cannot be the name of a table or column")
    return exp.to_identifier(name, quoted=True).sql(dialect="postgres")


def qualified(table: Table) -> str:
    """A table with its schema, and with its catalog where it has one, all quoted."""
    parts = (table.catalog, table.schema, table.name) if table.catalog else (table.schema, table.name)
    return ".".join(map(quote, parts))


def listed(names: tuple[str, ...] | list[str], alias: str = "") -> str:
    """Columns behind one another, each with the alias of its table when there is one."""
    prefix = f"{alias}." if alias else ""
    return ", ".join(f"{prefix}{quote(name)}" for name in names)


def literal(text: str) -> str:
    """A text as a string of SQL, for views alone, which take no parameters; both dialects read it alike."""
    return exp.Literal.string(text).sql(dialect="postgres")
