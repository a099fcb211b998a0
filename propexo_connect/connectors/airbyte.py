"""Any program that speaks the Airbyte protocol, as a source: hundreds of existing connectors.

Access    an executable: of a virtual environment, or a command line of your own. No container is needed.
Calls     check, discover, and one read per stream and sync; --config, --catalog and --state are files.
Streams   those of its catalog; a stream with a namespace is named `namespace.name`.
State     its state messages are positions of the ledger: each is stored with the records before it, and the
          next sync hands the last one back. A stream that cannot be read incrementally is read whole.
Errors    TRACE messages: config_error is terminal, transient_error and system_error are tried again. A stream
          status INCOMPLETE, an exit code, or a status that never came to COMPLETE fail the read.
Deletes   are shown only where the program marks records as deleted in a field of their own.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import msgspec

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
    by_words,
    ended_badly,
)
from propexo_connect.connectors.state_pages import StatePages
from propexo_connect.model.clock import Clock
from propexo_connect.model.errors import ConfigurationError, ConnectError, VendorFault
from propexo_connect.model.stream import Stream


class AirbyteConfig(ProgramConfig):
    """A program that speaks the Airbyte protocol."""


class Record(msgspec.Struct):
    """`{"stream": "units", "data": {…}, "emitted_at": …}`"""

    stream: str
    data: msgspec.Raw
    namespace: str | None = None


class Message(msgspec.Struct):
    """`{"type": "RECORD", "record": {…}}` and so on; of one message one part is there."""

    type: str
    record: Record | None = None
    state: msgspec.Raw = NOTHING
    trace: msgspec.Raw = NOTHING
    log: msgspec.Raw = NOTHING
    catalog: msgspec.Raw = NOTHING
    connectionStatus: msgspec.Raw = NOTHING  # noqa: N815 - the protocol's own name


@dataclass(frozen=True)
class AirbyteDialogue:
    """The protocol, version 0."""

    def offers(self, program: Program, say: Callable[[str], None]) -> Sequence[Offer]:
        catalog = decoded(self._answer(program, "discover", "catalog", say))
        return [_offer(entry) for entry in catalog.get("streams", ())]

    def problem(self, program: Program, say: Callable[[str], None]) -> str | None:
        try:
            status = decoded(self._answer(program, "check", "connectionStatus", say))
        except ConnectError as error:
            return str(error)
        if status.get("status") == "SUCCEEDED":
            return None
        found = f"its check failed: {program.quoted(str(status.get('message') or 'no reason given'))}"
        return str(ConfigurationError(found, where=program.name, remedy="Check settings and secrets."))

    def _answer(self, program: Program, command: str, part: str, say: Callable[[str], None]) -> bytes:
        """The one message that a command is called for."""
        answer = b""
        with program.running((command,), {"config": program.settings}, say) as run:
            hearing = AirbyteHearing(None, run, program, None)
            for lines in run.lines():
                for message in hearing.messages.of(lines):
                    answer = bytes(getattr(message, part)) or answer
                    hearing.heed(message)
            code = run.ended()
            # A check that failed may well end with a code of its own: the answer says more.
            if not answer:
                hearing.prove(code)
        if not answer:
            raise VendorFault(f"it does not answer '{command}'", where=program.name)
        return answer

    def reading(self, program: Program, offer: Offer, stream: Stream, position: str | None) -> Call:
        is_incremental = stream.carries_on
        configured: dict[str, Any] = {
            "stream": offer.entry,
            "sync_mode": "incremental" if is_incremental else "full_refresh",
            "destination_sync_mode": "append_dedup" if is_incremental and stream.key else "append",
            "primary_key": [name.split(".") for name in stream.key],
        }
        if is_incremental and stream.cursor:
            configured["cursor_field"] = stream.cursor.split(".")
        files: dict[str, object] = {"config": program.settings, "catalog": {"streams": [configured]}}
        if position is not None:
            state = decoded(position.encode())
            # The oldest kind of state is handed back as it is, the others in a list.
            is_legacy = state.get("type", "LEGACY") == "LEGACY"
            files["state"] = state.get("data", {}) if is_legacy else [state]
        return Call(("read",), files)

    def hearing(self, offer: Offer, run: Run, program: Program, pages: StatePages) -> "AirbyteHearing":
        return AirbyteHearing(offer, run, program, pages)


class AirbyteHearing:
    """What is made of the messages of one run.

    Args:
        offer: the stream that is read, None when the call reads nothing.
    """

    def __init__(self, offer: Offer | None, run: Run, program: Program, pages: StatePages | None) -> None:
        self.messages = Messages(Message, run.say, program.name)
        self._run = run
        self._program = program
        self._pages = pages
        entry = offer.entry if offer else {}
        self._name, self._namespace = entry.get("name"), entry.get("namespace")
        self._status: str | None = None
        self._error: ConnectError | None = None

    def take(self, lines: Sequence[bytes]) -> Iterator[JsonPage]:
        pages = cast(StatePages, self._pages)
        for message in self.messages.of(lines):
            record = message.record
            if record is not None:
                if record.stream == self._name and record.namespace == self._namespace:
                    yield from pages.record(record.data)
            elif message.state:
                if self._is_ours(decoded(message.state)):
                    pages.state(bytes(message.state).decode())
            else:
                self.heed(message)

    def _is_ours(self, state: Entry) -> bool:
        told = state.get("stream", {}).get("stream_descriptor", {})
        return not told or (told.get("name") == self._name and told.get("namespace") == self._namespace)

    def heed(self, message: Message) -> None:
        """Take a message that brings neither records nor state."""
        if message.log:
            log = decoded(message.log)
            if log.get("level") not in {"DEBUG", "TRACE"}:
                self._run.say(f"{log.get('level', 'INFO')} {log.get('message', '')}")
        elif message.trace:
            self._trace(decoded(message.trace))
        elif message.type == "CONTROL":
            self._run.say(
                "WARN the program changed its own configuration, such as a token that it renewed; that is "
                "not stored, and the next sync starts from what the connection says"
            )

    def _trace(self, trace: Entry) -> None:
        match trace.get("type"):
            case "ERROR":
                self._error = self._classified(trace.get("error") or {})
            case "STREAM_STATUS":
                told = trace.get("stream_status") or {}
                if told.get("stream_descriptor", {}).get("name") == self._name:
                    self._status = told.get("status")
            case _:
                pass

    def _classified(self, error: Entry) -> ConnectError:
        said = str(error.get("message") or error.get("internal_message") or "no reason given")
        found, where = self._program.quoted(said), self._program.name
        if error.get("failure_type") == "config_error":
            usual = by_words(said, found, where)
            return usual or ConfigurationError(found, where=where, remedy="Check settings and secrets.")
        return VendorFault(found, where=where)

    def prove(self, code: int) -> None:
        if self._error is not None:
            raise self._error
        if code != 0:
            raise ended_badly(self._program, code, self._run.last_words)
        if self._status not in {None, "COMPLETE"}:
            raise VendorFault(
                f"it ended while the stream's status was {self._status}",
                where=self._program.name,
                expected="COMPLETE",
            )


def _offer(entry: Entry) -> Offer:
    name, namespace = str(entry["name"]), entry.get("namespace")
    is_incremental = "incremental" in (entry.get("supported_sync_modes") or ())
    paths = entry.get("source_defined_primary_key") or ()
    key = tuple(".".join(path) for path in paths)
    cursor = ".".join(entry.get("default_cursor_field") or ()) if is_incremental else ""
    nested = (*key, cursor)
    return Offer(
        Stream(
            f"{namespace}.{name}" if namespace else name,
            key=key,
            fields=fields_of(entry.get("json_schema") or {}, nested),
            cursor=cursor or None,
            hides=(LEAVES_OUT,),
            resumable=is_incremental,
            carries_on=is_incremental,
        ),
        entry,
    )


def opened(config: AirbyteConfig, clock: Clock) -> ProgramSource:
    """The program of a configuration; started with the first question."""
    return ProgramSource(config.program, AirbyteDialogue(), clock)


connector = AskingConnector("airbyte", "Airbyte protocol", OTHER_TOOLS, AirbyteConfig, stream_of_name, opened)
