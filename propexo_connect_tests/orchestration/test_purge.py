"""The job `<connection>_purge`: a prepared request, told first and carried out when it is meant."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from propexo_connect.http.durable import STATE_VARIABLE
from propexo_connect.purge.ask import asked
from propexo_connect.purge.prepared import prepare
from propexo_connect_tests.orchestration.bench import Bench

CANARY = "ann.canary@example.com"


@pytest.fixture(autouse=True)
def state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where requests and the key of hashes are kept."""
    folder = tmp_path / "state"
    monkeypatch.setenv(STATE_VARIABLE, str(folder))
    return folder


def purge(bench: Bench, **config: Any) -> dg.ExecuteInProcessResult:
    """A run of the job."""
    return (
        bench.definitions()
        .resolve_job_def("acme_north_purge")
        .execute_in_process(
            instance=bench.instance,
            raise_on_error=False,
            run_config={"ops": {"carry_out_acme_north_purge": {"config": config}}},
        )
    )


def units(bench: Bench) -> list[tuple[Any, ...]]:
    """What is stored."""
    return bench.rows("select name from acme_north.units order by name")


def fill(bench: Bench) -> str:
    """Two units, one named like a person; the number of a prepared request for that."""
    bench.vendor.records["units"] = [{"id": 1, "name": CANARY}, {"id": 2, "name": "Elm"}]
    assert bench.sync("units").success
    return prepare(asked(bench.connection(), identifier=CANARY, is_suppressed=True, requested_by="eve"))


def test_a_dry_run_is_the_default(bench: Bench) -> None:
    result = purge(bench, request=fill(bench))
    assert result.success
    assert len(units(bench)) == 2


def test_a_run_that_is_meant_purges_and_is_audited(bench: Bench, state_folder: Path) -> None:
    number = fill(bench)
    result = purge(bench, request=number, dry_run=False)
    assert result.success
    assert units(bench) == [("Elm",)]
    ((by,),) = bench.rows("select requested_by from _propexo.purges")
    assert by == f"run {result.run_id}, prepared by eve"
    assert list((state_folder / "purges").glob("*.token")) == []
    again = bench.sync("units")
    assert units(bench) == [("Elm",)]
    told = "".join(entry.user_message for entry in bench.instance.all_logs(again.run_id))
    assert "1 records are suppressed by a purge" in told


def test_the_value_stands_in_no_event_and_no_file(bench: Bench, state_folder: Path) -> None:
    number = fill(bench)
    stored = [file.read_bytes() for file in state_folder.rglob("*") if file.is_file()]
    assert stored
    result = purge(bench, request=number, dry_run=False)
    told = "".join(str(entry) for entry in bench.instance.all_logs(result.run_id))
    assert number in told
    assert CANARY not in told
    assert not any(CANARY.encode() in content for content in stored)


def test_an_unknown_request_is_told(bench: Bench) -> None:
    fill(bench)
    result = purge(bench, request="0123456789abcdef")
    assert not result.success
    told = "".join(str(entry) for entry in bench.instance.all_logs(result.run_id))
    assert "no request '0123456789abcdef' is waiting" in told
