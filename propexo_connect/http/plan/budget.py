"""What a vendor allows: so many requests in so many seconds, in several windows, so many at a time."""

from propexo_connect.http.plan.value import value


@value
class Rate:
    """So many requests in any stretch of so many seconds.

    Args:
        count: a number, or the name of a setting in braces.
        only: the beginnings of the paths, below the API's address, that count against it; empty: all.
        per_path: each path has a window of its own (Entrata counts by method).
    """

    count: int | str
    seconds: float
    only: tuple[str, ...] = ()
    per_path: bool = False


@value
class Budget:
    """All windows of a credential; they are kept across the streams and connections of a process.

    Args:
        rates: each is kept; the first that is full makes a request wait.
        in_flight: the most requests at any moment, a number or the name of a setting in braces.
        remaining, reset: headers that tell what is left, and when it is whole again.
        reset_is: what the reset header holds: seconds from now, or an instant as seconds since 1970.
        shared_by: the settings that name whoever is counted; empty: the credentials.
    """

    rates: tuple[Rate, ...] = ()
    in_flight: int | str | None = None
    remaining: str = ""
    reset: str = ""
    reset_is: str = "seconds"
    shared_by: tuple[str, ...] = ()
