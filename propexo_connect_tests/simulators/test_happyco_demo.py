"""The demo population makes sense, is always the same, and changes as it says."""

import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from propexo_connect.simulators.happyco import HappyCo, advance, happyco_demo_population
from propexo_connect.simulators.happyco_records import inspection
from propexo_connect.simulators.population import Key, Population
from propexo_connect_tests.simulators.acme import NOON, once

COLLECTIONS = ("account", "properties", "units", "members", "inspections", "work_orders")


@pytest.fixture(scope="module")
def demo() -> Population:
    return happyco_demo_population(7, NOON)


def records(population: Population, collection: str) -> list[Any]:
    return list(population.truth(collection).values())


def age(written: str) -> timedelta:
    return NOON - datetime.fromisoformat(written)


def state(population: Population) -> list[Mapping[Key, Any]]:
    return [population.truth(name) for name in COLLECTIONS]


def test_the_demo_has_the_size_of_a_real_customer(demo: Population) -> None:
    sizes = {name: len(demo.truth(name)) for name in COLLECTIONS}
    units = sizes.pop("units")
    assert 430 <= units <= 570
    assert sizes == {"account": 1, "properties": 12, "members": 40, "inspections": 1500, "work_orders": 1200}


def test_the_same_seed_and_instant_make_the_same_records(demo: Population) -> None:
    assert state(happyco_demo_population(7, NOON)) == state(demo)
    assert state(happyco_demo_population(8, NOON)) != state(demo)


@pytest.mark.parametrize("collection", ["inspections", "work_orders"])
def test_half_of_the_activity_lies_in_the_last_30_days(demo: Population, collection: str) -> None:
    ages = [age(record["createdAt"]) for record in records(demo, collection)]
    assert timedelta(0) <= min(ages)
    assert timedelta(days=115) < max(ages) <= timedelta(days=120, seconds=1)
    assert 0.4 < sum(one < timedelta(days=30) for one in ages) / len(ages) < 0.6


def test_every_location_is_a_real_unit_or_property(demo: Population) -> None:
    units, properties = demo.truth("units"), demo.truth("properties")
    for record in records(demo, "inspections") + records(demo, "work_orders"):
        place = record["locationV2"]
        owner = properties[place["property"]["id"]]
        assert place["property"]["name"] == owner["name"]
        known = units.get(place["id"]) or properties[place["id"]]
        assert known["name"] == place["name"]
        assert known.get("propertyId", place["id"]) == owner["id"]


def test_every_assignee_is_a_member_or_a_vendor(demo: Population) -> None:
    people = {record["user"]["id"]: record["user"]["name"] for record in records(demo, "members")}
    kinds: dict[str | None, int] = {}
    for record in records(demo, "inspections") + records(demo, "work_orders"):
        assignee = record["assignedTo"]
        kind = assignee["__typename"] if assignee else None
        kinds[kind] = kinds.get(kind, 0) + 1
        if kind in ("InspectionAssigneeUser", "WorkOrderAssigneeUser"):
            assert people[assignee["id"]] == assignee["name"]
    assert kinds.keys() == {
        None,
        "InspectionAssigneeUser",
        "WorkOrderAssigneeUser",
        "WorkOrderAssigneeVendor",
    }
    assert min(kinds.values()) > 100


def test_work_orders_refer_to_inspections_that_had_ended(demo: Population) -> None:
    inspections: Any = demo.truth("inspections")
    referring = [record for record in records(demo, "work_orders") if record["inspectionDetails"]]
    assert len(referring) > 200
    for record in referring:
        told = record["inspectionDetails"]["inspection"]
        found = inspections[told["id"]]
        assert told == {name: found[name] for name in ("id", "name", "status")}
        assert found["endedAt"] <= record["createdAt"]
        assert found["locationV2"] == record["locationV2"]


def test_times_and_scores_of_an_inspection_agree_with_its_status(demo: Population) -> None:
    for record in records(demo, "inspections"):
        assert (record["startedAt"] is not None) == (record["status"] in ("COMPLETE", "INCOMPLETE"))
        assert (record["endedAt"] is not None) == (record["status"] == "COMPLETE")
        if record["endedAt"]:
            assert record["createdAt"] <= record["startedAt"] <= record["endedAt"]
            assert age(record["endedAt"]) >= timedelta(0)
            assert 0 < record["score"] <= record["potentialScore"]


def test_everybody_lives_at_example_com(demo: Population) -> None:
    written = str(state(demo))
    addresses = set(re.findall(r"[\w.]+@([\w.]+)", written))
    assert addresses
    assert all(one == "example.com" or one.endswith(".example.com") for one in addresses)


def test_a_day_changes_what_it_reports_and_nothing_else() -> None:
    population = happyco_demo_population(7, NOON)
    before = {name: population.truth(name) for name in COLLECTIONS}
    tomorrow = NOON + timedelta(days=1)
    gone = advance(population, tomorrow)
    for name in COLLECTIONS:
        old, new = before[name], population.truth(name)
        assert set(new) - set(old) == set(gone.inserted.get(name, ()))
        assert set(old) - set(new) == set(gone.vanished.get(name, ()))
        changed = {key for key in set(old) & set(new) if old[key] != new[key]}
        assert changed == set(gone.updated.get(name, ()))
    assert [len(keys) for keys in gone.updated.values()] == [12, 6, 1]
    assert [len(keys) for keys in gone.inserted.values()] == [5, 7]
    assert len(gone.vanished["inspections"]) == 1
    assert str(gone).startswith("5 inspections new, 7 work_orders new, 12 work_orders changed")


def test_an_inspection_is_not_archived_on_the_day_of_its_completion() -> None:
    population = happyco_demo_population(7, NOON)
    for key in population.truth("inspections"):
        population.vanish("inspections", key)
    population.insert("inspections", inspection("1", created_at=NOON))
    gone = advance(population, NOON + timedelta(days=1))
    assert gone.updated["inspections"] == ("1",)
    assert gone.vanished["inspections"] == ()


def test_what_a_day_changes_is_dated_where_the_vendor_dates_it() -> None:
    population = happyco_demo_population(7, NOON)
    tomorrow = NOON + timedelta(days=1)
    gone = advance(population, tomorrow)
    work_orders: Any = population.truth("work_orders")
    for key in gone.updated["work_orders"]:
        assert work_orders[key]["updatedAt"] == "2026-03-03T12:00:00Z"
        assert work_orders[key]["createdAt"] < "2026-03-02T12:00:01Z"
    for key in gone.inserted["work_orders"]:
        assert work_orders[key]["createdAt"] == "2026-03-03T12:00:00Z"
    left: Any = population.truth("members")[gone.updated["members"][0]]
    assert (left["isActive"], left["inactivatedAt"]) == (False, "2026-03-03T12:00:00Z")


def test_new_records_can_be_spread_over_the_time_gone_by() -> None:
    population = happyco_demo_population(7, NOON)
    gone = advance(population, NOON + timedelta(days=1), since=NOON)
    inspections: Any = population.truth("inspections")
    created = [inspections[key]["createdAt"] for key in gone.inserted["inspections"]]
    assert len(set(created)) == 5
    assert all("2026-03-02T12:00:00Z" <= one <= "2026-03-03T12:00:00Z" for one in created)


def test_many_days_go_by_in_the_same_way_every_time() -> None:
    def a_month() -> Population:
        population = happyco_demo_population(7, NOON)
        for day in range(1, 41):
            advance(population, NOON + timedelta(days=day))
        return population

    first, second = a_month(), a_month()
    assert state(first) == state(second)
    assert sum(record["isActive"] for record in records(first, "members")) == 5


def test_the_demo_can_be_served() -> None:
    with HappyCo(happyco_demo_population(7, NOON)) as happyco:
        assert once("GET", happyco.url, "/").status_code == 405


def test_the_module_runs_until_interrupted_and_says_how_to_log_in() -> None:
    command = [sys.executable, "-m", "propexo_connect.simulators.happyco", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        told = [running.stdout.readline() for _ in range(3)]
        found = re.search(r"http://127\.0\.0\.1:\d+", told[0])
        assert found is not None
        assert "sync@example.com" in told[1]
        assert "happy-demo-client" in told[2]
        assert once("GET", found.group(), "/").status_code == 405
        running.send_signal(signal.SIGINT)
        assert running.wait(10) == 0
