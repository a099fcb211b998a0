"""What a fast JSON reader would round, refuse or cut, kept exact.

The fast path hands page bytes to DuckDB, whose reader takes JSON numbers with a fraction as doubles,
refuses lone surrogates, and passes on `\\u0000`, which PostgreSQL cannot store. Pages in which one of
these occurs are found by one scan of their bytes and rewritten here so that the same SQL reads them
without loss. That costs some 20 µs a record, on those pages only.
"""

import json
import re
from typing import cast

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from propexo_connect.model.errors import VendorFault

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None

_LONG_FRACTIONS = "|".join(rf"[0-9]{{{whole}}}\.[0-9]{{{16 - whole},}}" for whole in range(4, 16))
_ODD = (
    rf"{_LONG_FRACTIONS}|[0-9]{{16,}}\.|[1-9][0-9]{{0,2}}\.[0-9]{{17,}}|0\.0*[1-9][0-9]{{17,}}"
    r"|\\u0000|[:,\[ ]-?(NaN|Infinity|[0-9.]+[eE][+-]?[0-9]{3,}|[0-9.]{19,}[eE])"
)
"""Numbers that a double may round, exponents that it may not reach, and what JSON does not know."""

NUMBER = "\ue000number:"
"""Marks, inside nested values, a number that is carried as text; a private-use character."""

ESCAPED = "\ue000escaped:"
"""Marks text in which what databases cannot store stands as its JSON escape."""

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def odd_pages(pages: list[bytes]) -> list[int]:
    """Positions of the pages that the fast path would not keep exact."""
    found = pc.call_function(
        "match_substring_regex", [pa.array(pages, pa.large_binary())], pc.MatchSubstringOptions(_ODD)
    )
    return [number for number, odd in enumerate(cast(list[bool], found.to_pylist())) if odd]


def rewrite(page: bytes, where: str) -> bytes:
    """The page with every odd value carried as marked text.

    Raises:
        VendorFault: the page is not JSON, or nested beyond all reason.
    """
    try:
        records = json.loads(
            page.decode("utf-8-sig", "surrogateescape"),
            parse_float=_number,
            parse_int=_integer,
            parse_constant=lambda text: NUMBER + text,
        )
        return json.dumps(_storable(records), ensure_ascii=False, separators=(",", ":")).encode()
    except RecursionError:
        found = "a page is nested deeper than anything sensible"
    except ValueError as error:
        found = f"a page is not JSON ({str(error).split(':', maxsplit=1)[0]})"
    raise VendorFault(found, where=where, expected="JSON text in UTF-8") from None


def _number(text: str) -> float | str:
    number = float(text)
    digits = text.lstrip("-0.").replace(".", "")
    return number if len(digits) <= 15 and "e" not in text.lower() else NUMBER + text


def _integer(text: str) -> int | str:
    return int(text) if len(text) <= 18 else NUMBER + text


def _storable(value: Json) -> Json:
    if isinstance(value, str):
        return value if not _UNSTORABLE.search(value) else ESCAPED + json.dumps(value)[1:-1]
    if isinstance(value, dict):
        return {cast(str, _storable(name)): _storable(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_storable(item) for item in value]
    return value


def canonical_json(column: pa.ChunkedArray) -> pa.Array:
    """JSON texts in canonical form: compact, keys sorted; each distinct text is looked at once."""
    encoded = cast(pa.DictionaryArray, column.combine_chunks().dictionary_encode())
    texts = cast(list[str], encoded.dictionary.to_pylist())
    return pa.array(map(_canonical, texts), pa.string()).take(encoded.indices)


_LONG_NUMBER = re.compile(r"\d{16}|\d[eE]|\d\.\d{15}")


_DEEPEST = 512
"""Values nested deeper are kept as a JSON string of their text: databases give up on them."""


def _canonical(text: str) -> str:
    if text.count("[") + text.count("{") > _DEEPEST and _depth(text) > _DEEPEST:
        return json.dumps(text, ensure_ascii=False)
    if "{" not in text and NUMBER not in text and ESCAPED not in text:
        return text  # without objects there is nothing to sort
    if NUMBER not in text and ESCAPED not in text and not _LONG_NUMBER.search(text):
        return orjson.dumps(orjson.loads(text), option=orjson.OPT_SORT_KEYS).decode()
    return _dump(json.loads(text, parse_float=lambda number: NUMBER + number, parse_int=_integer))


def _depth(text: str) -> int:
    depth = deepest = 0
    for sign in re.sub(r'"(?:[^"\\]|\\.)*"', "", text):
        depth += (sign in "[{") - (sign in "]}")
        deepest = max(deepest, depth)
    return deepest


def _dump(value: Json) -> str:
    if isinstance(value, dict):
        items = (f"{_dump(name)}:{_dump(item)}" for name, item in sorted(value.items()))
        return "{" + ",".join(items) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_dump, value)) + "]"
    if isinstance(value, str) and value.startswith(NUMBER):
        number = value.removeprefix(NUMBER)
        # NaN and the infinities are no JSON: they stay text.
        return number if number.lstrip("-")[0].isdigit() else json.dumps(number)
    if isinstance(value, str) and value.startswith(ESCAPED):
        # What cannot be stored stands as the text of its escape, with the backslash doubled.
        return json.dumps(value.removeprefix(ESCAPED), ensure_ascii=False)
    return json.dumps(value, ensure_ascii=False)
