"""The streams of a connection: what the connector knows, with what the user wants applied to it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, TypeVar

from pydantic import BaseModel

from propexo_connect.connection.document import Document, FieldPath
from propexo_connect.connection.file import (
    EVERY_STREAM,
    NeverPresumed,
    WrittenAbsence,
    WrittenConnection,
    WrittenFilter,
    WrittenStream,
)
from propexo_connect.connection.problem import Problem, close, listed, quoted
from propexo_connect.connection.schedule import Schedule
from propexo_connect.connection.tables import tables_of
from propexo_connect.connectors.base import Connector
from propexo_connect.model.duration import duration_text
from propexo_connect.model.errors import ConnectError
from propexo_connect.model.field import Field
from propexo_connect.model.stream import (
    AbsencePolicy,
    Axis,
    Drift,
    Filter,
    FilterDeclaration,
    Meaning,
    Mode,
    Stream,
    StreamPlan,
    SweepPolicy,
    Table,
)

_FILTER_SETTINGS = ("lookback", "lag", "full_every")
_MODE_REMEDY = "Give it a `key`, or write `mode: append` or `mode: overwrite`."
_NO_HISTORY = (
    "`history_for` where no history is kept",
    "`history: true`",
    "Add it, or remove `history_for`.",
)
_SWEEP_REMEDY = "Give it a `key`, or leave `sweep` out: what cannot be recognised cannot be missed."

Value = TypeVar("Value")


@dataclass(frozen=True)
class Wish:
    """One stream as written, and where."""

    stream: Stream
    written: WrittenStream
    path: FieldPath


class Resolution:
    """Turns written streams into plans; gathers problems and warnings on the way."""

    def __init__(
        self, document: Document, written: WrittenConnection, name: str, namespace: str, schedule: Schedule
    ) -> None:
        self.problems: list[Problem] = []
        self.warnings: list[str] = []
        self._document = document
        self._written = written
        self._name = name
        self._namespace = namespace
        self._schedule = schedule

    def plans(self, connector: Connector, config: BaseModel) -> tuple[StreamPlan, ...]:
        """A plan for each stream, in the order of the file; `*` stands for the connector's order."""
        wishes = self._wishes(connector, config)
        tables, faults = tables_of([wish.stream for wish in wishes], self._namespace, self._written.prefix)
        for wish in wishes:
            if wish.stream.name in faults:
                self._refuse(wish.path, *faults[wish.stream.name])
        plans = tuple(
            self._plan(wish, tables[wish.stream.name]) for wish in wishes if wish.stream.name in tables
        )
        if self._written.history_for is not None and plans and not any(plan.history for plan in plans):
            self._refuse(("history_for",), *_NO_HISTORY)
        return plans

    def _refuse(self, path: FieldPath, found: str, expected: str = "", remedy: str = "") -> None:
        self.problems.append(self._document.problem(path, found, expected, remedy))

    def _wishes(self, connector: Connector, config: BaseModel) -> list[Wish]:
        try:
            return list(self._find(connector, config))
        except ConnectError as error:
            self._refuse(("streams",), error.found, error.expected, error.remedy)
        except Exception as error:  # noqa: BLE001 - one connector's defect must not take other connections down
            # The text of a foreign exception may hold anything, so only its kind is told.
            found = f"the connector '{connector.name}' failed with {type(error).__name__} to name its streams"
            self._refuse(("streams",), found, remedy="Please report this.")
        return []

    def _find(self, connector: Connector, config: BaseModel) -> Iterator[Wish]:
        known = {stream.name: stream for stream in connector.streams(config)}
        written = self._written.streams
        for name, settings in written.items():
            path: FieldPath = ("streams", name)
            if name == EVERY_STREAM:
                if not known:
                    expected = (
                        f"names, because '{connector.name}' learns its streams only from the system itself"
                    )
                    self._refuse(path, '"*"', expected, "Write the names of the streams to copy.")
                others = (stream for stream in known.values() if stream.name not in written)
                yield from (Wish(stream, settings, path) for stream in others)
                continue
            stream = known.get(name) or connector.stream(config, name)
            if stream is None:
                expected = f"one of {listed(known)}" if known else f"a stream of '{connector.name}'"
                self._refuse(path, f"unknown stream {quoted(name)}", expected, close(name, known))
            else:
                yield Wish(stream, settings, path)

    def _plan(self, wish: Wish, table: Table) -> StreamPlan:
        written, path = wish.written, wish.path
        stream = self._with_types(wish.stream, written, path)
        key = tuple(written.key) if written.key else stream.key
        stream = replace(stream, key=key, cursor=written.cursor or stream.cursor)
        stream = replace(stream, filter=self._filter(stream, written, path))
        stream = replace(stream, hides=(*stream.hides, *self._hides(stream, written, path)))
        self._check_names(stream, written, path)
        selected = self._selected(stream, written, path)
        plan = StreamPlan(
            connection=self._name,
            stream=stream,
            table=table,
            mode=self._mode(stream, written, path),
            drift=_first(written.drift, self._written.drift, Drift.EVOLVE),
            history=self._history(stream, written, path),
            history_for=written.history_for or self._written.history_for,
            selected=selected,
            excluded=self._excluded(stream, written, path),
            initial_window=_first(written.initial_window, self._written.initial_window, timedelta(days=30)),
            allow_empty=_first(written.allow_empty, self._written.allow_empty, False),
            absence=_policy(written.absence or self._written.absence),
            sweep=self._sweep(stream, written, path),
        )
        self._check_reach(plan, written, path)
        return plan

    def _mode(self, stream: Stream, written: WrittenStream, path: FieldPath) -> Mode:
        keyless = _is_keyless(stream)
        said = written.mode or self._written.mode
        if said is None:
            return Mode.APPEND if keyless else Mode.MERGE
        if said is Mode.MERGE and keyless:
            place = (*path, "mode") if written.mode else ("mode",)
            self._refuse(
                place, f"`merge` for the stream '{stream.name}', which has no key", "a key", _MODE_REMEDY
            )
        return said

    def _history(self, stream: Stream, written: WrittenStream, path: FieldPath) -> bool:
        said = _first(written.history, self._written.history, False)
        if written.history_for is not None and not said:
            self._refuse((*path, "history_for"), *_NO_HISTORY)
        if not said or not _is_keyless(stream):
            return said
        if written.history:
            remedy = "Give it a `key`, or write `history: false` for this stream."
            found = f"a history of the stream '{stream.name}', which has no key"
            self._refuse((*path, "history"), found, "a key", remedy)
        else:
            self.warnings.append(f"stream '{stream.name}' has no key, so no history of it is kept")
        return False

    def _sweep(self, stream: Stream, written: WrittenStream, path: FieldPath) -> SweepPolicy | None:
        said = written.sweep or self._written.sweep
        if said is None or said.every is None:
            return None
        is_known = bool(stream.fields) or bool(stream.key)
        if not stream.key and (stream.is_keyless or is_known):
            if written.sweep is not None:
                found = f"`sweep` for the stream '{stream.name}', which has no key"
                self._refuse((*path, "sweep"), found, "a stream with a key", _SWEEP_REMEDY)
            return None
        if said.spread is not None and is_known and not (stream.resumable or stream.is_sliced):
            self.warnings.append(
                f"stream '{stream.name}' can neither be taken up again within a read nor be asked for ranges "
                "of when records came or changed: its sweeps are not spread, each is read in one go"
            )
        return SweepPolicy(said.every, said.spread)

    def _with_types(self, stream: Stream, written: WrittenStream, path: FieldPath) -> Stream:
        types = dict(written.types or {})
        declared = {field.name for field in stream.fields}
        for name in types:
            self._known(stream, name, (*path, "types", name))
        fields = [
            replace(field, type=types[field.name]) if field.name in types else field
            for field in stream.fields
        ]
        fields += [Field(name, of) for name, of in types.items() if name not in declared]
        return replace(stream, fields=tuple(fields))

    def _filter(self, stream: Stream, written: WrittenStream, path: FieldPath) -> Filter | None:
        said = written.filter
        settings = _said(said) if said else {}
        named = settings.get("field")
        own = stream.filter
        if own is None or (named is not None and named != own.field):
            if said is not None and named is None:
                self._refuse(
                    (*path, "filter"),
                    f"a filter without `field` for the stream '{stream.name}', which is read whole",
                    "the name of the field that the source can be asked for",
                    "Add `field: …`.",
                )
            own = Filter(named) if named is not None else None
        for setting in _FILTER_SETTINGS:
            for defaults, place in ((self._written, (setting,)), (written, (*path, setting))):
                if setting not in defaults.model_fields_set:
                    continue
                if own is not None:
                    settings[setting] = getattr(defaults, setting)
                elif defaults is written and said is None:
                    self._refuse(
                        place,
                        f"`{setting}` for the stream '{stream.name}', which is read whole each time",
                        "a stream with a filter",
                        "Remove it, or name a `filter`.",
                    )
        return None if own is None else replace(own, **{**settings, "field": own.field})

    def _hides(self, stream: Stream, written: WrittenStream, path: FieldPath) -> Iterator[FilterDeclaration]:
        """What the source leaves out besides what its connector knows."""
        for number, one in enumerate(written.hides):
            self._known(stream, one.field, (*path, "hides", number, "field"))
            yield FilterDeclaration(one.kind, one.field, one.rolling, one.resolution, one.zone, one.note)

    def _check_names(self, stream: Stream, written: WrittenStream, path: FieldPath) -> None:
        for name in written.key or ():
            self._known(stream, name, (*path, "key"))
        if written.cursor:
            self._known(stream, written.cursor, (*path, "cursor"))

    def _known(self, stream: Stream, name: str, path: FieldPath) -> None:
        """Refuse a field that the stream cannot have, and point out one that it is not known to have."""
        declared = [field.name for field in stream.fields]
        if not declared or name in declared:
            return
        if stream.open_ended:
            hint = close(name, declared)
            self.warnings.append(
                f"stream '{stream.name}': the field '{name}' is not among those that are known beforehand"
                + (f". {hint}" if hint else "")
            )
            return
        found = f"unknown field {quoted(name)} of the stream '{stream.name}'"
        self._refuse(path, found, f"one of {listed(declared)}", close(name, declared))

    def _selected(self, stream: Stream, written: WrittenStream, path: FieldPath) -> frozenset[str] | None:
        kept = {*stream.key, stream.cursor, stream.filter.field if stream.filter else None} - {None}
        declared = {field.name for field in stream.fields}
        if written.fields is not None and written.exclude_fields is not None:
            self._refuse((*path, "exclude_fields"), "`fields` and `exclude_fields`", "one of the two")
            return None
        if written.fields is not None:
            for name in written.fields:
                self._known(stream, name, (*path, "fields", name))
            return frozenset(
                {*written.fields, *(str(name) for name in kept if not declared or name in declared)}
            )
        return None

    def _excluded(self, stream: Stream, written: WrittenStream, path: FieldPath) -> frozenset[str]:
        for name in written.exclude_fields or ():
            place = (*path, "exclude_fields", name)
            self._known(stream, name, place)
            role = "the key" if name in stream.key else "the cursor" if name == stream.cursor else ""
            if role:
                found = f"{quoted(name)}, which belongs to {role} of the stream '{stream.name}'"
                self._refuse(place, found, "other fields", f"Records cannot be merged without {role}.")
        return frozenset(written.exclude_fields or ())

    def _check_reach(self, plan: StreamPlan, written: WrittenStream, path: FieldPath) -> None:
        """Warn or refuse before a source forgets records that no sync has read (SEMANTICS §9)."""
        stream, own = plan.stream, plan.stream.filter
        spans = [hidden.rolling for hidden in stream.hides if hidden.rolling is not None]
        spans += [own.horizon] if own is not None and own.horizon is not None else []
        is_blind = own is not None and own.axis is Axis.INSTANT and own.meaning is not Meaning.UPDATED
        if own is not None and is_blind and not own.lookback and own.full_every is None:
            self.warnings.append(
                f"stream '{stream.name}' can only be asked by {own.meaning} ({own.field}): later changes "
                "of older records are not seen. Set `lookback` or `full_every`"
            )
        if not spans:
            return
        reach = min(spans)
        usable = reach - own.lookback - own.lag if own is not None else reach
        gap = self._schedule.longest_gap()
        answers = f"the source of stream '{stream.name}' only answers the last {duration_text(reach)}"
        if own is not None and plan.initial_window > reach:
            self.warnings.append(f"{answers}: the first sync brings no more than that")
        if gap is None:
            self.warnings.append(f"{answers}, and the connection has no schedule: sync at least as often")
        elif gap > usable and written.accept_gap:
            self.warnings.append(f"{answers}, and up to {duration_text(gap)} pass between syncs (accepted)")
        elif gap > usable:
            used = (
                f", of which {duration_text(reach - usable)} are lookback and lag" if usable != reach else ""
            )
            self._refuse(
                path,
                f"{answers}{used}, but up to {duration_text(gap)} pass between syncs ({self._schedule.text})",
                f"a schedule with gaps of at most {duration_text(max(usable, timedelta(0)))}",
                "Sync more often, or write `accept_gap: true` on this stream to live with the gap.",
            )


def _is_keyless(stream: Stream) -> bool:
    """Whether it is known before the first read that records have no key."""
    return not stream.key and (stream.is_keyless or bool(stream.fields))


def _first(*values: Value | None) -> Value:
    return next(value for value in values if value is not None)


def _policy(written: WrittenAbsence | None) -> AbsencePolicy:
    """The policy on missing records; what is chosen takes the place of the default as a whole."""
    if written is None:
        return AbsencePolicy()
    share = AbsencePolicy().guard_share if written.guard_share is None else written.guard_share
    if (
        written.covered_absences is None
        and written.unseen_for is None
        and not isinstance(written, NeverPresumed)
    ):
        return AbsencePolicy(guard_share=share)
    return AbsencePolicy(written.covered_absences, written.unseen_for, is_default=False, guard_share=share)


def _said(written: WrittenFilter) -> dict[str, Any]:
    """The settings that were written, None only where it means something."""
    said: Mapping[str, Any] = {name: getattr(written, name) for name in written.model_fields_set}
    return {name: value for name, value in said.items() if value is not None or name == "full_every"}
