"""Files as a source: CSV, JSON Lines and Parquet below one root, local or on any system fsspec reaches.

Streams   one per pattern in the connection file; nothing is read to know them.
Access    a folder, or a URL such as s3://bucket/exports with its credentials under storage_options.
Filter    the time of a file's last change, both bounds included; of a file that is read, all records are.
          Files that keep an old time when they are put in place come with the next full read.
Cursor    `_file_modified`: of two records with one key, that of the newer file wins.
Order     files by that time, then by name; a read can be taken up again after any whole file.
Deletes   are not shown: a record that is missing in a later file may just not be part of it.
"""

import codecs
import json
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import IO, Any, cast

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from propexo_connect.connectors import files_content as content
from propexo_connect.connectors.base import Access, ColumnPage, JsonPage, Page, ReadContext, Source
from propexo_connect.connectors.files_content import CappedReader, Caps, Compression, Format
from propexo_connect.connectors.files_csv import Dialect, header, read_csv
from propexo_connect.connectors.files_jsonl import read_jsonl
from propexo_connect.connectors.files_listing import Folder, FoundFile, changed_while_read, pattern_fault
from propexo_connect.connectors.files_parquet import read_parquet
from propexo_connect.connectors.files_remote import open_folder
from propexo_connect.http.retry import heed_stop
from propexo_connect.model.clock import Clock
from propexo_connect.model.duration import Duration, DurationOrNever, Size
from propexo_connect.model.errors import ConnectError, FileMismatch, SuspiciousEmpty, UnknownName
from propexo_connect.model.field import TEXT, TIMESTAMP
from propexo_connect.model.field import Field as StreamField
from propexo_connect.model.stream import Filter, Meaning, Stream
from propexo_connect.model.tile import Request

FILE, FILE_MODIFIED = "_file", "_file_modified"

_OWN_FIELDS = (
    StreamField(FILE, TEXT, "Path of the file below the root."),
    StreamField(FILE_MODIFIED, TIMESTAMP, "When the file was last changed."),
)


class FileStream(BaseModel):
    """One group of files with records of one kind."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str = Field(description="Pattern below the root: leases/*.csv, exports/**/units-?.jsonl.gz.")
    format: Format | None = Field(
        default=None, description="csv, jsonl or parquet; by the pattern's ending if not set."
    )
    key: tuple[str, ...] = Field(default=(), description="The fields that identify a record.")
    description: str = Field(default="", description="What the records are.")
    compression: Compression = Field(
        default=Compression.AUTO, description="gzip, zstd, none; by the file's name if not set."
    )
    delimiter: str = Field(
        default=",", min_length=1, max_length=1, description="What separates cells of a CSV file."
    )
    quote: str = Field(
        default='"', min_length=1, max_length=1, description="What encloses cells of a CSV file."
    )
    encoding: str = Field(
        default="utf-8", description="Encoding of CSV and JSON Lines, such as utf-8 or latin-1."
    )
    require_files: bool = Field(
        default=False, description="Whether a pattern that finds no file at all is an error."
    )

    @field_validator("path")
    @classmethod
    def _stays_below_the_root(cls, path: str) -> str:
        fault = pattern_fault(path)
        if fault:
            raise ValueError(f"the pattern cannot be used: {fault}")
        return path

    @field_validator("encoding")
    @classmethod
    def _is_a_text_encoding(cls, encoding: str) -> str:
        try:
            if "x".encode(encoding).decode(encoding) == "x":
                return codecs.lookup(encoding).name
        except (LookupError, UnicodeError):
            pass
        raise ValueError(f"'{encoding}' is no encoding of text")

    @model_validator(mode="after")
    def _has_a_format(self) -> "FileStream":
        if self.format is None and content.named_format(self.path)[0] is None:
            raise ValueError("set format: the pattern's ending does not tell it")
        return self

    @property
    def kind(self) -> Format:
        """The format, set or named."""
        return self.format or content.named_format(self.path)[0] or Format.CSV

    @property
    def dialect(self) -> Dialect:
        """How its CSV files are written."""
        is_tabbed = ".tsv" in self.path.lower() and "delimiter" not in self.model_fields_set
        return Dialect("\t" if is_tabbed else self.delimiter, self.quote, self.encoding)


class FilesConfig(BaseModel):
    """A folder of files to read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    root: str = Field(min_length=1, description="A folder, or a URL: /srv/exports, s3://bucket/exports.")
    storage_options: dict[str, SecretStr] = Field(
        default_factory=dict[str, SecretStr], description="Credentials and options for the system of the URL."
    )
    streams: dict[str, FileStream] = Field(min_length=1, description="Streams by name.")
    lag: Duration = Field(
        default=timedelta(seconds=60),
        description="How long a file must rest before a sync counts it as read.",
    )
    full_every: DurationOrNever = Field(
        default=timedelta(days=7),
        description="How often all files are read, for those that came with an old time.",
    )
    max_files: int = Field(default=100_000, ge=1, description="How many files a pattern may have to look at.")
    max_decoded: Size = Field(default=64 * 1024**3, description="How large one file may be once unpacked.")
    max_ratio: int = Field(default=200, ge=1, description="How many times its own size a file may unpack to.")
    max_record: Size = Field(default=128 * 1024**2, description="How large one record may be.")

    @property
    def caps(self) -> Caps:
        """What one file may unpack to."""
        return Caps(self.max_decoded, self.max_ratio, self.max_record)


@dataclass(frozen=True)
class FilesSource:
    """The folder, open for reading."""

    config: FilesConfig
    folder: Folder
    clock: Clock

    def discover(self) -> Sequence[Stream]:
        return _streams(self.config)

    def check(self, streams: Sequence[Stream]) -> Sequence[Access]:
        return [Access(stream.name, self._problem(stream)) for stream in streams]

    def _problem(self, stream: Stream) -> str | None:
        try:
            given = self._given(stream)
            found = self._find(stream, given)
            if found:
                self._look_into(found[-1], given)
        except ConnectError as error:
            return str(error)
        return None

    def _look_into(self, file: FoundFile, given: FileStream) -> None:
        """Read the beginning of a file, so far that its kind is proven."""
        where = f"file '{file.path}'"
        with self.folder.open(file) as handle:
            if given.kind is Format.PARQUET:
                next(read_parquet(handle, file.size_bytes, None, 1, self.config.caps, where), None)
                return
            reopen = self._reopener(handle, file, given, where)
            if (
                content.refuse_if_not_text(reopen, given.kind, given.encoding, where)
                and given.kind is Format.CSV
            ):
                header(reopen, given.dialect, where)

    def prepare(self, stream: Stream) -> Stream:
        self._find(stream, self._given(stream))
        return stream

    def upper_bound(self, stream: Stream) -> int:  # noqa: ARG002 - files have no integer axis
        return 0

    def read(
        self,
        stream: Stream,
        request: Request,
        fields: frozenset[str] | None,
        position: str | None,
        context: ReadContext,
    ) -> Iterator[Page]:
        given = self._given(stream)
        reached = _after(position)
        for file in self._find(stream, given):
            if not _is_asked_for(file, request) or (reached and (file.modified_at, file.path) <= reached):
                continue
            heed_stop(context)
            last: Page | None = None
            for page in self._pages(file, given, fields, context):
                heed_stop(context)
                if last is not None:
                    yield _placed(last, position)
                last = page
            self._prove_unchanged(file)
            # The last page of a file is given only when the file is proven to be what it was.
            position = _position(file)
            if last is not None:
                yield _placed(last, position)

    def _given(self, stream: Stream) -> FileStream:
        given = self.config.streams.get(stream.name)
        if given is None:
            raise UnknownName(f"there is no stream '{stream.name}' under source.streams")
        return given

    def _find(self, stream: Stream, given: FileStream) -> list[FoundFile]:
        try:
            found = self.folder.find(given.path, self.config.max_files)
        except ConnectError as error:
            raise error.at(f"stream '{stream.name}'") from error
        if not found and given.require_files:
            raise SuspiciousEmpty(
                f"no file matches '{given.path}'",
                where=f"stream '{stream.name}'",
                remedy="Check root and path, or set require_files: false.",
            )
        return found

    def _reopener(
        self, handle: IO[bytes], file: FoundFile, given: FileStream, where: str
    ) -> Callable[[], CappedReader]:
        packing = content.packing_of(handle, file.path, given.compression, where)

        def reopen() -> CappedReader:
            handle.seek(0)
            return content.decoded(handle, file.size_bytes, packing, self.config.caps, where)

        return reopen

    def _pages(
        self, file: FoundFile, given: FileStream, fields: frozenset[str] | None, context: ReadContext
    ) -> Iterator[Page]:
        where = f"file '{file.path}'"
        page_bytes = max(context.step_bytes // 4, 64 * 1024)
        context.meter.add(requests=1)
        with self.folder.open(file) as handle:
            if given.kind is Format.PARQUET:
                tables = read_parquet(handle, file.size_bytes, fields, page_bytes, self.config.caps, where)
                yield from self._column_pages(tables, file, context, is_text=False)
                return
            reopen = self._reopener(handle, file, given, where)
            if not content.refuse_if_not_text(reopen, given.kind, given.encoding, where):
                return
            if given.kind is Format.CSV:
                tables = read_csv(reopen, given.dialect, fields, page_bytes, self.config.caps, where)
                yield from self._column_pages(tables, file, context, is_text=True)
                return
            prefix = json.dumps({FILE: file.path, FILE_MODIFIED: file.modified_at.isoformat()})[1:-1].encode()
            for records in read_jsonl(reopen(), given.encoding, prefix, page_bytes, self.config.caps, where):
                context.meter.add(bytes_read=len(records))
                yield JsonPage(records, self.clock.now())

    def _column_pages(
        self, tables: Iterator[pa.Table], file: FoundFile, context: ReadContext, *, is_text: bool
    ) -> Iterator[Page]:
        for table in tables:
            context.meter.add(bytes_read=table.nbytes)
            yield ColumnPage(_with_file(table, file, is_text=is_text), self.clock.now(), is_text=is_text)

    def _prove_unchanged(self, file: FoundFile) -> None:
        if self.folder.look(file) != file:
            raise changed_while_read(file.path)


def _with_file(table: pa.Table, file: FoundFile, *, is_text: bool) -> pa.Table:
    """The records with the file that they came from."""
    if clash := {FILE, FILE_MODIFIED}.intersection(table.column_names):
        raise FileMismatch(
            f"the file has a column of its own named '{min(clash)}'",
            where=f"file '{file.path}'",
            expected="other names, as these two are added to every record",
        )
    instant: Any = file.modified_at.isoformat() if is_text else file.modified_at
    kind = pa.string() if is_text else pa.timestamp("us", "UTC")
    count = table.num_rows
    table = table.append_column(FILE, pa.repeat(pa.scalar(file.path, pa.string()), count))
    return table.append_column(FILE_MODIFIED, pa.repeat(pa.scalar(instant, kind), count))


def _is_asked_for(file: FoundFile, request: Request) -> bool:
    """Whether the file's time lies within the request, both ends included."""
    start, end = cast(datetime | None, request.start), cast(datetime | None, request.end)
    return (start is None or file.modified_at >= start) and (end is None or file.modified_at <= end)


def _position(file: FoundFile) -> str:
    return json.dumps([file.modified_at.isoformat(), file.path])


def _after(position: str | None) -> tuple[datetime, str] | None:
    if position is None:
        return None
    modified_at, path = cast(list[str], json.loads(position))
    return datetime.fromisoformat(modified_at), path


def _placed(page: Page, position: str | None) -> Page:
    if isinstance(page, ColumnPage):
        return ColumnPage(page.records, page.read_at, page.is_text, position)
    return JsonPage(page.records, page.read_at, page.unwrap, position)


def _streams(config: FilesConfig) -> list[Stream]:
    return [
        Stream(
            name,
            given.description or f"Records of the files {given.path}",
            key=given.key,
            fields=_OWN_FIELDS,
            cursor=FILE_MODIFIED,
            filter=Filter(
                FILE_MODIFIED, meaning=Meaning.UPDATED, lag=config.lag, full_every=config.full_every
            ),
            resumable=True,
            selects_fields=given.kind is Format.PARQUET,
        )
        for name, given in config.streams.items()
    ]


@dataclass(frozen=True)
class FilesConnector:
    """Files as a kind of source."""

    name: str = "files"
    title: str = "Files"
    category: str = "Databases and files"
    kind: str = "file"
    config: type[BaseModel] = FilesConfig

    def streams(self, config: BaseModel) -> Sequence[Stream]:
        return _streams(cast(FilesConfig, config))

    def stream(self, config: BaseModel, name: str) -> Stream | None:
        return next((stream for stream in self.streams(config) if stream.name == name), None)

    @contextmanager
    def open(self, config: BaseModel, clock: Clock) -> Generator[Source]:
        given = cast(FilesConfig, config)
        options = {name: value.get_secret_value() for name, value in given.storage_options.items()}
        folder = open_folder(given.root, options)
        try:
            yield FilesSource(given, folder, clock)
        finally:
            folder.close()


connector = FilesConnector()
