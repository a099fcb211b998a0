"""What the catalogue says of each stream before anything has run."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import dagster as dg

from propexo_connect.connection.parse import Connection
from propexo_connect.model.duration import duration_text
from propexo_connect.model.field import Field
from propexo_connect.model.names import column_names
from propexo_connect.model.stream import Axis, Filter, Stream, StreamPlan
from propexo_connect.orchestration.metadata import column_schema
from propexo_connect.orchestration.naming import CONNECTION_TAG, SOURCES, slug, slugs, source_key
from propexo_connect.orchestration.resources import in_words

Translate = Callable[[dg.AssetSpec, StreamPlan], dg.AssetSpec]
"""Changes the asset of a stream: its key, group, owners, tags, …"""

SHORTEST_FRESHNESS = timedelta(minutes=10)
"""A sync takes a while, and its run waits a while: less would flicker."""


@dataclass(frozen=True)
class StreamAsset:
    """One stream and the asset that stands for it."""

    plan: StreamPlan
    spec: dg.AssetSpec

    @property
    def key(self) -> dg.AssetKey:
        """The asset's key."""
        return self.spec.key


def stream_assets(
    connection: Connection, io_manager_key: str, translate: Translate | None = None
) -> list[StreamAsset]:
    """An asset for each stream, in the order of the connection."""
    name = slug(connection.name)
    words = _Words(connection)
    names = slugs(plan.stream.name for plan in connection.plans)
    specs: dict[str, dg.AssetSpec] = {}
    for plan in connection.plans:
        spec = _spec(connection, plan, dg.AssetKey([name, names[plan.stream.name]]), words)
        specs[plan.stream.name] = spec if translate is None else translate(spec, plan)
    assets: list[StreamAsset] = []
    for plan in connection.plans:
        stream = plan.stream
        deps = [source_key(connection.connector.name, connection.name)]
        if stream.parent in specs:
            deps.append(specs[stream.parent].key)
        spec = specs[stream.name].merge_attributes(deps=deps).with_io_manager_key(io_manager_key)
        assets.append(StreamAsset(plan, spec))
    return assets


def source_spec(connection: Connection) -> dg.AssetSpec:
    """The asset that stands for the system a connection reads, so that the lineage begins there.

    One a connection and not one a stream: Dagster goes through all assets that are not its own for each job.
    """
    where = in_words(connection.source_config)
    return dg.AssetSpec(
        source_key(connection.connector.name, connection.name),
        group_name=SOURCES,
        description=f"{connection.connector.title}, as {connection.name} reads it"
        + (f" ({where})." if where else "."),
        kinds={connection.connector.kind},
    )


def freshness_window(connection: Connection) -> timedelta | None:
    """How old a stream may be: two of the longest gaps of the schedule; None where there is no schedule."""
    gap = connection.schedule.longest_gap()
    return None if gap is None else max(2 * gap, SHORTEST_FRESHNESS)


class _Words:
    """What all streams of a connection share; worked out once."""

    def __init__(self, connection: Connection) -> None:
        self.source = f"{connection.connector.title} {in_words(connection.source_config)}".strip()
        self.destination = (
            f"{connection.destination_kind.name} {in_words(connection.destination_config)}".strip()
        )
        window = freshness_window(connection)
        self.freshness = (
            None
            if window is None
            else dg.FreshnessPolicy.time_window(fail_window=window, warn_window=window * 3 / 4)
        )
        self.tags = {**connection.tags, CONNECTION_TAG: slug(connection.name)}
        self.kinds = {connection.connector.kind, connection.destination_kind.name}


def _spec(connection: Connection, plan: StreamPlan, key: dg.AssetKey, words: _Words) -> dg.AssetSpec:
    stream = plan.stream
    warnings = [warning for warning in connection.warnings if f"stream '{stream.name}'" in warning]
    return dg.AssetSpec(
        key,
        group_name=slug(connection.name),
        description=stream.description or f"{stream.name} of {connection.connector.title}.",
        kinds=words.kinds,
        owners=list(connection.owners),
        tags=words.tags,
        freshness_policy=words.freshness,
        metadata={
            "dagster/table_name": str(plan.table),
            "dagster/storage_kind": connection.destination_kind.name,
            "dagster/column_schema": _columns(plan),
            "source": words.source,
            "destination": words.destination,
            "schedule": connection.schedule.text,
            "mode": str(plan.mode),
            "key": ", ".join(stream.key) or "none",
            "cursor": stream.cursor or "none",
            "filter": filter_text(stream),
            **({"warnings": "\n".join(warnings)} if warnings else {}),
        },
    )


def _columns(plan: StreamPlan) -> dg.TableSchema:
    fields: list[Field] = [field for field in plan.stream.fields if plan.wants(field.name)]
    return column_schema(fields, column_names((field.name for field in fields), {}), plan.stream.key)


def filter_text(stream: Stream) -> str:
    """What the source is asked for, in words."""
    own = stream.filter
    if own is None:
        return "read whole each time"
    return "; ".join([f"{own.field} ({own.meaning})", *_spans(own)])


def _spans(own: Filter) -> list[str]:
    parts: list[str] = []
    if own.lookback:
        parts.append(f"reads {duration_text(own.lookback)} again")
    if own.axis is Axis.INTEGER and own.lookback_values:
        parts.append(f"reads {own.lookback_values} values again")
    if own.lag:
        parts.append(f"stays {duration_text(own.lag)} behind")
    if own.full_every is not None:
        parts.append(f"whole every {duration_text(own.full_every)}")
    if own.horizon is not None:
        parts.append(f"the source answers the last {duration_text(own.horizon)}")
    return parts
