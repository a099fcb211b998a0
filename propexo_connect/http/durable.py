"""Files that are on the disk when they are said to be."""

import os
from pathlib import Path

STATE_VARIABLE = "PROPEXO_STATE_DIR"
"""Names the folder in which an installation keeps what must outlive a sync and stand in no table."""


def write_durably(path: Path, content: bytes) -> None:
    """Put a file, readable by its owner alone, in the place of what is there; it is on the disk afterwards.

    Raises:
        OSError: it cannot be written.
    """
    fresh = path.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
