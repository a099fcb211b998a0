"""A record's key as people write it: `7` for a key of one field, `property=12` and `unit=4B` for several."""

from collections.abc import Sequence

from propexo_connect.model.errors import ConfigurationError
from propexo_connect.model.layout import Layout


def key_values(written: Sequence[str], layout: Layout, where: str) -> dict[str, str]:
    """A value for each column of the key, in the key's order.

    A part may be named by its field or its column.

    Raises:
        ConfigurationError: the parts are not those of the key.
    """
    columns = [layout.column(field) for field in layout.key]
    names = {name: column.name for column in columns for name in (column.field, column.name)}
    values: dict[str, str] = {}
    for text in written:
        name, separator, value = text.partition("=")
        if separator and name in names:
            column = names[name]
        elif len(columns) == 1:  # a value may have an equals sign too
            column, value = columns[0].name, text
        else:
            raise _unfit(f"'{text}' is no part of the key", layout, where)
        if column in values:
            raise _unfit(f"the key's part '{column}' comes twice", layout, where)
        values[column] = value
    missing = [column.name for column in columns if column.name not in values]
    if missing:
        raise _unfit(f"the key lacks {', '.join(missing)}", layout, where)
    return {column.name: values[column.name] for column in columns}


def _unfit(found: str, layout: Layout, where: str) -> ConfigurationError:
    expected = " ".join(f"--key {name}=VALUE" for name in layout.key_columns)
    return ConfigurationError(found, where=where, expected=expected)
