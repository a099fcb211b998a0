"""Which request serves a range of a stream, and what is done with its answers; made once for each."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from propexo_connect.connectors.api.answers import Reading, values_of
from propexo_connect.connectors.api.rewrite import Rewriting
from propexo_connect.http.plan.api import Api
from propexo_connect.http.plan.filters import AnyFilter
from propexo_connect.http.plan.paging import AnyPaging, Relay
from propexo_connect.http.plan.paths import steps
from propexo_connect.http.plan.stream import ApiStream, Asking
from propexo_connect.http.plan.template import Names, fill_text
from propexo_connect.model.clock import Clock
from propexo_connect.model.tile import Request


@dataclass(frozen=True)
class Route:
    """The request that serves a range: the listing, or the one for changes."""

    asking: Asking
    path: str
    filter: AnyFilter | None
    paging: AnyPaging
    reading: Reading
    rewriting: Rewriting
    unwrap: str | None


class Routes:
    """The routes of a plan.

    Args:
        reveal: sensitive fields that the connection wants, as `stream.field`.
    """

    def __init__(self, api: Api, settings: Names, reveal: tuple[str, ...], clock: Clock) -> None:
        self._api = api
        self._settings = settings
        self._reveal = reveal
        self._clock = clock
        self._made: dict[tuple[str, bool], Route] = {}

    def of(self, spec: ApiStream, request: Request) -> Route:
        """The route for a range of a stream."""
        changes = spec.changes
        if changes is not None and self._reaches(changes.reach, request):
            return self._route(spec, changes, changes.path, changes.filter)
        return self._route(spec, spec, spec.path, spec.filter)

    def rewriting(
        self, spec: ApiStream, unwrap: tuple[str | int, ...], added: Mapping[str, str]
    ) -> Rewriting:
        """What is done to each record of a stream."""
        zone = fill_text(self._api.zone, self._settings) or "UTC"
        instants = {field.name: (field.written, zone) for field in spec.declared if field.written}
        hidden = [place for place in spec.sensitive if f"{spec.name}.{place}" not in self._reveal]
        return Rewriting(tuple(str(step) for step in unwrap), instants, hidden, added)

    def _route(self, spec: ApiStream, asking: Asking, path: str, given: AnyFilter | None) -> Route:
        key = (spec.name, asking is spec)
        known = self._made.get(key)
        if known is None:
            known = self._made[key] = self._new(spec, asking, path, given)
        return known

    def _new(self, spec: ApiStream, asking: Asking, path: str, given: AnyFilter | None) -> Route:
        paging = self._api.paging_of(asking)
        if isinstance(paging, Relay) and asking.records is None:
            asking = replace(asking, records=(*steps(paging.connection), "edges"))
        reading = Reading(self._api, asking, values_of(paging))
        place = asking.unwrap if asking.unwrap is not None else self._api.unwrap
        rewriting = self.rewriting(spec, steps(place or ()), spec.add)
        unwrap: str | None = None
        if isinstance(paging, Relay) and asking.unwrap is None:
            if rewriting.is_needed:
                rewriting = self.rewriting(spec, ("node",), spec.add)
            else:
                unwrap = "node"  # taken out where records are decoded, at no cost here
        return Route(asking, path, given, paging, reading, rewriting, unwrap)

    def _reaches(self, reach: timedelta | None, request: Request) -> bool:
        """Whether the request for changes can serve a range."""
        if request.is_whole:
            return False
        if reach is None or not isinstance(request.start, datetime):
            return True
        return request.start >= self._clock.now() - reach
