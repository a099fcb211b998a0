"""The population keeps every version and shows each from its moment on."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from propexo_connect.simulators.population import ALWAYS, Population, View
from propexo_connect_tests.simulators.acme import NOON, two_units

HOUR = timedelta(hours=1)


def test_every_version_of_a_record_is_kept() -> None:
    population = two_units()
    population.update("units", "1", {"name": "A1"})
    population.vanish("units", "1")
    assert [version.record for version in population.versions("units", "1")] == [
        {"id": "1", "name": "1A"},
        {"id": "1", "name": "A1"},
        None,
    ]


def test_a_late_record_shows_only_from_its_moment_on() -> None:
    population = two_units()
    population.insert("units", {"id": "3"}, visible_at=NOON)
    assert "3" not in population.view("units", NOON - HOUR)
    assert "3" in population.view("units", NOON)


def test_a_late_change_leaves_the_older_version_in_sight() -> None:
    population = two_units()
    population.update("units", "1", {"name": "A1"}, visible_at=NOON)
    assert population.view("units", NOON - HOUR).record("1")["name"] == "1A"
    assert population.view("units", NOON).record("1")["name"] == "A1"
    assert population.truth("units")["1"]["name"] == "A1"


def test_a_record_that_vanished_is_out_of_sight_and_out_of_the_truth() -> None:
    population = two_units()
    population.vanish("units", "1")
    assert list(population.truth("units")) == ["2"]
    assert len(population.view("units", NOON)) == 1


def test_a_vanished_record_may_come_back() -> None:
    population = two_units()
    population.vanish("units", "1")
    population.insert("units", {"id": "1", "name": "again"})
    assert population.view("units", NOON).record("1")["name"] == "again"


def test_a_view_of_an_earlier_instant_shows_what_was_visible_then() -> None:
    population = two_units()
    population.update("units", "1", {"name": "A1"}, visible_at=NOON)
    population.view("units", NOON)
    assert population.view("units", NOON - HOUR).record("1")["name"] == "1A"


def test_a_list_is_derived_once_for_all_pages_of_one_state() -> None:
    population = two_units()
    built: list[int] = []

    def build(view: View) -> int:
        built.append(len(view))
        return len(view)

    for _ in range(3):
        population.view("units", NOON).derive("length", build)
    population.insert("units", {"id": "3"})
    population.view("units", NOON).derive("length", build)
    assert built == [2, 3]


def test_a_living_key_cannot_be_inserted_twice() -> None:
    with pytest.raises(ValueError, match="already holds 1"):
        two_units().insert("units", {"id": "1"})


def test_a_record_without_a_key_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a key"):
        two_units().insert("units", {"name": "no id"})


def test_what_does_not_exist_cannot_change() -> None:
    with pytest.raises(KeyError):
        two_units().update("units", "9", {"name": "?"})


def test_ids_count_up_per_collection() -> None:
    population = Population()
    assert [population.next_id("units", 500), population.next_id("units", 500)] == ["500", "501"]
    assert population.next_id("leases") == "1"


@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.sampled_from(["write", "vanish"]), st.integers(0, 6)), max_size=12
    ),
    st.lists(st.integers(0, 6), min_size=1, max_size=6),
)
def test_a_view_holds_per_key_the_newest_visible_version(
    writes: list[tuple[str, str, int]], looks: list[int]
) -> None:
    """Whatever the order of writes, delays and looks, forwards or back in time."""
    population = Population()
    history: dict[str, list[tuple[int, int | None]]] = {}
    for number, (key, what, hour) in enumerate(writes):
        lives = key in population.truth("units")
        visible_at = ALWAYS + hour * HOUR
        if what == "vanish" and lives:
            population.vanish("units", key, visible_at=visible_at)
            history[key].append((hour, None))
        elif what == "write":
            if lives:
                population.update("units", key, {"n": number}, visible_at=visible_at)
            else:
                population.insert("units", {"n": number}, key=key, visible_at=visible_at)
            history.setdefault(key, []).append((hour, number))
    for hour in looks:
        expected = {
            key: shown
            for key, versions in history.items()
            if (shown := next((n for since, n in reversed(versions) if since <= hour), None)) is not None
        }
        view = population.view("units", ALWAYS + hour * HOUR)
        assert {version.key: version.content["n"] for version in view.versions} == expected
