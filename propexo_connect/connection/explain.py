"""Pydantic's errors as problems: at their line, with what was found, what was expected and what to do."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from propexo_connect.connection.document import Document, FieldPath
from propexo_connect.connection.problem import Problem, close, listed, quoted
from propexo_connect.connection.secret import external_name, models_in

_EXPECTED = {
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a smaller whole number",
    "float_parsing": "a number",
    "float_type": "a number",
    "decimal_parsing": "a number",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "string_type": "text",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "path_type": "a path",
}
_SHOWN_LENGTH = 60


def explain(
    errors: Iterable[ErrorDetails],
    document: Document,
    model: type[BaseModel],
    *,
    base: FieldPath = (),
    discreet: bool = False,
) -> list[Problem]:
    """Every fault that a model found in a part of a document.

    Args:
        base: where the part begins in the document.
        discreet: the part is a configuration: values stay unsaid where they might be credentials.
    """
    part = _at(document.content, base)
    found: dict[tuple[FieldPath, str], Problem] = {}
    for details in errors:
        path = _existing(part, details)
        problem = _explained(details, document, base + path, _model_at(model, path), discreet=discreet)
        known = found.get((path, problem.found))
        if known is not None:  # branches of a union: either would do
            problem = document.problem(
                base + path, known.found, f"{known.expected}, or {problem.expected}", known.remedy
            )
        found[path, problem.found] = problem
    return list(found.values())


def unknown_keys(
    content: Mapping[str, object],
    allowed: Iterable[str],
    document: Document,
    base: FieldPath = (),
) -> Iterator[Problem]:
    """A problem for each key that nobody reads."""
    known = list(allowed)
    for key in content:
        if key not in known:
            yield _unknown(document, (*base, key), known)


def shown(value: object) -> str:
    """What stands there, as far as it can be told: text in quotes, or the kind of value."""
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "a list"
    return quoted(value)


def _explained(
    details: ErrorDetails,
    document: Document,
    path: FieldPath,
    model: type[BaseModel] | None,
    *,
    discreet: bool,
) -> Problem:
    context = details.get("ctx", {})
    kind = details["type"]
    if kind == "connection":
        return document.problem(path, context["found"], context["expected"], context["remedy"])
    if kind == "missing":
        return document.problem(
            path, f"`{path[-1]}` is missing", _purpose(model, str(path[-1])), f"Add `{path[-1]}: …`."
        )
    if kind == "extra_forbidden":
        return _unknown(document, path, _names(model) if model else [])
    if kind == "unexpected_keyword_argument":
        expected = "a field that this kind of value has"
        return document.problem(path, f"unknown field {quoted(path[-1])}", expected, "Remove it.")
    value = details["input"]
    if kind in {"union_tag_invalid", "union_tag_not_found"}:
        expected = f"{context.get('discriminator', 'one')} of {context.get('expected_tags', 'those known')}"
        return document.problem(path, shown(value) if not discreet else "none of them", expected)
    said = details["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    if kind in {"value_error", "assertion_error"} and isinstance(value, Mapping):
        return document.problem(path, "settings that do not go together", said)
    remedy = ""
    if kind in {"enum", "literal_error"}:
        expected = f"one of {context['expected']}".replace(" or ", ", ")
        names = [name.strip(" '") for name in context["expected"].replace(" or ", ",").split(",")]
        remedy = close(value, names) if isinstance(value, str) else ""
    elif kind == "string_pattern_mismatch":
        expected = _purpose(model, str(path[-1])) or f"text like {context['pattern']}"
    elif kind == "string_type" and isinstance(value, int | float):
        expected, remedy = "text", "Put it in quotes."
    else:
        said = said.removeprefix("Input should be ")
        expected = _EXPECTED.get(kind) or said[:1].lower() + said[1:]
    return document.problem(path, _discreet(value) if discreet else shown(value), expected, remedy)


def _unknown(document: Document, path: FieldPath, names: Iterable[str]) -> Problem:
    known = list(names)
    return document.problem(
        path,
        f"unknown field {quoted(path[-1])}",
        f"one of {listed(known)}",
        close(str(path[-1]), known) or "Remove it.",
    )


def _discreet(value: object) -> str:
    """A value of a configuration; one that may be a credential or hold one is only described."""
    text = str(value)
    if isinstance(value, str) and (len(text) > _SHOWN_LENGTH or any(sign in text for sign in "@:=;&?\n")):
        return f"text of {len(text)} characters"
    return shown(value)


def _existing(part: object, details: ErrorDetails) -> FieldPath:
    """The error's location as a path of the document: names of union branches drop out."""
    path: list[str | int] = []
    place = part
    for number, step in enumerate(details["loc"], 1):
        if _has(place, step):
            place = place[step]  # type: ignore[index]
        elif isinstance(place, Mapping) and isinstance(step, int) and step < len(place):
            step = list(place)[step]  # named things that are read as a list  # noqa: PLW2901
            place = place[step]
        elif not (
            # the missing field itself, or a name in a list that stands for a mapping
            (details["type"] == "missing" and number == len(details["loc"]))
            or (isinstance(place, list) and step in place)
        ):
            continue
        path.append(step)
    return tuple(path)


def _has(place: object, step: str | int) -> bool:
    if isinstance(place, Mapping):
        return step in place
    return isinstance(place, list) and isinstance(step, int) and step < len(place)


def _at(content: object, path: FieldPath) -> object:
    for step in path:
        content = content[step] if isinstance(content, Mapping | list) else None  # type: ignore[index]
    return content


def _model_at(model: type[BaseModel], path: FieldPath) -> type[BaseModel] | None:
    """The model in which the last step of a path is a field."""
    here: type[BaseModel] | None = model
    for step in path[:-1]:
        if here is None:
            return None
        field = next(
            (
                field
                for name, field in here.model_fields.items()
                if step in (name, external_name(name, field))
            ),
            None,
        )
        # A step that is no field is a place in a list or mapping of the same field.
        if field is not None:
            here = next(models_in(field.annotation), None)
    return here


def _names(model: type[BaseModel]) -> list[str]:
    return [external_name(name, field) for name, field in model.model_fields.items()]


def _purpose(model: type[BaseModel] | None, written: str) -> str:
    """What the field is for, in the words of its description."""
    fields: dict[str, Any] = dict(model.model_fields) if model else {}
    for name, field in fields.items():
        if written in (name, external_name(name, field)) and field.description:
            return field.description.partition(" Default:")[0].rstrip(".")
    return ""
