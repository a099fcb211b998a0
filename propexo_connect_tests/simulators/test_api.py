"""The mechanisms that simulated vendors share: routes, filters, styles of paging, doors, allowances."""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest

from propexo_connect.simulators.api import Allowance, ApiSimulator, DateRange, Equal, Route, Style
from propexo_connect.simulators.doors import BasicDoor, BearerDoor, HeaderDoor, OAuthDoor
from propexo_connect.simulators.population import Population
from propexo_connect.simulators.styles import LastIdStyle, NumberStyle, OffsetStyle, TokenStyle, WholeStyle
from propexo_connect.simulators.tokens import TokenIssuer
from propexo_connect.simulators.wire import Answer, Request
from propexo_connect_tests.simulators.acme import HandClock, client

DAY = timedelta(days=1)


class Vendor(ApiSimulator):
    """One list of 25 records, one a day from 2026-01-01."""

    style: Style = OffsetStyle(cap=10, default=5)
    door: Any = None
    routes = (
        Route("/v1/things", "things", (DateRange("from", "to", "at"), Equal("kind", "kind"))),
        Route(
            "/v1/days", "things", (DateRange("from", "to", "at", DAY, zone="America/Denver", reads="us_day"),)
        ),
        Route(
            "/v1/ranged", "things", (DateRange("from", "to", "at", requires=("from", "to"), widest=5 * DAY),)
        ),
        Route("/v1/things/{id}/parts", "parts", of={"id": "_thing"}, parents={"id": "things"}),
    )

    def refusal(self, request: Request) -> Answer | None:
        admitted = self.door is None or self.door.admits(request)
        return None if admitted else self.refused(401, "who are you")

    def special(self, request: Request) -> Answer | None:
        return self.door.issues(request) if isinstance(self.door, OAuthDoor) else None


@contextmanager
def served(**changes: Any) -> Generator[tuple[Vendor, httpx.Client]]:
    population = Population()
    for number in range(1, 26):
        record = {
            "id": number,
            "kind": "ab"[number % 2],
            "at": f"2026-01-{number:02d}T12:00:00Z",
            "_secret": "x",
        }
        population.insert("things", record, key=str(number))
    population.insert("parts", {"id": 1, "_thing": 7}, key="1")
    vendor = Vendor(population, clock=HandClock())
    for name, value in changes.items():
        setattr(vendor, name, value)
    with vendor, client(vendor.url) as talking:
        yield vendor, talking


def ids(answer: httpx.Response, name: str = "") -> list[int]:
    body = answer.json()
    return [record["id"] for record in (body[name] if name else body)]


def test_hidden_fields_are_filtered_by_and_never_shown() -> None:
    with served() as (_, talking):
        assert "_secret" not in talking.get("/v1/things").json()[0]
        assert ids(talking.get("/v1/things/7/parts")) == [1]
        assert talking.get("/v1/things/99/parts").status_code == 404


def test_both_ends_of_a_range_are_included() -> None:
    with served() as (_, talking):
        found = talking.get("/v1/things?limit=10&from=2026-01-03T12:00:00Z&to=2026-01-05T12:00:00Z")
        assert ids(found) == [3, 4, 5]
        assert ids(talking.get("/v1/things?kind=a&to=2026-01-05T00:00:00Z")) == [2, 4]


def test_days_are_the_vendors_own() -> None:
    with served() as (_, talking):
        assert ids(talking.get("/v1/days?from=01/03/2026&to=01/04/2026")) == [3, 4]
        assert talking.get("/v1/days?from=2026-01-03").status_code == 400


def test_missing_and_wide_ranges_are_refused() -> None:
    with served() as (_, talking):
        assert talking.get("/v1/ranged").status_code == 400
        assert talking.get("/v1/ranged?from=2026-01-01T00:00:00Z&to=2026-01-09T00:00:00Z").status_code == 400
        assert ids(talking.get("/v1/ranged?from=2026-01-01T00:00:00Z&to=2026-01-03T00:00:00Z")) == [1, 2]


def test_unknown_parameters_have_no_effect_or_are_refused() -> None:
    with served() as (_, talking):
        assert len(ids(talking.get("/v1/things?shoe=9"))) == 5
    with served(refuses_unknown=True) as (_, talking):
        assert talking.get("/v1/things?shoe=9").status_code == 400
        assert talking.get("/v1/things?kind=a").status_code == 200


def walk(talking: httpx.Client, style: Any, follow: Any, start: str = "/v1/things") -> list[int]:
    found: list[int] = []
    place: str | None = start
    while place:
        answer = talking.get(place)
        assert answer.status_code == 200, answer.text
        found += ids(answer, style.records)
        place = follow(answer)
    return found


@pytest.mark.parametrize(
    ("style", "follow"),
    [
        (NumberStyle(records="data", next_url="next", default=10), lambda answer: answer.json()["next"]),
        (NumberStyle(link_header=True, default=10), lambda answer: answer.links.get("next", {}).get("url")),
        (OffsetStyle(records="r", next_url="next", default=10), lambda answer: answer.json()["next"]),
        (TokenStyle(link="relative", default=10), lambda answer: answer.json()["next_page_token"]),
        (
            LastIdStyle(default=10),
            lambda answer: (
                f"/v1/things?starting_after={answer.json()['data'][-1]['id']}"
                if answer.json()["has_more"]
                else None
            ),
        ),
        (WholeStyle("all"), lambda _: None),
    ],
)
def test_every_style_of_paging_serves_each_record_once(style: Any, follow: Any) -> None:
    with served(style=style) as (_, talking):
        assert walk(talking, style, follow) == list(range(1, 26))


def test_a_page_over_the_cap_is_cut_or_refused() -> None:
    with served() as (_, talking):
        assert len(ids(talking.get("/v1/things?limit=500"))) == 10
    with served(style=LastIdStyle(cap=10)) as (_, talking):
        assert talking.get("/v1/things?limit=11").status_code == 400


def test_totals_stand_in_headers_or_bodies() -> None:
    with served(style=OffsetStyle(total_header="X-Total-Count")) as (_, talking):
        assert talking.get("/v1/things").headers["x-total-count"] == "25"
    with served(style=NumberStyle(records="rows", total="meta.total", pages="header:Pages")) as (_, talking):
        answer = talking.get("/v1/things?per_page=10")
        assert (answer.json()["meta"]["total"], answer.headers["pages"]) == (25, "3")


def test_more_requests_than_allowed_are_refused_until_time_has_passed() -> None:
    with served(allowances=(Allowance(2, 10),)) as (vendor, talking):
        assert [talking.get("/v1/things").status_code for _ in range(3)] == [200, 200, 429]
        assert talking.get("/v1/things").headers["retry-after"] == "10"
        assert isinstance(vendor.clock, HandClock)
        vendor.clock.advance(timedelta(seconds=11))
        assert talking.get("/v1/things").status_code == 200


@pytest.mark.parametrize(
    ("door", "headers"),
    [
        (HeaderDoor({"X-Api-Key": "k"}), {"x-api-key": "k"}),
        (BasicDoor("k"), {"Authorization": "Basic azo="}),
        (BearerDoor("k", "KISI-LOGIN"), {"Authorization": "KISI-LOGIN k"}),
    ],
)
def test_doors_let_in_who_has_the_key(door: Any, headers: dict[str, str]) -> None:
    with served(door=door) as (_, talking):
        assert talking.get("/v1/things").status_code == 401
        assert (
            talking.get(
                "/v1/things", headers={name: f"{value}x" for name, value in headers.items()}
            ).status_code
            == 401
        )
        assert talking.get("/v1/things", headers=headers).status_code == 200


def test_a_door_may_look_at_letter_case() -> None:
    with served(door=HeaderDoor({"X-AppFolio-Developer-ID": "k"}, exact=True)) as (_, talking):
        assert talking.get("/v1/things", headers={"x-appfolio-developer-id": "k"}).status_code == 401
        assert talking.get("/v1/things", headers={"X-AppFolio-Developer-ID": "k"}).status_code == 200


def test_an_oauth_door_issues_rotates_and_rations_tokens() -> None:
    door = OAuthDoor(
        "/token", "id", "secret", TokenIssuer(HandClock(), lifetime=timedelta(hours=1)),
        grants=("client_credentials", "refresh_token"), refresh="r", rotates=True, per_day=3,
    )  # fmt: skip
    known = {"client_id": "id", "client_secret": "secret"}
    with served(door=door) as (_, talking):
        assert talking.post("/token", data={"grant_type": "client_credentials"}).status_code == 401
        first = talking.post("/token", data={"grant_type": "client_credentials", **known}).json()
        bearer = {"Authorization": f"Bearer {first['access_token']}"}
        assert talking.get("/v1/things", headers=bearer).status_code == 200
        renewed = talking.post("/token", data={"grant_type": "refresh_token", "refresh_token": "r", **known})
        assert renewed.json()["refresh_token"] == "r-1"
        again = talking.post("/token", data={"grant_type": "refresh_token", "refresh_token": "r", **known})
        assert again.json()["error"] == "invalid_grant"
        talking.post("/token", data={"grant_type": "client_credentials", **known})
        assert talking.post("/token", data={"grant_type": "client_credentials", **known}).status_code == 429
