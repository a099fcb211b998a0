"""Ending a part of the work without ending the whole."""

import threading


class BranchStop(threading.Event):
    """Set when this part is given up, or when what it is a part of is stopped."""

    def __init__(self, whole: threading.Event) -> None:
        super().__init__()
        self._whole = whole

    def is_set(self) -> bool:
        return self._whole.is_set() or super().is_set()
