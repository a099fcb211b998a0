"""What the tests of orchestration share."""

from collections.abc import Generator
from pathlib import Path

import dagster as dg
import pytest

from propexo_connect_tests.orchestration.bench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Generator[Bench]:
    """A connection whose runs are kept in memory."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield Bench(tmp_path, instance)


@pytest.fixture
def stored_bench(tmp_path: Path) -> Generator[Bench]:
    """A connection whose runs are kept on disk: schedules are evaluated with nothing less."""
    with dg.instance_for_test() as instance:
        yield Bench(tmp_path, instance)
