"""Each test that asks for `outbox` runs once per destination."""

import pytest

from propexo_connect_tests.destinations.conftest import ask, configured, options
from propexo_connect_tests.events.kit import Outbox

__all__ = ["options", "outbox"]


@pytest.fixture
def outbox(options: dict[str, str]) -> Outbox:
    """A fresh destination, not open."""
    settings = {key: value for key, value in options.items() if key != "name"}
    name = options["name"]
    destination = configured(name, settings)
    with destination.open():
        pass
    return Outbox(name, destination, lambda sql: ask(name, settings, sql), settings)
