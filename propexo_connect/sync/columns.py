"""Whole columns typed by Arrow's own casts, all values or none.

A cast costs some 20 ns a value; SQL that looks at each value to tell why it does not fit costs ten times
that. So a piece is first tried here, where the slightest oddity raises `Unfit`, and only an odd piece
is looked at value by value (`thorough.py`). Whatever passes here means exactly what it would mean there.
"""

from typing import cast

import pyarrow as pa

from propexo_connect.destinations.arrow import arrow_type
from propexo_connect.model.field import DAY_US, FIRST_DAY, LAST_DAY, FieldType, Kind
from propexo_connect.sync.compute import Values, pc

_DECIMAL = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?$"
"""Without leading zeros, a plus or an exponent: those are looked at one by one."""

_DOUBLE = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$"

_EXACT_LENGTH = 16
"""A number of so many signs has at most 15 digits, which a double holds."""

_SHORTEST = {
    Kind.TIMESTAMP: len("2026-03-02T15:04:05Z"),
    Kind.DATETIME: len("2026-03-02T15:04"),
    Kind.TIME: len("15:04"),
}
"""Arrow also takes bare hours and bare days, which are no instants; those are shorter, even with a zone."""


class Unfit(Exception):
    """Something in these records has to be looked at value by value.

    A signal between this room's modules: it never leaves the decoder.
    """


def from_text(values: Values, given: FieldType) -> Values:
    """Typed values, from the text of each; texts and JSON stay what they are.

    Raises:
        Unfit: a value does not fit, or is written in another way than usual.
    """
    try:
        match given.kind:
            case Kind.TEXT | Kind.JSON:
                return values
            case Kind.INTEGER:
                numbers = values.cast(arrow_type(given))
                _require(pc.equal(numbers.cast(pa.string()), values))  # 007 and +7 are no integers
                return numbers
            case Kind.DECIMAL:
                _require(pc.match_substring_regex(values, _DECIMAL))
                return values.cast(arrow_type(given))
            case Kind.FLOAT:
                return _floats(values)
            case Kind.BOOLEAN | Kind.DATE:
                return _in_range(values.cast(arrow_type(given)))
            case Kind.TIMESTAMP | Kind.DATETIME | Kind.TIME:
                _require(pc.greater_equal(pc.binary_length(values), _SHORTEST[given.kind]))
                if given.kind is Kind.TIME:
                    days = pc.binary_join_element_wise("1970-01-01T", values, "")
                    return days.cast(pa.timestamp("us")).cast(arrow_type(given))
                return _in_range(values.cast(arrow_type(given)))
            case Kind.BINARY:
                raise Unfit
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise Unfit from None


def from_native(values: Values, given: FieldType) -> Values:
    """Typed values, from a column that came in a type of its own kind.

    Raises:
        Unfit: a value would be cut, or lies outside of what its kind holds.
    """
    wanted = arrow_type(given)
    try:
        found = values if values.type == wanted else values.cast(wanted, safe=True)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise Unfit from None
    if given.kind is Kind.FLOAT:
        _require(pc.is_finite(found))
    return _in_range(found)


def _floats(values: Values) -> Values:
    _require(pc.match_substring_regex(values, _DOUBLE))
    numbers = values.cast(pa.float64())
    _require(pc.is_finite(numbers))
    longest = pc.max(pc.binary_length(values)).as_py() or 0
    if longest > _EXACT_LENGTH:
        is_short = pc.less_equal(pc.binary_length(values), _EXACT_LENGTH)
        # Longer ones come as they are only where they are a double's own digits (exact.py).
        is_own = pc.or_(pc.equal(numbers.cast(pa.string()), values), pc.match_substring(values, "e"))
        _require(pc.or_(is_short, is_own))
    return numbers


def _in_range(values: Values) -> Values:
    """The values, proven to lie in the years 1 to 9999 where they are days or instants."""
    if pa.types.is_date32(values.type):
        first, last, counted = FIRST_DAY, LAST_DAY, values.cast(pa.int32())
    elif pa.types.is_timestamp(values.type):
        first, last = FIRST_DAY * DAY_US, (LAST_DAY + 1) * DAY_US - 1
        counted = values.cast(pa.int64())
    else:
        return values
    span = cast("dict[str, int | None]", pc.call_function("min_max", [counted]).as_py())
    lowest, highest = span["min"], span["max"]
    if lowest is not None and highest is not None and not first <= lowest <= highest <= last:
        raise Unfit
    return values


def _require(holds: Values) -> None:
    """Nulls hold."""
    if (
        pc.call_function("all", [holds], pc.ScalarAggregateOptions(skip_nulls=True, min_count=0)).as_py()
        is False
    ):
        raise Unfit
