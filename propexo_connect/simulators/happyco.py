"""HappyCo's external GraphQL API, as its own published client and partner pages show it.

Route    POST /, JSON body {query, variables}.
Log-in   mutations `login` (email, password) and `pluginLogin` (clientID, clientSecret), without
         Authorization; `expiresAt` is text holding epoch milliseconds. There is no refresh.
Errors   HTTP 401/403 or 200 with `errors`; a refused token is told by two error objects for one fault.
Pages    Relay, at most 100 a page; `endCursor` is "" on an empty page.
Filters  `createdAfter`/`createdBefore` (RFC 3339, seconds), `status`, `locationId`; unknown keys are refused.
Deletes  none told: archived records leave the lists.

Collections of the population, by stream name: account (exactly one), properties, units (with `propertyId`),
inspections (with `createdAt`, which can be filtered by and not selected), work_orders, and members (key:
account id and user id).

Assumed, because no public text says it: the argument and answer of `pluginLogin`, that a page over 100 is cut
silently to 100, and that both ends of the date filters are included (`includes_bounds=False` excludes them).

Run it:  python -m propexo_connect.simulators.happyco --port 8901
"""

import argparse
import signal
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal, cast

from propexo_connect.model.clock import Clock, SystemClock
from propexo_connect.simulators.faults import Fault
from propexo_connect.simulators.graphql import (
    GraphQLRefusal,
    GraphQLService,
    Json,
    PreparedQuery,
    Resolvers,
    refusal,
)
from propexo_connect.simulators.happyco_demo import advance, happyco_demo_population
from propexo_connect.simulators.happyco_reading import Reading
from propexo_connect.simulators.happyco_schema import OPERATIONS, SDL
from propexo_connect.simulators.kit import LOOPBACK, Simulator
from propexo_connect.simulators.population import Population
from propexo_connect.simulators.simulation import Simulation
from propexo_connect.simulators.tokens import TokenIssuer
from propexo_connect.simulators.wire import Answer, Request, json_answer

__all__ = ["Credentials", "HappyCo", "advance", "happyco_demo_population", "main"]


@dataclass(frozen=True, slots=True)
class Credentials:
    """The log-ins that a simulator accepts; all fictional."""

    email: str = "sync@example.com"
    password: str = field(default="happy-demo-password", repr=False)
    client_id: str = "happy-demo-client"
    client_secret: str = field(default="happy-demo-secret", repr=False)


class HappyCo(Simulator):
    """HappyCo on loopback.

    `token_uses` refuses a token after that many requests. `refuses_tokens_by` is how a missing or dead token
    is told: HTTP 401, HTTP 403, or GraphQL errors in a 200.
    """

    def __init__(
        self,
        population: Population,
        *,
        clock: Clock | None = None,
        faults: Iterable[Fault] = (),
        latency: timedelta = timedelta(0),
        host: str = LOOPBACK,
        port: int = 0,
        credentials: Credentials | None = None,
        token_lifetime: timedelta = timedelta(hours=1),
        token_uses: int | None = None,
        refuses_tokens_by: Literal["401", "403", "errors"] = "401",
        includes_bounds: bool = True,
    ) -> None:
        super().__init__(population, clock=clock, faults=faults, latency=latency, host=host, port=port)
        if len(population.truth("account")) != 1:
            raise ValueError("a simulated HappyCo holds exactly one account")
        self.credentials = credentials or Credentials()
        self.tokens = TokenIssuer(
            self.clock, lifetime=token_lifetime, uses=token_uses, prefix="happyco-token"
        )
        self._refuses_tokens_by = refuses_tokens_by
        self._includes_bounds = includes_bounds
        self._service = GraphQLService(SDL)

    @property
    def account_id(self) -> str:
        """The id of the one account."""
        return str(next(iter(self.population.truth("account"))))

    def operation(self, request: Request) -> str:
        try:
            query, _ = self._asked(request)
        except GraphQLRefusal:
            return "refused"
        return next((name for name in OPERATIONS if name in query.field_names), "other")

    def answer(self, request: Request) -> Answer:
        if request.path != "/":
            return Answer(404, b"Not Found")
        if request.method != "POST":
            return Answer(405, b"Method Not Allowed", (("Allow", "POST"),))
        try:
            query, variables = self._asked(request)
            if query.is_mutation:
                return json_answer({"data": self._service.execute(query, variables, self._mutations())})
            if not self.tokens.admits(request.bearer):
                return self._unauthenticated()
            reading = Reading(self.population, self.clock.now(), query.field_names, self._includes_bounds)
            found = self._service.execute(query, variables, reading.resolvers())
        except GraphQLRefusal as refused:
            return json_answer({"data": None, "errors": refused.errors})
        return json_answer({"data": found}, served=reading.served)

    def _asked(self, request: Request) -> tuple[PreparedQuery, Json]:
        try:
            body = request.json
        except ValueError as error:
            raise refusal("The request body is not JSON.", "BAD_REQUEST") from error
        asked = cast("Mapping[str, object]", body) if isinstance(body, dict) else {}
        text, variables = asked.get("query"), asked.get("variables") or {}
        name = asked.get("operationName")
        if not isinstance(text, str) or not isinstance(variables, dict):
            raise refusal("The request body has no query, or its variables are no object.", "BAD_REQUEST")
        prepared = self._service.prepare(text, name if isinstance(name, str) else None)
        return prepared, cast("Json", variables)

    def _mutations(self) -> Resolvers:
        known = self.credentials

        def login(_: Json, arguments: dict[str, object]) -> object:
            return self._logged_in(arguments, {"email": known.email, "password": known.password})

        def plugin_login(_: Json, arguments: dict[str, object]) -> object:
            return self._logged_in(
                arguments, {"clientID": known.client_id, "clientSecret": known.client_secret}
            )

        return {("Mutation", "login"): login, ("Mutation", "pluginLogin"): plugin_login}

    def _logged_in(self, arguments: dict[str, object], expected: Mapping[str, str]) -> Json:
        if arguments["input"] != expected:
            raise GraphQLRefusal(*_twice("invalid credentials"))
        token = self.tokens.issue()
        return {
            "token": token.value,
            "expiresAt": str(int(token.expires_at.timestamp() * 1000)),
            "accessibleBusinessIds": [self.account_id],
            "accessibleCustomerIds": [],
        }

    def _unauthenticated(self) -> Answer:
        told: Json = {"data": None, "errors": _twice("unauthenticated: token is missing or has expired")}
        return json_answer(told, 200 if self._refuses_tokens_by == "errors" else int(self._refuses_tokens_by))


def _twice(message: str) -> tuple[Json, Json]:
    """The two error objects of one authentication fault: the service's, and the gateway's about it."""
    return (
        {"message": message, "extensions": {"code": "UNAUTHENTICATED"}},
        {"message": f"Failed to fetch from subgraph: {message}", "extensions": {"code": "UNAUTHENTICATED"}},
    )


simulation = Simulation(
    "happyco",
    HappyCo,
    happyco_demo_population,
    {"email": Credentials().email, "password": Credentials().password},
)


# running


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve the demo population until interrupted."""
    parser = argparse.ArgumentParser(
        prog="python -m propexo_connect.simulators.happyco",
        description="A local stand-in of HappyCo's GraphQL API with fictional records.",
    )
    parser.add_argument("--host", default=LOOPBACK, help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8901, help="0 takes a free one (default: %(default)s)")
    parser.add_argument(
        "--seed", type=int, default=7, help="another seed, other records (default: %(default)s)"
    )
    parser.add_argument("--latency-ms", type=float, default=0.0, help="added to each answer")
    parser.add_argument(
        "--advance-every", type=float, metavar="SECONDS", help="let the vendor's day go by again and again"
    )
    chosen = parser.parse_args(arguments)
    clock = SystemClock()
    population = happyco_demo_population(chosen.seed, clock.now())
    latency = timedelta(milliseconds=chosen.latency_ms)
    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())
    with HappyCo(population, clock=clock, latency=latency, host=chosen.host, port=chosen.port) as happyco:
        known = happyco.credentials
        _say(f"HappyCo simulator at {happyco.url} (account {happyco.account_id}; all records are fictional)")
        _say(f"  log-in        email {known.email}  password {known.password}")
        _say(f"  plugin log-in client id {known.client_id}  client secret {known.client_secret}")
        while not stop.wait(chosen.advance_every):
            _say(f"  {advance(population, clock.now())}")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
