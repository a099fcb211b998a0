"""`propexo-connect events`: what waits, what was tried, and what is to be sent again."""

import json
import os
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from propexo_connect.connection.endpoints import load_endpoints
from propexo_connect.connection.folder import load_connections
from propexo_connect.connection.problem import close
from propexo_connect.destinations.base import Destination
from propexo_connect.destinations.dialect import Link
from propexo_connect.events.due import expand
from propexo_connect.events.ledger import Again, EndpointCounts, LoggedAttempt, counts, logged, replay
from propexo_connect.events.message import trial
from propexo_connect.events.opened import PATIENCE, stored
from propexo_connect.events.outboxes import Outboxes, is_there, outboxes_of
from propexo_connect.events.outcome import Verdict
from propexo_connect.events.post import Posting
from propexo_connect.events.receivers import receiver_of
from propexo_connect.events.rounds import deliver_all
from propexo_connect.model.clock import Clock, SystemClock
from propexo_connect.model.duration import parse_duration
from propexo_connect.model.errors import ConfigurationError, ConnectError, UnknownName
from propexo_connect.model.event import Endpoint

T = TypeVar("T")

app = typer.Typer(help="Events on their way to endpoints.", no_args_is_help=True)

Folder = Annotated[Path, typer.Option("--connections", help="The folder of the connection files.")]
Json = Annotated[bool, typer.Option("--json", help="Answer with JSON.")]
HERE = Path("connections")

PAUSING = (
    "Endpoints are paused and resumed in their file: write `paused: true`, or remove it. While it is paused, "
    "events are kept for the endpoint and none is sent; afterwards all of them go out."
)

_out = Console()
_err = Console(stderr=True)


@dataclass(frozen=True)
class _Place:
    """Everything the commands work on."""

    folder: Path
    clock: Clock

    def endpoints(self) -> dict[str, Endpoint]:
        """By name; broken files are told."""
        loaded = load_endpoints(self.folder)
        for broken in loaded.broken:
            _err.print(escape(str(broken)), style="red", soft_wrap=True)
        return {endpoint.name: endpoint for endpoint in loaded.endpoints}

    def endpoint(self, name: str) -> Endpoint:
        """The one of this name."""
        known = self.endpoints()
        if name not in known:
            raise UnknownName(
                f"there is no endpoint '{name}' in {self.folder}/endpoints/",
                expected=f"one of {', '.join(known)}" if known else "a file for it",
                remedy=close(name, known),
            )
        return known[name]

    def outboxes(self) -> Outboxes:
        """Those of all connections, and the spare one."""
        return outboxes_of(load_connections(self.folder).connections, os.environ, Path.cwd())

    def each(self, work: Callable[[Destination], T]) -> Generator[T]:
        """What the work makes of each outbox that is there; one that cannot be asked is told at the end."""
        found = self.outboxes()
        problems: list[ConnectError] = list(found.problems)
        for address, destination in found.found.items():
            if not is_there(destination):
                continue
            try:
                yield work(destination)
            except ConnectError as error:
                problems.append(error.at(address))
        _tell(problems)

    def asked(self, query: Callable[[Link], T]) -> Generator[T]:
        """What a query of each outbox answers."""
        return self.each(lambda destination: stored(destination, query, self.clock, PATIENCE))


def _tell(problems: Sequence[ConnectError]) -> None:
    """Say what went wrong, and end with it."""
    for problem in problems:
        _err.print(escape(str(problem)), style="red", soft_wrap=True)
    if problems:
        raise typer.Exit(1)


def _place(connections: Path) -> _Place:
    return _Place(connections, SystemClock())


@app.command("list")
def list_deliveries(connections: Folder = HERE, as_json: Json = False) -> None:
    """Tell for each endpoint how many events wait, were delivered, and were given up."""
    place = _place(connections)
    known = place.endpoints()
    found: list[EndpointCounts] = []

    def asked(link: Link) -> list[EndpointCounts]:
        expand(link, place.clock.now())
        return counts(link)

    with _told(lambda: _show_counts(_summed(found), known, as_json=as_json)):
        for some in place.asked(asked):
            found += some


@app.command()
def log(
    endpoint: Annotated[str | None, typer.Option(help="Attempts for this endpoint alone.")] = None,
    event: Annotated[str | None, typer.Option(help="Attempts for the event of this id alone.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="The latest so many.")] = 50,
    connections: Folder = HERE,
    as_json: Json = False,
) -> None:
    """Tell what was tried, the latest first."""
    place = _place(connections)
    found: list[LoggedAttempt] = []

    def show() -> None:
        latest = sorted(found, key=lambda one: one.tried_at, reverse=True)[:limit]
        if as_json:
            _print_json([asdict(one) for one in latest])
            return
        table = Table("tried at", "endpoint", "event", "about", "id", "attempt", "answer", "ms", "problem")
        for one in latest:
            about = f"{one.connection}.{one.stream}" if one.stream else one.connection
            table.add_row(
                _at(one.tried_at), one.endpoint, one.event, escape(about), one.event_id,
                f"{one.number}.{one.attempt}" if one.number else str(one.attempt),
                _shown(one.status), str(one.duration_ms), escape(one.problem or ""),
            )  # fmt: skip
        _out.print(table)

    with _told(show):
        for some in place.asked(lambda link: logged(link, endpoint, event, limit)):
            found += some


@app.command("replay")
def replay_events(
    event_id: Annotated[str | None, typer.Option("--id", help="The event of this id.")] = None,
    since: Annotated[
        str | None, typer.Option(help="Events that occurred since: 2026-03-01T12:00:00Z, or 6h ago as `6h`.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="… and before; written in the same way.")] = None,
    endpoint: Annotated[str | None, typer.Option(help="For this endpoint alone.")] = None,
    dead: Annotated[bool, typer.Option("--dead", help="Only what was given up.")] = False,
    connections: Folder = HERE,
    as_json: Json = False,
) -> None:
    """Send events again, under their old ids; what is still pending is passed over."""
    if event_id is None and since is None:
        raise ConfigurationError("nothing says what is to be sent again", expected="--id or --since")
    place = _place(connections)
    now = place.clock.now()
    again = Again(event_id, _instant(since, now), _instant(until, now), endpoint, dead)
    made: list[int] = []

    def show() -> None:
        if as_json:
            _print_json({"replayed": sum(made)})
        else:
            _out.print(f"{sum(made)} deliveries are due again.")

    with _told(show):
        made += place.asked(lambda link: replay(link, again, now))


@app.command("test")
def send_test(
    endpoint: Annotated[str, typer.Argument(help="The endpoint's name.")],
    connections: Folder = HERE,
    as_json: Json = False,
) -> None:
    """Send a signed test event now, also to a paused endpoint, and tell what came of it."""
    place = _place(connections)
    now = place.clock.now()
    message = trial(now)
    with Posting(place.clock) as posting:
        outcome = receiver_of(place.endpoint(endpoint), os.environ, posting).send(message, now)
    if as_json:
        _print_json({"id": message.id, **asdict(outcome)})
    elif outcome.verdict is Verdict.DELIVERED:
        _out.print(f"{endpoint} took the event {message.id} with {_shown(outcome.status)}.")
    else:
        _err.print(escape(f"{endpoint}: {outcome.problem}."), style="red", soft_wrap=True)
    if outcome.verdict is not Verdict.DELIVERED:
        raise typer.Exit(1)


@app.command("deliver")
def deliver_now(connections: Folder = HERE, as_json: Json = False) -> None:
    """Deliver what is due now."""
    place = _place(connections)
    found = deliver_all(place.outboxes(), place.endpoints().values(), os.environ, place.clock)
    tally = found.tally
    if as_json:
        _print_json(asdict(tally))
    else:
        _out.print(f"{tally.delivered} delivered, {tally.failed} failed, {tally.dead} of them given up.")
    _tell((*found.busy, *found.problems))


@app.command()
def pause(connections: Folder = HERE, as_json: Json = False) -> None:
    """Tell how an endpoint is paused, and which are."""
    _show_paused(connections, as_json=as_json)


@app.command()
def resume(connections: Folder = HERE, as_json: Json = False) -> None:
    """Tell how a paused endpoint is resumed, and which are paused."""
    _show_paused(connections, as_json=as_json)


def _show_paused(connections: Path, *, as_json: bool) -> None:
    names = [one.name for one in _place(connections).endpoints().values() if one.is_paused]
    if as_json:
        _print_json({"paused": names, "how": PAUSING})
        return
    _out.print(PAUSING, soft_wrap=True)
    _out.print(f"Paused now: {', '.join(names) or 'none'}.")


def _show_counts(rows: Sequence[EndpointCounts], known: dict[str, Endpoint], *, as_json: bool) -> None:
    present = {row.endpoint: row for row in rows}
    for name in known:
        present.setdefault(name, EndpointCounts(name, 0, 0, 0, None, None, None, None))
    ordered = [present[name] for name in sorted(present)]
    if as_json:
        _print_json([{**asdict(row), "state": _state(row.endpoint, known)} for row in ordered])
        return
    table = Table("endpoint", "is", "pending", "delivered", "dead", "next", "last problem")
    for row in ordered:
        problem = f"{_at(row.last_problem_at)} {row.last_problem}" if row.last_problem else ""
        table.add_row(
            row.endpoint, _state(row.endpoint, known), str(row.pending), str(row.delivered), str(row.dead),
            _at(row.next_at), escape(problem),
        )  # fmt: skip
    _out.print(table)


def _state(name: str, known: dict[str, Endpoint]) -> str:
    if name not in known:
        return "without a file"
    return "paused" if known[name].is_paused else "active"


def _summed(found: Sequence[EndpointCounts]) -> list[EndpointCounts]:
    """One row an endpoint, over all outboxes."""
    by_name: dict[str, EndpointCounts] = {}
    for row in found:
        by_name[row.endpoint] = row + by_name[row.endpoint] if row.endpoint in by_name else row
    return list(by_name.values())


@contextmanager
def _told(show: Callable[[], None]) -> Generator[None]:
    """Show what could be learned, also where an outbox could not be asked."""
    try:
        yield
    finally:
        show()


def _instant(text: str | None, now: datetime) -> datetime | None:
    if text is None:
        return None
    try:
        return now - parse_duration(text)
    except ValueError:
        pass
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(
            f"'{text}' is no instant", expected="one such as 2026-03-01T12:00:00Z, or 6h for six hours ago"
        ) from None
    return instant.replace(tzinfo=instant.tzinfo or UTC)


def _print_json(value: object) -> None:
    typer.echo(json.dumps(value, default=_plain, ensure_ascii=False))


def _plain(value: Any) -> str:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)


def _at(instant: datetime | None) -> str:
    return "" if instant is None else f"{instant.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def _shown(status: int | None) -> str:
    return "" if status is None else str(status)
