"""Streams that are read through parents: one failing parent holds back nobody but itself."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from propexo_connect.connectors.base import JsonPage, Page, ReadContext
from propexo_connect.model.errors import PartlyRead, RateLimited, TerminalError
from propexo_connect.model.ledger import Part
from propexo_connect.model.stream import Stream
from propexo_connect.model.tile import Request
from propexo_connect_tests.sync.pages import plan_of
from propexo_connect_tests.sync.scripted import Bench, ScriptedSource, units

UNITS = plan_of({"id": "integer"})
FAILED = Part("120", problem="answered 500", is_passing=True)
FORBIDDEN = Part("120", problem="answered 403")


@dataclass
class Parental(ScriptedSource):
    """Remembers which parents it was told to leave out."""

    left_out: list[frozenset[str]] = field(default_factory=list[frozenset[str]])

    def read(
        self,
        stream: Stream,
        request: Request,
        fields: frozenset[str] | None,
        position: str | None,
        context: ReadContext,
    ) -> Iterator[Page]:
        self.left_out.append(context.done)
        return super().read(stream, request, fields, position, context)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, Parental())


def ended(page: JsonPage, part: Part) -> JsonPage:
    return replace(page, part=part)


def parts_of(bench: Bench) -> list[tuple[object, ...]]:
    return bench.rows(
        "select number, parent, is_complete, is_skipped, problem from _propexo.window_parts order by 1, 2"
    )


def test_every_parent_is_written_down_with_the_records_it_brought(bench: Bench) -> None:
    """In the same row's number as the window that stored them."""
    gone = Part("122", problem="answered 404", is_skipped=True)
    served = [ended(units(1), Part("120", 1, 1)), ended(units(2), Part("121", 1, 1)), ended(units(), gone)]
    bench.source.will_serve("units", [*served])
    result = bench.sync(UNITS)["units"]
    assert result.is_ok
    assert parts_of(bench) == [
        (1, "120", True, False, None),
        (1, "121", True, False, None),
        (1, "122", False, True, "answered 404"),
    ]


def test_a_failing_parent_leaves_the_tile_open_and_the_others_stored(bench: Bench) -> None:
    for _ in range(3):
        bench.source.will_serve("units", [ended(units(1), Part("121")), ended(units(), FAILED)])
    result = bench.sync(UNITS)["units"]
    assert isinstance(result.error, PartlyRead)
    assert "1 of its parents could not be read (120): answered 500" in str(result.error)
    assert bench.rows("select id from elm.units") == [(1,)]
    assert {complete for (complete,) in bench.rows("select is_complete from _propexo.windows")} == {False}


def test_only_what_failed_is_read_again_within_a_sync(bench: Bench) -> None:
    bench.source.will_serve(
        "units",
        [ended(units(1), Part("121")), ended(units(), FAILED)],
        [ended(units(2), Part("120"))],
    )
    assert isinstance(bench.source, Parental)
    result = bench.sync(UNITS)["units"]
    assert result.is_ok
    assert bench.source.left_out == [frozenset(), frozenset({"121"})]
    assert bench.rows("select is_complete from _propexo.windows order by number") == [(False,), (True,)]
    assert sorted(bench.rows("select id from elm.units")) == [(1,), (2,)]


def test_a_parent_that_is_refused_for_good_is_not_tried_again(bench: Bench) -> None:
    bench.source.will_serve("units", [ended(units(1), Part("121")), ended(units(), FORBIDDEN)])
    result = bench.sync(UNITS)["units"]
    assert isinstance(result.error, TerminalError)
    assert result.attempts == 1


def test_parents_read_before_a_failure_of_all_are_kept(bench: Bench) -> None:
    bench.source.will_serve(
        "units",
        [ended(units(1), Part("121")), RateLimited("answered 429")],
        [ended(units(2), Part("120"))],
    )
    assert isinstance(bench.source, Parental)
    assert bench.sync(UNITS)["units"].is_ok
    assert bench.source.left_out[1] == frozenset({"121"})
