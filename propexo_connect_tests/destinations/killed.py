"""Scenes in which a commit dies, played by the test and by a process of its own."""

import multiprocessing
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from propexo_connect.destinations import DESTINATIONS, failpoints
from propexo_connect.destinations.base import Session
from propexo_connect.model.event import Event, Subscription
from propexo_connect.model.field import INTEGER, TEXT
from propexo_connect.model.layout import Change, Column
from propexo_connect.model.ledger import Part, Reading
from propexo_connect.model.stream import Mode, StreamPlan, Table
from propexo_connect_tests.destinations.kit import HOUR, NOON, UNITS, Sync, stored_layout, unit, units_plan

Look = tuple[list[tuple[Any, ...]], int, int, int, int, int]
"""Rows of the table; how many of the history, rejected, gathered; of the ledger; and events."""

SCENES = ("first", "merge", "ended", "gather", "swap", "sweep")

_GATHERING = (
    "gathered table made",
    "records gathered",
)
_SWAPPING = ("leftovers discarded", "gone deleted", "gathered table dropped")
_FIRST = (
    "stream registered",
    "table made",
    "history table made",
    "baseline written",
    "as of made",
    "index made",
)

WIDER = UNITS.with_columns(
    (Column("id", "id", TEXT, is_declared=False), Column("extra", "extra", INTEGER, is_declared=False))
)
KEYS = replace(UNITS, columns=UNITS.columns[:1])
REJECTED = [{"read_at": NOON, "reason": "no key", "record": "{}"}]


FOREIGN = {"duckdb": {"content staged", "changed updated"}, "postgres": {"changed deleted"}}
"""The failpoints that lie behind statements of the other destination."""


def scene_of(failpoint: str) -> str:
    """The scene that passes a failpoint."""
    if failpoint in _GATHERING:
        return "gather"
    if failpoint in _SWAPPING:
        return "swap"
    if failpoint == "history ended":
        return "ended"
    if failpoint == "sighted stamped":
        return "sweep"
    return "first" if failpoint in _FIRST else "merge"


def plan_of(scene: str) -> StreamPlan:
    """The stream of a scene; each has its own."""
    mode = Mode.OVERWRITE if scene in {"gather", "swap"} else Mode.MERGE
    told = (Subscription("crm", (Event.DATA_NEW, Event.DATA_UPDATE)),) if scene == "merge" else ()
    plan = units_plan(mode=mode, history=True, table=Table("pms", scene), subscriptions=told)
    return replace(plan, stream=replace(plan.stream, name=scene))


def prepare(session: Session, scene: str) -> None:
    """What was there before."""
    plan = plan_of(scene)
    reading = Reading.FULL if plan.mode is Mode.OVERWRITE else Reading.RECURRING
    if scene == "first":
        return
    sync = Sync(session, plan, reading=reading)
    sync.commit([unit(1, "same"), unit(2, "before"), unit(3, "gone")], is_first=True)
    if scene == "swap":
        Sync(session, plan, NOON + HOUR, "sync-2", reading=reading).commit(
            [unit(4, "new", 1)], is_complete=False
        )


def play(session: Session, scene: str) -> None:
    """The step that dies."""
    plan = plan_of(scene)
    reading = Reading.FULL if plan.mode is Mode.OVERWRITE else Reading.RECURRING
    if scene == "sweep":
        keys = Sync(session, plan, NOON + HOUR, "sync-2", layout=KEYS, reading=Reading.SWEEP)
        keys.commit([unit(1, ""), unit(4, "")], rejected=REJECTED)
        return
    sync = Sync(session, plan, NOON + HOUR, "sync-2", reading=reading)
    records = [unit(1, "same"), unit(2, "after", 1), unit(4, "new", 1)]
    if scene == "first":
        sync.commit(records, rejected=REJECTED)
    elif scene == "merge":
        stored = stored_layout(session, plan)
        sync.layout = WIDER
        texts = [{**record, "id": str(record["id"])} for record in records]
        drift = () if stored == WIDER else (Change("added", "extra", "extra", None, "integer"),)
        sync.commit(texts, rejected=REJECTED, drift=drift, parts=[Part("elm", 1, 3)])
    elif scene == "ended":
        sync.plan = replace(plan, history=False)
        sync.commit(records, rejected=REJECTED)
    elif scene == "gather":
        sync.commit(records, is_complete=False, rejected=REJECTED)
    else:
        # Also when the swap was committed already: the whole is read again then.
        left = records[:2] if len(session.windows(plan)) == 2 else records
        sync.commit(left, rejected=REJECTED)


def look(ask: Callable[[str], list[tuple[Any, ...]]], scene: str) -> Look:
    """What is stored, in short."""

    def count(table: str, condition: str = "true") -> int:
        try:
            return ask(f"select count(*) from {table} where {condition}")[0][0]
        except Exception as error:  # noqa: BLE001 - the drivers' errors have no common root
            assert "exist" in str(error)  # noqa: PT017 - a missing table counts as none
            return 0

    tables = {
        row[0] for row in ask("select table_name from information_schema.tables where table_schema = 'pms'")
    }
    shown = "case when last_seen > first_seen then 'seen' else name end" if scene == "sweep" else "name"
    rows = ask(f"select cast(id as text), {shown} from pms.{scene} order by 1") if scene in tables else []
    gathered = ask("select table_name from information_schema.tables where table_name like 'gathered%'")
    return (
        rows,
        count(f"pms.{scene}__history"),
        count("_propexo.rejected_records"),
        sum(count(f"_propexo.{row[0]}") for row in gathered),
        count("_propexo.windows"),
        count("_propexo.outbox"),
    )


def expected(scene: str) -> tuple[Look, Look]:
    """What is stored before and after the step."""
    old = [("1", "same"), ("2", "before"), ("3", "gone")]
    new = [("1", "same"), ("2", "after"), ("4", "new")]
    match scene:
        case "first":
            return ([], 0, 0, 0, 0, 0), (new, 3, 1, 0, 1, 0)
        case "merge":
            merged = [("1", "same"), ("2", "after"), ("3", "gone"), ("4", "new")]
            return (old, 3, 0, 0, 1, 0), (merged, 5, 1, 0, 2, 2)
        case "ended":
            merged = [("1", "same"), ("2", "after"), ("3", "gone"), ("4", "new")]
            return (old, 3, 0, 0, 1, 0), (merged, 3, 1, 0, 2, 0)
        case "gather":
            return (old, 3, 0, 0, 1, 0), (old, 3, 1, 3, 2, 0)
        case "sweep":
            return (old, 3, 0, 0, 1, 0), ([("1", "seen"), *old[1:]], 3, 1, 0, 2, 0)
        case _:
            return (old, 3, 0, 1, 2, 0), (new, 5, 1, 0, 3, 0)


def again(after: Look) -> Look:
    """What is stored when a step that was committed is read once more: only what tells of that reading."""
    rows, history, rejected, gathered, windows, events = after
    return rows, history, rejected + 1, gathered, windows + 1, events


def die(name: str, settings: dict[str, str], scene: str, failpoint: str) -> None:
    """Prepare, arm, play; the process does not return from it."""
    kind = DESTINATIONS[name]
    with kind.configure(kind.config.model_validate(settings)).open() as session:
        prepare(session, scene)
        os.environ[failpoints.VARIABLE] = failpoint
        play(session, scene)


FORKS = multiprocessing.get_context("forkserver")
"""One interpreter imports everything once; each process that is to die is a fork of it."""
FORKS.set_forkserver_preload(
    [
        __name__,
        "propexo_connect.destinations.duckdb.writer",
        "propexo_connect.destinations.postgres.writer",
    ]
)
