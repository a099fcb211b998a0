"""Names as Dagster takes them: ASCII words for asset keys, groups, jobs, resources and pools."""

import hashlib
import re
from collections.abc import Iterable

import dagster as dg

from propexo_connect.model.names import snake_case

SOURCES = "sources"
"""The group of the assets that stand for the systems that are read."""

CONNECTION_TAG = "connection"
"""The run tag by which the instance keeps two syncs of one connection apart."""


def slug(name: str) -> str:
    """A name in lower snake_case, ASCII; a name that loses letters on the way gets a suffix of its hash."""
    plain = snake_case(name)
    kept = re.sub(r"[^a-z0-9_]", "_", plain)
    return kept if kept == plain else f"{kept}_{_hash_of(name)}"


def slugs(names: Iterable[str]) -> dict[str, str]:
    """A slug for each name, all different, whatever the order of the names.

    Of several names with one slug, only the name that is spelled like it keeps it bare.
    """
    wanted = {name: slug(name) for name in names}
    rivals = list(wanted.values())
    return {
        name: wish if wish == name or rivals.count(wish) == 1 else f"{wish}_{_hash_of(name)}"
        for name, wish in wanted.items()
    }


def op_name(connection: str) -> str:
    """The name of a connection's multi-asset, under which run config is given."""
    return f"sync_{slug(connection)}"


def source_key(connector: str, connection: str) -> dg.AssetKey:
    """The key of the asset that stands for the system a connection reads: three parts, a stream has two."""
    return dg.AssetKey([SOURCES, slug(connector), slug(connection)])


def _hash_of(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
