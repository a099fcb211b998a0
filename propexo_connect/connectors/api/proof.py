"""Which filters have been proven to be honoured, so that it is asked for once and not with every sync."""

import threading
from datetime import datetime
from pathlib import Path

_IN_PROCESS: set[str] = set()
_lock = threading.Lock()


class Proofs:
    """The proofs of an installation, one small file each; without a folder they last for the process."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._tried: set[str] = set()

    def is_due(self, mark: str) -> bool:
        """Whether a proof is still to be made; at most once for one opened source."""
        with _lock:
            if mark in _IN_PROCESS or mark in self._tried:
                return False
            self._tried.add(mark)
        return self._folder is None or not (self._folder / mark).exists()

    def enter(self, mark: str, at: datetime) -> None:
        """Note that a filter is honoured."""
        with _lock:
            _IN_PROCESS.add(mark)
        if self._folder is not None:
            try:
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                (self._folder / mark).write_text(f"honoured, as seen at {at.isoformat()}\n")
            except OSError:
                return  # a proof that cannot be kept is made again
