"""What a purge takes out of a destination, as conditions: one target for each table that can hold it.

Aliases: `x` the row of the target, `t` a row of the stream's table. Everything a value is compared with is a
parameter.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from propexo_connect.destinations.arrow import META
from propexo_connect.destinations.content import key_text
from propexo_connect.destinations.dialect import Dialect, Link
from propexo_connect.destinations.identifiers import listed, qualified, quote
from propexo_connect.destinations.recall import gathered_of, has_table
from propexo_connect.destinations.state import (
    DELIVERIES,
    DELIVERY_LOG,
    OUTBOX,
    REJECTED_RECORDS,
    WINDOW_PARTS,
    WINDOWS,
    StateTable,
)
from propexo_connect.destinations.suppress import raw_strings, searched, source_fields
from propexo_connect.model.field import Kind
from propexo_connect.model.layout import Column, Layout
from propexo_connect.model.purge import (
    PurgeKind,
    PurgeRequest,
    canonical,
    folded,
    parsed_raw,
    raw_member,
    raw_text,
    typed,
)
from propexo_connect.model.stream import Mode, Table

PURGED = "purged"
"""What stands in the place of a value that a row of the ledger must do without."""

_UPPER, _LOWER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz"
_OWN_TEXT = {Kind.TEXT, Kind.JSON}


@dataclass(frozen=True)
class StoredStream:
    """One stream as the destination has it; `table` is None where it never stored a record."""

    name: str
    table: Table | None = None
    layout: Layout = field(default_factory=Layout)
    mode: Mode = Mode.MERGE
    has_history: bool = False


@dataclass(frozen=True)
class Target:
    """Rows of one table that leave, or that lose a value.

    Args:
        sql: the table in a statement, shown: as people read it.
        condition: which rows; `x` is the row. changes: what is set instead of removing the row.
    """

    stream: str
    sql: str
    shown: str
    condition: str
    parameters: tuple[Any, ...]
    changes: str = ""

    @property
    def count(self) -> str:
        """The query for how many there are."""
        return f"select count(*) from {self.sql} as x where {self.condition}"

    @property
    def change(self) -> str:
        """The statement that does it."""
        if self.changes:
            return f"update {self.sql} as x set {self.changes} where {self.condition}"
        return f"delete from {self.sql} as x where {self.condition}"


@dataclass
class _Search:
    """One condition in the making, with its parameters."""

    dialect: Dialect
    stream: StoredStream
    request: PurgeRequest
    parameters: list[Any] = field(default_factory=list[Any])

    def given(self, value: Any, kind: str = "text") -> str:
        """A value as a parameter of the statement."""
        self.parameters.append(value)
        return f"cast(${len(self.parameters)} as {kind})"

    @property
    def fold(self) -> Callable[[str], str]:
        """What texts pass through before they are compared."""
        return _fold if self.request.ignore_case else str

    def wanted(self) -> str:
        """The identifier, as it is compared with what `fold` makes."""
        given = self.request.identifier
        return self.given(folded(given) if self.request.ignore_case else given)

    def of_stream(self) -> str:
        """The condition that picks the stream's rows of a table of `_propexo`."""
        connection, name = self.given(self.request.connection), self.given(self.stream.name)
        return f"x.connection = {connection} and x.stream = {name}"

    def row(self, alias: str) -> str:
        """The condition on a row of the stream's table; `false` where none can hold it."""
        if self.request.kind is PurgeKind.KEY:
            cells = [self._cell(alias, self.stream.layout.column(name)) for name in self.stream.layout.key]
            return " and ".join(cells)
        found = [self._column(f"{alias}.{quote(one.name)}", one) for one in self._searched()]
        return _any([*found, *self._meta(f"{alias}.{quote(META)}")])

    def _searched(self) -> list[Column]:
        return searched(self.stream.layout, self.request.fields)

    def _cell(self, alias: str, column: Column) -> str:
        value = typed(self.request.key[column.field], column.type.kind)
        stored = f"{alias}.{quote(column.name)}"
        if value is None:
            return "false"
        if column.type.kind is Kind.JSON:
            return f"{self.dialect.json_text(stored, Kind.JSON)} = {self.given(value)}"
        return f"{stored} = {self.given(value, self.dialect.column_type(column.type))}"

    def _column(self, stored: str, column: Column) -> str:
        if column.type.kind is Kind.JSON:
            return self.holds(stored)
        if column.type.kind is Kind.TEXT:
            return f"{self.fold(stored)} = {self.wanted()}"
        value = typed(self.request.identifier, column.type.kind)
        if value is None or canonical(value) != self.request.identifier:
            return "false"
        return f"{stored} = {self.given(value, self.dialect.column_type(column.type))}"

    def _meta(self, stored: str) -> Iterator[str]:
        if not self.request.fields:
            yield self.holds(stored)
            return
        for part in ("misfits", "unmapped"):
            for name in source_fields(self.stream.layout, self.request.fields):
                yield self.holds(f"({stored} -> '{part}' -> {_literal(name)})")

    def holds(self, json_value: str) -> str:
        """The condition that a JSON value holds the identifier."""
        return self.dialect.json_holds(json_value, self.wanted(), self.fold)

    def key(self, stored: str) -> str:
        """The condition that a key of the history or the outbox is one of those that leave."""
        table, layout = self.stream.table, self.stream.layout
        if self.request.kind is PurgeKind.KEY:
            member = self.dialect.as_json(stored)
            parts = [(layout.column(name), self.request.key[name]) for name in layout.key]
            return _all(
                [f"({member} ->> {_literal(c.name)}) in ({self._texts(c, text)})" for c, text in parts]
            )
        found = [self.holds(self.dialect.as_json(stored))] if not self.request.fields else []
        if table is not None and layout.key:
            keys = key_text(self.dialect, layout, "t")
            found.append(f"{stored} in (select {keys} from {qualified(table)} t where {self.row('t')})")
        return _any(found)

    def _texts(self, column: Column, written: str) -> str:
        """A key's value as texts: as it was written, in canonical form, and as the column's type has it."""
        value, kind = typed(written, column.type.kind), column.type.kind
        texts = [self.given(text) for text in _spellings(written, kind)]
        if value is not None and kind not in _OWN_TEXT:
            stored = self.dialect.json_text(self.given(value, self.dialect.column_type(column.type)), kind)
            texts.append(f"trim(both '\"' from {stored})")
        return ", ".join(texts)

    def sides(self) -> list[str]:
        """The conditions that the content of a row of the history holds the identifier."""
        found: list[str] = []
        for side in ("x.before", "x.after"):
            if not self.request.fields:
                found.append(self.holds(side))
                continue
            for column in self._searched():
                if column.type.kind is Kind.JSON:
                    found.append(self.holds(f"({side} -> {_literal(column.name)})"))
                else:
                    found.append(f"{self.fold(f'({side} ->> {_literal(column.name)})')} = {self.wanted()}")
        return found

    def target(self, table: Table | StateTable, condition: str, changes: str = "") -> Target:
        """The target that the search has led to."""
        sql = table.sql if isinstance(table, StateTable) else qualified(table)
        shown = str(table.table if isinstance(table, StateTable) else table)
        return Target(self.stream.name, sql, shown, condition, tuple(self.parameters), changes)


def targets(link: Link, stream: StoredStream, request: PurgeRequest) -> list[Target]:
    """Everything of one stream that a purge takes out, in the order in which it may go.

    What is found by way of the stream's table comes before the table itself.
    """

    def search() -> _Search:
        return _Search(link.dialect, stream, request)

    found = _events(search)
    table = stream.table
    if table is not None:
        if stream.has_history:
            one = search()
            wanted = [one.key("x.key")]
            if request.kind is PurgeKind.IDENTIFIER:
                wanted += one.sides()
            found.append(one.target(table.beside("history"), _any(wanted)))
        gathered = gathered_of(request.connection, stream.name)
        if has_table(link, gathered):
            one = search()
            found.append(one.target(gathered, one.row("x")))
    found += [_rejected(link, search()), *_parts(search), _positions(link, search())]
    if table is not None:
        one = search()
        found.append(one.target(table, _versions(one, table)))
    return found


def connection_target(dialect: Dialect, request: PurgeRequest) -> Target:
    """Events of the connection as a whole, which may tell of the identifier in a text."""
    one = _Search(dialect, StoredStream(""), request)
    condition = f"x.connection = {one.given(request.connection)} and x.stream is null"
    return one.target(OUTBOX, f"{condition} and {one.holds('x.payload')}")


def child_target(dialect: Dialect, request: PurgeRequest, child: str) -> Target | None:
    """The ledger's rows of a stream that is read through the one whose key leaves."""
    if len(request.key) != 1:
        return None
    one = _Search(dialect, StoredStream(child), request)
    (value,) = request.key.values()
    return one.target(WINDOW_PARTS, f"{one.of_stream()} and x.parent = {one.given(value)}", _blanked(dialect))


def _events(search: Callable[[], _Search]) -> list[Target]:
    def condition(one: _Search) -> str:
        wanted = [one.key("x.key")] if one.stream.layout.key else []
        if one.request.kind is PurgeKind.IDENTIFIER:
            wanted.append(one.holds("x.payload"))
        return f"{one.of_stream()} and {_any(wanted)}"

    found: list[Target] = []
    for table in (DELIVERY_LOG, DELIVERIES):
        one = search()
        events = f"select x.id from {OUTBOX.sql} as x where {condition(one)}"
        found.append(one.target(table, f"x.event_id in ({events})"))
    one = search()
    return [*found, one.target(OUTBOX, condition(one))]


def _versions(one: _Search, table: Table) -> str:
    """The condition on the stream's table; where it keeps versions, all of those that share a key."""
    layout = one.stream.layout
    if one.stream.mode is not Mode.APPEND or not layout.key or one.request.kind is PurgeKind.KEY:
        return one.row("x")
    keys = layout.key_columns
    found = f"select {listed(keys, 't')} from {qualified(table)} t where {one.row('t')}"
    return f"({listed(keys, 'x')}) in ({found})"


def _rejected(link: Link, one: _Search) -> Target:
    """Raw records are read here, since what was rejected need not be JSON that a database takes."""
    request = one.request
    texts = _all_spellings(one.stream, request)
    hints = [f"strpos({one.fold('x.record')}, {one.given(_hint(request, text))}) > 0" for text in texts]
    escapes = ("\\",) if any(set(text) & set('"\\/\b\f\n\r\t') for text in texts) else ("\\u",)
    hints += [f"strpos(x.record, {one.given(escape)}) > 0" for escape in escapes]
    rows = link.rows(
        f"select cast(x.{link.dialect.address} as text), x.record from {REJECTED_RECORDS.sql} as x "
        f"where {one.of_stream()} and {_any(hints)}",
        one.parameters,
    )
    return _by_address(one, REJECTED_RECORDS, [at for at, raw in rows if holds_raw(one.stream, request, raw)])


def holds_raw(stream: StoredStream, request: PurgeRequest, raw: str) -> bool:
    """Whether a raw record holds the key, or the identifier."""
    record = parsed_raw(raw)
    if record is None:  # no JSON: whatever contains it goes
        text = folded(raw) if request.ignore_case else raw
        return all(_hint(request, value) in text for value in request.values)
    if request.kind is PurgeKind.IDENTIFIER:
        fields = source_fields(stream.layout, request.fields)
        return any(request.matches(text) for text in raw_strings(record, fields))
    kinds = {column.field: column.type.kind for column in stream.layout.columns}
    return all(
        raw_text(raw_member(record, name)) in _spellings(written, kinds.get(name, Kind.TEXT))
        for name, written in request.key.items()
    )


def _parts(search: Callable[[], _Search]) -> Iterator[Target]:
    """Rows of the ledger that name a parent by the identifier, or quote it; they stay, without it."""
    one = search()
    if one.request.kind is PurgeKind.KEY:
        return
    parent = f"{one.fold('x.parent')} = {one.wanted()}"
    quoted = f"strpos({one.fold('x.problem')}, {one.wanted()}) > 0"
    changes = (
        f"parent = case when {parent} then {_anonymous(one.dialect)} else x.parent end, "
        f"problem = case when {quoted} then '{PURGED}' else x.problem end"
    )
    yield one.target(WINDOW_PARTS, f"{one.of_stream()} and ({parent} or {quoted})", changes)


def _positions(link: Link, one: _Search) -> Target:
    """Places where a read may be taken up again, which may be a value; without one it starts earlier."""
    texts = _all_spellings(one.stream, one.request)
    rows = link.rows(
        f"select cast(x.{link.dialect.address} as text), x.position from {WINDOWS.sql} as x "
        f"where {one.of_stream()} and x.position is not null",
        one.parameters,
    )
    found = [at for at, position in rows if _is_in(position, texts, one.request)]
    return _by_address(one, WINDOWS, found, "position = null")


def _is_in(position: str, texts: list[str], request: PurgeRequest) -> bool:
    """Whether a position holds a value as a word of its own; of several values of a key, any."""
    flags = re.IGNORECASE if request.ignore_case else re.NOFLAG
    spelled = [*texts, *(json.dumps(text)[1:-1] for text in texts)]
    return any(re.search(rf"(?<!\w){re.escape(text)}(?!\w)", position, flags) for text in spelled)


def _by_address(one: _Search, table: StateTable, places: list[str], changes: str = "") -> Target:
    fresh = _Search(one.dialect, one.stream, one.request)
    place = f"cast(x.{one.dialect.address} as text) = any({fresh.given(places, 'text[]')})"
    return fresh.target(table, place, changes)


def _blanked(dialect: Dialect) -> str:
    problem = f"case when x.problem is null then null else '{PURGED}' end"
    return f"parent = {_anonymous(dialect)}, problem = {problem}"


def _anonymous(dialect: Dialect) -> str:
    """A parent without its name, told from the others of its window."""
    return f"'{PURGED} ' || cast(x.{dialect.address} as text)"


def _spellings(written: str, kind: Kind) -> list[str]:
    value = typed(written, kind)
    texts = [written]
    if value is not None and kind not in _OWN_TEXT:
        texts.append(canonical(value) or written)
    return list(dict.fromkeys(texts))


def _all_spellings(stream: StoredStream, request: PurgeRequest) -> list[str]:
    if request.kind is PurgeKind.IDENTIFIER:
        return [request.identifier]
    kinds = {column.field: column.type.kind for column in stream.layout.columns}
    return [
        text
        for name, written in request.key.items()
        for text in _spellings(written, kinds.get(name, Kind.TEXT))
    ]


def _hint(request: PurgeRequest, text: str) -> str:
    return folded(text) if request.ignore_case else text


def _fold(expression: str) -> str:
    return f"translate({expression}, '{_UPPER}', '{_LOWER}')"


def _literal(name: str) -> str:
    return "'" + name.replace("'", "''") + "'"


def _any(conditions: list[str]) -> str:
    return f"({' or '.join(conditions)})" if conditions else "false"


def _all(conditions: list[str]) -> str:
    return f"({' and '.join(conditions)})" if conditions else "false"
