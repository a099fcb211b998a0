"""DuckDB's words where the destinations' SQL differs."""

from collections.abc import Callable

from propexo_connect.destinations.dialect import Capabilities
from propexo_connect.destinations.duckdb import types
from propexo_connect.destinations.duckdb.capabilities import CAPABILITIES
from propexo_connect.destinations.identifiers import quote
from propexo_connect.model.field import FieldType, Kind

_INSTANT = quote("#at")
"""A name that no column has: a macro's parameter would stand for the column."""


class DuckDBDialect:
    """Expressions as DuckDB spells them."""

    capabilities: Capabilities = CAPABILITIES
    address: str = "rowid"
    address_type: str = "bigint"
    instant_parameter: str = f"cast({_INSTANT} as timestamptz)"
    state_indexes: tuple[str, ...] = ()
    lock_stream: str = ""  # commits of one file are in one process, which serialises them
    lock_schemas: str = ""
    schema_exists: str = ""  # who may write the file may make a schema in it
    columns_of: str = (
        "select w.s, w.t, c.column_name from (select unnest($1) as s, unnest($2) as t) w "
        "join duckdb_columns() c on lower(c.schema_name) = lower(w.s) and lower(c.table_name) = lower(w.t) "
        "where c.database_name = current_database()"
    )

    def column_type(self, given: FieldType) -> str:
        return types.column_type(given)

    def staged(self, expression: str, given: FieldType) -> str:
        return f"cast({expression} as JSON)" if given.kind is Kind.JSON else expression

    def ordered(self, expression: str, given: FieldType) -> str:  # noqa: ARG002 - text is ordered by its bytes
        return expression

    def json_text(self, expression: str, kind: Kind) -> str:
        return types.json_text(expression, kind)

    def as_json(self, expression: str) -> str:
        return f"cast({expression} as JSON)"

    def json_field(self, expression: str, name: str, given: FieldType) -> str:
        return types.json_field(expression, name, given)

    def from_json(self, expression: str, given: FieldType) -> str:
        return types.from_json(expression, given)

    def earliest(self, expression: str, order: str) -> str:
        return f"arg_min({expression}, {order})"

    def latest(self, expression: str, order: str) -> str:
        return f"arg_max({expression}, {order})"

    def instant_function(self, name: str, columns: list[tuple[str, str]], query: str) -> tuple[str, ...]:
        del columns  # they are the query's
        return (f"create or replace macro {name}({_INSTANT}) as table {query}",)

    def json_holds(self, expression: str, wanted: str, fold: Callable[[str], str]) -> str:
        text, written = fold("(e.atom ->> '$')"), f"cast({expression} as VARCHAR)"
        # Walking a value costs so much that only those are walked that may hold the text: literally, or
        # behind an escape.
        may = f"strpos({fold(written)}, {wanted}) > 0 or strpos({written}, '\\') > 0"
        # Members of an array have their place for a key, and a full key that ends in a bracket.
        return (
            f"exists (select 1 from json_tree(case when {may} then {expression} end) e "
            f"where (e.type = 'VARCHAR' and {text} = {wanted}) "
            f"or ({fold('e.key')} = {wanted} and not ends_with(e.fullkey, ']')))"
        )

    def each_text(self, expression: str) -> str:
        return f"unnest(cast({expression} as varchar[]))"

    def json_length(self, expression: str) -> str:
        return f"json_array_length({expression})"

    def sha256(self, expression: str) -> str:
        return f"sha256({expression})"

    def converted(self, expression: str, before: FieldType, after: FieldType) -> str:
        return types.converted(expression, before, after)

    def widen_column(self, table: str, column: str, wanted: str, value: str) -> str:
        return f"alter table {table} alter column {column} set data type {wanted} using {value}"

    def scratch_table(self, name: str, columns: str) -> tuple[str, ...]:
        return (f"create or replace temp table {quote(name)} ({columns})",)

    def scratch_name(self, name: str) -> str:
        return f"temp.{quote(name)}"

    def key_index(self, name: str, table: str, columns: str, *, is_unique: bool) -> str:  # noqa: ARG002
        return ""

    def history_index(self, name: str, table: str) -> str:  # noqa: ARG002
        return ""

    def drop_index(self, schema: str, name: str) -> str:  # noqa: ARG002
        return ""

    def key_slice(self, columns: str, slices: int, number: int) -> str:
        return f"hash({columns}) % {slices} = {number}"


DIALECT = DuckDBDialect()
