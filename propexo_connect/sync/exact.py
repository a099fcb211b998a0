"""What a fast JSON reader would round, refuse or cut, kept exact.

The fast path hands page bytes to DuckDB, whose reader takes JSON numbers with a fraction as doubles,
refuses lone surrogates, and passes on `\\u0000`, which PostgreSQL cannot store. Pages in which one of
these occurs are found by one scan of their bytes and rewritten here so that the same SQL reads them
without loss. That costs some 20 µs a record, on those pages only.
"""

import json
import re
from collections.abc import Sequence
from typing import cast

import orjson
import pyarrow as pa

from propexo_connect.model.errors import VendorFault
from propexo_connect.sync.compute import pc

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None

_LONG_FRACTIONS = "|".join(rf"[0-9]{{{whole}}}\.[0-9]{{{16 - whole},}}" for whole in range(4, 16))
_ODD = (
    rf"{_LONG_FRACTIONS}|[0-9]{{16,}}\.|[1-9][0-9]{{0,2}}\.[0-9]{{17,}}|0\.0*[1-9][0-9]{{17,}}"
    r"|\\u0000|[:,\[ ]-?(NaN|Infinity|[0-9.]+[eE][+-]?[0-9]{3,}|[0-9.]{19,}[eE])"
)
"""Numbers that a double may round, exponents that it may not reach, and what JSON does not know."""

_SUSPECT = r"[0-9.]{17}|\\u0000|[:,\[ ]-?(NaN|Infinity|[0-9.]+[eE][+-]?[0-9]{3})"
"""All that is odd and a little more; to compile the exact pattern takes longer than to scan a page."""

NUMBER = "\ue000number:"
"""Marks, inside nested values, a number that is carried as text; a private-use character."""

ESCAPED = "\ue000escaped:"
"""Marks text in which what databases cannot store stands as its JSON escape."""

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def odd_pages(pages: list[bytes]) -> list[int]:
    """Positions of the pages that the fast path would not keep exact."""
    suspects = _matching(pages, range(len(pages)), _SUSPECT)
    return _matching(pages, suspects, _ODD) if suspects else []


def _matching(pages: list[bytes], places: Sequence[int], pattern: str) -> list[int]:
    texts = pa.array([pages[place] for place in places], pa.large_binary())
    found = pc.call_function("match_substring_regex", [texts], pc.MatchSubstringOptions(pattern))
    return [place for place, odd in zip(places, cast(list[bool], found.to_pylist()), strict=True) if odd]


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


_CAREFUL = rf"[0-9]{{16}}|[0-9]\.[0-9]{{15}}|(^|[:,\[\s])-?[0-9.]+[eE]|{NUMBER[0]}"
"""What orjson would write otherwise than it stands there."""

_DEEPEST = 512
"""Values nested deeper are kept as a JSON string of their text: databases give up on them."""


def canonical_json(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """JSON texts in canonical form: compact, keys sorted; each distinct text is looked at once."""
    texts = cast(pa.Array, column.combine_chunks())
    is_long = pc.greater(pc.binary_length(texts), _DEEPEST)
    is_careful = pc.fill_null(pc.or_(is_long, pc.match_substring_regex(texts, _CAREFUL)), False)
    # Without objects there is nothing to sort.
    is_plain = pc.and_not(pc.fill_null(pc.match_substring(texts, "{"), False), is_careful)
    for mask, write in ((is_plain, _sorted), (is_careful, _canonical)):
        encoded = texts.filter(mask).dictionary_encode()
        if len(encoded):
            found = pa.array(map(write, encoded.dictionary.to_pylist()), pa.string())
            texts = pc.replace_with_mask(texts, mask, found.take(encoded.indices))
    return pa.chunked_array([texts])


def _sorted(text: str) -> str:
    return orjson.dumps(orjson.loads(text), option=orjson.OPT_SORT_KEYS).decode()


_LONG_NUMBER = re.compile(_CAREFUL.removesuffix(f"|{NUMBER[0]}"))


def _canonical(text: str) -> str:
    if text.count("[") + text.count("{") > _DEEPEST and _depth(text) > _DEEPEST:
        return json.dumps(text, ensure_ascii=False)
    is_marked = NUMBER in text or ESCAPED in text
    if "{" not in text and not is_marked:
        return text
    if not is_marked and not _LONG_NUMBER.search(text):
        return _sorted(text)
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
