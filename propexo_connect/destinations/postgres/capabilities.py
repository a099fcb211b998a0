"""What PostgreSQL can hold."""

from propexo_connect.destinations.dialect import Capabilities

CAPABILITIES = Capabilities(
    name="PostgreSQL",
    has_indexes=True,
    replaces_rows=False,
    reads_in_place=False,
    max_columns=1_600,
    # A row of a B-tree takes a third of a page at the most: 2,704 bytes, the parts' headers included.
    max_key_bytes=2_600,
)
