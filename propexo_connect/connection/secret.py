"""`${NAME}` in a configuration: read from the environment when a sync runs, never when files are loaded."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import PurePath
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, SecretBytes, SecretStr, ValidationError
from pydantic.fields import FieldInfo

from propexo_connect.model.errors import ConfigurationError, MissingSecret

NAME = r"[A-Za-z_][A-Za-z0-9_]*"
REFERENCE = re.compile(rf"\$\{{({NAME})\}}")
EXPECTED = "${NAME}, the name of an environment variable"

Config = TypeVar("Config", bound=BaseModel)
Place = tuple[str | int, ...]


def is_reference(value: object) -> bool:
    """Whether the whole value is one reference."""
    return isinstance(value, str) and REFERENCE.fullmatch(value) is not None


def has_reference(value: object) -> bool:
    """Whether the value, or anything within it, refers to the environment."""
    if isinstance(value, Mapping):
        return any(has_reference(part) for part in value.values())
    if isinstance(value, list | tuple):
        return any(has_reference(part) for part in value)
    return isinstance(value, str) and REFERENCE.search(value) is not None


def is_malformed(value: str) -> bool:
    """Whether something begins like a reference and is none, such as `${my-name}` or `${A:-b}`."""
    return "${" in REFERENCE.sub("", value)


def external_name(name: str, field: FieldInfo) -> str:
    """The name by which a user writes a field."""
    return field.alias or name


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that a field's type is made of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from models_in(argument)


def is_secret(annotation: Any) -> bool:
    """Whether a field's type holds secrets of its own (not in a model within it)."""
    if isinstance(annotation, type) and issubclass(annotation, SecretStr | SecretBytes):
        return True
    return any(is_secret(argument) for argument in get_args(annotation))


def secrets_in(model: type[BaseModel], content: object, path: Place = ()) -> Iterator[tuple[Place, object]]:
    """Every value that stands in a secret field, with its path; the values may be anything."""
    if not isinstance(content, Mapping):
        return
    for name, field in model.model_fields.items():
        written = external_name(name, field) if external_name(name, field) in content else name
        if written not in content:
            continue
        here = (*path, written)
        if is_secret(field.annotation):
            yield from _leaves(content[written], here)
            continue
        for inner in models_in(field.annotation):
            for place, part in _items(content[written], here):
                yield from secrets_in(inner, part, place)


def _items(value: object, path: Place) -> Iterator[tuple[Place, object]]:
    """The value itself and, one level down, what it holds: a model may stand in a list or mapping."""
    yield path, value
    if isinstance(value, list):
        yield from (((*path, number), part) for number, part in enumerate(value))
    elif isinstance(value, Mapping):
        yield from (((*path, str(key)), part) for key, part in value.items() if isinstance(part, Mapping))


def _leaves(value: object, path: Place) -> Iterator[tuple[Place, object]]:
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from _leaves(part, (*path, str(key)))
    elif isinstance(value, list):
        for number, part in enumerate(value):
            yield from _leaves(part, (*path, number))
    else:
        yield path, value


def resolve_secrets(config: Config, environ: Mapping[str, str], *, where: str = "") -> Config:
    """The configuration with every `${NAME}` replaced by the variable's value, and validated again.

    Args:
        where: the connection, for messages.

    Raises:
        MissingSecret: a variable is not set, or a secret's variable is empty; names all of them.
        ConfigurationError: a variable's value does not fit its field; names both, shows no value.
    """
    reading = _Reading(environ)
    content = reading.model(config, ())
    if reading.missing:
        raise MissingSecret(
            f"environment variables are missing: {', '.join(reading.missing.values())}",
            where=where,
            expected="a value for each",
            remedy="Set them where the sync runs, for instance in .env.",
        )
    try:
        return type(config).model_validate(content)
    except ValidationError as error:
        fields = dict.fromkeys(str(fault["loc"][0]) for fault in error.errors() if fault["loc"])
    # Raised outside the handler: pydantic's error holds the values, and a traceback would print them.
    names = [f"'{field}' ({', '.join(reading.used[field])})" for field in fields if field in reading.used]
    raise ConfigurationError(
        "the values of the environment variables do not fit"
        + (f" the fields {', '.join(names)}" if names else " together"),
        where=where,
        expected="values that the configuration allows",
        remedy="Correct the variables.",
    )


class _Reading:
    """One pass over a configuration: what was written into it, in plain values, references replaced."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.used: dict[str, list[str]] = {}
        self.missing: dict[str, str] = {}

    def model(self, config: BaseModel, place: Place) -> dict[str, Any]:
        """Set fields by the names a user writes."""
        fields = {
            external_name(name, field): getattr(config, name)
            for name, field in type(config).model_fields.items()
            if name in config.model_fields_set
        }
        return self._mapping({**fields, **(config.model_extra or {})}, place)

    def _mapping(self, values: Mapping[Any, Any], place: Place) -> dict[Any, Any]:
        return {key: self._plain(value, (*place, str(key))) for key, value in values.items()}

    def _plain(self, value: Any, place: Place) -> Any:
        if isinstance(value, SecretStr):
            return self._replaced(value.get_secret_value(), place, is_secret=True)
        if isinstance(value, str | PurePath):
            return self._replaced(str(value), place, is_secret=False)
        if isinstance(value, BaseModel):
            return self.model(value, place)
        if isinstance(value, Mapping):
            return self._mapping(value, place)
        if is_dataclass(value) and not isinstance(value, type):
            return self._mapping({field.name: getattr(value, field.name) for field in fields(value)}, place)
        if isinstance(value, list | tuple | set | frozenset):
            return [self._plain(part, (*place, number)) for number, part in enumerate(value)]
        return value

    def _replaced(self, text: str, place: Place, *, is_secret: bool) -> str:
        def value_of(found: re.Match[str]) -> str:
            name, field = found[1], ".".join(str(part) for part in place)
            self.used.setdefault(str(place[0]), []).append(name)
            value = self._environ.get(name)
            if value is None or (is_secret and not value):
                state = "empty" if value == "" else "not set"
                self.missing[name] = f"{name} ({state}) for the field '{field}'"
            return value or ""

        return REFERENCE.sub(value_of, text)
