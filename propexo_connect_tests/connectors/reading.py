"""A connector opened on its simulator, with a sync to read in; for the tests of every vendor."""

import json
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from propexo_connect.connectors.api import ApiConnector
from propexo_connect.connectors.base import JsonPage, Source
from propexo_connect.model.stream import Stream
from propexo_connect.model.tile import WHOLE, Request, Tile, widen
from propexo_connect.simulators.kit import Simulator
from propexo_connect.simulators.population import Population
from propexo_connect.simulators.simulation import Simulation
from propexo_connect_tests.http.doubles import ManualClock, Sync


class Reader:
    """What one opened source brings."""

    def __init__(
        self, connector: ApiConnector, config: Any, source: Source, sync: Sync, simulator: Simulator
    ) -> None:
        self.connector = connector
        self.config = config
        self.source = source
        self.sync = sync
        self.simulator = simulator

    def stream(self, name: str) -> Stream:
        found = self.connector.stream(self.config, name)
        assert found is not None, name
        return found

    def pages(
        self,
        name: str,
        request: Request = WHOLE,
        fields: frozenset[str] | None = None,
        position: str | None = None,
    ) -> Generator[JsonPage]:
        for page in self.source.read(self.stream(name), request, fields, position, self.sync.context):
            assert isinstance(page, JsonPage)
            yield page

    def records(self, name: str, request: Request = WHOLE) -> list[Any]:
        return [record for page in self.pages(name, request) for record in unwrapped(page)]

    def tile(self, name: str, tile: Tile) -> list[Any]:
        """The records of a tile, asked for as the engine would."""
        given = self.stream(name).filter
        return self.records(name, WHOLE if given is None else widen(tile, given))

    def keys(self, name: str, request: Request = WHOLE) -> list[tuple[str, ...]]:
        """The keys of the records, as text, sorted."""
        return sorted(key_of(self.stream(name), record) for record in self.records(name, request))


def key_of(stream: Stream, record: Any) -> tuple[str, ...]:
    """The key of a record, as text."""
    return tuple(str(inside(record, name)) for name in stream.key)


def inside(record: Any, name: str) -> Any:
    """A field by its dotted name."""
    for step in name.split("."):
        record = None if record is None else record.get(step)
    return record


def unwrapped(page: JsonPage) -> list[Any]:
    """The records of a page as objects."""
    elements = json.loads(page.records)
    return [element[page.unwrap] for element in elements] if page.unwrap else elements


@contextmanager
def reading(
    connector: ApiConnector,
    simulation: Simulation,
    *,
    population: Population | None = None,
    clock: ManualClock | None = None,
    **settings: Any,
) -> Generator[Reader]:
    """The connector on its simulator; filters are not proven unless `prove_filters` is set."""
    clock = clock or ManualClock()
    with simulation.simulator(clock, population=population) as simulator:
        given = {"prove_filters": False, **simulation.source(simulator.url), **settings}
        config = connector.config.model_validate(given)
        with connector.open(config, clock) as source:
            yield Reader(connector, config, source, Sync(clock), simulator)


def every_record_once(reader: Reader, name: str, key: str = "Id") -> None:
    """Assert that a whole read brings each record of the simulator exactly once."""
    truth = reader.simulator.truth(name)
    found = [str(record[key]) for record in reader.records(name)]
    assert sorted(found) == sorted(str(one) for one in truth), name
