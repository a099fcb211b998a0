"""A deliverer in a process of its own, which a failpoint kills; or that holds a destination for a while.

    python -m propexo_connect_tests.events.killed deliver '{"name": "duckdb", "path": …}' URL
    python -m propexo_connect_tests.events.killed hold '{"name": "duckdb", "path": …}'

`hold` says "held", and lets go when it reads the end of its input.
"""

import json
import sys

from propexo_connect.events.deliver import deliver
from propexo_connect.events.post import Posting
from propexo_connect.model.clock import SystemClock
from propexo_connect_tests.destinations.conftest import configured
from propexo_connect_tests.events.kit import webhook


def main(what: str, options: str, *url: str) -> None:
    settings = json.loads(options)
    destination = configured(settings.pop("name"), settings)
    clock = SystemClock()
    if what == "hold":
        with destination.open():
            sys.stdout.write("held\n")
            sys.stdout.flush()
            sys.stdin.read()
        return
    with Posting(clock) as posting:
        deliver(destination, {"hook": webhook(url[0], posting)}, clock)


if __name__ == "__main__":
    main(*sys.argv[1:])
