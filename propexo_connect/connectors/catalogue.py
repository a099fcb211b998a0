"""The catalogue: every kind of source, by the name of its module; its code is loaded when it is asked for.

A module of this room that has a line `connector = …` is a connector, so adding one is adding a file.
"""

import importlib
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from propexo_connect.connectors.base import Connector

_PUBLISHES = re.compile(r"^connector\b[^=\n]*=", re.MULTILINE)
_NAME = re.compile(r"[a-z][a-z0-9_]*")


class Catalogue(Mapping[str, Connector]):
    """Connectors by name; loads the code of one when it is asked for by its name."""

    def __getitem__(self, name: str) -> Connector:
        if name not in _names():
            raise KeyError(name)
        module = importlib.import_module(f"propexo_connect.connectors.{name}")
        connector: Connector = module.connector
        return connector

    def __contains__(self, name: object) -> bool:
        return name in _names()

    def __iter__(self) -> Iterator[str]:
        return iter(_names())

    def __len__(self) -> int:
        return len(_names())


@cache
def _names() -> tuple[str, ...]:
    """The names of all connectors, in order of the alphabet."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return tuple(
        file.stem
        for file in files
        if _NAME.fullmatch(file.stem) and _PUBLISHES.search(file.read_text(encoding="utf-8"))
    )


CONNECTORS: Mapping[str, Connector] = Catalogue()
"""By the name under which a connection file asks for them."""
