"""What differs between the destinations' SQL, as far as a commit needs it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa

from propexo_connect.model.field import FieldType, Kind
from propexo_connect.model.layout import Layout
from propexo_connect.model.stream import Table

Row = tuple[Any, ...]
"""One row that a destination answered with; its values are checked where they are used."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a destination can hold, as data.

    Args:
        has_indexes: whether tables get an index on the key; where they do not, uniqueness is checked.
        replaces_rows: whether a changed row is deleted and inserted, where that is faster than an update.
        reads_in_place: whether staged records are read where they lie, so that staging copies nothing.
        max_columns: per table, ours included.
        max_key_bytes: of all parts of a key together; None where there is no bound.
    """

    name: str
    has_indexes: bool
    replaces_rows: bool
    reads_in_place: bool
    max_columns: int
    max_key_bytes: int | None


class Dialect(Protocol):
    """Expressions that the two destinations spell differently; `$1`, `$2` … are the parameters in both."""

    capabilities: Capabilities
    address: str
    """The hidden column that says where a row lies."""
    address_type: str

    def column_type(self, given: FieldType) -> str:
        """The type of a column of a table."""
        ...

    def staged(self, expression: str, given: FieldType) -> str:
        """A value of the stage as the table takes it."""
        ...

    def ordered(self, expression: str, given: FieldType) -> str:
        """A cursor so that both destinations order it alike."""
        ...

    def json_text(self, expression: str, kind: Kind) -> str:
        """A value that is not null as JSON text."""
        ...

    def as_json(self, expression: str) -> str:
        """JSON text as the destination's JSON type."""
        ...

    def json_field(self, expression: str, name: str, given: FieldType) -> str:
        """One field of a JSON object as JSON, exact enough for a type; null only where it is missing."""
        ...

    def from_json(self, expression: str, given: FieldType) -> str:
        """A field of `json_field`, as a value of a column's type; JSON's null is null."""
        ...

    def earliest(self, expression: str, order: str) -> str:
        """The aggregate for the first value that is not null."""
        ...

    def latest(self, expression: str, order: str) -> str:
        """The aggregate for the last value that is not null."""
        ...

    def instant_function(self, name: str, columns: list[tuple[str, str]], query: str) -> tuple[str, ...]:
        """The statements that make, or make anew, a function of one instant whose rows are a query's.

        `columns`: names and types; the query says `instant_parameter` for the instant.
        """
        ...

    def json_holds(self, expression: str, wanted: str, fold: Callable[[str], str]) -> str:
        """The condition that a JSON value holds a text as a string or as the name of a member, at any depth.

        `fold` is applied to each text before it is compared with `wanted`.
        """
        ...

    def each_text(self, expression: str) -> str:
        """The texts of a JSON array, one row each, in the list of a select."""
        ...

    def json_length(self, expression: str) -> str:
        """How many items a JSON array has."""
        ...

    def sha256(self, expression: str) -> str:
        """The SHA-256 of a text in UTF-8, as 64 hexadecimal digits."""
        ...

    def converted(self, expression: str, before: FieldType, after: FieldType) -> str:
        """A stored value in the wider type its column gets."""
        ...

    def widen_column(self, table: str, column: str, wanted: str, value: str) -> str:
        """The statement that gives a column another type, filled from `value`."""
        ...

    def scratch_table(self, name: str, columns: str) -> tuple[str, ...]:
        """The statements that make an empty table for this transaction alone."""
        ...

    def scratch_name(self, name: str) -> str:
        """How that table is referred to."""
        ...

    def key_index(self, name: str, table: str, columns: str, *, is_unique: bool) -> str:
        """The statement that makes an index on the key; empty where there are none."""
        ...

    def history_index(self, name: str, table: str) -> str:
        """The statement that makes an index on the open versions; empty where there are none."""
        ...

    def drop_index(self, schema: str, name: str) -> str:
        """The statement that drops an index, quoted and with its schema; empty where there are none."""
        ...

    def key_slice(self, columns: str, slices: int, number: int) -> str:
        """The condition that picks one of so many parts of the keys; empty where an index proves them all."""
        ...

    instant_parameter: str
    """The instant of an `instant_function`."""
    state_indexes: tuple[str, ...]
    """The statements that make what indexes `_propexo` has beside its keys, where they are missing."""
    lock_stream: str
    """The suffix of a select that holds a stream's row until the transaction ends."""
    lock_schemas: str
    """Let one transaction at a time make a schema; empty where the commits take turns anyway."""
    schema_exists: str
    """Select one row when the schema `$1` exists; empty where making one needs no right of its own."""
    columns_of: str
    """Select schema, name and a column's name of the tables and views `$1[i]`.`$2[i]`, spelled so."""


class Link(Protocol):
    """An open transaction on one connection of a destination."""

    dialect: Dialect

    @property
    def catalog(self) -> str:
        """What the opened database is called where tables may be named by it; empty elsewhere."""
        ...

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Execute one statement; how many rows it wrote."""
        ...

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """Execute one query; all of its rows."""
        ...

    def stage(
        self, name: str, records: pa.Table, layout: Layout | None, joined_on: Sequence[str] = ()
    ) -> str:
        """Make records readable to this transaction; how they are referred to.

        `layout` gives the columns' types, None where Arrow's own will do; `joined_on` are the columns
        that later statements join on.
        """
        ...

    def append(self, table: Table, records: pa.Table, layout: Layout) -> int:
        """Write records to the end of a table, by the names of their columns; how many."""
        ...

    def append_new(self, table: Table, records: pa.Table, layout: Layout) -> int | None:
        """Append records expected to be new; None, with nothing written, where an index knows better."""
        ...

    def judge(self, sql: str, parameters: Sequence[Any], *, is_indexed: bool) -> None:
        """Execute the statement that reaches the verdicts; what follows finds rows by their addresses.

        `is_indexed`: the index on the key leads to each row.
        """
        ...
