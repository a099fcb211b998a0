"""What the ledger proves about records that were not returned, as views beside their table (SEMANTICS §5).

A read is complete once its last page is stored. It covered a record, if the record's own values lay inside
what was asked and inside what the vendor answers; then that the record did not come back means something.

* A read counts from the start of the first sync that took part in it: a record that its first part returned
  was seen by it. It must also have begun after the record was last read, for lanes interleave.
* A windowed read covers what the ledger's `covered_start` and `covered_end` say. One by a field that moves
  with each change counts only once later tiles reach past its end: until then the record may have moved
  ahead of it. One by a business date covers nothing, because people edit such dates.
* A rolling filter of the vendor's is taken narrower by its grain, and as of the end of the read. What was
  declared at the time of the read holds for it, and so does what is declared now: what was learned later was
  true before.
* A filter without a field says nothing about any record, so such a read covers none. A read that had to
  skip a parent covers none either.

All of it is text for views: both destinations spell it alike, but for the addresses of rows.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from propexo_connect.destinations.arrow import HASH, READ_AT
from propexo_connect.destinations.dialect import Dialect
from propexo_connect.destinations.identifiers import listed, literal, quote
from propexo_connect.destinations.ledger_row import declaration_of
from propexo_connect.destinations.merge import LAST_SEEN
from propexo_connect.destinations.state import WINDOWS
from propexo_connect.model.absence import Verdict
from propexo_connect.model.field import Kind
from propexo_connect.model.layout import Layout
from propexo_connect.model.stream import FilterDeclaration, FilterKind, Meaning, Mode, StreamPlan

ABSENCE, LIVE = "absence", "live"
"""The views' suffixes."""

GUARD_FROM = 10
"""A read that misses fewer records at once than this is never taken for a fault of the source."""

UNSEEN_DAYS = (7, 30, 90)
"""After how many days without a sighting records are counted."""

_HOUR_S = 3600
ORDERED = frozenset({Kind.TIMESTAMP, Kind.DATETIME, Kind.DATE, Kind.INTEGER, Kind.DECIMAL})
"""Kinds of columns by which a record may be covered."""

_NEVER = "false"
_LOWEST = "cast('-infinity' as timestamptz)"


@dataclass(frozen=True)
class Evidence:
    """One stream's views.

    Args:
        table: the stream's table, as a view beside it names it.
        declared: every set of declarations that the ledger holds for the stream, as it holds them.
        is_first: all reads are of one sync, so that none can have missed a record; most streams of a new
            connection get by with that for a while, and the views' full text costs DuckDB 7 ms each.
    """

    dialect: Dialect
    plan: StreamPlan
    layout: Layout
    table: str
    declared: tuple[str, ...]
    is_first: bool = False

    @property
    def identity(self) -> tuple[str, ...]:
        """The columns that tell a record."""
        return self.layout.key_columns or (HASH,)

    @property
    def sets(self) -> dict[str, tuple[FilterDeclaration, ...]]:
        """What each set of declarations says, by its text."""
        return {text: tuple(map(declaration_of, json.loads(text))) for text in self.declared}

    @property
    def keeps_versions(self) -> bool:
        """Whether several rows may be one record."""
        return self.plan.mode is Mode.APPEND and bool(self.layout.key)

    @property
    def presumes(self) -> bool:
        """Whether the policy may presume any record deleted."""
        policy = self.plan.absence
        if policy.covered_absences is None and policy.unseen_for is None:
            return False
        return not (policy.is_default and any(one.hides_by_state for one in self._all_declared()))

    def _all_declared(self) -> Iterator[FilterDeclaration]:
        yield from self.plan.stream.hides
        for declarations in self.sets.values():
            yield from declarations

    def columns(self) -> dict[str, str]:
        """The columns that declarations speak of, by field, where the table has them in an ordered type."""
        types = {column.field: column for column in self.layout.columns}
        wanted = dict.fromkeys(one.field for one in self._all_declared())
        return {
            field: types[field].name
            for field in wanted
            if field in types and types[field].type.kind in ORDERED
        }

    def kind(self, field: str) -> Kind:
        """The kind of a column that `columns` names."""
        return self.layout.column(field).type.kind


def absence_view(given: Evidence) -> str:
    """The query of `<stream>__absence`: one row per record."""
    keys = listed(given.identity, "t")
    if given.is_first:
        return f"""with records as ({_records(given)})
select {keys}, t.{LAST_SEEN}, cast(0 as bigint) as covered_absences,
  cast(null as timestamptz) as last_covered_at, false as is_held, '{Verdict.PRESENT}' as verdict
from records t"""
    return f"""{_ctes(given)}
select {keys}, t.{LAST_SEEN}, coalesce(m.covered_absences, 0) as covered_absences, m.last_covered_at,
  coalesce(m.is_held, false) as is_held,
  case when {_presumed(given)} then '{Verdict.PRESUMED_DELETED}'
    when m.covered_absences is not null then '{Verdict.ABSENT}'
    when t.{LAST_SEEN} < k.latest then '{Verdict.NOT_COVERED}'
    else '{Verdict.PRESENT}' end as verdict
from records t cross join marks k left join judged m on m.place = t.place"""


def live_view(given: Evidence, columns: Sequence[str]) -> str:
    """The query of `<stream>__live`: the table without what the policy presumes deleted."""
    shown, table = listed(tuple(columns), "t"), given.table
    if given.is_first or not given.presumes:
        return f"select {shown} from {table} t"
    same = f"p.place = t.{given.dialect.address}"
    if given.keeps_versions:
        same = " and ".join(f"p.{quote(name)} = t.{quote(name)}" for name in given.identity)
    return f"""{_ctes(given)}, presumed as (
  select r.* from records r join judged m on m.place = r.place where {_presumed(given, "r")}
)
select {shown} from {table} t where not exists (select 1 from presumed p where {same})"""


def counts_of(view: str, *, has_verdicts: bool) -> str:
    """The query for how the rows of a view or table stand at the instant `$1`.

    Its columns: rows, unseen for 7, 30 and 90 days; with verdicts also one count for each, how many are held,
    and when the latest read ended that covered and missed one.
    """
    unseen = [
        f"count(*) filter (where {LAST_SEEN} < cast($1 as timestamptz) - interval '{days} days')"
        for days in UNSEEN_DAYS
    ]
    verdicts = [f"count(*) filter (where verdict = '{verdict}')" for verdict in Verdict]
    judged = [*verdicts, "count(*) filter (where is_held)", "max(last_covered_at)"] if has_verdicts else []
    return f"select {', '.join(['count(*)', *unseen, *judged])} from {view}"


def summary_view(views: Mapping[str, str]) -> str:
    """The query of a connection's summary: one row per stream.

    Args:
        views: the stream's absence view, ready for a statement, by the stream's name.
    """
    counts = ", ".join(f"count(*) filter (where verdict = '{verdict}') as {verdict}" for verdict in Verdict)
    return "\nunion all\n".join(
        f"select {literal(stream)} as stream, count(*) as records, {counts}, "
        f"count(*) filter (where is_held) as held, min({LAST_SEEN}) as last_seen_min, "
        f"max(last_covered_at) as last_covered_at from {view}"
        for stream, view in views.items()
    )


def _ctes(given: Evidence) -> str:
    return f"""with marks as (
  select max(first_started_at) as latest, {_width("")}, {_width("_value")},
    max(tile_end) filter (where reading in ('recurring', 'full')) as settled,
    max(started_at) filter (where reading in ('recurring', 'full')) as begun_last
  from {WINDOWS.sql} where {_of_stream(given)} and is_complete
), records as (
  {_records(given)}
), unseen as (
  select * from records where {LAST_SEEN} < (select latest from marks)
), covering as (
  {_covering(given)}
), missed as (
  select place, count(*) as covered_absences, max(finished_at) as last_covered_at,
    min(first_started_at) as first_missed
  from covering group by place
), sightings as materialized (
  select {LAST_SEEN}, count(*) as record_count from records group by {LAST_SEEN}
), held as (
  select b.first_missed from (
    select first_missed, count(*) as size from missed group by first_missed having count(*) >= {GUARD_FROM}
  ) b where b.size > {given.plan.absence.guard_share!r} * (b.size + (
    select coalesce(sum(s.record_count), 0) from sightings s where s.{LAST_SEEN} >= b.first_missed
  ))
), judged as (
  select m.*, h.first_missed is not null as is_held
  from missed m left join held h on h.first_missed = m.first_missed
)"""


def _width(suffix: str) -> str:
    """The widest range of any read; null where one had no start."""
    start, end = f"covered_start{suffix}", f"covered_end{suffix}"
    is_open = f"bool_or({start} is null and {end} is not null)"
    return f"case when not {is_open} then max({end} - {start}) end as width{suffix}"


def _of_stream(given: Evidence, alias: str = "") -> str:
    plan, at = given.plan, f"{alias}." if alias else ""
    return f"{at}connection = {literal(plan.connection)} and {at}stream = {literal(plan.stream.name)}"


def _records(given: Evidence) -> str:
    """One row per record: of several versions the one read last, and the latest sighting of any."""
    named = "".join(f", t.{quote(name)} as c{place}" for place, name in enumerate(given.columns().values()))
    plain = (
        f"select t.{given.dialect.address} as place, {listed(given.identity, 't')}, t.{LAST_SEEN}, "
        f"t.{quote(READ_AT)} as read_at{named} from {given.table} t"
    )
    if not given.keeps_versions:
        return plain
    of_record = f"over (partition by {listed(given.identity)})"
    columns = "".join(f", c{place}" for place in range(len(given.columns())))
    return (
        f"select place, {listed(given.identity)}, seen as {LAST_SEEN}, read_at{columns} from ("
        f"select v.*, max({LAST_SEEN}) {of_record} as seen, max(read_at) {of_record} as latest_read "
        f"from ({plain}) v) w where read_at = latest_read"
    )


def _covering(given: Evidence) -> str:
    """Which reads covered which unseen record: a query for each set of declarations."""
    now = given.plan.stream.hides
    found: list[str] = []
    for text, then in given.sets.items():
        conditions = [_condition(given, one) for one in dict.fromkeys((*then, *now))]
        if _NEVER in conditions:
            continue
        proves = (
            f"{_of_stream(given, 'r')} and r.is_complete and not r.is_skipping "
            f"and r.declarations = {given.dialect.as_json(literal(text))}"
        )
        found.append(
            f"select u.place, r.first_started_at, r.finished_at "
            f"from unseen u join {WINDOWS.sql} r on {proves} "
            f"and r.first_started_at > u.{LAST_SEEN} and r.read_started_at > u.read_at"
            + "".join(f" and {condition}" for condition in dict.fromkeys(conditions) if condition)
            + f" where u.{LAST_SEEN} < (select max(r.first_started_at) from {WINDOWS.sql} r where {proves})"
        )
    if not found:
        moments = f"{LAST_SEEN} as first_started_at, {LAST_SEEN} as finished_at"
        return f"select place, {moments} from unseen where false"
    return "\n  union all\n  ".join(found)


def _condition(given: Evidence, one: FilterDeclaration) -> str:
    """When a read `r` that passed through a filter covers a record `u`; empty: always."""
    if one.hides_by_state:
        return "" if one.field else _NEVER
    columns = given.columns()
    if one.field not in columns or one.meaning is Meaning.BUSINESS:
        return _NEVER
    column = f"u.c{list(columns).index(one.field)}"
    kind = given.kind(one.field)
    is_settled = one.meaning is Meaning.CREATED
    if one.kind is FilterKind.EXPLICIT and kind in {Kind.INTEGER, Kind.DECIMAL}:
        settled = "" if is_settled else " and r.finished_at <= (select begun_last from marks)"
        return _within(column, column, "<", "_value", f"{-(2**62)}", f"{2**62}") + settled
    if kind in {Kind.INTEGER, Kind.DECIMAL}:
        return _NEVER
    first, last, is_before = _instants(column, kind, one.zone)
    if one.kind is FilterKind.EXPLICIT:
        settled = "" if is_settled else " and r.finished_at <= (select settled from marks)"
        return _within(first, last, is_before, "", _LOWEST, "interval '3000 years'") + settled
    reach = one.rolling - _margin(one) if one.rolling is not None else timedelta(0)
    return (
        f"{first} >= r.finished_at - interval '{reach.total_seconds():.6f} seconds' "
        f"and {last} <= r.read_started_at"
    )


def _within(first: str, last: str, is_before: str, suffix: str, lowest: str, widest: str) -> str:
    """A value lies in what a read covers. The last line says nothing new; it lets an index find the reads."""
    end = f"r.covered_end{suffix}"
    return (
        f"{first} >= coalesce(r.covered_start{suffix}, {lowest}) and {last} {is_before} {end} "
        f"and {end} <= {first} + coalesce((select width{suffix} from marks), {widest})"
    )


def _instants(column: str, kind: Kind, zone: str) -> tuple[str, str, str]:
    """The first and the last instant that a value may stand for, and how the last compares with an end."""
    if kind is Kind.TIMESTAMP:
        return column, column, "<"
    local = literal(zone)
    if kind is Kind.DATE:
        first, last = (
            f"(cast({day} as timestamp) at time zone {local})" for day in (column, f"({column} + 1)")
        )
        return first, last, "<="
    instant = f"({column} at time zone {local})"
    if zone == "UTC":
        return instant, instant, "<"
    # A local time may come twice a year, and then nobody knows which of the two is meant.
    return f"({instant} - interval '1 hour')", f"({instant} + interval '1 hour')", "<"


def _margin(one: FilterDeclaration) -> timedelta:
    """How much narrower than declared a rolling filter is taken: its grain, and an hour as clocks change."""
    grain = one.resolution or timedelta(0)
    return grain + timedelta(seconds=_HOUR_S) if grain >= timedelta(seconds=_HOUR_S) else grain


def _presumed(given: Evidence, record: str = "t") -> str:
    if not given.presumes:
        return _NEVER
    policy = given.plan.absence
    conditions = ["m.covered_absences is not null", "not m.is_held"]
    if policy.covered_absences is not None:
        conditions.append(f"m.covered_absences >= {policy.covered_absences}")
    if policy.unseen_for is not None:
        span = f"interval '{policy.unseen_for.total_seconds():.6f} seconds'"
        conditions.append(f"m.last_covered_at - {record}.{LAST_SEEN} >= {span}")
    return " and ".join(conditions)


def described(given: Evidence) -> dict[str, Any]:
    """What the views are made from, as JSON: other views are needed once it differs."""
    policy = given.plan.absence
    return {
        "table": given.table,
        "columns": [[column.field, column.name, str(column.type)] for column in given.layout.columns],
        "key": list(given.identity),
        "mode": str(given.plan.mode),
        "hides": [repr(one) for one in given.plan.stream.hides],
        "policy": [
            policy.covered_absences,
            None if policy.unseen_for is None else policy.unseen_for.total_seconds(),
            policy.is_default,
            policy.guard_share,
        ],
    }
