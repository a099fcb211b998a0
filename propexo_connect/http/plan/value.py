"""How the values of a plan are made: frozen, validated, and refusing names that they do not have."""

from collections.abc import Callable
from dataclasses import field
from typing import Any, TypeVar, dataclass_transform

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

T = TypeVar("T")

_CONFIG = ConfigDict(extra="forbid", arbitrary_types_allowed=True)


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(cls: type[T]) -> type[T]:
    """A value whose first fields may be given by position, in Python as in a table."""
    make: Callable[[type[T]], Any] = dataclass(frozen=True, config=_CONFIG)
    return make(cls)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def named_value(cls: type[T]) -> type[T]:
    """A value whose fields are given by name only; a base of others, whose own fields come first."""
    make: Callable[[type[T]], Any] = dataclass(frozen=True, kw_only=True, config=_CONFIG)
    return make(cls)
