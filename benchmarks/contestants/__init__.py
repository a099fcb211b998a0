"""Who takes part: how each is started for a job, and the configuration it runs with."""

from benchmarks.contestants.base import Contestant
from benchmarks.contestants.command_line import INGESTR, SINGER, SLING
from benchmarks.contestants.python import AIRBYTE, BY_HAND, DLT, OURS

CONTESTANTS: dict[str, Contestant] = {
    contestant.name: contestant for contestant in (*BY_HAND, *DLT, AIRBYTE, SINGER, SLING, INGESTR, *OURS)
}
"""Name → contestant, in the order of reports."""
