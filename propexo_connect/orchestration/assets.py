"""A connection as Dagster definitions: one subsettable multi-asset, its jobs, schedules and resources.

A connection's streams are steps of one engine in one process, not processes of their own: they share a log-in
and its limits, and a process costs Dagster three CPU seconds. Each stream is its own asset nevertheless:
selected alone, reported the moment it is committed, failing alone, and retried alone.
"""

from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

import dagster as dg

from propexo_connect.connection.parse import Connection
from propexo_connect.destinations.base import Session, TableFacts
from propexo_connect.events.of_sync import SyncEnd, notices_of
from propexo_connect.model.absence import AbsenceFacts
from propexo_connect.model.errors import ConnectError
from propexo_connect.model.ledger import Reading
from propexo_connect.model.stream import StreamPlan
from propexo_connect.orchestration.carry_out import carry_out
from propexo_connect.orchestration.checks import (
    check_specs,
    has_unique_keys,
    key_unique_and_present,
    ledger_equation,
    not_missing_in_masses,
    rejected_records,
    schema_drift,
    tiles_touch,
)
from propexo_connect.orchestration.failure import (
    NEVER_RETRY,
    are_terminal,
    connection_failure,
    streams_failure,
)
from propexo_connect.orchestration.io_managers import DestinationIOManager, file_pool, io_manager
from propexo_connect.orchestration.jobs import connection_jobs
from propexo_connect.orchestration.metadata import absence_metadata, result_metadata, sweep_metadata
from propexo_connect.orchestration.naming import CONNECTION_TAG, op_name, slug
from propexo_connect.orchestration.order import SyncConfig
from propexo_connect.orchestration.purge import purge_job
from propexo_connect.orchestration.resources import SourceResource
from propexo_connect.orchestration.schedules import connection_schedules
from propexo_connect.orchestration.specs import StreamAsset, Translate, source_spec, stream_assets
from propexo_connect.sync.result import StreamResult, SyncOrder
from propexo_connect.sync.sweep import sweep_due_at

EXECUTOR = dg.in_process_executor
"""On every Definitions, so that runs without a job of their own do not fall back to a process a step."""

_JUDGED_ALWAYS = 500_000
_JUDGED_EACH = 24

Event = dg.MaterializeResult[Any] | dg.AssetCheckResult | dg.AssetObservation
"""What a sync tells Dagster."""

_RESUMED = "dagster/is_resume_retry"
_PARENT = "dagster/parent_run_id"


def connection_definitions(connection: Connection, translate: Translate | None = None) -> dg.Definitions:
    """Everything that one connection brings, sensors excepted.

    Needs neither network nor environment: secrets are read when a sync runs.

    Raises:
        ConfigurationError: there is no I/O manager for the destination.
    """
    destination_key, destination = io_manager(connection)
    streams = stream_assets(connection, destination_key, translate)
    source_key = f"source_{slug(connection.name)}"
    source = SourceResource.of(connection)
    sync = _sync_assets(connection, streams, source_key, destination_key)
    jobs = connection_jobs(connection, streams)
    return dg.Definitions(
        assets=[source_spec(connection), sync],
        jobs=[*jobs.all, purge_job(connection, destination_key)],
        schedules=connection_schedules(connection, jobs.sync),
        resources={
            source_key: dg.ResourceDefinition.hardcoded_resource(source, description=source.description),
            destination_key: destination,
        },
        executor=EXECUTOR,
    )


def _sync_assets(
    connection: Connection, streams: Sequence[StreamAsset], source_key: str, destination_key: str
) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name=op_name(connection.name),
        description=connection.description or None,
        specs=[stream.spec for stream in streams],
        check_specs=[spec for stream in streams for spec in check_specs(stream.plan, stream.key)],
        # Without it Dagster takes streams that were not reported for materialized.
        can_subset=True,
        required_resource_keys={source_key, destination_key},
        pool=file_pool(connection),
        op_tags={CONNECTION_TAG: slug(connection.name)},
    )
    def sync(context: dg.AssetExecutionContext, config: SyncConfig) -> Iterator[Event]:
        source: SourceResource = getattr(context.resources, source_key)
        destination: DestinationIOManager = getattr(context.resources, destination_key)
        yield from _Sync(context, connection, streams, source, destination).run(config)

    return sync


class _Sync:
    """One run of a connection's multi-asset."""

    def __init__(
        self,
        context: dg.AssetExecutionContext,
        connection: Connection,
        streams: Sequence[StreamAsset],
        source: SourceResource,
        destination: DestinationIOManager,
    ) -> None:
        self._context = context
        self._connection = connection
        self._source = source
        self._destination = destination
        self._checks = context.selected_asset_check_keys
        selected = context.selected_asset_keys
        wanted = selected - _done_before(context)
        checked = {check.asset_key for check in self._checks} - selected
        self._todo = {stream.plan.stream.name: stream for stream in streams if stream.key in wanted}
        self._check_only = [stream for stream in streams if stream.key in checked]

    def run(self, config: SyncConfig) -> Iterator[Event]:
        """Sync what is selected; then fail, naming every stream that failed."""
        results: list[StreamResult] = []
        with self._failure_told(), ExitStack() as opened:
            order = config.order(self._context.run.run_id, tuple(one.plan for one in self._todo.values()))
            if not self._todo and not self._check_only:
                self._context.log.info("Every stream was synced before the retry; nothing is left to do.")
                return
            session = opened.enter_context(self._destination.destination().open())
            for stream in self._check_only:
                yield from self._stored_checks(stream, session)
            if not self._todo:
                return
            started_at = self._source.clock.now()
            try:
                yield from self._streams_synced(session, order, results)
            except ConnectError as error:
                self._tell(session, order, started_at, results, error)
                raise
            self._tell(session, order, started_at, results)
        failed = [result for result in results if result.error is not None]
        if failed:
            self._forbid_useless_retries(*(result.error for result in failed))
            raise streams_failure(failed, len(results) - len(failed))

    def _streams_synced(
        self, session: Session, order: SyncOrder, results: list[StreamResult]
    ) -> Iterator[Event]:
        """Each stream reported the moment it has ended; `results` takes all of them."""
        with ExitStack() as opened:
            source = opened.enter_context(self._source.open())
            ended = carry_out(
                order,
                source,
                session,
                self._connection.settings,
                self._source.clock,
                self._context.log.info,
            )
            opened.enter_context(closing(ended))
            is_sweep = order.reading is Reading.SWEEP
            for result in parents_first(ended, frozenset(self._todo)):
                results.append(result)
                if result.error is None:
                    yield (self._swept if is_sweep else self._materialized)(result, session)
                else:
                    self._context.log.error(f"{result.plan.stream.name}: {result.error}")

    def _tell(
        self,
        session: Session,
        order: SyncOrder,
        started_at: datetime,
        results: Sequence[StreamResult],
        error: ConnectError | None = None,
    ) -> None:
        """The end of the sync as events, where somebody wants them; an interrupted sync tells nothing."""
        subscriptions, now = self._connection.subscriptions, self._source.clock.now()
        if not subscriptions:
            return
        name, sync_id = self._connection.name, order.sync_id
        end = SyncEnd(name, sync_id, order.reading, started_at, now, tuple(results), error)
        try:
            if notices := notices_of(end, subscriptions):
                session.emit(notices)
            session.prune_outbox(now)
        except ConnectError as unwritten:
            # The records are committed: an outbox that cannot be reached now must not undo that.
            self._context.log.warning(f"The end of the sync could not be told of: {unwritten}")

    def _materialized(self, result: StreamResult, session: Session) -> dg.MaterializeResult[Any]:
        stream = self._todo[result.plan.stream.name]
        faults, fault_count = self._ledger_faults(session, stream.plan)
        answers = (
            tiles_touch(stream.key, faults),
            ledger_equation(stream.key, fault_count),
            key_unique_and_present(stream.key, result.facts),
            rejected_records(stream.key, result.counts.rejected),
            schema_drift(stream.key, result.changes),
        )
        missing = self._absence(session, stream.plan, result.facts, judges=judges_now(result))
        if missing is not None and missing.verdicts is not None:
            answers = (*answers, not_missing_in_masses(stream.key, stream.plan, missing))
        now = self._source.clock.now()
        metadata = result_metadata(result, self._context.run.run_id, now) | absence_metadata(missing)
        return dg.MaterializeResult(
            asset_key=stream.key,
            metadata=metadata,
            check_results=self._asked_for(answers),
        )

    def _swept(self, result: StreamResult, session: Session) -> dg.AssetObservation:
        """A sweep observes its asset: it changed nothing that a materialization would report."""
        due_at = None
        if result.plan.sweep is not None:
            due_at = self._next_sweep_at(result.plan, session)
        return dg.AssetObservation(
            asset_key=self._todo[result.plan.stream.name].key,
            metadata=sweep_metadata(result, self._context.run.run_id, due_at),
        )

    def _next_sweep_at(self, plan: StreamPlan, session: Session) -> datetime | None:
        """When the next sweep, or share of one, is due; None also where the ledger could not be asked."""
        try:
            standing = session.standings([plan], Reading.SWEEP.lane)[plan.stream.name]
        except ConnectError as error:
            self._context.log.warning(f"{plan.stream.name}: the ledger could not be asked: {error}")
            return None
        return sweep_due_at(plan, standing.progress)

    def _stored_checks(self, stream: StreamAsset, session: Session) -> list[dg.AssetCheckResult]:
        """The checks of a stream that is not to be synced, from what is stored."""
        plan = stream.plan
        if has_unique_keys(plan) and not plan.stream.key:
            with self._source.open() as source:  # which alone knows the key of such a stream
                plan = replace(plan, stream=source.prepare(plan.stream))
        standing = session.standings([plan], Reading.RECURRING.lane)[plan.stream.name]
        facts = session.facts(plan, standing.layout(plan))
        faults, fault_count = self._ledger_faults(session, plan)
        answers = (
            tiles_touch(stream.key, faults),
            ledger_equation(stream.key, fault_count),
            key_unique_and_present(stream.key, facts),
            rejected_records(stream.key, facts.rejected_count),
            schema_drift(stream.key, ()),  # nothing was read since the last sync
            not_missing_in_masses(stream.key, plan, self._absence(session, plan, facts, judges=True)),
        )
        return self._asked_for(answers)

    def _asked_for(self, answers: Iterable[dg.AssetCheckResult]) -> list[dg.AssetCheckResult]:
        """Those that the stream has and that are selected."""
        asked = {(check.asset_key, check.name) for check in self._checks}
        return [answer for answer in answers if (answer.asset_key, answer.check_name) in asked]

    def _absence(
        self, session: Session, plan: StreamPlan, facts: TableFacts | None, *, judges: bool
    ) -> AbsenceFacts | None:
        """How the records stand; None where there are none, or it could not be asked."""
        if facts is None or not facts.row_count:
            return None
        try:
            return session.absence(plan, self._source.clock.now(), judges=judges)
        except ConnectError as error:
            self._context.log.warning(f"{plan.stream.name}: missing records could not be counted: {error}")
            return None

    def _ledger_faults(self, session: Session, plan: StreamPlan) -> tuple[list[str] | None, int | None]:
        """Gaps and overlaps in words, and how many counts do not add up; None where it could not be asked."""
        try:
            return session.tile_faults(plan), session.equation_faults(plan)
        except ConnectError as error:
            # The records are committed: a ledger that cannot be asked now must not undo that.
            self._context.log.warning(f"{plan.stream.name}: the ledger could not be asked: {error}")
            return None, None

    @contextmanager
    def _failure_told(self) -> Generator[None]:
        """Errors before and around the streams, said without a traceback of ours."""
        try:
            yield
        except ConnectError as error:
            self._forbid_useless_retries(error)
            raise connection_failure(error, self._connection.name) from None

    def _forbid_useless_retries(self, *errors: ConnectError | None) -> None:
        """Keep Dagster from repeating what only a person can mend; must be said before the run fails."""
        if are_terminal(errors):
            self._context.instance.add_run_tags(self._context.run.run_id, NEVER_RETRY)


def judges_now(result: StreamResult) -> bool:
    """Whether a sync also counts what is known of missing records.

    Of a large table not with each sync: that asks for each unseen record which reads covered it. It does
    after reads of the whole, which are what finds deletions, and with each 24th sync.
    """
    if result.facts is None or result.facts.row_count <= _JUDGED_ALWAYS:
        return True
    is_whole = any(window.request.is_whole for window in result.windows)
    return is_whole or any(window.fence % _JUDGED_EACH == 0 for window in result.windows)


def parents_first(results: Iterator[StreamResult], todo: frozenset[str]) -> Iterator[StreamResult]:
    """The same results, none before that of its parent: Dagster refuses the other order.

    Args:
        todo: the streams that a result will come for.
    """
    ended: set[str] = set()
    held: defaultdict[str, list[StreamResult]] = defaultdict(list)
    for result in results:
        parent = result.plan.stream.parent
        if parent in todo and parent not in ended:
            held[parent].append(result)
            continue
        ready = [result]
        while ready:
            first = ready.pop(0)
            ended.add(first.plan.stream.name)
            yield first
            ready += held.pop(first.plan.stream.name, [])
    for waiting in held.values():
        yield from waiting


def _done_before(context: dg.AssetExecutionContext) -> set[dg.AssetKey]:
    """Streams that the run which this one resumes has materialized; the strategy FROM_FAILURE selects all."""
    tags = context.run.tags
    parent = tags.get(_PARENT)
    if parent is None or tags.get(_RESUMED) != "true":
        return set()
    entries = context.instance.all_logs(parent, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    events = [entry.dagster_event for entry in entries]
    return {event.asset_key for event in events if event is not None and event.asset_key is not None}
