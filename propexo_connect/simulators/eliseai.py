"""A generic API of no vendor in particular, in the place of EliseAI's, whose rules are not public.

Auth     OAuth client credentials for a bearer token of an hour, else 401.
Pages    {"data": […], "next_cursor": … | null}; limit and cursor.
Filters  updated_since, an instant.
"""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

from propexo_connect.simulators.api import ApiSimulator, DateRange, Route, insert_all
from propexo_connect.simulators.fiction import Fiction, iso
from propexo_connect.simulators.population import Population
from propexo_connect.simulators.simulation import Simulation
from propexo_connect.simulators.styles import TokenStyle
from propexo_connect.simulators.tokens import TokenIssuer
from propexo_connect.simulators.wire import Answer, Request, json_answer

CLIENT_ID, CLIENT_SECRET, AUDIENCE = "elise-demo-client", "elise-demo-secret", "https://api.example.com"

SINCE = DateRange("updated_since", "", "updated_at")


class GenericApi(ApiSimulator):
    """An API with a token, a cursor and a lower bound, on loopback."""

    style = TokenStyle(token="cursor", size_name="limit", next="next_cursor")  # noqa: S106 - a name
    refuses_unknown = True
    routes = (
        Route("/v1/conversations", "conversations", (SINCE,)),
        Route("/v1/conversations/{conversation}/messages", "messages", of={"conversation": "_conversation"},
              parents={"conversation": "conversations"}),
    )  # fmt: skip

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.tokens = TokenIssuer(self.clock, lifetime=timedelta(hours=1))

    def operation(self, request: Request) -> str:
        return "token" if request.path == "/oauth/token" else super().operation(request)

    def special(self, request: Request) -> Answer | None:
        if request.path != "/oauth/token":
            return None
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        wanted = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET,
            "audience": AUDIENCE}  # fmt: skip
        if form != wanted:
            return json_answer({"error": "access_denied"}, 401)
        token = self.tokens.issue().value
        return json_answer({"access_token": token, "token_type": "Bearer", "expires_in": 3600})

    def refusal(self, request: Request) -> Answer | None:
        return None if self.tokens.admits(request.bearer) else self.refused(401, "Unauthorized")


def generic_demo_population(seed: int, now: datetime) -> Population:
    """120 conversations of the last 60 days, with their messages."""
    made, population = Fiction(seed, now), Population()
    for number in range(1, 121):
        first, last = made.first(), made.last()
        insert_all(population, "conversations", [{"id": number, "name": f"{first} {last}",
            "email": made.email(first, last), "updated_at": iso(made.ago(60))}], key="id")  # fmt: skip
        insert_all(population, "messages", [{"id": number * 10 + place, "text": "Is the unit still free?",
            "_conversation": number} for place in range(2)], key="id")  # fmt: skip
    return population


simulation = Simulation(
    "eliseai", GenericApi, generic_demo_population,
    {
        "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "audience": AUDIENCE, "records": "data",
        "paging": {"kind": "tokens", "next": "next_cursor", "token": "cursor", "size": 50, "limit": "limit"},
        "streams": {
            "conversations": {
                "path": "/conversations", "key": "id", "cursor": "updated_at",
                "fields": "id:int name email updated_at:timestamp",
                "filter": {"kind": "between", "field": "updated_at", "lower": "updated_since"},
            },
            "messages": {
                "path": "/conversations/{parent.id}/messages", "key": "id",
                "parent": {"stream": "conversations", "changed": True},
                "add": {"conversation_id": "{parent.id}"},
            },
        },
    },
    path="/v1", addresses={"token_url": "/oauth/token"},
)  # fmt: skip
