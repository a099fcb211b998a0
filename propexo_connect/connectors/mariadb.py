"""MariaDB as a source: the connector of MySQL, which speaks the same protocol, under its own name."""

from propexo_connect.connectors.mysql import MySqlConnector

connector = MySqlConnector("mariadb", "MariaDB", kind="mariadb")
