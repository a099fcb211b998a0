"""Deliveries in the destination's own tables: made out of the outbox, claimed, and noted; all by the set.

A claim moves `next_at` beyond the time that sending can take. So two deliverers never send one attempt at
once, and what a killed one had claimed comes due again by itself, under the same id.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from propexo_connect.destinations.dialect import Link
from propexo_connect.destinations.identifiers import listed
from propexo_connect.destinations.state import DELIVERIES, DELIVERY_LOG, OUTBOX
from propexo_connect.events.message import Message
from propexo_connect.events.outcome import Outcome, Verdict

PENDING = "pending"

Place = tuple[str, str, int]
"""Event, endpoint and number: what names a delivery."""


@dataclass(frozen=True, slots=True)
class Due:
    """A claimed delivery; `attempts` are those before this one."""

    message: Message
    endpoint: str
    number: int
    attempts: int

    @property
    def place(self) -> Place:
        """What names it."""
        return self.message.id, self.endpoint, self.number


@dataclass(frozen=True, slots=True)
class Tried:
    """One attempt that was made; `next_at` is when the next one is due, None when there is none."""

    due: Due
    outcome: Outcome
    tried_at: datetime
    duration_ms: int
    next_at: datetime | None

    @property
    def state(self) -> str:
        """What the delivery is from now on."""
        if self.outcome.verdict is Verdict.DELIVERED:
            return Verdict.DELIVERED
        return Verdict.DEAD if self.next_at is None else PENDING


def expand(link: Link, now: datetime) -> int:
    """Make a delivery of each endpoint that an event of the outbox names and that has none; how many."""
    return link.run(
        f"insert into {DELIVERIES.sql} ({listed(DELIVERIES.names[:7])}) "
        f"select w.id, w.endpoint, 0, '{PENDING}', 0, cast($1 as timestamptz), cast($1 as timestamptz) from ("
        f"select o.id, {link.dialect.each_text('o.endpoints')} as endpoint from {OUTBOX.sql} o) w "
        f"where not exists (select 1 from {DELIVERIES.sql} d "
        f"where d.event_id = w.id and d.endpoint = w.endpoint and d.number = 0) "
        f"on conflict do nothing",
        (now,),
    )


def next_due(link: Link, endpoints: Sequence[str]) -> datetime | None:
    """When the next delivery to one of the endpoints is due; None: none is waiting.

    Events that no delivery was made of yet are due since they occurred.
    """
    row = link.rows(
        f"select min(due_at) from ("
        f"select min(next_at) as due_at from {DELIVERIES.sql} "
        f"where state = '{PENDING}' and endpoint = any(cast($1 as text[])) union all "
        f"select min(w.occurred_at) from ("
        f"select o.id, o.occurred_at, {link.dialect.each_text('o.endpoints')} as endpoint from {OUTBOX.sql} o"
        f") w where w.endpoint = any(cast($1 as text[])) and not exists ("
        f"select 1 from {DELIVERIES.sql} d where d.event_id = w.id and d.endpoint = w.endpoint)) q",
        (list(endpoints),),
    )
    return row[0][0]


def claim(
    link: Link, endpoints: Sequence[str], now: datetime, until: datetime, each: int, most: int
) -> list[Due]:
    """Take deliveries that are due, for this deliverer alone until that instant; oldest events first.

    Args:
        each: how many for one endpoint at the most. most: how many in all.
    """
    # A second deliverer waits for the first one's transaction, looks at `next_at` again, and passes on.
    taken = link.rows(
        f"update {DELIVERIES.sql} as d set next_at = $3 from ("
        f"select event_id, endpoint, number from ("
        f"select w.event_id, w.endpoint, w.number, o.occurred_at, row_number() over ("
        f"partition by w.endpoint order by o.occurred_at, o.id, w.number) as place "
        f"from {DELIVERIES.sql} w join {OUTBOX.sql} o on o.id = w.event_id "
        f"where w.state = '{PENDING}' and w.next_at <= $2 and w.endpoint = any(cast($1 as text[]))"
        f") q where place <= cast($4 as bigint) order by place, occurred_at limit cast($5 as bigint)"
        f") c where d.event_id = c.event_id and d.endpoint = c.endpoint and d.number = c.number "
        f"and d.state = '{PENDING}' and d.next_at <= $2 "
        f"returning d.event_id, d.endpoint, d.number, d.attempts",
        (list(endpoints), now, until, each, most),
    )
    if not taken:
        return []
    events = link.rows(
        f"select id, event, occurred_at, cast(payload as text), connection, stream from {OUTBOX.sql} "
        f"where id = any(cast($1 as text[]))",
        (list({row[0] for row in taken}),),
    )
    messages = {row[0]: Message(*row) for row in events}
    found = [Due(messages[event], endpoint, number, tries) for event, endpoint, number, tries in taken]
    return sorted(found, key=lambda due: (due.message.occurred_at, due.message.id, due.number))


def note(link: Link, tried: Sequence[Tried]) -> None:
    """Write down what attempts came to: a line of the log each, and how their deliveries stand."""
    if not tried:
        return
    columns = (
        [one.due.message.id for one in tried],
        [one.due.endpoint for one in tried],
        [one.due.number for one in tried],
        [one.tried_at for one in tried],
        [one.outcome.status for one in tried],
        [one.duration_ms for one in tried],
        [one.outcome.problem for one in tried],
        [one.state for one in tried],
        [one.next_at for one in tried],
    )
    types = ("text", "text", "bigint", "timestamptz", "bigint", "bigint", "text", "text", "timestamptz")
    names = ("event_id", "endpoint", "number", "tried_at", "status", "ms", "problem", "state", "next_at")
    noted = ", ".join(
        f"unnest(cast(${place} as {kind}[])) as {name}"
        for place, (kind, name) in enumerate(zip(types, names, strict=True), 1)
    )
    same = "d.event_id = n.event_id and d.endpoint = n.endpoint and d.number = n.number"
    link.run(
        f"insert into {DELIVERY_LOG.sql} ({listed(DELIVERY_LOG.names)}) "
        f"select d.event_id, d.endpoint, d.number, d.attempts + 1, n.tried_at, n.status, n.ms, n.problem "
        f"from (select {noted}) n join {DELIVERIES.sql} d on {same}",
        columns,
    )
    # What somebody else has delivered meanwhile stays delivered.
    link.run(
        f"update {DELIVERIES.sql} as d set state = n.state, attempts = d.attempts + 1, next_at = n.next_at, "
        f"status = n.status, problem = n.problem, "
        f"delivered_at = case when n.state = '{Verdict.DELIVERED}' then n.tried_at end "
        f"from (select {noted}) n where {same} and d.state = '{PENDING}'",
        columns,
    )


def put_back(link: Link, places: Sequence[Place], due_at: datetime) -> None:
    """Let claimed deliveries that were not tried come due at that instant; no attempt is counted."""
    if not places:
        return
    link.run(
        f"update {DELIVERIES.sql} as d set next_at = $4 from ("
        f"select unnest(cast($1 as text[])) as event_id, unnest(cast($2 as text[])) as endpoint, "
        f"unnest(cast($3 as bigint[])) as number) n "
        f"where d.event_id = n.event_id and d.endpoint = n.endpoint and d.number = n.number "
        f"and d.state = '{PENDING}'",
        (
            [place[0] for place in places],
            [place[1] for place in places],
            [place[2] for place in places],
            due_at,
        ),
    )
