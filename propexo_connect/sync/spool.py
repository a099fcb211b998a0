"""Some pages of a step, kept as they came until the step is decoded."""

import tempfile
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import IO

import pyarrow as pa

from propexo_connect.connectors.base import ColumnPage, Page
from propexo_connect.sync.exact import odd_pages, rewrite

_BREAKS = bytes.maketrans(b"\r\n", b"  ")
"""JSON allows raw line breaks only between tokens, so blanks mean the same and keep a page on one line."""


class Spool:
    """Pages in the order of reading: columns in memory, JSON in a temporary file from when it is asked for.

    A line of the file is a page and reads `{"p":<page number>,"r":[<records>]}`. To look through the pages
    and write them is left to whoever asks for the file, so that reading goes on meanwhile.

    Args:
        first_page: how many pages of the step lie in spools before this one.
    """

    def __init__(self, where: str, first_page: int = 0) -> None:
        self._where = where
        self.first_page = first_page
        self._file: IO[bytes] | None = None
        self._waiting: list[tuple[int, bytes]] = []
        self.tables: list[pa.Table] = []
        self.read_at: list[datetime] = []
        self.unwrap: str | None = None
        self.is_text = False
        self.has_rewritten = False
        self.longest_line = 0
        self.size_bytes = 0
        self.position: str | None = None

    def close(self) -> None:
        """Let the pages go."""
        if self._file is not None:
            self._file.close()

    @property
    def page_count(self) -> int:
        """How many pages are held."""
        return len(self.read_at)

    @property
    def is_json(self) -> bool:
        """Whether the pages are JSON; a stream has pages of one kind."""
        return not self.tables

    def add(self, page: Page) -> None:
        """Take a page in."""
        number = self.first_page + len(self.read_at)
        self.read_at.append(page.read_at)
        self.position = page.position
        self.size_bytes += page.size_bytes
        if isinstance(page, ColumnPage):
            self.is_text = page.is_text
            self.tables.append(page.records)
            return
        self.unwrap = page.unwrap
        self._waiting.append((number, page.records))

    def _write(self, *, rewrite_all: bool) -> None:
        pages = [records for _, records in self._waiting]
        odd = set(range(len(pages))) if rewrite_all else set(odd_pages(pages))
        self.has_rewritten |= bool(odd)
        if self._file is None:
            self._file = tempfile.NamedTemporaryFile(prefix="propexo-step-", suffix=".ndjson")  # noqa: SIM115
        for place, (number, records) in enumerate(self._waiting):
            kept = rewrite(records, self._where) if place in odd else records.translate(_BREAKS)
            line = b'{"p":%d,"r":%b}\n' % (number, kept)
            self.longest_line = max(self.longest_line, len(line))
            self._file.write(line)
        self._waiting.clear()

    def json_path(self) -> Path | None:
        """The file of all JSON pages, complete; None when there are none."""
        if self._waiting:
            self._write(rewrite_all=False)
        if self._file is None:
            return None
        self._file.flush()
        return Path(self._file.name)

    def rewrite_all(self) -> None:
        """Carry every page exactly, after the fast reader has refused one of them.

        Raises:
            VendorFault: a page is not JSON at all.
        """
        path = self.json_path()
        if path is None or self._file is None:
            return
        lines = path.read_bytes().splitlines()
        self._file.seek(0)
        self._file.truncate()
        self._waiting = list(_records_of(lines))
        self._write(rewrite_all=True)


def _records_of(lines: Iterable[bytes]) -> Iterable[tuple[int, bytes]]:
    for line in lines:
        head, _, rest = line.partition(b',"r":')
        yield int(head.removeprefix(b'{"p":')), rest.removesuffix(b"}")
