"""Tables coming into being and growing, inside the transaction of the step that needs it."""

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from propexo_connect.destinations.as_of import as_of_statements
from propexo_connect.destinations.base import Step
from propexo_connect.destinations.dialect import Dialect, Link
from propexo_connect.destinations.identifiers import listed, qualified, quote
from propexo_connect.destinations.merge import (
    HISTORY_COLUMNS,
    Merge,
    close_all,
    create_history,
    create_table,
    rename_keys,
    write_baseline,
)
from propexo_connect.destinations.recall import gathered_table, has_table
from propexo_connect.destinations.state import (
    COLUMNS,
    MIGRATIONS,
    OF_STREAM,
    OWNERS,
    SCHEMA,
    SCHEMA_CHANGES,
    STREAMS,
    TABLES,
    VERSION,
    VERSIONS,
    Migration,
    create,
    insert,
    migrated,
    select,
    types_used,
)
from propexo_connect.destinations.views import drop_views
from propexo_connect.model.errors import ConfigurationError, Defect, DestinationBusy, NoKey
from propexo_connect.model.field import FieldType, Kind
from propexo_connect.model.layout import Column, Layout
from propexo_connect.model.stream import Mode, Table

_ROWS_AT_ONCE = 500

_TEXTS = {Kind.TEXT, Kind.JSON}
_WIDER: dict[Kind, set[Kind]] = {
    Kind.BOOLEAN: _TEXTS,
    Kind.INTEGER: {Kind.DECIMAL, Kind.FLOAT, *_TEXTS},
    Kind.DECIMAL: _TEXTS,
    Kind.FLOAT: _TEXTS,
    Kind.DATE: {Kind.DATETIME, Kind.TIMESTAMP, *_TEXTS},
    Kind.TIMESTAMP: _TEXTS,
    Kind.DATETIME: _TEXTS,
    Kind.TIME: _TEXTS,
    Kind.TEXT: {Kind.JSON},
    Kind.JSON: {Kind.TEXT},
    Kind.BINARY: set(),
}
"""What a column of a kind may be widened to."""


def can_widen(before: FieldType, after: FieldType) -> bool:
    """Whether a column may change from one type to the other without losing a value."""
    if before.kind is Kind.DECIMAL and after.kind is Kind.DECIMAL:
        whole = after.precision - after.scale >= before.precision - before.scale
        return whole and after.scale >= before.scale
    if before.kind is Kind.INTEGER and after.kind is Kind.DECIMAL:
        return after.precision - after.scale >= 19
    return before == after or after.kind in _WIDER[before.kind]


def prepare(
    link: Link, version: int = VERSION, migrations: Mapping[int, tuple[Migration, ...]] | None = None
) -> None:
    """Make `_propexo`, or bring it up to this version.

    Raises:
        ConfigurationError: a newer version of the product has written it.
    """
    steps = MIGRATIONS if migrations is None else migrations
    found = stored_version(link)
    types = {given: link.dialect.column_type(given) for given in types_used()}
    if found is None:
        make_schema(link, SCHEMA)
        for table in TABLES:
            link.run(create(table, types))
        link.run(insert(VERSIONS), (version,))
        _index_state(link)
        return
    if found > version:
        raise ConfigurationError(
            f"the schema {SCHEMA} has version {found}, written by a newer release than this one",
            expected=f"version {version} or older",
            remedy="Update this installation.",
        )
    for step in range(found, version):
        if step not in steps:
            raise Defect(f"nothing leads from version {step} of the schema {SCHEMA} to the next")
        for part in steps[step]:
            link.run(migrated(part, types))
    if found < version:
        _index_state(link)
        link.run(f"update {VERSIONS.sql} set version = $1", (version,))


def _index_state(link: Link) -> None:
    for statement in link.dialect.state_indexes:
        link.run(statement)


def stored_version(link: Link) -> int | None:
    """The version of `_propexo`, None when there is none yet."""
    if not has_table(link, VERSIONS.table):
        return None
    return link.rows(f"select version from {VERSIONS.sql}")[0][0]


def make_schema(link: Link, name: str) -> None:
    """A schema, when it is missing; a role that may not make any need not where it is there."""
    if link.dialect.schema_exists and link.rows(link.dialect.schema_exists, (name,)):
        return
    if link.dialect.lock_schemas:
        link.rows(link.dialect.lock_schemas)
    link.run(f"create schema if not exists {quote(name)}")


def make_table(link: Link, step: Step, created_at: datetime, failpoint: Callable[[str], None]) -> None:
    """Register a stream and make its table, empty and without an index."""
    plan, layout = step.plan, step.layout
    row = (
        plan.connection,
        plan.stream.name,
        plan.table.schema,
        plan.table.name,
        json.dumps(list(layout.key), ensure_ascii=False),
        str(plan.mode),
        False,
        created_at,
        None,
        False,
        None,
    )
    link.run(insert(STREAMS), row)
    failpoint("stream registered")
    make_schema(link, plan.table.schema)
    link.run(create_table(link.dialect, plan.table, layout))
    failpoint("table made")
    _store_names(link, step, layout.columns, 0, created_at)
    failpoint("names stored")


def grow_table(
    link: Link, step: Step, stored: Layout, changed_at: datetime, failpoint: Callable[[str], None]
) -> bool:
    """Add and widen the columns in which the step's layout differs from the stored one; whether any did.

    Raises:
        DestinationBusy: another lane has changed the table since the step was typed; it must be typed again.
    """
    fresh, wider = differences(stored, step.layout, step.plan.where)
    if not fresh and not wider:
        return False
    gathered = gathered_table(step.plan)
    tables = [step.plan.table, *([gathered] if has_table(link, gathered) else [])]
    for column in fresh:
        for table in tables:
            wanted = link.dialect.column_type(column.type)
            link.run(f"alter table {qualified(table)} add column {quote(column.name)} {wanted}")
            failpoint("column added")
    if wider:
        drop_views(link, step.plan)
        failpoint("views dropped")
    for before, column in wider:
        name = quote(column.name)
        value = link.dialect.converted(name, before, column.type)
        for table in tables:
            wanted = link.dialect.column_type(column.type)
            link.run(link.dialect.widen_column(qualified(table), name, wanted, value))
            failpoint("column widened")
        link.run(
            f"update {COLUMNS.sql} set {quote('type')} = $4 "
            f"where connection = $1 and stream = $2 and field = $3",
            (step.plan.connection, step.plan.stream.name, column.field, str(column.type)),
        )
    _store_names(link, step, fresh, len(stored.columns), changed_at)
    failpoint("names stored")
    return True


def differences(
    stored: Layout, wanted: Layout, where: str
) -> tuple[tuple[Column, ...], list[tuple[FieldType, Column]]]:
    """The columns to be added, and those to be widened with the type they have.

    Raises:
        DestinationBusy: the stored layout is not one that the wanted one was made from.
    """
    known = {column.field: column for column in stored.columns}
    fresh = tuple(column for column in wanted.columns if column.field not in known)
    wider: list[tuple[FieldType, Column]] = []
    stale = bool(known.keys() - wanted.fields)
    taken = {column.name for column in stored.columns}
    stale = stale or any(column.name in taken for column in fresh)
    for column in wanted.columns:
        before = known.get(column.field)
        if before is None:
            continue
        stale = stale or before.name != column.name or not can_widen(before.type, column.type)
        if before.type != column.type:
            wider.append((before.type, column))
    if stale:
        raise DestinationBusy(
            "the table's columns have changed since these records were typed",
            where=where,
            remedy="The step is typed again.",
        )
    return fresh, wider


def refuse_wide(dialect: Dialect, step: Step) -> None:
    """Turn down more columns than a table holds, before anything is staged.

    Raises:
        ConfigurationError: the person who set the connection up must select fields.
    """
    limit = dialect.capabilities.max_columns - len(HISTORY_COLUMNS)
    if len(step.layout.columns) > limit:
        raise ConfigurationError(
            f"the stream has {len(step.layout.columns)} fields, and a table of {dialect.capabilities.name} "
            f"holds {limit} at the most",
            where=step.plan.where,
            remedy="Select the fields that are needed.",
        )


def grow_history(merge: Merge, link: Link, stored: Layout, failpoint: Callable[[str], None]) -> None:
    """The keys of the stream's history in the types that the key's columns got, where it has a history."""
    is_same = all(stored.column(field).type == merge.layout.column(field).type for field in merge.layout.key)
    if is_same or not has_history(merge, link):
        return
    link.run(rename_keys(merge, stored))
    failpoint("history keys renamed")


def has_history(merge: Merge, link: Link) -> bool:
    """Whether the stream's history table was made."""
    of_stream = (merge.plan.connection, merge.plan.stream.name)
    return bool(link.rows(select(STREAMS, ("has_history",)), of_stream)[0][0])


def tend_history(
    merge: Merge, link: Link, started_at: datetime, failpoint: Callable[[str], None], *, is_grown: bool
) -> None:
    """The stream's history as the plan wants it: made, taken up again, or ended.

    One that begins, also after a pause, does so with a version for each stored record that has none open.
    One that is switched off stays, its versions ended: what becomes of the table then it does not know.
    The function `__as_of` goes with the table's columns.

    Raises:
        NoKey: without a key there are no versions of a record. ConfigurationError: the name is taken.
    """
    of_stream = (merge.plan.connection, merge.plan.stream.name)
    is_made, keeps = link.rows(select(STREAMS, ("has_history", "keeps_history")), of_stream)[0]
    wanted = merge.plan.history
    if wanted and not is_made:
        make_history(merge, link, failpoint)
    elif not is_made:
        return
    if keeps is not wanted:
        if wanted:
            link.run(write_baseline(merge))
        else:
            link.run(close_all(merge), (started_at,))
        link.run(f"update {STREAMS.sql} set keeps_history = $3 where {OF_STREAM}", (*of_stream, wanted))
        failpoint("baseline written" if wanted else "history ended")
    if is_grown or keeps is not wanted:
        make_as_of(merge, link, failpoint)


def make_history(merge: Merge, link: Link, failpoint: Callable[[str], None]) -> None:
    """The stream's history table, empty.

    Raises:
        NoKey: without a key there are no versions of a record. ConfigurationError: the name is taken.
    """
    plan = merge.plan
    if not merge.layout.key:
        raise NoKey("a stream without a key has no history", where=plan.where, remedy="Set history: false.")
    table = plan.table.beside("history")
    if has_table(link, table):
        raise ConfigurationError(
            f"there is a table or view {table} already, and no stream has made it",
            where=plan.where,
            remedy="Give the connection another namespace or stream prefix, or set history: false.",
        )
    link.run(create_history(link.dialect, table))
    index = link.dialect.history_index(index_name("versions", table), merge.history)
    if index:
        link.run(index)
    of_stream = (plan.connection, plan.stream.name)
    link.run(f"update {STREAMS.sql} set has_history = true where {OF_STREAM}", of_stream)
    failpoint("history table made")


def make_as_of(merge: Merge, link: Link, failpoint: Callable[[str], None]) -> None:
    """The function that tells records as of an instant, for the columns that the table has now."""
    for statement in as_of_statements(link.dialect, merge.plan, merge.layout):
        link.run(statement)
    failpoint("as of made")


def refuse_streams_table(link: Link, table: Table) -> None:
    """Keep a user's own asset from writing over a stream's table.

    Raises:
        ConfigurationError: the table is a stream's, its history, or one of ours.
    """
    names = [table.name, table.name.removesuffix("__history")]
    owned = link.rows(OWNERS, ([table.schema], names))
    if owned or table.schema == SCHEMA:
        raise ConfigurationError(
            f"the table {table} is written by a connection", remedy="Let the asset write another table."
        )


def make_index(merge: Merge, link: Link) -> None:
    """The index on what identifies a record, where the destination has indexes."""
    is_unique = not merge.keeps_versions
    name = index_name("key" if is_unique else "versions", merge.plan.table)
    sql = link.dialect.key_index(quote(name), merge.table, listed(merge.identity), is_unique=is_unique)
    if sql:
        link.run(sql)


def change_mode(merge: Merge, link: Link, before: Mode) -> None:
    """Let a table that held one row per key keep versions from now on."""
    if before is merge.plan.mode:
        return
    if merge.keeps_versions:
        name = quote(index_name("key", merge.plan.table))
        sql = link.dialect.drop_index(quote(merge.plan.table.schema), name)
        if sql:
            link.run(sql)
        make_index(merge, link)
    link.run(
        f"update {STREAMS.sql} set mode = $3 where connection = $1 and stream = $2",
        (merge.plan.connection, merge.plan.stream.name, str(merge.plan.mode)),
    )


def index_name(purpose: str, table: Table) -> str:
    """A short name that no other table's index has."""
    return f"{purpose}_{hashlib.sha256(str(table).encode()).hexdigest()[:16]}"


def store_changes(link: Link, step: Step, changed_at: datetime) -> None:
    """The step's drift, as events of the ledger."""
    plan = step.plan
    head = (plan.connection, plan.stream.name, step.window.sync_id, changed_at)
    for first in range(0, len(step.changes), _ROWS_AT_ONCE):
        part = step.changes[first : first + _ROWS_AT_ONCE]
        values = [
            value for one in part for value in (*head, one.kind, one.field, one.column, one.before, one.after)
        ]
        link.run(insert(SCHEMA_CHANGES, len(part)), values)


def _store_names(
    link: Link, step: Step, columns: tuple[Column, ...], ordinal: int, added_at: datetime
) -> None:
    plan = step.plan
    of_columns: tuple[list[Any], ...] = (
        [column.field for column in columns],
        [column.name for column in columns],
        [str(column.type) for column in columns],
        [column.is_declared for column in columns],
        list(range(ordinal, ordinal + len(columns))),
    )
    # As arrays: a parameter per value would cost more than the rows.
    link.run(
        f"insert into {COLUMNS.sql} ({listed(COLUMNS.names)}) select $1, $2, "
        f"unnest(cast($3 as text[])), unnest(cast($4 as text[])), unnest(cast($5 as text[])), "
        f"unnest(cast($6 as boolean[])), unnest(cast($7 as bigint[])), cast($8 as timestamptz)",
        (plan.connection, plan.stream.name, *of_columns, added_at),
    )
