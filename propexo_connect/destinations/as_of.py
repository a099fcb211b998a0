"""`<table>__as_of(instant)`: each record of a stream as it was known at an instant, in typed columns.

    select * from pms.units__as_of('2026-01-31T00:00:00Z')

A record's content is rebuilt backwards: from its row in the table, or from the last version of one that has
left the table (which holds it whole), each later version undone by its `before`. So only versions that were
open after the instant are needed, and to prune those that ended earlier loses nothing.

What is answered before the horizon of a pruned history is what can still be proven: the records whose version
of that instant was still open at the horizon. Others are absent; nothing is invented. So are records of which
the instant lies before the first version, and columns that came later are null.

A value is read from JSON into the type that its column has now. A column of JSON that was widened to text
gives a lone string without its quotes; and DuckDB spells numbers within nested JSON anew.
"""

from dataclasses import replace

from propexo_connect.destinations.content import key_text
from propexo_connect.destinations.dialect import Dialect
from propexo_connect.destinations.identifiers import qualified, quote
from propexo_connect.destinations.merge import Merge, latest_rows
from propexo_connect.model.field import TIMESTAMP
from propexo_connect.model.layout import Column, Layout
from propexo_connect.model.stream import StreamPlan, Table

SUFFIX = "as_of"


def as_of_table(plan: StreamPlan) -> Table:
    """The function's place."""
    return plan.table.beside(SUFFIX)


def bounds_of(layout: Layout) -> tuple[str, str]:
    """How the columns are called between which a version held; the stream's own names come first."""
    names = ("valid_from", "valid_to")
    taken = {column.name for column in layout.columns}
    return ("_propexo_valid_from", "_propexo_valid_to") if taken & set(names) else names


def as_of_statements(dialect: Dialect, plan: StreamPlan, layout: Layout) -> tuple[str, ...]:
    """Drop the stream's function when there is one, and make it for these columns."""
    instant = dialect.column_type(TIMESTAMP)
    columns = [(column.name, dialect.column_type(column.type)) for column in layout.columns]
    columns += [(name, instant) for name in bounds_of(layout)]
    return dialect.instant_function(qualified(as_of_table(plan)), columns, _query(dialect, plan, layout))


def _query(dialect: Dialect, plan: StreamPlan, layout: Layout) -> str:
    """The function's body.

    `h` are the versions that were open at the instant or began later, `arrivals` how often the record came
    anew until then: what belongs to a later coming says nothing of this one.
    """
    merge, at = Merge(dialect, _of_any_file(plan), layout, ""), dialect.instant_parameter
    undone = ", ".join(
        f"{dialect.earliest(_undone(dialect, column, at), 'h.valid_from')} as {quote(f'#{number}')}"
        for number, column in enumerate(layout.columns)
    )
    values = ", ".join(
        f"{_value(dialect, number, column)} as {quote(column.name)}"
        for number, column in enumerate(layout.columns)
    )
    start, end = map(quote, bounds_of(layout))
    return f"""
select {values}, v."#from" as {start}, v."#to" as {end}
from (
  select h.{quote("key")} as "#key", min(h.valid_from) as "#from", min(h.valid_to) as "#to",
    bool_or(h.valid_to is null) as "#stays", {dialect.latest("h.after", "h.valid_from")} as "#whole", {undone}
  from (
    select k.{quote("key")}, k.valid_from, k.valid_to, k.before, k.after,
      count(case when k.event = 'new' and k.valid_from > {at} then 1 end)
        over (partition by k.{quote("key")} order by k.valid_from) as arrivals
    from {merge.history} k where k.valid_to is null or k.valid_to > {at}
  ) h where h.arrivals = 0 group by h.{quote("key")}
) v left join (select r.*, {key_text(dialect, layout, "r")} as "#key" from {latest_rows(merge)} r) t
  on t."#key" = v."#key" and v."#stays"
where v."#from" <= {at} and (t."#key" is not null or not v."#stays")"""


def _undone(dialect: Dialect, column: Column, at: str) -> str:
    return (
        f"case when h.valid_from > {at} then {dialect.json_field('h.before', column.name, column.type)} end"
    )


def _value(dialect: Dialect, number: int, column: Column) -> str:
    undone, name = f"v.{quote(f'#{number}')}", column.name
    whole = dialect.from_json(dialect.json_field('v."#whole"', name, column.type), column.type)
    return (
        f"case when {undone} is not null then {dialect.from_json(undone, column.type)} "
        f'when v."#stays" then t.{quote(name)} else {whole} end'
    )


def _of_any_file(plan: StreamPlan) -> StreamPlan:
    """The plan without the file's name, which a copy has not, unless a schema would be taken for it."""
    table = plan.table
    return plan if table.schema == table.catalog else replace(plan, table=replace(table, catalog=""))
