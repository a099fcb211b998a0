"""Durations and sizes in a connection file; they are made in `model.duration`, which every room reads."""

from propexo_connect.model.duration import (
    EXPECTED_DURATION,
    EXPECTED_SIZE,
    Duration,
    DurationOrNever,
    Size,
    duration_text,
    fault,
    parse_duration,
    parse_size,
)

__all__ = [
    "EXPECTED_DURATION",
    "EXPECTED_SIZE",
    "Duration",
    "DurationOrNever",
    "Size",
    "duration_text",
    "fault",
    "parse_duration",
    "parse_size",
]
