"""A record's key as people write it."""

import pytest

from propexo_connect.history.key import key_values
from propexo_connect.model.errors import ConfigurationError
from propexo_connect.model.field import TEXT
from propexo_connect.model.layout import Column, Layout

UNIT = Layout((Column("unitId", "unit_id", TEXT),), ("unitId",))
LEASE = Layout((Column("property", "property", TEXT), Column("unit", "unit", TEXT)), ("property", "unit"))


@pytest.mark.parametrize("written", ["7", "unitId=7", "unit_id=7"])
def test_a_key_of_one_field_may_be_written_with_its_name_or_without(written: str) -> None:
    assert key_values([written], UNIT, "") == {"unit_id": "7"}


def test_a_value_may_have_an_equals_sign() -> None:
    assert key_values(["a=b"], UNIT, "") == {"unit_id": "a=b"}


def test_a_key_of_several_fields_comes_in_its_own_order() -> None:
    assert list(key_values(["unit=4B", "property=12"], LEASE, "").items()) == [
        ("property", "12"),
        ("unit", "4B"),
    ]


@pytest.mark.parametrize(
    ("written", "found"),
    [
        (["property=12"], "the key lacks unit"),
        (["12", "4B"], "'12' is no part of the key"),
        (["property=12", "property=13", "unit=4B"], "comes twice"),
    ],
)
def test_what_is_no_key_is_told_with_what_one_looks_like(written: list[str], found: str) -> None:
    with pytest.raises(ConfigurationError, match=found) as caught:
        key_values(written, LEASE, "units")
    assert caught.value.expected == "--key property=VALUE --key unit=VALUE"
