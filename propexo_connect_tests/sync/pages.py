"""Records as pages, plans and clocks for tests of the engine."""

import json
from datetime import UTC, datetime, timedelta

from propexo_connect.connectors.base import JsonPage
from propexo_connect.model.field import Field, FieldType
from propexo_connect.model.stream import Drift, Filter, Mode, Stream, StreamPlan, Table
from propexo_connect.sync.decode import Decoded, Decoder
from propexo_connect.sync.spool import Spool

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


class HandClock:
    """A clock that a test moves; sleeping moves it on."""

    def __init__(self, now: datetime = NOON) -> None:
        self.instant = now
        self.seconds = 0.0

    def now(self) -> datetime:
        return self.instant

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        # Seconds are added as they are: a wait below a microsecond must still come to its end.
        self.seconds += seconds
        self.instant += timedelta(seconds=seconds)

    def move(self, by: timedelta) -> None:
        self.sleep(by.total_seconds())


def page(*records: object, minutes: int = 0, unwrap: str | None = None, text: str | None = None) -> JsonPage:
    """A page read some minutes after noon; `text` gives the array exactly as the vendor wrote it."""
    body = text if text is not None else json.dumps(records)
    return JsonPage(body.encode("utf-8", "surrogatepass"), NOON + timedelta(minutes=minutes), unwrap)


def plan_of(
    fields: dict[str, str] | None = None,
    *,
    key: tuple[str, ...] = ("id",),
    cursor: str | None = None,
    drift: Drift = Drift.EVOLVE,
    mode: Mode = Mode.MERGE,
    selected: frozenset[str] | None = None,
    given: Filter | None = None,
) -> StreamPlan:
    """A plan whose stream declares the fields named."""
    declared = tuple(Field(name, FieldType.parse(kind)) for name, kind in (fields or {}).items())
    stream = Stream("units", key=key, fields=declared, cursor=cursor, filter=given)
    return StreamPlan("elm", stream, Table("elm", "units"), drift=drift, mode=mode, selected=selected)


def decode(plan: StreamPlan, *pages: JsonPage, after: Decoded | None = None) -> Decoded:
    """The pages as one step, after an earlier one where a test has one."""
    spool = Spool(plan.where)
    decoder = Decoder()
    try:
        for each in pages:
            spool.add(each)
        stored = after.layout if after else None
        return decoder.decode([decoder.begin(spool, plan, stored)], plan, stored)
    finally:
        spool.close()
        decoder.close()
