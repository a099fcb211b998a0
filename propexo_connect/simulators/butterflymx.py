"""ButterflyMX's API v4 and its accounts, as its documents tell.

Auth     POST /oauth/token with a refresh token that lasts for ever; the client shows itself in the form or by
         Basic. Access tokens last 24 hours; the 401 says `messages` where other refusals say `message`.
Pages    {"data","page_info"}; page from 1, per from 1 to 100; more is refused with 422. With `says_pages`
         off, answers lack page_info, as older ones did.
Filters  logs by q[logged_at_gteq] and q[logged_at_lteq], a day read as its first moment; by status and method.
         Other lists by building, unit or name only; a parameter that is not known has no effect.
Logs     newest first; entry_method is text or an object.
"""

from datetime import datetime, timedelta

from propexo_connect.simulators.api import ApiSimulator, DateRange, Equal, Route, insert_all, instant_of
from propexo_connect.simulators.doors import OAuthDoor
from propexo_connect.simulators.fiction import PLACES, Fiction, iso
from propexo_connect.simulators.population import Population, Record
from propexo_connect.simulators.simulation import Simulation
from propexo_connect.simulators.styles import NumberStyle
from propexo_connect.simulators.tokens import TokenIssuer
from propexo_connect.simulators.wire import Answer, Request, json_answer

CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN = "butterfly-demo", "butterfly-demo-secret", "butterfly-demo-refresh"
LIFETIME = timedelta(hours=24)

LOGGED = (
    DateRange("q[logged_at_gteq]", "q[logged_at_lteq]", "logged_at"),
    Equal("q[release_status]", "release_status"),
    Equal("q[release_method_in][]", "release_type"),
)
IN_BUILDING = (Equal("q[building_id_eq]", "building_id"), Equal("q[id_eq]", "id"))


def newest(record: Record) -> float:
    """The order of logs."""
    at = instant_of(record["logged_at"])
    return -at.timestamp() if at else 0.0


class ButterflyMX(ApiSimulator):
    """ButterflyMX on loopback; its accounts are at the same address."""

    says_pages = True
    style = NumberStyle(size_name="per", default=50, over_cap="refuse", records="data",
                        total="page_info.total_item_count", pages="page_info.total_pages",
                        next="page_info.next_page")  # fmt: skip
    plain = NumberStyle(size_name="per", default=50, over_cap="refuse", records="data")
    routes = (
        *(Route(f"/v4/{name}", name, IN_BUILDING)
          for name in ("buildings", "units", "tenants", "access_points", "devices", "access_groups",
                       "access_tools", "keychains", "virtual_keys")),
        *(Route(f"/v4/buildings/{{building}}/{name}", name, LOGGED, of={"building": "_building"},
                parents={"building": "buildings"}, order=newest) for name in ("access_logs", "calls")),
    )  # fmt: skip

    def refusal(self, request: Request) -> Answer | None:
        if not self._door.admits(request):
            said = {"field": "base", "code": "unauthorized", "messages": ["The access token is not valid."]}
            return json_answer({"errors": [said]}, 401)
        if not self.says_pages:
            self.style = self.plain
        return None

    def refused(self, status: int, message: str) -> Answer:
        status = 422 if status == 400 else status
        code = "not_found" if status == 404 else "invalid"
        return json_answer({"errors": [{"field": "base", "code": code, "message": message}]}, status)

    def operation(self, request: Request) -> str:
        return "token" if request.path == "/oauth/token" else super().operation(request)

    def special(self, request: Request) -> Answer | None:
        return self._door.issues(request)

    def start(self) -> None:
        issuer = TokenIssuer(self.clock, lifetime=LIFETIME, prefix="butterfly")
        self._door = OAuthDoor("/oauth/token", CLIENT_ID, CLIENT_SECRET, issuer, ("refresh_token",),
                               refresh=REFRESH_TOKEN, lifetime_s=int(LIFETIME.total_seconds()))  # fmt: skip
        super().start()


def butterflymx_demo_population(seed: int, now: datetime) -> Population:
    """Three buildings with forty units each, and the door openings and calls of the last hundred days."""
    made, population = Fiction(seed, now), Population()

    def put(collection: str, *records: Record) -> None:
        insert_all(population, collection, records, key="id")

    for building, name in enumerate(PLACES[:3], start=11):
        dated = {"created_at": iso(made.ago(900, 400)), "updated_at": iso(made.ago(90))}
        put("buildings", {"id": building, "name": name, "time_zone": "America/Chicago",
            "address": {"street": made.street(), "city": made.city()[0]}, **dated})  # fmt: skip
        for door in range(2):
            number = building * 10 + door
            put("devices", {"id": number, "name": f"Door {door}", "type": "panel", "model": "12in",
                "serial_number": f"SN{number}", "building_id": building})  # fmt: skip
            put("access_points", {"id": number, "name": f"Door {door}", "building_id": building,
                "device_ids": [number], "open_hours": None})  # fmt: skip
        put("access_groups", {"id": building, "name": "Residents", "building_id": building,
            "tenants_ids": [], "units_ids": []})  # fmt: skip
        for unit in range(building * 100, building * 100 + 40):
            first, last = made.first(), made.last()
            place = {"id": unit, "label": str(unit % 100), "floor": str(unit % 4)}
            put("units", {**place, "building_id": building, **dated})
            put("tenants", {"id": unit, "first_name": first, "last_name": last, "unit": place,
                "full_name": f"{first} {last}" if made.chance(0.8) else None, "email": made.email(first, last),
                "building_id": building, "building_name": name, "registration_status": "registered",
                "inactive_after": None, **dated})  # fmt: skip
            put("access_tools", {"id": unit, "type": "pin", "code": f"{made.number(0, 9999):04d}",
                "tenant_id": unit, "building_id": building})  # fmt: skip
        for key in range(building * 10, building * 10 + 5):
            put("keychains", {"id": key, "name": "Visitor", "type": "custom", "tenant_id": building * 100,
                "unit_id": building * 100, "building_id": building, "access_point_ids": [building * 10],
                "virtual_key_ids": [key], "starts_at": iso(made.ago(50, 30)), "ends_at": iso(made.ago(29))})  # fmt: skip
            put("virtual_keys", {"id": key, "name": "Visitor", "keychain_id": key, "sms_number": made.phone(),
                "pin_code": f"{made.number(0, 999999):06d}", "usage_count": 1,
                "qr_code_url": f"https://qr.example.com/{key}.png"})  # fmt: skip
        for entry in range(building * 1000, building * 1000 + 130):
            pressed = "Swipe to open" if made.chance(0.8) else {"keychain": building * 10}
            put("access_logs", {"id": entry, "logged_at": iso(made.ago(100)), "access_point": building * 10,
                "unit": building * 100, "tenant_id": building * 100, "name": made.first(),
                "entry_method": pressed, "release_status": "Unlocked", "release_type": "Tenant",
                "image_url": f"https://img.example.com/{entry}.png", "_building": building})  # fmt: skip
        for call in range(building * 1000, building * 1000 + 20):
            put("calls", {"id": call, "logged_at": iso(made.ago(100)), "device": {"id": building * 10},
                "unit": {"id": building * 100}, "recipient": {"type": "tenant", "id": building * 100},
                "notification_type": "push", "status": "answered", "_building": building})  # fmt: skip
    return population


simulation = Simulation(
    "butterflymx", ButterflyMX, butterflymx_demo_population,
    {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "refresh_token": REFRESH_TOKEN}, path="/v4",
    addresses={"token_url": "/oauth/token"},
)  # fmt: skip
