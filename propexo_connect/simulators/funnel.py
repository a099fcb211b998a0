"""Funnel's API v2, as far as its public pages and listing sites show it; lists are bare arrays by assumption.

Auth     the private key by Basic without a password, or as Bearer; the public key as ?key=, for listings only.
Errors   {code, message, param?}.
"""

from datetime import datetime

from propexo_connect.simulators.api import ApiSimulator, Equal, Route, insert_all
from propexo_connect.simulators.doors import basic_pair
from propexo_connect.simulators.fiction import PLACES, Fiction
from propexo_connect.simulators.population import Population
from propexo_connect.simulators.simulation import Simulation
from propexo_connect.simulators.styles import WholeStyle
from propexo_connect.simulators.wire import Answer, Request, json_answer

API_KEY, PUBLIC_KEY = "funnel-demo-key", "funnel-demo-public"


class Funnel(ApiSimulator):
    """Funnel on loopback."""

    style = WholeStyle()
    always_known = ("key",)
    routes = (
        Route("/api/v2/listings/all/", "listings", (Equal("property", "_property"),)),
        Route("/api/v2/listings/residential/rentals/", "rentals"),
    )

    def operation(self, request: Request) -> str:
        return "communities" if request.path.startswith("/api/v2/group/") else super().operation(request)

    def special(self, request: Request) -> Answer | None:
        if not request.path.startswith("/api/v2/group/"):
            return None
        refusal = self.refusal(request)
        if refusal is not None:
            return refusal
        found = self.truth("communities").get(request.path.split("/")[4])
        if found is None or not request.path.endswith("/"):
            return self.refused(404, "Not found.")
        return json_answer(found)

    def refusal(self, request: Request) -> Answer | None:
        is_private = basic_pair(request) == (API_KEY, "") or request.bearer == API_KEY
        is_public = dict(request.query).get("key") == PUBLIC_KEY and "/listings/" in request.path
        return None if is_private or is_public else self.refused(401, "Invalid API key.")

    def refused(self, status: int, message: str) -> Answer:
        return json_answer({"code": status, "message": message}, status)


def funnel_demo_population(seed: int, now: datetime) -> Population:
    """Seven communities with some 40 listings."""
    made, population = Fiction(seed, now), Population()
    for number, name in enumerate(PLACES, start=901):
        insert_all(population, "communities", [{"id": number, "name": name}], key="id")
        for door in range(6):
            listing = {"id": number * 10 + door, "unit_number": f"{door:02d}", "layout": "Studio",
                "status": "available", "bedrooms": 0, "bathrooms": 1.5, "price": made.number(900, 3000),
                "date_available": str(made.day(0, 60)), "_property": number}  # fmt: skip
            insert_all(population, "listings", [listing], key="id")
            if door % 2:
                insert_all(population, "rentals", [listing], key="id")
    return population


simulation = Simulation(
    "funnel", Funnel, funnel_demo_population,
    {"api_key": API_KEY, "community_ids": [str(number) for number in range(901, 908)]}, path="/api/v2",
)  # fmt: skip
