"""Streams of an API: how their records are asked for, found in the answers, and made ready."""

from collections.abc import Mapping
from dataclasses import field
from datetime import timedelta
from typing import Any, Literal

from propexo_connect.http.plan.faults import Faults
from propexo_connect.http.plan.fields import ApiField, Fields, fields_of
from propexo_connect.http.plan.filters import AnyFilter, Between
from propexo_connect.http.plan.paging import AnyPaging
from propexo_connect.http.plan.paths import Path
from propexo_connect.http.plan.value import named_value, value
from propexo_connect.model.duration import DurationOrNever

Format = Literal["json", "jsonl", "csv", "xml"]


@named_value
class Asking:
    """A request as a template, and the way into its answer; None leaves it to the API's defaults.

    Args:
        method: POST where there is a body, GET else, when it is left empty.
        body: a JSON body, or the text of one. form: a form. xml: an XML body (SOAP). query: a GraphQL query.
        records: where the array of records stands; for XML the path of element names, * is any.
        unwrap: the key (or path) that each element wraps its record in; elements without it are bare.
        single: the answer is one record, not an array. keyed: a mapping from keys to records.
        absent: what it means when there is nothing at `records`: no records, or a failure.
        one_or_many: a lone record may come without its list.
        carry: where `records` goes through lists by stars (`leases.lease.*.rows`), what the elements on the
            way tell each record: `{"leaseId": "1.id"}` is the id of the element at the first star.
        format: how records are written.
    """

    method: str = ""
    params: Mapping[str, Any] = field(default_factory=dict[str, Any])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: Mapping[str, Any] | str | None = None
    form: Mapping[str, Any] | None = None
    xml: str | None = None
    query: str = ""
    variables: Mapping[str, Any] = field(default_factory=dict[str, Any])
    records: Path | None = None
    unwrap: Path | None = None
    single: bool = False
    absent: Literal["fault", "empty"] = "fault"
    one_or_many: bool = False
    carry: Mapping[str, Path] = field(default_factory=dict[str, Path])
    format: Format | None = None
    paging: AnyPaging | None = None
    faults: Faults = ()


@value
class Changes(Asking):
    """How changes are asked for where that is another request than the listing: a search, an event feed.

    It serves the requests for a range that reaches back no further than `reach`; others, and whole reads,
    go to the listing.

    Args:
        newest_first: a feed of states, each as it was at its time: the first of a key that comes is its
            newest, later ones are left out. Its filter should have no upper bound, so that the newest is
            the present one whatever range was asked for.
    """

    path: str
    filter: Between
    reach: DurationOrNever = None
    newest_first: bool = False


@value
class Parent:
    """A stream whose records this one is read through, one request (or more) for each.

    Args:
        stream: its name. Templates refer to its fields as `{parent.Id}`.
        key: the field that names a parent in the ledger; the first of its key when empty.
        changed: only the parents that changed within the request are asked; its filter is then this
            stream's, too.
        batch: so many parents in one request, their fields joined by commas.
        skip: statuses by which a parent has nothing for us: gone (404), not permitted (403).
        where: fields that must have one of these values, to leave out parents that never have any.
        having: fields that must have a value: the id of the one thing that a path leads to.
    """

    stream: str
    key: str = ""
    changed: bool = False
    batch: int = 1
    skip: tuple[int, ...] = (404,)
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    having: tuple[str, ...] = ()


@value
class Each:
    """Once for each value of a list in the settings: accounts, tenants, locations. Templates say `{each}`."""

    setting: str


@value
class Hides:
    """A filter that the vendor applies by itself; `note` says what it hides."""

    note: str
    field: str = ""
    rolling: timedelta | None = None
    documented: bool = True


@value
class ApiStream(Asking):
    """One kind of record.

    Args:
        name: as a connection file names it. path: below the API's address, with placeholders.
        key: the field or fields that identify a record.
        fields: in short (`fields`), in the order the table shows them; or in `Api.fields`, by name.
        cursor: the field that orders changes of one record; it must be declared.
        filter: what can be asked for; None: read whole.
        changes: another request for changes only.
        parent, each: read once for each parent, or each value of a setting.
        nested: the records stand in this list within each record of the parent; no request is made. A list of
            bare values gives records with the one field `value`.
        add: fields put into each record: `{"propertyId": "{parent.id}"}`.
        sensitive: places of PINs, door codes, tax ids; left out unless the connection names them in `reveal`.
        hides: what the vendor leaves out by itself.
        fixed: nothing comes beyond the declared fields.
        selections: in GraphQL what is asked of a nested field: `{"address": "{ line1 city }"}`.
        field_join: what stands between the names in `{fields}`.
        resumable: whether a page's token may be taken up by a later sync.
        unconfirmed: facts that rest on memory or forums, in words.
    """

    name: str
    path: str = ""
    key: str | tuple[str, ...] = ()
    description: str = ""
    fields: Fields = ()
    cursor: str | None = None
    filter: AnyFilter | None = None
    changes: Changes | None = None
    parent: Parent | str | None = None
    each: Each | None = None
    nested: Path | None = None
    add: Mapping[str, str] = field(default_factory=dict[str, str])
    sensitive: tuple[str, ...] = ()
    hides: tuple[Hides, ...] = ()
    fixed: bool = False
    selections: Mapping[str, str] = field(default_factory=dict[str, str])
    field_join: str = ","
    resumable: bool = False
    unconfirmed: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.nested is not None and self.parent is None:
            raise ValueError(f"the stream '{self.name}' is nested in a parent and names none")
        if self.each is not None and self.parent is not None:
            raise ValueError(f"the stream '{self.name}' has both a parent and a list to go through")

    @property
    def declared(self) -> tuple[ApiField, ...]:
        """The fields one by one."""
        return fields_of(self.fields) if isinstance(self.fields, str) else self.fields

    @property
    def keys(self) -> tuple[str, ...]:
        """The fields of the key."""
        return (self.key,) if isinstance(self.key, str) else self.key

    @property
    def fan_out(self) -> Parent | None:
        """The parent, with what is left unsaid by a name alone."""
        return Parent(self.parent) if isinstance(self.parent, str) else self.parent
