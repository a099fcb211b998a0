"""The counts of a step and the equation they obey (SEMANTICS §3)."""

from dataclasses import dataclass, fields

from propexo_connect.model.errors import Defect


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the records that were read.

    Of a sweep, which brings no content: `unchanged` were found in the table, and `superseded` were not there:
    to bring them is the recurring sync's business.
    """

    read: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    superseded: int = 0
    """Read again in a newer version in the same step, or older than what is stored."""
    rejected: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*(getattr(self, part.name) + getattr(other, part.name) for part in fields(self)))

    @property
    def hold(self) -> bool:
        """Whether `read = new + changed + unchanged + superseded + rejected`."""
        return self.read == self.new + self.changed + self.unchanged + self.superseded + self.rejected

    def prove(self, where: str) -> None:
        """Refuse counts that do not add up.

        Raises:
            Defect: the commit must be rolled back.
        """
        if not self.hold:
            raise Defect(f"the counts of a step do not add up: {self}", where=where)
