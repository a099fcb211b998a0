"""How HappyCo's lists answer: filtered, ordered, in pages with cursors, and counted as served.

A list is filtered and sorted once per state of the population; its pages are slices. A cursor names a place
in the order, not a number, so records that come and go between two pages shift nothing.
"""

import base64
import binascii
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, cast

import orjson

from propexo_connect.simulators.graphql import Json, Resolvers, refusal
from propexo_connect.simulators.happyco_schema import CONNECTIONS
from propexo_connect.simulators.population import Key, Population, Version, View

MAX_PAGE = 100
"""The server's largest page."""
SortKey = tuple[str, str]
"""What orders a list, made total by the record's id."""


@dataclass(frozen=True, slots=True)
class _Listing:
    """One filtered list in ascending order of its keys; `is_descending` is read from its end."""

    keys: Sequence[SortKey]
    versions: Sequence[Version]
    is_descending: bool

    def page(self, first: int, after: SortKey | None) -> tuple[list[tuple[SortKey, Version]], bool]:
        """Up to `first` entries behind the cursor (which need no longer exist), and whether more follow."""
        if self.is_descending:
            end = len(self.keys) if after is None else bisect_left(self.keys, after)
            start = max(0, end - first)
            entries = list(zip(self.keys[start:end], self.versions[start:end], strict=True))
            return entries[::-1], start > 0
        start = 0 if after is None else bisect_right(self.keys, after)
        end = min(len(self.keys), start + first)
        entries = list(zip(self.keys[start:end], self.versions[start:end], strict=True))
        return entries, end < len(self.keys)


@dataclass(slots=True)
class Reading:
    """One query's view of the population at one instant, and what it has given out.

    What a query only passes through on its way to a list below (the account, the property of units) is not
    counted as served.
    """

    population: Population
    now: datetime
    field_names: frozenset[str]
    includes_bounds: bool
    one_property: bool = False
    served: dict[str, list[Version]] = field(default_factory=dict[str, list[Version]])

    def resolvers(self) -> Resolvers:
        resolvers: dict[tuple[str, str], Callable[[Json, dict[str, object]], object]] = {
            ("Query", "account"): self._account,
            ("Account", "properties"): self._properties,
            ("Account", "inspections"): self._inspections,
            ("Account", "workOrders"): self._work_orders,
            ("Account", "memberships"): self._memberships,
            ("PropertyV2", "units"): self._units,
            ("AccountMembership", "roles"): _roles,
        }
        for edge in (
            "PropertyV2Edge",
            "UnitEdge",
            "InspectionEdge",
            "WorkOrderEdge",
            "AccountMembershipEdge",
        ):
            resolvers[edge, "node"] = self._node
        return resolvers

    def _account(self, _: Json, arguments: dict[str, object]) -> object:
        version = next(iter(self.population.view("account", self.now).versions))
        if arguments["accountId"] != version.key:
            raise refusal("account not found, or not accessible to this token", "FORBIDDEN")
        if not self.field_names & CONNECTIONS:
            self._serve(version)
        return version.content

    def _properties(self, _: Json, arguments: dict[str, object]) -> object:
        asked = _filter(arguments)
        ids, search = _texts(asked, "propertyId"), _search(asked)

        def build(view: View) -> _Listing:
            kept = (
                version
                for version in view.versions
                if (ids is None or version.key in ids) and _mentions(version.content.get("name"), search)
            )
            return _listing(kept, lambda version: str(version.content.get("name")))

        self.one_property = ids is not None and len(ids) == 1
        return _connection(self._list("properties", ("properties", _label(asked)), build), arguments)

    def _units(self, parent: Json, arguments: dict[str, object]) -> object:
        if not self.one_property:
            raise refusal("units are listed for one property at a time: filter properties by one propertyId")
        owner = parent["id"]

        def build(view: View) -> _Listing:
            kept = (version for version in view.versions if version.content["propertyId"] == owner)
            return _listing(kept, lambda version: str(version.content.get("name")))

        return _connection(self._list("units", ("units", str(owner)), build), arguments)

    def _inspections(self, _: Json, arguments: dict[str, object]) -> object:
        return self._by_creation("inspections", arguments)

    def _work_orders(self, _: Json, arguments: dict[str, object]) -> object:
        return self._by_creation("work_orders", arguments)

    def _by_creation(self, collection: str, arguments: dict[str, object]) -> object:
        asked = _filter(arguments)
        after, before = _instant(asked, "createdAfter"), _instant(asked, "createdBefore")
        statuses, locations = _texts(asked, "status"), _texts(asked, "locationId")

        def build(view: View) -> _Listing:
            every = view.derive("by creation", _created_listing)
            low, high = self._bounds(every.keys, after, before)
            keys: list[SortKey] = []
            kept: list[Version] = []
            for key, version in zip(every.keys[low:high], every.versions[low:high], strict=True):
                content = version.content
                if statuses is not None and content.get("status") not in statuses:
                    continue
                if locations is not None and not (_places(content) & locations):
                    continue
                keys.append(key)
                kept.append(version)
            return _Listing(keys, kept, is_descending=True)

        label = (collection, _label(asked), self.includes_bounds)
        return _connection(self._list(collection, label, build), arguments)

    def _bounds(self, keys: Sequence[SortKey], after: str | None, before: str | None) -> tuple[int, int]:
        low, high = 0, len(keys)
        if after is not None:
            low = (
                bisect_left(keys, (after,)) if self.includes_bounds else bisect_right(keys, (after, LAST_ID))
            )
        if before is not None:
            high = (
                bisect_right(keys, (before, LAST_ID))
                if self.includes_bounds
                else bisect_left(keys, (before,))
            )
        return low, max(low, high)

    def _memberships(self, _: Json, arguments: dict[str, object]) -> object:
        asked = _filter(arguments)
        search, all_of_them = _search(asked), bool(asked.get("includeInactive"))

        def build(view: View) -> _Listing:
            kept = (
                version
                for version in view.versions
                if (all_of_them or version.content["isActive"])
                and any(_mentions(_user(version).get(name), search) for name in ("name", "email"))
            )
            return _listing(kept, lambda version: str(_user(version).get("createdAt")))

        return _connection(self._list("members", ("members", _label(asked)), build), arguments)

    def _list(self, collection: str, label: Hashable, build: Callable[[View], _Listing]) -> _Listing:
        return self.population.view(collection, self.now).derive(label, build)

    def _node(self, edge: Json, _: dict[str, object]) -> object:
        version = cast("Version", edge["version"])
        if version.collection != "properties" or "units" not in self.field_names:
            self._serve(version)
        return version.content

    def _serve(self, version: Version) -> None:
        self.served.setdefault(version.collection, []).append(version)


LAST_ID = "\U0010ffff"
"""Sorts behind every id."""


def _listing(versions: Iterable[Version], order: Callable[[Version], str]) -> _Listing:
    entries = sorted(((order(version), _id_text(version.key)), version) for version in versions)
    return _Listing([key for key, _ in entries], [version for _, version in entries], is_descending=False)


def _created_listing(view: View) -> _Listing:
    return _listing(
        view.versions, lambda version: _seconds_text(str(version.content["createdAt"]), "microseconds")
    )


def _connection(listing: _Listing, arguments: Mapping[str, object]) -> Json:
    first = arguments.get("first")
    if isinstance(first, int) and first < 1:
        raise refusal("first must be at least 1")
    size = min(first, MAX_PAGE) if isinstance(first, int) else MAX_PAGE
    entries, has_more = listing.page(size, _sort_key(str(arguments.get("after") or "")))
    edges = [{"cursor": _cursor(key), "version": version} for key, version in entries]
    return {
        "count": len(listing.keys),
        "pageInfo": {"hasNextPage": has_more, "endCursor": edges[-1]["cursor"] if edges else ""},
        "edges": edges,
    }


def _cursor(key: SortKey) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(key)).decode()


def _sort_key(cursor: str) -> SortKey | None:
    if not cursor:
        return None
    try:
        order, record_id = cast("Sequence[object]", orjson.loads(base64.urlsafe_b64decode(cursor)))
    except (ValueError, TypeError, binascii.Error) as error:
        raise refusal("after is not a cursor of this list") from error
    return str(order), str(record_id)


def _filter(arguments: Mapping[str, object]) -> Json:
    return cast("Json", arguments.get("filter") or {})


def _label(asked: Json) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, repr(value)) for name, value in asked.items()))


def _texts(asked: Json, name: str) -> frozenset[str] | None:
    """The values of a list filter; None when it is not given, or given empty."""
    values = cast("Sequence[str] | None", asked.get(name))
    return frozenset(values) if values else None


def _search(asked: Json) -> str:
    return str(asked.get("search") or "").casefold()


def _mentions(value: object, search: str) -> bool:
    return search in str(value or "").casefold()


def _instant(asked: Json, name: str) -> str | None:
    """A date filter as the text that listings sort by, cut to whole seconds."""
    given = asked.get(name)
    if given is None:
        return None
    try:
        return _seconds_text(str(given), "seconds")
    except ValueError as error:
        raise refusal(f"{name} must be an RFC 3339 time with a zone") from error


def _seconds_text(written: str, kept: Literal["seconds", "microseconds"]) -> str:
    instant = datetime.fromisoformat(written)
    if instant.tzinfo is None or "T" not in written:
        raise ValueError("a time without a zone")
    whole = instant.replace(microsecond=0) if kept == "seconds" else instant
    return whole.astimezone(UTC).isoformat(timespec="microseconds")


def _id_text(key: Key) -> str:
    return key if isinstance(key, str) else "/".join(key)


def _places(content: Json) -> frozenset[str]:
    """The ids that a location filter may name: the location's own, and its property's."""
    location = cast("Mapping[str, object]", content.get("locationV2") or {})
    owner = cast("Mapping[str, object]", location.get("property") or {})
    return frozenset(str(place["id"]) for place in (location, owner) if "id" in place)


def _user(version: Version) -> Json:
    return cast("Json", version.content["user"])


def _roles(member: Json, arguments: dict[str, object]) -> object:
    nodes = cast("Sequence[object]", cast("Json", member.get("roles") or {}).get("nodes", ()))
    first = arguments.get("first")
    return {"nodes": nodes[:first] if isinstance(first, int) else nodes}
