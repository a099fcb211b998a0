"""What a large table says of itself."""

from pathlib import Path

import duckdb

from propexo_connect_tests.destinations.conftest import configured
from propexo_connect_tests.destinations.kit import Sync, facts_of, take_fence, unit, units_plan

UNITS = units_plan()


def test_a_doubled_key_among_millions_is_found_within_as_many_syncs(tmp_path: Path) -> None:
    """Without an index each sync tells another part of the keys apart, so that memory stays flat."""
    path = str(tmp_path / "warehouse.duckdb")
    with configured("duckdb", {"path": path}).open() as session:
        Sync(session, UNITS).commit([unit(1, "a")])
        for first in (2, 1_500_000):
            with duckdb.connect(path) as other:
                other.execute(
                    "insert into pms.units select u.* replace (number as id) "
                    f"from pms.units u, range({first}, 1500001) r(number) where id = 1"
                )
        found: list[int] = []
        for _ in range(4):
            take_fence(session, UNITS, "recurring")
            found.append(facts_of(session, UNITS).duplicate_keys or 0)
    assert sorted(found[:2]) == [0, 1]
    assert found[2:] == found[:2]
