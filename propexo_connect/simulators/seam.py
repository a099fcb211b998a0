"""Seam's API, as the vendor's OpenAPI document tells.

Auth     a workspace's key as Bearer, or a token with Seam-Workspace; else 401.
Shape    POST with parameters in a JSON body; {"devices":[…],"pagination":{…},"ok":true}; refusals are
         {"error":{"type","message"},"ok":false}.
Pages    500 by default; page_cursor is refused beside other filters than it was given for. Systems come at
         once. Events have no cursor: 500 by default, the rest is left out in silence.
Filters  access codes need at least one filter; events need `since` or `between`, whose ends are excluded.
"""

import base64
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import cast

from propexo_connect.simulators.api import (
    ApiSimulator,
    Equal,
    Paged,
    Params,
    Refused,
    Route,
    insert_all,
    instant_of,
)
from propexo_connect.simulators.fiction import PLACES, Fiction, iso
from propexo_connect.simulators.population import Population, Record, Version
from propexo_connect.simulators.simulation import Simulation
from propexo_connect.simulators.styles import WholeStyle, number_of
from propexo_connect.simulators.wire import Answer, Request, json_answer

KEY, TOKEN, WORKSPACE = "seam_demo_key", "seam_at_demo_token", "ws-demo"
OF_PAGES = ("page_cursor", "limit")


class CursorStyle:
    """A cursor that holds for the filters that it was given for."""

    names = OF_PAGES

    def __init__(self, records: str) -> None:
        self._records = records

    def page(self, rows: Sequence[Version], params: Params, request: Request) -> Paged:  # noqa: ARG002
        size = number_of(params, "limit", 500)
        filters = str(sorted((name, value) for name, value in params.items() if name not in OF_PAGES))
        place = 0
        if "page_cursor" in params:
            told, _, given = base64.b64decode(params["page_cursor"]).decode().partition("|")
            if given != filters:
                raise Refused(400, "The filters are not those of the page cursor.")
            place = int(told)
        end = place + size
        has_more = end < len(rows)
        cursor = base64.b64encode(f"{end}|{filters}".encode()).decode() if has_more else None
        pages = {"has_next_page": has_more, "next_page_cursor": cursor, "next_page_url": None}
        return Paged(rows[place:end], lambda shown: {self._records: shown, "pagination": pages, "ok": True})


class CutStyle:
    """The first of a list, and no word on the rest."""

    names = ("limit",)

    def page(self, rows: Sequence[Version], params: Params, request: Request) -> Paged:  # noqa: ARG002
        return Paged(rows[: number_of(params, "limit", 500)], lambda shown: {"events": shown, "ok": True})


class MadeBetween:
    """Events after `since`, or between two moments that are themselves excluded."""

    names = ("since", "between")

    def keep(self, params: Params, now: datetime) -> Callable[[Record], bool] | None:
        since, between = params.get("since"), params.get("between")
        if since is None and between is None:
            raise Refused(400, "Must include since or between.")
        try:
            bounds = [datetime.fromisoformat(text) for text in (since or between or "").split(",")]
        except ValueError:
            raise Refused(400, "A timestamp is not valid.") from None
        if len(bounds) == 1:
            bounds.append(now)
        return lambda record: bounds[0] < (instant_of(record["created_at"]) or now) < bounds[1]


def listed(path: str, collection: str, *filters: Equal) -> Route:
    """A list at its path."""
    return Route(path, collection, filters, CursorStyle(collection), method="POST")


class Seam(ApiSimulator):
    """Seam on loopback."""

    style = CutStyle()
    routes = (
        listed("/connected_accounts/list", "connected_accounts"),
        listed("/devices/list", "devices", Equal("connected_account_id", "connected_account_id")),
        listed("/access_codes/list", "access_codes", Equal("device_id", "device_id", is_required=True)),
        listed("/acs/users/list", "acs_users", Equal("acs_system_id", "acs_system_id")),
        listed("/acs/entrances/list", "acs_entrances", Equal("acs_system_id", "acs_system_id")),
        Route("/acs/systems/list", "acs_systems", style=WholeStyle("acs_systems", {"ok": True}), method="POST"),
        Route("/events/list", "events", (MadeBetween(),), method="POST"),
    )  # fmt: skip

    def refusal(self, request: Request) -> Answer | None:
        if request.bearer == KEY:
            return None
        if request.bearer == TOKEN and request.header("seam-workspace") == WORKSPACE:
            return None
        return self.refused(401, "The API key is not valid.")

    def refused(self, status: int, message: str) -> Answer:
        kinds = {401: "unauthorized", 404: "not_found", 429: "rate_limited"}
        error = {"type": kinds.get(status, "invalid_input"), "message": message}
        return json_answer({"error": error, "ok": False}, status)

    def params(self, request: Request) -> Params:
        try:
            sent = request.json if request.body else {}
        except ValueError:
            return {}
        named = cast("dict[str, object]", sent)
        return {
            name: ",".join(cast("list[str]", value)) if isinstance(value, list) else str(value)
            for name, value in named.items()
        }


def seam_demo_population(seed: int, now: datetime) -> Population:
    """Forty locks in four connected accounts, two codes each, an access system, and 900 events."""
    made, population = Fiction(seed, now), Population()

    def put(collection: str, key: str, **more: object) -> Record:
        record: Record = {"created_at": iso(made.ago(200)), "workspace_id": WORKSPACE, "errors": [],
            "warnings": [], **more}  # fmt: skip
        insert_all(population, collection, [record], key)
        return record

    def code() -> str:
        return f"{made.number(0, 999_999):06d}"

    for name in PLACES[:4]:
        account = made.uuid()
        put("connected_accounts", "connected_account_id", connected_account_id=account, account_type="yale",
            display_name=name)  # fmt: skip
        system = made.uuid()
        put("acs_systems", "acs_system_id", acs_system_id=system, name=name, connected_account_id=account)
        for number in range(10):
            device = made.uuid()
            put("devices", "device_id", device_id=device, device_type="yale_lock", is_managed=True,
                display_name=f"{name} {number}", connected_account_id=account,
                capabilities_supported=["lock", "access_code"], properties={"locked": True})  # fmt: skip
            put("acs_entrances", "acs_entrance_id", acs_entrance_id=made.uuid(), acs_system_id=system,
                display_name=f"{name} {number}")  # fmt: skip
            first, last = made.first(), made.last()
            put("acs_users", "acs_user_id", acs_user_id=made.uuid(), acs_system_id=system,
                full_name=f"{first} {last}", email_address=made.email(first, last))  # fmt: skip
            for place in ("Guest", "Cleaner"):
                changing = {
                    "mutation_code": "updating_code",
                    "from": {"code": code()},
                    "to": {"code": code()},
                }
                put("access_codes", "access_code_id", access_code_id=made.uuid(), device_id=device, name=place,
                    code=code(), type="ongoing", status="set", is_managed=True,
                    pending_mutations=[changing] if place == "Guest" else [])  # fmt: skip
    devices = sorted(str(key) for key in population.truth("devices"))
    for number in range(900):
        at = iso(made.ago(100))
        kind: dict[str, object] = {"event_type": "lock.unlocked", "code": code()}
        if number % 3 == 0:
            kind = {
                "event_type": "access_code.code_changed",
                "from": {"code": code()},
                "to": {"code": code()},
            }
        elif number % 3 == 1:
            kind = {"event_type": "device.disconnected"}
        put("events", "event_id", event_id=made.uuid(), device_id=made.one_of(devices), occurred_at=at,
            **{**kind, "created_at": at})  # fmt: skip
    return population


simulation = Simulation("seam", Seam, seam_demo_population, {"api_key": KEY})
