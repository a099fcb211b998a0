"""The stored map from a stream's fields to the columns of its table (SEMANTICS §4, names)."""

from dataclasses import dataclass, replace

from propexo_connect.model.field import FieldType


@dataclass(frozen=True, slots=True)
class Column:
    """One field and the column it lands in.

    `is_declared` types come from the connector or the connection and are never widened.
    """

    field: str
    name: str
    type: FieldType
    is_declared: bool = True


@dataclass(frozen=True, slots=True)
class Change:
    """One step of schema drift: an event of the ledger."""

    kind: str
    """`added`, `widened` or `kept in meta`."""
    field: str
    column: str | None
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of a stream's table, in their order; names never change once stored."""

    columns: tuple[Column, ...] = ()
    key: tuple[str, ...] = ()
    """Source fields that identify a record."""

    def column(self, field: str) -> Column:
        """The column of a source field that the layout is known to hold."""
        return next(column for column in self.columns if column.field == field)

    @property
    def fields(self) -> frozenset[str]:
        """The source fields that have a column."""
        return frozenset(column.field for column in self.columns)

    @property
    def is_ready(self) -> bool:
        """Whether a table can be made of it: there are columns, and the key is among them.

        Not so while a stream without declared fields has yet to serve its first usable record.
        """
        return bool(self.columns) and self.fields.issuperset(self.key)

    @property
    def key_columns(self) -> tuple[str, ...]:
        """The columns of the key."""
        return tuple(self.column(field).name for field in self.key)

    def with_columns(self, added: tuple[Column, ...]) -> "Layout":
        """The layout with columns appended, or replaced where the field is known."""
        fresh = {column.field: column for column in added}
        kept = tuple(fresh.pop(column.field, column) for column in self.columns)
        return replace(self, columns=(*kept, *fresh.values()))
