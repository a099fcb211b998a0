"""Some pages of a step, kept as they came until the step is stored."""

from array import array
from collections.abc import Sequence
from datetime import datetime
from itertools import accumulate

import pyarrow as pa

from propexo_connect.connectors.base import ColumnPage, Page
from propexo_connect.model.errors import VendorFault
from propexo_connect.sync.exact import odd_pages, rewrite


class Spool:
    """Pages in the order of reading, of one kind: JSON as text, or columns.

    To look through JSON for what has to be rewritten is left to whoever first asks for it, so that reading
    goes on meanwhile.

    Args:
        first_page: how many pages of the step lie in spools before this one.
    """

    def __init__(self, where: str, first_page: int = 0) -> None:
        self._where = where
        self.first_page = first_page
        self._texts: list[bytes] = []
        self._bodies: pa.Table | None = None
        self.tables: list[pa.Table] = []
        self.read_at: list[datetime] = []
        self.unwrap: str | None = None
        self.is_text = False
        self.has_rewritten = False
        self.size_bytes = 0
        self.position: str | None = None

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
        self.read_at.append(page.read_at)
        self.position = page.position
        self.size_bytes += page.size_bytes
        if isinstance(page, ColumnPage):
            self.is_text = page.is_text
            self.tables.append(page.records)
            return
        self.unwrap = page.unwrap
        self._texts.append(page.records)

    def bodies(self) -> pa.Table:
        """JSON pages in columns: `p`, the page's number in the step, and `body`, the text of its array.

        Raises:
            VendorFault: a page is no JSON array.
        """
        if self._bodies is None:
            for text in self._texts:
                if not text.lstrip().startswith(b"["):
                    raise VendorFault(
                        "a page is no list of records", where=self._where, expected="a JSON array"
                    )
            odd = set(odd_pages(self._texts))
            self.has_rewritten = bool(odd)
            self._hold(
                [rewrite(text, self._where) if n in odd else text for n, text in enumerate(self._texts)]
            )
        assert self._bodies is not None  # noqa: S101 (just made)
        return self._bodies

    def rewrite_all(self) -> None:
        """Carry every page exactly, after the fast reader has refused one of them.

        Raises:
            VendorFault: a page is not JSON at all.
        """
        texts = [body.as_buffer().to_pybytes() for body in self.bodies().column("body")]
        self._hold([rewrite(text, self._where) for text in texts])
        self.has_rewritten = True

    def _hold(self, texts: Sequence[bytes]) -> None:
        """Keep the texts behind one another; broken UTF-8 may be among them, which JSON readers then tell."""
        ends = array("q", accumulate(map(len, texts), initial=0))
        numbers = array("i", range(self.first_page, self.first_page + len(texts)))
        body = pa.Array.from_buffers(
            pa.large_string(), len(texts), [None, pa.py_buffer(ends), pa.py_buffer(b"".join(texts))]
        )
        page = pa.Array.from_buffers(pa.int32(), len(texts), [None, pa.py_buffer(numbers)])
        self._bodies = pa.table({"p": page, "body": body})
        self._texts = []

    def close(self) -> None:
        """Let the pages go."""
        self._texts, self._bodies, self.tables = [], None, []
