"""A connection's run: what is synced, what is told, and what a failure says."""

from datetime import datetime

import dagster as dg
import pytest

from propexo_connect.destinations.duckdb import DuckDBConfig
from propexo_connect.destinations.duckdb.writer import DuckDB
from propexo_connect.model.clock import SystemClock
from propexo_connect.model.errors import CredentialsRefused, Unreachable
from propexo_connect.model.stream import StreamPlan, Table
from propexo_connect.orchestration.assets import parents_first
from propexo_connect.orchestration.carry_out import carry_out
from propexo_connect.sync.result import StreamResult, SyncOrder
from propexo_connect_tests.orchestration.bench import STREAMS, AcmeSource, Bench, failure, materialized

REFUSED = CredentialsRefused("the vendor refuses the log-in", remedy="Renew the password.")
CUT_OFF = Unreachable("the connection was cut")


def tags_of(bench: Bench, result: dg.ExecuteInProcessResult) -> dict[str, str]:
    run = bench.instance.get_run_by_id(result.run_id)
    assert run is not None
    return dict(run.tags)


def told(bench: Bench, result: dg.ExecuteInProcessResult) -> str:
    entries = bench.instance.all_logs(result.run_id)
    return "\n".join(entry.user_message for entry in entries if entry.dagster_event is None)


def test_a_run_syncs_and_reports_every_stream(bench: Bench) -> None:
    result = bench.sync()
    assert result.success
    assert sorted(materialized(result)) == ["properties", "units", "visits", "work_orders"]
    assert bench.rows("select id, name from acme_north.work_orders") == [(1, "One")]


def test_a_run_of_some_streams_reads_only_those(bench: Bench) -> None:
    result = bench.sync("units", "visits")
    assert sorted(materialized(result)) == ["units", "visits"]
    assert sorted(name for name, _ in bench.vendor.read) == ["units", "visits"]


def test_a_failed_stream_fails_alone(bench: Bench) -> None:
    bench.vendor.failures["units"] = CUT_OFF
    result = bench.sync()
    assert not result.success
    assert sorted(materialized(result)) == ["properties", "visits", "work_orders"]


def test_the_failure_names_each_failed_stream_its_error_and_what_to_do(bench: Bench) -> None:
    bench.vendor.failures |= {"units": REFUSED, "visits": CUT_OFF}
    told = failure(bench.sync())
    assert told.description.startswith("2 of 4 streams failed; 2 are up to date.")
    assert "units: CredentialsRefused: " in told.description
    assert "Renew the password." in told.description
    assert "visits: Unreachable: " in told.description
    assert "the next sync reaches back" in told.description
    assert set(told.metadata) == {"failed_streams", "units", "visits"}
    assert "nothing was committed" in told.metadata["visits"].text


def test_a_failure_has_no_cause_whose_traceback_would_bury_it(bench: Bench) -> None:
    bench.fields = {"source": {"connector": "acme", "password": "${ACME_IS_NOT_SET}"}}
    result = bench.sync()
    data = result.failure_data_for_node("sync_acme_north")
    assert data is not None
    assert data.error is not None
    assert data.error.cause is None
    assert data.error.context is None


def test_terminal_errors_forbid_that_the_run_is_started_again(bench: Bench) -> None:
    bench.vendor.failures |= {"units": REFUSED, "visits": REFUSED}
    assert tags_of(bench, bench.sync())["dagster/max_retries"] == "0"


def test_one_error_that_may_pass_keeps_the_retries_of_the_connection(bench: Bench) -> None:
    bench.vendor.failures |= {"units": REFUSED, "visits": CUT_OFF}
    tags = tags_of(bench, bench.sync())
    assert tags["dagster/max_retries"] == "2"
    assert tags["dagster/retry_strategy"] == "FROM_ASSET_FAILURE"
    assert tags["connection"] == "acme_north"


def test_a_missing_variable_is_named_and_never_retried(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ACME_PASSWORD", raising=False)
    bench.fields = {"source": {"connector": "acme", "password": "${ACME_PASSWORD}"}}
    result = bench.sync()
    said = failure(result).description
    assert said.startswith("MissingSecret: ")
    assert "ACME_PASSWORD" in said
    assert tags_of(bench, result)["dagster/max_retries"] == "0"


def test_a_secret_reaches_the_source_and_nothing_that_is_kept(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACME_PASSWORD", "hunter2")
    bench.fields = {"source": {"connector": "acme", "password": "${ACME_PASSWORD}"}}
    result = bench.sync()
    assert bench.vendor.opened_with[0].password is not None
    assert bench.vendor.opened_with[0].password.get_secret_value() == "hunter2"
    kept = [str(entry) for entry in bench.instance.all_logs(result.run_id)]
    assert "hunter2" not in "".join(kept)


def test_an_unusable_destination_is_said_in_the_same_form(bench: Bench) -> None:
    bench.file.mkdir()
    said = failure(bench.sync()).description
    assert str(bench.file) in said
    assert said.partition(":")[0].isidentifier()


def test_a_resumed_run_leaves_out_what_its_parent_has_materialized(bench: Bench) -> None:
    bench.vendor.failures["units"] = CUT_OFF
    parent = bench.sync()
    bench.vendor.failures.clear()
    again = {"dagster/is_resume_retry": "true", "dagster/parent_run_id": parent.run_id}
    assert sorted(materialized(bench.sync(tags=again))) == ["units"]


def test_a_resumed_run_with_nothing_left_succeeds_and_reads_nothing(bench: Bench) -> None:
    parent = bench.sync()
    bench.vendor.read.clear()
    again = {"dagster/is_resume_retry": "true", "dagster/parent_run_id": parent.run_id}
    result = bench.sync(tags=again)
    assert result.success
    assert not bench.vendor.read
    assert "nothing is left to do" in told(bench, result)


def test_a_run_that_repeats_all_of_its_parent_reads_all(bench: Bench) -> None:
    parent = bench.sync()
    result = bench.sync(tags={"dagster/parent_run_id": parent.run_id})
    assert len(materialized(result)) == 4


def test_the_engines_lines_stand_in_the_runs_log(bench: Bench) -> None:
    assert "units: asks for a page" in told(bench, bench.sync("units"))


def test_a_full_sync_is_asked_for_by_config(bench: Bench) -> None:
    bench.sync("work_orders", config={"reading": "full"})
    ((_, request),) = bench.vendor.read
    assert request.is_whole


def test_a_repull_reads_its_range_without_moving_the_watermark(bench: Bench) -> None:
    bench.sync("work_orders")
    result = bench.sync(
        "work_orders", config={"reading": "re-pull", "start": "2025-01-01", "end": "2025-01-02"}
    )
    labels = materialized(result)["work_orders"]
    assert "tile_start" in labels
    assert "watermark" not in labels


def test_a_backsync_without_a_start_says_so(bench: Bench) -> None:
    said = failure(bench.sync("work_orders", config={"reading": "backsync"})).description
    assert "a backsync needs `start`" in said


def test_the_backsync_job_reaches_back_to_the_chosen_month(bench: Bench) -> None:
    bench.sync()
    job = bench.definitions().resolve_job_def("acme_north_backsync")
    result = job.execute_in_process(instance=bench.instance, partition_key="2025-06-01", raise_on_error=False)
    assert result.success
    assert list(materialized(result)) == ["work_orders"]
    ((oldest,),) = bench.rows(
        "select min(tile_start) at time zone 'UTC' from _propexo.windows where reading = 'backsync'"
    )
    assert oldest == datetime(2025, 6, 1)  # noqa: DTZ001 (local to UTC)


def test_an_interrupted_run_stops_the_engine(bench: Bench) -> None:
    """Dagster raises in the main thread; the reading of every stream must come to its end."""
    bench.vendor.waits = True

    def interrupt(_line: str) -> None:
        raise KeyboardInterrupt

    connection = bench.connection()
    order = SyncOrder("one", connection.plans[:1])
    with DuckDB(DuckDBConfig(path=str(bench.file))).open() as session:
        source = AcmeSource(bench.vendor, SystemClock())
        with pytest.raises(KeyboardInterrupt):
            list(carry_out(order, source, session, connection.settings, SystemClock(), interrupt))
    assert bench.vendor.was_stopped.is_set()


@pytest.mark.parametrize(
    ("arrived", "told"),
    [
        (["units", "visits", "properties"], ["visits", "properties", "units"]),
        (["properties", "units"], ["properties", "units"]),
        (["units", "visits"], ["visits", "units"]),
    ],
)
def test_no_stream_is_told_before_its_parent(arrived: list[str], told: list[str]) -> None:
    streams = {stream.name: stream for stream in STREAMS}
    results = (
        StreamResult(StreamPlan("acme", streams[name], Table("acme", name)), (), 1, 0.0) for name in arrived
    )
    ordered = parents_first(results, frozenset({"properties", "units", "visits"}))
    assert [result.plan.stream.name for result in ordered] == told


def test_a_child_whose_parent_is_not_synced_waits_for_nobody() -> None:
    units = next(stream for stream in STREAMS if stream.name == "units")
    result = StreamResult(StreamPlan("acme", units, Table("acme", "units")), (), 1, 0.0)
    assert next(parents_first(iter([result]), frozenset({"units"}))) is result
