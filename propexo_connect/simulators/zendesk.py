"""Zendesk's Support API v2, as its documents tell.

Auth     Basic as EMAIL/token with the API token, or Bearer; else 401.
Exports  1,000 records a page from start_time on, which must be there and at least a minute old, else 422; records
         of the last minute are left out. Cursors: after_cursor is there on the last page, too. By time: end_time is
         the time of the last record, whose equals come again; next_page is there on the last page, too.
Lists    page[size] at most 100; links.next is there on the last page, too: meta.has_more tells.
Limits   10 requests a minute to exports; then 429 with Retry-After.
"""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from propexo_connect.simulators.api import (
    Allowance,
    ApiSimulator,
    Paged,
    Params,
    Refused,
    Route,
    insert_all,
    instant_of,
)
from propexo_connect.simulators.fiction import TROUBLES, Fiction, iso
from propexo_connect.simulators.population import Population, Record, Version
from propexo_connect.simulators.simulation import Simulation
from propexo_connect.simulators.styles import address, number_of, size_of
from propexo_connect.simulators.wire import Answer, Request

EMAIL, API_TOKEN, OAUTH_TOKEN = "agent@example.com", "zendesk-demo-token", "zendesk-demo-oauth"
EXPORT_SIZE = 1000
MINUTE = timedelta(minutes=1)


def moment(record: Record) -> int:
    """What exports go by, in seconds since 1970."""
    at = instant_of(record["_at"])
    return 0 if at is None else int(at.timestamp())


@dataclass(frozen=True)
class Since:
    """Records from start_time (or a cursor) on, without those of the last minute."""

    names: tuple[str, ...] = ("start_time", "cursor")

    def keep(self, params: Params, now: datetime) -> Callable[[Record], bool] | None:
        settled = int((now - MINUTE).timestamp())
        start = number_of(params, "start_time", -1)
        if "cursor" in params:
            start = _opened(params["cursor"])[0]
        if start < 0:
            raise Refused(422, "Missing parameter start_time")
        if start > settled:
            raise Refused(422, "Too recent start_time. Use a start_time older than 60 seconds")
        return lambda record: start <= moment(record) <= settled


def _opened(cursor: str) -> tuple[int, int]:
    """What a cursor says: start and place. Raises: Refused."""
    try:
        start, _, place = base64.b64decode(cursor, b"-_", validate=True).decode().partition("|")
        return int(start), int(place)
    except ValueError:
        raise Refused(422, "Invalid cursor") from None


@dataclass(frozen=True)
class CursorExport:
    """An export that goes on with a cursor; the cursor is sent alone."""

    records: str
    names: tuple[str, ...] = ("start_time", "cursor")

    def page(self, rows: Sequence[Version], params: Params, request: Request) -> Paged:
        cursor = params.get("cursor")
        if cursor is not None and "start_time" in params:
            raise Refused(422, "cursor and start_time exclude each other")
        start, place = (int(params["start_time"]), 0) if cursor is None else _opened(cursor)
        chosen = rows[place : place + EXPORT_SIZE]
        end = place + len(chosen)
        following = base64.urlsafe_b64encode(f"{start}|{end}".encode()).decode()
        more = {"after_cursor": following, "after_url": address(request, {"cursor": following}),
                "end_of_stream": end >= len(rows)}  # fmt: skip
        return Paged(chosen, lambda shown: {self.records: shown, **more})


@dataclass(frozen=True)
class TimeExport:
    """An export that goes on from the time of the last record."""

    records: str
    names: tuple[str, ...] = ("start_time",)

    def page(self, rows: Sequence[Version], params: Params, request: Request) -> Paged:
        chosen = rows[:EXPORT_SIZE]
        end = moment(chosen[-1].content) if chosen else int(params["start_time"])
        more = {"count": len(chosen), "end_time": end, "end_of_stream": len(chosen) < EXPORT_SIZE,
                "next_page": address(request, {"start_time": str(end)})}  # fmt: skip
        return Paged(chosen, lambda shown: {self.records: shown, **more})


@dataclass(frozen=True)
class CursorPages:
    """Cursor pages of the other lists."""

    records: str
    names: tuple[str, ...] = ("page[size]", "page[after]")

    def page(self, rows: Sequence[Version], params: Params, request: Request) -> Paged:
        size = size_of(params, "page[size]", 100, 100, "refuse")
        place = number_of(params, "page[after]", 0)
        chosen = rows[place : place + size]
        end = place + len(chosen)
        meta = {"has_more": end < len(rows), "after_cursor": str(end), "before_cursor": str(place)}
        links = {"next": address(request, {"page[after]": str(end)}), "prev": None}
        return Paged(chosen, lambda shown: {self.records: shown, "meta": meta, "links": links})


LISTS = ("groups", "group_memberships", "organization_memberships", "ticket_fields", "ticket_metrics",
         "satisfaction_ratings", "brands", "macros", "triggers", "automations", "views")  # fmt: skip


class Zendesk(ApiSimulator):
    """One Zendesk account on loopback."""

    allowances = (Allowance(10, 60, only=("/api/v2/incremental/",)),)
    routes = (
        *(
            Route(
                f"/api/v2/incremental/{name}/cursor.json", name, (Since(),), CursorExport(name), order=moment
            )
            for name in ("tickets", "users")
        ),
        *(
            Route(f"/api/v2/incremental/{name}.json", name, (Since(),), TimeExport(name), order=moment)
            for name in ("organizations", "ticket_events", "ticket_metric_events")
        ),
        *(Route(f"/api/v2/{name}.json", name, style=CursorPages(name)) for name in LISTS),
    )

    def refusal(self, request: Request) -> Answer | None:
        pair = base64.b64encode(f"{EMAIL}/token:{API_TOKEN}".encode()).decode()
        if request.header("authorization") in {f"Basic {pair}", f"Bearer {OAUTH_TOKEN}"}:
            return None
        return self.refused(401, "Couldn't authenticate you")


def zendesk_demo_population(seed: int, now: datetime) -> Population:
    """A help desk with some 2,300 tickets of 200 days, some of them deleted."""
    made, population = Fiction(seed, now), Population()

    def put(collection: str, number: int, record: Record, field: str = "updated_at") -> None:
        at = made.ago(200, 0.1)
        insert_all(population, collection, [{"id": number, "created_at": iso(at - timedelta(hours=3)),
            field: iso(at), "_at": iso(at), **record}], key="id")  # fmt: skip

    for number in range(1, 2301):
        at = made.ago(200, 0.1)
        insert_all(population, "tickets", [{"id": number, "subject": made.one_of(TROUBLES),
            "status": "deleted" if number % 50 == 0 else made.one_of(("new", "open", "solved")),
            "created_at": iso(at - timedelta(days=2)), "updated_at": iso(at - timedelta(days=1)),
            "generated_timestamp": int(at.timestamp()), "_at": iso(at)}], key="id")  # fmt: skip
    for number in range(1, 1301):
        put("organizations", number, {"name": f"Household {number}"})
    for number in range(1, 31):
        first, last = made.first(), made.last()
        put(
            "users", number, {"name": f"{first} {last}", "email": made.email(first, last), "role": "end-user"}
        )
        put("ticket_events", number, {"ticket_id": number, "event_type": "Audit", "child_events": []})
        put(
            "ticket_metric_events",
            number,
            {"ticket_id": number, "metric": "reply_time", "type": "activate"},
            "time",
        )
    for name in LISTS:
        for number in range(1, 121 if name == "ticket_metrics" else 4):
            put(name, number, {"name": f"{name} {number}"})
    return population


simulation = Simulation(
    "zendesk", Zendesk, zendesk_demo_population, {"email": EMAIL, "api_token": API_TOKEN}, path="/api/v2"
)
