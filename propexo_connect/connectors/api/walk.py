"""Records in lists within lists, with what the elements on the way tell about them.

    {"leases":{"lease":[{"id":"7","ledgers":{"ledger":{"id":"1","rows":[{"n":"1"},{"n":"2"}]}}}]}}

    leases.lease.*.ledgers.ledger.*.rows, carrying 1.id as leaseId and 2.id as ledgerId:
    [{"leaseId":"7","ledgerId":"1","n":"1"},{"leaseId":"7","ledgerId":"1","n":"2"}]

A star goes through the elements of a list; a lone object is a list of one. An element without the rest of the
way has no records.
"""

from collections.abc import Iterator, Mapping

import msgspec

from propexo_connect.http.envelope import decoded
from propexo_connect.http.plan.paths import Path, steps
from propexo_connect.model.errors import VendorFault

STAR = "*"

_elements: "msgspec.json.Decoder[list[msgspec.Raw]]" = msgspec.json.Decoder(list[msgspec.Raw])
_record: "msgspec.json.Decoder[dict[str, msgspec.Raw]]" = msgspec.json.Decoder(dict[str, msgspec.Raw])

Steps = tuple[str | int, ...]
Carried = tuple[tuple[str, bytes], ...]


class Walk:
    """The way from the elements at the first star to the records; made once.

    Args:
        path: of the records, with its stars.
        carry: by name of a field what it is filled with: the number of a star, and the place below its
            element.
    """

    def __init__(self, path: Path, carry: Mapping[str, Path]) -> None:
        whole = steps(path)
        first = whole.index(STAR)
        self.outer: Steps = whole[:first]
        self._way: Steps = whole[first + 1 :]
        self._carry: dict[int, list[tuple[str, Steps]]] = {}
        for name, place in carry.items():
            star, *below = steps(place)
            if not isinstance(star, int) or not 1 <= star <= whole.count(STAR):
                raise ValueError(f"'{name}' is carried from {place}; give the number of a star, then a place")
            self._carry.setdefault(star, []).append((name, tuple(below)))

    def records(self, elements: bytes) -> bytes:
        """The records below an array of elements, as an array.

        Raises:
            VendorFault: the text is no array of JSON, or a record is no object.
        """
        found: list[bytes] = []
        for element in decoded(elements, _elements):
            found += self._below(bytes(element), self._way, 1, self._told(bytes(element), 1))
        return b"[" + b",".join(found) + b"]"

    def _below(self, text: bytes, way: Steps, star: int, carried: Carried) -> Iterator[bytes]:
        if not way:
            for record in _each(text):
                yield _carrying(record, carried)
        elif way[0] == STAR:
            for element in _each(text):
                yield from self._below(element, way[1:], star + 1, (*carried, *self._told(element, star + 1)))
        else:
            inner = _step(text, str(way[0]))
            if inner is not None:
                yield from self._below(inner, way[1:], star, carried)

    def _told(self, element: bytes, star: int) -> Carried:
        """What one element tells its records."""
        told: list[tuple[str, bytes]] = []
        for name, place in self._carry.get(star, ()):
            inner: bytes | None = element
            for step in place:
                inner = None if inner is None else _step(inner, str(step))
            told.append((name, inner or b"null"))
        return tuple(told)


def _each(text: bytes) -> Iterator[bytes]:
    """The elements of a list; an object is its only one, and null is none."""
    if text.startswith(b"["):
        yield from (bytes(element) for element in _elements.decode(text))
    elif text.startswith(b"{"):
        yield text
    elif text not in {b"null", b'""'}:
        raise VendorFault("a value stands where records were expected", expected="a list or an object")


def _step(text: bytes, name: str) -> bytes | None:
    """What an object holds under a name; None when it is no object or holds nothing."""
    raw = _record.decode(text).get(name) if text.startswith(b"{") else None
    return None if raw is None else bytes(raw)


def _carrying(record: bytes, carried: Carried) -> bytes:
    """The record with the carried fields before its own."""
    if not record.startswith(b"{"):
        raise VendorFault("a record is no object", expected="an object for each record")
    if not carried:
        return record
    lead = b",".join(msgspec.json.encode(name) + b":" + value for name, value in carried)
    rest = record[1:].lstrip()
    return b"{" + lead + (b"" if rest.startswith(b"}") else b",") + rest
