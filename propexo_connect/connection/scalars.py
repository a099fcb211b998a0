"""The types of single values in a connection file: zones, crons, names, days, times, field types.

Each reads what a person writes, says in a sentence what is wrong with it, and shows editors its shape.
"""

import re
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from propexo_connect.connection.cron import EXPECTED_CRON, read_cron, zone_names
from propexo_connect.connection.problem import close, quoted
from propexo_connect.model.duration import Duration, duration_text, fault
from propexo_connect.model.errors import ConfigurationError
from propexo_connect.model.field import FieldType

EXPECTED_ZONE = "an IANA time zone such as America/Chicago or UTC"

_TAG_KEY = r"(?:[A-Za-z0-9_.-]{1,63}/)?[A-Za-z0-9_.-]{1,63}"
_TAG_VALUE = r"[A-Za-z0-9_.-]{0,63}"
_OWNER = r"(?:team:.+|[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,})"
_DAYS = {
    day: day[:3] for day in ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
}
_DAY: dict[str, Any] = {"type": "string", "enum": list(_DAYS.values())}
_ONE_OR_MORE: dict[str, Any] = {
    "anyOf": [
        {"type": "string", "minLength": 1},
        {"type": "array", "items": {"type": "string", "minLength": 1}},
    ]
}


def _read_zone(value: object) -> object:
    if isinstance(value, str) and value not in zone_names():
        raise fault(f"{quoted(value)} is no time zone", EXPECTED_ZONE, close(value, zone_names()))
    return value


def _read_cron(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return read_cron(value)
    except ValueError as error:
        raise fault(str(error), EXPECTED_CRON) from None


def _read_type(value: object) -> object:
    if isinstance(value, FieldType):
        return value
    try:
        return FieldType.parse(str(value))
    except ConfigurationError as error:
        raise fault(error.found, error.expected) from None


def _read_time(value: object) -> object:
    found = re.fullmatch(r"(\d\d?):(\d\d)", value) if isinstance(value, str) else None
    if found is None or int(found[2]) > 59 or int(found[1]) * 60 + int(found[2]) > 24 * 60:
        raise fault(f"{quoted(value)} is no time of day", 'a time from "00:00" to "24:00"')
    return int(found[1]) * 60 + int(found[2])


def _read_day(value: object) -> object:
    return _DAYS.get(value.lower(), value.lower()) if isinstance(value, str) else value


def _read_owner(value: str) -> str:
    if not re.fullmatch(_OWNER, value):
        raise fault(quoted(value), "an e-mail address or `team:name`")
    return value


def _read_tags(value: dict[str, str]) -> dict[str, str]:
    for key, text in value.items():
        if not re.fullmatch(_TAG_KEY, key) or not re.fullmatch(_TAG_VALUE, text):
            raise fault(
                f"the tag {quoted(f'{key}: {text}')}",
                "letters, digits, `_`, `-` and `.`, at most 63 of them, in key and value",
            )
    return value


def _read_share(value: object) -> object:
    if isinstance(value, str):
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", value)
        if found is None or not 0 < float(found[1]) <= 100:
            raise fault(quoted(value), "a share such as 20%, up to 100%")
        return float(found[1]) / 100
    return value


def _one_or_more(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise fault(f"'{duration_text(value)}'", "a duration longer than nothing")
    return value


def _whole_minutes(value: timedelta) -> timedelta:
    minute = timedelta(minutes=1)
    if value < minute or value % minute or value > timedelta(days=366):
        raise fault(f"'{duration_text(value)}'", "whole minutes, from 1m to 366d")
    return value


Zone = Annotated[
    str,
    BeforeValidator(_read_zone),
    WithJsonSchema({"type": "string", "examples": ["America/Chicago", "UTC"]}),
]
"""The name of an IANA time zone that this machine knows."""

Name = Annotated[str, Field(min_length=1)]

Names = Annotated[list[Name], BeforeValidator(_one_or_more), WithJsonSchema(_ONE_OR_MORE)]
"""A list of names, or one name by itself."""

Crons = Annotated[
    list[Annotated[str, BeforeValidator(_read_cron)]],
    Field(min_length=1),
    BeforeValidator(_one_or_more),
    WithJsonSchema(_ONE_OR_MORE | {"examples": ["0 6 * * *", "*/15 8-18 * * mon-fri"]}),
]
"""Cron expressions of five fields, or one by itself."""

Span = Annotated[Duration, AfterValidator(_positive)]
"""A duration longer than nothing."""

Interval = Annotated[Duration, AfterValidator(_whole_minutes)]
"""A duration of whole minutes, at least one."""

Share = Annotated[
    float,
    BeforeValidator(_read_share),
    Field(gt=0, le=1),
    WithJsonSchema({"type": "string", "pattern": r"^\d+(\.\d+)?\s*%$", "examples": ["20%"]}),
]
"""A part of a whole, written as `20%`."""

Owner = Annotated[str, AfterValidator(_read_owner)]
Tags = Annotated[dict[str, str], AfterValidator(_read_tags)]

Days = Annotated[
    list[Annotated[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], BeforeValidator(_read_day)]],
    Field(min_length=1),
    BeforeValidator(_one_or_more),
    WithJsonSchema({"anyOf": [_DAY, {"type": "array", "items": _DAY, "minItems": 1}]}),
]
"""A list of days, or one day by itself."""

TimeOfDay = Annotated[
    int,
    BeforeValidator(_read_time),
    WithJsonSchema({"type": "string", "pattern": r"^\d\d?:\d\d$", "examples": ["06:00"]}),
]
"""Minutes after midnight, written as `06:00`."""

Type = Annotated[
    FieldType,
    BeforeValidator(_read_type),
    WithJsonSchema({"type": "string", "examples": ["text", "decimal(18,2)", "timestamp"]}),
]
