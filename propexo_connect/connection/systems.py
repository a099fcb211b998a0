"""The `source` and `destination` of a connection: in place or shared, checked against their models."""

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, Generic, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError, create_model
from pydantic_core import ErrorDetails

from propexo_connect.connection.document import Document, FieldPath, Unreadable, read_document
from propexo_connect.connection.explain import explain, shown, unknown_keys
from propexo_connect.connection.problem import Problem, close, listed, quoted
from propexo_connect.connection.secret import (
    EXPECTED,
    external_name,
    has_reference,
    is_malformed,
    is_reference,
    secrets_in,
)

SUFFIXES = (".yaml", ".yml")

_REFERENCE_SAFE = (str, PurePath, SecretStr, BaseModel, dict, list, tuple)
"""Types in which a reference is still what was written."""


class System(Protocol):
    """What connectors and kinds of destinations have in common."""

    @property
    def name(self) -> str: ...
    @property
    def config(self) -> type[BaseModel]: ...


Code = TypeVar("Code", bound=System)


@dataclass(frozen=True)
class Role:
    """The two sides of a connection, in words.

    Args:
        section: the field of the file, and of the shared files' folder with an s.
        selector: the field that names the code. code: what to call it.
    """

    section: str
    selector: str
    code: str


SOURCE = Role("source", "connector", "connector")
DESTINATION = Role("destination", "kind", "kind of destination")


@dataclass(frozen=True)
class Configured(Generic[Code]):
    """One side of a connection: the code, and its settings with `${NAME}` still in them.

    Args:
        written: the settings as they were written, shared files taken in.
        document, base: where they were written.
    """

    code: Code
    config: BaseModel
    written: Mapping[str, Any]
    document: Document
    base: FieldPath


def configure(
    document: Document, role: Role, registry: Mapping[str, Code], folder: Path | None
) -> Configured[Code] | list[Problem]:
    """One side of a connection, or everything that is wrong with it.

    Args:
        folder: in which shared files stand, in `sources/` and `destinations/`; None: there are none.
    """
    place = document
    base: FieldPath = (role.section,)
    written = document.content.get(role.section)
    if isinstance(written, str):
        try:
            place, base = _shared(document, role, written, folder), ()
        except Unreadable as error:
            return list(error.problems)
        written = place.content
    if not isinstance(written, Mapping):
        expected = f"a mapping with `{role.selector}`, or the name of a file in {role.section}s/"
        if role.section not in document.content:
            remedy = f"Add `{role.section}: …`."
            return [document.problem(base, f"`{role.section}` is missing", expected, remedy)]
        return [place.problem(base, shown(written), expected)]
    named = written.get(role.selector)
    code = registry.get(named) if isinstance(named, str) else None
    if code is None:
        return [_unknown_code(place, base, role, named, registry, missing=role.selector not in written)]
    content = {key: value for key, value in written.items() if key != role.selector}
    config, problems = read_config(place, base, code.config, content, also=(role.selector,))
    if config is None:
        return problems
    return Configured(code, config, dict(written), place, base)


def read_config(
    document: Document,
    base: FieldPath,
    model: type[BaseModel],
    content: Mapping[str, Any],
    also: Iterable[str] = (),
) -> tuple[BaseModel | None, list[Problem]]:
    """A configuration from what was written, or its problems. Reads nothing from the environment.

    A value that refers to the environment is checked when a sync runs; until then it stays as text.

    Args:
        also: further names that may stand here, for suggestions.
    """
    secrets = list(secrets_in(model, content))
    problems = list(_bad_references(document, base, content, secrets))
    known = {key: value for key, value in content.items() if value is not None}
    if model.model_config.get("extra") != "allow":
        names = [external_name(name, field) for name, field in model.model_fields.items()]
        problems += unknown_keys(content, [*names, *also], document, base)
        known = {key: value for key, value in known.items() if key in names}
    try:
        config = _with_references(model.model_validate(known), known)
    except ValidationError as error:
        places = {path for path, _ in secrets}
        is_open = any(has_reference(text) for path, text in _texts(known) if path not in places)
        errors = error.errors(include_url=False)
        waiting = [fault for fault in errors if _waits(fault, is_open=is_open)]
        real = explain(
            [fault for fault in errors if fault not in waiting], document, model, base=base, discreet=True
        )
        # What was said of a secret already need not be said twice.
        said = {problem.path for problem in problems}
        problems += [problem for problem in real if problem.path not in said]
        if problems:
            return None, problems
        config = _unchecked(model, known, {str(fault["loc"][0]) for fault in waiting if fault["loc"]})
    return (None, problems) if problems else (config, [])


def _waits(fault: ErrorDetails, *, is_open: bool) -> bool:
    """Whether a fault may be due to a value that only the environment tells."""
    value = fault["input"]
    if fault["type"] in {"missing", "extra_forbidden", "too_long", "too_short"}:  # however items turn out
        return False
    return has_reference(value) and (is_open or not isinstance(value, Mapping))


def _shared(document: Document, role: Role, name: str, folder: Path | None) -> Document:
    """The file that a connection names instead of a mapping."""
    directory = f"{role.section}s"
    files = {file.stem: file for file in sorted((folder / directory).glob("*"))} if folder else {}
    files = {stem: file for stem, file in files.items() if file.suffix in SUFFIXES}
    if name not in files:
        there = listed(files) if files else "there are none"
        raise Unreadable(
            document.problem(
                (role.section,),
                f"no file {quoted(f'{directory}/{name}.yaml')}",
                f"the name of a file in {directory}/ ({there}), or a mapping",
                close(name, files),
            )
        )
    return read_document(files[name])


def _unknown_code(
    document: Document, base: FieldPath, role: Role, named: object, registry: Iterable[str], *, missing: bool
) -> Problem:
    expected = f"one of {listed(sorted(registry))}"
    if missing:
        found, remedy = f"`{role.selector}` is missing", f"Add `{role.selector}: …`."
    else:
        found = f"unknown {role.code} {quoted(named)}" if isinstance(named, str) else shown(named)
        remedy = close(named, registry) if isinstance(named, str) else ""
    return document.problem((*base, role.selector), found, expected, remedy)


def _bad_references(
    document: Document,
    base: FieldPath,
    content: Mapping[str, Any],
    secrets: Iterable[tuple[FieldPath, object]],
) -> Iterator[Problem]:
    places: set[FieldPath] = set()
    for path, value in secrets:
        places.add(path)
        if value is not None and not is_reference(_bare(value)):
            field = next((part for part in reversed(path) if isinstance(part, str)), "NAME")
            name = "".join(sign if sign.isalnum() else "_" for sign in field).upper()
            yield document.problem(
                base + path,
                "a value where a secret belongs (not shown)",
                f"{EXPECTED}, because files are shared and environments are not",
                f"Set an environment variable, write its name here, such as ${{{name}}}, and replace the "
                "secret if others have seen this file.",
            )
    for path, value in _texts(content):
        if path not in places and is_malformed(value):
            remedy = "Only letters, digits and `_` are allowed."
            yield document.problem(base + path, "`${` that begins no reference", EXPECTED, remedy)


def _bare(value: object) -> object:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def _texts(value: object, path: FieldPath = ()) -> Iterator[tuple[FieldPath, str]]:
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from _texts(part, (*path, str(key)))
    elif isinstance(value, list):
        for number, part in enumerate(value):
            yield from _texts(part, (*path, number))
    elif isinstance(value, str):
        yield path, value


def _unchecked(model: type[BaseModel], content: Mapping[str, Any], waiting: Set[str]) -> BaseModel:
    """The configuration with fields that wait for the environment left as they were written."""
    waits = {
        name
        for name, field in model.model_fields.items()
        if waiting & {name, external_name(name, field)} and external_name(name, field) in content
    }
    others: dict[str, Any] = {
        name: (field.annotation, field) for name, field in model.model_fields.items() if name not in waits
    }
    checked = create_model(model.__name__, __config__=ConfigDict(extra="ignore"), **others)
    rest = checked.model_validate(dict(content))
    values = {name: getattr(rest, name) for name in rest.model_fields_set}
    values |= {name: content[external_name(name, model.model_fields[name])] for name in waits}
    return model.model_construct(_fields_set=set(values), **values)


def _with_references(config: BaseModel, content: Mapping[str, Any]) -> BaseModel:
    """The configuration, with the text itself where a type made something else of a reference (URLs)."""
    texts = {
        name: content[external_name(name, field)]
        for name, field in type(config).model_fields.items()
        if has_reference(content.get(external_name(name, field)))
        and not isinstance(getattr(config, name), _REFERENCE_SAFE)
    }
    return config.model_copy(update=texts) if texts else config
