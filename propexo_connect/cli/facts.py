"""What a connector's own values tell of it: for the command line and for the docs, from one place."""

import sys
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from propexo_connect.connection.secret import is_secret
from propexo_connect.connectors.api import ApiConfig, ApiConnector
from propexo_connect.connectors.api.explain import (
    budget_text,
    filter_text,
    log_in_text,
    paging_text,
    shown_names,
)
from propexo_connect.connectors.base import Connector
from propexo_connect.connectors.known_by_asking import AskingConnector
from propexo_connect.http.plan import Api, ApiStream
from propexo_connect.model.duration import duration_text

_OF_EVERY_API = frozenset(ApiConfig.model_fields) - {"url"}


@dataclass(frozen=True)
class SettingFacts:
    """One setting of a connection."""

    name: str
    default: str
    meaning: str
    is_common: bool = False
    is_secret: bool = False


@dataclass(frozen=True)
class StreamFacts:
    """One stream, in words."""

    name: str
    description: str
    key: str
    cursor: str
    asked: str
    parent: str
    field_count: int
    lookback: str = ""
    full_every: str = ""
    sensitive: tuple[str, ...] = ()
    hides: tuple[str, ...] = ()
    unconfirmed: tuple[str, ...] = ()


@dataclass(frozen=True)
class ConnectorFacts:
    """One connector, in words."""

    name: str
    title: str
    category: str
    status: str
    passport: str
    settings: tuple[SettingFacts, ...]
    streams: tuple[StreamFacts, ...] = ()
    log_ins: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    paging: str = ""
    cannot: tuple[str, ...] = ()
    unconfirmed: tuple[str, ...] = ()
    tested: tuple[str, ...] = field(default=())


def facts_of(connector: Connector) -> ConnectorFacts:
    """What can be told without a connection."""
    settings = tuple(_setting(name, info) for name, info in connector.config.model_fields.items())
    passport = _passport(connector.config)
    if not isinstance(connector, ApiConnector):
        status = connector.status if isinstance(connector, AskingConnector) else "stable"
        return ConnectorFacts(connector.name, connector.title, connector.category, status, passport, settings)
    api = plan_of(connector)
    streams = tuple(_stream(spec) for spec in api.streams)
    return ConnectorFacts(
        name=connector.name,
        title=connector.title,
        category=connector.category,
        status=connector.status,
        passport=passport,
        settings=settings,
        streams=streams,
        log_ins=tuple(log_in_text(one) for one in api.log_ins),
        limits=tuple(budget_text(api, shown_names(connector.config.model_construct()))),
        paging=paging_text(api.paging),
        cannot=connector.cannot,
        unconfirmed=tuple(f"{one.name}: {fact}" for one in streams for fact in one.unconfirmed),
        tested=connector.tested,
    )


def plan_of(connector: ApiConnector) -> Api:
    """The plan with the defaults of all settings."""
    return connector.plan(connector.config.model_construct())


def _stream(spec: ApiStream) -> StreamFacts:
    given = spec.changes.filter if spec.changes is not None else spec.filter
    above = spec.fan_out
    asked = filter_text(given)
    if given is None and above is not None and (above.changed or spec.nested is not None):
        asked = f"as `{above.stream}` changed"
    return StreamFacts(
        name=spec.name,
        description=spec.description,
        key=", ".join(spec.keys),
        cursor=spec.cursor or "",
        asked=asked,
        parent=above.stream if above is not None else spec.each.setting if spec.each is not None else "",
        field_count=len(spec.declared),
        lookback=duration_text(given.lookback) if given is not None and given.lookback else "",
        full_every=duration_text(given.full_every) if given is not None and given.full_every else "",
        sensitive=tuple(spec.sensitive),
        hides=tuple(hides.note for hides in spec.hides),
        unconfirmed=tuple(spec.unconfirmed),
    )


def _setting(name: str, info: FieldInfo) -> SettingFacts:
    if info.is_required():
        default = "required"
    else:
        default = _shown(info.get_default(call_default_factory=True, validated_data={}))
    return SettingFacts(
        info.alias or name, default, info.description or "", name in _OF_EVERY_API, is_secret(info.annotation)
    )


def _shown(value: Any) -> str:
    if value is None or value in ((), [], {}, ""):
        return ""
    if isinstance(value, timedelta):
        return duration_text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    text = " ".join(str(value).split())
    return text if len(text) <= 80 else f"{text[:79]}…"


def _passport(config: type[BaseModel]) -> str:
    """The docstring of the module that the settings come from: the vendor's passport."""
    return (sys.modules[config.__module__].__doc__ or "").strip()
