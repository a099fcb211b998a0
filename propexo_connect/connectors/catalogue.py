"""The catalogue: every kind of source."""

from propexo_connect.connectors import (
    files,
    happyco,
    mysql,
    postgres,
    sqlite,
)
from propexo_connect.connectors.base import Connector

CONNECTORS: dict[str, Connector] = {
    connector.name: connector
    for connector in (
        happyco.connector,
        postgres.connector,
        mysql.connector,
        mysql.mariadb,
        sqlite.connector,
        files.connector,
    )
}
"""By the name under which a connection file asks for them."""
