"""What the judge and the views make of the same ledger."""

import random

from propexo_connect.absence.reads import Sighting, why_not
from propexo_connect.model.ledger import Reading
from propexo_connect.model.stream import Filter, FilterDeclaration, FilterKind, Meaning
from propexo_connect.model.tile import Tile
from propexo_connect_tests.destinations.kit import HOUR, NOON, Bench, unit
from propexo_connect_tests.destinations.test_absence import DAY, filtered


def test_the_judge_counts_the_reads_that_the_view_counts(bench: Bench) -> None:
    chance = random.Random(7)
    hides = (FilterDeclaration(FilterKind.IMPLICIT, "updatedAt", 2 * DAY),)
    plan = filtered(Filter("updatedAt", Meaning.CREATED), *hides)
    records = [unit(number, "a", -chance.randrange(80)) for number in range(20)]
    for hours in range(0, 24, 2):
        reading = Reading.FULL if hours % 6 == 0 else Reading.RECURRING
        tile = Tile(NOON + (hours - 20) * HOUR, NOON + hours * HOUR)
        returned = records if hours == 0 else chance.sample(records, 2)
        is_complete = chance.random() < 0.8
        bench.sync(plan, hours, reading=reading).commit(returned, tile=tile, is_complete=is_complete)
    ledger = bench.session.windows(plan)
    rows = bench.query(
        "select v.id, v.last_seen, t._propexo_read_at, t.updated_at, v.covered_absences "
        "from pms.units__absence v join pms.units t on t.id = v.id"
    )
    judged = {
        key: sum(
            why_not(one, Sighting(seen, read_at, {"updatedAt": at}), ledger, hides) is None for one in ledger
        )
        for key, seen, read_at, at, _ in rows
    }
    assert judged == {row[0]: row[4] for row in rows}
    assert len(set(judged.values())) > 2
