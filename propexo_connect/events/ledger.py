"""What the outbox tells people: how deliveries stand, what was tried, and what is to be sent again."""

from dataclasses import dataclass
from datetime import UTC, datetime

from propexo_connect.destinations.dialect import Link
from propexo_connect.destinations.identifiers import listed
from propexo_connect.destinations.state import DELIVERIES, DELIVERY_LOG, OUTBOX
from propexo_connect.events.due import PENDING
from propexo_connect.events.outcome import Verdict

_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class EndpointCounts:
    """How the deliveries to one endpoint stand; the problem is that of the latest attempt that had one."""

    endpoint: str
    pending: int
    delivered: int
    dead: int
    next_at: datetime | None
    last_delivered_at: datetime | None
    last_problem: str | None
    last_problem_at: datetime | None

    def __add__(self, other: "EndpointCounts") -> "EndpointCounts":
        """The same endpoint in two outboxes."""
        latest = max(self, other, key=lambda one: one.last_problem_at or _NEVER)
        return EndpointCounts(
            self.endpoint,
            self.pending + other.pending,
            self.delivered + other.delivered,
            self.dead + other.dead,
            min(filter(None, (self.next_at, other.next_at)), default=None),
            max(filter(None, (self.last_delivered_at, other.last_delivered_at)), default=None),
            latest.last_problem,
            latest.last_problem_at,
        )


@dataclass(frozen=True, slots=True)
class LoggedAttempt:
    """One line of the log, with what the event was about."""

    tried_at: datetime
    endpoint: str
    event: str
    connection: str
    stream: str | None
    event_id: str
    number: int
    attempt: int
    status: int | None
    duration_ms: int
    problem: str | None


@dataclass(frozen=True, slots=True)
class Again:
    """Which deliveries are to be made again: all conditions that are given hold at once.

    Args:
        event_id: one event. since, until: events that occurred from the one instant on, before the other.
        dead: only those that were given up.
    """

    event_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    endpoint: str | None = None
    dead: bool = False


_LATEST = (
    f"select * from (select d.*, row_number() over ("
    f"partition by d.event_id, d.endpoint order by d.number desc) as place from {DELIVERIES.sql} d) n "
    f"where n.place = 1"
)
"""How each event stands with each endpoint: given up, then replayed with success, is delivered."""


def counts(link: Link) -> list[EndpointCounts]:
    """How the deliveries stand, an endpoint each; call `expand` before, or new events are not counted."""
    rows = link.rows(
        f"select d.endpoint, "
        f"count(*) filter (where d.state = '{PENDING}'), "
        f"count(*) filter (where d.state = '{Verdict.DELIVERED}'), "
        f"count(*) filter (where d.state = '{Verdict.DEAD}'), "
        f"min(d.next_at) filter (where d.state = '{PENDING}'), max(d.delivered_at), "
        f"max(l.problem), max(l.tried_at) from ({_LATEST}) d left join ("
        f"select endpoint, problem, tried_at from ("
        f"select endpoint, problem, tried_at, row_number() over ("
        f"partition by endpoint order by tried_at desc, event_id) as place "
        f"from {DELIVERY_LOG.sql} where problem is not null) q where place = 1"
        f") l on l.endpoint = d.endpoint group by d.endpoint order by d.endpoint"
    )
    return [EndpointCounts(*row) for row in rows]


def logged(link: Link, endpoint: str | None, event_id: str | None, limit: int) -> list[LoggedAttempt]:
    """The latest attempts, newest first."""
    rows = link.rows(
        f"select l.tried_at, l.endpoint, o.event, o.connection, o.stream, l.event_id, l.number, l.attempt, "
        f"l.status, l.duration_ms, l.problem from {DELIVERY_LOG.sql} l "
        f"join {OUTBOX.sql} o on o.id = l.event_id "
        f"where (cast($1 as text) is null or l.endpoint = $1) "
        f"and (cast($2 as text) is null or l.event_id = $2) "
        f"order by l.tried_at desc, l.event_id, l.endpoint, l.attempt desc limit cast($3 as bigint)",
        (endpoint, event_id, limit),
    )
    return [LoggedAttempt(*row) for row in rows]


def replay(link: Link, again: Again, now: datetime) -> int:
    """Make the chosen deliveries once more, with the next number; how many.

    What is pending is passed over: it goes out anyway.
    """
    return link.run(
        f"insert into {DELIVERIES.sql} ({listed(DELIVERIES.names[:7])}) "
        f"select d.event_id, d.endpoint, d.number + 1, '{PENDING}', 0, "
        f"cast($6 as timestamptz), cast($6 as timestamptz) "
        f"from ({_LATEST}) d join {OUTBOX.sql} o on o.id = d.event_id "
        f"where (cast($1 as text) is null or o.id = $1) "
        f"and (cast($2 as timestamptz) is null or o.occurred_at >= $2) "
        f"and (cast($3 as timestamptz) is null or o.occurred_at < $3) "
        f"and (cast($4 as text) is null or d.endpoint = $4) "
        f"and (d.state = '{Verdict.DEAD}' or (d.state = '{Verdict.DELIVERED}' and not cast($5 as boolean)))",
        (again.event_id, again.since, again.until, again.endpoint, again.dead, now),
    )
