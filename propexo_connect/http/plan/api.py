"""A whole API: what its streams have in common, and the streams."""

from collections.abc import Iterator, Mapping
from dataclasses import field, fields, replace
from typing import Any

from propexo_connect.http.plan.auth import SIGNED_NAMES, AnyLogIn, Login
from propexo_connect.http.plan.budget import Budget
from propexo_connect.http.plan.faults import Faults
from propexo_connect.http.plan.fields import Fields
from propexo_connect.http.plan.paging import AnyPaging, OnePage
from propexo_connect.http.plan.paths import Path
from propexo_connect.http.plan.stream import ApiStream, Asking, Format
from propexo_connect.http.plan.template import ENGINE_NAMES, names_in
from propexo_connect.http.plan.value import value
from propexo_connect.model.errors import UnknownName


@value
class Lookup:
    """A value that the vendor must be asked for first, once: an organisation, an account.

    Args:
        name: the placeholder that stands for it. path: where it is asked for.
        at: where the answer holds it.
    """

    name: str
    path: str
    at: Path
    params: Mapping[str, str] = field(default_factory=dict[str, str])


@value
class Api:
    """One vendor's API.

    Args:
        streams: in the order of the docs. fields: their fields, in short, by stream; so the table of the
            streams stays a table.
        url: its address, usually the setting `{url}`.
        auth: one way to log in, or several at once.
        headers, params: sent with every request.
        records, unwrap, paging, format, faults: what a stream has that says nothing else; `faults` come
            after a stream's own.
        no_records: statuses that mean that there are none (204), besides what faults say.
        retry: statuses beyond 408, 425, 429 and 5xx that pass by themselves.
        budget: what the vendor allows.
        zone: of local times in records.
        literal: characters that stay as they are in the names of parameters (`[]`).
        lookups: values asked for before the first stream.
        quotes_answers: whether messages may carry a short redacted piece of a refusal.
    """

    streams: tuple[ApiStream, ...]
    auth: AnyLogIn | tuple[AnyLogIn, ...] = ()
    url: str = "{url}"
    fields: Mapping[str, Fields] = field(default_factory=dict[str, Fields])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    params: Mapping[str, Any] = field(default_factory=dict[str, Any])
    records: Path = ""
    unwrap: Path | None = None
    paging: AnyPaging = field(default_factory=OnePage)
    format: Format = "json"
    faults: Faults = ()
    no_records: tuple[int, ...] = (204,)
    retry: tuple[int, ...] = ()
    budget: Budget = field(default_factory=Budget)
    zone: str = "UTC"
    literal: str = ""
    lookups: tuple[Lookup, ...] = ()
    quotes_answers: bool = True

    def __post_init__(self) -> None:
        names = [stream.name for stream in self.streams]
        if strangers := sorted(set(self.fields) - set(names)):
            raise ValueError(f"fields are given for {', '.join(strangers)}, which are no streams")
        streams = tuple(
            replace(stream, fields=self.fields[stream.name]) if stream.name in self.fields else stream
            for stream in self.streams
        )
        object.__setattr__(self, "streams", streams)
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise ValueError(f"two streams have the name {', '.join(doubled)}")
        for stream in self.streams:
            above = stream.fan_out
            if above is not None and above.stream not in names:
                raise ValueError(
                    f"the stream '{stream.name}' has the parent '{above.stream}', which is no stream"
                )

    @property
    def log_ins(self) -> tuple[AnyLogIn, ...]:
        """The ways to log in, one or several."""
        return self.auth if isinstance(self.auth, tuple) else (self.auth,)

    def paging_of(self, asking: Asking) -> AnyPaging:
        """How the pages of a request go on; a single record has none."""
        if asking.paging is not None:
            return asking.paging
        return OnePage() if asking.single else self.paging

    def stream(self, name: str) -> ApiStream:
        """The stream of this name.

        Raises:
            UnknownName: there is none.
        """
        for stream in self.streams:
            if stream.name == name:
                return stream
        raise UnknownName(
            f"there is no stream '{name}'", expected=", ".join(stream.name for stream in self.streams)
        )

    def unknown_names(self, settings: frozenset[str]) -> list[str]:
        """Placeholders that neither the settings nor the engine know, with their places."""
        kept = {name for log_in in self.log_ins if isinstance(log_in, Login) for name in log_in.keeps}
        known = settings | ENGINE_NAMES | SIGNED_NAMES | kept | {lookup.name for lookup in self.lookups}
        known |= {"parent", "terms"}
        found: list[str] = []
        for place, template in _templates(self, "api"):
            found += [
                f"{place}: {{{name}}}"
                for name in names_in(template)
                if name not in known and name.partition(".")[0] not in known
            ]
        return found


_NOT_TEMPLATES = frozenset({"fields", "description", "hides", "unconfirmed", "query"})


def _templates(part: Any, place: str) -> Iterator[tuple[str, Any]]:
    """Every text of a plan with its place; GraphQL and prose are not looked into."""
    for one in fields(part):
        if one.name in _NOT_TEMPLATES:
            continue
        inner = getattr(part, one.name)
        parts = inner if isinstance(inner, tuple) else (inner,)
        for each in parts:
            if hasattr(each, "__dataclass_fields__"):
                label = getattr(each, "name", one.name)
                yield from _templates(each, f"{place}.{label}")
            else:
                yield f"{place}.{one.name}", each
