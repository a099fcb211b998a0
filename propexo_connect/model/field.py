"""Fields and their types, the same for every source and destination."""

import re
from dataclasses import dataclass
from enum import StrEnum

from propexo_connect.model.errors import ConfigurationError


class Kind(StrEnum):
    """What a value is, whatever system it came from."""

    TEXT = "text"
    INTEGER = "integer"
    """Signed, 64 bits."""
    DECIMAL = "decimal"
    FLOAT = "float"
    """IEEE 754 double; NaN and infinities do not fit."""
    BOOLEAN = "boolean"
    DATE = "date"
    """0001-01-01 to 9999-12-31."""
    TIMESTAMP = "timestamp"
    """An instant, stored in UTC with microseconds."""
    DATETIME = "datetime"
    """A local date and time without a zone, with microseconds."""
    TIME = "time"
    JSON = "json"
    """Any JSON value, in canonical form: compact, keys sorted."""
    BINARY = "binary"


FIRST_DAY, LAST_DAY = -719_162, 2_932_896
"""0001-01-01 and 9999-12-31, in days from 1970-01-01: what dates and instants lie between."""

DAY_US = 86_400_000_000
"""Microseconds of a day."""


@dataclass(frozen=True, slots=True)
class FieldType:
    """A kind, with precision and scale where it is a decimal."""

    kind: Kind
    precision: int = 38
    scale: int = 9

    def __str__(self) -> str:
        return f"decimal({self.precision},{self.scale})" if self.kind is Kind.DECIMAL else str(self.kind)

    @classmethod
    def parse(cls, text: str) -> "FieldType":
        """Read `text`, `integer`, `decimal(18,2)` and so on.

        Raises:
            ConfigurationError: no such type.
        """
        found = re.fullmatch(r"\s*([a-z]+)\s*(?:\(\s*(\d+)\s*,\s*(\d+)\s*\))?\s*", text)
        if found and found[1] in set(Kind) and (found[2] is None or found[1] == Kind.DECIMAL):
            if found[2] is None:
                return cls(Kind(found[1]))
            precision, scale = int(found[2]), int(found[3])
            if 1 <= precision <= 38 and 0 <= scale <= precision:
                return cls(Kind.DECIMAL, precision, scale)
        raise ConfigurationError(
            f"'{text}' is not a field type",
            expected=f"one of {', '.join(Kind)}, decimals as decimal(18,2) with at most 38 digits",
        )


TEXT = FieldType(Kind.TEXT)
INTEGER = FieldType(Kind.INTEGER)
DECIMAL = FieldType(Kind.DECIMAL)
FLOAT = FieldType(Kind.FLOAT)
BOOLEAN = FieldType(Kind.BOOLEAN)
DATE = FieldType(Kind.DATE)
TIMESTAMP = FieldType(Kind.TIMESTAMP)
DATETIME = FieldType(Kind.DATETIME)
TIME = FieldType(Kind.TIME)
JSON = FieldType(Kind.JSON)
BINARY = FieldType(Kind.BINARY)


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a stream, under the source's own name."""

    name: str
    type: FieldType
    description: str = ""
