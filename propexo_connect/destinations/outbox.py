"""The outbox: events of records, written in the transaction of the records, and those of a whole sync.

The statements for records are set-based, one for each event that somebody wants of the stream. They read the
verdicts as `merge.py` makes them, before the table is written, since an update tells what was there before.
"""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from propexo_connect.destinations.arrow import HASH, ROW
from propexo_connect.destinations.base import Step
from propexo_connect.destinations.content import changed_text, key_text, record_text
from propexo_connect.destinations.dialect import Link
from propexo_connect.destinations.identifiers import listed, quote
from propexo_connect.destinations.merge import CHANGED, NEW, Merge
from propexo_connect.destinations.state import DELIVERIES, DELIVERY_LOG, LAST_NUMBER, OUTBOX, insert
from propexo_connect.model.event import ID_LENGTH, ID_PREFIX, Event, Notice

KEEP_DELIVERED = timedelta(days=30)
"""How long an event stays that every endpoint has got."""

KEEP_DEAD = timedelta(days=90)
"""How long an event stays that some endpoint was never to get, so that it can be replayed."""

_RECORD_COLUMNS = (
    "id",
    "connection",
    "stream",
    "event",
    "key",
    "occurred_at",
    "sync_id",
    "endpoints",
    "payload",
)
_VERDICTS = {Event.DATA_NEW: NEW, Event.DATA_UPDATE: CHANGED}


def wanting(step: Step, event: Event) -> tuple[str, ...]:
    """The endpoints that want an event of the records of a step, each once."""
    if not step.plan.subscriptions:
        return ()
    is_of_old_records = not step.window.reading.moves_watermark
    is_old = is_of_old_records or (step.is_first_full and event is Event.DATA_NEW)
    names = {
        subscription.endpoint
        for subscription in step.plan.subscriptions
        if subscription.wants(event, is_first=step.is_first and not is_of_old_records, is_old=is_old)
    }
    return tuple(sorted(names))


def write_record_events(link: Link, step: Step, merge: Merge, event: Event) -> int:
    """Write an event for each record of its verdict; how many. The stream must be locked."""
    plan, window = step.plan, step.window
    number = (link.rows(LAST_NUMBER, (plan.connection, plan.stream.name))[0][0] or 0) + 1
    told = {
        "connection": plan.connection,
        "stream": plan.stream.name,
        "table": str(plan.table),
        "reading": str(window.reading),
        "sync_id": window.sync_id,
    }
    parameters = (
        _opened([plan.connection, plan.stream.name, number, str(event)]),
        plan.connection,
        plan.stream.name,
        str(event),
        window.sync_id,
        json.dumps(wanting(step, event)),
        _opened(told),
    )
    return link.run(record_events(merge, event), parameters)


def record_events(merge: Merge, event: Event) -> str:
    """The statement that writes an event for each record of its verdict, before the merge.

    `$1`: what the id is made of but the key, `$2` to `$5`: connection, stream, event and sync, `$6`: the
    endpoints, `$7`: what the payload begins with. An id is the same on every destination.
    """
    dialect, columns = merge.dialect, merge.layout.columns
    key = key_text(dialect, merge.layout, "s") if merge.layout.key else "cast(null as text)"
    identity = key if merge.layout.key else f"s.{quote(HASH)}"
    digest = dialect.sha256(f"cast($1 as text) || ',' || {identity} || ']'")
    if event is Event.DATA_NEW:
        content = f"""',"record":' || {record_text(dialect, columns, "s")}"""
        table = ""
    else:
        before, after = changed_text(dialect, columns, "t"), changed_text(dialect, columns, "s")
        content = f"""',"diff":{{"previous":' || {before} || ',"new":' || {after} || '}}'"""
        table = f"join {merge.table} t on t.{dialect.address} = v.place"
    payload = f"""cast($7 as text) || ',"key":' || coalesce({key}, 'null') || {content} || '}}'"""
    return f"""
insert into {OUTBOX.sql} ({listed(_RECORD_COLUMNS)})
select '{ID_PREFIX}' || substr({digest}, 1, {ID_LENGTH}), cast($2 as text), cast($3 as text),
  cast($4 as text), {key}, v.read_at, cast($5 as text), {dialect.as_json("cast($6 as text)")},
  {dialect.as_json(payload)}
from {merge.verdicts} v join {merge.stage} s on s.{quote(ROW)} = v.{quote("row")} {table}
where v.verdict = {_VERDICTS[event]}"""


def write_notices(link: Link, notices: Sequence[Notice]) -> None:
    """Write events of a whole sync; one that stands there already is left as it is."""
    for notice in notices:
        row = (
            notice.id,
            notice.connection,
            notice.stream,
            str(notice.event),
            None,
            notice.occurred_at,
            notice.sync_id,
            json.dumps(notice.endpoints),
            json.dumps(notice.payload, ensure_ascii=False),
        )
        link.run(f"{insert(OUTBOX)} on conflict ({quote('id')}) do nothing", row)


def prune(link: Link, now: datetime) -> int:
    """Drop events that every endpoint has had for long, with their deliveries; how many.

    What still waits for an endpoint stays, however old it is.
    """
    pruned = link.run(_prunable(link), (now - KEEP_DELIVERED, now - KEEP_DEAD))
    if pruned:
        for given in (DELIVERIES, DELIVERY_LOG):
            gone = f"not exists (select 1 from {OUTBOX.sql} o where o.id = d.event_id)"
            link.run(f"delete from {given.sql} as d where {gone}")
    return pruned


def _prunable(link: Link) -> str:
    """The statement that drops settled events; `$1`, `$2`: since when all are delivered, or some dead."""
    return f"""
delete from {OUTBOX.sql} as o using (
  select d.event_id, count(*) as settled, max(case when d.state = 'dead' then 1 else 0 end) as is_dead,
    max(coalesce(d.delivered_at, d.created_at)) as since
  from {DELIVERIES.sql} d
  where not exists (
    select 1 from {DELIVERIES.sql} l
    where l.event_id = d.event_id and l.endpoint = d.endpoint and l.number > d.number)
  group by d.event_id
  having max(case when d.state = 'pending' then 1 else 0 end) = 0
) s
where s.event_id = o.id and s.settled >= {link.dialect.json_length(f"o.{quote('endpoints')}")}
  and ((s.is_dead = 0 and s.since < $1) or (s.is_dead = 1 and s.since < $2))"""


def _opened(value: object) -> str:
    """A JSON list or object without its end."""
    return json.dumps(value, ensure_ascii=False)[:-1]
