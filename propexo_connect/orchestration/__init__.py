"""Dagster only: it translates what a connection says into definitions, and decides nothing."""
