"""The component and plain Python: two more doors to the same connection."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster.components.testing import create_defs_folder_sandbox

import propexo_connect
from propexo_connect.components import OURS, ConnectionComponent
from propexo_connect.connection.file import WrittenConnection
from propexo_connect.connection.problem import InvalidConnection
from propexo_connect_tests.orchestration.bench import Acme

ATTRIBUTES: Mapping[str, Any] = {
    "source": {"connector": "happyco", "email": "me@example.com", "password": "${HAPPYCO_PASSWORD}"},
    "destination": {"kind": "duckdb", "path": "warehouse.duckdb"},
    "streams": ["properties", "units"],
    "schedule": {"every": "1h"},
}


def built(attributes: Mapping[str, Any], folder: str = "happyco_west") -> tuple[set[str], dg.Definitions]:
    """The asset keys and definitions of a `defs.yaml` with these attributes."""
    contents = {"type": "propexo_connect.components.ConnectionComponent", "attributes": dict(attributes)}
    with create_defs_folder_sandbox() as sandbox:
        path = sandbox.scaffold_component(ConnectionComponent, folder, defs_yaml_contents=contents)
        with sandbox.load_component_and_build_defs(path) as (component, defs):
            assert isinstance(component, ConnectionComponent)
            dg.Definitions.validate_loadable(defs)
            return {spec.key.to_user_string() for spec in defs.resolve_all_asset_specs()}, defs


def test_a_component_makes_a_connection_named_after_its_folder() -> None:
    keys, defs = built(ATTRIBUTES)
    assert {"happyco_west/properties", "happyco_west/units"} <= keys
    assert [schedule.name for schedule in defs.get_repository_def().schedule_defs] == [
        "happyco_west_schedule"
    ]


def test_a_component_knows_every_field_of_a_connection_file() -> None:
    assert set(ConnectionComponent.model_fields) - OURS == set(WrittenConnection.model_fields)


def test_a_translation_changes_key_and_group_of_each_stream() -> None:
    translation = {"key": "pms/{{ stream.name }}", "group_name": "pms"}
    keys, defs = built({**ATTRIBUTES, "translation": translation})
    assert {"pms/properties", "pms/units"} <= keys
    spec = next(one for one in defs.resolve_all_asset_specs() if one.key.path[-1] == "units")
    assert spec.group_name == "pms"


def test_a_component_that_is_wrong_says_so_and_takes_nobody_down() -> None:
    keys, defs = built({**ATTRIBUTES, "streams": ["untis"]})
    assert keys == {"happyco_west/broken_connection"}
    (spec,) = defs.resolve_all_asset_specs()
    assert "Did you mean 'units'?" in (spec.description or "")
    assert "defs.yaml" in (spec.description or "")


def test_a_secret_that_a_template_has_read_is_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Templates are resolved when the location loads; what they bring would be shown by Dagster."""
    monkeypatch.setenv("HAPPYCO_PASSWORD", "hunter2")
    source = {**ATTRIBUTES["source"], "password": "{{ env.HAPPYCO_PASSWORD }}"}
    keys, defs = built({**ATTRIBUTES, "source": source})
    assert keys == {"happyco_west/broken_connection"}
    assert "hunter2" not in str(list(defs.resolve_all_asset_specs()))


def test_two_components_with_one_destination_can_be_merged() -> None:
    _, west = built(ATTRIBUTES, "happyco_west")
    _, east = built(ATTRIBUTES, "happyco_east")
    dg.Definitions.validate_loadable(dg.Definitions.merge(west, east))


def test_plain_python_makes_the_same_definitions() -> None:
    vendor = Acme()
    defs = propexo_connect.build_connection_defs(
        name="acme",
        source={"connector": "acme"},
        destination={"kind": "duckdb", "path": "warehouse.duckdb"},
        streams={"units": {"history": True}},
        schedule={"every": "1h"},
        translate=lambda spec, plan: spec.replace_attributes(key=["pms", plan.stream.name]),
        connectors={"acme": vendor},
    )
    dg.Definitions.validate_loadable(defs)
    assert dg.AssetKey(["pms", "units"]) in {spec.key for spec in defs.resolve_all_asset_specs()}


def test_plain_python_is_told_at_once_what_is_wrong() -> None:
    with pytest.raises(InvalidConnection, match="`source` is missing"):
        propexo_connect.build_connection_defs(name="acme", destination={"kind": "duckdb", "path": "w.duckdb"})


def test_the_package_does_not_import_dagster() -> None:
    code = "import sys, propexo_connect; sys.exit('dagster' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_dg_lists_scaffolds_and_checks_the_component(tmp_path: Path) -> None:
    """Once through the command itself: what it writes is what it takes."""
    package = tmp_path / "demo_project"
    (package / "defs").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "defs" / "__init__.py").touch()
    (tmp_path / "pyproject.toml").write_text(
        '[tool.dg]\ndirectory_type = "project"\n[tool.dg.project]\nroot_module = "demo_project"\n'
        'registry_modules = ["propexo_connect.components"]\n'
    )
    name = "propexo_connect.components.ConnectionComponent"

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        dg_command = Path(sys.executable).with_name("dg")
        environ = {**os.environ, "PYTHONPATH": str(tmp_path)}
        return subprocess.run(
            [dg_command, *arguments], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
        )

    listed = json.loads(run("list", "components", "--json").stdout)["items"]
    (entry,) = [one for one in listed if one["key"] == name]
    assert entry["summary"].startswith("Copies the streams of a source")
    scaffolded = run("scaffold", "defs", name, "happyco_west")
    assert scaffolded.returncode == 0, scaffolded.stderr
    written = package / "defs" / "happyco_west" / "defs.yaml"
    checked = run("check", "yaml")
    assert checked.returncode == 0, checked.stdout
    written.write_text(written.read_text().replace("  description:", "  descripton:"))
    refused = run("check", "yaml")
    assert refused.returncode != 0
    assert "defs.yaml:7" in refused.stdout + refused.stderr
