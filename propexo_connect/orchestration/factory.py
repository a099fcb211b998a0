"""Connections in plain Python: the same code path as files and components."""

from typing import Any

import dagster as dg

from propexo_connect.connection.parse import Connectors, DestinationKinds, connection
from propexo_connect.orchestration.location import definitions_of
from propexo_connect.orchestration.specs import Translate


def build_connection_defs(
    *,
    name: str,
    translate: Translate | None = None,
    connectors: Connectors | None = None,
    destinations: DestinationKinds | None = None,
    **fields: Any,
) -> dg.Definitions:
    """A connection's definitions, its sensors included; the fields are those of a connection file.

        defs = build_connection_defs(
            name="happyco",
            source={"connector": "happyco", "email": "me@example.com", "password": "${HAPPYCO_PASSWORD}"},
            destination={"kind": "duckdb", "path": "warehouse.duckdb"},
            streams=["work_orders", "properties"],
            schedule={"every": "1h"},
        )

    Args:
        translate: changes the asset of each stream: `lambda spec, plan: spec.replace_attributes(…)`.
        connectors, destinations: what may be named; by default all that the product has.

    Raises:
        InvalidConnection: with every problem that was found.
    """
    built = connection(name=name, connectors=connectors, destinations=destinations, **fields)
    return definitions_of([built], prefix=f"{name}_", translate=translate)
