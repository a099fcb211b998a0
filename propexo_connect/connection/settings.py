"""The settings of a sync, out of the parts `retry`, `limits` and `schedule` of a file."""

from propexo_connect.connection.document import Document
from propexo_connect.connection.file import WrittenConnection, WrittenRetry, WrittenSchedule
from propexo_connect.connection.problem import Problem
from propexo_connect.connection.schedule import Schedule, Slot
from propexo_connect.model.duration import duration_text
from propexo_connect.model.stream import REQUEST_RETRY, STREAM_RETRY, RetryPolicy, SyncSettings


def settings_of(written: WrittenConnection, document: Document) -> tuple[SyncSettings, list[Problem]]:
    """What holds for all streams of a sync, and problems where values contradict each other."""
    request = _policy(written.retry.request, REQUEST_RETRY)
    stream = _policy(written.retry.stream, STREAM_RETRY)
    problems = [
        document.problem(
            ("retry", layer),
            f"a first wait of {duration_text(policy.first_wait)} and a longest wait of "
            f"{duration_text(policy.longest_wait)}",
            "a first wait that is not longer than the longest",
        )
        for layer, policy in (("request", request), ("stream", stream))
        if policy.first_wait > policy.longest_wait
    ]
    default, limits = SyncSettings(), written.limits
    settings = SyncSettings(
        request_retry=request,
        stream_retry=stream,
        max_streams=limits.max_streams or default.max_streams,
        step_bytes=limits.step_size or default.step_bytes,
        step_span=limits.step_span,
        stall_after=limits.stall_after or default.stall_after,
        tags=dict(written.tags),
    )
    return settings, problems


def schedule_of(written: WrittenSchedule, name: str) -> Schedule:
    """The schedule of the connection of this name."""
    if written.cron is not None:
        return Schedule.cron(tuple(dict.fromkeys(written.cron)), written.timezone)
    if written.every is not None:
        return Schedule.every(written.every, name)
    if written.weekly is not None:
        slots = tuple(
            Slot(
                tuple(dict.fromkeys(slot.days)),
                slot.start,
                slot.start if slot.end is None else slot.end,
                None if slot.every is None else int(slot.every.total_seconds()) // 60,
            )
            for slot in written.weekly
        )
        return Schedule.weekly(slots, written.timezone)
    return Schedule.manual()


def _policy(written: WrittenRetry, default: RetryPolicy) -> RetryPolicy:
    return RetryPolicy(
        default.attempts if written.attempts is None else written.attempts,
        default.first_wait if written.first_wait is None else written.first_wait,
        default.longest_wait if written.longest_wait is None else written.longest_wait,
    )
