"""What a user writes: one YAML file for each connection."""
