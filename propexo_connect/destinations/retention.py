"""How a history is shortened: versions that ended before an instant leave it, open ones never."""

from datetime import datetime

from propexo_connect.destinations.dialect import Link
from propexo_connect.destinations.identifiers import qualified
from propexo_connect.destinations.state import OF_STREAM, STREAMS, WINDOWS, select
from propexo_connect.model.stream import StreamPlan


def prune(link: Link, plan: StreamPlan, before: datetime) -> int:
    """Delete the versions that ended before an instant; how many there were.

    The stream's row is held meanwhile, so that no commit to it closes versions at the same time.
    """
    of_stream = (plan.connection, plan.stream.name)
    found = link.rows(select(STREAMS, ("has_history",)) + link.dialect.lock_stream, of_stream)
    if not found or not found[0][0]:
        return 0
    table = qualified(plan.table.beside("history"))
    return link.run(f"delete from {table} where valid_to < cast($1 as timestamptz)", (before,))


def was_synced_since(link: Link, plan: StreamPlan, since: datetime, sync_id: str) -> bool:
    """Whether another sync than this one has stored anything of the stream since then."""
    of_sync = (plan.connection, plan.stream.name, since, sync_id)
    condition = f"where {OF_STREAM} and finished_at >= cast($3 as timestamptz) and sync_id <> $4"
    return bool(link.rows(f"select 1 from {WINDOWS.sql} {condition} limit 1", of_sync))
