"""Streams of a plan as the engine plans with them."""

from collections.abc import Sequence
from dataclasses import replace

from propexo_connect.connectors.api.config import ApiConfig, names_of
from propexo_connect.http.plan.api import Api
from propexo_connect.http.plan.filters import AnyFilter, Between
from propexo_connect.http.plan.stream import ApiStream
from propexo_connect.http.plan.template import PLACEHOLDER, Names, fill_text, names_in
from propexo_connect.model.field import TEXT, Field, FieldType
from propexo_connect.model.stream import Filter, FilterDeclaration, FilterKind, Stream


def described(api: Api, config: ApiConfig) -> tuple[Stream, ...]:
    """All streams, with what the settings decide filled in."""
    names = names_of(config)
    return tuple(_stream(api, spec, names, config.reveal) for spec in api.streams)


def _stream(api: Api, spec: ApiStream, names: Names, reveal: Sequence[str]) -> Stream:
    hidden = {place for place in spec.sensitive if f"{spec.name}.{place}" not in reveal}
    declared = [field.field for field in spec.declared if field.name not in hidden]
    known = {field.name for field in declared}
    added = [
        Field(name, _added_type(api, spec, template))
        for name, template in spec.add.items()
        if name not in known
    ]
    return Stream(
        name=spec.name,
        description=spec.description,
        key=spec.keys,
        fields=(*declared, *added) if declared else (),
        open_ended=not spec.fixed,
        cursor=spec.cursor,
        filter=filter_of(api, spec, names),
        hides=tuple(
            FilterDeclaration(
                FilterKind.IMPLICIT if hides.documented else FilterKind.UNDOCUMENTED,
                hides.field,
                hides.rolling,
                note=hides.note,
            )
            for hides in spec.hides
        ),
        parent=spec.fan_out.stream if spec.fan_out is not None else None,
        resumable=spec.resumable,
        selects_fields=asks_fields(spec),
        unconfirmed=spec.unconfirmed,
        is_keyless=not spec.keys,
    )


def asks_fields(spec: ApiStream) -> bool:
    """Whether a request says which fields it wants, so that a selection makes it another request."""
    templates = (spec.path, spec.params, spec.body, spec.form, spec.xml, spec.variables)
    return "{fields}" in spec.query or any(
        {"fields", "narrow"} & set(names_in(template)) for template in templates
    )


def filter_of(api: Api, spec: ApiStream, names: Names) -> Filter | None:
    """What the stream can be asked for: by its own request, by the one for changes, or through its parent."""
    above = spec.fan_out
    if spec.filter is None and spec.changes is None and above is not None and (above.changed or spec.nested):
        inherited = filter_of(api, api.stream(above.stream), names)
        return None if inherited is None else replace(inherited, of_parent=True)
    given: AnyFilter | None = spec.changes.filter if spec.changes is not None else spec.filter
    if given is None:
        return None
    made = given.filter(zone_for(given, names))
    if spec.changes is not None and spec.filter is None and spec.changes.reach is not None:
        return replace(made, horizon=spec.changes.reach)
    if spec.changes is not None and isinstance(spec.filter, Between) and spec.filter.has_upper:
        # The listing, which serves the past, takes a bound that the feed may not need.
        return replace(made, upper=True)
    return made


def zone_for(given: AnyFilter, names: Names) -> str:
    """A filter's time zone, which may be a setting."""
    return fill_text(given.zone, names) or "UTC"


def _added_type(api: Api, spec: ApiStream, template: str) -> FieldType:
    """The type of an added field: that of the parent's field where it is one."""
    whole = PLACEHOLDER.fullmatch(template)
    above = spec.fan_out
    if whole is None or above is None or not whole[1].startswith("parent."):
        return TEXT
    name = whole[1].removeprefix("parent.")
    found = (field.field.type for field in api.stream(above.stream).declared if field.name == name)
    return next(found, TEXT)
