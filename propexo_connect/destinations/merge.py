"""The set-based statements of a commit, as pure functions: what is new, what changed, what was only seen.

Aliases are the same everywhere: `s` the stage, `v` the verdicts, `t` the table. The verdicts are a narrow
table of one row per staged record, made by the only join on the key; all later statements find rows of the
table by their address and rows of the stage by their number.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from propexo_connect.destinations.arrow import HASH, META, READ_AT, ROW
from propexo_connect.destinations.content import changed_text, key_text, object_text, record_text
from propexo_connect.destinations.dialect import Dialect
from propexo_connect.destinations.identifiers import listed, qualified, quote
from propexo_connect.model.field import JSON, TEXT, TIMESTAMP, FieldType
from propexo_connect.model.layout import Column, Layout
from propexo_connect.model.names import ROW_COLUMNS
from propexo_connect.model.stream import Mode, StreamPlan, Table

NEW, UNCHANGED, OLDER, CHANGED = 0, 1, 2, 3
"""Verdicts on a staged record."""

FIRST_SEEN, LAST_SEEN, LAST_CHANGED, SYNC_ID = "first_seen", "last_seen", "last_changed", "_propexo_sync_id"

_SIGHTS = (FIRST_SEEN, LAST_SEEN, LAST_CHANGED)

ROW_TYPES: dict[str, FieldType] = {
    FIRST_SEEN: TIMESTAMP,
    LAST_SEEN: TIMESTAMP,
    LAST_CHANGED: TIMESTAMP,
    SYNC_ID: TEXT,
    HASH: TEXT,
    READ_AT: TIMESTAMP,
    META: JSON,
}
"""The types of the columns that we add, in their order."""

HISTORY_COLUMNS: tuple[tuple[str, FieldType], ...] = (
    ("key", TEXT),
    ("valid_from", TIMESTAMP),
    ("valid_to", TIMESTAMP),
    ("event", TEXT),
    ("before", JSON),
    ("after", JSON),
    ("sync_id", TEXT),
    ("reading", TEXT),
)
"""Of `<table>__history`. `key`: the key's columns as a JSON object, in text. `valid_from`: when the source
served the version. `before`, `after`: the columns that changed; `after` holds all when the record is new, and
in the last version of one that left its table. `reading`: of which kind the sync was, or `baseline`."""


@dataclass(frozen=True)
class Merge:
    """One step on its way into one table.

    Args:
        stage: how the staged records are referred to.
        force: cursors that run backwards are believed.
    """

    dialect: Dialect
    plan: StreamPlan
    layout: Layout
    stage: str
    force: bool = False

    @property
    def table(self) -> str:
        """The table's name in a statement."""
        return qualified(self.plan.table)

    @property
    def history(self) -> str:
        """The history's name in a statement."""
        return qualified(self.plan.table.beside("history"))

    @property
    def identity(self) -> tuple[str, ...]:
        """The columns that say which record it is: the key, or without one the content's hash."""
        return self.layout.key_columns or (HASH,)

    @property
    def keeps_versions(self) -> bool:
        """Whether the table may hold one key several times."""
        return self.plan.mode is Mode.APPEND and bool(self.layout.key)

    @property
    def replaces_rows(self) -> bool:
        """Whether a changed row is deleted and inserted."""
        return self.dialect.capabilities.replaces_rows and not self.keeps_versions

    @property
    def inserts_changed(self) -> bool:
        """Whether changed records are inserted, as versions or in the place of their rows."""
        return self.keeps_versions or self.replaces_rows

    @property
    def cursor(self) -> Column | None:
        """The column that orders versions of one record, None when there is none."""
        field = self.plan.stream.cursor
        return self.layout.column(field) if field is not None and field in self.layout.fields else None

    @property
    def judged(self) -> list[str]:
        """The columns of a staged record that its verdict needs."""
        cursor = () if self.cursor is None else (self.cursor.name,)
        return list(dict.fromkeys((*self.identity, *cursor, HASH, READ_AT, ROW)))

    @property
    def verdicts(self) -> str:
        """How the verdicts are referred to."""
        return self.dialect.scratch_name("verdicts")


def table_columns(dialect: Dialect, layout: Layout) -> str:
    """The column definitions of a stream's table: its own in the layout's order, then ours."""
    own = [f"{quote(column.name)} {dialect.column_type(column.type)}" for column in layout.columns]
    ours = [
        f"{quote(name)} {dialect.column_type(ROW_TYPES[name])}{'' if name == META else ' not null'}"
        for name in ROW_COLUMNS
    ]
    return ", ".join(own + ours)


def create_table(dialect: Dialect, table: Table, layout: Layout) -> str:
    """The statement that makes a stream's table."""
    return f"create table {qualified(table)} ({table_columns(dialect, layout)})"


def create_history(dialect: Dialect, table: Table) -> str:
    """The statement that makes a stream's history."""
    columns = ", ".join(f"{quote(name)} {dialect.column_type(given)}" for name, given in HISTORY_COLUMNS)
    return f"create table {qualified(table)} ({columns})"


def scratch_verdicts(dialect: Dialect) -> tuple[str, ...]:
    """The statements that make the empty table of verdicts.

    `row`: the staged record. `place`: the row of the table, null when there is none. `moves`: whether
    `last_seen` would move. `read_at`: what the row will hold. The other three: what it holds.
    """
    instant = dialect.column_type(TIMESTAMP)
    columns = (
        f"{quote('row')} bigint, {quote('place')} {dialect.address_type}, {quote('verdict')} smallint, "
        f"{quote('moves')} boolean, {quote('read_at')} {instant}, {FIRST_SEEN} {instant}, "
        f"{LAST_SEEN} {instant}, {LAST_CHANGED} {instant}"
    )
    return dialect.scratch_table("verdicts", columns)


def judge(merge: Merge, *, is_ranged: bool = False) -> str:
    """Fill the verdicts; `$1` is the start of the sync.

    With `is_ranged` all staged keys begin with a value from `$2` to `$3`.

    In the mode `overwrite` nothing is older: a complete read takes the table's place.
    """
    same = f"t.{quote(HASH)} = s.{quote(HASH)}"
    cases = [f"when t.place is null then {NEW}", f"when {same} then {UNCHANGED}"]
    if merge.plan.mode is not Mode.OVERWRITE:
        cases.append(f"when {_is_older(merge)} then {OLDER}")
    verdict = f"case {' '.join(cases)} else {CHANGED} end"
    stored, read = f"t.{quote(READ_AT)}", f"s.{quote(READ_AT)}"
    older, changed = stored, f"greatest({stored}, {read})"
    # Of one key's versions it must stay told which one came after which.
    if merge.keeps_versions or merge.plan.history:
        changed = f"greatest({stored} + interval '1 microsecond', {read})"
    read_at = (
        f"case j.verdict when {NEW} then j.{quote(READ_AT)} when {OLDER} then j.older "
        f"when {UNCHANGED} then j.seen else j.changed end"
    )
    return f"""
insert into {merge.verdicts} ({listed(("row", "place", "verdict", "moves", "read_at", *_SIGHTS))})
select j.{quote("row")}, j.place, j.verdict, j.moves, {read_at}, {listed(_SIGHTS, "j")} from (
  select s.{quote(ROW)} as {quote("row")}, t.place, {verdict} as verdict,
    t.{LAST_SEEN} < cast($1 as timestamptz) as moves, {read} as {quote(READ_AT)},
    {older} as older, greatest({stored}, {read}) as seen, {changed} as changed, {listed(_SIGHTS, "t")}
  from {_by_key(merge)} s left join {_known(merge, is_ranged=is_ranged)} t on {_same(merge, "t", "s")}
) j order by j.place"""


def sight(merge: Merge, *, is_ranged: bool = False) -> str:
    """Fill the verdicts by keys alone: unchanged where there is a row, else new; parameters as of `judge`."""
    return f"""
insert into {merge.verdicts} ({listed(("row", "place", "verdict", "moves"))})
select s.{quote(ROW)}, t.place, case when t.place is null then {NEW} else {UNCHANGED} end,
  t.{LAST_SEEN} < cast($1 as timestamptz)
from {_by_key(merge)} s left join {_known(merge, is_ranged=is_ranged)} t on {_same(merge, "t", "s")}
order by t.place"""


def judge_all_new(merge: Merge) -> str:
    """Fill the verdicts where the table is known to be empty; takes no parameters."""
    return f"""
insert into {merge.verdicts} ({listed(("row", "verdict", "moves", "read_at"))})
select s.{quote(ROW)}, {NEW}, false, s.{quote(READ_AT)} from {merge.stage} s"""


def keys_between(merge: Merge) -> str:
    """The query for a row whose key begins with a value from `$1` to `$2`; empty when there is none."""
    name = f"t.{quote(merge.identity[0])}"
    return f"select 1 from {merge.table} t where {name} >= $1 and {name} <= $2 limit 1"


def count_verdicts(merge: Merge) -> str:
    """The query for rows of verdict, how many, and how many of them move `last_seen`."""
    return (
        f"select verdict, count(*), count(*) filter (where moves) from {merge.verdicts} v "
        f"group by verdict order by verdict"
    )


def rows_of(merge: Merge, wanted: Iterable[int]) -> str:
    """The query for the numbers of the staged records of some verdicts, in one text."""
    verdicts = ", ".join(str(verdict) for verdict in wanted)
    rows = f"string_agg(cast(v.{quote('row')} as text), ',')"
    return f"select {rows} from {merge.verdicts} v where v.verdict in ({verdicts})"


def insert_new(merge: Merge, *, is_all: bool) -> str:
    """Write what is new, and where versions are kept or rows replaced also what changed.

    `$1` is the start of the sync, `$2` its id. With `is_all` every staged record is known to be new.
    """
    own = tuple(column.name for column in merge.layout.columns)
    values = [merge.dialect.staged(f"s.{quote(column.name)}", column.type) for column in merge.layout.columns]
    start, read_at, source = "cast($1 as timestamptz)", f"s.{quote(READ_AT)}", f"{merge.stage} s"
    sights = [start, start, start]
    if not is_all:
        wanted = f"({NEW}, {CHANGED})" if merge.inserts_changed else f"({NEW})"
        source += f" join {merge.verdicts} v on v.{quote('row')} = s.{quote(ROW)} and v.verdict in {wanted}"
        read_at = "v.read_at"
        sights[0] = f"coalesce(v.{FIRST_SEEN}, {start})"
        if not merge.keeps_versions:
            sights[1:] = [f"greatest(v.{name}, {start})" for name in (LAST_SEEN, LAST_CHANGED)]
    meta = merge.dialect.staged(f"s.{quote(META)}", JSON)
    values += [*sights, "cast($2 as text)", f"s.{quote(HASH)}", read_at, meta]
    return (
        f"insert into {merge.table} ({listed((*own, *ROW_COLUMNS))}) select {', '.join(values)} from {source}"
    )


def delete_changed(merge: Merge) -> str:
    """Take changed rows out, which `insert_new` then brings back with their new content."""
    return (
        f"delete from {merge.table} as t using {merge.verdicts} v "
        f"where v.verdict = {CHANGED} and t.{merge.dialect.address} = v.place"
    )


def update_changed(merge: Merge) -> str:
    """Give changed rows their new content; `$1` is the start of the sync, `$2` its id."""
    sets = [
        f"{quote(column.name)} = {merge.dialect.staged(f's.{quote(column.name)}', column.type)}"
        for column in merge.layout.columns
        if column.name not in merge.identity
    ]
    sets += [
        f"{LAST_SEEN} = greatest(t.{LAST_SEEN}, cast($1 as timestamptz))",
        f"{LAST_CHANGED} = greatest(t.{LAST_CHANGED}, cast($1 as timestamptz))",
        f"{quote(SYNC_ID)} = cast($2 as text)",
        f"{quote(HASH)} = s.{quote(HASH)}",
        f"{quote(READ_AT)} = v.read_at",
        f"{quote(META)} = {merge.dialect.staged(f's.{quote(META)}', JSON)}",
    ]
    return f"""
update {merge.table} as t set {", ".join(sets)}
from {merge.stage} s, {merge.verdicts} v
where v.verdict = {CHANGED} and s.{quote(ROW)} = v.{quote("row")} and t.{merge.dialect.address} = v.place"""


def stamp_seen(merge: Merge) -> str:
    """Move `last_seen` of what was seen and did not change; `$1` is the start of the sync."""
    return f"""
update {merge.table} as t set {LAST_SEEN} = cast($1 as timestamptz), {quote(READ_AT)} = v.read_at
from {merge.verdicts} v
where v.moves and v.verdict in ({UNCHANGED}, {OLDER}) and t.{merge.dialect.address} = v.place"""


def stamp_sighted(merge: Merge) -> str:
    """Move `last_seen` of what was sighted, and nothing else; `$1` is the start of the sync.

    Not the time of the read either: it says as of when the content is known, and a sweep brings none. Else a
    change that was read before the sweep and is stored after it would be taken for the older one.
    """
    return f"""
update {merge.table} as t set {LAST_SEEN} = cast($1 as timestamptz)
from {merge.verdicts} v where v.moves and t.{merge.dialect.address} = v.place"""


def delete_gone(merge: Merge) -> str:
    """Drop what a complete read in the mode `overwrite` did not bring."""
    return f"delete from {merge.table} as t where {_is_gone(merge)}"


def close_gone(merge: Merge) -> str:
    """End the open versions of what `delete_gone` is about to drop; `$1` is the start of the sync."""
    return f"{_closed_whole(merge, merge.table)} and {_is_gone(merge)}"


def close_all(merge: Merge) -> str:
    """End every open version; `$1` is the start of the sync."""
    return _closed_whole(merge, latest_rows(merge))


def _closed_whole(merge: Merge, rows: str) -> str:
    """A record's last version gets all of its columns: once its row is gone nothing else has them."""
    whole = record_text(merge.dialect, merge.layout.columns, "t")
    return f"""
update {merge.history} as h set valid_to = greatest(h.valid_from, cast($1 as timestamptz)),
  after = {merge.dialect.as_json(whole)}
from {rows} t where h.valid_to is null and h.{quote("key")} = {key_text(merge.dialect, merge.layout, "t")}"""


def close_history(merge: Merge) -> str:
    """End the history's open version of what changed; before the table is written."""
    return f"""
update {merge.history} as h set valid_to = v.read_at
from {merge.stage} s, {merge.verdicts} v
where v.verdict = {CHANGED} and s.{quote(ROW)} = v.{quote("row")}
  and h.valid_to is null and h.{quote("key")} = {key_text(merge.dialect, merge.layout, "s")}"""


def write_history(merge: Merge) -> str:
    """One row per new or changed record; before the merge. `$1`: the sync's id, `$2`: the reading."""
    dialect, columns = merge.dialect, merge.layout.columns
    before, after = changed_text(dialect, columns, "t"), changed_text(dialect, columns, "s")
    whole = record_text(dialect, columns, "s")
    is_new = f"v.verdict = {NEW}"
    return f"""
insert into {merge.history} ({listed(tuple(name for name, _ in HISTORY_COLUMNS))})
select {key_text(merge.dialect, merge.layout, "s")}, v.read_at, null,
  case when {is_new} then 'new' else 'update' end,
  {dialect.as_json(f"case when {is_new} then null else {before} end")},
  {dialect.as_json(f"case when {is_new} then {whole} else {after} end")},
  cast($1 as text), cast($2 as text)
from {merge.verdicts} v join {merge.stage} s on s.{quote(ROW)} = v.{quote("row")}
  left join {merge.table} t on t.{dialect.address} = v.place
where v.verdict in ({NEW}, {CHANGED})"""


BASELINE = "baseline"
"""The reading of versions that stood in the table when their history began."""


def write_baseline(merge: Merge) -> str:
    """One new version for each stored record without an open one; it begins after those that ended.

    Of several rows of one key it is the one read last.
    """
    whole = record_text(merge.dialect, merge.layout.columns, "t")
    key = quote("key")
    return f"""
insert into {merge.history} ({listed(tuple(name for name, _ in HISTORY_COLUMNS))})
select {key_text(merge.dialect, merge.layout, "t")}, greatest(t.{quote(READ_AT)}, h.ended), null, 'new', null,
  {merge.dialect.as_json(whole)}, t.{quote(SYNC_ID)}, '{BASELINE}'
from {latest_rows(merge)} t left join (
  select {key}, max(valid_to) as ended, bool_or(valid_to is null) as stays from {merge.history} group by {key}
) h on h.{key} = {key_text(merge.dialect, merge.layout, "t")}
where h.stays is not true"""


def rename_keys(merge: Merge, before: Layout) -> str:
    """Spell the history's keys in the types that its columns have now, `before` telling the old ones."""
    dialect, values = merge.dialect, list[tuple[str, str]]()
    given = dialect.as_json(f"h.{quote('key')}")
    for field in merge.layout.key:
        old, new = before.column(field), merge.layout.column(field)
        value = dialect.from_json(dialect.json_field(given, old.name, old.type), old.type)
        if old.type != new.type:
            value = dialect.converted(value, old.type, new.type)
        values.append((new.name, dialect.json_text(value, new.type.kind)))
    return f"update {merge.history} as h set {quote('key')} = {object_text(values)}"


def latest_rows(merge: Merge) -> str:
    """The table with one row per key: of several versions the one read last."""
    if not merge.keeps_versions:
        return merge.table
    latest = f"max(k.{quote(READ_AT)}) over (partition by {listed(merge.identity, 'k')})"
    return (
        f'(select * from (select k.*, {latest} as "#latest" from {merge.table} k) l '
        f'where l.{quote(READ_AT)} = l."#latest")'
    )


def gathered_columns(dialect: Dialect, layout: Layout) -> str:
    """The column definitions of the table in which parts of a whole read wait for their swap."""
    own = [f"{quote(column.name)} {dialect.column_type(column.type)}" for column in layout.columns]
    ours = [f"{quote(name)} {dialect.column_type(ROW_TYPES[name])}" for name in (HASH, READ_AT, META)]
    instant = dialect.column_type(TIMESTAMP)
    return ", ".join([*own, *ours, f"{quote(ROW)} bigint", f"{quote(GATHERED_READ)} {instant}"])


GATHERED_READ = "#read"
"""The column that says which read a gathered record belongs to: when that read began."""


def thin_gathered(merge: Merge, gathered: Table) -> str:
    """Leave of what was gathered one record per identity: the one that was read last."""
    recency = (
        f"row_number() over (partition by {listed(merge.identity)} "
        f"order by {quote(READ_AT)} desc, {quote(ROW)} desc)"
    )
    return (
        f"delete from {qualified(gathered)} where {quote(ROW)} in (select {quote(ROW)} from "
        f"(select {quote(ROW)}, {recency} as recency from {qualified(gathered)}) g where recency > 1)"
    )


def _same(merge: Merge, left: str, right: str) -> str:
    types = {column.name: column.type for column in merge.layout.columns}
    pairs = (
        f"{left}.{quote(name)} = {merge.dialect.staged(f'{right}.{quote(name)}', types.get(name, TEXT))}"
        for name in merge.identity
    )
    return " and ".join(pairs)


def _by_key(merge: Merge) -> str:
    """The stage, in the order of the key where an index is asked for each: neighbours lie together."""
    if not merge.dialect.capabilities.has_indexes:
        return merge.stage
    return f"(select * from {merge.stage} order by {listed(merge.identity)})"


def _known(merge: Merge, *, is_ranged: bool) -> str:
    """What the table holds of the staged keys: with several versions of one, the one read last."""
    cursor = () if merge.cursor is None else (merge.cursor.name,)
    names = dict.fromkeys((*merge.identity, *cursor, HASH, READ_AT, *_SIGHTS))
    columns = f"k.{merge.dialect.address} as place, {listed(tuple(names), 'k')}"
    if not merge.keeps_versions:
        first = f"k.{quote(merge.identity[0])}"
        within = f" where {first} >= $2 and {first} <= $3" if is_ranged else ""
        return f"(select {columns} from {merge.table} k{within})"
    # Read times of one key's versions are made to differ. DuckDB 2.0.0 fails on row_number() = 1 here.
    latest = f"max(k.{quote(READ_AT)}) over (partition by {listed(merge.identity, 'k')})"
    return (
        f"(select * from (select {columns}, {latest} as latest from {merge.table} k "
        f"where exists (select 1 from {merge.stage} x where {_same(merge, 'k', 'x')})) r "
        f"where {quote(READ_AT)} = latest)"
    )


def _is_older(merge: Merge) -> str:
    read_before = f"t.{quote(READ_AT)} > s.{quote(READ_AT)}"
    if merge.cursor is None or merge.force:
        return read_before
    name, given = quote(merge.cursor.name), merge.cursor.type
    incoming = merge.dialect.staged(f"s.{name}", given)
    stored_later = f"{merge.dialect.ordered(f't.{name}', given)} > {merge.dialect.ordered(incoming, given)}"
    return (
        f"(t.{name} is not null and (s.{name} is null or {stored_later})) "
        f"or (t.{name} is not distinct from {incoming} and {read_before})"
    )


def _is_gone(merge: Merge) -> str:
    return (
        f"not exists (select 1 from {merge.verdicts} v where v.place = t.{merge.dialect.address} "
        f"and v.place is not null)"
    )
