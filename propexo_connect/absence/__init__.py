"""Why a record counts as absent, or does not."""
