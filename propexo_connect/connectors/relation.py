"""What any database's catalog tells of tables and views, in one shape."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlglot import Expr, exp

from propexo_connect.connectors import sql
from propexo_connect.model.field import Field, FieldType, Kind
from propexo_connect.model.stream import Axis, Filter, Meaning

MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class TableColumn:
    """One column that we may read.

    Args:
        base: the type's name as the database has it, without length and precision.
        is_sequence: filled by a sequence, an identity or the like.
        can_filter: whether its order is that of its values; else windows cannot use it.
        grain: the resolution of a filter on it.
        read_as: what is selected in its place, None for the column itself.
        compared_as: what bounds are compared with in its place, None for the column itself.
        instant_form: how bounds in time are written, for `strftime`; ISO 8601 when empty.
        bound_type: the type that bounds in time are cast to, where the database would not find it by itself.
    """

    name: str
    type: FieldType
    base: str
    description: str = ""
    is_sequence: bool = False
    can_filter: bool = True
    grain: timedelta = MICROSECOND
    read_as: Expr | None = None
    compared_as: Expr | None = None
    instant_form: str = ""
    bound_type: Expr | None = None

    def instant(self, bound: datetime) -> Expr:
        """A bound in time as the database reads it beside this column."""
        text = bound.strftime(self.instant_form) if self.instant_form else bound.isoformat()
        literal = sql.literal(text)
        return literal if self.bound_type is None else exp.Cast(this=literal, to=self.bound_type.copy())

    @property
    def selected(self) -> Expr:
        """The column in a SELECT list, under its own name."""
        plain: Expr = sql.column(self.name, sql.ALIAS) if self.read_as is None else self.read_as
        return exp.alias_(plain.copy(), exp.to_identifier(self.name, quoted=True))

    @property
    def compared(self) -> Expr:
        """The column in a condition."""
        plain: Expr = sql.column(self.name, sql.ALIAS) if self.compared_as is None else self.compared_as
        return plain.copy()


@dataclass(frozen=True, slots=True)
class Relation:
    """A table, a view, or whatever else can be selected from.

    Args:
        is_clustered: the records lie in the order of the key, so that reading them so costs nothing.
    """

    schema: str
    name: str
    description: str
    columns: tuple[TableColumn, ...]
    key: tuple[str, ...]
    is_clustered: bool = False

    def column(self, name: str) -> TableColumn | None:
        """The column of this name."""
        return next((column for column in self.columns if column.name == name), None)

    @property
    def place(self) -> exp.Table:
        """The relation in a FROM clause."""
        return sql.table(self.schema, self.name, sql.ALIAS)

    @property
    def fields(self) -> tuple[Field, ...]:
        """The columns as a stream declares them."""
        return tuple(Field(column.name, column.type, column.description) for column in self.columns)

    @property
    def candidates(self) -> tuple[Filter, ...]:
        """What a connection might filter on: columns that are told to move with changes or with time."""
        return tuple(
            axis
            for column in self.columns
            if (axis := filter_on(column, self.key)) is not None
            and (column.name.lower() in _UPDATED_NAMES or axis.axis is Axis.INTEGER)
            and (axis.axis is Axis.INSTANT or (column.is_sequence and self.key == (column.name,)))
        )


_UPDATED_NAMES = frozenset(
    {
        "updated_at",
        "updated_on",
        "updated",
        "modified_at",
        "modified_on",
        "modified",
        "last_modified",
        "last_modified_at",
        "last_updated",
        "last_updated_at",
        "changed_at",
        "date_modified",
        "date_updated",
        "updatedat",
        "modifiedat",
        "lastmodified",
    }
)

_AXES = {
    Kind.TIMESTAMP: Axis.INSTANT,
    Kind.DATETIME: Axis.INSTANT,
    Kind.DATE: Axis.INSTANT,
    Kind.INTEGER: Axis.INTEGER,
}


def filter_on(column: TableColumn, key: Sequence[str]) -> Filter | None:
    """What a filter on this column can be; None when its type has no order that windows can use.

    A number that a sequence gave, or that is the whole key, does not show later changes.
    """
    axis = _AXES.get(column.type.kind)
    if axis is None or not column.can_filter:
        return None
    is_created = axis is Axis.INTEGER and (column.is_sequence or tuple(key) == (column.name,))
    return Filter(
        column.name,
        meaning=Meaning.CREATED if is_created else Meaning.UPDATED,
        axis=axis,
        resolution=timedelta(days=1) if column.type.kind is Kind.DATE else column.grain,
    )
