"""The demo, as a newcomer runs it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb

PROJECT = Path(__file__).parents[2]


def test_the_demo_syncs_three_systems_twice_and_leaves_tables(tmp_path: Path) -> None:
    for name in ("connections", "dagster.yaml", "workspace.yaml", "pyproject.toml"):
        source = PROJECT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith(("PROPEXO", "DAGSTER"))
    }
    done = subprocess.run(
        [sys.executable, "-m", "propexo_connect.demo"],
        cwd=tmp_path,
        env=environ | {"PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for told in (
        "happyco_demo.work_orders",
        "leases_demo.leases",
        "payments_demo.public_payments",
        "make dev",
    ):
        assert told in done.stdout
    with duckdb.connect(str(tmp_path / ".demo" / "warehouse.duckdb")) as warehouse:
        properties = warehouse.sql("select count(*) from demo.open_work_orders_by_property").fetchall()[0][0]
        gaps = warehouse.sql(
            "select count(*) from _propexo.windows "
            "where read <> new + changed + unchanged + superseded + rejected"
        ).fetchall()[0][0]
        zips = warehouse.sql("select count(*) from leasing.leases where zip not like '0%'").fetchall()[0][0]
    assert properties > 5
    assert gaps == 0
    assert zips == 0
