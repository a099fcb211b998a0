"""What DuckDB can hold. Measured with 2.0.0."""

from propexo_connect.destinations.dialect import Capabilities

CAPABILITIES = Capabilities(
    name="DuckDB",
    # A merge joins by hash faster than by an index, which would have to be kept and loaded with the file.
    has_indexes=False,
    max_columns=10_000,
    max_key_bytes=None,
)
