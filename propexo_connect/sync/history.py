"""How long a stream's history reaches back: shortened by the first sync of each day (UTC)."""

from collections.abc import Callable
from datetime import UTC, datetime, time

from propexo_connect.destinations.base import Session
from propexo_connect.model.errors import ConnectError
from propexo_connect.model.stream import StreamPlan


def shorten_history(
    session: Session, plan: StreamPlan, sync_id: str, started_at: datetime, log: Callable[[str], None]
) -> None:
    """Delete the versions that ended longer ago than the plan keeps them; what hinders it is only logged."""
    if not plan.history or plan.history_for is None:
        return
    today = datetime.combine(started_at.astimezone(UTC).date(), time(), UTC)
    try:
        if session.was_synced_since(plan, today, sync_id):
            return
        pruned = session.prune_history(plan, started_at - plan.history_for)
    except OverflowError:  # longer ago than there are dates
        return
    except ConnectError as error:
        log(f"{plan.stream.name}: the history could not be shortened: {error}")
        return
    if pruned:
        log(f"{plan.stream.name}: {pruned} versions left the history")
