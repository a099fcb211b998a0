"""A fictional property manager in HappyCo, and its days: the records that the demo and the tests read.

One account, 12 properties, some 500 units, 40 members, 1,500 inspections and 1,200 work orders of the last
120 days, half of them of the last 30. The same seed and instant always make the same records.
"""

import random
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from propexo_connect.simulators.happyco_records import (
    Account,
    Address,
    Assignee,
    Inspection,
    InspectionReference,
    Location,
    Member,
    Property,
    Reference,
    Unit,
    WorkOrder,
    account,
    building,
    inspection,
    location,
    member,
    member_key,
    unit,
    work_order,
    written,
)
from propexo_connect.simulators.population import Key, Population

HISTORY = timedelta(days=120)
"""How far the inspections and work orders reach back."""

INSPECTION_COUNT, WORK_ORDER_COUNT, MEMBER_COUNT = 1_500, 1_200, 40

PROPERTIES = (
    ("Elm Court", "12 Elm Street", "Springfield", "IL", "62701"),
    ("Harbor Point", "400 Quay Road", "Portland", "ME", "04101"),
    ("Larkspur Lofts", "88 Larkspur Avenue", "Boulder", "CO", "80301"),
    ("Maple Terrace", "7 Maple Drive", "Burlington", "VT", "05401"),
    ("Northgate Flats", "2100 Northgate Way", "Seattle", "WA", "98125"),
    ("Old Mill Yard", "5 Mill Lane", "Lowell", "MA", "01852"),
    ("Orchard Row", "31 Orchard Row", "Yakima", "WA", "98901"),
    ("Pine Hollow", "640 Hollow Road", "Bend", "OR", "97701"),
    ("Quarry Heights", "19 Quarry Hill", "Barre", "VT", "05641"),
    ("Riverbend", "1 River Bend", "Boise", "ID", "83702"),
    ("Sunset Gardens", "950 Sunset Boulevard", "Tucson", "AZ", "85701"),
    ("Willow Park", "77 Willow Park", "Madison", "WI", "53703"),
)
"""Name, street, city, state, postal code: some codes begin with 0, and must still do so where they land."""

FIRST_NAMES = ("Pat", "Sam", "Alex", "Robin", "Jo", "Casey", "Dana", "Lee", "Morgan", "Riley")
LAST_NAMES = ("Rivers", "Stone", "Marsh", "Fields", "Woods", "Brooks", "Hill", "Meadows", "Dale", "Ford")

ROLES: tuple[Reference, ...] = (
    {"id": "1", "name": "Administrator"},
    {"id": "2", "name": "Regional manager"},
    {"id": "3", "name": "Property manager"},
    {"id": "4", "name": "Maintenance technician"},
    {"id": "5", "name": "Leasing agent"},
)

TEMPLATES: tuple[Reference, ...] = (
    {"id": "31", "name": "Move-out"},
    {"id": "32", "name": "Move-in"},
    {"id": "33", "name": "Annual unit"},
    {"id": "34", "name": "Make-ready walk"},
    {"id": "35", "name": "Fire and life safety"},
    {"id": "36", "name": "Exterior and grounds"},
)

VENDORS: tuple[Assignee, ...] = tuple(
    {
        "__typename": "WorkOrderAssigneeVendor",
        "id": f"9{number:02d}",
        "name": name,
        "email": email,
        "type": "VENDOR",
    }
    for number, (name, email) in enumerate(
        (
            ("Brightwater Plumbing", "dispatch@brightwater.example.com"),
            ("Copperline Electric", "office@copperline.example.com"),
            ("Summit Roofing", None),
            ("Clearview Glass", "jobs@clearview.example.com"),
        ),
        start=1,
    )
)

FAULTS = (
    ("Tap drips", "The kitchen tap drips all night; the washer is probably worn."),
    ("No hot water", "Water heater shows error E4."),
    ("Smoke detector chirps", None),
    ("Window will not close", "Left bedroom window, the latch is bent."),
    (
        "Outlet without power",
        "Bathroom outlet dead; reset did not help.\nResident reports a tripped breaker.",
    ),
    ("Dishwasher leaks", "Water under the front panel — “a lot of it”."),
    ("Heater noisy", None),
    ("Door lock sticks", "Front door, needs two hands."),
)
"""Summary and description; some have none, one has a line break, one has characters beyond ASCII."""


@dataclass(frozen=True, slots=True)
class DayGone:
    """The keys that one call of `advance` wrote, by collection."""

    inserted: Mapping[str, tuple[Key, ...]]
    updated: Mapping[str, tuple[Key, ...]]
    vanished: Mapping[str, tuple[Key, ...]]

    def __str__(self) -> str:
        told = (("new", self.inserted), ("changed", self.updated), ("gone", self.vanished))
        return ", ".join(
            f"{len(keys)} {name} {word}" for word, by in told for name, keys in by.items() if keys
        )


def happyco_demo_population(seed: int, now: datetime) -> Population:
    """A population whose history ends at `now`, ready for a simulated HappyCo."""
    rng = random.Random(seed)  # noqa: S311 - made-up records, not secrets
    population = Population()
    own = account()
    population.insert("account", own)
    opened = now - timedelta(days=900)
    for name, line1, city, state, postal_code in PROPERTIES:
        address: Address = {
            "line1": line1,
            "line2": None if rng.random() < 0.8 else "Leasing office",
            "city": city,
            "state": state,
            "country": "US",
            "postalCode": postal_code,
        }
        property_id = population.next_id("properties", 120)
        created = opened + timedelta(hours=rng.randrange(24 * 300))
        population.insert("properties", building(property_id, name, created_at=created, address=address))
        for number in range(rng.randint(36, 48)):
            label = f"Unit {number // 8 + 1}{'ABCDEFGH'[number % 8]}"
            population.insert(
                "units", unit(population.next_id("units", 5501), label, property_id=property_id)
            )
    for number in range(MEMBER_COUNT):
        _add_member(population, rng, number, own, now)
    company = _Company(population, rng)
    for age in sorted((_age(rng) for _ in range(INSPECTION_COUNT)), reverse=True):
        company.inspect(now - age, now)
    for age in sorted((_age(rng) for _ in range(WORK_ORDER_COUNT)), reverse=True):
        company.order_work(now - age, now)
    return population


def advance(population: Population, now: datetime, since: datetime | None = None) -> DayGone:
    """Let the vendor's day go by, and return what it changed.

    Open work orders change status and `updatedAt`, waiting inspections are completed (which no cursor of
    theirs tells), new inspections and work orders appear, one inspection leaves the list, one member becomes
    inactive. No record changes in two of these ways.
    New records are created at `now`, or spread over `(since, now]`. The same population changes the same way.
    """
    rng = random.Random(population.version_count)  # noqa: S311 - made-up records, not secrets
    company = _Company(population, rng)
    spread = (now - since) if since is not None else timedelta(0)
    updated = {
        "work_orders": company.work(12, now),
        "inspections": company.complete_inspections(6, now),
        "members": company.inactivate_member(now),
    }
    inserted = {
        "inspections": tuple(company.inspect(now - spread * rng.random(), now) for _ in range(5)),
        "work_orders": tuple(company.order_work(now - spread * rng.random(), now) for _ in range(7)),
    }
    touched = inserted["inspections"] + updated["inspections"]
    vanished = {"inspections": company.archive_inspection(sparing=touched)}
    return DayGone(inserted, updated, vanished)


def _age(rng: random.Random) -> timedelta:
    """An age within the history; squared, so that half of all ages lie in its last quarter."""
    return timedelta(seconds=int(HISTORY.total_seconds() * rng.random() ** 2))


def _add_member(population: Population, rng: random.Random, number: int, own: Account, now: datetime) -> None:
    name = f"{FIRST_NAMES[number % 10]} {LAST_NAMES[(number + number // 10) % 10]}"
    joined = now - timedelta(days=rng.randrange(130, 800), seconds=rng.randrange(86_400))
    left = now - timedelta(days=rng.randrange(1, 120)) if rng.random() < 0.1 else None
    roles = tuple(rng.sample(ROLES, k=rng.choice((1, 1, 1, 2))))
    record = member(
        population.next_id("members", 80), name, of=own, created_at=joined, roles=roles, inactivated_at=left
    )
    population.insert("members", record, key=member_key(record))


class _Company:
    """The people and places of a population, and what they do."""

    def __init__(self, population: Population, rng: random.Random) -> None:
        self._population = population
        self._rng = rng
        properties = cast("Sequence[Property]", list(population.truth("properties").values()))
        self._by_id = {one["id"]: one for one in properties}
        self._properties = properties
        self._units = cast("Sequence[Unit]", list(population.truth("units").values()))
        members = cast("Sequence[Member]", list(population.truth("members").values()))
        self._active = [one for one in members if one["isActive"]]
        self._inspections = cast("list[Inspection]", list(population.truth("inspections").values()))

    def inspect(self, created: datetime, now: datetime) -> Key:
        """Plan an inspection, and by its age also do it, leave it half done, or let it expire."""
        rng = self._rng
        template = rng.choice(TEMPLATES)
        planned = created + timedelta(days=rng.randrange(0, 10), hours=rng.randrange(0, 8))
        status = (
            "SCHEDULED"
            if planned > now
            else rng.choices(("COMPLETE", "INCOMPLETE", "EXPIRED"), (80, 12, 8))[0]
        )
        started = planned if status in ("COMPLETE", "INCOMPLETE") else None
        ended = None
        if status == "COMPLETE" and started is not None:
            ended = min(now, started + timedelta(minutes=rng.randrange(12, 95)))
        potential = float(rng.choice((40, 50, 60, 100))) if ended else None
        record = inspection(
            self._population.next_id("inspections", 7301),
            created_at=created,
            name=f"{template['name']} inspection",
            status=status,
            started_at=started,
            ended_at=ended,
            scheduled_for=planned.date().isoformat(),
            due_by=(planned + timedelta(days=14)).date().isoformat() if rng.random() < 0.4 else None,
            score=None if potential is None else round(potential * rng.uniform(0.55, 1.0) * 2) / 2,
            potential_score=potential,
            assigned_to=self._person("InspectionAssigneeUser") if rng.random() < 0.9 else None,
            at=self._place(),
            template=template,
        )
        self._inspections.append(record)
        return self._population.insert("inspections", record)

    def order_work(self, created: datetime, now: datetime) -> Key:
        """Order work, for an inspection's finding or for a fault that a resident reports."""
        rng = self._rng
        summary, description = rng.choice(FAULTS)
        found = self._finding(created) if rng.random() < 0.3 else None
        age = now - created
        is_done = rng.random() < min(0.9, age / timedelta(days=20))
        status = "COMPLETED" if is_done else rng.choices(("OPEN", "ON_HOLD"), (85, 15))[0]
        updated = created + age * rng.random() if is_done or rng.random() < 0.5 else created
        record = work_order(
            str(uuid.UUID(int=rng.getrandbits(128), version=4)),
            created_at=created,
            updated_at=updated,
            status=status,
            sub_status="CANCELLED" if is_done and rng.random() < 0.08 else None,
            summary=summary,
            description=description,
            priority="URGENT" if rng.random() < 0.15 else "NORMAL",
            scheduled_for=(
                (created + timedelta(days=rng.randrange(1, 9))).date().isoformat()
                if rng.random() < 0.6
                else None
            ),
            assigned_to=self._worker(),
            at=found["locationV2"] if found is not None else self._place(),
            found_by=None if found is None else _reference(found),
        )
        return self._population.insert("work_orders", record)

    def work(self, count: int, now: datetime) -> tuple[Key, ...]:
        """Move some open work orders on, and date the change."""
        open_ones = [
            key
            for key, record in self._population.truth("work_orders").items()
            if cast("WorkOrder", record)["status"] != "COMPLETED"
        ]
        chosen = self._rng.sample(open_ones, k=min(count, len(open_ones)))
        for key in chosen:
            status = cast("WorkOrder", self._population.truth("work_orders")[key])["status"]
            following = (
                "OPEN" if status == "ON_HOLD" else self._rng.choice(("COMPLETED", "COMPLETED", "ON_HOLD"))
            )
            changes: dict[str, object] = {"status": following, "updatedAt": written(now)}
            if following == "COMPLETED" and self._rng.random() < 0.1:
                changes["subStatus"] = "CANCELLED"
            self._population.update("work_orders", key, changes)
        return tuple(chosen)

    def complete_inspections(self, count: int, now: datetime) -> tuple[Key, ...]:
        """Complete some started or scheduled inspections."""
        waiting = [one for one in self._inspections if one["status"] in ("INCOMPLETE", "SCHEDULED")]
        chosen = self._rng.sample(waiting, k=min(count, len(waiting)))
        for one in chosen:
            changes: dict[str, object] = {
                "status": "COMPLETE",
                "startedAt": one["startedAt"] or written(now - timedelta(minutes=40)),
                "endedAt": written(now),
                "score": 43.5,
                "potentialScore": 50.0,
            }
            self._population.update("inspections", one["id"], changes)
        return tuple(one["id"] for one in chosen)

    def archive_inspection(self, sparing: Sequence[Key]) -> tuple[Key, ...]:
        """Archive one expired or complete inspection: it leaves the list without a trace."""
        finished = [
            key
            for key, record in self._population.truth("inspections").items()
            if key not in sparing and cast("Inspection", record)["status"] in ("EXPIRED", "COMPLETE")
        ]
        if not finished:
            return ()
        chosen = self._rng.choice(finished)
        self._population.vanish("inspections", chosen)
        return (chosen,)

    def inactivate_member(self, now: datetime) -> tuple[Key, ...]:
        """Let one member go, as long as some stay."""
        if len(self._active) < 6:
            return ()
        leaving = member_key(self._rng.choice(self._active))
        changes = {"isActive": False, "inactivatedAt": written(now), "updatedAt": written(now)}
        self._population.update("members", leaving, changes)
        return (leaving,)

    def _place(self) -> Location:
        if self._rng.random() < 0.15:
            whole = self._rng.choice(self._properties)
            return location(whole, whole)
        one = self._rng.choice(self._units)
        return location(one, self._by_id[one["propertyId"]])

    def _person(self, typename: str) -> Assignee:
        user = self._rng.choice(self._active)["user"]
        return {
            "__typename": typename,
            "id": user["id"],
            "name": user["name"],
            "email": user["email"],
            "type": "USER",
        }

    def _worker(self) -> Assignee | None:
        chance = self._rng.random()
        if chance < 0.2:
            return None
        return self._rng.choice(VENDORS) if chance < 0.4 else self._person("WorkOrderAssigneeUser")

    def _finding(self, before: datetime) -> Inspection | None:
        """An inspection that had ended when the work was ordered, from a few tries."""
        for one in self._rng.sample(self._inspections, k=min(12, len(self._inspections))):
            if one["endedAt"] is not None and one["endedAt"] <= written(before):
                return one
        return None


def _reference(found: Inspection) -> InspectionReference:
    return {"id": found["id"], "name": found["name"], "status": found["status"]}
