"""What the generic HTTP connectors share: the values of a plan, written in a connection or a file of its own."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, cast

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, SecretStr, TypeAdapter, ValidationError
from pydantic import Field as Setting

from propexo_connect.connectors.api import ApiConfig
from propexo_connect.connectors.api.config import names_of
from propexo_connect.http.plan import AnyLogIn, AnyPaging, Api, ApiStream, Budget, Fault, Lookup
from propexo_connect.http.plan.paths import Path as Place
from propexo_connect.http.plan.stream import Format
from propexo_connect.model.errors import ConfigurationError


def _named(given: Any) -> Any:
    """Streams by name as a list of streams with their names."""
    if not isinstance(given, Mapping):
        return given
    found: list[Any] = []
    for name, stream in cast("Mapping[str, Any]", given).items():
        found.append(
            {"name": name, **stream} if isinstance(stream, Mapping) else {"name": name, "path": stream or ""}
        )
    return found


def _listed(given: Any) -> Any:
    return given if given is None or isinstance(given, list | tuple) else [given]


Streams = Annotated[tuple[ApiStream, ...], BeforeValidator(_named)]
LogIns = Annotated[tuple[AnyLogIn, ...], BeforeValidator(_listed)]


class PlanParts(BaseModel):
    """The parts of a plan that a user may write; what is not written has the plan's own defaults."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    auth: LogIns = Setting(default=(), description="How one logs in; one way, or a list of them.")
    headers: dict[str, str] = Setting(default={}, description="Headers of every request.")
    params: dict[str, Any] = Setting(default={}, description="Parameters of every request.")
    records: Place = Setting(
        default="", description="Where the records stand in an answer, such as data.items."
    )
    unwrap: Place | None = Setting(default=None, description="The key that each element wraps its record in.")
    paging: AnyPaging | None = Setting(default=None, description="How one page leads to the next.")
    format: Format = Setting(default="json", description="How records are written: json, jsonl, csv or xml.")
    faults: tuple[Fault, ...] = Setting(default=(), description="What answers mean, beyond their statuses.")
    no_records: tuple[int, ...] = Setting(default=(204,), description="Statuses that mean no records.")
    retry: tuple[int, ...] = Setting(default=(), description="Further statuses that pass by themselves.")
    budget: Budget | None = Setting(default=None, description="How many requests the vendor allows.")
    zone: str = Setting(default="UTC", description="Time zone of local times in records.")
    literal: str = Setting(default="", description="Characters that stay as they are in parameters' names.")
    lookups: tuple[Lookup, ...] = Setting(default=(), description="Values that are asked for first.")
    streams: Streams = Setting(default=(), description="The streams, by name.")


class GenericConfig(PlanParts, ApiConfig):
    """Any API, described in the connection or in a spec file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Setting(min_length=1, description="Address of the API.")
    secrets: dict[str, SecretStr] = Setting(
        default={}, description="Secrets by name; the plan refers to them as {name}."
    )
    settings: dict[str, str] = Setting(
        default={}, description="Further values by name; the plan refers to them as {name}."
    )
    spec: Path | None = Setting(
        default=None,
        description="A YAML file with the plan; what the connection says besides goes before it.",
    )


_api: TypeAdapter[Api] = TypeAdapter(Api)


def generic_plan(config: GenericConfig, **defaults: Any) -> Api:
    """The plan that the connection and its spec file describe.

    Raises:
        ConfigurationError: the spec file cannot be used, or the plan does not hold together.
    """
    parts: dict[str, Any] = dict(defaults)
    if config.spec is not None:
        parts |= _said(_spec(config.spec))
    parts |= _said(config)
    if "paging" in parts and parts["paging"] is None:
        del parts["paging"]
    try:
        api = _api.validate_python({"streams": (), **parts})
    except ValidationError as error:
        raise ConfigurationError(
            f"the plan does not hold together: {_first(error)}", where="source"
        ) from None
    if unknown := api.unknown_names(frozenset(names_of(config))):
        raise ConfigurationError(
            f"the plan refers to names that nothing stands for: {', '.join(unknown)}",
            expected="names under `secrets` or `settings`, or those of the engine",
        )
    return api


def _said(parts: PlanParts) -> dict[str, Any]:
    return {
        name: getattr(parts, name)
        for name in PlanParts.model_fields
        if name in parts.model_fields_set and getattr(parts, name) is not None
    }


def _spec(path: Path) -> PlanParts:
    try:
        # Everything is text, as in a connection file: 01234 stays what it is.
        content: Any = yaml.load(path.read_text(encoding="utf-8"), yaml.BaseLoader)  # noqa: S506 - text only
    except OSError as error:
        raise ConfigurationError(
            f"the spec file '{path}' cannot be read: {error.strerror}",
            remedy="Paths are relative to the folder that the sync runs in.",
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise ConfigurationError(f"the spec file '{path}' is not YAML") from None
    try:
        return PlanParts.model_validate(content)
    except ValidationError as error:
        raise ConfigurationError(f"the spec file '{path}' is not a plan: {_first(error)}") from None


def _first(error: ValidationError) -> str:
    """The first fault, without the values that it is about."""
    fault = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(step) for step in fault["loc"])
    return f"{place}: {fault['msg']}" if place else str(fault["msg"])
