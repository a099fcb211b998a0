"""The component that makes a connection out of a `defs.yaml`; a thin shell over the connection file."""

from pathlib import Path
from typing import Annotated, Any

import dagster as dg
from dagster.components.utils.translation import TranslationFn, TranslationFnResolver
from pydantic import BaseModel, Field

from propexo_connect.connection.parse import parse_connection
from propexo_connect.connection.problem import BrokenConnection, InvalidConnection
from propexo_connect.model.stream import StreamPlan
from propexo_connect.orchestration.location import definitions_of
from propexo_connect.orchestration.naming import slug

OURS = frozenset({"translation"})
"""The attributes that a connection file does not have."""

TEMPLATE = """\
# A connection: one source, one destination, and what is copied when. `dg check yaml` checks it.
# Secrets are written as ${{NAME}} and read from the environment when a sync runs, never when this is loaded.
type: {type}

attributes:
  name: {name}
  description: Work orders and properties, brought up to date every hour.

  source:
    connector: happyco
    email: ${{HAPPYCO_EMAIL}}
    password: ${{HAPPYCO_PASSWORD}}

  destination:
    kind: duckdb
    path: warehouse.duckdb

  # `manual`, {{cron: "0 6 * * *", timezone: America/Chicago}}, {{every: 1h}}, or weekly slots.
  schedule: {{every: 1h}}

  # "*" for all, a list of names, or a mapping of names to overrides.
  streams:
    properties: {{}}
    work_orders:
      history: true

  # How far the first sync reaches back; older records come by backsync.
  initial_window: 30d

  # What Dagster shows of each stream; `plan` and `spec` are in reach of templates.
  # translation:
  #   group_name: maintenance
"""


class ScaffoldParams(BaseModel):
    """What `dg scaffold defs` may be told."""

    name: str | None = Field(None, description="The connection's name. Default: the folder's.")


class ConnectionScaffolder(dg.Scaffolder[ScaffoldParams]):
    """Writes a commented `defs.yaml` that works once its two variables are set."""

    @classmethod
    def get_scaffold_params(cls) -> type[ScaffoldParams]:
        return ScaffoldParams

    def scaffold(self, request: dg.ScaffoldRequest[ScaffoldParams]) -> None:
        name = slug(request.params.name or request.target_path.name)
        text = TEMPLATE.format(type=request.type_name, name=name)
        target = request.target_path if request.append else request.target_path / "defs.yaml"
        with Path(target).open("a" if request.append else "w", encoding="utf-8") as file:
            file.write(f"---\n{text}" if request.append else text)


@dg.scaffold_with(ConnectionScaffolder)
class ConnectionComponent(dg.Component, dg.Model, dg.Resolvable):
    """Copies the streams of a source into DuckDB or PostgreSQL, one asset each, on a schedule.

    The attributes are those of a connection file. Each stream is read where the last sync ended, merged by
    key, and proven by a ledger; a stream that fails fails alone.
    """

    name: Annotated[str | None, Field(description="The connection's name. Default: the folder's.")] = None
    description: Annotated[str | None, Field(description="For the people who read the catalogue.")] = None
    owners: Annotated[list[str] | None, Field(description="E-mail addresses and `team:name`.")] = None
    tags: Annotated[dict[str, str] | None, Field(description="Tags of the assets and runs.")] = None
    source: Annotated[
        dict[str, Any], Field(description="`connector` and its settings; secrets as ${NAME}.", repr=False)
    ]
    destination: Annotated[
        dict[str, Any], Field(description="`kind` and its settings; secrets as ${NAME}.", repr=False)
    ]
    namespace: Annotated[str | None, Field(description="The tables' schema. Default: the name.")] = None
    prefix: Annotated[str | None, Field(description="Stands before each table's name.")] = None
    schedule: Annotated[
        str | dict[str, Any] | None, Field(description="`manual`, or one of `cron`, `every`, `weekly`.")
    ] = None
    streams: Annotated[
        str | list[str] | dict[str, Any] | None,
        Field(description='"*", a list of names, or a mapping of names to overrides.'),
    ] = None
    mode: Annotated[str | None, Field(description="`merge`, `append` or `overwrite`, for all streams.")] = (
        None
    )
    drift: Annotated[str | None, Field(description="`evolve`, `freeze` or `fail`, for all streams.")] = None
    history: Annotated[bool | None, Field(description="Whether every change is kept.")] = None
    history_for: Annotated[str | None, Field(description="How long ended versions are kept.")] = None
    initial_window: Annotated[str | None, Field(description="How far the first sync reaches back.")] = None
    lookback: Annotated[str | None, Field(description="How far each sync reads again.")] = None
    lag: Annotated[str | None, Field(description="How far each sync stays behind the present.")] = None
    full_every: Annotated[str | None, Field(description="The longest time between two full reads.")] = None
    absence: Annotated[
        str | dict[str, Any] | None,
        Field(description="When missing records are presumed deleted: `covered_absences`, `unseen_for`."),
    ] = None
    allow_empty: Annotated[bool | None, Field(description="Whether an empty read is believed.")] = None
    sweep: Annotated[
        str | dict[str, Any] | None, Field(description="How often all keys are read: `every`, `spread`.")
    ] = None
    retry: Annotated[dict[str, Any] | None, Field(description="`request`, `stream` and `run`.")] = None
    limits: Annotated[dict[str, Any] | None, Field(description="Bounds of a sync.")] = None
    translation: Annotated[
        TranslationFn[StreamPlan] | None,
        TranslationFnResolver[StreamPlan](lambda plan: {"plan": plan, "stream": plan.stream}),
        Field(description="Overrides key, group, owners, … of each stream's asset."),
    ] = None

    @classmethod
    def get_spec(cls) -> dg.ComponentTypeSpec:
        return dg.ComponentTypeSpec(
            description="Copies the streams of a source into DuckDB or PostgreSQL, one asset each.",
            tags=["ingestion", "elt", "proptech"],
            owners=["team:propexo"],
            produces=["asset", "asset_check", "schedule", "sensor", "job", "resource"],
        )

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """The connection's definitions; a connection that cannot be used becomes an asset that says why."""
        written = {
            field: value for field in type(self).model_fields if (value := getattr(self, field)) is not None
        }
        content = {field: value for field, value in written.items() if field not in OURS}
        name = self.name or context.path.name
        try:
            connection = parse_connection(content, name=name, file=context.path / "defs.yaml")
        except InvalidConnection as error:
            broken = BrokenConnection(name, context.path / "defs.yaml", error.problems)
            return definitions_of([], [broken])
        return definitions_of([connection], prefix=f"{slug(name)}_", translate=self.translation)
