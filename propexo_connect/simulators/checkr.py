"""Checkr's API v1, as summaries of its documents tell.

Auth     Basic, the key as user and an empty password; else 401. Refusals are {"error"} or {"errors"}.
Pages    {"object":"list","data","count","next_href","previous_href"}; per_page 25 by default, over 100 refused.
Filters  candidates by created_after and created_before, both excluded; invitations by status.
Reports  have no list; a report is asked for by its id, a screening by its report's and its own.
Limits   1,200 requests a minute, told in X-Ratelimit-Limit and X-Ratelimit-Remaining; 429.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from propexo_connect.simulators.api import (
    Allowance,
    ApiSimulator,
    Equal,
    Params,
    Refused,
    Route,
    insert_all,
    instant_of,
)
from propexo_connect.simulators.doors import BasicDoor
from propexo_connect.simulators.fiction import PLACES, Fiction, iso
from propexo_connect.simulators.population import Population, Record
from propexo_connect.simulators.simulation import Simulation
from propexo_connect.simulators.styles import NumberStyle, WholeStyle
from propexo_connect.simulators.wire import Answer, Request, json_answer

KEY = "checkr-demo-key"
ONE_EACH = ("ssn_trace", "national_criminal_search", "federal_criminal_search", "sex_offender_search",
            "motor_vehicle_report")  # fmt: skip
PLURAL = {"ssn_trace": "ssn_traces", "motor_vehicle_report": "motor_vehicle_reports"}
COUNTY = "county_criminal_searches"


def collection_of(kind: str) -> str:
    """The collection of the screenings of a kind."""
    return PLURAL.get(kind, f"{kind}es")


@dataclass(frozen=True)
class Created:
    """Made after and before two moments."""

    names: tuple[str, ...] = ("created_after", "created_before")

    def keep(self, params: Params, now: datetime) -> Callable[[Record], bool] | None:
        bounds = [params.get(name) for name in self.names]
        if bounds == [None, None]:
            return None
        try:
            after, before = (datetime.fromisoformat(text) if text else None for text in bounds)
        except ValueError:
            raise Refused(400, "created_after and created_before must be ISO 8601.") from None

        def wanted(record: Record) -> bool:
            at = instant_of(record["created_at"]) or now
            return (after is None or at > after) and (before is None or at < before)

        return wanted


class Checkr(ApiSimulator):
    """Checkr on loopback."""

    door = BasicDoor(KEY)
    style = NumberStyle(over_cap="refuse", records="data", total="count", next_url="next_href",
                        extra={"object": "list", "previous_href": None})  # fmt: skip
    allowances = (Allowance(1200, 60, retry_after=False),)
    routes = (
        Route("/v1/candidates", "candidates", (Created(),)),
        Route("/v1/invitations", "invitations", (Equal("status", "status"),)),
        *(Route(f"/v1/{name}", name) for name in ("packages", "programs", "nodes", "geos", "users")),
        Route("/v1/reports/{report}/adverse_actions", "adverse_actions", style=WholeStyle("data"),
              of={"report": "_report"}, parents={"report": "reports"}),
    )  # fmt: skip

    def refusal(self, request: Request) -> Answer | None:
        return None if self.door.admits(request) else self.refused(401, "Bad authentication error")

    def refused(self, status: int, message: str) -> Answer:
        if status == 400:
            return json_answer({"errors": [message]}, status)
        return json_answer({"error": message}, status)

    def operation(self, request: Request) -> str:
        one = self._one(request)
        return one[0] if one else super().operation(request)

    def special(self, request: Request) -> Answer | None:
        """A report, or a screening in it."""
        one = self._one(request)
        if one is None:
            return None
        refusal = self.refusal(request)
        if refusal is not None:
            return refusal
        collection, report, key = one
        view = self.population.view(collection, self.clock.now())
        if key not in view or view.record(key).get("_report", report) != report:
            return self.refused(404, "Resource not found")
        found = {name: value for name, value in view.record(key).items() if not name.startswith("_")}
        served = [version for version in view.versions if version.key == key]
        return json_answer(found, served={collection: served})

    def _one(self, request: Request) -> tuple[str, str, str] | None:
        """The collection, the report and the key that a path of one object names."""
        found = re.fullmatch(r"/v1/reports/(\w+)(?:/(\w+)/(\w+))?", request.path)
        if found is None:
            return None
        report, kind, key = found.groups()
        if kind is None:
            return "reports", report, report
        return (COUNTY if kind == COUNTY else collection_of(kind)), report, key


def checkr_demo_population(seed: int, now: datetime) -> Population:
    """Sixty candidates of 200 days, two thirds of whom were screened; the youngest reports are open."""
    made, population = Fiction(seed, now), Population()

    def put(collection: str, *records: Record) -> None:
        insert_all(population, collection, records, key="id")

    for number, name in enumerate(PLACES, 1):
        put(
            "packages", {"id": f"pkg{number}", "object": "package", "name": name, "slug": f"package_{number}"}
        )
        put("programs", {"id": f"prog{number}", "object": "program", "name": name})
        put("nodes", {"id": f"node{number}", "object": "node", "custom_id": str(number), "name": name,
            "parent_id": None, "tier": "Region"})  # fmt: skip
        put("geos", {"id": f"geo{number}", "object": "geo", "name": name, "state": made.city()[1]})
        put("users", {"id": f"user{number}", "object": "user", "name": made.first(), "roles": ["admin"],
            "email": f"user{number}@example.com"})  # fmt: skip
    for number in range(1, 61):
        first, last, at = made.first(), made.last(), made.ago(200)
        reports = [f"rep{number}n{place}" for place in range((0, 1, 2)[number % 3])]
        put("candidates", {"id": f"cand{number}", "object": "candidate", "first_name": first, "last_name": last,
            "email": made.email(first, last), "phone": made.phone(), "zipcode": made.city()[2],
            "dob": "1990-01-01", "ssn": "XXX-XX-0000", "driver_license_number": "F0000000",
            "driver_license_state": "CA", "report_ids": reports, "created_at": iso(at)})  # fmt: skip
        put("invitations", {"id": f"inv{number}", "object": "invitation", "candidate_id": f"cand{number}",
            "status": made.one_of(("pending", "completed", "expired")), "package": "package_1",
            "invitation_url": f"https://apply.example.com/{number}", "created_at": iso(at),
            "expires_at": iso(now)})  # fmt: skip
        for report in reports:
            _report(made, put, report, number, at)
    return population


def _report(made: Fiction, put: Callable[..., None], report: str, number: int, at: datetime) -> None:
    """A report with its screenings; not every report has one of each kind."""
    is_open = (made.now - at).days < 10
    done = {"status": "pending" if is_open else "clear", "result": None if is_open else "clear",
        "completed_at": None if is_open else iso(made.now), "turnaround_time": 3600, "records": []}  # fmt: skip
    kinds = [kind for place, kind in enumerate(ONE_EACH) if place < 2 or (number + place) % 2]
    counties = [f"{report}county{place}" for place in range(2)]
    ids = {f"{kind}_id": f"{report}{kind.replace('_', '')}" for kind in kinds}
    put("reports", {"id": report, "object": "report", "status": done["status"], "result": done["result"],
        "candidate_id": f"cand{number}", "package": "package_1", "created_at": iso(at),
        "completed_at": done["completed_at"], "county_criminal_search_ids": counties,
        **{f"{kind}_id": ids.get(f"{kind}_id") for kind in ONE_EACH}})  # fmt: skip
    for kind in kinds:
        put(collection_of(kind), {"id": ids[f"{kind}_id"], "object": kind, "_report": report, **done})
    for county in counties:
        put(COUNTY, {"id": county, "object": "county_criminal_search", "_report": report, **done})
    if number % 5 == 0:
        put("adverse_actions", {"id": f"{report}adverse", "object": "adverse_action", "status": "pending",
            "pre_notice_date": iso(at), "post_notice_date": None, "created_at": iso(at), "_report": report})  # fmt: skip


simulation = Simulation("checkr", Checkr, checkr_demo_population, {"api_key": KEY}, path="/v1")
