"""Operations of vendors behind partner agreements, as a connection's settings name them.

What is public of such a vendor are the names of operations and how they are called; where an answer holds its
records, and what identifies them, its customers know. Each stream is such an operation, and any of its facts can
be set. Until `records` is set, an answer is one record as it came, known by the property that it is of.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic import Field as Setting

from propexo_connect.http.plan import ApiStream, Between, Each
from propexo_connect.http.plan.filters import AnyFilter
from propexo_connect.http.plan.instants import Written


class Operation(BaseModel):
    """One operation, and the way into its answers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    call: str = Setting(description="Name of the operation.")
    of: str = Setting(default="", description="The interface or area that offers it.")
    records: str = Setting(
        default="", description="Where its records stand, from the outermost name inwards."
    )
    key: tuple[str, ...] = Setting(default=(), description="The fields that identify a record.")
    once: bool = Setting(default=False, description="Whether it is called once, not for each property.")
    dates: tuple[str, ...] = Setting(
        default=(), description="Parameters of the first and last day, if it takes any."
    )
    written: Written = Setting(
        default="date", description="How days are written: date, us_date, or a pattern."
    )
    parameters: dict[str, str] = Setting(default_factory=dict[str, str], description="Further parameters.")


PROPERTY = "propertyCode"
"""The field that names the property of a record."""

UNSURE = ("Where its records stand and what identifies them, until `records` and `key` are set.",)


def stream_of(
    name: str, operation: Operation, each: str, days: AnyFilter | None, in_parts: bool = False, **asking: Any
) -> ApiStream:
    """The stream of an operation that is called for each property of a setting.

    Args:
        each: the setting. days: the filter of an operation that takes days. in_parts: answers come in pages.
    """
    each = "" if operation.once else each
    key = operation.key
    if not operation.records:
        # An answer that is only a part of a property's records must not take the place of another part.
        key = () if operation.dates or in_parts else (PROPERTY,)
    return ApiStream(
        name,
        key=key if each or operation.records else (),
        description=f"What {operation.call} answers.",
        filter=days,
        each=Each(each) if each else None,
        add={PROPERTY: "{each}"} if each else {},
        unconfirmed=UNSURE,
        **asking,
    )


def by_days(operation: Operation, at: str = "") -> Between | None:
    """The filter of an operation that takes days: both are always sent.

    Args:
        at: "form" sends them as parameters; else the request's template holds {start} and {end}.
    """
    if not operation.dates:
        return None
    named: Mapping[str, Any] = (
        {"lower": operation.dates[0], "upper": operation.dates[-1], "at": at}
        if at
        else {"terms": ("{start}", "{end}")}
    )
    return Between(
        operation.dates[0],
        written=operation.written,
        grain="day",
        zone="{time_zone}",
        required=True,
        earliest="{earliest}",
        meaning="business",
        **named,
    )
