"""JSON lines of a foreign program as messages: thousands decoded at once, records left as their bytes."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from propexo_connect.model.errors import VendorFault

Message = TypeVar("Message", bound=msgspec.Struct)

NOTHING = msgspec.Raw()
"""A part of a message that is not there."""

_NO_NUMBER = re.compile(rb"(?<=[:,\[\s])-?(?:NaN|Infinity)(?=[,\]}\s])")
"""What Python's json writes although JSON does not know it."""


class Messages(Generic[Message]):
    """A decoder of lines.

    Args:
        shape: what a message looks like; fields of the type `Raw` keep the text as it came.
        say: takes the lines that are no messages at all.
        where: the program, for errors.
    """

    def __init__(self, shape: type[Message], say: Callable[[bytes], None], where: str) -> None:
        self._one = msgspec.json.Decoder(shape)
        self._many = msgspec.json.Decoder(list[shape])
        self._say = say
        self._where = where

    def of(self, lines: Sequence[bytes]) -> Iterator[Message]:
        """The messages of these lines.

        Raises:
            VendorFault: a line begins like a message and is none.
        """
        if not lines:
            return
        try:
            yield from self._many.decode(b"[" + b",".join(lines) + b"]")
        except msgspec.DecodeError:
            for line in lines:
                yield from self._carefully(line)

    def _carefully(self, line: bytes) -> Iterator[Message]:
        if not line.lstrip().startswith(b"{"):
            self._say(line)
            return
        try:
            yield self._one.decode(line)
        except msgspec.DecodeError as error:
            found = self._with_odd_numbers(line)
            if found is None:
                raise VendorFault(
                    f"a message cannot be read ({str(error)[:120]})",
                    where=self._where,
                    expected="one JSON object in each line",
                ) from None
            yield found

    def _with_odd_numbers(self, line: bytes) -> Message | None:
        """The message of a line in which NaN or an infinity stands: its records keep them."""
        tamed = _NO_NUMBER.sub(lambda found: b"1" * len(found[0]), line)
        try:
            message = self._one.decode(tamed)
        except msgspec.DecodeError:
            return None
        return _restored(message, tamed, line) if tamed != line else None


def _restored(message: Any, tamed: bytes, line: bytes) -> Any:
    """The message with its raw parts as they stood in the line, which has them at the same places."""
    changed: dict[str, Any] = {}
    for name in message.__struct_fields__:
        part = getattr(message, name)
        if isinstance(part, msgspec.Raw) and part:
            start = tamed.index(bytes(part))
            changed[name] = msgspec.Raw(line[start : start + len(part)])
        elif isinstance(part, msgspec.Struct):
            changed[name] = _restored(part, tamed, line)
    return msgspec.structs.replace(message, **changed)


def decoded(text: bytes | msgspec.Raw) -> Any:
    """A small message's content."""
    return json.loads(bytes(text))
