"""Arrow's compute functions, which come into being when they are imported: type checkers see none of them."""

from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute

pc: Any = pyarrow.compute

Values: TypeAlias = pa.ChunkedArray  # pyright: ignore[reportInvalidTypeForm]
"""The values of one column."""
