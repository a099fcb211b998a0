"""XML as records: an element becomes an object of its attributes and children, a repeated child a list.

    <Unit Id="7"><Name>2B</Name><Phone>1</Phone><Phone>2</Phone></Unit>
    {"Id":"7","Name":"2B","Phone":["1","2"]}

Namespaces are left out of names. An element with attributes and text keeps the text as `text`; an empty one,
or one with xsi:nil, is null. External entities and document types are refused.
"""

from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import Element, ParseError

import msgspec
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from propexo_connect.model.errors import VendorFault

_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"


def rows_of(text: bytes, path: tuple[str | int, ...], *, absent_is_empty: bool = False) -> bytes:
    """The elements at a path of names as a JSON array; `*` is any name, `**` any depth.

    Raises:
        VendorFault: no XML, one with entities, a SOAP fault, or nothing at the path.
    """
    root = parsed(text)
    fault = next((node for node in root.iter() if _name(node.tag) == "Fault"), None)
    if fault is not None:
        told = next((node.text for node in fault.iter() if _name(node.tag) in {"faultstring", "Text"}), None)
        raise VendorFault(f"answered with a SOAP fault{': ' + told.strip()[:80] if told else ''}")
    found = list(_along(root, [str(step) for step in path]))
    if not found and not absent_is_empty:
        raise VendorFault(f"no element at '{'/'.join(map(str, path))}'", expected="records there")
    return msgspec.json.encode(
        [_value(node) if len(node) or node.attrib else {"text": node.text} for node in found]
    )


def parsed(text: bytes) -> Element:
    """The root of an XML document.

    Raises:
        VendorFault: it is none, or has what could reach for other files.
    """
    if not text.strip():
        raise VendorFault("the answer is empty", expected="an XML document")
    try:
        return fromstring(text, forbid_dtd=True)
    except ParseError:
        found = "the answer is not XML"
    except DefusedXmlException:
        found = "the answer has a document type or entities, which are refused"
    raise VendorFault(found, expected="an XML document")


def _along(node: Element, path: list[str]) -> Iterator[Element]:
    """The elements at a path, the root's own name left out where it comes first."""
    if path and path[0] == _name(node.tag):
        path = path[1:]
    yield from _below(node, path)


def _below(node: Element, path: list[str]) -> Iterator[Element]:
    if not path:
        yield node
        return
    if path[0] == "**":
        for inner in node.iter():
            if inner is not node and _name(inner.tag) == path[1]:
                yield from _below(inner, path[2:])
        return
    for child in node:
        if path[0] in {"*", _name(child.tag)}:
            yield from _below(child, path[1:])


def _value(node: Element) -> Any:
    if node.get(_NIL) in {"true", "1"}:
        return None
    made: dict[str, Any] = {_name(name): text for name, text in node.attrib.items()}
    for child in node:
        name, value = _name(child.tag), _value(child)
        if name not in made:
            made[name] = value
        elif isinstance(made[name], list):
            made[name].append(value)
        else:
            made[name] = [made[name], value]
    text = (node.text or "").strip()
    if not made:
        return text or None
    if text:
        made["text"] = text
    return made


def _name(tag: str) -> str:
    return tag.rpartition("}")[2]
