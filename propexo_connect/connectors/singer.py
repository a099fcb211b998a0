"""Any program that speaks the Singer protocol, as a source: taps.

Access    an executable: of a virtual environment, or a command line of your own.
Calls     --discover, and one run per stream and sync; --config, --catalog and --state are files.
Streams   those of its catalog, each selected by itself with all of its fields.
State     the value of its STATE messages is the position of the ledger: each is stored with the records
          before it, and the next sync hands the last one back. Without a replication key all is read.
Errors    the protocol knows none: an exit code other than 0 fails the read, and what the tap said last tells
          whether credentials or rights are wrong; anything else is tried again.
Deletes   are shown only where the tap marks records as deleted in a field of their own.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import msgspec
from pydantic import Field

from propexo_connect.connectors.base import JsonPage
from propexo_connect.connectors.json_schema import fields_of
from propexo_connect.connectors.known_by_asking import OTHER_TOOLS, AskingConnector, stream_of_name
from propexo_connect.connectors.messages import NOTHING, Messages, decoded
from propexo_connect.connectors.program import Program, Run
from propexo_connect.connectors.program_config import ProgramConfig
from propexo_connect.connectors.program_source import (
    LEAVES_OUT,
    Call,
    Entry,
    Offer,
    ProgramSource,
    ended_badly,
)
from propexo_connect.connectors.state_pages import StatePages
from propexo_connect.model.clock import Clock
from propexo_connect.model.errors import ConfigurationError, ConnectError, VendorFault
from propexo_connect.model.stream import Stream


class SingerConfig(ProgramConfig):
    """A program that speaks the Singer protocol."""

    catalog_option: Literal["catalog", "properties"] = Field(
        default="catalog", description="The option that takes the catalog; `properties` with old taps."
    )


class Message(msgspec.Struct):
    """`{"type": "RECORD", "stream": "units", "record": {…}}`, `{"type": "STATE", "value": {…}}` and so on."""

    type: str
    stream: str | None = None
    record: msgspec.Raw = NOTHING
    value: msgspec.Raw = NOTHING


@dataclass(frozen=True)
class SingerDialogue:
    """The protocol as taps of today speak it."""

    catalog_option: str = "catalog"

    def offers(self, program: Program, say: Callable[[str], None]) -> Sequence[Offer]:
        with program.running(("--discover",), {"config": program.settings}, say) as run:
            text = b"\n".join(line for lines in run.lines() for line in lines)
            code = run.ended()
            if code != 0:
                raise ended_badly(program, code, run.last_words)
        try:
            entries: list[Entry] = decoded(text)["streams"]
        except (ValueError, KeyError, TypeError) as error:
            raise VendorFault("its catalog cannot be read", where=program.name) from error
        return [_offer(entry) for entry in entries]

    def problem(self, program: Program, say: Callable[[str], None]) -> str | None:
        try:
            self.offers(program, say)
        except ConnectError as error:
            return str(error)
        return None

    def reading(self, program: Program, offer: Offer, stream: Stream, position: str | None) -> Call:
        chosen = _chosen(offer.entry, stream)
        files: dict[str, object] = {
            "config": program.settings,
            self.catalog_option: {"streams": [chosen]},
        }
        if position is not None:
            files["state"] = decoded(position.encode())
        return Call((), files)

    def hearing(self, offer: Offer, run: Run, program: Program, pages: StatePages) -> "SingerHearing":
        return SingerHearing(offer, run, program, pages)


class SingerHearing:
    """What is made of the messages of one run."""

    def __init__(self, offer: Offer, run: Run, program: Program, pages: StatePages) -> None:
        self._messages = Messages(Message, run.say, program.name)
        self._run = run
        self._program = program
        self._pages = pages
        entry = offer.entry
        self._names = {entry.get("stream"), entry.get("tap_stream_id"), entry.get("stream_alias")} - {None}

    def take(self, lines: Sequence[bytes]) -> Iterator[JsonPage]:
        for message in self._messages.of(lines):
            match message.type:
                case "RECORD" if message.record:
                    if message.stream in self._names:
                        yield from self._pages.record(message.record)
                case "STATE" if message.value:
                    self._pages.state(bytes(message.value).decode())
                case "BATCH":
                    raise ConfigurationError(
                        "it writes its records to files (BATCH messages)",
                        where=self._program.name,
                        expected="RECORD messages",
                        remedy="Remove batch_config from its settings.",
                    )
                case _:
                    pass  # SCHEMA repeats the catalog; ACTIVATE_VERSION asks to delete, which we never do

    def prove(self, code: int) -> None:
        if code != 0:
            raise ended_badly(self._program, code, self._run.last_words)


def _offer(entry: Entry) -> Offer:
    facts = _own_facts(entry)
    name = str(entry.get("tap_stream_id") or entry["stream"])
    key = tuple(entry.get("key_properties") or facts.get("table-key-properties") or ())
    cursor = entry.get("replication_key") or facts.get("replication-key")
    method = str(entry.get("replication_method") or facts.get("forced-replication-method") or "")
    valid = facts.get("valid-replication-keys") or ()
    if cursor is None and method.upper() == "INCREMENTAL" and len(valid) == 1:
        cursor = valid[0]
    has_state = bool(cursor) or method.upper() in {"INCREMENTAL", "LOG_BASED"}
    schema = cast(Mapping[str, Any], entry.get("schema") or {})
    return Offer(
        Stream(
            name,
            str(facts.get("description") or ""),
            key=key,
            fields=fields_of(schema, (*key, *((cursor,) if cursor else ()))),
            cursor=cursor,
            hides=(LEAVES_OUT,),
            resumable=has_state,
            carries_on=has_state,
        ),
        entry,
    )


def _own_facts(entry: Entry) -> Mapping[str, Any]:
    """What the metadata says of the stream itself, not of its fields."""
    for part in entry.get("metadata") or ():
        if not part.get("breadcrumb"):
            return part.get("metadata") or {}
    return {}


def _chosen(entry: Entry, stream: Stream) -> Entry:
    """The entry with the stream and all its fields selected, in the ways that old and new taps look for."""
    method = "INCREMENTAL" if stream.carries_on and stream.cursor else "FULL_TABLE"
    own: dict[str, Any] = {"selected": True}
    if not _own_facts(entry).get("forced-replication-method"):
        own["replication-method"] = method
    if stream.cursor:
        own["replication-key"] = stream.cursor
    parts = [dict(part) for part in entry.get("metadata") or ()]
    if not any(not part.get("breadcrumb") for part in parts):
        parts.append({"breadcrumb": [], "metadata": {}})
    for part in parts:
        facts = part.get("metadata") or {}
        part["metadata"] = {**facts, **({"selected": True} if part.get("breadcrumb") else own)}
    schema = {**(entry.get("schema") or {}), "selected": True}
    replication: dict[str, Any] = {}
    if stream.cursor:
        replication = {
            "replication_key": stream.cursor,
            "replication_method": entry.get("replication_method") or method,
        }
    return {**entry, "schema": schema, "metadata": parts, "selected": True, **replication}


def opened(config: SingerConfig, clock: Clock) -> ProgramSource:
    """The program of a configuration; started with the first question."""
    return ProgramSource(config.program, SingerDialogue(config.catalog_option), clock)


connector = AskingConnector("singer", "Singer protocol", OTHER_TOOLS, SingerConfig, stream_of_name, opened)
