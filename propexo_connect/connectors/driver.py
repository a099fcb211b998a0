"""Drivers that not every installation has: loaded when a source is opened, named when they are missing."""

from importlib import import_module
from types import ModuleType

from propexo_connect.model.errors import ConfigurationError


def load(module: str, extra: str, what: str) -> ModuleType:
    """The module, which the extra of this package brings.

    Raises:
        ConfigurationError: it is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"{what} cannot be read here: the package '{error.name}' is not installed",
            remedy=f"Install it with: pip install 'propexo-connect[{extra}]'.",
        ) from error
