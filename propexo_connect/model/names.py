"""One deterministic function from a source's names to the destination's (SEMANTICS §4, names)."""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping

MAX_BYTES = 63
"""PostgreSQL cuts identifiers there; every destination keeps to it, so that names are equal."""

ROW_COLUMNS = (
    "first_seen",
    "last_seen",
    "last_changed",
    "_propexo_sync_id",
    "_propexo_hash",
    "_propexo_read_at",
    "_propexo_meta",
)
"""The columns that we add to each row; a source field of the same name gets the suffix `__source`."""

_HASH_LENGTH = 8


def snake_case(name: str) -> str:
    """A name in lower snake_case, ASCII where the letters allow it, at most 63 bytes.

    Over-long names and names of which nothing is left get a suffix of their hash.
    """
    text = unicodedata.normalize("NFKD", name)
    text = "".join(letter for letter in text if not unicodedata.combining(letter))
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", text).lower()
    leading = "_" if text.startswith("_") else ""
    text = leading + re.sub(r"[^\w]+|_+", "_", text).strip("_")
    if not text.strip("_"):
        return f"field_{_hash_of(name)}"
    if text[0].isdigit():
        text = f"_{text}"
    return text if len(text.encode()) <= MAX_BYTES else _suffixed(text, name)


def fitted(name: str) -> str:
    """A name that is safe already, cut to what each destination holds; an over-long one ends in its hash."""
    return name if len(name.encode()) <= MAX_BYTES else _suffixed(name, name)


def column_names(fields: Iterable[str], stored: Mapping[str, str]) -> dict[str, str]:
    """Columns for source fields; what is stored stays, whatever comes later.

    Of several new fields that would share a column, the one that is spelled like the column keeps it,
    the others get a hash suffix; the outcome does not depend on their order.
    """
    names = dict(stored)
    taken = set(stored.values())
    fresh = [field for field in dict.fromkeys(fields) if field not in stored]
    wanted = {field: _unreserved(snake_case(field)) for field in fresh}
    for field in sorted(fresh, key=lambda field: (field != wanted[field], field)):
        name = wanted[field]
        rivals = sum(1 for other in fresh if wanted[other] == name)
        if name in taken or (rivals > 1 and field != name):
            name = _suffixed(name, field)
        names[field] = name
        taken.add(name)
    return names


def _unreserved(name: str) -> str:
    return f"{name}__source" if name in ROW_COLUMNS else name


def _suffixed(text: str, original: str) -> str:
    room = MAX_BYTES - _HASH_LENGTH - 1
    return f"{text.encode()[:room].decode(errors='ignore')}_{_hash_of(original)}"


def _hash_of(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_LENGTH]
