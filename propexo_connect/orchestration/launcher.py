"""A run launcher that notices when the worker of a run is gone.

Dagster's own launcher starts each run as a child of the code server and trusts the code server to report a
child that dies. When both go at once (the host or the container is lost) nobody reports: the run stays
STARTED, and the limit of one run per connection blocks that connection for ever. With this launcher the
daemon's run monitoring looks for signs of life at each poll; a run that shows none at several polls in a row
is failed, and then retried.

A worker may be taken for lost while it lives, when its code server is on another machine or in another
container and `dagster code-server` has reloaded the location meanwhile. That is wasteful and not harmful: the
destination's fence refuses the commits of the older sync.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psutil
from dagster import (
    DagsterEventType,
    DagsterInstance,
    DagsterRun,
    DefaultRunLauncher,
    Field,
    Int,
    TextMetadataValue,
)
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._grpc.client import DagsterGrpcClient
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult
from dagster._serdes import ConfigurableClassData, deserialize_value

SignOfLife = Callable[[DagsterInstance, DagsterRun], bool]
"""True proves that the worker of the run lives; False proves nothing by itself."""

POLLS_UNTIL_LOST = 3
"""Polls in a row without a sign of life before a run is failed; one poll may fall into a restart."""

ANSWER_TIMEOUT_S = 10
"""How long one code server may take to answer; the polls of all runs wait in one line."""

CLOCK_TOLERANCE = timedelta(seconds=2)
"""By how much a process may seem younger than its own first event: boot time is kept in whole seconds."""

LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")


def held_by_code_server(instance: DagsterInstance, run: DagsterRun) -> bool:  # noqa: ARG001 a SignOfLife
    """The code server that started the run counts it among its children.

    `CanCancelExecution` says so on a plain code server and on the proxy that `dg dev` and
    `dagster code-server` put in front; `GetCurrentRuns`, the obvious question, is not implemented by the
    proxy. A proxy that has reloaded its location answers for the new server only.
    """
    endpoint = json.loads(run.tags[GRPC_INFO_TAG])
    client = DagsterGrpcClient(
        host=endpoint.get("host"),
        port=endpoint.get("port"),
        socket=endpoint.get("socket"),
        use_ssl=bool(endpoint.get("use_ssl", False)),
    )
    try:
        answer = client.can_cancel_execution(
            CanCancelExecutionRequest(run_id=run.run_id), timeout=ANSWER_TIMEOUT_S
        )
    except DagsterUserCodeUnreachableError:
        return False
    return deserialize_value(answer, CanCancelExecutionResult).can_cancel


def alive_on_this_machine(instance: DagsterInstance, run: DagsterRun) -> bool:
    """The process that reported itself as the run's worker still exists here.

    Only for code servers on this machine (a socket or a loopback port): elsewhere a process id means nothing.
    """
    endpoint = json.loads(run.tags[GRPC_INFO_TAG])
    if not endpoint.get("socket") and endpoint.get("host") not in LOCAL_HOSTS:
        return False
    for entry in instance.all_logs(run.run_id, of_type=DagsterEventType.ENGINE_EVENT):
        event = entry.dagster_event
        pid = event.engine_event_data.metadata.get("pid") if event else None
        if isinstance(pid, TextMetadataValue) and pid.text:
            return process_lives(int(pid.text), datetime.fromtimestamp(entry.timestamp, UTC))
    return False


def process_lives(pid: int, at: datetime) -> bool:
    """Whether the process that had this id at that instant still runs; one that was born later had not."""
    try:
        process = psutil.Process(pid)
        born = datetime.fromtimestamp(process.create_time(), UTC)
        return process.status() != psutil.STATUS_ZOMBIE and born <= at + CLOCK_TOLERANCE
    except psutil.NoSuchProcess:
        return False


class HealthCheckedRunLauncher(DefaultRunLauncher):
    """Dagster's default launcher, plus the health check that run monitoring needs to find lost runs."""

    def __init__(
        self,
        inst_data: ConfigurableClassData | None = None,
        *,
        polls_until_lost: int = POLLS_UNTIL_LOST,
        signs_of_life: Sequence[SignOfLife] = (held_by_code_server, alive_on_this_machine),
    ) -> None:
        super().__init__(inst_data)
        self._polls_until_lost = polls_until_lost
        self._signs_of_life = signs_of_life
        self._missed_polls: dict[str, int] = {}

    @classmethod
    def config_type(cls) -> Mapping[str, Any]:
        return {
            "polls_until_lost": Field(
                Int,
                is_required=False,
                default_value=POLLS_UNTIL_LOST,
                description="Polls of run monitoring in a row without a sign of life before a run is failed.",
            )
        }

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]
    ) -> "HealthCheckedRunLauncher":
        return cls(inst_data, polls_until_lost=config_value["polls_until_lost"])

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """RUNNING, or NOT_FOUND after enough polls in a row without a sign of life."""
        if GRPC_INFO_TAG not in run.tags:
            # Started by `dg launch` or `dagster asset materialize`, in its caller's process.
            return CheckRunHealthResult(WorkerStatus.RUNNING, "not started by this launcher")
        if any(sign(self._instance, run) for sign in self._signs_of_life):
            self._missed_polls.pop(run.run_id, None)
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        missed = self._missed_polls.pop(run.run_id, 0) + 1
        if missed >= self._polls_until_lost:
            return CheckRunHealthResult(
                WorkerStatus.NOT_FOUND,
                f"its code server does not know it and its process is gone, at {missed} polls in a row",
            )
        self._missed_polls[run.run_id] = missed
        return CheckRunHealthResult(
            WorkerStatus.RUNNING, f"no sign of life at {missed} of {self._polls_until_lost} polls"
        )
