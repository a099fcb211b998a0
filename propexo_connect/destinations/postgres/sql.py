"""PostgreSQL's words where the destinations' SQL differs."""

from collections.abc import Callable

from propexo_connect.destinations.dialect import Capabilities
from propexo_connect.destinations.identifiers import quote
from propexo_connect.destinations.postgres import types
from propexo_connect.destinations.postgres.capabilities import CAPABILITIES
from propexo_connect.model.field import FieldType, Kind


class PostgresDialect:
    """Expressions as PostgreSQL spells them."""

    capabilities: Capabilities = CAPABILITIES
    address: str = "ctid"
    address_type: str = "tid"
    instant_parameter: str = "$1"
    state_indexes: tuple[str, ...] = (
        # Which reads covered a record, by the value that was filtered on.
        "create index if not exists windows_covered on _propexo.windows "
        "(connection, stream, covered_end, first_started_at) where is_complete",
        "create index if not exists windows_covered_value on _propexo.windows "
        "(connection, stream, covered_end_value, first_started_at) where is_complete",
    )
    lock_stream: str = " for no key update"
    # Two transactions that make the same schema at once collide, `if not exists` or not.
    lock_schemas: str = "select 1 from pg_catalog.pg_advisory_xact_lock(7163370992)"
    schema_exists: str = "select 1 from pg_catalog.pg_namespace where nspname = $1"
    columns_of: str = (
        "select w.s, w.t, a.attname from (select unnest($1::text[]) as s, unnest($2::text[]) as t) w "
        "join pg_catalog.pg_namespace n on n.nspname = w.s "
        "join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = w.t "
        "join pg_catalog.pg_attribute a on a.attrelid = c.oid "
        "where a.attnum > 0 and not a.attisdropped"
    )

    def column_type(self, given: FieldType) -> str:
        return types.column_type(given)

    def staged(self, expression: str, given: FieldType) -> str:  # noqa: ARG002 - the stage has the table's types
        return expression

    def ordered(self, expression: str, given: FieldType) -> str:
        # By bytes, whatever the database's collation: a cursor is no word to be sorted for people.
        return f'({expression} collate pg_catalog."C")' if given.kind is Kind.TEXT else expression

    def json_text(self, expression: str, kind: Kind) -> str:
        return types.json_text(expression, kind)

    def as_json(self, expression: str) -> str:
        return f"cast({expression} as jsonb)"

    def json_field(self, expression: str, name: str, given: FieldType) -> str:  # noqa: ARG002 - all is exact
        field = name.replace("'", "''")
        return f"({expression} -> '{field}')"

    def from_json(self, expression: str, given: FieldType) -> str:
        return types.from_json(expression, given)

    def earliest(self, expression: str, order: str) -> str:
        return f"(array_agg({expression} order by {order}) filter (where {expression} is not null))[1]"

    def latest(self, expression: str, order: str) -> str:
        return self.earliest(expression, f"{order} desc")

    def instant_function(self, name: str, columns: list[tuple[str, str]], query: str) -> tuple[str, ...]:
        rows = ", ".join(f"{quote(column)} {given}" for column, given in columns)
        body = query.replace("'", "''")
        # A function cannot be replaced by one with other columns.
        return (
            f"drop function if exists {name}(timestamptz)",
            f"create function {name}(timestamptz) returns table ({rows}) language sql stable as '{body}'",
        )

    def json_holds(self, expression: str, wanted: str, fold: Callable[[str], str]) -> str:
        text = fold("(e #>> '{}')")
        return (
            f"exists (select 1 from pg_catalog.jsonb_path_query({expression}, '$.**') e "
            f"where case pg_catalog.jsonb_typeof(e) when 'string' then {text} = {wanted} "
            f"when 'object' then exists (select 1 from pg_catalog.jsonb_object_keys(e) k "
            f"where {fold('k')} = {wanted}) else false end)"
        )

    def each_text(self, expression: str) -> str:
        return f"pg_catalog.jsonb_array_elements_text({expression})"

    def json_length(self, expression: str) -> str:
        return f"jsonb_array_length({expression})"

    def sha256(self, expression: str) -> str:
        return f"encode(sha256(convert_to({expression}, 'UTF8')), 'hex')"

    def converted(self, expression: str, before: FieldType, after: FieldType) -> str:
        return types.converted(expression, before, after)

    def widen_column(self, table: str, column: str, wanted: str, value: str) -> str:
        return f"alter table {table} alter column {column} type {wanted} using {value}"

    def scratch_table(self, name: str, columns: str) -> tuple[str, ...]:
        return (f"create temporary table {quote(name)} ({columns}) on commit drop",)

    def scratch_name(self, name: str) -> str:
        return f"pg_temp.{quote(name)}"

    def key_index(self, name: str, table: str, columns: str, *, is_unique: bool) -> str:
        return f"create {'unique ' if is_unique else ''}index {name} on {table} ({columns})"

    def history_index(self, name: str, table: str) -> str:
        # A hash has no limit on the length of the key.
        return f'create index {quote(name)} on {table} using hash ("key") where valid_to is null'

    def drop_index(self, schema: str, name: str) -> str:
        return f"drop index {schema}.{name}"

    def key_slice(self, columns: str, slices: int, number: int) -> str:  # noqa: ARG002
        return ""


DIALECT = PostgresDialect()
