"""Programs that run as contestants, in a peer's own environment or in ours; they share `program` alone."""
