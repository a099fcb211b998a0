"""When a sync shortens a history, and what becomes of a failure."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import cast

from propexo_connect.destinations.base import Session
from propexo_connect.model.errors import DestinationBusy
from propexo_connect.model.stream import StreamPlan
from propexo_connect.sync.history import shorten_history
from propexo_connect_tests.destinations.kit import NOON, units_plan

PLAN = units_plan(history=True, history_for=timedelta(days=2))


@dataclass
class Pruning:
    """A session that takes note of what it is asked."""

    is_first: bool = True
    is_busy: bool = False
    asked: list[datetime] = field(default_factory=list[datetime])

    def was_synced_since(self, plan: StreamPlan, since: datetime, sync_id: str) -> bool:
        del plan, sync_id
        assert since == NOON - timedelta(hours=12)
        return not self.is_first

    def prune_history(self, plan: StreamPlan, before: datetime) -> int:
        del plan
        if self.is_busy:
            raise DestinationBusy("the table is locked")
        self.asked.append(before)
        return 3


def lines_of(session: Pruning, plan: StreamPlan = PLAN, at: datetime = NOON) -> list[str]:
    """What is logged."""
    lines: list[str] = []
    shorten_history(cast(Session, session), plan, "sync-1", at, lines.append)
    return lines


def test_the_first_sync_of_a_day_prunes_what_ended_before_the_horizon() -> None:
    session = Pruning()
    assert lines_of(session) == ["units: 3 versions left the history"]
    assert session.asked == [NOON - timedelta(days=2)]


def test_later_syncs_of_the_day_do_not() -> None:
    session = Pruning(is_first=False)
    assert lines_of(session) == []
    assert session.asked == []


def test_without_a_bound_nothing_is_pruned() -> None:
    session = Pruning()
    assert lines_of(session, units_plan(history=True)) == []
    assert session.asked == []


def test_a_failure_is_logged_and_raises_nothing() -> None:
    assert "could not be shortened" in lines_of(Pruning(is_busy=True))[0]
