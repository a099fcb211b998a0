"""Names as Dagster takes them."""

import re

from hypothesis import given
from hypothesis import strategies as st

from propexo_connect.orchestration.naming import slug, slugs


@given(st.text(min_size=1))
def test_every_name_becomes_a_word(name: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_]+", slug(name))


@given(st.lists(st.sampled_from(["a-b", "a_b", "a.b", "A B", "ü", "u", "Ж", "ж"]), unique=True))
def test_different_names_stay_different(names: list[str]) -> None:
    assert len(set(slugs(names).values())) == len(names)


def test_the_name_that_is_spelled_like_the_slug_keeps_it() -> None:
    found = slugs(["a-b", "a_b"])
    assert found["a_b"] == "a_b"
    assert re.fullmatch(r"a_b_[0-9a-f]{8}", found["a-b"])
