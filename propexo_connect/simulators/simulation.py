"""A simulator with its fictional records and the settings that a connection to it has."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from propexo_connect.model.clock import Clock
from propexo_connect.simulators.kit import LOOPBACK, Simulator
from propexo_connect.simulators.population import Population


@dataclass(frozen=True)
class Simulation:
    """What `propexo-connect simulate NAME` serves.

    Args:
        name: the connector's. serve: the simulator's class. population: by seed and instant.
        settings: what a connection writes under `source`, besides the address; all fictional.
        path: of the API below the simulator's address. addresses: further settings that hold an address, with
            their paths.
    """

    name: str
    serve: Callable[..., Simulator]
    population: Callable[[int, datetime], Population]
    settings: Mapping[str, object] = field(default_factory=dict[str, object], repr=False)
    path: str = ""
    addresses: Mapping[str, str] = field(default_factory=dict[str, str])

    def simulator(
        self,
        clock: Clock,
        *,
        seed: int = 7,
        host: str = LOOPBACK,
        port: int = 0,
        population: Population | None = None,
    ) -> Simulator:
        """The simulator, not started yet."""
        held = population or self.population(seed, clock.now())
        return self.serve(held, clock=clock, host=host, port=port)

    def source(self, url: str) -> dict[str, object]:
        """The settings of a connection to the simulator at an address."""
        found = {name: f"{url}{path}" for name, path in self.addresses.items()}
        return {"url": f"{url}{self.path}", "allow_private_addresses": True, **found, **self.settings}
