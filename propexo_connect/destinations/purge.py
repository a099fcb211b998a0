"""The one way data leaves: a request counted beforehand, or carried out in one transaction (SEMANTICS §8).

    lock → count what met the stream → remove, table by table → suppress → audit

Commits and purges of one stream take turns: a commit that a purge came in between of is not valid
(`state.HOLD_FENCE`), so that nothing that was read before can come back after.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from propexo_connect.destinations.dialect import Dialect, Link
from propexo_connect.destinations.hash_key import HashKey
from propexo_connect.destinations.identifiers import listed, quote
from propexo_connect.destinations.ledger_row import instant, parsed
from propexo_connect.destinations.purge_targets import (
    StoredStream,
    Target,
    child_target,
    connection_target,
    targets,
)
from propexo_connect.destinations.recall import stored_column
from propexo_connect.destinations.state import (
    COLUMNS,
    FENCES,
    PURGES,
    REJECTED_RECORDS,
    STREAMS,
    SUPPRESSED,
    WINDOWS,
    insert,
)
from propexo_connect.destinations.suppress import other_key, searched
from propexo_connect.model.errors import ConfigurationError, NoKey, UnknownName
from propexo_connect.model.field import Kind
from propexo_connect.model.layout import Layout
from propexo_connect.model.ledger import Reading
from propexo_connect.model.purge import (
    Finding,
    Purge,
    PurgeKind,
    PurgeRequest,
    canonical,
    folded,
    key_text,
    typed,
)
from propexo_connect.model.stream import Mode, Table

_NAMES = " union ".join(
    f"select stream from {table.sql} where connection = $1" for table in (STREAMS, WINDOWS, REJECTED_RECORDS)
)
_LOCK = f"select stream from {STREAMS.sql} where connection = $1 order by stream"
_MEET = (
    f"insert into {FENCES.sql} ({listed(FENCES.names)}) select $1, s, l, 0, 1 "
    f"from (select unnest(cast($2 as text[])) as s) q, (select unnest(cast($3 as text[])) as l) r "
    f"order by s, l on conflict ({listed(FENCES.key)}) do update "
    f"set {quote('purges')} = coalesce({FENCES.name}.{quote('purges')}, 0) + 1"
)
"""Tells every lane of the streams `$2`, also one that is not held yet, that a purge met them."""

_LANES = sorted({reading.lane for reading in Reading})
_OTHER_KEYS = (
    f"select 1 from {SUPPRESSED.sql} s join {PURGES.sql} p on p.id = s.purge_id where p.key_id <> $1 limit 1"
)
_SEARCHABLE = {Kind.TEXT, Kind.JSON, Kind.INTEGER}
"""Kinds of columns that an identifier may be looked for in by name."""


def preview(link: Link, request: PurgeRequest, catalog: str = "") -> tuple[Finding, ...]:
    """What a request would take out, by table; nothing is written.

    Args:
        catalog: of the streams' tables, where the destination needs one.

    Raises:
        UnknownName: no such connection, stream, field. NoKey, ConfigurationError: the key does not fit.
    """
    request, streams = resolved(link, request, catalog)
    found = _all_targets(link, request, streams)
    return _told((one, int(link.rows(one.count, one.parameters)[0][0])) for one in found)


def carry_out(
    link: Link,
    request: PurgeRequest,
    at: datetime,
    key: HashKey,
    failpoint: Callable[[str], None],
    catalog: str = "",
) -> tuple[Finding, ...]:
    """Everything of a purge but the commit itself; what went, by table.

    Raises:
        UnknownName, NoKey, ConfigurationError: as in `preview`; the hashes so far were made with another key.
        DestinationBusy: a commit is under way.
    """
    _refuse_told(request)
    failpoint("purge begun")
    link.rows(_LOCK + link.dialect.lock_stream, (request.connection,))
    asked, streams = resolved(link, request, catalog)
    link.run(_MEET, (request.connection, [stream.name for stream in streams], _LANES))
    if link.rows(_OTHER_KEYS, (key.id,)):
        raise other_key(request.where)
    # Asked again: a stream may have been stored for the first time until its lanes were told.
    asked, streams = resolved(link, request, catalog)
    counts: list[tuple[Target, int]] = []
    for target in _all_targets(link, asked, streams):
        counts.append((target, link.run(target.change, target.parameters)))
        failpoint("purge removed")
    findings = _told(counts)
    if asked.is_suppressed:
        for stream in streams:
            row = (asked.connection, stream.name, _hash_of(asked, stream, key), asked.id, at)
            link.run(insert(SUPPRESSED), row)
        failpoint("purge suppressed")
    link.run(insert(PURGES), _audit_row(asked, streams, findings, at, key))
    failpoint("purge recorded")
    return findings


def purges(link: Link, connection: str) -> list[Purge]:
    """The audit of a connection, oldest first."""
    rows = link.rows(
        f"select {listed(PURGES.names)} from {PURGES.sql} where connection = $1 order by requested_at, id",
        (connection,),
    )
    return [_purge(dict(zip(PURGES.names, row, strict=True))) for row in rows]


def lift(link: Link, connection: str, purge_id: str, by: str, at: datetime) -> int:
    """End the suppression of one purge; how many streams may get the records again. Told in the audit.

    Raises:
        UnknownName: no such purge, or none whose suppression holds.
    """
    written = link.run(
        f"update {PURGES.sql} set lifted_at = $3, lifted_by = $4 "
        f"where connection = $1 and id = $2 and is_suppressed and lifted_at is null",
        (connection, purge_id, at, by),
    )
    if not written:
        raise UnknownName(
            f"no purge '{purge_id}' suppresses records",
            where=f"connection '{connection}', purge",
            remedy="`propexo-connect purge CONNECTION --list` shows those that do.",
        )
    return link.run(
        f"delete from {SUPPRESSED.sql} where connection = $1 and purge_id = $2", (connection, purge_id)
    )


def resolved(link: Link, request: PurgeRequest, catalog: str) -> tuple[PurgeRequest, list[StoredStream]]:
    """The request with its streams and the fields of its key named, and the streams as they are stored."""
    known = {name for (name,) in link.rows(_NAMES, (request.connection,))}
    if not known:
        raise UnknownName(
            "nothing is stored of this connection in the destination",
            where=request.where,
            remedy="Look at the connection's name and its destination.",
        )
    unknown = [name for name in request.streams if name not in known]
    if unknown:
        raise UnknownName(
            f"nothing is stored of the stream '{unknown[0]}'",
            where=request.where,
            expected=f"one of {', '.join(sorted(known))}",
        )
    names = sorted(request.streams or known)
    if request.kind is PurgeKind.KEY and len(names) > 1 and not request.streams:
        raise ConfigurationError(
            "a key names records of one stream, and the connection has several",
            where=request.where,
            expected=f"the stream: one of {', '.join(names)}",
        )
    found = _stored(link, request.connection, catalog)
    streams = [found.get(name, StoredStream(name)) for name in names]
    request = replace(request, streams=tuple(names), key=_named_key(request, streams))
    _refuse_fields(request, streams)
    return request, streams


def _stored(link: Link, connection: str, catalog: str) -> dict[str, StoredStream]:
    columns: dict[str, list[Any]] = {}
    wanted = listed(("stream", "field", "column", "type", "is_declared"))
    for name, *column in link.rows(
        f"select {wanted} from {COLUMNS.sql} where connection = $1 order by ordinal", (connection,)
    ):
        columns.setdefault(name, []).append(stored_column(*column))
    rows = link.rows(
        f"select stream, table_schema, table_name, {quote('key')}, mode, has_history from {STREAMS.sql} "
        f"where connection = $1",
        (connection,),
    )
    return {
        name: StoredStream(
            name,
            Table(schema, table, catalog),
            Layout(tuple(columns.get(name, ())), tuple(parsed(key))),
            Mode(mode),
            has_history,
        )
        for name, schema, table, key, mode, has_history in rows
    }


def _named_key(request: PurgeRequest, streams: Iterable[StoredStream]) -> dict[str, str]:
    """The key by its fields; a value without a field is that of a key of one field."""
    key = dict(request.key)
    for stream in streams:
        if not key or stream.table is None:
            continue
        fields = stream.layout.key
        if not fields:
            raise NoKey(
                "the records of the stream have no key",
                where=f"{request.where}, stream '{stream.name}'",
                remedy="Purge by an identifier that they hold.",
            )
        if set(key) == {""} and len(fields) == 1:
            key = {fields[0]: key[""]}
        if set(key) != set(fields):
            raise UnknownName(
                "the key that was given does not have the fields of the stream's key",
                where=f"{request.where}, stream '{stream.name}'",
                expected=f"a value for {', '.join(fields)}",
            )
    return key


def _refuse_fields(request: PurgeRequest, streams: Sequence[StoredStream]) -> None:
    for name in request.fields:
        columns = [column for one in streams for column in searched(one.layout, (name,))]
        if not columns:
            raise UnknownName(f"no requested stream has a field '{name}'", where=request.where)
        if any(column.type.kind not in _SEARCHABLE for column in columns):
            raise ConfigurationError(
                f"the field '{name}' holds neither text nor JSON nor whole numbers",
                where=request.where,
                expected="a field that an identifier can stand in",
            )


def _refuse_told(request: PurgeRequest) -> None:
    """The audit outlives the data, so the value must not come into it by the reason."""
    if any(folded(value) in folded(request.reason) for value in request.values if value):
        raise ConfigurationError(
            "the reason repeats what is to be purged, and the audit would keep it",
            where=request.where,
            expected="a reason without it, such as the number of a ticket",
        )


def _all_targets(link: Link, request: PurgeRequest, streams: Iterable[StoredStream]) -> list[Target]:
    found = [target for stream in streams for target in targets(link, stream, request)]
    dialect: Dialect = link.dialect
    if request.kind is PurgeKind.IDENTIFIER:
        return [connection_target(dialect, request), *found]
    children = (child_target(dialect, request, child) for child in request.children)
    return [*found, *(child for child in children if child is not None)]


def _told(counts: Iterable[tuple[Target, int]]) -> tuple[Finding, ...]:
    return tuple(
        Finding(target.stream, target.shown, count, not target.changes) for target, count in counts if count
    )


def _hash_of(request: PurgeRequest, stream: StoredStream, key: HashKey) -> str:
    """The hash by which a later step knows its records: of the key as the stream's types have it."""
    if request.kind is PurgeKind.IDENTIFIER:
        return key.hash(request.kind, request.text)
    kinds = {column.field: column.type.kind for column in stream.layout.columns}
    parts: dict[str, str] = {}
    for name, written in request.key.items():
        kind = kinds.get(name, Kind.TEXT)
        parts[name] = written if kind is Kind.JSON else canonical(typed(written, kind)) or written
    return key.hash(request.kind, key_text(parts))


def _audit_row(
    request: PurgeRequest,
    streams: Iterable[StoredStream],
    findings: Iterable[Finding],
    at: datetime,
    key: HashKey,
) -> tuple[Any, ...]:
    values: dict[str, Any] = {
        "id": request.id,
        "requested_at": at,
        "connection": request.connection,
        "streams": json.dumps([stream.name for stream in streams], ensure_ascii=False),
        "kind": str(request.kind),
        "keyed_hash": key.hash(request.kind, request.text),
        "key_id": key.id,
        "fields": json.dumps(list(request.fields), ensure_ascii=False),
        "ignores_case": request.ignore_case,
        "reason": request.reason,
        "requested_by": request.requested_by,
        "counts": json.dumps([asdict(finding) for finding in findings], ensure_ascii=False),
        "is_suppressed": request.is_suppressed,
        "lifted_at": None,
        "lifted_by": None,
    }
    return tuple(values[name] for name in PURGES.names)


def _purge(row: dict[str, Any]) -> Purge:
    return Purge(
        id=row["id"],
        requested_at=instant(row["requested_at"]),
        connection=row["connection"],
        streams=tuple(parsed(row["streams"])),
        kind=PurgeKind(row["kind"]),
        keyed_hash=row["keyed_hash"],
        reason=row["reason"],
        requested_by=row["requested_by"],
        counts=tuple(Finding(**finding) for finding in parsed(row["counts"])),
        is_suppressed=row["is_suppressed"],
        lifted_at=instant(row["lifted_at"]),
        lifted_by=row["lifted_by"],
    )
