"""Named points of a commit at which a test may kill the process, as a power cut of the worker would.

A point lies behind each statement. Outside tests nothing happens there: the environment is read once
per commit, and only a name of `FAILPOINTS` in `PROPEXO_FAILPOINT` arms one.
"""

import os
import signal
from collections.abc import Callable

from propexo_connect.model.errors import ConfigurationError, Defect

VARIABLE = "PROPEXO_FAILPOINT"

FAILPOINTS = (
    "transaction begun",
    "fence checked",
    "stream locked",
    "stream registered",
    "table made",
    "column added",
    "views dropped",
    "column widened",
    "names stored",
    "history keys renamed",
    "history table made",
    "baseline written",
    "history ended",
    "as of made",
    "gathered table made",
    "leftovers discarded",
    "records gathered",
    "records staged",
    "verdicts made",
    "verdicts reached",
    "content staged",
    "history closed",
    "history written",
    "new told",
    "changed told",
    "gone deleted",
    "changed deleted",
    "changed updated",
    "new inserted",
    "seen stamped",
    "sighted stamped",
    "gathered table dropped",
    "index made",
    "changes stored",
    "rejected staged",
    "rejected stored",
    "ledger written",
    "parts written",
    "views made",
    "fence held",
    "committed",
)
"""Every point, in the order of a commit; some statements are those of one destination alone."""

PURGE_FAILPOINTS = ("purge begun", "purge removed", "purge suppressed", "purge recorded", "purge committed")
"""Every point of a purge; it passes `purge removed` once for each table."""

OF_DELIVERIES = ("events claimed", "events sent")
"""The points of a run that delivers events: before anything is sent, and before that is noted."""

_ALL = (*FAILPOINTS, *PURGE_FAILPOINTS, *OF_DELIVERIES)


def armed() -> Callable[[str], None]:
    """What a commit calls behind each statement, with the environment of this moment.

    Raises:
        ConfigurationError: the environment names a point that does not exist.
    """
    wanted = os.environ.get(VARIABLE)
    if wanted is not None and wanted not in _ALL:
        raise ConfigurationError(f"{VARIABLE} names no failpoint: '{wanted}'", expected=", ".join(_ALL))

    def failpoint(name: str) -> None:
        if name not in _ALL:
            raise Defect(f"the failpoint '{name}' is not in the list")
        if name == wanted:
            os.kill(os.getpid(), signal.SIGKILL)

    return failpoint
