"""Ways from one page to the next, each with the answer it reads. Names of parameters that are empty are not
sent; `{offset}`, `{page}`, `{size}` and `{cursor}` then stand for their values in the request's templates.

`at` says where parameters go: into the query, the JSON body (dotted names step into it), the form, or the
variables of a GraphQL query.
"""

from dataclasses import field
from typing import Annotated, Literal

from pydantic import Discriminator

from propexo_connect.http.plan.paths import Path
from propexo_connect.http.plan.value import value

At = Literal["query", "body", "form", "variables"]

SIZE = "{page_size}"


@value
class OnePage:
    """Everything comes at once.

    Args:
        full_at: a number of records at which the vendor cuts in silence; so many are a failure, or a
            reason to ask for a shorter range.
    """

    full_at: int | None = None
    kind: Literal["one_page"] = "one_page"


@value
class Offsets:
    """`?limit=100&offset=200`: pages by the number of records before them.

        [{…},{…}]   X-Total-Count: 251            {"count":251,"results":[…]}

    The next offset counts the records that came, so a silent cap below `size` loses nothing. With a
    total, pages are asked for several at once.

    Args:
        size: records a page. first: the offset of the first record (1 for STARTPOSITION).
        total: where the number of all records stands.
        has_more: where a truth value stands, in place of a total.
        short_is_last: whether a page with fewer records than `size` is the last; else an empty one is.
        cap: the most records that one query can reach; a longer list is split by time.
    """

    size: int
    limit: str = "limit"
    offset: str = "offset"
    first: int = 0
    total: Path | None = None
    has_more: Path | None = None
    short_is_last: bool = False
    cap: int | None = None
    at: At = "query"
    kind: Literal["offsets"] = "offsets"


@value
class Numbered:
    """`?page=3&per_page=100`: numbered pages.

    Args:
        total: where the number of all records stands. pages: where the number of pages stands.
        next: where the next page's number stands, null or absent on the last.
        has_more: where a truth value stands.
        short_is_last: as with `Offsets`; beside `next` it is for answers that lack it: where `pages` does not
            tell either, a full page is followed by another.
        least: the smallest page that the vendor takes; probes ask for no less.
    """

    size: int
    page: str = "page"
    limit: str = "per_page"
    first: int = 1
    least: int = 1
    total: Path | None = None
    pages: Path | None = None
    next: Path | None = None
    has_more: Path | None = None
    short_is_last: bool = False
    cap: int | None = None
    at: At = "query"
    kind: Literal["numbered"] = "numbered"


@value
class Links:
    """The answer names the next page's address: in its body, or in the header `Link` (rel="next").

        {"data":[…],"next_page_path":"/api/v0/units?page[number]=2"}

    Args:
        next: where the address stands, absolute or relative; absent, null or "" is the end. "header:Link"
            takes the link whose relation is `next`.
        has_more: where a truth value says whether there is more; the address may then be there on the last
            page, too.
        size, limit: how many records to ask for on the first page.
        method: how the next page is asked for; a POST goes without a body and without parameters.
        relative_to: what a relative address is relative to: the origin, the API's address, or the request.
    """

    next: Path
    size: int | None = None
    limit: str = ""
    method: Literal["GET", "POST"] = "GET"
    has_more: Path | None = None
    relative_to: Literal["origin", "api", "request"] = "origin"
    at: At = "query"
    cap: int | None = None
    kind: Literal["links"] = "links"


@value
class Tokens:
    """The answer holds a token that the next request sends.

        {"doors":[…],"nextPageToken":"abc"}

    Args:
        next: where the token stands; absent, null or "" is the end.
        token: the parameter that sends it.
        has_more: where a truth value says whether there is more; the token may then be there on the last
            page, too. `end`: the same the other way round (`end_of_stream`).
        total: where the number of all records stands; with a `cap` the range is split before it is read.
        alone: the token is sent without the stream's other parameters (Zendesk); else with them (Seam).
    """

    next: Path
    token: str
    size: int | None = None
    limit: str = ""
    has_more: Path | None = None
    end: Path | None = None
    total: Path | None = None
    alone: bool = False
    at: At = "query"
    cap: int | None = None
    kind: Literal["tokens"] = "tokens"


@value
class LastId:
    """`?starting_after=ch_17`: the id of the last record that came leads on.

        {"has_more":true,"data":[…,{"id":"ch_17"}]}

    Args:
        param: the parameter that sends it. field: where a record holds its id.
        has_more: where a truth value stands; without one a short page is the last.
    """

    size: int
    param: str
    field: Path = "id"
    limit: str = "limit"
    has_more: Path | None = None
    at: At = "query"
    cap: int | None = None
    kind: Literal["last_id"] = "last_id"


@value
class Relay:
    """A connection of GraphQL: `first`, `after`; `pageInfo {hasNextPage endCursor}`, `edges {node}`.

    Args:
        connection: where the connection stands below `data`; the stream's records are its `edges`.
    """

    size: int
    connection: Path
    first: str = "first"
    after: str = "after"
    at: At = "variables"
    cap: int | None = None
    kind: Literal["relay"] = "relay"
    page_info: tuple[str, str, str] = field(default=("pageInfo", "hasNextPage", "endCursor"))


AnyPaging = Annotated[OnePage | Offsets | Numbered | Links | Tokens | LastId | Relay, Discriminator("kind")]
