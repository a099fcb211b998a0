"""Pages gathered into a step, whose pieces are decoded while the next pages come."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager

from propexo_connect.connectors.base import Page
from propexo_connect.model.layout import Layout
from propexo_connect.model.stream import StreamPlan
from propexo_connect.sync.decode import Decoder, Piece
from propexo_connect.sync.spool import Spool

PIECE_BYTES = 2 * 1024 * 1024
"""Small enough that all cores have work soon, large enough that a statement's planning does not count."""


class Gathering:
    """The step that is being filled.

    Args:
        step_bytes: how much of the source's bytes makes it full.
    """

    def __init__(self, decoder: Decoder, plan: StreamPlan, step_bytes: int) -> None:
        self._decoder = decoder
        self._plan = plan
        self._step_bytes = step_bytes
        self._begin()

    def _begin(self) -> None:
        self._pieces: list[Piece] = []
        self._size_bytes = 0
        self._spool = Spool(self._plan.where)

    @property
    def is_full(self) -> bool:
        """Whether the step is to be stored before more pages are taken in."""
        return self._size_bytes + self._spool.size_bytes >= self._step_bytes

    def add(self, page: Page, stored: Layout | None) -> None:
        """Take a page in."""
        self._spool.add(page)
        if self._spool.size_bytes >= PIECE_BYTES:
            self._end_piece(stored)

    def take(self, stored: Layout | None) -> list[Piece]:
        """The step as it is, at least one piece; the next one begins empty."""
        if self._spool.page_count or not self._pieces:
            self._end_piece(stored)
        pieces = self._pieces
        self.close()
        self._begin()
        return pieces

    def _end_piece(self, stored: Layout | None) -> None:
        spool = self._spool
        self._pieces.append(self._decoder.begin(spool, self._plan, stored))
        self._size_bytes += spool.size_bytes
        self._spool = Spool(self._plan.where, spool.first_page + spool.page_count)

    def close(self) -> None:
        """Let go of the pages that belong to no piece yet."""
        self._spool.close()


@contextmanager
def closing_all(pieces: Sequence[Piece]) -> Generator[None]:
    """Let the pages of a step go in the end."""
    try:
        yield
    finally:
        for piece in pieces:
            piece.spool.close()
