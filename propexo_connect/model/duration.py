"""Durations and sizes as people write them: `90s`, `15m`, `6h`, `30d`, `1y`, `1h30m`; `32MB`."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

_UNITS = {
    "y": timedelta(days=365),
    "w": timedelta(weeks=1),
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
}
_SIZES = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
_DURATION = r"(?:\d{1,9}[ywdhms])+"
_SIZE = r"\d{1,12} ?(?:[kKMG]i?)?B"
_LONGEST = timedelta(days=36_500)

EXPECTED_DURATION = "a duration such as 90s, 15m, 6h, 30d, 2w or 1h30m"
EXPECTED_SIZE = "a size such as 500kB, 32MB or 64MiB"


def parse_duration(text: str) -> timedelta:
    """Read years, weeks, days, hours, minutes and seconds, each a whole number with its unit.

    A day is 24 hours, a year 365 days. Units may follow each other, the larger ones need not come first.

    Raises:
        ValueError: not written so, or longer than a hundred years.
    """
    if not re.fullmatch(_DURATION, text):
        raise ValueError(f"'{text}' is no duration")
    parts = re.findall(r"(\d+)([ywdhms])", text)
    seconds = sum(int(count) * int(_UNITS[unit].total_seconds()) for count, unit in parts)
    if seconds > _LONGEST.total_seconds():
        raise ValueError(f"'{text}' is longer than a hundred years")
    return timedelta(seconds=seconds)


def duration_text(duration: timedelta) -> str:
    """The duration as it would be written in a file, in its largest units: `1d`, `1h30m`, `0s`."""
    seconds = int(duration.total_seconds())
    text = ""
    for unit, length in _UNITS.items():
        if unit in "yw" and seconds % int(length.total_seconds()):
            continue  # 10d reads better than 1w3d
        count, seconds = divmod(seconds, int(length.total_seconds()))
        text += f"{count}{unit}" if count else ""
    return text or "0s"


def parse_size(text: str) -> int:
    """Read a number of bytes; kB, MB and GB count in thousands, KiB, MiB and GiB in 1,024s.

    Raises:
        ValueError: not written so.
    """
    if not re.fullmatch(_SIZE, text):
        raise ValueError(f"'{text}' is no size")
    number, unit = re.findall(r"(\d+) ?(\w+)", text)[0]
    return int(number) * _SIZES[unit.upper()]


def fault(found: str, expected: str, remedy: str = "") -> PydanticCustomError:
    """An error of a field, in the parts that a problem has."""
    # Passed as context, because braces in a template would be taken for placeholders.
    return PydanticCustomError(
        "connection", "{found}", {"found": found, "expected": expected, "remedy": remedy}
    )


def _read_duration(value: object) -> object:
    if isinstance(value, timedelta):
        return value
    try:
        return parse_duration(str(value))
    except ValueError as error:
        remedy = "Write the unit, too." if str(value).isdigit() else ""
        raise fault(str(error), EXPECTED_DURATION, remedy) from None


def _read_duration_or_never(value: object) -> object:
    return None if value is None or value == "never" else _read_duration(value)


def _read_size(value: object) -> object:
    if isinstance(value, int):
        return value
    try:
        return parse_size(str(value))
    except ValueError as error:
        remedy = "Write the unit, too." if str(value).isdigit() else ""
        raise fault(str(error), EXPECTED_SIZE, remedy) from None


Duration = Annotated[
    timedelta,
    BeforeValidator(_read_duration),
    WithJsonSchema(
        {"type": "string", "pattern": f"^{_DURATION}$", "examples": ["30d", "6h", "15m", "1h30m"]}
    ),
]
"""A span of time in a connection file; never negative."""

DurationOrNever = Annotated[
    timedelta | None,
    BeforeValidator(_read_duration_or_never),
    WithJsonSchema({"type": "string", "pattern": f"^(?:never|{_DURATION})$", "examples": ["7d", "never"]}),
]
"""A span of time, or the word `never`, which is None."""

Size = Annotated[
    int,
    BeforeValidator(_read_size),
    WithJsonSchema({"type": "string", "pattern": f"^{_SIZE}$", "examples": ["32MB", "64MiB"]}),
]
"""A number of bytes in a connection file."""
