"""The catalogue: every kind of source."""

from propexo_connect.connectors import (
    airbyte,
    files,
    happyco,
    mariadb,
    mysql,
    postgres,
    singer,
    sqlite,
    sqlserver,
)
from propexo_connect.connectors.base import Connector

CONNECTORS: dict[str, Connector] = {
    connector.name: connector
    for connector in (
        happyco.connector,
        postgres.connector,
        mysql.connector,
        mariadb.connector,
        sqlite.connector,
        sqlserver.connector,
        files.connector,
        airbyte.connector,
        singer.connector,
    )
}
"""By the name under which a connection file asks for them."""
