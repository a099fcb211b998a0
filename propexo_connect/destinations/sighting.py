"""How a sweep's keys reach the table: `last_seen` of the rows that they name moves, and nothing else.

A key that the table does not hold is counted as superseded: its content is the recurring sync's to bring.
"""

from dataclasses import replace

from propexo_connect.destinations import merge as sql
from propexo_connect.destinations.arrow import ROW, conform, numbered, schema_of
from propexo_connect.destinations.base import Step
from propexo_connect.destinations.dialect import Link
from propexo_connect.destinations.recall import stored_layout
from propexo_connect.destinations.writing import (
    Failpoint,
    Writing,
    key_span,
    reach_verdicts,
    refuse_repeated,
)
from propexo_connect.model.counts import Counts
from propexo_connect.model.errors import Defect, DestinationBusy


def sight_keys(link: Link, step: Step, failpoint: Failpoint) -> Counts:
    """Stamp the rows of a step's keys; of a key with several versions the one that was read last.

    Raises:
        DestinationBusy: the type of the key has changed since the step was decoded.
    """
    stored = stored_layout(link, step.plan, lock=True)
    failpoint("stream locked")
    known = () if stored is None else stored.columns
    if any(column not in known for column in step.layout.columns):
        raise DestinationBusy(
            "the columns of the key have changed since these keys were read",
            where=step.plan.where,
            remedy="The step is read again.",
        )
    count = step.records.num_rows
    if not count:
        return Counts()
    records = numbered(conform(step.records, schema_of(step.layout), step.plan.where))
    writing = Writing(link, step, records, failpoint, is_fresh=False)
    merge = writing.merge
    refuse_repeated(records, merge)
    stage = link.stage("keys", records.select([*merge.identity, ROW]), step.layout, merge.identity)
    failpoint("records staged")
    merge, span = replace(merge, stage=stage), key_span(writing, merge)
    started_at = step.window.started_at
    verdicts = reach_verdicts(
        writing,
        merge,
        count,
        sql.sight(merge, is_ranged=span is not None),
        (started_at, *(span or ())),
        is_indexed=not merge.keeps_versions,
    )
    if verdicts.stamped:
        stamped = link.run(sql.stamp_sighted(merge), (started_at,))
        failpoint("sighted stamped")
        if stamped != verdicts.stamped:
            raise Defect(f"{stamped} of {verdicts.stamped} rows were stamped as seen", where=step.plan.where)
    return Counts(unchanged=verdicts.unchanged, superseded=verdicts.new)
