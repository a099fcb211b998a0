"""The kinds of systems that can be written."""

from propexo_connect.destinations.base import DestinationKind
from propexo_connect.destinations.duckdb import DUCKDB
from propexo_connect.destinations.postgres import POSTGRES

DESTINATIONS: dict[str, DestinationKind] = {kind.name: kind for kind in (DUCKDB, POSTGRES)}
"""By the name under which a connection file asks for them."""
