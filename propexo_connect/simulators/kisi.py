"""Kisi's API, as its OpenAPI document tells.

Auth     Authorization: KISI-LOGIN and a key; else 401. Refusals are {"error","code"}.
Pages    bare arrays; limit 10 by default, over 250 refused; offset over 20,000 refused;
         X-Collection-Range: 0-9/200.
Filters  floors and elevators need place_id; logins are the caller's own unless user_id names somebody.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from propexo_connect.simulators.api import ApiSimulator, Equal, Paged, Params, Refused, Route, insert_all
from propexo_connect.simulators.doors import BearerDoor
from propexo_connect.simulators.fiction import PLACES, Fiction, iso
from propexo_connect.simulators.population import Population, Record, Version
from propexo_connect.simulators.simulation import Simulation
from propexo_connect.simulators.styles import OffsetStyle, number_of
from propexo_connect.simulators.wire import Answer, Request, json_answer

KEY = "kisi-demo-key"
OWNER = 1001
FARTHEST = 20_000

IN_PLACE = (Equal("place_id", "place_id", is_required=True),)


class RangeStyle(OffsetStyle):
    """Limit and offset, with the range and the total in X-Collection-Range."""

    def page(self, rows: Sequence[Version], params: Params, request: Request) -> Paged:
        offset = number_of(params, self.offset, 0)
        if offset > FARTHEST:
            raise Refused(400, f"offset must be at most {FARTHEST}.")
        paged = super().page(rows, params, request)
        told = f"{offset}-{offset + len(paged.rows) - 1}/{len(rows)}"
        return Paged(paged.rows, paged.body, (("X-Collection-Range", told),))


class OwnLogins:
    """Logins of `user_id`; of the caller where it says `me` or nothing."""

    names = ("user_id",)

    def keep(self, params: Params, now: datetime) -> Callable[[Record], bool] | None:  # noqa: ARG002
        whose = params.get("user_id", "me")
        wanted = str(OWNER) if whose == "me" else whose
        return lambda record: str(record["user_id"]) == wanted


class Kisi(ApiSimulator):
    """Kisi on loopback."""

    door = BearerDoor(KEY, "KISI-LOGIN")
    style = RangeStyle(default=10, cap=250, over_cap="refuse")
    routes = (
        *(Route(f"/{name}", name) for name in ("organizations", "places", "locks", "groups", "users", "members",
                                               "role_assignments", "reports", "scheduled_reports")),
        Route("/floors", "floors", IN_PLACE),
        Route("/elevators", "elevators", IN_PLACE),
        Route("/logins", "logins", (OwnLogins(),)),
    )  # fmt: skip

    def refusal(self, request: Request) -> Answer | None:
        return None if self.door.admits(request) else self.refused(401, "Wrong email address or password.")

    def refused(self, status: int, message: str) -> Answer:
        return json_answer({"error": message, "code": f"afc{status}"}, status)


def kisi_demo_population(seed: int, now: datetime) -> Population:
    """One organisation of four places, with the locks, groups and logins of 130 people."""
    made, population = Fiction(seed, now), Population()

    def put(collection: str, key: int, **more: object) -> None:
        dated = {"created_at": iso(made.ago(500, 200)), "updated_at": iso(made.ago(199))}
        insert_all(population, collection, [{"id": key, **more, **dated}], key="id")

    organization: Mapping[str, object] = {"id": 1, "name": "Demo", "domain": "demo"}
    put("organizations", 1, name="Demo", domain="demo", user_id=OWNER, time_zone="America/New_York")
    put("reports", 1, name="Doors", status="finished", start_date="2026-01-01", end_date="2026-01-31",
        organization_id=1, reporter_id=1)  # fmt: skip
    put("scheduled_reports", 1, name="Monthly")
    for place, name in enumerate(PLACES[:4], start=11):
        put("places", place, name=name, address=made.street(), organization_id=1, organization=organization,
            latitude=41.5, longitude=-87.25, time_zone="America/Chicago")  # fmt: skip
        put("groups", place, name=f"{name} residents", locks_count=6, login_enabled=False)
        put("elevators", place, name="Elevator", place_id=place, description=None)
        for floor in range(1, 4):
            put("floors", place * 10 + floor, name=f"Floor {floor}", number=floor, place_id=place)
            for door in range(2):
                put("locks", place * 100 + floor * 10 + door, name=f"Door {door}", place_id=place, online=True,
                    place={"id": place, "name": name})  # fmt: skip
    for user in range(OWNER, OWNER + 130):
        first, last = made.first(), made.last()
        person = {"id": user, "name": f"{first} {last}", "email": made.email(first, last)}
        put("users", user, **{**person, "organization_id": 1, "access_enabled": True})
        put("members", user + 1000, name=person["name"], user_id=user, user=person, role_id="basic",
            organization_id=1)  # fmt: skip
        put("role_assignments", user + 2000, role_id="group_basic", scope="group", user_id=user, user=person)
        put("logins", user + 3000, type="device", user_id=user, user=person, device_brand="Demo", primary=True,
            last_used_at=iso(made.ago(9)))  # fmt: skip
    return population


simulation = Simulation("kisi", Kisi, kisi_demo_population, {"api_key": KEY})
