"""The shape of a contestant."""

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.job import Job
from benchmarks.measure import Command

Starter = Callable[[Job], Command]
"""Writes what the contestant reads (not measured) and names the command (measured)."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """`venvs` are the environments of peers.txt that it needs; `configuration` is printed in the report.

    `missing` is a reason it cannot take part that is known before anything is installed, or None.
    """

    name: str
    title: str
    venvs: tuple[str, ...]
    configuration: str
    start: Starter
    missing: Callable[[], str | None] = lambda: None
