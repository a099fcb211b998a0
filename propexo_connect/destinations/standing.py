"""Where a stream stands in its destination before it is read, and what speaks against writing it."""

from dataclasses import dataclass

from propexo_connect.model.errors import ConfigurationError
from propexo_connect.model.layout import Column, Layout
from propexo_connect.model.ledger import Progress
from propexo_connect.model.stream import Mode, StreamPlan, Table

ELSEWHERE = "Give the connection another namespace or stream prefix."
"""What to do where the place of a table is taken."""


@dataclass(frozen=True)
class Standing:
    """Where one stream stands: what is stored of it, and what is at the place of its table.

    Args:
        registered: table, key and mode it was stored with; None before its first commit.
        columns: the stored map. present: the columns that the table has now, none when it is not there.
        owner: connection and stream that the table belongs to.
    """

    progress: Progress
    registered: tuple[Table, tuple[str, ...], Mode] | None
    columns: tuple[Column, ...]
    present: frozenset[str]
    owner: tuple[str, str] | None

    def layout(self, plan: StreamPlan) -> Layout | None:
        """The stored map, proven to go with plan and table as they are; None before the first commit.

        Raises:
            ConfigurationError: the table is another stream's or nobody's, the stream was stored in another
                table, with another key, or as versions, or somebody dropped or renamed columns.
        """
        if self.registered is None:
            refuse_owned(plan, self.owner)
            if self.present:
                raise not_made(plan.table, plan.where)
            return None
        refuse_moved(plan, *self.registered)
        layout = Layout(self.columns, self.registered[1])
        missing = [column.name for column in layout.columns if column.name not in self.present]
        if missing or not self.present:
            what = (
                f"the columns {', '.join(missing)} of the table {plan.table} are"
                if self.present
                else (f"the table {plan.table} is")
            )
            raise ConfigurationError(
                f"{what} gone, though the ledger says what was stored there",
                where=plan.where,
                remedy="Bring them back, or name the connection anew and let it fill another schema.",
            )
        return layout


def not_made(table: Table, where: str = "") -> ConfigurationError:
    """There is something at the place of a stream's table."""
    return ConfigurationError(
        f"there is a table or view {table} already, and no stream has made it", where=where, remedy=ELSEWHERE
    )


def refuse_owned(plan: StreamPlan, owner: tuple[str, str] | None) -> None:
    """Turn down a table that another stream has made."""
    if owner is not None:
        raise ConfigurationError(
            f"the table {plan.table} belongs to connection '{owner[0]}', stream '{owner[1]}'",
            where=plan.where,
            remedy=ELSEWHERE,
        )


def refuse_moved(plan: StreamPlan, table: Table, key: tuple[str, ...], mode: Mode) -> None:
    """Turn down a stream that was stored in another way than it is to be now."""
    if table != plan.table:
        raise ConfigurationError(
            f"the stream was stored in the table {table} so far and would now go to {plan.table}",
            where=plan.where,
            remedy="Keep namespace and prefix as they were, or name the connection anew to begin afresh.",
        )
    if key != plan.stream.key:
        raise ConfigurationError(
            f"the table {table} was filled by the key ({', '.join(key)}), now it is "
            f"({', '.join(plan.stream.key)})",
            where=plan.where,
            remedy="Keep the key, or name the connection anew and let it fill another schema.",
        )
    if key and mode is Mode.APPEND and plan.mode is not Mode.APPEND:
        raise ConfigurationError(
            f"the table {table} keeps all versions of a record (mode append) and cannot become one "
            f"of the mode {plan.mode}",
            where=plan.where,
            remedy="Keep the mode, or name the connection anew and let it fill another schema.",
        )
