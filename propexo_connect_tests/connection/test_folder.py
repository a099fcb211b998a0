"""A folder of connections, some of them broken."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from propexo_connect.connection.folder import Loaded, load_connections
from propexo_connect.model.errors import ConfigurationError
from propexo_connect_tests.connection.fakes import CONNECTORS, DESTINATIONS, GOOD


def load(folder: Path, files: Mapping[str, str | bytes]) -> Loaded:
    """Load a folder with these files."""
    for name, content in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
    return load_connections(folder, connectors=CONNECTORS, destinations=DESTINATIONS)


def names(loaded: Loaded) -> tuple[list[str], list[str]]:
    """Which connections are good, and which are broken."""
    return [found.name for found in loaded.connections], [found.name for found in loaded.broken]


def test_a_broken_file_takes_no_other_down(tmp_path: Path) -> None:
    loaded = load(
        tmp_path,
        {
            "a.yaml": GOOD,
            "b.yaml": "a: [",
            "c.yaml": b"\xff\xfe",
            "d.yaml": "",
            "e.yaml": GOOD.replace("acme", "faulty"),
            "f.yml": GOOD,
        },
    )
    assert names(loaded) == (["a", "f"], ["b", "c", "d", "e"])
    assert all(str(broken.file) in str(broken) for broken in loaded.broken)


def test_a_connection_is_named_by_its_file_unless_it_names_itself(tmp_path: Path) -> None:
    loaded = load(tmp_path, {"a.yaml": GOOD, "b.yaml": "name: other\n" + GOOD})
    assert names(loaded) == (["a", "other"], [])
    assert loaded.connections[0].file == tmp_path / "a.yaml"


def test_what_begins_with_a_dot_or_underscore_and_what_is_shared_is_no_connection(tmp_path: Path) -> None:
    files = [
        "_a.yaml",
        ".b.yaml",
        "_old/c.yaml",
        ".d/e.yaml",
        "sources/f.yaml",
        "destinations/g.yaml",
        "h.txt",
        "schema.json",
    ]
    assert names(load(tmp_path, dict.fromkeys(files, GOOD))) == ([], [])


def test_connections_may_stand_in_folders(tmp_path: Path) -> None:
    assert names(load(tmp_path, {"north/a.yaml": GOOD, "south/sources/b.yaml": GOOD})) == (["a", "b"], [])


def test_a_shared_source_and_destination_are_taken_in(tmp_path: Path) -> None:
    loaded = load(
        tmp_path,
        {
            "a.yaml": "source: main\ndestination: lake\nstreams: [members]\n",
            "sources/main.yaml": "connector: acme\nemail: m@example.com\npassword: ${P}\n",
            "destinations/lake.yml": "kind: warehouse\npath: lake.db\n",
        },
    )
    assert names(loaded) == (["a"], [])
    assert loaded.connections[0].source_config.model_dump()["email"] == "m@example.com"


def test_a_change_of_a_shared_source_changes_the_fingerprint(tmp_path: Path) -> None:
    files = {"a.yaml": GOOD.replace(GOOD[: GOOD.index("destination")], "source: main\n")}
    shared = "connector: acme\nemail: m@example.com\npassword: ${P}\n"
    before = load(tmp_path, files | {"sources/main.yaml": shared})
    after = load(tmp_path, files | {"sources/main.yaml": shared + "port: 8443\n"})
    assert before.connections[0].fingerprint != after.connections[0].fingerprint


def test_a_problem_in_a_shared_file_is_placed_there(tmp_path: Path) -> None:
    loaded = load(
        tmp_path,
        {
            "a.yaml": GOOD.replace(GOOD[: GOOD.index("destination")], "source: main\n"),
            "sources/main.yaml": "connector: acme\nemail: m@example.com\npassword: hunter2\n",
        },
    )
    (problem,) = loaded.broken[0].problems
    assert problem.place == f"{tmp_path}/sources/main.yaml:3:1"
    assert "hunter2" not in str(loaded.broken[0])


def test_a_shared_file_that_is_not_there_is_named_with_the_nearest(tmp_path: Path) -> None:
    loaded = load(
        tmp_path,
        {
            "a.yaml": "source: main\ndestination: {kind: warehouse, path: w}\nstreams: [members]\n",
            "sources/maine.yaml": "x: y\n",
        },
    )
    (problem,) = loaded.broken[0].problems
    assert (problem.found, problem.remedy) == ("no file 'sources/main.yaml'", "Did you mean 'maine'?")


def test_of_two_connections_with_one_name_the_later_file_is_broken(tmp_path: Path) -> None:
    loaded = load(tmp_path, {"a.yaml": "name: same\n" + GOOD, "b.yaml": "name: same\nnamespace: b\n" + GOOD})
    assert names(loaded) == (["same"], ["same"])
    assert str(tmp_path / "a.yaml") in str(loaded.broken[0])


def test_a_broken_file_keeps_its_name_because_its_tables_may_exist(tmp_path: Path) -> None:
    loaded = load(tmp_path, {"a.yaml": "name: same\nx: y\n" + GOOD, "b.yaml": "name: same\n" + GOOD})
    assert names(loaded) == ([], ["same", "same"])


def test_of_two_connections_that_write_one_table_the_later_file_is_broken(tmp_path: Path) -> None:
    shared = "namespace: lake\n" + GOOD
    loaded = load(
        tmp_path,
        {
            "a.yaml": shared,
            "b.yaml": shared,
            "c.yaml": shared.replace("w.db", "x.db"),
            "d.yaml": shared + "prefix: d_\n",
        },
    )
    assert names(loaded) == (["a", "c", "d"], ["b"])
    (problem,) = loaded.broken[0].problems
    assert "lake.work_orders" in problem.found
    assert "'a'" in problem.found
    assert problem.path == "streams.work_orders"


def test_one_place_is_known_by_its_address_however_it_is_written(tmp_path: Path) -> None:
    shared = "namespace: lake\n" + GOOD
    other = shared.replace("path: w.db", "path: w.db\n  password: ${P}")
    assert names(load(tmp_path, {"a.yaml": shared, "b.yaml": other})) == (["a"], ["b"])


def test_a_place_that_only_the_environment_knows_is_known_by_its_reference(tmp_path: Path) -> None:
    one, two = (
        "namespace: lake\n" + GOOD.replace("w.db", f"w.db\n  url: ${{{name}}}") for name in ("ONE", "TWO")
    )
    assert names(load(tmp_path, {"a.yaml": one, "b.yaml": two, "c.yaml": one})) == (["a", "b"], ["c"])


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no folder"):
        load_connections(tmp_path / "x", connectors=CONNECTORS, destinations=DESTINATIONS)


def test_connections_come_in_the_order_of_their_files(tmp_path: Path) -> None:
    loaded = load(tmp_path, {f"c{number:03}.yaml": GOOD for number in range(100)})
    assert [found.name for found in loaded.connections] == [f"c{number:03}" for number in range(100)]
