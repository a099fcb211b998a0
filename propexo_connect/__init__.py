"""Self-hosted data movement for proptech, as a Dagster code location."""
