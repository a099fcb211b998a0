"""Hostaway's API v1, as summaries of its documentation tell.

Auth     POST /v1/accessTokens, a form with scope general, for a bearer token of 24 months; refused (403) in its
         first second.
Pages    {"status": "success", "result", "count", "limit", "offset"}; limit 20 by default, over 100 cut.
Filters  reservations by whole days: latestActivityStart, -End, arrivalStartDate, -EndDate, departure alike.
Limits   15 requests in 10 seconds: 429.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from propexo_connect.simulators.api import (
    Allowance,
    ApiSimulator,
    DateRange,
    Equal,
    Route,
    insert_all,
)
from propexo_connect.simulators.doors import OAuthDoor
from propexo_connect.simulators.fiction import PLACES, Fiction
from propexo_connect.simulators.population import Population
from propexo_connect.simulators.simulation import Simulation
from propexo_connect.simulators.styles import OffsetStyle, WholeStyle
from propexo_connect.simulators.tokens import TokenIssuer
from propexo_connect.simulators.wire import Answer, Request, json_answer

ACCOUNT_ID, API_KEY = "10017", "hostaway-demo-key"

DAY = timedelta(days=1)
SUCCESS: Mapping[str, object] = {"status": "success"}


def days(lower: str, upper: str, field: str) -> DateRange:
    """A filter by whole days."""
    return DateRange(lower, upper, field, DAY, reads="day")


class Hostaway(ApiSimulator):
    """Hostaway on loopback."""

    style = OffsetStyle(default=20, cap=100, records="result", total="count", extra=SUCCESS)
    allowances = (Allowance(15, 10, retry_after=False),)
    routes = (
        Route("/v1/reservations", "reservations", (
            days("latestActivityStart", "latestActivityEnd", "latestActivityOn"),
            days("arrivalStartDate", "arrivalEndDate", "arrivalDate"),
            days("departureStartDate", "departureEndDate", "departureDate"),
            Equal("listingId", "listingMapId"), Equal("channelId", "channelId"))),
        Route("/v1/financeStandardField/reservation/{reservation}", "reservation_finance",
              of={"reservation": "_reservation"}, parents={"reservation": "reservations"},
              style=WholeStyle("result", SUCCESS)),
        Route("/v1/listings", "listings"),
        Route("/v1/calendar/{listing}", "calendars", of={"listing": "_listing"},
              parents={"listing": "listings"}, style=WholeStyle("result", SUCCESS)),
        Route("/v1/conversations", "conversations"),
        Route("/v1/reviews", "reviews"),
    )  # fmt: skip

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.tokens = TokenIssuer(self.clock, lifetime=timedelta(days=730))
        self.door = OAuthDoor("/v1/accessTokens", ACCOUNT_ID, API_KEY, self.tokens, style="form", scope="general",
                              lifetime_s=63_072_000)  # fmt: skip
        self._issued_at: datetime | None = None

    def operation(self, request: Request) -> str:
        return "token" if request.path == "/v1/accessTokens" else super().operation(request)

    def special(self, request: Request) -> Answer | None:
        answer = self.door.issues(request)
        if answer is not None and answer.status == 200:
            self._issued_at = self.clock.now()
        return answer

    def refusal(self, request: Request) -> Answer | None:
        fresh = self._issued_at is not None and self.clock.now() - self._issued_at < timedelta(seconds=1)
        if fresh or not self.door.admits(request):
            return self.refused(403, "The token is not known.")
        return None

    def refused(self, status: int, message: str) -> Answer:
        return json_answer({"status": "fail", "message": message}, status)


def hostaway_demo_population(seed: int, now: datetime) -> Population:
    """Seven listings with 120 reservations of the last 200 days."""
    made, population = Fiction(seed, now), Population()

    def stamped(at: datetime) -> str:
        return at.strftime("%Y-%m-%d %H:%M:%S")

    for number, name in enumerate(PLACES, start=301):
        insert_all(population, "listings", [{"id": number, "name": name}], key="id")
        for day in range(5):
            population.insert("calendars", {"date": str((now + day * DAY).date()), "isAvailable": day % 2,
                "price": made.number(90, 300), "_listing": number}, key=f"{number}-{day}")  # fmt: skip
    for number in range(70_001, 70_121):
        first, last = made.first(), made.last()
        arrival = made.day(100, 60)
        insert_all(population, "reservations", [{"id": number, "hostawayReservationId": f"H{number}",
            "listingMapId": made.number(301, 307), "channelId": 2000, "channelName": "direct",
            "arrivalDate": str(arrival), "departureDate": str(arrival + 3 * DAY),
            "guestName": f"{first} {last}", "guestEmail": made.email(first, last), "numberOfGuests": 2,
            "totalPrice": made.money(90, 900), "currency": "USD", "status": "new",
            "insertedOn": stamped(made.ago(200, 100)), "latestActivityOn": stamped(made.ago(100))}],
            key="id")  # fmt: skip
        population.insert("reservation_finance", {"baseRate": made.money(90, 900), "cleaningFee": 50,
            "_reservation": number}, key=str(number))  # fmt: skip
        if number % 4 == 0:
            insert_all(
                population, "conversations", [{"id": number + 1_000, "reservationId": number}], key="id"
            )
            insert_all(population, "reviews", [{"id": number + 2_000, "rating": 9}], key="id")
    return population


simulation = Simulation(
    "hostaway", Hostaway, hostaway_demo_population, {"account_id": ACCOUNT_ID, "api_key": API_KEY}, path="/v1",
    addresses={"token_url": "/v1/accessTokens"},
)  # fmt: skip
