"""The equation of the ledger."""

import pytest

from propexo_connect.model.counts import Counts
from propexo_connect.model.errors import Defect


def test_counts_that_add_up_hold() -> None:
    Counts(read=15, new=1, changed=2, unchanged=3, superseded=4, rejected=5).prove("here")


def test_counts_that_do_not_add_up_are_refused() -> None:
    with pytest.raises(Defect, match="do not add up"):
        Counts(read=2, new=1).prove("here")
