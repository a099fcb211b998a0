"""`propexo-connect simulate NAME`: a vendor's stand-in with fictional records, so that anybody can try it."""

import importlib
import json
import re
import signal
import threading
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
import yaml

import propexo_connect.simulators
from propexo_connect.connection.problem import close
from propexo_connect.connection.secret import is_secret
from propexo_connect.connectors.catalogue import CONNECTORS
from propexo_connect.model.clock import SystemClock
from propexo_connect.model.errors import UnknownName
from propexo_connect.simulators.simulation import Simulation

_OFFERS = re.compile(r"^simulation\b[^=\n]*=", re.MULTILINE)


def simulate(
    name: Annotated[str, typer.Argument(help="The connector whose vendor is simulated.")] = "",
    port: Annotated[int, typer.Option(help="Where to listen; 0 takes a free one.")] = 0,
    seed: Annotated[int, typer.Option(help="Another seed, other records.")] = 7,
    latency_ms: Annotated[float, typer.Option(help="Added to each answer.")] = 0.0,
) -> None:
    """Serve a vendor's API on this machine until interrupted, and print how to connect to it."""
    if not name:
        typer.echo("Simulators: " + ", ".join(simulations()))
        return
    simulation = simulation_of(name)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with simulation.simulator(SystemClock(), seed=seed, port=port) as simulator:
        simulator.latency = timedelta(milliseconds=latency_ms)
        typer.echo(f"{name} is simulated at {simulator.url}; all records are fictional.")
        typer.echo(connection_text(simulation, simulator.url))
        stop.wait()


def connection_text(simulation: Simulation, url: str) -> str:
    """A connection file for the simulator, and the variables that it refers to."""
    config = CONNECTORS[simulation.name].config
    source: dict[str, object] = {"connector": simulation.name}
    exported: list[str] = []
    for setting, value in simulation.source(url).items():
        field = config.model_fields.get(setting)
        if field is not None and is_secret(field.annotation):
            variable = f"{simulation.name}_{setting}".upper()
            exported.append(f"export {variable}={value}")
            source[setting] = f"${{{variable}}}"
        else:
            source[setting] = value
    written = {
        "source": source,
        "destination": {"kind": "duckdb", "path": "warehouse.duckdb"},
        "streams": "*",
    }
    text = yaml.safe_dump(
        json.loads(json.dumps(written)),  # without shared lists, which YAML would write as anchors
        sort_keys=False,
        allow_unicode=True,
    )
    return "\n".join(["", f"# connections/{simulation.name}.yaml", text.rstrip(), "", *exported, ""])


def simulations() -> list[str]:
    """The names of all simulators."""
    files = sorted(Path(propexo_connect.simulators.__path__[0]).glob("*.py"))
    return [file.stem for file in files if _OFFERS.search(file.read_text(encoding="utf-8"))]


def simulation_of(name: str) -> Simulation:
    """The simulator of a connector.

    Raises:
        UnknownName: there is none.
    """
    names = simulations()
    if name not in names:
        raise UnknownName(
            f"there is no simulator '{name}'",
            expected=f"one of {', '.join(names)}",
            remedy=close(name, names),
        )
    found: Simulation = importlib.import_module(f"propexo_connect.simulators.{name}").simulation
    return found
