"""Failed streams as one Dagster failure, said for the person who reads it."""

from collections.abc import Iterable, Mapping

import dagster as dg

from propexo_connect.model.errors import ConnectError
from propexo_connect.sync.result import StreamResult

NEVER_RETRY = {"dagster/max_retries": "0"}
"""The tag that keeps Dagster from starting the run again; counts only when set before the run fails."""


def streams_failure(failed: Iterable[StreamResult], done: int) -> dg.Failure:
    """What a sync raises once all other streams are done.

    Args:
        done: how many streams were committed to their end.
    """
    results = list(failed)
    count = len(results) + done
    head = f"{len(results)} of {count} streams failed" + (f"; {done} are up to date." if done else ".")
    lines = [f"{result.plan.stream.name}: {_said(result.error)}" for result in results if result.error]
    metadata: dict[str, str | int] = {"failed_streams": len(results)}
    for result in results:
        if result.error:
            metadata[result.plan.stream.name] = _story(result, result.error)
    return _failure("\n".join([head, *lines]), metadata)


def connection_failure(error: ConnectError, connection: str) -> dg.Failure:
    """What a sync raises when it cannot begin: a missing variable, an unreachable destination."""
    return _failure(_said(error.at(f"connection '{connection}'")), {"error": error.name})


def are_terminal(errors: Iterable[ConnectError | None]) -> bool:
    """Whether a person must act on every one of the errors, so that a retry would change nothing."""
    return all(error is not None and not error.retryable for error in errors)


def _said(error: ConnectError | None) -> str:
    if error is None:
        return ""
    after = "It may pass by itself; the next sync reaches back to what is missing." if error.retryable else ""
    return f"{error.name}: {error} {after}".strip()


def _story(result: StreamResult, error: ConnectError) -> str:
    kept = len(result.windows)
    tries = f"{result.attempts} attempts" if result.attempts > 1 else "1 attempt"
    steps = f"{kept} steps were committed and stay" if kept else "nothing was committed"
    return f"{_said(error)} ({tries}; {steps}.)"


def _failure(description: str, metadata: Mapping[str, str | int]) -> dg.Failure:
    return dg.Failure(description, metadata=dict(metadata), allow_retries=False)
