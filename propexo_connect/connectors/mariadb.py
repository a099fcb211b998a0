"""MariaDB as a source: the connector of MySQL, which speaks the same protocol, under its own name."""

from dataclasses import replace

from propexo_connect.connectors import mysql

connector = replace(mysql.connector, name="mariadb", title="MariaDB")
