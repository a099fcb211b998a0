"""Calendly's API v2, as its public client definitions tell.

Auth     Bearer, else 401.
Lists    want the organization, else 400; another one's are refused with 403.
Pages    count 20 by default, over 100 refused; pagination.next_page_token is null at the end.
Filters  events by min_start_time and max_start_time, both included; there is none by their changes.
Sorting  start_time:asc, updated_at:desc and their opposites; another order is refused.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from propexo_connect.simulators.api import ApiSimulator, DateRange, Equal, Params, Refused, Route, insert_all
from propexo_connect.simulators.fiction import Fiction
from propexo_connect.simulators.population import Population, Record, Version
from propexo_connect.simulators.simulation import Simulation
from propexo_connect.simulators.styles import TokenStyle
from propexo_connect.simulators.wire import Answer, Request, json_answer

TOKEN = "calendly-demo-token"  # noqa: S105 - fictional
HOME = "https://api.calendly.com"
ORGANIZATION = f"{HOME}/organizations/00000000-0000-4000-8000-000000000001"

PAGES = TokenStyle("page_token", "count", default=20, cap=100, over_cap="refuse", records="collection",
                   next="pagination.next_page_token")  # fmt: skip
OURS = Equal("organization", "_organization", is_required=True)
ORDERS = {f"{field}:{way}" for field in ("start_time", "updated_at", "created_at") for way in ("asc", "desc")}


class Calendly(ApiSimulator):
    """One organization on loopback."""

    style = PAGES
    always_known = ("sort",)
    routes = (
        Route("/scheduled_events", "scheduled_events",
              (OURS, DateRange("min_start_time", "max_start_time", "start_time"))),
        Route("/scheduled_events/{event}/invitees", "invitees", of={"event": "_event"},
              parents={"event": "scheduled_events"}),
        Route("/event_types", "event_types", (OURS,)),
        Route("/organization_memberships", "organization_memberships", (OURS,)),
        Route("/groups", "groups", (OURS,)),
    )  # fmt: skip

    def refusal(self, request: Request) -> Answer | None:
        if request.bearer != TOKEN:
            return self.refused(401, "The access token is invalid")
        if dict(request.query).get("organization", ORGANIZATION) != ORGANIZATION:
            return self.refused(403, "You do not have permission to access this resource.")
        if request.path == "/users/me":
            view = self.population.view("current_user", self.clock.now())
            shown = [dict(version.content) for version in view.versions]
            return json_answer({"resource": shown[0]}, served={"current_user": view.versions})
        return None

    def operation(self, request: Request) -> str:
        return "current_user" if request.path == "/users/me" else super().operation(request)

    def refused(self, status: int, message: str) -> Answer:
        title = {401: "Unauthenticated", 403: "Permission Denied", 404: "Resource Not Found"}.get(status)
        return json_answer({"title": title or "Invalid Argument", "message": message}, status)

    def rows(self, route: Route, places: Mapping[str, str], params: Params) -> Sequence[Version]:
        rows = list(super().rows(route, places, params))
        order = params.get("sort")
        if order is None:
            return rows
        if order not in ORDERS:
            raise Refused(400, f"sort: {order} is not supported")
        field, _, way = order.partition(":")
        return sorted(rows, key=lambda version: str(version.content[field]), reverse=way == "desc")


def calendly_demo_population(seed: int, now: datetime) -> Population:
    """Tours of flats: 150 days behind and 60 ahead, with who came to them."""
    made, population = Fiction(seed, now), Population()

    def told(at: datetime) -> str:
        return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def put(collection: str, path: str, created: datetime, record: Record) -> str:
        name = made.uuid()
        updated = created + timedelta(hours=made.number(1, 48))
        insert_all(population, collection, [{"uri": f"{HOME}/{path}/{name}", "created_at": told(created),
            "updated_at": told(updated), "_organization": ORGANIZATION, "_id": name, **record}], key="_id")  # fmt: skip
        return name

    insert_all(population, "current_user", [{"uri": f"{HOME}/users/{made.uuid()}", "name": "Pat Rivers",
        "email": "pat@example.com", "current_organization": ORGANIZATION, "created_at": told(made.ago(900, 800)),
        "updated_at": told(made.ago(300, 200))}], key="uri")  # fmt: skip
    for number in range(45):
        put("event_types", "event_types", made.ago(200, 3), {"name": f"Tour {number}", "active": True,
            "duration": 30, "kind": "solo", "slug": f"tour-{number}"})  # fmt: skip
    for number in range(12):
        put("organization_memberships", "organization_memberships", made.ago(400, 3), {"role": "user",
            "organization": ORGANIZATION, "user": {"email": f"agent{number}@example.com"}})  # fmt: skip
    for name in ("Leasing", "Care"):
        put(
            "groups",
            "groups",
            made.ago(400, 3),
            {"name": name, "member_count": 6, "organization": ORGANIZATION},
        )
    for _ in range(70):
        starts = now + timedelta(hours=made.number(-150 * 24, 60 * 24))
        created = min(starts, now) - timedelta(days=made.number(3, 20))
        event = put("scheduled_events", "scheduled_events", created, {"name": "Tour",
            "status": made.one_of(("active", "active", "canceled")), "start_time": told(starts),
            "end_time": told(starts + timedelta(minutes=30)),
            "location": {"type": "zoom", "join_url": "https://meet.example.com/j/0000?pwd=demo"}})  # fmt: skip
        for _ in range(made.number(1, 2)):
            first, last = made.first(), made.last()
            put("invitees", f"scheduled_events/{event}/invitees", created, {"name": f"{first} {last}",
                "email": made.email(first, last), "status": "active", "rescheduled": False,
                "event": f"{HOME}/scheduled_events/{event}", "_event": event,
                "cancel_url": f"https://calendly.example.com/cancellations/{event}",
                "reschedule_url": f"https://calendly.example.com/reschedulings/{event}"})  # fmt: skip
    return population


simulation = Simulation("calendly", Calendly, calendly_demo_population, {"token": TOKEN})
