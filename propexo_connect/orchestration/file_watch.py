"""When a folder's files call for a sync: pure functions over what a sensor saw before and sees now."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from propexo_connect.connectors.files_listing import FoundFile
from propexo_connect.model.ledger import Reading

LONGEST_WAIT = timedelta(minutes=10)
"""How long a folder in which something always changes holds its sync back."""


@dataclass(frozen=True)
class Look:
    """What was seen of a connection's files.

    Args:
        asked: digest of the files that the latest sync was asked for.
        seen: digest of all files. count: those of them that were not from the future.
        at: when it was, ISO.
        since: when files that are still to be synced were first seen, ISO; empty when there are none.
        is_late: one of these came with an old time.
    """

    asked: str
    seen: str
    count: int
    at: str
    since: str = ""
    is_late: bool = False


def first_look(files: Sequence[FoundFile], rest: timedelta, now: datetime) -> Look:
    """A folder seen for the first time: its sync is the business of `changed_connections`.

    Except for files that have not come to rest: that sync would be too early for them.
    """
    digest = _digest(files)
    asked, since = (digest, "") if _are_at_rest(files, rest, now) else ("", now.isoformat())
    return Look(asked, digest, _count_until(files, now), now.isoformat(), since)


def next_look(
    before: Look, files: Sequence[FoundFile], rest: timedelta, now: datetime
) -> tuple[Look, Reading | None]:
    """What is seen now, and how the files are to be read; None when there is nothing to do yet.

    A file may come with an old time, because moving and copying keep it. A recurring sync asks for newer
    files than it has asked for already and would pass it over: such a file calls for a full read.
    """
    digest = _digest(files)
    look = Look(before.asked, digest, _count_until(files, now), now.isoformat())
    old = _count_until(files, datetime.fromisoformat(before.at))
    has_newer = old < len(files)
    has_changed = digest != before.seen
    if has_changed and not has_newer and old < before.count and before.asked == before.seen:
        return replace(look, asked=digest), None  # files were only taken away
    if digest == before.asked:
        return look, None
    is_late = before.is_late or (
        has_changed and (old > before.count or (old == before.count and not has_newer))
    )
    since = datetime.fromisoformat(before.since) if before.since else now
    if not _are_at_rest(files, rest, now) and now - since <= LONGEST_WAIT:
        return replace(look, since=since.isoformat(), is_late=is_late), None
    return replace(look, asked=digest), Reading.FULL if is_late else Reading.RECURRING


def _are_at_rest(files: Sequence[FoundFile], rest: timedelta, now: datetime) -> bool:
    return all(file.modified_at <= now - rest for file in files)


def _count_until(files: Sequence[FoundFile], instant: datetime) -> int:
    return sum(file.modified_at <= instant for file in files)


def _digest(files: Sequence[FoundFile]) -> str:
    lines = (f"{file.path}\0{file.modified_at.isoformat()}\0{file.size_bytes}" for file in sorted(files))
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()
