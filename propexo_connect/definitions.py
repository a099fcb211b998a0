"""What Dagster loads: the connections of a folder, and the components in `defs/` where there are any."""

import os
from collections.abc import Mapping
from pathlib import Path

import dagster as dg

from propexo_connect.orchestration.location import definitions_for

FOLDER_VARIABLE = "PROPEXO_CONNECTIONS"
"""Names the environment variable with the folder of the connection files."""

PACKAGE = Path(__file__).parent


def connections_folder(environ: Mapping[str, str], cwd: Path) -> Path:
    """The folder of the connection files: the variable's, else `connections/` here, else the project's."""
    named = environ.get(FOLDER_VARIABLE, "")
    if named:
        return Path(named).expanduser()
    here = cwd / "connections"
    return here if here.is_dir() else PACKAGE.parent / "connections"


@dg.definitions
def defs() -> dg.Definitions:
    """All definitions of the code location."""
    connections = definitions_for(connections_folder(os.environ, Path.cwd()))
    if not any((PACKAGE / "defs").glob("*/defs.yaml")):
        return connections
    return dg.Definitions.merge(connections, dg.load_from_defs_folder(path_within_project=PACKAGE))
