"""A foreign program as a source, whatever protocol it speaks: one run per read, states as positions."""

import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from propexo_connect.connectors.ahead import read_ahead
from propexo_connect.connectors.base import Access, JsonPage, Page, ReadContext
from propexo_connect.connectors.program import Program, Run
from propexo_connect.connectors.state_pages import StatePages
from propexo_connect.connectors.table_name import closest
from propexo_connect.model.clock import Clock
from propexo_connect.model.errors import (
    ConfigurationError,
    ConnectError,
    CredentialsRefused,
    PermissionRefused,
    UnknownName,
    VendorFault,
)
from propexo_connect.model.stream import FilterDeclaration, FilterKind, Stream
from propexo_connect.model.tile import Request

LEAVES_OUT = FilterDeclaration(
    FilterKind.IMPLICIT, note="what the program's own settings and state leave out"
)
"""A program decides what it serves: that it does not serve a record proves nothing."""

Entry = Mapping[str, Any]


@dataclass(frozen=True)
class Offer:
    """A stream that a program offers, and how it said so."""

    stream: Stream
    entry: Entry


@dataclass(frozen=True)
class Call:
    """How a program is called: its arguments, and the files named after their options."""

    arguments: tuple[str, ...]
    files: Mapping[str, object]


class Hearing(Protocol):
    """What is made of the messages of one run."""

    def take(self, lines: Sequence[bytes]) -> Iterator[JsonPage]:
        """Make pages of messages.

        Raises:
            ConnectError: a message says what is wrong, or is none.
        """
        ...

    def prove(self, code: int) -> None:
        """Whether the run came to a good end.

        Raises:
            ConnectError: it did not, by its exit code or by what it said.
        """
        ...


class Dialogue(Protocol):
    """How one protocol is spoken."""

    def offers(self, program: Program, say: Callable[[str], None]) -> Sequence[Offer]:
        """The streams that the program offers.

        Raises:
            ConnectError: it does not tell, or says why it cannot.
        """
        ...

    def problem(self, program: Program, say: Callable[[str], None]) -> str | None:
        """What is wrong with the configuration as a whole."""
        ...

    def reading(self, program: Program, offer: Offer, stream: Stream, position: str | None) -> Call:
        """The call that reads one stream, from a position on."""
        ...

    def hearing(self, offer: Offer, run: Run, program: Program, pages: StatePages) -> Hearing:
        """What listens to that call."""
        ...


class ProgramSource:
    """A program, ready to be run; each question and each read is a run of its own."""

    def __init__(self, program: Program, dialogue: Dialogue, clock: Clock) -> None:
        self._program = program
        self._dialogue = dialogue
        self._clock = clock
        self._lock = threading.Lock()
        self._offers: dict[str, Offer] | None = None

    def discover(self) -> Sequence[Stream]:
        return [offer.stream for offer in self._known().values()]

    def _known(self) -> Mapping[str, Offer]:
        with self._lock:
            if self._offers is None:
                found = self._dialogue.offers(self._program, _nothing)
                self._offers = {offer.stream.name: offer for offer in found}
            return self._offers

    def check(self, streams: Sequence[Stream]) -> Sequence[Access]:
        problem = self._dialogue.problem(self._program, _nothing)
        return [Access(stream.name, problem or self._problem(stream)) for stream in streams]

    def _problem(self, stream: Stream) -> str | None:
        try:
            self._offer(stream)
        except ConnectError as error:
            return str(error)
        return None

    def _offer(self, stream: Stream) -> Offer:
        known = self._known()
        if stream.name not in known:
            raise UnknownName(
                f"the program offers no stream '{stream.name}'",
                where=self._program.name,
                remedy=closest(stream.name, known),
            )
        return known[stream.name]

    def prepare(self, stream: Stream) -> Stream:
        offered = self._offer(stream).stream
        if stream.filter is not None:
            raise ConfigurationError(
                "a program is not asked for windows: its state tells it what is new",
                where=f"stream '{stream.name}'",
                remedy="Remove the filter.",
            )
        declared = {field.name: field for field in stream.fields}
        fields = tuple(declared.pop(field.name, field) for field in offered.fields)
        return replace(
            offered,
            description=stream.description or offered.description,
            key=stream.key or offered.key,
            fields=(*fields, *declared.values()),
            cursor=stream.cursor or offered.cursor,
        )

    def upper_bound(self, stream: Stream) -> int:  # noqa: ARG002 - programs have no integer axis
        return 0

    def read(
        self,
        stream: Stream,
        request: Request,  # noqa: ARG002 - its state tells the program what to bring
        fields: frozenset[str] | None,  # noqa: ARG002 - what is not wanted is left out when it is decoded
        position: str | None,
        context: ReadContext,
    ) -> Iterator[Page]:
        offer = self._offer(stream)
        call = self._dialogue.reading(self._program, offer, stream, position)
        current: list[Run] = []

        def produce() -> Iterator[Page]:
            pages = StatePages(context, self._clock.now, position)
            with self._program.running(call.arguments, call.files, context.log) as run:
                current.append(run)
                context.meter.add(requests=1)
                hearing = self._dialogue.hearing(offer, run, self._program, pages)
                for lines in run.lines():
                    yield from hearing.take(lines)
                    yield from pages.tick()
                hearing.prove(run.ended())
            yield from pages.rest()

        def cancel() -> None:
            for run in current:
                run.kill()

        yield from read_ahead(produce, context.stop, cancel)


def _nothing(line: str) -> None:
    """What a program says when it is asked for its streams goes nowhere; its last words are in errors."""
    del line


_CREDENTIALS = re.compile(
    r"\b401\b|unauthorized|unauthenticated|authentication fail|invalid[ _](api[ _]key|credential|grant|token)"
    r"|(wrong|incorrect|invalid) password|token[ _]expired|expired[ _]token",
    re.IGNORECASE,
)
_PERMISSION = re.compile(r"\b403\b|forbidden|permission denied|access denied|not permitted", re.IGNORECASE)


def ended_badly(program: Program, code: int, last_words: Sequence[str]) -> ConnectError:
    """The error of a program that ended with this code, by what it said last."""
    if code < 0:
        return VendorFault(
            f"it was ended by signal {-code}",
            where=program.name,
            remedy="It may have run out of memory." if code == -9 else "",
        )
    loud = [line for line in last_words if any(word in line for word in ("CRITICAL", "FATAL", "ERROR"))]
    said = (loud or list(last_words) or [""])[-1]
    found = f"it ended with code {code}: {program.quoted(said)}" if said else f"it ended with code {code}"
    return by_words("\n".join(last_words), found, program.name) or VendorFault(found, where=program.name)


def by_words(said: str, found: str, where: str) -> ConnectError | None:
    """The error that words usually stand for; None when they tell nothing."""
    if _CREDENTIALS.search(said):
        return CredentialsRefused(found, where=where, remedy="Check the credentials under secrets.")
    if _PERMISSION.search(said):
        return PermissionRefused(found, where=where, remedy="Grant the right to the program's user.")
    return None
