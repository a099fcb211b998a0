"""Fields in short: `Id:integer Name LeaseFromDate:date created:timestamp@epoch Address:json`.

Words apart from blanks, in the order in which the table shows them: the name, after a colon the type
(text when there is none), after an @ how the vendor writes an instant (`instants`). In YAML also a mapping.
"""

from collections.abc import Mapping
from typing import Annotated, Any, cast

from pydantic import BeforeValidator

from propexo_connect.http.plan.instants import Written
from propexo_connect.http.plan.value import value
from propexo_connect.model.errors import ConfigurationError
from propexo_connect.model.field import Field, FieldType

_SHORT = {"int": "integer", "bool": "boolean", "ts": "timestamp", "money": "decimal(38,9)"}


@value
class ApiField:
    """One field: its name, its type in short, how its instants are written, and what it is."""

    name: str
    type: str = "text"
    written: Written | None = None
    description: str = ""

    def __post_init__(self) -> None:
        try:
            FieldType.parse(_SHORT.get(self.type, self.type))
        except ConfigurationError as error:
            raise ValueError(str(error)) from None

    @property
    def field(self) -> Field:
        """The field as the engine has it."""
        return Field(self.name, FieldType.parse(_SHORT.get(self.type, self.type)), self.description)


def fields_of(written: str) -> tuple[ApiField, ...]:
    """The fields of a line in short."""
    return tuple(_field(*_split(word)) for word in written.split())


def _split(word: str) -> tuple[str, str]:
    name, _, kind = word.partition(":")
    return name, kind


def _field(name: str, kind: str, description: str = "") -> ApiField:
    type_name, _, written = kind.partition("@")
    return ApiField(name, type_name or "text", written or None, description)


def _read(given: Any) -> Any:
    if isinstance(given, str):
        return fields_of(given)
    if isinstance(given, Mapping):
        return tuple(_field(name, str(kind)) for name, kind in cast("Mapping[str, Any]", given).items())
    return given


Fields = Annotated[tuple[ApiField, ...] | str, BeforeValidator(_read)]
"""Fields as a table of a plan holds them: in short; they are always read into a tuple."""
