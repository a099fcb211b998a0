"""How vendors write instants: in the bounds that they are asked with, and in the records that come back.

    iso         2026-03-01T12:00:00Z             naive    2026-03-01T12:00:00 in the zone
    iso_ms      2026-03-01T12:00:00.000Z         spaced   2026-03-01 12:00:00 in the zone
    offset      2026-03-01T05:00:00-07:00        date     2026-03-01 in the zone
    epoch       1772366400                       us_date  03/01/2026 in the zone
    epoch_ms    1772366400000                    rfc2822  Sun, 01 Mar 2026 12:00:00 +0000
    http        Sun, 01 Mar 2026 12:00:00 GMT    dotnet   /Date(1772366400000)/ (read only)
    epoch_ms_text  the number as a text, where a JSON body must hold it so

Any other text with a `%` is a pattern of strftime, in the zone.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator

_DOTNET = re.compile(r"/Date\((-?\d+)(?:[+-]\d{4})?\)/")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_ASKED: dict[str, Callable[[datetime], str | int]] = {
    "iso": lambda at: at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    "iso_ms": lambda at: at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    "offset": lambda at: at.isoformat(timespec="seconds"),
    "naive": lambda at: at.strftime("%Y-%m-%dT%H:%M:%S"),
    "spaced": lambda at: at.strftime("%Y-%m-%d %H:%M:%S"),
    "date": lambda at: at.strftime("%Y-%m-%d"),
    "us_date": lambda at: at.strftime("%m/%d/%Y"),
    "epoch": lambda at: int(at.timestamp()),
    "epoch_ms": lambda at: int(at.timestamp()) * 1000 + at.microsecond // 1000,
    "epoch_ms_text": lambda at: str(int(at.timestamp()) * 1000 + at.microsecond // 1000),
    "rfc2822": lambda at: format_datetime(at.astimezone(UTC)),
    "http": lambda at: format_datetime(at.astimezone(UTC), usegmt=True),
}
_READ = frozenset({*_ASKED, "dotnet"})


def _checked(text: str) -> str:
    if text not in _READ and "%" not in text:
        raise ValueError(f"one of {', '.join(sorted(_READ))}, or a pattern such as %d.%m.%Y")
    return text


Written = Annotated[str, AfterValidator(_checked)]
"""The name of a way to write instants, or a pattern."""


def write(instant: datetime, written: str, zone: str = "UTC") -> str | int:
    """An instant as a vendor is asked for it."""
    local = instant.astimezone(ZoneInfo(zone))
    way = _ASKED.get(written)
    return way(local) if way else local.strftime(written)


def read(value: str | float, written: str, zone: str = "UTC") -> str | None:
    """A vendor's instant in ISO 8601, or the date; None for what is not written so.

    A local time that comes twice when clocks go back is taken for the first.
    """
    try:
        if written in {"epoch", "epoch_ms", "epoch_ms_text"}:
            number = float(value) if written == "epoch" else float(value) / 1000
            return _iso(_EPOCH + timedelta(microseconds=round(number * 1_000_000)))
        text = str(value).strip()
        if written == "dotnet":
            found = _DOTNET.fullmatch(text)
            return _iso(_EPOCH + timedelta(milliseconds=int(found[1]))) if found else None
        if written in {"rfc2822", "http"}:
            parsed = parsedate_to_datetime(text)
            return _iso(parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC))
        if written == "us_date":
            return datetime.strptime(text, "%m/%d/%Y").date().isoformat()  # noqa: DTZ007 - a date has no zone
        if "%" in written:
            at = datetime.strptime(text, written)  # noqa: DTZ007 - the zone follows
            if not re.search("%[HIMSfT]", written):
                return at.date().isoformat()
        else:
            at = datetime.fromisoformat(text)
        return _iso(at if at.tzinfo else at.replace(tzinfo=ZoneInfo(zone)))
    except (ValueError, OverflowError, TypeError):
        return None


def _iso(instant: datetime) -> str:
    text = instant.astimezone(UTC).replace(tzinfo=None).isoformat()
    return f"{text}Z"
