"""DOOR's partner API and its token host, as their OpenAPI documents tell.

Auth     POST /oauth/token with client credentials, as a form or as JSON; 403 unauthorized_client for a wrong
         client, and 401 UNAUTHORIZED for a wrong token.
Pages    {"doors":[…],"nextPageToken":"…"}; a hundred by default; no token on the last page. Buildings and the
         accesses of a key come at once.
Keys     show what they open with includeDoors=true only.
Refusals {"message":"UPPER_CASE_CODE"}: 404 NOT_FOUND, 400 for a page token that is not one.
"""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from propexo_connect.simulators.api import ApiSimulator, Equal, Route, insert_all
from propexo_connect.simulators.fiction import PLACES, Fiction, iso
from propexo_connect.simulators.population import Population, Record
from propexo_connect.simulators.simulation import Simulation
from propexo_connect.simulators.styles import TokenStyle, WholeStyle
from propexo_connect.simulators.tokens import TokenIssuer
from propexo_connect.simulators.wire import Answer, Request, json_answer

CLIENT_ID, CLIENT_SECRET = "door-demo", "door-demo-secret"
LIFETIME = timedelta(hours=1)
CODES = {400: "INVALID_START_TIME", 401: "UNAUTHORIZED", 404: "NOT_FOUND"}


def paged(records: str) -> TokenStyle:
    """Pages of a list under its own name."""
    return TokenStyle(token="pageToken", size_name="pageSize", default=100, cap=1000, records=records,  # noqa: S106 - a parameter
                      next="nextPageToken", says_null=False)  # fmt: skip


class Door(ApiSimulator):
    """DOOR on loopback; its token host is at the same address."""

    style = WholeStyle()
    routes = (
        Route("/access/sdk/v1/buildings", "buildings", style=WholeStyle("buildings")),
        Route("/access/sdk/v1/doors", "doors", (Equal("buildingUuid", "buildingUuid"),), paged("doors")),
        Route("/access/sdk/v1/keys", "keys", (Equal("buildingUuid", "buildingUuid"),), paged("keys")),
        Route("/access/sdk/v1/keys/{key}/accesses", "key_accesses", style=WholeStyle("accesses"),
              of={"key": "keyUuid"}, parents={"key": "keys"}),
        Route("/access/sdk/v1/users", "users", style=paged("users")),
        Route("/access/sdk/v1/buildings/{building}/residents", "residents", style=paged("residents"),
              of={"building": "_building"}, parents={"building": "buildings"}),
    )  # fmt: skip

    def start(self) -> None:
        self._issuer = TokenIssuer(self.clock, lifetime=LIFETIME, prefix="door")
        super().start()

    def refusal(self, request: Request) -> Answer | None:
        return None if self._issuer.admits(request.bearer) else self.refused(401, "")

    def refused(self, status: int, message: str) -> Answer:
        return json_answer({"message": CODES.get(status, message)}, status)

    def operation(self, request: Request) -> str:
        return "token" if request.path == "/oauth/token" else super().operation(request)

    def special(self, request: Request) -> Answer | None:
        if request.path != "/oauth/token":
            return None
        is_json = "json" in (request.header("content-type") or "")
        sent: dict[str, Any] = json.loads(request.body) if is_json else dict(parse_qsl(request.body.decode()))
        expected = ("client_credentials", CLIENT_ID, CLIENT_SECRET)
        if (sent.get("grant_type"), sent.get("client_id"), sent.get("client_secret")) != expected:
            said = {"error": "unauthorized_client", "error_description": "Client is not authorized."}
            return json_answer(said, 403)
        token, seconds = self._issuer.issue(), int(LIFETIME.total_seconds())
        return json_answer({"access_token": token.value, "token_type": "Bearer", "expires_in": seconds})

    def listed(self, route: Route, places: Mapping[str, str], request: Request) -> Answer:
        if route.collection == "keys" and dict(request.query).get("includeDoors") != "true":
            route = Route(route.path, route.collection, route.filters, route.style, show=_without_doors)
        return super().listed(route, places, request)


def _without_doors(record: Record) -> object:
    return {name: value for name, value in record.items() if name != "doors"}


def door_demo_population(seed: int, now: datetime) -> Population:
    """Four buildings with fifty doors each, a key for every door, and the residents who hold them."""
    made, population = Fiction(seed, now), Population()

    def put(collection: str, record: Record, key: str = "uuid") -> None:
        insert_all(population, collection, [record], key)

    for name in PLACES[:4]:
        building = made.uuid()
        city, state, code = made.city()
        put("buildings", {"uuid": building, "name": name, "timezone": "America/New_York",
            "address": {"addressLine1": made.street(), "addressLine2": "", "addressLine3": "", "city": city,
                        "state": state, "postalCode": code, "country": "US"},
            "portfolio": {"uuid": made.uuid(), "name": "Demo"}})  # fmt: skip
        for number in range(50):
            door, sdk_door, key, user = made.uuid(), made.uuid(), made.uuid(), made.uuid()
            put("doors", {"uuid": door, "sdkDoorUuid": sdk_door, "name": f"Unit {number}", "type": "DOOR",
                "accessibilityType": "PRIVATE", "buildingUuid": building, "isConnected": made.chance(0.7),
                "device": {"serialNumber": f"SN{number}", "type": "R2",
                           "battery": {"percentage": made.number(5, 100), "lastUpdated": 1767225600000}}})  # fmt: skip
            put("keys", {"uuid": key, "name": f"Unit {number}", "accountUuid": made.uuid(), "keyType": "SINGLE",
                "buildingUuid": building, "startTime": iso(made.ago(300)), "endTime": None,
                "doors": [{"sdkDoorUuid": sdk_door, "name": f"Unit {number}", "type": "RESIDENCE"}]})  # fmt: skip
            first, last = made.first(), made.last()
            person = {"userUuid": user, "firstName": first, "lastName": last, "phone": made.phone(),
                "email": made.email(first, last)}  # fmt: skip
            code_of = {"code": f"{made.number(0, 9999999):07d}", "description": "VALID"}
            access = {"role": "RESIDENT", "shareable": True, "startTime": iso(made.ago(200)),
                "passcodeType": "PERMANENT", "granter": {"type": "PARTNER", "uuid": made.uuid()}}  # fmt: skip
            put("users", {**person, "accesses": [{**access, "doorUuid": door, "endTime": None,
                "doorcode": code_of}]}, "userUuid")  # fmt: skip
            put("residents", {**person, "_building": building}, "userUuid")
            put("key_accesses", {**access, "userUuid": user, "keyUuid": key,
                "doors": [{"sdkDoorUuid": sdk_door, "doorcode": code_of}]}, "userUuid")  # fmt: skip
    return population


simulation = Simulation(
    "door", Door, door_demo_population, {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET},
    path="/access/sdk", addresses={"token_url": "/oauth/token"},
)  # fmt: skip
