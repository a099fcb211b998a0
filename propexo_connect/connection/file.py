"""What a user may write in a connection file: its fields, with their words for people and editors.

`source` and `destination` are checked elsewhere, against the models of their connectors.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal, Self, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from propexo_connect.connection.problem import quoted
from propexo_connect.connection.scalars import (
    Crons,
    Days,
    Interval,
    Name,
    Names,
    Owner,
    Share,
    Span,
    Tags,
    TimeOfDay,
    Type,
    Zone,
)
from propexo_connect.model.duration import Duration, DurationOrNever, Size, duration_text, fault
from propexo_connect.model.stream import Axis, Drift, FilterKind, Meaning, Mode

NAME_PATTERN = r"[a-z][a-z0-9_]{0,62}"
EVERY_STREAM = "*"

_SHORTEST_SWEEP = timedelta(hours=12)
_KINDS = ("cron", "every", "weekly")


def _read_filter(value: object) -> object:
    return {"field": value} if isinstance(value, str) else value


def _read_schedule(value: object) -> object:
    if value is None or value == "manual":
        return {}
    if isinstance(value, str):
        remedy = f'Write {{cron: "{value}"}}.' if len(value.split()) == 5 else f"Write {{every: {value}}}."
        raise fault(
            quoted(value),
            "`manual`, or a mapping with one of `cron`, `every`, `weekly`",
            remedy if len(value) < 40 else "",
        )
    if isinstance(value, dict):
        said = [kind for kind in _KINDS if kind in value]
        if len(said) != 1:
            raise fault(
                f"a schedule with {' and '.join(said) or 'neither of them'}",
                "exactly one of `cron`, `every`, `weekly`",
                "" if said else "Write `schedule: manual` for none.",
            )
        if "every" in value and "timezone" in value:
            raise fault(
                "`timezone` beside `every`",
                "an interval alone, because it counts real time",
                "For a time of day use `cron` or `weekly`.",
            )
    return value


def _read_streams(value: object) -> object:
    if isinstance(value, str):
        return {value: {}}
    if isinstance(value, list | tuple):
        if not all(isinstance(name, str) for name in value):
            remedy = "To override settings write `streams` as a mapping of names."
            raise fault("a list with something other than names", "a list of names", remedy)
        twice = next((name for number, name in enumerate(value) if name in value[:number]), None)
        if twice is not None:
            raise fault(f"{quoted(twice)} twice", "each stream once")
        return {str(name): {} for name in value}
    if isinstance(value, dict):
        return {name: {} if written is None else written for name, written in value.items()}
    return value


def _read_sweep(value: object) -> object:
    return {"every": value} if isinstance(value, str | timedelta) else value


class Written(BaseModel):
    """Base of all parts of the file: no unknown fields, and a key with nothing after it says nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    @model_validator(mode="before")
    @classmethod
    def _without_empty_keys(cls, content: Any) -> Any:
        if not isinstance(content, Mapping):
            return content
        return {key: value for key, value in cast(Mapping[Any, Any], content).items() if value is not None}


class WrittenSlot(Written):
    """Times on some days of the week: from `start` to `end` in steps, or at `start` alone."""

    days: Days = Field(description="Days of the week, `mon` to `sun`.")
    start: TimeOfDay = Field(description="The first time of the day, local to `timezone`.")
    end: TimeOfDay | None = Field(
        None,
        description="The last time of the day, itself included where a step meets it. Goes with `every`.",
    )
    every: Interval | None = Field(None, description="The step from `start` to `end`. Goes with `end`.")

    @model_validator(mode="after")
    def _fits_one_day(self) -> Self:
        if (self.end is None) != (self.every is None):
            raise fault("`end` without `every`, or `every` without `end`", "both or neither")
        if self.start == 24 * 60 or (self.end is not None and self.end < self.start):
            remedy = "Write hours past midnight as a slot of the next day."
            raise fault("a slot that ends before it starts", "`start` before `end` on one day", remedy)
        return self


class WrittenSchedule(Written):
    """When the connection syncs: exactly one of `cron`, `every`, `weekly`; the word `manual` for none."""

    cron: Crons | None = Field(
        None, description="Five fields: minute, hour, day of month, month, day of week; or a list of such."
    )
    every: Interval | None = Field(
        None,
        description="An interval of real time in whole minutes. Its start is moved by a hash of the "
        "connection's name, so that connections do not all start at once. For a time of day use `cron`.",
    )
    weekly: Annotated[list[WrittenSlot], Field(min_length=1)] | None = Field(
        None, description="Times on days of the week."
    )
    timezone: Zone = Field("UTC", description="IANA time zone of `cron` and `weekly`.")


class WrittenFilter(Written):
    """What the source can be asked for, where the connector does not know or knows less well."""

    field: Name | None = Field(None, description="The source's name of the field that is filtered on.")
    meaning: Meaning | None = Field(
        None,
        description="What the field tells: `updated` shows every change; `created` and `business` (a date "
        "of the business) show new records only and need a `lookback` or `full_every`.",
    )
    axis: Axis | None = Field(
        None, description="`instant` for times, `integer` for a number that only grows."
    )
    lower: bool | None = Field(None, description="Whether the source takes a lower bound.")
    upper: bool | None = Field(None, description="Whether the source takes an upper bound.")
    resolution: Span | None = Field(None, description="The grain of the bounds: `1s`, `1d`.")
    zone: Zone | None = Field(None, description="The time zone in which the source reads the bounds.")
    widest: Span | None = Field(None, description="The longest range of one request.")
    horizon: Span | None = Field(None, description="How far back the source answers at all.")
    lookback: Duration | None = Field(None, description="As on the stream.")
    lookback_values: int | None = Field(
        None, ge=0, description="How far each request reaches back on an integer axis."
    )
    lag: Duration | None = Field(None, description="As on the stream.")
    full_every: DurationOrNever = Field(None, description="As on the stream.")


def _read_absence(value: object) -> object:
    if value == "never":
        return NeverPresumed.model_construct()
    if isinstance(value, str):
        raise fault(quoted(value), "`never`, or a mapping of `covered_absences` and `unseen_for`")
    return value


class WrittenAbsence(Written):
    """When a record that was covered and missing is presumed deleted; the word `never` for not at all.

    All that is given must hold. Nothing is ever removed: the views tell it.
    """

    covered_absences: int | None = Field(
        None, ge=1, le=1000, description="How many complete reads covered the record and did not return it."
    )
    unseen_for: Span | None = Field(
        None, description="How long after its last sighting the latest of those reads was."
    )
    guard_share: Share | None = Field(
        None,
        description="One read that misses more than this share of the records at once marks none of them. "
        "Default: 20%.",
    )


class NeverPresumed(WrittenAbsence):
    """The word `never`."""


Absence = Annotated[
    WrittenAbsence,
    BeforeValidator(_read_absence, json_schema_input_type=Literal["never"] | WrittenAbsence),
]


class WrittenSweep(Written):
    """How often all keys of a stream are read, to learn which records are still there."""

    every: DurationOrNever = Field(
        description="The longest time between two looks at the whole stream, full reads included; `never`."
    )
    spread: Span | None = Field(
        None,
        description="Over how long one sweep is divided, in shares four hours apart. Default: in one go.",
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.every is None:
            if self.spread is not None:
                raise fault("`spread` of a sweep that is never made", "`every`, or no `spread`")
        elif self.every < _SHORTEST_SWEEP:
            raise fault(f"a sweep every {duration_text(self.every)}", "12h or more", "Use `full_every`.")
        elif self.spread is not None and not _SHORTEST_SWEEP <= self.spread < self.every:
            found = f"a sweep every {duration_text(self.every)} spread over {duration_text(self.spread)}"
            raise fault(found, "a `spread` of at least 12h, and shorter than `every`")
        return self


class StreamDefaults(Written):
    """What may be said for all streams of a connection and again for one of them."""

    mode: Mode | None = Field(
        None,
        description="`merge` by key (default where there is a key), `append` every version (default where "
        "there is none), or `overwrite` the whole table after each complete read.",
    )
    drift: Drift | None = Field(
        None,
        description="What becomes of new fields and types: `evolve` (default), `freeze` or `fail`.",
    )
    history: bool | None = Field(
        None, description="Whether `<stream>__history` keeps every change. Default: false."
    )
    history_for: Span | None = Field(
        None,
        description="How long versions stay in the history after they ended; the present one always stays. "
        "Default: for ever.",
    )
    initial_window: Span | None = Field(
        None, description="How far the first sync reaches back. Default: 30d. Older records come by backsync."
    )
    lookback: Duration | None = Field(
        None, description="How far each sync reads again behind what it has, for late and changed records."
    )
    lag: Duration | None = Field(
        None, description="How far each sync stays behind the present, where records appear late."
    )
    full_every: DurationOrNever = Field(
        None, description="The longest time between two reads of the whole stream; `never` for none."
    )
    absence: Absence | None = Field(
        None,
        description="When a missing record is presumed deleted. Default: after 3 complete reads that covered "
        "it, the latest 30d after it was last seen; not where the source hides records by their state.",
    )
    allow_empty: bool | None = Field(
        None, description="Whether an empty read of a stream that had records is believed. Default: false."
    )
    sweep: Annotated[WrittenSweep, BeforeValidator(_read_sweep)] | None = Field(
        None,
        description="How often all keys are read to learn what is still there: `30d`, or "
        "`{every: 30d, spread: 3d}`. Default: `never`.",
    )


class WrittenHides(Written):
    """A filter that the source applies by itself; it says which reads prove nothing."""

    kind: Literal[FilterKind.IMPLICIT, FilterKind.UNDOCUMENTED] = Field(
        FilterKind.UNDOCUMENTED,
        description="`implicit`: the vendor says so; `undocumented` (default): found by watching.",
    )
    field: Name = Field(description="The field by which records are hidden.")
    rolling: Span | None = Field(
        None,
        description="Records whose field is older than this are hidden: `40d`. Without it they are hidden by "
        "their state, and the default policy presumes none of them deleted.",
    )
    resolution: Span | None = Field(None, description="The grain of that border: `1d`. Default: none.")
    zone: Zone = Field("UTC", description="The time zone of days and local times. Default: UTC.")
    note: str = Field("", description="What is hidden, in words.")


class WrittenStream(StreamDefaults):
    """How one stream is copied; what is not said here comes from the connection, then the connector."""

    fields: Names | None = Field(
        None, min_length=1, description="Only these fields; key, cursor and filter field are always kept."
    )
    exclude_fields: Names | None = Field(
        None, description="All fields but these; not together with `fields`. Key and cursor always stay."
    )
    types: dict[str, Type] | None = Field(
        None, description="Types of fields: text, integer, decimal(18,2), float, boolean, date, timestamp, …"
    )
    key: Names | None = Field(None, min_length=1, description="The field or fields that identify a record.")
    cursor: Name | None = Field(None, description="The field that orders the changes of one record.")
    filter: Annotated[WrittenFilter, BeforeValidator(_read_filter)] | None = Field(
        None, description="What the source can be asked for: a field's name, or a mapping."
    )
    hides: list[WrittenHides] = Field(
        [], description="Filters of the source that its connector does not know of; added to those it does."
    )
    accept_gap: bool = Field(
        False, description="Accept that the schedule is too rare for what the source still answers."
    )


class WrittenRetry(Written):
    """How often one layer repeats what may pass by itself; waits grow exponentially, with jitter."""

    attempts: int | None = Field(None, ge=1, le=100, description="How often it is tried in all.")
    first_wait: Duration | None = Field(None, description="The wait before the second attempt.")
    longest_wait: Duration | None = Field(None, description="The longest wait between two attempts.")


class WrittenRunRetry(Written):
    """How often a run is started again; only its unfinished streams are read."""

    max_retries: int = Field(
        2, ge=0, le=100, description="How often a failed, crashed or lost run starts again."
    )


class WrittenRetries(Written):
    """How often each layer repeats what may pass by itself."""

    request: WrittenRetry = Field(
        WrittenRetry.model_construct(),
        description="One HTTP request or statement. Default: 6 attempts, waiting 1s to 1m.",
    )
    stream: WrittenRetry = Field(
        WrittenRetry.model_construct(),
        description="The unfinished steps of one stream within a sync. Default: 3 attempts, 30s to 10m.",
    )
    run: WrittenRunRetry = Field(WrittenRunRetry.model_construct(), description="The run as a whole.")


class WrittenLimits(Written):
    """Bounds of a sync."""

    max_streams: int | None = Field(
        None, ge=1, le=256, description="How many streams are read at once. Default: 4."
    )
    step_size: Size | None = Field(
        None,
        ge=100_000,
        le=2**30,
        description="How much one transaction stores; 100kB to 1GiB. Default: 32MiB.",
    )
    step_span: Span | None = Field(
        None, description="The longest time span of one transaction. Default: what the source takes."
    )
    stall_after: Span | None = Field(
        None, description="A stream without progress for so long is cancelled and tried again. Default: 15m."
    )


class WrittenConnection(StreamDefaults):
    """One connection: a source, a destination, and what is copied when and how."""

    name: str | None = Field(
        None,
        pattern=f"^{NAME_PATTERN}$",
        description="Lower-case letters, digits and underscores. Default: the file's name.",
    )
    description: str = Field("", description="For the people who read the catalogue.")
    owners: list[Owner] = Field([], description="E-mail addresses and `team:name`.")
    tags: Tags = Field({}, description="Tags of the connection's assets and runs.")
    source: Any = Field(description="`connector` and its settings, or the name of a file in `sources/`.")
    destination: Any = Field(description="`kind` and its settings, or the name of a file in `destinations/`.")
    namespace: Name | None = Field(
        None, description="The schema of the tables. Default: the connection's name."
    )
    prefix: str = Field("", description="Stands before the name of each table.")
    schedule: Annotated[WrittenSchedule, BeforeValidator(_read_schedule)] = Field(
        WrittenSchedule.model_construct(), description="When it syncs. Default: `manual`."
    )
    streams: Annotated[dict[Name, WrittenStream], BeforeValidator(_read_streams), Field(min_length=1)] = (
        Field(description='What is copied: "*" for all streams, a list of names, or names with settings.')
    )
    retry: WrittenRetries = Field(
        WrittenRetries.model_construct(), description="How often what fails is repeated."
    )
    limits: WrittenLimits = Field(
        WrittenLimits.model_construct(), description="How much a sync does at once, and when it gives up."
    )
