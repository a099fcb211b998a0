"""What a vendor can be asked for by date, and how it is asked (SEMANTICS §9)."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Discriminator

from propexo_connect.http.plan.instants import Written
from propexo_connect.http.plan.value import value
from propexo_connect.model.duration import Duration, DurationOrNever
from propexo_connect.model.stream import NO_TIME, Filter, Meaning

Grain = Literal["second", "minute", "hour", "day"]

_GRAINS = {
    "second": timedelta(seconds=1),
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
}


@value
class Between:
    """The vendor filters, by one or both bounds.

        Between("updated", "lastupdatedfrom", "lastupdatedto")                 two parameters
        Between("DateSent", "DateSent>=", "DateSent<=", grain="day")           the operator is in the name
        Between("UpdateDate", into="filters", join=";",
                terms=("UpdateDate,gte,{start}", "UpdateDate,lte,{end}"))              a filter language

    Args:
        field: what is filtered on, in the source's own words; a record need not carry it.
        lower, upper: the parameters of the bounds; empty: the vendor does not take that one.
        at: where they go; "header" for If-Modified-Since. Dotted names step into a body or variables.
        into, terms, join, wrap: a filter language: the terms whose bounds are there, joined and wrapped
            (`[{terms}]`), in the parameter `into`, or wherever `{filter}` stands.
        written, zone: how bounds are written. grain: the vendor's resolution, counted in the zone.
        meaning: what the field tells; by "created" and "business" later changes are not shown.
        required: a request without it is refused: a whole read asks from `earliest` on.
        widest: the longest range that one request may span.
        margin: asked for beyond both ends, where nobody says whether bounds are included.
        proves: whether the engine proves at first use that the filter is honoured.
    """

    field: str
    lower: str = ""
    upper: str = ""
    at: Literal["query", "body", "form", "variables", "header"] = "query"
    into: str = ""
    terms: tuple[str, ...] = ()
    join: str = ","
    wrap: str = "{terms}"
    written: Written = "iso"
    zone: str = "UTC"
    grain: Grain = "second"
    meaning: Literal["updated", "created", "business"] = "updated"
    required: bool = False
    earliest: str = "1970-01-01"
    widest: DurationOrNever = None
    horizon: DurationOrNever = None
    lookback: Duration = NO_TIME
    lag: Duration = NO_TIME
    full_every: DurationOrNever = None
    margin: Duration = NO_TIME
    proves: bool = True
    kind: Literal["between"] = "between"

    def __post_init__(self) -> None:
        if not self.lower and not self.upper and not self.terms:
            raise ValueError("a filter needs `lower`, `upper` or `terms`")

    @property
    def has_lower(self) -> bool:
        """Whether the vendor takes a lower bound."""
        return bool(self.lower) or any("{start" in term for term in self.terms)

    @property
    def has_upper(self) -> bool:
        """Whether the vendor takes an upper bound."""
        return bool(self.upper) or any("{end" in term for term in self.terms)

    def filter(self, zone: str) -> Filter:
        """The filter as the engine plans with it; `zone` is the one with settings filled in."""
        return Filter(
            self.field,
            Meaning(self.meaning),
            lower=self.has_lower,
            upper=self.has_upper,
            resolution=_GRAINS[self.grain],
            zone=zone,
            widest=self.widest,
            horizon=self.horizon,
            lookback=self.lookback,
            lag=self.lag,
            full_every=self.full_every,
        )


@value
class Newest:
    """The vendor filters nothing; we keep what changed since, by a field that records carry.

    Args:
        field: where a record holds its instant, written as `written`.
        ordered: the list is newest first, so that reading ends at the first page that is older throughout;
            else every page is read.
    """

    field: str
    written: Written = "iso"
    zone: str = "UTC"
    ordered: bool = False
    meaning: Literal["updated", "created", "business"] = "updated"
    lookback: Duration = NO_TIME
    lag: Duration = NO_TIME
    full_every: DurationOrNever = None
    kind: Literal["newest"] = "newest"

    def filter(self, zone: str) -> Filter:
        """The filter as the engine plans with it."""
        return Filter(
            self.field,
            Meaning(self.meaning),
            upper=False,
            resolution=_GRAINS["second"],
            zone=zone,
            lookback=self.lookback,
            lag=self.lag,
            full_every=self.full_every,
        )


AnyFilter = Annotated[Between | Newest, Discriminator("kind")]
